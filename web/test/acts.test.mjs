import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Acts } from '../js/acts.js';
import { createStore, initialState, needsList, needsMessage, reduce } from '../js/store.js';
import { settled } from './helpers.mjs';

const ME = 'me';
const CONVERSATION = {
  id: 'c', type: 'group', name: 'Tea', created_at: '2026-01-01T00:00:00Z', member_count: 2, unread_count: 0,
  members: [{ user_id: ME, role: 'owner', last_read_sequence: 0 }, { user_id: 'bob', role: 'member', last_read_sequence: 0 }],
};
const frame = (type, fields) => ({ type: 'frame', frame: { type, conversation_id: 'c', timestamp: '2026-01-08T09:00:00Z', ...fields } });
const row = (n, fields = {}) => ({
  id: `m${n}`, conversation_id: 'c', sender_id: 'bob', sequence_number: n, content: `text ${n}`, message_type: 'text', version_number: 1,
  created_at: `2026-01-08T09:00:${String(n).padStart(2, '0')}Z`, reactions: [], ...fields,
});
const news = (n, fields) => frame('message.new', { ...row(n, fields), reactions: undefined });
const page = (...rows) => ({ type: 'thread.page', id: 'c', rows, older: false, limit: 50 });
const listed = () => reduce(initialState({ id: ME }), { type: 'list.loaded', conversations: [CONVERSATION] });
const run = (actions, state = [{ type: 'select', id: 'c' }, page(row(1), row(2))].reduce(reduce, listed())) => actions.reduce(reduce, state);
const contents = (state) => state.threads.c.messages.map(({ content }) => content);

test('an edit changes the message and what the list says', () => {
  const state = run([news(3), frame('message.edited', { message_id: 'm3', version_number: 2, content: 'better' })]);
  assert.deepEqual(contents(state), ['text 1', 'text 2', 'better']);
  assert.equal(state.conversations.c.last_message.content, 'better');
  // An edit of something that is not loaded waits for its page.
  assert.deepEqual(contents(run([frame('message.edited', { message_id: 'm9', version_number: 2, content: 'x' })])), ['text 1', 'text 2']);
});

test('a deleted message does not come back with a page that was read before, nor with its own frame', () => {
  const state = run([frame('message.deleted', { message_id: 'm2' }), page(row(1), row(2)), news(2)]);
  assert.deepEqual(contents(state), ['text 1']);
});

test('a recalled message leaves a trace', () => {
  const [, second] = run([frame('message.recalled', { message_id: 'm2', recalled_by: 'bob', recalled_at: '2026-01-08T10:00:00Z' })]).threads.c.messages;
  assert.deepEqual([second.content, second.recalledAt], ['', '2026-01-08T10:00:00Z']);
});

test('what only the list knows: the message before one that is gone, and how much is left unread', () => {
  const state = run([news(3), { type: 'read', id: 'c', sequence: 3 }]);
  assert.equal(needsList(state, frame('message.deleted', { message_id: 'm3' }).frame), true);
  assert.equal(needsList(state, frame('message.deleted', { message_id: 'm1' }).frame), false);
  const unread = run([news(4)], state);
  assert.equal(needsList(unread, frame('message.read', { user_id: ME, message_id: 'm3', last_read_sequence: 3 }).frame), true);
  assert.equal(needsList(unread, frame('message.read', { user_id: ME, message_id: 'm4', last_read_sequence: 4 }).frame), false);
  assert.equal(needsList(unread, frame('message.read', { user_id: 'bob', message_id: 'm3', last_read_sequence: 3 }).frame), false);
});

test('when the newest message is gone, the list says which one is the newest now, though it is older', () => {
  const before = { id: 'm2', content: 'text 2', sender_id: 'bob', timestamp: '2026-01-08T09:00:02Z' };
  const list = { type: 'list.loaded', conversations: [{ ...CONVERSATION, last_message: before }] };
  for (const type of ['message.deleted', 'message.recalled']) {
    assert.equal(run([news(3), list]).conversations.c.last_message.content, 'text 3');
    assert.equal(run([news(3), frame(type, { message_id: 'm3' }), list]).conversations.c.last_message.content, 'text 2');
    assert.equal(run([news(3), frame(type, { message_id: 'm3' }), news(4), list]).conversations.c.last_message.content, 'text 4');
  }
});

test('receipts go forwards only, and those of another device of mine empty the badge', () => {
  const read = (state, user) => state.conversations.c.members.find((member) => member.user_id === user).last_read_sequence;
  const receipt = (user, n) => frame('message.read', { user_id: user, message_id: `m${n}`, last_read_sequence: n });
  const state = run([news(3), receipt('bob', 3), receipt('bob', 1)]);
  assert.equal(read(state, 'bob'), 3);
  assert.equal(read(run([{ type: 'members.loaded', id: 'c', members: CONVERSATION.members }], state), 'bob'), 3);
  assert.equal(read(run([{ type: 'list.loaded', conversations: [CONVERSATION] }], state), 'bob'), 3);
  assert.equal(state.conversations.c.unread_count, 1);
  assert.equal(run([receipt(ME, 3)], state).conversations.c.unread_count, 0);
});

