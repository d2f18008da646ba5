import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callId, initialCalls, missedCount, readHistoryRow, reduceCalls, takesOver } from '../js/calls/state.js';

const NOW = 1_767_863_730_000;
const frame = (fields) => ({ type: 'frame', now: NOW, frame: { conversation_id: 'c', call_id: 'k', timestamp: '2026-01-08T09:15:30Z', ...fields } });
const initiated = (fields) => frame({
  type: 'call.initiated', initiator_id: 'bob', user_id: 'bob', caller: { id: 'bob', name: 'Bob', avatar_url: 'x' }, call_type: 'direct', is_video: false,
  expires_at: '2026-01-08T09:16:30Z', auto_accept: false, ...fields,
});
const run = (actions, state = initialCalls('me')) => actions.reduce(reduceCalls, state);
const peer = (connection, at = NOW) => ({ type: 'peer', user: 'bob', change: { connection }, now: at });

function outgoing(...actions) {
  return run([
    { type: 'started', call: { conversationId: 'c', kind: 'direct', direction: 'outgoing', video: false, peers: ['bob'] } },
    { type: 'placed', id: 'k', participantId: 'p-me' }, ...actions]);
}

function incoming(...actions) {
  return run([initiated(), { type: 'started', call: { id: 'k', conversationId: 'c', kind: 'direct', direction: 'incoming', video: false, peers: ['bob'] } }, ...actions]);
}

const up = (...actions) => outgoing(frame({ type: 'call.answered', answerer_id: 'bob', participant_id: 'p-bob', answer: {} }), peer('connected'), ...actions);

test('it rings, once, with what the sheet shows', () => {
  const { rings } = run([initiated({ is_video: true }), initiated({ is_video: true })]);
  assert.deepEqual(rings, [{
    id: 'k', conversationId: 'c', callerId: 'bob', callerName: 'Bob', avatarUrl: 'x', kind: 'direct', video: true, expiresAt: Date.parse('2026-01-08T09:16:30Z'),
  }]);
});

test('several ring, the oldest first', () => {
  assert.deepEqual(run([initiated(), initiated({ call_id: 'k2', conversation_id: 'd' })]).rings.map(({ id }) => id), ['k', 'k2']);
});

test('an own call does not ring, here or in another tab', () => {
  assert.deepEqual(run([initiated({ initiator_id: 'me' })]).rings, []);
});

test('placed, answered, connected: the clock starts with the media', () => {
  assert.equal(outgoing().active.phase, 'ringing');
  const answered = outgoing(frame({ type: 'call.answered', answerer_id: 'bob', answer: {} }));
  assert.equal(answered.active.phase, 'connecting');
  assert.equal(answered.active.startedAt, null);
  const { active } = reduceCalls(answered, peer('connected', NOW + 5));
  assert.deepEqual([active.phase, active.startedAt], ['connected', NOW + 5]);
});

test('a way that breaks is looked for again, and the clock goes on', () => {
  const broken = up(peer('disconnected'));
  assert.equal(broken.active.phase, 'reconnecting');
  const again = reduceCalls(broken, peer('connected', NOW + 9_000));
  assert.deepEqual([again.active.phase, again.active.startedAt], ['connected', NOW]);
});

test('the answer in another tab of the caller changes nothing here', () => {
  const idle = initialCalls('me');
  assert.equal(run([frame({ type: 'call.answered', answerer_id: 'bob', answer: {} })], idle), idle);
});

test('answered elsewhere: the tab that has it goes on, all others stop', () => {
  const elsewhere = frame({ type: 'call.answered_elsewhere', participant_id: 'p1' });
  assert.deepEqual(run([initiated(), elsewhere]).rings, []);
  assert.equal(incoming({ type: 'accepted', participantId: 'p1' }, elsewhere).active.id, 'k');
  assert.equal(incoming(elsewhere).active.id, 'k', 'it overtook the reply to our answer, which decides');
  const lost = incoming({ type: 'accepted', participantId: 'p2' }, elsewhere);
  assert.deepEqual([lost.active, lost.ended.reason], [null, 'answered_elsewhere']);
});

