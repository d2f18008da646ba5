import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allowed, caption, edited, merge, readMessage, recalled } from '../js/message.js';

const ROW = {
  id: 'm1', sender_id: 'bob', sequence_number: 7, content: 'hill.jpg', message_type: 'image', created_at: '2026-01-08T09:00:00Z', version_number: 1,
  attachments: [{
    id: 'm1', message_id: 'm1', kind: 'image', file_name: 'hill.jpg', file_type: 'image/jpeg', file_size: 48_213, url: 'https://x/1', width: 1600, height: 1200,
  }, { id: 'm2', message_id: 'm1', kind: 'file', file_name: 'later.txt', file_type: 'text/plain', file_size: 1, url: 'https://x/2' }],
};
const text = (fields) => readMessage({ id: 'm1', sender_id: 'bob', sequence_number: 1, content: 'one', message_type: 'text', created_at: '2026-01-08T09:00:00Z', ...fields });

test('a message has its own file, and not those that were added to it', () => {
  const { file, kind, reactions } = readMessage(ROW);
  assert.deepEqual(file, { kind: 'image', name: 'hill.jpg', type: 'image/jpeg', size: 48_213, url: 'https://x/1', width: 1600, height: 1200 });
  assert.deepEqual([kind, reactions], ['image', undefined]);
});

test('a caption is what is not just the name of the file or of the place', () => {
  assert.equal(caption(readMessage(ROW)), '');
  assert.equal(caption(readMessage({ ...ROW, content: 'Look!' })), 'Look!');
  assert.equal(caption(text({ content: 'Location', location: { latitude: 1, longitude: 2 } })), '');
  assert.equal(caption(text({ content: 'Home', location: { latitude: 1, longitude: 2, description: 'Home' } })), '');
});

test('of two tellings the later version has the text, and the fresh one the reactions and links', () => {
  const second = text({ content: 'two', version_number: 2, edited_at: '2026-01-08T09:01:00Z' });
  const reactions = [{ emoji: '👍', count: 1, user_reacted: false }];
  assert.equal(merge(second, text({ reactions })).content, 'two');
  assert.deepEqual(merge(second, text({ reactions })).reactions, reactions);
  assert.equal(merge(text({}), second).content, 'two');
  assert.deepEqual(merge(text({ reactions }), second).reactions, reactions);
  assert.deepEqual(merge(text({ reactions }), text({ reactions: [] })).reactions, []);
  assert.equal(merge(readMessage(ROW), readMessage({ ...ROW, attachments: [{ ...ROW.attachments[0], url: 'https://x/fresh' }] })).file.url, 'https://x/fresh');
  assert.equal(merge(readMessage(ROW), readMessage({ ...ROW, attachments: undefined })).file.url, 'https://x/1');
});

test('edits: a frame that comes late or twice changes nothing', () => {
  const frame = (version, content) => ({ version_number: version, content, edited_at: `2026-01-08T09:0${version}:00Z` });
  const third = edited(text({}), frame(3, 'three'));
  assert.deepEqual([third.content, third.version, third.editedAt], ['three', 3, '2026-01-08T09:03:00Z']);
  assert.equal(edited(third, frame(2, 'two')), third);
  assert.equal(edited(third, frame(3, 'again')), third);
  assert.equal(edited(text({ style: 'emote' }), frame(2, 'plain now')).style, undefined);
});

test('a recalled message stays empty, whatever is told of it later', () => {
  const empty = recalled(readMessage({ ...ROW, reactions: [] }), { recalled_at: '2026-01-08T10:00:00Z' });
  assert.deepEqual([empty.content, empty.file, empty.reactions, empty.recalledAt], ['', undefined, undefined, '2026-01-08T10:00:00Z']);
  assert.equal(merge(empty, readMessage(ROW)).content, '');
  assert.equal(edited(empty, { version_number: 9, content: 'x' }), empty);
  assert.equal(merge(readMessage(ROW), text({ content: '', recalled_at: '2026-01-08T10:00:00Z' })).file, undefined);
});

test('what may be done depends on whose it is, how old, and by whom', () => {
  const at = (minutes) => ({ now: Date.parse('2026-01-08T09:00:00Z') + minutes * 60_000 });
  const mine = { ...text({}), own: true };
  const names = (message, who) => Object.entries(allowed(message, who)).filter(([, may]) => may).map(([name]) => name);
  assert.deepEqual(names(mine, at(1)), ['reply', 'react', 'edit', 'delete', 'recall', 'pin']);
  assert.deepEqual(names(mine, at(121)), ['reply', 'react', 'edit', 'delete', 'pin']);
  assert.deepEqual(names(mine, at(24 * 60)), ['reply', 'react', 'delete', 'pin']);
  assert.deepEqual(names({ ...text({}), own: false }, at(1)), ['reply', 'react', 'pin']);
  assert.deepEqual(names({ ...text({}), own: false }, { ...at(1), role: 'moderator' }), ['reply', 'react']);
  assert.deepEqual(names({ ...text({}), own: false }, { ...at(1), role: 'admin' }), ['reply', 'react', 'delete', 'recall', 'pin']);
  const file = { ...readMessage(ROW), own: true };
  for (const kind of ['image', 'video', 'audio', 'file']) assert.ok(names({ ...file, file: { ...file.file, kind } }, at(1)).includes('edit'), 'its caption');
  for (const kind of ['sticker', 'voice']) assert.deepEqual(names({ ...file, file: { ...file.file, kind } }, at(1)), ['reply', 'react', 'delete', 'recall', 'pin']);
  assert.deepEqual(names({ ...mine, pending: {} }, at(1)), []);
  assert.deepEqual(names({ ...mine, recalledAt: 'x' }, at(1)), []);
});
