import assert from 'node:assert/strict';
import { test } from 'node:test';
import { quality, sample } from '../js/calls/quality.js';
import { describeStreams, readCandidate, sections, sortStreams, switches, writeCandidate } from '../js/calls/sdp.js';
import { duration, endText, historyText, mediaProblem, spokenStatus, statusText } from '../js/calls/text.js';
import { rows, withCalls } from '../js/timeline.js';

const section = (kind, direction, stream, port = 9) => [`m=${kind} ${port} UDP/TLS/RTP/SAVPF 111`, 'c=IN IP4 0.0.0.0', `a=${direction}`, ...(stream ? [`a=msid:${stream} track`] : [])];
const sdp = (...parts) => ['v=0', 'o=- 1 2 IN IP4 127.0.0.1', 's=-', ...parts.flat(), ''].join('\r\n');
const LOCAL = { screenId: 'scr', audioMuted: false, videoMuted: false };

test('sections: kind, direction and stream', () => {
  assert.deepEqual(sections(sdp(section('audio', 'sendrecv', 'cam'), section('video', 'recvonly'), section('video', 'sendonly', '-'), section('video', 'sendrecv', 'x', 0))), [
    { kind: 'audio', sends: true, stream: 'cam' },
    { kind: 'video', sends: false, stream: undefined },
    { kind: 'video', sends: true, stream: undefined },
    { kind: 'video', sends: false, stream: 'x' },
  ]);
});

test('metadata names exactly the streams that are sent, with both switches said', () => {
  const voice = sdp(section('audio', 'sendrecv', 'cam'));
  assert.deepEqual(describeStreams(voice, LOCAL), { cam: { purpose: 'm.usermedia', audio_muted: false, video_muted: true } });
  const full = sdp(section('audio', 'sendrecv', 'cam'), section('video', 'sendrecv', 'cam'), section('video', 'sendonly', 'scr'));
  assert.deepEqual(describeStreams(full, { ...LOCAL, audioMuted: true }), {
    cam: { purpose: 'm.usermedia', audio_muted: true, video_muted: false },
    scr: { purpose: 'm.screenshare', audio_muted: true, video_muted: false },
  });
  const stopped = sdp(section('audio', 'sendrecv', 'cam'), section('video', 'inactive', 'scr'));
  assert.deepEqual(Object.keys(describeStreams(stopped, LOCAL)), ['cam']);
});

test('incoming streams: metadata tells the screen; without it the first is the person', () => {
  const metadata = { a: { purpose: 'm.screenshare' }, b: { purpose: 'm.usermedia' } };
  assert.deepEqual(sortStreams(['a', 'b'], metadata), { camera: 'b', screen: 'a' });
  assert.deepEqual(sortStreams(['a', 'b'], undefined), { camera: 'a', screen: null });
  assert.deepEqual(sortStreams([], metadata), { camera: null, screen: null });
  assert.deepEqual(sortStreams(['a'], metadata), { camera: null, screen: 'a' });
});

test('switches: what is not said is not known', () => {
  assert.deepEqual(switches({ a: { purpose: 'm.usermedia', audio_muted: true, video_muted: false } }), { audio: false, video: true });
  assert.deepEqual(switches({ a: { purpose: 'm.usermedia' } }), { audio: undefined, video: undefined });
  assert.deepEqual(switches({ a: { purpose: 'm.screenshare', video_muted: false } }), { audio: undefined, video: undefined });
  assert.deepEqual(switches(undefined), { audio: undefined, video: undefined });
});

test('candidates: there and back; the end of them is an empty one', () => {
  const browser = { candidate: 'candidate:1', sdpMid: '0', sdpMLineIndex: 0, usernameFragment: 'u' };
  const wire = { candidate: 'candidate:1', sdp_mid: '0', sdp_mline_index: 0, username_fragment: 'u' };
  assert.deepEqual(writeCandidate(browser), wire);
  assert.deepEqual(readCandidate({ ...wire, call_id: 'k' }), browser);
  assert.deepEqual(writeCandidate({ candidate: 'c', sdpMid: null, sdpMLineIndex: 1, usernameFragment: null }), { candidate: 'c', sdp_mline_index: 1 });
  assert.deepEqual(writeCandidate(null), { candidate: '' });
});

