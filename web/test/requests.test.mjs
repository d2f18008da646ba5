import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Privacy } from '../js/privacy.js';
import { Requests, requestWords } from '../js/requests.js';
import { createStore, initialState, needsList, reduce } from '../js/store.js';

const ROW = {
  id: 'c', requester_id: 'eve', message_preview: null, created_at: '2026-01-08T09:00:00Z', type: 'direct', name: null,
  requester_username: null, requester_display_name: 'Eve', requester_matrix_user_id: '@eve:example.org',
};
const start = () => initialState({ id: 'me', username: 'me' });
const run = (actions, state = start()) => actions.reduce(reduce, state);
const loaded = (...rows) => ({ type: 'requests.loaded', requests: rows });
const created = (fields = {}) => ({ type: 'frame', frame: {
  type: 'message_request.created', conversation_id: 'c', id: 'c', requester_id: 'eve', created_at: ROW.created_at, ...fields } });
const answered = (status = 'accepted') => ({ type: 'frame', frame: { type: 'message_request.answered', conversation_id: 'c', id: 'c', status } });
const ids = ({ requests }) => requests.map(({ id }) => id);

test('a request is shown once, however often it is told, the newest first', () => {
  const later = { ...ROW, id: 'd', created_at: '2026-01-08T10:00:00Z' };
  assert.deepEqual(ids(run([loaded(ROW, later), created(), created()])), ['d', 'c']);
  assert.deepEqual(ids(run([created(), created({ id: 'd', created_at: later.created_at })])), ['d', 'c']);
});

test('a preview that comes later joins the names of the list, and a frame without one does not take it back', () => {
  const state = run([loaded(ROW), created({ message_preview: 'Hello\n there' }), created({ message_preview: null })]);
  assert.deepEqual(requestWords(state.requests[0], state), { who: 'Eve', what: 'wants to chat with you', preview: 'Hello there' });
});

test('a request that is answered, whatever the answer, is no longer shown', () => {
  for (const status of ['accepted', 'rejected', 'withdrawn']) assert.deepEqual(ids(run([loaded(ROW), answered(status), answered(status)])), []);
});

test('what was accepted on another device is looked up in the list, unless it is there', () => {
  const list = { type: 'list.loaded', conversations: [{ id: 'c', type: 'direct', members: [] }] };
  assert.equal(needsList(start(), answered().frame), true);
  assert.equal(needsList(run([list]), answered().frame), false);
  assert.equal(needsList(start(), answered('rejected').frame), false);
});

test('a request says who asks for what, also of a group, and of somebody without a name', () => {
  const words = (fields) => requestWords({ ...ROW, ...fields }, start());
  assert.equal(words({ type: 'group', name: 'Tea' }).what, 'invites you to “Tea”');
  assert.equal(words({ type: 'group' }).what, 'invites you to a group');
  assert.equal(words({ requester_display_name: null }).who, '@eve:example.org');
  const state = run([created()]);
  assert.equal(requestWords(state.requests[0], state).who, 'User eve');
});

/** A bridge that answers when it is told to. */
function world(rest = {}) {
  const asked = [];
  const store = createStore(start());
  const requests = new Requests({
    store, attempt: (work) => work().catch(() => {}), refreshList: async () => { asked.push('list'); },
    rest: { requests: () => new Promise((resolve) => { asked.push(resolve); }), ...rest },
  });
  return { asked, store, requests };
}

test('of two lists under way, the one that was asked for last counts', async () => {
  const { asked, store, requests } = world();
  const both = [requests.refresh(), requests.refresh()];
  asked[1]([]);
  asked[0]([ROW]);
  await Promise.all(both);
  assert.deepEqual(ids(store.state), []);
});

test('accepting gives the conversation once it is in the list; a refusal asks what is left', async () => {
  const good = world({ requests: async () => [], acceptRequest: async () => ({ conversation_id: 'c' }) });
  good.store.dispatch(loaded(ROW));
  assert.equal(await good.requests.accept('c'), 'c');
  assert.deepEqual(good.asked, ['list']);
  assert.deepEqual(ids(good.store.state), []);
  const bad = world({ acceptRequest: async () => { throw new Error('gone'); } });
  bad.store.dispatch(loaded(ROW));
  await assert.rejects(bad.requests.accept('c'), /gone/);
  assert.equal(bad.asked.length, 1);
  assert.deepEqual(ids(bad.store.state), ['c']);
});

test('who is blocked is known once, until they are not', async () => {
  const store = createStore(start());
  const called = [];
  const privacy = new Privacy({
    store, attempt: (work) => work(), refreshRequests: async () => { called.push('requests'); },
    rest: {
      blocks: async () => [{ user_id: 'eve' }], block: async (user) => { called.push(user); }, unblock: async () => {}, dmPermission: async () => 'followers',
    },
  });
  await privacy.refresh();
  await privacy.block('eve');
  assert.deepEqual(store.state.blocked, ['eve']);
  assert.deepEqual(called, ['eve', 'requests']);
  await privacy.unblock('eve');
  assert.deepEqual(store.state.blocked, []);
  assert.equal(await privacy.permission(), 'mutuals');
});
