import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Early } from '../js/calls/early.js';
import { FakePc, setUp } from './calls-fakes.mjs';
import { FakeStorage, settled } from './helpers.mjs';

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

const SAVED = { callId: 'k', conversationId: 'c', kind: 'direct', direction: 'incoming', video: false, camera: false, users: ['bob'], layout: ['audio'] };

/** A page that was reloaded during a call with Bob. */
async function reloaded(t) {
  const memory = new FakeStorage();
  memory.setItem('nova.call.running.me', JSON.stringify(SAVED));
  const page = setUp(t, { memory, active: [{ call_id: 'k', status: 'connected', call_type: 'direct' }] });
  page.connection.dispatchEvent(new CustomEvent('status', { detail: { status: 'online' } }));
  await settled();
  return page;
}

test('what the other side asks while a page that was reloaded opens its microphone is answered', async (t) => {
  const { allow, calls, connection, candidate } = await reloaded(t);
  const rejoined = calls.rejoin();
  connection.shows({ type: 'call.negotiate', user_id: 'bob', description: { type: 'offer', sdp: 'v=0 theirs' } });
  candidate('with it');
  allow();
  await rejoined;
  await settled();
  assert.deepEqual(FakePc.done, ['remote offer', 'with it']);
  assert.deepEqual(connection.asked, ['call.negotiate'], 'one answer, and no question of our own');
});

test('of what the other side asked of a page that was reloaded the newest counts, whenever it came', async (t) => {
  const { allow, calls, connection, candidate } = await reloaded(t);
  const asks = (sdp) => connection.shows({ type: 'call.negotiate', user_id: 'bob', description: { type: 'offer', sdp } });
  candidate('of the connection that is gone');
  asks('v=0 first');
  candidate('with the first');
  const rejoined = calls.rejoin();
  candidate('with the first, later');
  asks('v=0 second');
  candidate('with the second');
  allow();
  await rejoined;
  await settled();
  assert.deepEqual(FakePc.done, ['remote offer', 'with the second']);
  assert.equal(FakePc.last.remoteDescription.sdp, 'v=0 second');
});

test('what was said early: the newest offer, and the candidates behind it', () => {
  const early = new Early();
  const offer = (sdp) => ({ description: { type: 'offer', sdp }, metadata: undefined });
  const candidate = (name) => early.add({ type: 'call.ice_candidate', candidate: name });
  const names = () => early.candidates.map((frame) => frame.candidate);
  candidate('of nothing');
  assert.deepEqual([early.offer, names()], [null, []]);
  early.add({ type: 'call.initiated', offer: { type: 'offer', sdp: 'a' } });
  candidate('one');
  early.add({ type: 'call.media_state' });
  early.add({ type: 'call.negotiate', description: { type: 'answer', sdp: 'not for us' } });
  candidate('two');
  assert.deepEqual([early.offer, names()], [offer('a'), ['one', 'two']]);
  early.add({ type: 'call.negotiate', sdp: 'b' });
  candidate('three');
  assert.deepEqual([early.offer, names()], [offer('b'), ['three']]);
});