test('quality: loss and delay between two samples', () => {
  const at = (received, lost, trip) => sample([
    { type: 'inbound-rtp', packetsReceived: received, packetsLost: lost },
    { type: 'candidate-pair', nominated: true, currentRoundTripTime: trip / 1000 }, { type: 'codec' }]);
  assert.equal(quality(null, at(1, 0, 10)), null);
  assert.equal(quality(at(100, 50, 10), at(200, 50, 10)), 'good', 'old losses are forgiven');
  assert.equal(quality(at(100, 0, 10), at(196, 4, 10)), 'fair');
  assert.equal(quality(at(100, 0, 10), at(180, 20, 10)), 'poor');
  assert.equal(quality(at(100, 0, 10), at(200, 0, 400)), 'fair');
  assert.equal(quality(at(100, 0, 10), at(200, 0, 700)), 'poor');
  assert.equal(quality(at(100, 0, 10), at(100, 0, 10)), null);
});

test('duration', () => {
  assert.deepEqual([0, 7_900, 83_000, 3_723_000, -5].map(duration), ['00:00', '00:07', '01:23', '1:02:03', '00:00']);
});

test('status: what is seen, and what is said aloud', () => {
  const call = (phase, fields) => ({ kind: 'direct', direction: 'outgoing', phase, startedAt: 0, held: false, peers: {}, ...fields });
  const text = (active, online = true) => statusText(active, { now: 65_000, online });
  assert.deepEqual(['calling', 'ringing', 'connecting', 'reconnecting', 'connected'].map((phase) => text(call(phase))),
    ['Calling…', 'Ringing…', 'Connecting…', 'Reconnecting…', '01:05']);
  assert.equal(text(call('connected', { held: true })), 'On hold');
  assert.equal(text(call('connected'), false), 'Reconnecting…');
  assert.equal(text(call('connected', { kind: 'group' })), 'Waiting for others…');
  assert.equal(spokenStatus(call('connected'), { online: true }), 'Call connected');
  assert.equal(spokenStatus(call('ringing'), { online: true }), 'Ringing');
});

test('ends and history in words', () => {
  const end = (fields) => endText({ direction: 'outgoing', byMe: false, durationMs: 0, ...fields }, 'Bob').title;
  assert.equal(end({ reason: 'declined' }), 'Bob declined the call');
  assert.equal(end({ reason: 'no_answer' }), 'Bob did not answer');
  assert.equal(end({ reason: 'ice_failed' }), 'No connection could be made');
  assert.equal(end({ reason: 'ice_failed', durationMs: 9 }), 'The connection was lost');
  assert.equal(end({ reason: 'of a later version' }), 'Call ended');
  assert.equal(historyText({ outgoing: false, missed: true, video: true, durationMs: 0 }), 'Missed video call');
  assert.equal(historyText({ outgoing: true, missed: false, video: false, durationMs: 83_000 }), 'Outgoing voice call · 01:23');
  assert.equal(historyText({ outgoing: true, missed: false, video: false, durationMs: 0, reason: 'busy' }), 'Outgoing voice call · busy');
  assert.match(mediaProblem({ name: 'NotAllowedError' }, 'microphone'), /microphone is blocked/);
  assert.match(mediaProblem({ name: 'NotFoundError' }, 'camera'), /No camera/);
});

test('calls stand among the messages by time; those before the loaded ones wait', () => {
  const message = (key, minute) => ({ key, senderId: 'bob', createdAt: `2026-01-08T09:${minute}:00Z`, content: key });
  const call = (id, minute) => ({ id, conversationId: 'c', initiatorId: 'bob', at: `2026-01-08T09:${minute}:00Z`, missed: true, video: false, durationMs: 0 });
  const keys = (list) => list.map(({ key }) => key);
  const messages = [message('a', 10), message('b', 20)];
  const calls = [call('z', 30), call('y', 15), call('x', '05')];
  assert.deepEqual(keys(withCalls(messages, calls, { complete: true })), ['call-x', 'a', 'call-y', 'b', 'call-z']);
  assert.deepEqual(keys(withCalls(messages, calls, { complete: false })), ['a', 'call-y', 'b', 'call-z']);
  const [, first] = rows(withCalls(messages, [call('y', 11)], { complete: true }), { now: new Date('2026-01-08T10:00:00Z'), timeZone: 'UTC' });
  assert.equal(first.last, true, 'a call ends a group of messages');
});
