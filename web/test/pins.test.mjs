import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Pins, needsPins } from '../js/pins.js';
import { createStore, initialState, reduce } from '../js/store.js';

const row = (id, content) => ({ id, conversation_id: 'c', sender_id: 'bob', sequence_number: 1, content, message_type: 'text', version_number: 1, created_at: '2026-01-08T09:00:00Z' });
const frame = (type, message_id) => ({ type, conversation_id: 'c', message_id });
const loaded = (...rows) => reduce(initialState({ id: 'me' }), { type: 'pins.loaded', id: 'c', messages: rows });

function client(answers) {
  const calls = [];
  const store = createStore(initialState({ id: 'me' }));
  const rest = {
    pinned: async (id) => {
      calls.push(['pinned', id]);
      return { messages: answers.shift() };
    },
    pin: async (id) => { calls.push(['pin', id]); },
    unpin: async (id) => { calls.push(['unpin', id]); },
  };
  return { calls, store, pins: new Pins({ rest, store, attempt: (work) => work() }) };
}

test('what is pinned is read again whenever a frame changes it, but only where it was asked for', () => {
  assert.equal(needsPins(initialState({ id: 'me' }), frame('message.pinned', 'm1')), false);
  const state = loaded(row('m1', 'one'));
  assert.equal(needsPins(state, frame('message.pinned', 'm2')), true);
  assert.equal(needsPins(state, frame('message.unpinned', 'm1')), true);
  assert.equal(needsPins(state, frame('message.edited', 'm1')), true);
  assert.equal(needsPins(state, frame('message.edited', 'm2')), false);
  assert.equal(needsPins(state, frame('message.new', 'm1')), false);
});

test('pinning is one request, and then what is pinned is read', async () => {
  const { calls, store, pins } = client([[row('m1', 'one')], []]);
  await pins.set('c', 'm1', true);
  assert.deepEqual(store.state.pins.c.map(({ content }) => content), ['one']);
  await pins.set('c', 'm1', false);
  assert.deepEqual(store.state.pins.c, []);
  assert.deepEqual(calls, [['pin', 'm1'], ['pinned', 'c'], ['unpin', 'm1'], ['pinned', 'c']]);
});

test('while it is read it is not read at the same time, but once more', async () => {
  const { calls, store, pins } = client([[row('m1', 'one')], [row('m2', 'two')]]);
  await Promise.all([pins.load('c'), pins.load('c'), pins.load('c')]);
  assert.equal(calls.length, 2);
  assert.deepEqual(store.state.pins.c.map(({ id }) => id), ['m2']);
});
