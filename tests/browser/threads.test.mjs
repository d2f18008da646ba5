// Threads as a view of their own, and who reacted.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shot } from './support/browser.mjs';
import { chat } from './support/chat.mjs';
import { until } from './support/world.mjs';

const PHONE = { width: 390, height: 780 };

function bubble(page, text) {
  return page.getByTestId('message').filter({ hasText: text });
}

async function end({ nova }) {
  assert.deepEqual(nova.complaints, []);
  await nova.close();
}

const inThread = (root, more = {}) => ({ 'm.relates_to': { rel_type: 'm.thread', event_id: root, is_falling_back: true, 'm.in_reply_to': { event_id: root }, ...more } });

test('a thread that Element begins is opened, answered in, and closed again', async () => {
  const it = await chat();
  const { element, nova, page } = it;
  const root = await element.say('Who brings what on Sunday?');
  await bubble(page, 'Who brings').waitFor();
  await element.say('I bring cake', inThread(root));
  await element.say('And tea', inThread(root));
  const open = bubble(page, 'Who brings').first().getByTestId('thread-open');
  await until('two answers are counted', async () => (await open.innerText()) === '2 answers');
  await element.say('By the way, it rains');
  await bubble(page, 'it rains').waitFor();
  await shot(page, 'thread-closed');

  await open.click();
  await nova.on('thread').waitFor();
  await bubble(page, 'it rains').waitFor({ state: 'detached' });
  await bubble(page, 'And tea').waitFor();
  const texts = () => page.locator('.message .body').allInnerTexts();
  await until('the whole thread is there', async () => (await texts()).length === 3);
  assert.deepEqual(await texts(), ['Who brings what on Sunday?', 'I bring cake', 'And tea']);
  await nova.on('composer').fill('Then I bring milk');
  await page.keyboard.press('Enter');
  await bubble(page, 'Then I bring milk').filter({ hasText: 'Delivered to Matrix' }).waitFor();
  await shot(page, 'thread-open');
  const milk = await element.sees('the answer', (event) => event.content?.body === 'Then I bring milk');
  assert.deepEqual(milk.content['m.relates_to'], inThread(root)['m.relates_to']);
  // What is said elsewhere stays out, what is said in the thread comes in.
  await element.say('Not in the thread');
  await element.say('Oat milk?', inThread(root, { is_falling_back: false, 'm.in_reply_to': { event_id: milk.event_id } }));
  await bubble(page, 'Oat milk?').getByTestId('quote').waitFor();
  assert.equal(await bubble(page, 'Not in the thread').count(), 0);
  await page.setViewportSize(PHONE);
  await shot(page, 'thread-phone');

  await nova.press('thread-close');
  await bubble(page, 'Not in the thread').waitFor();
  await nova.on('thread').waitFor({ state: 'hidden' });
  await until('all answers are counted', async () => (await open.innerText()) === '4 answers');
  await page.reload();
  await until('they are counted after a reload', async () => (await open.innerText()) === '4 answers');
  await end(it);
});

test('a thread is begun on the page, with an own message', async () => {
  const it = await chat();
  const { element, nova, page } = it;
  await nova.on('composer').fill('Shall we?');
  await page.keyboard.press('Enter');
  await bubble(page, 'Shall we?').filter({ hasText: 'Delivered to Matrix' }).waitFor();
  const root = await element.sees('the question', (event) => event.content?.body === 'Shall we?');
  await bubble(page, 'Shall we?').hover();
  await bubble(page, 'Shall we?').getByTestId('message-menu').click();
  await nova.press('menu-thread');
  await nova.on('thread').waitFor();
  await nova.on('composer').fill('I would');
  await page.keyboard.press('Enter');
  const answer = await element.sees('the answer', (event) => event.content?.body === 'I would');
  assert.equal(answer.content['m.relates_to'].event_id, root.event_id);
  await bubble(page, 'I would').filter({ hasText: 'Delivered to Matrix' }).waitFor();
  await nova.press('thread-close');
  await until('it is counted', async () => (await bubble(page, 'Shall we?').first().getByTestId('thread-open').innerText()) === '1 answer');
  await end(it);
});

test('a reaction says who made it', async () => {
  const it = await chat();
  const { element, nova, page, matrix } = it;
  const event = await element.say('Cake at four');
  await bubble(page, 'Cake at four').waitFor();
  await element.react(event, '🎉');
  const chip = bubble(page, 'Cake at four').getByTestId('reaction');
  await chip.click();
  await until('both are counted', async () => (await chip.innerText()).includes('2'));
  await page.mouse.move(5, 5);
  await chip.hover();
  const who = chip.getByTestId('reaction-who');
  await who.waitFor();
  await until('both are named', async () => (await who.innerText()) === `You and ${matrix.username}`);
  await shot(page, 'reaction-who');
  // A long press of a finger is a context menu.
  await page.mouse.move(5, 5);
  await who.waitFor({ state: 'hidden' });
  await chip.dispatchEvent('contextmenu');
  await who.waitFor();
  await end(it);
});
