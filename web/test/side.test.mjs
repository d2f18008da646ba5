import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reactedBy } from '../js/acts.js';
import { needsRoot, needsSide, sideThread, withSide } from '../js/side.js';
import { EMPTY_THREAD } from '../js/thread.js';

const row = (n, more = {}) => ({ id: `m${n}`, sender_id: 'ana', sequence_number: n, content: `said ${n}`, created_at: '2026-01-08T09:00:00Z', reactions: [], ...more });
const message = (n, more = {}) => ({ id: `m${n}`, senderId: 'ana', sequence: n, content: `said ${n}`, ...more });
const opened = withSide(null, { type: 'side.opened', id: 'c', messageId: 'm1', rootEvent: '$1' });
const ids = ({ messages }) => messages.map(({ id }) => id);

test('a thread shows what begins it and what is said in it, old and new, once', () => {
  const main = { ...EMPTY_THREAD, state: 'ready', messages: [message(5, { threadRoot: '$1' }), message(6), message(7, { threadRoot: '$1' })], gone: { m3: true } };
  assert.deepEqual(ids(sideThread(opened, main)), ['m5', 'm7'], 'what is loaded is shown at once');
  const rows = [2, 3, 5].map((n) => row(n, { thread_root_event_id: '$1' }));
  const side = withSide(opened, { type: 'side.loaded', root: row(1, { matrix_event_id: '$1' }), rootEvent: '$1', rows });
  assert.deepEqual([side.state, side.rootId], ['ready', 'm1']);
  assert.deepEqual(ids(sideThread(side, main)), ['m1', 'm2', 'm5', 'm7'], 'without what is gone');
  const pending = [{ item: { key: 'a', threadRoot: 'm1' } }, { item: { key: 'b' } }];
  assert.deepEqual(sideThread(side, { ...main, pending }).pending, [pending[0]]);
});

test('a thread that was closed meanwhile stays closed, and one that fails says so', () => {
  assert.equal(withSide(null, { type: 'side.loaded', rows: [] }), null);
  assert.equal(withSide(null, { type: 'side.failed', error: 'no' }), null);
  assert.equal(withSide(opened, { type: 'side.failed', error: 'no' }).state, 'failed');
  assert.equal(withSide(opened, { type: 'side.closed' }), null);
});

test('an answer that comes or goes makes the number of answers be read anew', () => {
  const messages = [message(1, { eventId: '$1' }), message(2), message(3, { threadRoot: '$1' })];
  const state = { threads: { c: { ...EMPTY_THREAD, messages } } };
  const frame = (type, more) => ({ type, conversation_id: 'c', ...more });
  assert.equal(needsRoot(state, frame('message.new', { id: 'm4', thread_root_event_id: '$1' })), 'm1');
  assert.equal(needsRoot(state, frame('message.new', { id: 'm4', thread_root_event_id: '$2', reply_to_message_id: 'm2' })), 'm2', 'whose event is not known');
  assert.equal(needsRoot(state, frame('message.new', { id: 'm4', reply_to_message_id: 'm2' })), undefined);
  assert.equal(needsRoot(state, frame('message.deleted', { message_id: 'm3' })), 'm1');
  assert.equal(needsRoot(state, frame('message.recalled', { message_id: 'm2' })), undefined);
  assert.equal(needsRoot({ threads: {} }, frame('message.new', { thread_root_event_id: '$1' })), undefined);
});

test('what only the open thread has is read anew with it', () => {
  const side = { ...opened, messages: [message(1), message(2)] };
  const state = { side, threads: { c: { ...EMPTY_THREAD, messages: [message(2)] } } };
  const edited = (id) => ({ type: 'message.edited', conversation_id: 'c', message_id: id });
  assert.equal(needsSide(state, edited('m1')), true);
  assert.equal(needsSide(state, edited('m2')), false);
  assert.equal(needsSide({ ...state, side: null }, edited('m1')), false);
});

test('those who reacted are named, the user first, and the rest counted', () => {
  const users = Array.from({ length: 20 }, (_, n) => ({ user_id: `u${n}`, name: `N${n}` }));
  const people = { u1: { user_id: 'u1', display_name: 'Ada' } };
  const named = (some, count = some.length) => reactedBy({ users: some, count }, 'u2', people);
  assert.equal(named(users.slice(0, 1)), 'N0');
  assert.equal(named(users.slice(0, 3)), 'You, N0 and Ada');
  assert.match(named(users, 70), /^You, N0, Ada, .* and 58 more$/);
  assert.equal(reactedBy(undefined, 'u2', people), 'Nobody any more');
});
