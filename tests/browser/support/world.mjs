// The people of a test on both sides, and what their room has seen. Everything is made anew for each test file.
import { execFileSync } from 'node:child_process';
import { createHmac, createSign, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';

if (!process.env.NOVA_DEV_ENV) throw new Error('NOVA_DEV_ENV names the env file of a running synapse-dev copy');
export const env = Object.fromEntries(
  readFileSync(process.env.NOVA_DEV_ENV, 'utf8')
    .split('\n')
    .filter((line) => line.includes('='))
    .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
);

/**
 * Waits until `look` gives something; what it threw last is part of the complaint. Looks less and less often: on a busy
 * machine looking is what keeps it from happening.
 */
export async function until(what, look, { within = 30_000 } = {}) {
  const started = Date.now();
  let problem;
  for (let pause = 50; ; pause = Math.min(pause * 1.2, 500)) {
    try {
      const found = await look();
      if (found) return found;
    } catch (error) {
      problem = error;
    }
    if (Date.now() - started > within) throw new Error(`not within ${within} ms: ${what}`, { cause: problem });
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

async function request(base, token, method, path, body) {
  const response = await fetch(base + path, {
    method,
    headers: { ...(token && { authorization: `Bearer ${token}` }), 'content-type': 'application/json' },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, body: text && JSON.parse(text) };
}

async function good(...args) {
  const answer = await request(...args);
  if (answer.status >= 300) throw new Error(`${args[2]} ${args[3]}: ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body;
}

/** Somebody in Matrix. */
export class MatrixUser {
  static async register(name) {
    const username = `${name}-${randomUUID().slice(0, 8)}`;
    const password = randomUUID();
    const path = '/_synapse/admin/v1/register';
    const { nonce } = await good(env.HOMESERVER_URL, null, 'GET', path);
    const mac = createHmac('sha1', env.REGISTRATION_SHARED_SECRET)
      .update([nonce, username, password, 'notadmin'].join('\0'))
      .digest('hex');
    await good(env.HOMESERVER_URL, null, 'POST', path, { nonce, username, password, admin: false, mac });
    const user = new MatrixUser();
    Object.assign(user, { username, password, id: `@${username}:${env.SERVER_NAME}` });
    Object.assign(user, await user.login());
    return user;
  }

  /** Another device. */
  async login() {
    const identifier = { type: 'm.id.user', user: this.username };
    const body = { type: 'm.login.password', identifier, password: this.password };
    const login = await good(env.HOMESERVER_URL, null, 'POST', '/_matrix/client/v3/login', body);
    return { token: login.access_token, device: login.device_id };
  }

  get(path) {
    return good(env.HOMESERVER_URL, this.token, 'GET', `/_matrix/client/v3${path}`);
  }

  post(path, body = {}) {
    return good(env.HOMESERVER_URL, this.token, 'POST', `/_matrix/client/v3${path}`, body);
  }

  put(path, body = {}) {
    return good(env.HOMESERVER_URL, this.token, 'PUT', `/_matrix/client/v3${path}`, body);
  }

  /** Joins a room once its invite is there: the room is known before. */
  join(room) {
    return until(`${this.id} is in ${room}`, () => this.post(`/rooms/${encodeURIComponent(room)}/join`));
  }

  /** Sends an event. */
  send(room, type, content) {
    const path = `/_matrix/client/v3/rooms/${encodeURIComponent(room)}/send/${type}/${randomUUID()}`;
    return good(env.HOMESERVER_URL, this.token, 'PUT', path, content);
  }

  /** The call events of a room, in order; those of one call, where it is given. */
  async callEvents(room, call) {
    const page = await this.get(`/rooms/${encodeURIComponent(room)}/messages?dir=b&limit=200`);
    return page.chunk
      .reverse()
      .filter((event) => /^(m|org\.matrix)\.call\./.test(event.type))
      .filter((event) => call === undefined || event.content.call_id === call)
      .map((event) => ({ ...event, what: event.type.replace(/^.*call\./, '') }));
  }
}

/** Somebody in Nova. */
export class NovaUser {
  static async create(name) {
    const user = new NovaUser();
    user.id = randomUUID();
    user.name = `${name} ${user.id.slice(0, 4)}`;
    user.username = `${name.toLowerCase()}-${user.id.slice(0, 8)}`;
    user.mxid = `@nova-${user.id}:${env.SERVER_NAME}`;
    const now = Math.floor(Date.now() / 1000);
    const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const claims = {
      sub: user.id, iat: now, exp: now + 7200, token_type: 'access', email: 'x@example.org', username: user.username,
      jti: randomUUID(),
    };
    const signed = `${part({ alg: 'RS256', typ: 'JWT' })}.${part(claims)}`;
    const key = readFileSync(env.JWT_PRIVATE_KEY_FILE);
    user.token = `${signed}.${createSign('RSA-SHA256').update(signed).sign(key, 'base64url')}`;
    const account = { username: user.username, display_name: user.name };
    await good(env.ADMIN_URL, env.ADMIN_TOKEN, 'PUT', `/admin/v1/accounts/${user.id}`, account);
    return user;
  }

  get(path) {
    return good(env.BRIDGE_URL, this.token, 'GET', path);
  }

  post(path, body = {}) {
    return good(env.BRIDGE_URL, this.token, 'POST', path, body);
  }

  /** A request that may be refused. */
  try(path, body = {}) {
    return request(env.BRIDGE_URL, this.token, 'POST', path, body);
  }

  /** The newest call of the history. */
  async lastCall() {
    const [call] = await this.get('/calls/history?limit=1');
    return call;
  }
}

/** A Matrix user and a Nova user in a direct chat that is there on both sides. */
export async function pair() {
  const [matrix, nova] = await Promise.all([MatrixUser.register('elena'), NovaUser.create('Ana')]);
  const { id: conversation } = await nova.post('/conversations/matrix', { mxid: matrix.id });
  const room = await until('the conversation has a room', async () => {
    return (await nova.get(`/api/v2/matrix/rooms/${conversation}`)).room_id;
  });
  await matrix.join(room);
  await until('Nova knows that they came', async () => {
    const { members } = await nova.get(`/conversations/${conversation}/members`);
    return members.some((it) => it.matrix_user_id === matrix.id && it.membership === 'joined');
  });
  return { matrix, nova, conversation, room };
}

/** Asks the bridge's database. */
export function sql(query) {
  return execFileSync('psql', [env.DATABASE_URL, '-At', '-c', query], { encoding: 'utf8' }).trim();
}

/** Stops, starts or kills a part of the copy. */
export function restart(...args) {
  const name = env.COPY_NAME ? ['--name', env.COPY_NAME] : [];
  execFileSync(new URL('../../../synapse-dev/restart', import.meta.url).pathname, [...args, ...name], { stdio: 'ignore' });
}

/** An offer or an answer that rings and is heard, as far as anybody looks who has no browser. */
export function sdp(stream = 'stream') {
  return [
    'v=0', 'o=- 1 2 IN IP4 127.0.0.1', 's=-', 't=0 0', 'a=group:BUNDLE 0', `a=msid-semantic: WMS ${stream}`,
    'm=audio 9 UDP/TLS/RTP/SAVPF 111', 'c=IN IP4 0.0.0.0', 'a=ice-ufrag:abcd', 'a=ice-pwd:abcdefghijklmnopqrstuvwx',
    `a=fingerprint:sha-256 ${Array(32).fill('AB').join(':')}`, 'a=setup:actpass', 'a=mid:0', `a=msid:${stream} track`,
    'a=sendrecv', 'a=rtcp-mux', 'a=rtpmap:111 opus/48000/2', '',
  ].join('\r\n');
}
