import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sortedConversations } from '../js/conversations.js';
import { createStore, initialState, needsList, reduce } from '../js/store.js';
import { entries } from '../js/thread.js';
import { settled } from './helpers.mjs';

const ME = 'me';
const CONVERSATION = {
  id: 'c', type: 'group', name: 'Tea', created_at: '2026-01-01T00:00:00Z',
  members: [{ user_id: ME, username: 'me', role: 'owner' }, { user_id: 'bob', username: 'bob', role: 'member' }],
};

const frame = (fields) => ({ type: 'frame', frame: { conversation_id: 'c', ...fields } });
const messageNew = (n, fields = {}) => frame({
  type: 'message.new', id: `m${n}`, sender_id: 'bob', sequence_number: n, content: `text ${n}`, message_type: 'text',
  created_at: `2026-01-08T09:00:${String(n).padStart(2, '0')}Z`, stream_id: `1000-${n}`, ...fields,
});
const row = (n, fields = {}) => messageNew(n, fields).frame;
const page = (rows, { older = false, limit = 50 } = {}) => ({ type: 'thread.page', id: 'c', rows, older, limit });
const run = (actions, state = opened()) => actions.reduce(reduce, state);
const ids = (state) => state.threads.c.messages.map(({ id }) => id);

function listed() {
  return reduce(initialState({ id: ME, username: 'me' }), { type: 'list.loaded', conversations: [CONVERSATION] });
}

function opened() {
  return run([{ type: 'select', id: 'c' }, page([])], listed());
}

const item = (key = 'k1', fields = {}) => ({ key, conversationId: 'c', content: 'hello', queuedAt: 1_767_863_000_000, afterSequence: 0, ...fields });

test('frames in any order are shown by sequence number', () => {
  assert.deepEqual(ids(run([messageNew(3), messageNew(1), messageNew(2)])), ['m1', 'm2', 'm3']);
});

test('a message comes once, however often it is told', () => {
  const state = run([messageNew(1), messageNew(1), page([row(1), row(2)]), messageNew(2)]);
  assert.deepEqual(ids(state), ['m1', 'm2']);
});

test('frames replayed after a resume change neither order, nor preview, nor the unread count', () => {
  const before = run([messageNew(1), messageNew(2), { type: 'read', id: 'c', sequence: 2 }]);
  const away = reduce(before, { type: 'select', id: null });
  const after = run([messageNew(1), messageNew(2)], away);
  assert.deepEqual(ids(after), ['m1', 'm2']);
  assert.equal(after.conversations.c.last_message.content, 'text 2');
  assert.equal(after.conversations.c.unread_count, 0);
});

test('a live frame that arrives while the page loads is merged', () => {
  const loading = run([{ type: 'select', id: 'c' }, { type: 'thread.loading', id: 'c' }], listed());
  assert.deepEqual(ids(run([messageNew(3), page([row(1), row(2)])], loading)), ['m1', 'm2', 'm3']);
});

test('a thread that was never opened keeps out of the way of its first page', () => {
  const state = run([messageNew(9)], listed());
  assert.equal(state.threads.c, undefined);
  assert.equal(state.conversations.c.last_message.content, 'text 9');
});

test('older pages go in front; a short one is the beginning', () => {
  const full = run([page([row(3), row(4)], { limit: 2 })]);
  assert.equal(full.threads.c.hasMore, true);
  const older = run([page([row(1), row(2)], { older: true, limit: 2 })], full);
  assert.deepEqual(ids(older), ['m1', 'm2', 'm3', 'm4']);
  assert.equal(older.threads.c.hasMore, true);
  assert.equal(run([page([], { older: true, limit: 2 })], older).threads.c.hasMore, false);
});

test('a newest page that does not reach the known messages replaces them: no silent hole', () => {
  const state = run([page([row(1), row(2)], { limit: 2 }), page([row(8), row(9)], { limit: 2 })]);
  assert.deepEqual(ids(state), ['m8', 'm9']);
  assert.equal(state.threads.c.hasMore, true);
});

test('a newest page inside the known messages does not forget that the beginning was reached', () => {
  const state = run([page([row(1), row(2), row(3)], { limit: 4 }), page([row(2), row(3)], { limit: 2 })]);
  assert.equal(state.threads.c.hasMore, false);
});

test('unread: others are counted, once, until it is read; what one writes oneself says that one has read', () => {
  const elsewhere = listed();
  const unread = run([messageNew(1), messageNew(2), messageNew(2)], elsewhere);
  assert.equal(unread.conversations.c.unread_count, 2);
  assert.equal(reduce(unread, { type: 'read', id: 'c', sequence: 2 }).conversations.c.unread_count, 0);
  assert.equal(run([messageNew(3, { sender_id: ME })], unread).conversations.c.unread_count, 0);
});

test('an own message: sending, accepted, delivered; it never appears twice', () => {
  let state = run([{ type: 'pending.added', item: item(), status: 'sending' }]);
  assert.deepEqual(entries(state.threads.c, ME).map((entry) => entry.state), ['sending']);
  state = run([messageNew(1, { id: 'mine', sender_id: ME, content: 'hello' })], state); // the echo overtakes the answer
  assert.deepEqual(entries(state.threads.c, ME).map((entry) => entry.id), ['mine']);
  state = run([{ type: 'pending.accepted', item: item(), reply: { id: 'mine', sequence_number: 1 } }], state);
  assert.deepEqual(entries(state.threads.c, ME).map(({ id, key, state: now }) => [id, key, now]), [['mine', 'k1', 'pending']]);
  state = run([frame({ type: 'message.delivery', message_id: 'mine', status: 'sent', stream_id: '1001-0' })], state);
  assert.equal(entries(state.threads.c, ME)[0].state, 'sent');
});

