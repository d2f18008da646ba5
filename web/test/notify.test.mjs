import assert from 'node:assert/strict';
import { test } from 'node:test';
import { notice } from '../js/notify.js';
import { initialState, reduce } from '../js/store.js';
import { highlight } from '../js/views/search.js';

const NOW = Date.parse('2026-01-08T09:00:10Z');
const FRAME = { type: 'message.new', conversation_id: 'c', id: 'm', sender_id: 'bob', sequence_number: 1, content: 'Hello', created_at: '2026-01-08T09:00:00Z' };
function hidden(conversation = {}) {
  const members = [{ user_id: 'me' }, { user_id: 'bob', display_name: 'Bob' }];
  return [{ type: 'list.loaded', conversations: [{ id: 'c', type: 'group', name: 'Tea', members, ...conversation }] }, { type: 'looking', looking: { visible: false } }]
    .reduce(reduce, initialState({ id: 'me' }));
}

test('a notification says who and where', () => {
  assert.deepEqual(notice(hidden(), FRAME, NOW), { conversationId: 'c', title: 'Tea', body: 'Bob: Hello' });
  assert.deepEqual(notice(hidden({ type: 'direct' }), FRAME, NOW), { conversationId: 'c', title: 'Bob', body: 'Hello' });
});

test('none of what is seen, muted, put away, one\'s own, old, or no message', () => {
  assert.equal(notice(reduce(hidden(), { type: 'looking', looking: { visible: true } }), FRAME, NOW), null);
  for (const kept of [{ is_muted: true }, { is_archived: true }]) assert.equal(notice(hidden(kept), FRAME, NOW), null);
  assert.equal(notice(hidden(), { ...FRAME, sender_id: 'me' }, NOW), null);
  assert.equal(notice(hidden(), FRAME, NOW + 3_600_000), null);
  assert.equal(notice(hidden(), { ...FRAME, type: 'message.edited' }, NOW), null);
  assert.equal(notice(hidden(), { ...FRAME, conversation_id: 'other' }, NOW), null);
});

const marked = (text, words) => highlight(text, words).map(({ text: part, hit }) => (hit ? `[${part}]` : part)).join('');

test('words that were found are marked where they begin, whatever their case and accents', () => {
  assert.equal(marked('The Café opens', 'cafe op'), 'The [Café] [op]ens');
  assert.equal(marked('scope', 'op'), 'scope');
  assert.equal(marked('Straße 7, straße', 'strasse'), 'Straße 7, straße');
  assert.equal(marked('<b>hello</b>', 'hello'), '<b>[hello]</b>');
  assert.equal(marked('nothing', ''), 'nothing');
});

test('a long text begins shortly before what was found', () => {
  assert.equal(marked(`${'x '.repeat(60)}needle`, 'needle'), `…${'x '.repeat(10)}[needle]`);
});
