import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Knocks, letsIn, needsKnocks } from '../js/knocks.js';
import { createStore, initialState, reduce } from '../js/store.js';

const start = () => initialState({ id: 'me', username: 'me' });
const list = (role, type = 'group') => ({ type: 'list.loaded', conversations: [{ id: 'c', type, members: [{ user_id: 'me', role }] }] });
const run = (actions, state = start()) => actions.reduce(reduce, state);
const knocked = (reason) => ({ type: 'frame', frame: {
  type: 'member.knocked', conversation_id: 'c', user_id: 'eve', username: '@eve:example.org', display_name: 'Eve', reason } });
const answered = { type: 'frame', frame: { type: 'member.knock_answered', conversation_id: 'c', user_id: 'eve', status: 'withdrawn' } };
const loaded = (...knocks) => ({ type: 'knocks.loaded', id: 'c', knocks });
const ROW = { user_id: 'eve', username: '@eve:example.org', display_name: 'Eve', matrix_user_id: '@eve:example.org', avatar_url: 'pic', reason: 'me' };

test('who knocks is shown once, with the newest reason, and what only the list has stays', () => {
  const state = run([loaded(ROW), knocked('please'), knocked('please')]);
  assert.deepEqual(state.knocks.c, [{ ...ROW, reason: 'please' }]);
  assert.deepEqual(run([knocked()]).knocks.c, [{ user_id: 'eve', username: '@eve:example.org', display_name: 'Eve', reason: null }]);
});

test('who was answered is no longer shown, also when nobody knew of them', () => {
  assert.deepEqual(run([knocked('me'), answered, answered]).knocks.c, []);
  assert.deepEqual(run([answered]).knocks.c, []);
});

test('admins and owners of groups let people in', () => {
  for (const [role, type, lets] of [['owner', 'group', true], ['admin', 'group', true], ['moderator', 'group', false], ['owner', 'direct', false]]) {
    assert.equal(letsIn(run([list(role, type)]).conversations.c, 'me'), lets, `${role} ${type}`);
  }
  assert.equal(letsIn(undefined, 'me'), false);
  const role = (user, new_role) => needsKnocks(start(), { type: 'member.role_changed', user_id: user, new_role });
  assert.deepEqual([role('me', 'admin'), role('me', 'member'), role('eve', 'admin')], [true, false, false]);
});

function world(role, rest = {}) {
  const asked = [];
  const store = createStore(run([list(role)]));
  const knocks = new Knocks({
    store, attempt: (work) => work().catch(() => {}), rest: { knocks: () => new Promise((resolve) => { asked.push(resolve); }), ...rest },
  });
  return { asked, store, knocks };
}

test('of several lists under way the newest counts, and members do not ask', async () => {
  const { asked, store, knocks } = world('owner');
  const both = [knocks.refresh('c'), knocks.refresh('c')];
  asked[1]([ROW]);
  asked[0]([]);
  await Promise.all(both);
  assert.deepEqual(store.state.knocks.c, [ROW]);
  const other = world('member');
  await other.knocks.refresh('c');
  assert.equal(other.asked.length, 0);
});

test('an answer that is refused is an error, and the list is looked at again', async () => {
  const { asked, store, knocks } = world('admin', { acceptKnock: async () => { throw new Error('gone'); } });
  store.dispatch(loaded(ROW));
  const answer = knocks.accept('c', 'eve');
  await new Promise((resolve) => { setImmediate(resolve); });
  asked[0]([]);
  await assert.rejects(answer, /gone/);
  assert.deepEqual(store.state.knocks.c, []);
});