test('the ends: declined, busy, missed, ended', () => {
  assert.equal(outgoing(frame({ type: 'call.rejected', rejected_by: 'bob', reason: 'declined' })).ended.reason, 'declined');
  assert.equal(outgoing(frame({ type: 'call.rejected', rejected_by: 'bob', reason: 'busy' })).ended.reason, 'busy');
  assert.equal(outgoing(frame({ type: 'call.ended', ended_by: null, reason: 'no_answer', duration_ms: 0 })).ended.reason, 'no_answer');
  const ended = up(frame({ type: 'call.ended', ended_by: 'bob', reason: 'user_hangup', duration_ms: 61_000 }));
  assert.deepEqual([ended.active, ended.ended.durationMs, ended.ended.byMe], [null, 61_000, false]);
});

test('a decline in one tab stops the ring in all', () => {
  assert.deepEqual(run([initiated(), frame({ type: 'call.rejected', rejected_by: 'me', reason: 'declined' })]).rings, []);
});

test('a missed call stops ringing, is in the history at once, and counts until it is looked at', () => {
  const state = run([initiated(), frame({ type: 'call.missed', initiator_id: 'bob', reason: 'cancelled', is_video: true })]);
  assert.deepEqual(state.rings, []);
  assert.deepEqual(state.history.rows.map(({ id, missed, video }) => [id, missed, video]), [['k', true, true]]);
  assert.equal(missedCount(state), 1);
  assert.equal(missedCount(reduceCalls(state, { type: 'history.seen', at: NOW })), 0);
});

test('glare: our call is replaced, the other one is taken without asking', () => {
  const replaced = outgoing(frame({ type: 'call.ended', reason: 'replaced', duration_ms: 0 }));
  assert.equal(replaced.active.phase, 'replacing', 'the screen stays');
  const state = reduceCalls(replaced, initiated({ call_id: 'k2', replaces: 'k', auto_accept: true }));
  assert.equal(takesOver(state, state.rings[0]), true);
});

test('glare: a tab that did not place the replaced call only rings', () => {
  const state = run([initiated({ call_id: 'k2', replaces: 'k', auto_accept: true })]);
  assert.equal(takesOver(state, state.rings[0]), false);
});

test('auto_accept without a call of ours that it replaces is not obeyed', () => {
  const state = outgoing(initiated({ call_id: 'k2', auto_accept: true }));
  assert.equal(takesOver(state, state.rings[0]), false);
});

test('mute and camera of the other side: from the answer, a negotiation and the switches', () => {
  const of = (state) => [state.active.peers.bob.audio, state.active.peers.bob.video];
  const person = (audio_muted, video_muted) => ({ s: { purpose: 'm.usermedia', audio_muted, video_muted } });
  const answered = outgoing(frame({ type: 'call.answered', answerer_id: 'bob', answer: {}, sdp_stream_metadata: person(false, true) }));
  assert.deepEqual(of(answered), [true, false]);
  assert.deepEqual(of(reduceCalls(answered, frame({ type: 'call.negotiate', user_id: 'bob', sdp_stream_metadata: person(false, false) }))), [true, true]);
  assert.deepEqual(of(reduceCalls(answered, frame({ type: 'call.media_state', user_id: 'bob', audio_enabled: false, video_enabled: false }))), [false, false]);
});

