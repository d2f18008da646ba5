// A TURN server for one test: coturn, with a secret that Synapse knows for as long as the test runs.
import { spawn, execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { env, restart, until } from './world.mjs';

/** Whether there is a coturn to start. */
export function hasTurn() {
  try {
    execFileSync('sh', ['-c', 'command -v turnserver']);
    return true;
  } catch {
    return false;
  }
}

function freePort() {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

/** An address of this machine: browsers and coturn do not relay to a loopback one. */
function address() {
  return Object.values(networkInterfaces()).flat().find((it) => it.family === 'IPv4' && !it.internal)?.address;
}

/** Whether a STUN binding request is answered. */
function answers(ip, port) {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    const end = (answered) => {
      clearTimeout(patience);
      socket.close();
      resolve(answered);
    };
    const patience = setTimeout(end, 500, false);
    socket.on('message', () => end(true));
    socket.on('error', () => end(false));
    const request = Buffer.from('000100002112a442' + randomBytes(12).toString('hex'), 'hex');
    socket.send(request, port, ip);
  });
}

/** Starts coturn, and Synapse anew with it. `stop` takes both back. */
export async function startTurn() {
  const [ip, port, secret] = [address(), await freePort(), randomBytes(16).toString('hex')];
  if (!ip) throw new Error('this machine has no address but the loopback one');
  const home = mkdtempSync(join(tmpdir(), 'nova-turn-'));
  const turn = spawn('turnserver', [
    '-n', '--no-cli', '--no-tls', '--no-dtls', '--fingerprint', '--use-auth-secret', `--static-auth-secret=${secret}`,
    '--realm=nova.test', `--listening-ip=${ip}`, `--relay-ip=${ip}`, `--listening-port=${port}`, '--min-port=50000', '--max-port=50200',
    '--simple-log', `--log-file=${join(home, 'log')}`, `--pidfile=${join(home, 'pid')}`, `--userdb=${join(home, 'db')}`,
  ], { stdio: 'ignore' });
  // Synapse's configuration is beside the folder of its log; `up` writes it anew at its next start.
  const file = join(dirname(env.LOG_DIR), 'homeserver.yaml');
  const before = readFileSync(file, 'utf8');
  const uris = `["turn:${ip}:${port}?transport=udp"]`;
  writeFileSync(file, `${before}turn_uris: ${uris}\nturn_shared_secret: "${secret}"\nturn_user_lifetime: 1h\n`);
  const stop = () => {
    turn.kill();
    writeFileSync(file, before);
    restart('synapse');
  };
  try {
    restart('synapse');
    await until('coturn answers', () => answers(ip, port));
  } catch (error) {
    stop();
    throw error;
  }
  return { uri: `turn:${ip}:${port}?transport=udp`, stop };
}
