import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  clockTime, conversationName, dayKey, dayLabel, initials, isFewEmoji, linkParts, listTime, personName, tint,
} from '../js/format.js';

const WHERE = { now: new Date('2026-01-15T12:00:00Z'), locale: 'en-GB', timeZone: 'UTC' };

test('days are those of the reader', () => {
  assert.equal(dayKey('2026-01-15T23:30:00Z', { timeZone: 'UTC' }), '2026-01-15');
  assert.equal(dayKey('2026-01-15T23:30:00Z', { timeZone: 'Europe/Berlin' }), '2026-01-16');
});

test('day labels', () => {
  assert.equal(dayLabel('2026-01-15T01:00:00Z', WHERE), 'Today');
  assert.equal(dayLabel('2026-01-14T01:00:00Z', WHERE), 'Yesterday');
  assert.equal(dayLabel('2026-01-11T01:00:00Z', WHERE), 'Sunday');
  assert.equal(dayLabel('2026-01-02T01:00:00Z', WHERE), '2 January');
  assert.equal(dayLabel('2025-12-24T01:00:00Z', WHERE), '24 December 2025');
});

test('list times', () => {
  assert.equal(listTime('2026-01-15T09:05:00Z', WHERE), '09:05');
  assert.equal(listTime('2026-01-13T09:05:00Z', WHERE), 'Tue');
  assert.equal(listTime('2025-12-24T09:05:00Z', WHERE), '24 Dec');
  assert.equal(listTime(undefined, WHERE), '');
  assert.equal(clockTime('2026-01-15T09:05:00Z', WHERE), '09:05');
});

test('initials keep graphemes whole', () => {
  assert.equal(initials('Alice Liddell'), 'AL');
  assert.equal(initials('alice'), 'A');
  assert.equal(initials('@bob.the-builder:example.org'), 'BB');
  assert.equal(initials('👩‍🚀 Nova'), '👩‍🚀N');
  assert.equal(initials('élan vital'), 'ÉV');
  assert.equal(initials(''), '?');
  assert.equal(initials('李 小龙'), '李小');
});

test('names of people and conversations', () => {
  const bob = { user_id: 'b0b00000-1', username: 'bob', display_name: 'Bob' };
  const me = { user_id: 'me' };
  const more = ['c', 'd', 'e'].map((name) => ({ user_id: name, username: name }));
  assert.equal(personName(undefined, 'b0b00000-1'), 'User b0b00000');
  assert.equal(conversationName({ type: 'direct', name: 'ignored', members: [me, bob] }, 'me'), 'Bob');
  assert.equal(conversationName({ type: 'group', name: 'Tea', members: [me, bob] }, 'me'), 'Tea');
  assert.equal(conversationName({ type: 'group', members: [me, bob, ...more] }, 'me'), 'Bob, c and 2 more');
  assert.equal(conversationName({ type: 'direct', members: [me] }, 'me'), 'Empty chat');
});

test('links end where a reader would end them', () => {
  assert.deepEqual(linkParts('see https://example.org/a_(b)), ok').map((part) => part.text), ['see ', 'https://example.org/a_(b)', '), ok']);
  assert.deepEqual(linkParts('https://a.example.'), [{ text: 'https://a.example', href: 'https://a.example/' }, { text: '.' }]);
  assert.deepEqual(linkParts('plain'), [{ text: 'plain' }]);
  assert.deepEqual(linkParts(''), []);
});

test('only http and https become links, and no text is lost', () => {
  for (const text of ['javascript:alert(1)', 'data:text/html,x', 'https://', '<a href="https://x.example">x</a>', 'a https://b.example c http://d.example']) {
    const parts = linkParts(text);
    assert.equal(parts.map((part) => part.text).join(''), text);
    for (const { href } of parts) assert.ok(href === undefined || /^https?:\/\//.test(href));
  }
});

test('few emoji', () => {
  assert.ok(isFewEmoji('👍'));
  assert.ok(isFewEmoji('👩‍🚀 🇩🇪 👋🏽'));
  assert.ok(!isFewEmoji('👍👍👍👍'));
  assert.ok(!isFewEmoji('ok 👍'));
  assert.ok(!isFewEmoji('1'));
  assert.ok(!isFewEmoji(''));
});

test('tints are stable and in range', () => {
  assert.equal(tint('abc'), tint('abc'));
  for (const id of ['', 'a', '🌟', 'x'.repeat(500)]) assert.ok(tint(id) >= 0 && tint(id) < 8);
});
