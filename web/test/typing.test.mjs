import assert from 'node:assert/strict';
import { test } from 'node:test';
import { initialState, reduce } from '../js/store.js';
import { OwnTyping, TypingOfOthers, typingText } from '../js/typing.js';
import { FakeClock } from './helpers.mjs';

function own() {
  const clock = new FakeClock();
  const told = [];
  const typing = new OwnTyping({ clock, tell: ({ type, conversation_id: id }) => told.push(`${type} ${id}`) });
  return { clock, told, typing };
}

test('the first key says it, the next ones only after a while', () => {
  const { clock, told, typing } = own();
  for (let key = 0; key < 10; key += 1) {
    typing.key('c', false);
    clock.advance(500);
  }
  assert.deepEqual(told, ['typing.start c', 'typing.start c']);
});

test('it ends by an empty field, by a pause, in another conversation, and silently with the message', () => {
  const { clock, told, typing } = own();
  typing.key('c', false);
  typing.key('c', true);
  typing.key('c', false);
  clock.advance(5_000);
  typing.key('c', false);
  typing.key('d', false);
  typing.end({ sent: true });
  clock.advance(60_000);
  assert.deepEqual(told, ['typing.start c', 'typing.stop c', 'typing.start c', 'typing.stop c', 'typing.start c', 'typing.stop c', 'typing.start d']);
});

test('deleting an empty draft says nothing', () => {
  const { told, typing } = own();
  typing.key('c', true);
  typing.end();
  assert.deepEqual(told, []);
});

function others() {
  const clock = new FakeClock();
  let state = initialState({ id: 'me' });
  const watch = new TypingOfOthers({ clock, report: (action) => { state = reduce(state, action); } });
  const frame = (type, user) => watch.onFrame({ type, conversation_id: 'c', user_id: user, username: user });
  return { clock, watch, frame, now: () => Object.keys(state.typing.c ?? {}) };
}

test('somebody types until they stop, or until it is no longer repeated', () => {
  const { clock, frame, now } = others();
  frame('typing.started', 'bob');
  frame('typing.started', 'eve');
  clock.advance(2_000);
  frame('typing.stopped', 'eve');
  frame('typing.started', 'bob');
  assert.deepEqual(now(), ['bob']);
  clock.advance(5_000);
  assert.deepEqual(now(), ['bob']);
  clock.advance(1_000);
  assert.deepEqual(now(), []);
});

test('the frames of old clients are not counted twice, and a message ends it', () => {
  const { frame, now } = others();
  for (const type of ['typing', 'typing.indicator']) frame(type, 'bob');
  assert.deepEqual(now(), []);
  const typing = reduce(initialState({ id: 'me' }), { type: 'typing', conversation: 'c', user: 'bob', name: 'bob', typing: true });
  const after = reduce(typing, { type: 'frame', frame: { type: 'message.new', conversation_id: 'c', id: 'm', sender_id: 'bob', sequence_number: 1, content: 'x', created_at: '2026-01-08T09:00:00Z' } });
  assert.deepEqual(after.typing.c, {});
});

test('repeating it changes nothing, so nothing is drawn', () => {
  const action = { type: 'typing', conversation: 'c', user: 'bob', name: 'bob', typing: true };
  const once = reduce(initialState({ id: 'me' }), action);
  assert.equal(reduce(once, action), once);
});

test('words for one, two and many', () => {
  assert.deepEqual([[], ['Elena'], ['Elena', 'Ben'], ['Elena', 'Ben', 'Kim']].map(typingText),
    ['', 'Elena is typing', 'Elena and Ben are typing', '3 people are typing']);
});