test('a line stands above what is unread when a chat is opened, and above what comes while nobody looks', () => {
  const unread = run([{ type: 'select', id: null }, { type: 'read', id: 'c', sequence: 2 }, news(3), news(4)]);
  assert.deepEqual(reduce(unread, { type: 'select', id: 'c' }).marker, { id: 'c', after: 2 });
  const away = { type: 'looking', looking: { visible: false } };
  assert.equal(run([news(3)]).marker, null);
  const line = run([away, news(3), news(4)]);
  assert.deepEqual(line.marker, { id: 'c', after: 2 });
  assert.equal(run([news(5, { sender_id: ME })], line).marker, null);
});

test('settings of my own devices come with their values, others have to be asked for', () => {
  const kept = frame('conversation.updated', { updated_fields: ['is_muted', 'is_archived'], is_muted: true, is_archived: false });
  assert.equal(needsList(listed(), kept.frame), false);
  assert.deepEqual([run([kept]).conversations.c.is_muted, run([kept]).conversations.c.is_archived], [true, false]);
  assert.equal(needsList(listed(), frame('conversation.updated', { updated_fields: ['name'] }).frame), true);
});

test('presence is known of people, not of conversations', () => {
  const state = run([frame('presence', { user_id: 'bob', presence: 'online' }), frame('presence', { user_id: 'nobody', presence: 'online' })]);
  assert.deepEqual([state.people.bob.presence, state.people.nobody], ['online', undefined]);
});

test('a reaction frame is a reason to ask, where its message is loaded', () => {
  assert.equal(needsMessage(run([]), frame('reaction.added', { message_id: 'm2', user_id: 'bob', emoji: '👍' }).frame), true);
  assert.equal(needsMessage(run([]), frame('reaction.removed_all', { message_id: 'm9', user_id: 'bob' }).frame), false);
  assert.equal(needsMessage(listed(), frame('reaction.added', { message_id: 'm2' }).frame), false);
  assert.equal(needsMessage(run([]), frame('message.edited', { message_id: 'm2' }).frame), false);
});

/** A bridge that answers when it is told to. */
function slowRest(answers) {
  const asked = [];
  const message = (id) => new Promise((resolve) => {
    const answer = answers[asked.length];
    asked.push(() => resolve({ ...row(Number(id.slice(1))), ...answer }));
  });
  return { asked, message };
}

test('however many reactions come while a message is read, one more request shows them all', async () => {
  const store = createStore(run([]));
  const thumbs = (count) => [{ emoji: '👍', count, user_reacted: false }];
  const rest = slowRest([{ reactions: thumbs(1) }, { reactions: thumbs(4) }]);
  const acts = new Acts({ rest, store });
  const all = [1, 2, 3, 4].map(() => acts.reload('c', 'm1'));
  rest.asked[0]();
  await settled();
  assert.equal(rest.asked.length, 2);
  rest.asked[1]();
  await Promise.all(all);
  assert.deepEqual(store.state.threads.c.messages[0].reactions, thumbs(4));
});

test('a press on a reaction makes it or takes it back', async () => {
  const calls = [];
  const rest = {
    react: async (...it) => calls.push(['react', ...it]), unreact: async (...it) => calls.push(['unreact', ...it]), message: async () => row(1),
  };
  const acts = new Acts({ rest, store: createStore(run([])) });
  await acts.toggleReaction('c', { id: 'm1', reactions: [{ emoji: '🎉', count: 1, user_reacted: false }] }, '🎉');
  await acts.toggleReaction('c', { id: 'm1', reactions: [{ emoji: '🎉', count: 2, user_reacted: true }] }, '🎉');
  assert.deepEqual(calls, [['react', 'm1', '🎉'], ['unreact', 'm1', ME, '🎉']]);
});

test('what a message answers is asked for once, and remembered also where it is gone', async () => {
  const store = createStore(run([]));
  let asked = 0;
  const rest = { message: async (id) => {
    asked += 1;
    if (id === 'old') return row(0, { id: 'old' });
    throw Object.assign(new Error('gone'), { transient: false });
  } };
  const acts = new Acts({ rest, store });
  await Promise.all([acts.quoted('c', 'old'), acts.quoted('c', 'old'), acts.quoted('c', 'lost')]);
  assert.equal(asked, 2);
  assert.equal(store.state.threads.c.quoted.old.content, 'text 0');
  assert.equal(store.state.threads.c.quoted.lost, null);
});
