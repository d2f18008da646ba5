import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deliveryLabel, rows } from '../js/timeline.js';
import { readIds } from '../js/views/dialogs.js';
import { isOnMatrix } from '../js/views/members.js';

const WHERE = { now: new Date('2026-01-15T12:00:00Z'), locale: 'en-GB', timeZone: 'UTC' };
const entry = (key, senderId, createdAt, fields = {}) => ({ key, senderId, createdAt, content: key, ...fields });
/** "a(" opens a group, "a)" closes one. */
const shape = (entries) => rows(entries, WHERE).map(({ day, key, first, last }) => day ?? `${first ? '(' : ''}${key}${last ? ')' : ''}`);

test('groups by author, day and pause', () => {
  assert.deepEqual(shape([
    entry('a1', 'a', '2026-01-14T23:58:00Z'),
    entry('a2', 'a', '2026-01-14T23:59:00Z'),
    entry('a3', 'a', '2026-01-15T00:00:00Z'),
    entry('b1', 'b', '2026-01-15T00:01:00Z'),
    entry('b2', 'b', '2026-01-15T00:07:00Z'),
  ]), ['Yesterday', '(a1', 'a2)', 'Today', '(a3)', '(b1)', '(b2)']);
});

test('notices, emotes and trouble stand alone', () => {
  const at = '2026-01-15T00:00:00Z';
  assert.deepEqual(shape([
    entry('1', 'a', at), entry('2', 'a', at, { style: 'emote' }), entry('3', 'a', at), entry('4', 'a', at, { state: 'failed' }), entry('5', 'a', at),
  ]), ['Today', '(1)', '(2)', '(3', '4)', '(5)']);
});

test('a line stands above the first new message of others, and begins a group', () => {
  const at = '2026-01-15T00:00:00Z';
  const entries = [entry('1', 'a', at, { sequence: 1 }), entry('2', 'a', at, { sequence: 2 }), entry('3', 'a', at, { sequence: 3 })];
  const keys = (newAfter, more = entries) => rows(more, WHERE, { newAfter }).map(({ key, first, last, marker }) => (marker ? '—' : `${first ? '(' : ''}${key}${last ? ')' : ''}`)).slice(1);
  assert.deepEqual(keys(1), ['(1)', '—', '(2', '3)']);
  assert.deepEqual(keys(null), ['(1', '2', '3)']);
  assert.deepEqual(keys(3), ['(1', '2', '3)']);
  assert.deepEqual(keys(1, entries.map((it) => ({ ...it, own: it.key === '2' }))).indexOf('—'), 2);
});

test('readers stand below their message', () => {
  const entries = [entry('1', 'a', '2026-01-15T00:00:00Z'), entry('2', 'a', '2026-01-15T00:00:00Z')];
  const keys = rows(entries, WHERE, { readers: new Map([['1', [{ user_id: 'bob' }]]]) }).map(({ key }) => key);
  assert.deepEqual(keys.slice(1), ['1', 'read-1', '2']);
});

test('every state of an own message has words', () => {
  for (const state of ['sending', 'waiting', 'pending', 'sent', 'retrying', 'failed', 'refused']) assert.ok(deliveryLabel(state).label);
  assert.equal(deliveryLabel(undefined), null);
});

test('ids are read from whatever people paste', () => {
  const nova = '3f2b8c1e-9d47-4a06-b1c5-7e0a9f6d2c11';
  assert.deepEqual(readIds(`@a:x.org, @b:[::1]:8448\n${nova} @a:x.org alice`), { ids: ['@a:x.org', '@b:[::1]:8448', nova], wrong: ['alice'] });
});

test('ghosts of Nova users are not people on Matrix', () => {
  assert.equal(isOnMatrix({ matrix_user_id: '@alice:x.org' }), true);
  assert.equal(isOnMatrix({ matrix_user_id: '@nova-3f2b8c1e-9d47-4a06-b1c5-7e0a9f6d2c11:x.org' }), false);
  assert.equal(isOnMatrix({ matrix_user_id: null }), false);
});
