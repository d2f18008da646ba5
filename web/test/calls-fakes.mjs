/** Doubles for a call: a connection to the other side, a microphone, the bridge. */
import { Calls } from '../js/calls/calls.js';
import { FakeStorage } from './helpers.mjs';

/** A connection that keeps which candidates it was given, and when. */
export class FakePc extends EventTarget {
  static done = [];
  static last = null;
  static made = 0;
  signalingState = 'stable';
  connectionState = 'new';
  iceGatheringState = 'complete';
  localDescription = null;
  remoteDescription = null;
  constructor() { super(); FakePc.last = this; FakePc.made += 1; }
  getTransceivers() { return []; }
  addTrack() { return {}; }
  async createOffer() { return { type: 'offer', sdp: 'v=0 mine' }; }
  async setLocalDescription(given) {
    this.localDescription = given ?? { type: 'answer', sdp: 'v=0 mine' };
    if (this.localDescription.type === 'offer') this.signalingState = 'have-local-offer';
  }
  async setRemoteDescription(description) {
    FakePc.done.push(`remote ${description.type}`);
    this.remoteDescription = description;
  }
  async addIceCandidate({ candidate }) { FakePc.done.push(candidate); }
  close() {}
}

export class FakeStream {
  tracks = [];
  getTracks() { return this.tracks; }
  getAudioTracks() { return this.tracks; }
  getVideoTracks() { return []; }
  addTrack(track) { this.tracks.push(track); }
  removeTrack() { this.tracks = []; }
}

export class FakeConnection extends EventTarget {
  status = 'online';
  asked = [];
  /** What the bridge replies, by the type of the frame. */
  replies = {};
  async request(frame) {
    this.asked.push(frame.type);
    return this.replies[frame.type] ?? { participant_id: 'p-me' };
  }
  shows(frame) { this.dispatchEvent(new CustomEvent('frame', { detail: { conversation_id: 'c', call_id: 'k', ...frame } })); }
}

globalThis.RTCPeerConnection = FakePc;
globalThis.MediaStream = FakeStream;

/** The calls of somebody whose browser waits with the microphone until `allow` is called. */
export function setUp(t, { active = [], memory = new FakeStorage(), conversation = () => undefined, iceServers = async () => [] } = {}) {
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  FakePc.done = [];
  FakePc.made = 0;
  let allow;
  const microphone = new Promise((resolve) => { allow = resolve; });
  const track = Object.assign(new EventTarget(), { kind: 'audio', enabled: true, stop() {} });
  const mediaDevices = Object.assign(new EventTarget(), {
    getUserMedia: async () => { await microphone; return Object.assign(new FakeStream(), { tracks: [track] }); },
    enumerateDevices: async () => [],
  });
  Object.defineProperty(globalThis, 'navigator', { value: { mediaDevices }, configurable: true });
  const connection = new FakeConnection();
  const rest = { iceServers, callHistory: async () => [], activeCalls: async () => active };
  const calls = new Calls({ me: 'me', connection, rest, conversation, memory, storage: new FakeStorage() });
  t.after(() => calls.stop());
  const candidate = (name, call = 'k') => connection.shows({ type: 'call.ice_candidate', call_id: call, user_id: 'bob', candidate: name, sdp_mid: '0' });
  return { allow, calls, connection, candidate };
}
