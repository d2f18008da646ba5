// Who asks to chat, and what comes of each answer.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shot } from './support/browser.mjs';
import { Chat } from './support/chat.mjs';
import { Nova } from './support/nova.mjs';
import { MatrixUser, NovaUser, until } from './support/world.mjs';

const PHONE = { width: 390, height: 780 };

async function invite(matrix, user, more = { is_direct: true }) {
  const { room_id: room } = await matrix.post('/createRoom', { preset: 'trusted_private_chat', invite: [user.mxid], ...more });
  return room;
}

/** What Synapse says the Nova user is in a room. */
async function membership(matrix, room, user) {
  const state = await matrix.get(`/rooms/${encodeURIComponent(room)}/state/m.room.member/${encodeURIComponent(user.mxid)}`);
  return state.membership;
}

/** Opens the page of somebody new, and lets nobody write to them without asking. */
async function shy(options) {
  const user = await NovaUser.create('Ana');
  const nova = await Nova.open(user, options);
  await nova.press('privacy');
  await until('what is set now is chosen', () => nova.on('dm-anyone').isChecked());
  await nova.on('dm-nobody').check();
  await shot(nova.page, 'privacy');
  await nova.page.getByRole('dialog').getByRole('button', { name: 'Save' }).click();
  await nova.page.getByRole('dialog').waitFor({ state: 'detached' });
  assert.deepEqual(await user.get('/settings/privacy'), { dm_permission: 'nobody' });
  return { nova, user };
}

const request = (nova, name) => nova.on('request').filter({ hasText: name });

async function end(nova) {
  assert.deepEqual(nova.complaints, []);
  await nova.close();
}

test('a Matrix user asks, is accepted, and messages flow both ways', async () => {
  const [{ nova, user }, matrix] = await Promise.all([shy(), MatrixUser.register('elena')]);
  const { page } = nova;
  const room = await invite(matrix, user);
  const asked = request(nova, matrix.username);
  await asked.getByText('wants to chat with you').waitFor();
  assert.equal(await nova.on('conversation').count(), 0);
  assert.equal(await membership(matrix, room, user), 'invite');
  // What is not live comes with the first list.
  await page.reload();
  await asked.waitFor();
  await shot(page, 'requests');
  const element = new Chat(matrix, room);
  await element.say('Are you there?');
  await asked.getByTestId('request-accept').click();
  await page.getByTestId('message').filter({ hasText: 'Are you there?' }).waitFor();
  await nova.on('requests').waitFor({ state: 'hidden' });
  await nova.on('composer').fill('I am');
  await page.keyboard.press('Enter');
  await element.sees('the answer', (event) => event.content?.body === 'I am' && event.sender === user.mxid);
  await element.say('Good');
  await page.getByTestId('message').filter({ hasText: 'Good' }).waitFor();

  await nova.press('members-open');
  await nova.press('block');
  await page.getByRole('dialog').getByRole('button', { name: 'Block' }).click();
  await nova.on('block').getByText('Unblock').waitFor();
  assert.equal((await user.get('/blocks'))[0].matrix_user_id, matrix.id);
  await nova.press('block');
  await nova.on('block').getByText(/^Block/).waitFor();
  assert.deepEqual(await user.get('/blocks'), []);
  await end(nova);
});

test('who is declined may ask again, who is blocked may not', async () => {
  const [{ nova, user }, declined, blocked] = await Promise.all([shy({ viewport: PHONE }), MatrixUser.register('dora'), MatrixUser.register('bert')]);
  const { page } = nova;
  const room = await invite(declined, user, { name: 'Hikers' });
  await request(nova, declined.username).getByText('invites you to “Hikers”').waitFor();
  const cleo = await NovaUser.create('Cleo');
  await cleo.post('/conversations/groups', { name: 'Choir', member_ids: [user.id] });
  await request(nova, cleo.name).getByText('invites you to “Choir”').waitFor();
  const other = await invite(blocked, user);
  await request(nova, blocked.username).waitFor();
  assert.equal(await nova.on('request').count(), 3);
  await shot(page, 'phone-requests');
  await page.emulateMedia({ colorScheme: 'dark' });
  await shot(page, 'phone-requests-dark');
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'nothing is wider than the phone');

  await request(nova, declined.username).getByTestId('request-decline').focus();
  await page.keyboard.press('Enter');
  await request(nova, declined.username).waitFor({ state: 'detached' });
  assert.equal(await page.evaluate(() => document.activeElement.dataset.testid), 'request-accept', 'the focus goes to the next one');
  await until('Element sees that it was declined', async () => (await membership(declined, room, user)) === 'leave');

  await request(nova, blocked.username).getByTestId('request-block').click();
  await page.getByRole('dialog').getByRole('button', { name: 'Block' }).click();
  await request(nova, blocked.username).waitFor({ state: 'detached' });
  await until('their invitation is declined', async () => (await membership(blocked, other, user)) === 'leave');

  const again = await invite(blocked, user);
  await until('so is the next one, at once', async () => (await membership(blocked, again, user)) === 'leave');
  // The request of another, later, proves that the page was told everything.
  await invite(declined, user, { name: 'Chess' });
  await request(nova, declined.username).waitFor();
  assert.equal(await nova.on('request').count(), 2);
  await page.reload();
  await request(nova, declined.username).waitFor();
  assert.equal(await nova.on('request').count(), 2);
  await request(nova, cleo.name).getByTestId('request-accept').click();
  await page.getByRole('heading', { name: 'Choir' }).waitFor();
  await page.getByRole('button', { name: 'Back to chats' }).click();

  await nova.press('privacy');
  await nova.on('blocked').filter({ hasText: blocked.id }).waitFor();
  await shot(page, 'phone-privacy-dark');
  await nova.on('blocked').getByRole('button', { name: 'Unblock' }).click();
  await nova.on('blocked').waitFor({ state: 'detached' });
  assert.deepEqual(await user.get('/blocks'), []);
  await end(nova);
});
