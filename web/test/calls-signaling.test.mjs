import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CallSignaling } from '../js/calls/signaling.js';
import { NovaConnection } from '../js/protocol.js';
import { NovaError, NovaRest } from '../js/rest.js';
import { FakeClock, fakeWebSocket, settled } from './helpers.mjs';

function setUp({ rest = {} } = {}) {
  const clock = new FakeClock();
  const away = { ms: 0 };
  const WebSocket = fakeWebSocket();
  const all = { conversations: async () => [], ...rest };
  const connection = new NovaConnection({ baseUrl: 'http://x/', token: 't', rest: all, WebSocket, clock, random: () => 1 });
  const signaling = new CallSignaling({ connection, rest: all, now: () => clock.now + away.ms });
  const online = () => { WebSocket.last.open(); WebSocket.last.receive({ type: 'pong' }); };
  const offline = () => WebSocket.last.drop();
  const back = () => { clock.advance(1_000); online(); };
  const sent = () => WebSocket.last.sent.filter(({ type }) => type !== 'ping');
  connection.connect();
  return { signaling, WebSocket, away, online, offline, back, sent };
}

const CANDIDATE = { candidate: 'candidate:1', sdpMid: '0', sdpMLineIndex: 0, usernameFragment: null };
const types = (frames) => frames.map(({ type }) => type);

test('the frames, field by field', () => {
  const { signaling, online, sent } = setUp();
  online();
  const offer = { type: 'offer', sdp: 'v=0' };
  signaling.initiate({ conversationId: 'c', offer, metadata: { s: {} }, video: true, key: 'i' });
  signaling.initiateGroup({ conversationId: 'c', video: false, maxParticipants: 8, key: 'j' });
  signaling.accept('k', 'c');
  signaling.answer('k', { type: 'answer', sdp: 'v=0' }, {}, 'c');
  signaling.candidate('k', CANDIDATE);
  signaling.candidate('k', null, 'bob');
  signaling.negotiate('k', offer, {}, 'bob');
  signaling.media('k', { audio: false });
  signaling.reject('k', 'declined');
  assert.deepEqual(sent().map(({ request_id: _id, ...frame }) => frame), [
    { type: 'call.initiate', conversation_id: 'c', offer, is_video: true, call_type: 'direct', sdp_stream_metadata: { s: {} }, idempotency_key: 'i' },
    { type: 'call.initiate', conversation_id: 'c', is_video: false, call_type: 'group', max_participants: 8, idempotency_key: 'j' },
    { type: 'call.accept', call_id: 'k', claim: 'c' },
    { type: 'call.answer', call_id: 'k', answer: { type: 'answer', sdp: 'v=0' }, sdp_stream_metadata: {}, claim: 'c' },
    { type: 'call.ice', call_id: 'k', candidate: 'candidate:1', sdp_mid: '0', sdp_mline_index: 0 },
    { type: 'call.ice', call_id: 'k', candidate: '', to: 'bob' },
    { type: 'call.negotiate', call_id: 'k', description: offer, sdp_stream_metadata: {}, to: 'bob' },
    { type: 'call.media', call_id: 'k', audio_enabled: false },
    { type: 'call.reject', call_id: 'k', reason: 'declined' },
  ]);
});

test('frames leave at once and in order; nobody waits for an ack', async () => {
  const { signaling, online, sent, WebSocket } = setUp();
  online();
  const answer = signaling.answer('k', {}, {});
  signaling.candidate('k', CANDIDATE);
  assert.deepEqual(types(sent()), ['call.answer', 'call.ice']);
  WebSocket.last.receive({ type: 'ack', request_id: sent()[0].request_id, participant_id: 'p' });
  assert.equal((await answer).participant_id, 'p');
});

test('what had no answer when the connection broke is sent again, in order, before what came later', async () => {
  const { signaling, online, offline, back, sent } = setUp();
  online();
  signaling.answer('k', {}, {});
  signaling.candidate('k', CANDIDATE);
  offline();
  signaling.media('k', { audio: false });
  await settled();
  back();
  assert.deepEqual(types(sent()), ['call.answer', 'call.ice', 'call.media']);
});

test('a refusal is final', async () => {
  const { signaling, online, sent, WebSocket } = setUp();
  online();
  const answer = signaling.answer('k', {}, {});
  WebSocket.last.receive({ type: 'error', request_id: sent()[0].request_id, code: 'CONFLICT', detail: 'the call is not ringing' });
  await assert.rejects(answer, { detail: 'the call is not ringing' });
  assert.equal(sent().length, 1);
});

test('what waited for too long is given up', async () => {
  const { signaling, online, away, sent } = setUp();
  const negotiation = signaling.negotiate('k', {}, {});
  away.ms = 50_000;
  online();
  await assert.rejects(negotiation, /too long/);
  assert.deepEqual(sent(), []);
});

test('hanging up waits behind nothing and makes void what waits', async () => {
  const ended = [];
  const { signaling, online, sent } = setUp({ rest: { endCall: async (...args) => { ended.push(args); } } });
  const negotiation = signaling.negotiate('k', {}, {});
  await signaling.hangup('k', 'user_hangup'); // no socket: the other way
  assert.deepEqual(ended, [['k', 'user_hangup']]);
  await assert.rejects(negotiation, /over/);
  online();
  assert.deepEqual(sent(), []);
});

test('hanging up with no way at all is sent when there is one again', async () => {
  const { signaling, online, sent } = setUp({ rest: { endCall: async () => { throw new NovaError({ code: 'CONNECTION_FAILED', detail: '', transient: true }); } } });
  signaling.hangup('k', 'ice_failed');
  await settled();
  online();
  assert.deepEqual(sent().map(({ type, reason }) => [type, reason]), [['call.hangup', 'ice_failed']]);
});

test('REST: ICE servers in either spelling, lists in either form', async () => {
  const answers = [{ iceServers: [{ urls: ['stun:a'] }] }, { ice_servers: [{ urls: ['stun:b'] }] }, [{ id: 'k' }], { calls: [{ id: 'k' }] }, null];
  const fetch = async () => new Response(JSON.stringify(answers.shift()));
  const rest = new NovaRest({ baseUrl: 'http://x/', token: 't', fetch });
  assert.deepEqual([await rest.iceServers(), await rest.iceServers()], [[{ urls: ['stun:a'] }], [{ urls: ['stun:b'] }]]);
  assert.deepEqual([await rest.callHistory(), await rest.callHistory(), await rest.activeCalls()], [[{ id: 'k' }], [{ id: 'k' }], []]);
});