test('after a reconnect: what the bridge does not name is over; what came while we asked is not', () => {
  const rings = run([initiated(), initiated({ call_id: 'k2', conversation_id: 'd' })]);
  const kept = reduceCalls(rings, { type: 'reconciled', calls: [], known: ['k'], now: NOW });
  assert.deepEqual(kept.rings.map(({ id }) => id), ['k2']);
  const gone = up({ type: 'reconciled', calls: [], known: ['k'], now: NOW });
  assert.deepEqual([gone.active, gone.ended.reason], [null, 'lost']);
  assert.equal(up({ type: 'reconciled', calls: [{ id: 'k', status: 'connected' }], known: ['k'], now: NOW }).active.id, 'k');
});

test('a group call: people come and go; who is not in it can join', () => {
  const group = { call_type: 'group', is_video: true };
  const joined = (user) => frame({ type: 'call.participant_joined', user_id: user, participant_id: `p-${user}` });
  const left = (user, participant = `p-${user}`) => frame({ type: 'call.participant_left', user_id: user, participant_id: participant });
  const outside = run([initiated(group), joined('eve'), { type: 'ring.removed', id: 'k' }]);
  assert.deepEqual(outside.ongoing.c, { id: 'k', video: true, people: ['bob', 'eve'] });
  assert.deepEqual(run([left('bob'), left('eve')], outside).ongoing, {});
  const inside = run([
    { type: 'started', call: { id: 'k', conversationId: 'c', kind: 'group', direction: 'incoming', video: true } },
    { type: 'joined', id: 'k', participantId: 'p-me' }, joined('eve'), joined('me')], outside);
  assert.deepEqual(Object.keys(inside.active.peers), ['eve']);
  assert.deepEqual(reduceCalls(inside, left('eve')).active.peers, {});
  assert.equal(reduceCalls(inside, left('me', 'p-other')).active.id, 'k');
  assert.equal(reduceCalls(inside, left('me')).active, null);
  assert.equal(reduceCalls(inside, frame({ type: 'call.rejected', rejected_by: 'eve', reason: 'declined' })).active.id, 'k');
});

test('frames of other calls and unknown frames change nothing', () => {
  const state = up();
  for (const fields of [{ type: 'call.media_state', call_id: 'other', user_id: 'bob' }, { type: 'call.negotiate', call_id: 'other' }, { type: 'call.new_thing' }]) {
    assert.equal(reduceCalls(state, frame(fields)), state);
  }
});

test('a second call of the same people does not touch the one that is up', () => {
  const state = up(initiated({ call_id: 'k2' }), frame({ type: 'call.missed', call_id: 'k2', initiator_id: 'bob', reason: 'cancelled' }));
  assert.equal(state.active.id, 'k');
  assert.deepEqual(state.rings, []);
});

test('history rows: missed is what rang for us and nobody took', () => {
  const row = (fields) => readHistoryRow({ id: 'k', conversation_id: 'c', initiator_id: 'bob', created_at: '2026-01-08T09:00:00Z', ...fields }, 'me');
  assert.equal(row({ status: 'missed' }).missed, true);
  assert.equal(row({ status: 'missed', initiator_id: 'me' }).missed, false);
  assert.equal(row({ status: 'ended', end_reason: 'cancelled' }).missed, true);
  assert.equal(row({ status: 'ended', end_reason: 'declined' }).missed, false);
  assert.equal(row({ status: 'ended', end_reason: 'lost', started_at: 'x', duration_ms: 5 }).missed, false);
  assert.equal(callId({ id: 'a' }), 'a');
});

test('history: newest first, and the bridge’s own row replaces the one that a frame made', () => {
  const row = (id, at, fields) => ({ id, conversationId: 'c', at, missed: true, ...fields });
  const state = run([
    frame({ type: 'call.missed', initiator_id: 'bob', reason: 'cancelled' }),
    { type: 'history.loaded', rows: [row('old', '2026-01-01T00:00:00Z'), row('k', '2026-01-08T09:15:00Z', { video: true })] }]);
  assert.deepEqual(state.history.rows.map(({ id, at }) => [id, at]), [['k', '2026-01-08T09:15:00Z'], ['old', '2026-01-01T00:00:00Z']]);
});
