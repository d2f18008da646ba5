import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakePc, setUp } from './calls-fakes.mjs';
import { settled } from './helpers.mjs';

const conversation = () => ({ id: 'c', type: 'direct', members: [{ user_id: 'me' }, { user_id: 'bob' }] });
const THEIRS = { type: 'call.initiated', call_id: 'theirs', initiator_id: 'bob', caller: { id: 'bob', name: 'Bob' }, call_type: 'direct', offer: { type: 'offer', sdp: 'v=0 theirs' } };

/** A call to Bob that is placed, and whose reply waits for `reply` or `refuse`. */
async function placing(t) {
  const page = setUp(t, { conversation });
  const answer = {};
  page.connection.replies['call.initiate'] = new Promise((resolve, reject) => Object.assign(answer, { reply: resolve, refuse: reject }));
  page.allow();
  const called = page.calls.call('c');
  await settled();
  return { ...page, ...answer, called };
}

test('frames that overtake the reply to a call wait for it', async (t) => {
  const { calls, connection, called, reply } = await placing(t);
  connection.shows({ type: 'call.answered', answerer_id: 'bob', answer: { type: 'answer', sdp: 'v=0 theirs' } });
  await settled();
  assert.equal(calls.store.state.active.phase, 'calling');
  reply({ call_id: 'k', participant_id: 'p-me' });
  await called;
  await settled();
  assert.equal(calls.store.state.active.phase, 'connecting');
  assert.deepEqual(FakePc.done, ['remote answer']);
});

test('a call that is hung up before its reply came is ended when it comes', async (t) => {
  const { calls, connection, called, reply } = await placing(t);
  calls.hangUp();
  assert.deepEqual([calls.store.state.active, calls.connections, calls.localStream], [null, [], null]);
  reply({ call_id: 'k' });
  await called;
  assert.deepEqual(connection.asked, ['call.initiate', 'call.hangup']);
});

test('a call that is hung up while the servers are asked for makes no connection', async (t) => {
  let told;
  const { allow, calls, connection } = setUp(t, { conversation, iceServers: () => new Promise((resolve) => { told = resolve; }) });
  allow();
  const called = calls.call('c');
  await settled();
  calls.hangUp();
  told([]);
  await called;
  assert.deepEqual([FakePc.made, connection.asked], [0, []]);
});

test('a call whose offer cannot be made is over, and says so', async (t) => {
  t.mock.method(FakePc.prototype, 'createOffer', () => Promise.reject(new Error('no codecs')));
  t.mock.method(console, 'warn', () => {});
  const { allow, calls, connection } = setUp(t, { conversation });
  allow();
  await calls.call('c');
  const { active, ended } = calls.store.state;
  assert.deepEqual([active, ended.reason, ended.detail], [null, 'error', 'This browser could not prepare the call.']);
  assert.deepEqual([calls.connections, connection.asked], [[], []]);
});

test('glare: the call that is refused because theirs was first becomes theirs', async (t) => {
  const { calls, connection, candidate, called, refuse } = await placing(t);
  connection.shows(THEIRS);
  candidate('with it', 'theirs');
  refuse(Object.assign(new Error('busy'), { detail: 'You are in a call.' }));
  await called;
  await settled();
  assert.deepEqual([calls.store.state.active.id, calls.store.state.rings], ['theirs', []]);
  assert.deepEqual(FakePc.done, ['remote offer', 'with it']);
  assert.deepEqual(connection.asked, ['call.initiate', 'call.accept', 'call.answer']);
});

test('a call that is refused and that nothing crosses is over', async (t) => {
  const { calls, called, refuse } = await placing(t);
  refuse(Object.assign(new Error('no'), { detail: 'You may not call them.' }));
  await settled();
  t.mock.timers.tick(700);
  await called;
  const { active, ended } = calls.store.state;
  assert.deepEqual([active, ended.reason, ended.detail], [null, 'error', 'You may not call them.']);
});

test('what is switched is told, and the microphone is off', async (t) => {
  const { calls, connection, called, reply } = await placing(t);
  reply({ call_id: 'k' });
  await called;
  calls.toggleMute();
  await settled();
  assert.deepEqual([calls.store.state.active.muted, calls.localStream.tracks[0].enabled], [true, false]);
  assert.deepEqual(connection.asked, ['call.initiate', 'call.media']);
});

test('who comes into a group call is connected to everybody who is there, and leaves it alone', async (t) => {
  const { allow, calls, connection } = setUp(t, { conversation: () => ({ id: 'c', type: 'group', members: [] }) });
  const there = (user) => ({ user_id: user, connection_state: 'connected' });
  connection.replies['call.join'] = { participant_id: 'p-me', participants: [there('me'), there('bob'), there('carol'), { user_id: 'dave', connection_state: 'invited' }] };
  connection.shows({ type: 'call.initiated', initiator_id: 'bob', call_type: 'group' });
  allow();
  await calls.call('c');
  await settled();
  assert.equal(calls.connections.length, 2);
  connection.shows({ type: 'call.negotiate', user_id: 'dave', description: { type: 'offer', sdp: 'v=0 theirs' } });
  connection.shows({ type: 'call.participant_left', user_id: 'carol' });
  await settled();
  assert.equal(calls.connections.length, 2);
  calls.hangUp();
  await settled();
  assert.deepEqual([calls.store.state.active, calls.connections], [null, []]);
  assert.deepEqual(connection.asked, ['call.join', 'call.negotiate', 'call.leave']);
});
