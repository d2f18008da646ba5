import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Calls } from '../js/calls/calls.js';
import { FakeStorage, settled } from './helpers.mjs';

/** A connection that keeps which candidates it was given, and when. */
class FakePc extends EventTarget {
  static done = [];
  signalingState = 'stable';
  connectionState = 'new';
  iceGatheringState = 'complete';
  localDescription = null;
  remoteDescription = null;
  getTransceivers() { return []; }
  addTrack() { return {}; }
  async setLocalDescription() { this.localDescription = { type: 'answer', sdp: 'v=0 mine' }; }
  async setRemoteDescription(description) {
    FakePc.done.push(`remote ${description.type}`);
    this.remoteDescription = description;
  }
  async addIceCandidate({ candidate }) { FakePc.done.push(candidate); }
  close() {}
}

class FakeStream {
  tracks = [];
  getTracks() { return this.tracks; }
  getAudioTracks() { return this.tracks; }
  getVideoTracks() { return []; }
  addTrack(track) { this.tracks.push(track); }
  removeTrack() { this.tracks = []; }
}

class FakeConnection extends EventTarget {
  status = 'online';
  asked = [];
  async request(frame) {
    this.asked.push(frame.type);
    return { participant_id: 'p-me' };
  }
  shows(frame) { this.dispatchEvent(new CustomEvent('frame', { detail: { conversation_id: 'c', call_id: 'k', ...frame } })); }
}

globalThis.RTCPeerConnection = FakePc;
globalThis.MediaStream = FakeStream;

/** The calls of somebody whose browser waits with the microphone until `allow` is called. */
function setUp(t, { active = [], memory = new FakeStorage() } = {}) {
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  FakePc.done = [];
  let allow;
  const microphone = new Promise((resolve) => { allow = resolve; });
  const track = Object.assign(new EventTarget(), { kind: 'audio', enabled: true, stop() {} });
  const mediaDevices = Object.assign(new EventTarget(), {
    getUserMedia: async () => { await microphone; return Object.assign(new FakeStream(), { tracks: [track] }); },
    enumerateDevices: async () => [],
  });
  Object.defineProperty(globalThis, 'navigator', { value: { mediaDevices }, configurable: true });
  const connection = new FakeConnection();
  const rest = { iceServers: async () => [], callHistory: async () => [], activeCalls: async () => active };
  const calls = new Calls({ me: 'me', connection, rest, conversation: () => undefined, memory, storage: new FakeStorage() });
  t.after(() => calls.stop());
  const candidate = (name) => connection.shows({ type: 'call.ice_candidate', user_id: 'bob', candidate: name, sdp_mid: '0' });
  return { allow, calls, connection, candidate };
}

test('candidates that come while the microphone is opened are not lost', async (t) => {
  const { allow, calls, connection, candidate } = setUp(t);
  connection.shows({ type: 'call.initiated', initiator_id: 'bob', caller: { id: 'bob', name: 'Bob' }, call_type: 'direct', offer: { type: 'offer', sdp: 'v=0 theirs' } });
  candidate('while it rings');
  const accepted = calls.accept('k');
  candidate('while the microphone is opened');
  await settled();
  candidate('a little later');
  allow();
  await accepted;
  candidate('afterwards');
  await settled();
  assert.deepEqual(FakePc.done, ['remote offer', 'while it rings', 'while the microphone is opened', 'a little later', 'afterwards']);
  assert.deepEqual(connection.asked.slice(0, 2), ['call.accept', 'call.answer']);
});

test('what the other side asks while a page that was reloaded opens its microphone is answered', async (t) => {
  const memory = new FakeStorage();
  const saved = { callId: 'k', conversationId: 'c', kind: 'direct', direction: 'incoming', video: false, camera: false, users: ['bob'], layout: ['audio'] };
  memory.setItem('nova.call.running.me', JSON.stringify(saved));
  const { allow, calls, connection, candidate } = setUp(t, { memory, active: [{ call_id: 'k', status: 'connected', call_type: 'direct' }] });
  connection.dispatchEvent(new CustomEvent('status', { detail: { status: 'online' } }));
  await settled();
  const rejoined = calls.rejoin();
  connection.shows({ type: 'call.negotiate', user_id: 'bob', description: { type: 'offer', sdp: 'v=0 theirs' } });
  candidate('with it');
  allow();
  await rejoined;
  await settled();
  assert.deepEqual(FakePc.done, ['remote offer', 'with it']);
  assert.deepEqual(connection.asked, ['call.negotiate'], 'one answer, and no question of our own');
});
