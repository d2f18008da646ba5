// Who knocks on the room of a group, and how its owner answers.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shot } from './support/browser.mjs';
import { Nova } from './support/nova.mjs';
import { MatrixUser, NovaUser, until } from './support/world.mjs';

const state = (room, type, key = '') => `/rooms/${encodeURIComponent(room)}/state/${type}/${encodeURIComponent(key)}`;

async function membership(matrix, room, user) {
  return (await matrix.get(state(room, 'm.room.member', user.id))).membership;
}

function knock(matrix, room, reason) {
  return matrix.post(`/knock/${encodeURIComponent(room)}`, { reason });
}

test('an owner sees who knocks, declines one and lets another one in', async () => {
  const [user, elena, dora, bert] = await Promise.all([
    NovaUser.create('Ana'), MatrixUser.register('elena'), MatrixUser.register('dora'), MatrixUser.register('bert')]);
  // Elena opens the room to those who knock, and Ana owns it with her.
  const { room_id: room } = await elena.post('/createRoom', {
    preset: 'private_chat', name: 'Hikers', room_version: '11', invite: [user.mxid],
    initial_state: [{ type: 'm.room.join_rules', state_key: '', content: { join_rule: 'knock' } }],
    power_level_content_override: { users: { [elena.id]: 100, [user.mxid]: 100 } },
  });
  await until('Ana is in', async () => (await membership(elena, room, { id: user.mxid })) === 'join');
  // One knocks before the page is there, and one while it is.
  await knock(dora, room, 'I was here before');
  const nova = await Nova.open(user);
  await nova.page.getByText('Hikers').first().click();
  await nova.press('members-open');
  const knocking = (name) => nova.on('knock').filter({ hasText: name });
  await knocking(dora.username).getByText('I was here before').waitFor();
  await knock(bert, room, 'May I come, too?');
  await knocking(bert.username).getByText('May I come, too?').waitFor();
  await shot(nova.page, 'knocks');
  await knocking(dora.username).getByTestId('knock-decline').click();
  await knocking(dora.username).waitFor({ state: 'detached' });
  await until('she is sent away', async () => (await membership(elena, room, dora)) === 'leave');
  await knocking(bert.username).getByTestId('knock-accept').click();
  await nova.on('knocks').waitFor({ state: 'hidden' });
  await until('he is invited', async () => (await membership(elena, room, bert)) === 'invite');
  await bert.join(room);
  // Who takes it back is no longer shown.
  await knock(dora, room, 'really?');
  await knocking(dora.username).waitFor();
  await dora.post(`/rooms/${encodeURIComponent(room)}/leave`, {});
  await nova.on('knocks').waitFor({ state: 'hidden' });
  assert.deepEqual(nova.complaints, []);
  await nova.close();
});