test('the answer before the echo gives one message as well', () => {
  const state = run([
    { type: 'pending.added', item: item(), status: 'sending' },
    { type: 'pending.accepted', item: item(), reply: { id: 'mine', sequence_number: 1 } },
    messageNew(1, { id: 'mine', sender_id: ME, content: 'hello' }),
  ]);
  assert.deepEqual(entries(state.threads.c, ME).map((entry) => entry.key), ['k1']);
});

test('an older message with the same text does not hide a pending one', () => {
  const state = run([
    messageNew(1, { sender_id: ME, content: 'hello' }),
    { type: 'pending.added', item: item('k1', { afterSequence: 1 }), status: 'sending' },
  ]);
  assert.equal(entries(state.threads.c, ME).length, 2);
});

test('refused, tried again, discarded', () => {
  let state = run([
    { type: 'pending.added', item: item(), status: 'sending' },
    { type: 'pending.status', item: item(), status: 'refused', detail: 'not a member' },
  ]);
  assert.deepEqual(entries(state.threads.c, ME).map((entry) => [entry.state, entry.detail]), [['refused', 'not a member']]);
  state = reduce(state, { type: 'pending.removed', item: item() });
  assert.deepEqual(entries(state.threads.c, ME), []);
});

test('delivery frames: before the message, out of order, with detail', () => {
  const delivery = (status, stream, detail) => frame({ type: 'message.delivery', message_id: 'm1', status, stream_id: stream, detail });
  const state = run([
    delivery('retrying', '1001-0', 'the homeserver is slow'),
    delivery('failed', '1003-0', 'forbidden'),
    delivery('retrying', '1002-0', 'late'),
    messageNew(1, { sender_id: ME }),
  ]);
  const [entry] = entries(state.threads.c, ME);
  assert.deepEqual([entry.state, entry.detail], ['failed', 'forbidden']);
});

test('delivery from a page: an old snapshot does not take back "sent"', () => {
  const own = { sender_id: ME };
  const state = run([page([row(1, { ...own, delivery_status: 'sent' })]), page([row(1, { ...own, delivery_status: 'pending' })])]);
  assert.equal(entries(state.threads.c, ME)[0].state, 'sent');
});

test('members: join, known fields survive, role, leave; names of leavers remain', () => {
  let state = run([frame({ type: 'member.joined', user_id: 'eve', username: 'eve', display_name: 'Eve', role: 'member' })]);
  state = run([frame({ type: 'member.joined', user_id: 'eve', role: 'member' })], state);
  assert.equal(state.conversations.c.members.length, 3);
  assert.equal(state.conversations.c.members[2].display_name, 'Eve');
  state = run([frame({ type: 'member.role_changed', user_id: 'eve', old_role: 'member', new_role: 'admin' })], state);
  assert.equal(state.conversations.c.members[2].role, 'admin');
  state = run([frame({ type: 'member.left', user_id: 'eve' }), frame({ type: 'member_left', user_id: 'eve' })], state);
  assert.equal(state.conversations.c.members.length, 2);
  assert.equal(state.people.eve.display_name, 'Eve');
});

test('when I leave, the conversation goes', () => {
  const state = run([frame({ type: 'member.left', user_id: ME })]);
  assert.deepEqual(state.conversations, {});
  assert.equal(state.selected, null);
});

test('frames that only the list can explain', () => {
  const state = listed();
  assert.equal(needsList(state, messageNew(1).frame), false);
  assert.equal(needsList(state, messageNew(1, { conversation_id: 'other' }).frame), true);
  assert.equal(needsList(state, { type: 'conversation.updated', conversation_id: 'c' }), true);
});

test('unknown frames change nothing', () => {
  const state = opened();
  assert.equal(reduce(state, frame({ type: 'call.initiated', call_id: 'x' })), state);
});

test('a list read before a live message does not take the preview back', () => {
  const state = run([messageNew(5), { type: 'list.loaded', conversations: [CONVERSATION] }]);
  assert.equal(state.conversations.c.last_message.content, 'text 5');
});

test('after a gap without replay the threads that are not open start anew, with what is unsent', () => {
  const state = run([
    page([row(1)]), { type: 'pending.added', item: item(), status: 'waiting' }, { type: 'select', id: null }, { type: 'threads.stale' },
  ]);
  assert.equal(state.threads.c.state, 'new');
  assert.equal(state.threads.c.pending.length, 1);
});

test('the newest conversation comes first', () => {
  const other = { ...CONVERSATION, id: 'd', last_message: { content: 'x', sender_id: 'bob', timestamp: '2026-01-05T00:00:00Z' } };
  const state = reduce(listed(), { type: 'list.loaded', conversations: [CONVERSATION, other] });
  assert.deepEqual(sortedConversations(state).map(({ id }) => id), ['d', 'c']);
});

test('notice and emote are read from style or from the type', () => {
  const state = run([messageNew(1, { style: 'notice' }), messageNew(2, { message_type: 'emote' })]);
  assert.deepEqual(state.threads.c.messages.map(({ style, kind }) => [style, kind]), [['notice', 'text'], ['emote', 'text']]);
});

test('listeners hear of many actions once', async () => {
  const store = createStore(listed());
  let calls = 0;
  store.subscribe(() => { calls += 1; });
  store.dispatch(messageNew(1));
  store.dispatch(messageNew(2));
  await settled();
  assert.equal(calls, 1);
});
