import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Reading, readers, toRead } from '../js/receipts.js';
import { createStore, initialState, reduce } from '../js/store.js';
import { settled } from './helpers.mjs';

const ME = 'me';
const entry = (sequence, senderId) => ({ key: `k${sequence}`, sequence, senderId });
const member = (user_id, last_read_sequence, more = {}) => ({ user_id, last_read_sequence, ...more });
const shown = (entries, members) => [...readers(entries, members, ME)].map(([key, people]) => [key, people.map(({ user_id }) => user_id).join()]);

test('each stands below the newest message that they have read', () => {
  const entries = [entry(1, ME), entry(2, ME), entry(4, ME), { ...entry(Infinity, ME), key: 'pending' }];
  assert.deepEqual(shown(entries, [member(ME, 4), member('bob', 2), member('eve', 3), member('kim', 9), member('new', 0)]), [['k2', 'bob,eve'], ['k4', 'kim']]);
});

test('who writes has read, and is not shown below their own words', () => {
  assert.deepEqual(shown([entry(1, ME), entry(2, 'bob')], [member('bob', 1), member('eve', 2)]), [['k2', 'eve']]);
});

test('who is only invited has read nothing; calls have no readers', () => {
  assert.deepEqual(shown([entry(1, ME), { ...entry(undefined, ME), call: {} }], [member('bob', 1, { membership: 'invited' }), member('eve', 1)]), [['k1', 'eve']]);
});

const CONVERSATION = { id: 'c', type: 'direct', members: [{ user_id: ME, last_read_sequence: 0 }], member_count: 1, unread_count: 0 };
const news = (n) => ({ type: 'frame', frame: { type: 'message.new', conversation_id: 'c', id: `m${n}`, sender_id: 'bob', sequence_number: n, content: 'x', created_at: '2026-01-08T09:00:00Z' } });
function opened(...more) {
  return [{ type: 'list.loaded', conversations: [CONVERSATION] }, { type: 'select', id: 'c' }, { type: 'thread.page', id: 'c', rows: [], older: false, limit: 50 }, ...more]
    .reduce(reduce, initialState({ id: ME }));
}

test('only what is seen is read', () => {
  assert.equal(toRead(opened()), null);
  assert.deepEqual(toRead(opened(news(1))), { id: 'c', messageId: 'm1', sequence: 1 });
  for (const looking of [{ visible: false }, { atEnd: false }]) assert.equal(toRead(opened({ type: 'looking', looking }, news(1))), null);
  assert.equal(toRead(opened({ type: 'select', id: null }, news(1))), null);
});

function reading(status, outcome = async () => ({})) {
  const store = createStore(opened(news(1)));
  const sent = [];
  const connection = { status, request: ({ type: _type, conversation_id: _id, request_id: _request, ...upTo }) => { sent.push(['socket', upTo]); return outcome(); } };
  const rest = { markRead: async (_id, upTo) => { sent.push(['rest', upTo]); } };
  return { store, sent, connection, it: new Reading({ store, connection, rest }) };
}

test('it is told once, by the socket where there is one', async () => {
  const { store, sent, it } = reading('online');
  it.check();
  it.check();
  await settled();
  it.again();
  assert.deepEqual(sent, [['socket', { message_id: 'm1' }]]);
  assert.equal(store.state.conversations.c.unread_count, 0);
  const offline = reading('waiting');
  offline.it.check();
  assert.deepEqual(offline.sent, [['rest', { message_id: 'm1' }]]);
});

test('what got lost is told again when the connection is back, what was refused is not', async () => {
  for (const [transient, times] of [[true, 2], [false, 1]]) {
    const { sent, it } = reading('online', async () => { throw Object.assign(new Error('no'), { transient }); });
    it.check();
    await settled();
    it.again();
    assert.equal(sent.length, times);
  }
});

test('messages that are gone count for the bridge, but nobody can see them: they are read with the last that is there', async () => {
  const { sent, it, store } = reading('online', async () => ({ last_read_sequence: 1, unread_count: 2 }));
  it.check();
  store.dispatch({ type: 'looking', looking: { visible: true } });
  await settled();
  assert.deepEqual(sent, [['socket', { message_id: 'm1' }], ['socket', { sequence_number: 3 }]]);
  // But not where one has come meanwhile, and nobody looks any more.
  const away = reading('online', async () => ({ last_read_sequence: 1, unread_count: 2 }));
  away.it.check();
  away.store.dispatch({ type: 'looking', looking: { visible: false } });
  await settled();
  assert.equal(away.sent.length, 1);
});

test('where every message is gone, everything is read', () => {
  const state = opened({ type: 'list.loaded', conversations: [{ ...CONVERSATION, unread_count: 2 }] });
  assert.deepEqual(toRead(state), { id: 'c', messageId: undefined, sequence: 0 });
});
