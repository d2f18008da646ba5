import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Peer } from '../js/calls/voip.js';
import { settled } from './helpers.mjs';

/** As much of an RTCPeerConnection as negotiation needs. It keeps what was done with it. */
class FakePc extends EventTarget {
  static last = null;
  signalingState = 'stable';
  connectionState = 'new';
  iceGatheringState = 'complete';
  localDescription = null;
  remoteDescription = null;
  done = [];
  misfits = false;
  #offers = 0;
  constructor() { super(); FakePc.last = this; }
  getTransceivers() { return []; }
  async createOffer() { return { type: 'offer', sdp: 'v=0 mine' }; }
  async setLocalDescription(given) {
    const type = given?.type ?? (this.signalingState === 'have-remote-offer' ? 'answer' : 'offer');
    this.done.push(`local ${type}`);
    this.signalingState = type === 'offer' ? 'have-local-offer' : 'stable';
    if (type !== 'rollback') this.localDescription = { type, sdp: `v=0 ${type} ${(this.#offers += 1)}` };
  }
  async setRemoteDescription({ type, sdp }) {
    if (sdp === 'misfit' && this.misfits) throw new Error('the order of m-lines does not match');
    this.done.push(`remote ${type}`);
    this.remoteDescription = { type, sdp };
    this.signalingState = type === 'offer' ? 'have-remote-offer' : 'stable';
  }
  async addIceCandidate({ candidate }) { this.done.push(candidate); }
  restartIce() { this.done.push('restart'); }
  close() { this.done.push('close'); }
  ask() { this.dispatchEvent(new Event('negotiationneeded')); }
  becomes(state) { this.connectionState = state; this.dispatchEvent(new Event('connectionstatechange')); }
}
globalThis.RTCPeerConnection = FakePc;

function setUp({ polite = false, negotiate = async () => ({}) } = {}) {
  const said = [];
  const peer = new Peer({ polite, iceServers: [], candidate: () => {}, negotiate: (description) => { said.push(description.type); return negotiate(description); } });
  return { peer, pc: FakePc.last, said };
}

const OFFER = { type: 'offer', sdp: 'v=0 theirs' };
const ANSWER = { type: 'answer', sdp: 'v=0 theirs' };

test('candidates that come before the description wait for it, in order', async (t) => {
  const { peer, pc } = setUp({ polite: true });
  t.after(() => peer.close());
  peer.candidate({ candidate: 'one' });
  peer.candidate({ candidate: 'two' });
  await settled();
  assert.deepEqual(pc.done, []);
  await peer.answer(OFFER);
  peer.candidate({ candidate: 'three' });
  peer.candidate({ candidate: '' });
  await settled();
  assert.deepEqual(pc.done, ['remote offer', 'one', 'two', 'local answer', 'three']);
});

test('before the first answer nothing is negotiated; what was asked for meanwhile follows it', async (t) => {
  const { peer, pc, said } = setUp();
  t.after(() => peer.close());
  await peer.offer();
  pc.ask();
  await settled();
  assert.deepEqual(said, []);
  await peer.answered(ANSWER);
  peer.open();
  await settled();
  assert.deepEqual(said, ['offer']);
});

test('an answer that comes twice is taken once', async (t) => {
  const { peer, pc } = setUp();
  t.after(() => peer.close());
  await peer.offer();
  await peer.answered(ANSWER);
  await peer.answered(ANSWER);
  assert.deepEqual(pc.done, ['local offer', 'remote answer']);
});

test('both ask at once: the polite one answers, the impolite one goes on', async (t) => {
  for (const polite of [true, false]) {
    const { peer, pc, said } = setUp({ polite });
    t.after(() => peer.close());
    peer.open();
    pc.ask();
    await settled();
    await peer.negotiated(OFFER);
    assert.deepEqual(said, polite ? ['offer', 'answer'] : ['offer']);
    assert.equal(pc.done.includes('remote offer'), polite);
  }
});

test('a change that the other side cannot take is taken back, told once, and not asked for again', async (t) => {
  const { peer, pc, said } = setUp({ negotiate: () => Promise.reject(new Error('no')) });
  t.after(() => peer.close());
  let refused = 0;
  peer.addEventListener('refused', () => { refused += 1; });
  peer.open();
  pc.ask();
  await settled();
  pc.ask(); // as a browser does after a rollback
  await settled();
  assert.deepEqual([said, refused, pc.done], [['offer'], 1, ['local offer', 'local rollback']]);
});

test('an offer that does not fit is that of a page that was reloaded: a new connection answers it', async (t) => {
  const { peer, pc, said } = setUp({ polite: true });
  t.after(() => peer.close());
  pc.misfits = true;
  await peer.negotiated({ type: 'offer', sdp: 'misfit' });
  assert.deepEqual(pc.done, ['close']);
  assert.deepEqual([FakePc.last.done, said], [['remote offer', 'local answer'], ['answer']]);
  assert.equal(peer.pc, FakePc.last);
});

test('a way that breaks: a new one is looked for, and after 30 s it is given up', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { peer, pc } = setUp();
  t.after(() => peer.close());
  let lost = 0;
  peer.addEventListener('lost', () => { lost += 1; });
  pc.becomes('connected');
  pc.becomes('disconnected');
  t.mock.timers.tick(2_500);
  assert.deepEqual(pc.done, ['restart']);
  pc.becomes('connected');
  t.mock.timers.tick(60_000);
  assert.equal(lost, 0);
  pc.becomes('failed');
  t.mock.timers.tick(0);
  assert.deepEqual(pc.done, ['restart', 'restart']);
  t.mock.timers.tick(30_000);
  assert.equal(lost, 1);
});
