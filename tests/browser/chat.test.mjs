// What people do in a chat besides calling: answers, edits, reactions, files, receipts, typing, search, settings.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shot } from './support/browser.mjs';
import { chat, png, wav } from './support/chat.mjs';
import { Nova } from './support/nova.mjs';
import { MatrixUser, NovaUser, until } from './support/world.mjs';

const PHONE = { width: 390, height: 780 };

/** The message on the page that says something. */
function bubble(page, text) {
  return page.getByTestId('message').filter({ hasText: text });
}

async function write(nova, text) {
  await nova.on('composer').fill(text);
  await nova.page.keyboard.press('Enter');
  await bubble(nova.page, text).filter({ hasText: 'Delivered to Matrix' }).waitFor();
}

async function menu(nova, text, item) {
  const message = bubble(nova.page, text).last();
  await message.hover();
  await message.getByTestId('message-menu').click();
  if (item) await nova.on(item).click();
}

const shows = (page, text) => bubble(page, text).last().waitFor();
const gone = (page, text) => bubble(page, text).waitFor({ state: 'detached' });
const texts = (it) => it.content?.body;

async function end({ nova }) {
  assert.deepEqual(nova.complaints, []);
  await nova.close();
}

test('an answer shows what it answers, on both sides, and leads back to it', async () => {
  const it = await chat();
  const { element, nova, page } = it;
  const question = await element.say('Are you coming to the lake?');
  await shows(page, 'Are you coming');
  await menu(nova, 'Are you coming', 'menu-reply');
  await write(nova, 'Yes, at noon');
  const answer = await element.sees('the answer', (event) => texts(event)?.endsWith('Yes, at noon'));
  assert.equal(answer.content['m.relates_to']['m.in_reply_to'].event_id, question);
  await element.reply(answer.event_id, 'Bring a towel');
  const quote = bubble(page, 'Bring a towel').getByTestId('quote');
  await until('it is quoted', async () => /You\s+Yes, at noon/.test(await quote.innerText()));
  assert.equal(await bubble(page, 'Bring a towel').locator('.body').innerText(), 'Bring a towel');
  await bubble(page, 'Yes, at noon').first().getByTestId('quote').click();
  await page.locator('.message.found').filter({ hasText: 'Are you coming' }).waitFor();
  await end(it);
});

test('an edit of either side takes the place of the text, and says so', async () => {
  const it = await chat();
  const { element, nova, page } = it;
  const theirs = await element.say('See you on Munday');
  await shows(page, 'Munday');
  await element.edit(theirs, 'See you on Monday');
  await bubble(page, 'See you on Monday').getByTestId('edited').waitFor();
  assert.equal(await bubble(page, 'Munday').count(), 0);

  await write(nova, 'At the wrong station');
  const mine = await element.sees('it', (event) => texts(event) === 'At the wrong station');
  await menu(nova, 'At the wrong station', 'menu-edit');
  assert.equal(await nova.on('composer').inputValue(), 'At the wrong station');
  await shot(page, 'chat-edit');
  await nova.on('composer').fill('At the right station');
  await page.keyboard.press('Enter');
  await bubble(page, 'At the right station').getByTestId('edited').waitFor();
  const edit = await element.sees('the edit', (event) => event.content?.['m.new_content']?.body === 'At the right station');
  assert.equal(edit.content['m.relates_to'].event_id, mine.event_id);
  // What is not theirs cannot be edited, so nobody is offered it.
  await menu(nova, 'See you on Monday');
  await page.getByRole('menu').waitFor();
  assert.equal(await nova.on('menu-edit').count(), 0);
  assert.equal(await nova.on('menu-delete').count(), 0);
  await page.keyboard.press('Escape');
  // Escape gives an edit up, and gives the draft back.
  await nova.on('composer').fill('a draft');
  await menu(nova, 'At the right station', 'menu-edit');
  await page.keyboard.press('Escape');
  assert.equal(await nova.on('composer').inputValue(), 'a draft');
  await end(it);
});

test('what is deleted is gone, what is recalled leaves a trace', async () => {
  const it = await chat();
  const { element, nova, page } = it;
  const theirs = await element.say('Never said');
  await shows(page, 'Never said');
  await element.redact(theirs);
  await gone(page, 'Never said');

  for (const text of ['To be deleted', 'To be recalled']) await write(nova, text);
  const sent = (text) => element.sees(text, (event) => texts(event) === text);
  const [{ event_id: first }, { event_id: second }] = [await sent('To be deleted'), await sent('To be recalled')];
  await menu(nova, 'To be deleted', 'menu-delete');
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await gone(page, 'To be deleted');
  await menu(nova, 'To be recalled', 'menu-recall');
  await page.getByRole('dialog').getByRole('button', { name: 'Recall' }).click();
  await shows(page, 'This message was recalled');
  for (const id of [first, second]) await element.sees('it redacted', (event) => event.event_id === id && event.unsigned?.redacted_because);
  await page.reload();
  await shows(page, 'This message was recalled');
  assert.equal(await bubble(page, 'To be deleted').count(), 0);
  await end(it);
});

test('reactions are counted, and a press takes one back', async () => {
  const it = await chat();
  const { element, nova, page, matrix } = it;
  const event = await element.say('Cake at four');
  await shows(page, 'Cake at four');
  await element.react(event, '🎉');
  const chip = (emoji) => bubble(page, 'Cake at four').getByTestId('reaction').filter({ hasText: emoji });
  await chip('🎉').waitFor();
  assert.equal(await chip('🎉').getAttribute('aria-pressed'), 'false');
  await chip('🎉').click();
  await until('both are counted', async () => (await chip('🎉').innerText()).includes('2') && (await chip('🎉').getAttribute('aria-pressed')) === 'true');
  const mine = await element.sees('the reaction', (one) => one.type === 'm.reaction' && one.sender !== matrix.id && one.content['m.relates_to']?.key === '🎉');
  assert.equal(mine.content['m.relates_to'].event_id, event);
  await chip('🎉').click();
  await until('one is left', async () => (await chip('🎉').innerText()).includes('1'));
  // Another one, by keyboard alone: the menu, the row of reactions, the larger choice.
  await bubble(page, 'Cake at four').getByTestId('message-menu').focus();
  await page.keyboard.press('Enter');
  await page.getByRole('menu').waitFor();
  await shot(page, 'chat-menu');
  await page.getByRole('menuitem', { name: 'More reactions' }).press('Enter');
  await nova.on('emoji-picker').waitFor();
  await shot(page, 'chat-picker');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Enter');
  await chip('❤️').waitFor();
  await element.sees('the heart', (one) => one.type === 'm.reaction' && one.content['m.relates_to']?.key?.startsWith('❤'));
  await end(it);
});

/** Whether pictures on the page have been loaded, and how wide they are. */
const widths = (page, selector) => page.evaluate((it) => [...document.querySelectorAll(it)].map((image) => image.naturalWidth), selector);

test('pictures go both ways, with a caption, and open in full', async () => {
  const it = await chat();
  const { element, nova, page } = it;
  const url = await element.upload(png(400, 300, [60, 140, 90]), 'image/png');
  await element.message({ msgtype: 'm.image', body: 'The hill', filename: 'hill.png', url, info: { mimetype: 'image/png', w: 400, h: 300, size: 1000 } });
  await shows(page, 'The hill');
  await until('the picture is loaded', async () => (await widths(page, '[data-testid=media-image]'))[0] > 0);

  const bytes = png(640, 360, [190, 90, 60]);
  await nova.on('file-input').setInputFiles([{ name: 'sunset.png', mimeType: 'image/png', buffer: bytes }, { name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('Tea, milk\n') }]);
  await until('both are there', () => page.evaluate(() => document.querySelectorAll('.tray-item[data-state=ready]').length === 2));
  await shot(page, 'chat-tray');
  await nova.on('composer').fill('From the roof');
  await nova.press('send');
  const image = await element.sees('the picture', (event) => event.content?.msgtype === 'm.image' && event.content.filename === 'sunset.png');
  assert.equal(image.content.body, 'From the roof');
  assert.deepEqual([image.content.info.w, image.content.info.h], [640, 360]);
  assert.deepEqual(await element.download(image.content.url), bytes);
  const file = await element.sees('the file', (event) => event.content?.msgtype === 'm.file');
  assert.equal((await element.download(file.content.url)).toString(), 'Tea, milk\n');
  await until('its own picture is loaded', async () => (await widths(page, '.own [data-testid=media-image]'))[0] > 0);
  assert.equal(await bubble(page, 'notes.txt').getByTestId('media-file').getAttribute('download'), 'notes.txt');

  await bubble(page, 'From the roof').locator('.picture-frame').click();
  await until('it is shown in full', async () => (await widths(page, '[data-testid=lightbox-image]'))[0] === 640);
  await shot(page, 'chat-lightbox');
  await page.keyboard.press('Escape');
  await nova.on('lightbox').waitFor({ state: 'detached' });
  await shot(page, 'chat-media');
  await end(it);
});

test('files are attached by paste and by drop, and what is refused says why', async () => {
  const it = await chat();
  const { element, nova, page } = it;
  const bytes = [...png(40, 40, [20, 90, 200])];
  for (const [type, target] of [['paste', '#composer'], ['drop', '.chat-conversation']]) {
    await page.evaluate(([name, selector, data]) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([new Uint8Array(data)], `${name}.png`, { type: 'image/png' }));
      const event = name === 'paste' ? new ClipboardEvent(name, { clipboardData: transfer, bubbles: true, cancelable: true })
        : new DragEvent(name, { dataTransfer: transfer, bubbles: true, cancelable: true });
      document.querySelector(selector).dispatchEvent(event);
    }, [type, target, bytes]);
    await nova.on('tray').getByText(`${type}.png`).waitFor();
    await page.locator('.tray-item[data-state=ready]').filter({ hasText: `${type}.png` }).waitFor();
    await nova.press('send');
    await element.sees(`what was added by ${type}`, (event) => event.content?.body === `${type}.png`);
  }
  await nova.on('file-input').setInputFiles([{ name: 'fake.png', mimeType: 'image/png', buffer: Buffer.from('no picture at all') }]);
  await page.locator('.tray-item[data-state=failed]').waitFor();
  await page.getByRole('button', { name: 'Remove fake.png' }).click();
  await nova.on('tray').waitFor({ state: 'hidden' });
  await end(it);
});

test('a voice message is recorded and sent, with its length and its waveform; files and places are shown', async () => {
  const it = await chat();
  const { element, nova, page } = it;
  await nova.press('record');
  // Two seconds, or more: each of them is shown only for its time.
  await nova.on('recorder').getByText(/^0:0[2-9]|^0:[1-5]\d/).waitFor();
  await shot(page, 'chat-recording');
  await nova.press('record-send');
  const voice = await element.sees('the voice message', (event) => event.content?.['org.matrix.msc3245.voice']);
  assert.equal(voice.content.msgtype, 'm.audio');
  const { duration, waveform } = voice.content['org.matrix.msc1767.audio'];
  assert.ok(duration >= 1500 && duration < 60_000, `${duration}`);
  assert.ok(waveform.length > 10 && Math.max(...waveform) === 1024, `${waveform}`);
  assert.ok((await element.download(voice.content.url)).length > 1000);
  await nova.on('media-voice').waitFor();
  assert.match(await nova.on('media-voice').innerText(), new RegExp(`0:${String(Math.round(duration / 1000)).padStart(2, '0')}`));

  await element.message({ msgtype: 'm.file', body: 'plan.pdf', url: await element.upload(Buffer.from('%PDF-1.4\n'), 'application/pdf'), info: { mimetype: 'application/pdf', size: 9 } });
  await element.message({ msgtype: 'm.location', body: 'The pier', geo_uri: 'geo:51.5008,-0.1247' });
  for (const id of ['media-file', 'media-location']) await nova.on(id).last().waitFor();
  assert.match(await nova.on('media-location').getAttribute('href'), /mlat=51\.50080&mlon=-0\.12470/);
  await shot(page, 'chat-voice-and-files');
  await end(it);
});

test('sound, a film and a voice message play', async () => {
  const it = await chat();
  const { element, nova, page } = it;
  // So long that whoever looks late still finds it playing.
  const tone = wav(30);
  const info = { mimetype: 'audio/wav', size: tone.length, duration: 30_000 };
  await element.message({
    msgtype: 'm.audio', body: 'Voice message', url: await element.upload(tone, 'audio/wav'), info,
    'org.matrix.msc3245.voice': {}, 'org.matrix.msc1767.audio': { duration: 30_000, waveform: [0, 512, 1024, 256] },
  });
  await element.message({ msgtype: 'm.audio', body: 'tone.wav', url: await element.upload(tone, 'audio/wav'), info: { mimetype: 'audio/wav', size: tone.length } });
  await nova.on('media-audio').waitFor();
  // A film of the browser's own making.
  const film = await page.evaluate(async () => {
    const canvas = Object.assign(document.createElement('canvas'), { width: 160, height: 90 });
    const recorder = new MediaRecorder(canvas.captureStream(20), { mimeType: 'video/webm' });
    const data = new Promise((resolve) => { recorder.ondataavailable = (event) => resolve(event.data); });
    recorder.start();
    for (let frame = 0; frame < 20; frame += 1) {
      Object.assign(canvas.getContext('2d'), { fillStyle: `hsl(${frame * 18} 60% 50%)` }).fillRect(0, 0, 160, 90);
      await new Promise(requestAnimationFrame);
    }
    recorder.stop();
    return [...new Uint8Array(await (await data).arrayBuffer())];
  });
  await nova.on('file-input').setInputFiles([{ name: 'film.webm', mimeType: 'video/webm', buffer: Buffer.from(film) }]);
  await page.locator('.tray-item[data-state=ready]').waitFor();
  await nova.press('send');
  await element.sees('the film', (event) => event.content?.msgtype === 'm.video');
  await until('it can be played', () => page.evaluate(() => document.querySelector('[data-testid=media-video]')?.readyState > 0));
  await nova.press('voice-play');
  await until('it plays', () => page.evaluate(() => document.querySelectorAll('.bars-of-wave i.played').length > 0));
  await end(it);
});

test('what is read is told to both sides; what is unread is counted, and a line stands above it', async () => {
  const it = await chat();
  const { element, nova, page, nova: { user } } = it;
  const first = await element.say('Seen at once');
  await shows(page, 'Seen at once');
  await until('nothing is unread', async () => (await user.get('/conversations')).conversations[0].unread_count === 0);
  const receipt = await element.sensing('that it was read', (event) => event.type === 'm.receipt' && Object.values(event.content).some((one) => one['m.read']?.[user.mxid]), () => element.say('And this'));
  assert.ok(receipt);
  assert.ok(first);

  await write(nova, 'Have you read it?');
  const mine = await element.sees('it', (event) => texts(event) === 'Have you read it?');
  await element.read(mine.event_id);
  await nova.on('readers').filter({ hasText: 'Read by' }).waitFor();

  // Somewhere else, two come.
  const ben = await NovaUser.create('Ben');
  await user.post('/conversations', { user_a: user.id, user_b: ben.id });
  await nova.choose(ben.name);
  await element.say('One while you were away');
  await element.say('Two while you were away');
  const row = page.getByTestId('conversation').filter({ hasText: it.matrix.username });
  await until('both are counted', async () => (await row.getByTestId('unread').innerText()).startsWith('2'));
  await shot(page, 'chat-list');
  await row.click();
  await page.locator('.new-line').waitFor();
  const after = await page.evaluate(() => document.querySelector('.new-line').nextElementSibling.innerText);
  assert.match(after, /One while you were away/);
  await row.getByTestId('unread').waitFor({ state: 'detached' });
  await until('the bridge knows', async () => (await user.get('/conversations')).conversations.every((one) => one.unread_count === 0));

  // What is gone again before anybody saw it leaves nothing unread.
  await page.getByTestId('conversation').filter({ hasText: ben.name }).click();
  const soon = await element.say('Said too soon');
  await row.getByText('Said too soon').waitFor();
  await element.redact(soon);
  await row.getByText('Two while you were away').waitFor();
  await row.click();
  await until('nothing is unread', async () => (await user.get('/conversations')).conversations.every((one) => one.unread_count === 0));
  await row.getByTestId('unread').waitFor({ state: 'detached' });
  await end(it);
});

/** A page that may notify, and can be made to look hidden. */
const hideable = (page) => page.addInitScript(() => {
  window.notices = [];
  window.Notification = class {
    static permission = 'default';
    static requestPermission = async () => { window.Notification.permission = 'granted'; return 'granted'; };
    constructor(title, options) { window.notices.push({ title, ...options, press: () => this.onclick() }); }
    close() {}
  };
  Object.defineProperty(Document.prototype, 'visibilityState', { configurable: true, get: () => (window.isHidden ? 'hidden' : 'visible') });
  window.hide = (hidden) => {
    window.isHidden = hidden;
    document.dispatchEvent(new Event('visibilitychange'));
  };
});

test('a page that nobody sees reads nothing, and notifies whoever wants it, unless it is muted', async () => {
  const it = await chat({ prepare: hideable });
  const { element, nova, page, matrix, nova: { user } } = it;
  const notices = () => page.evaluate(() => window.notices.map(({ title, body }) => `${title}: ${body}`));
  const unread = async () => (await user.get('/conversations')).conversations[0].unread_count;
  await page.evaluate(() => window.hide(true));
  await element.say('Nobody asked for this');
  await shows(page, 'Nobody asked for this');
  await nova.press('notifications');
  await page.locator('[data-testid=notifications][aria-pressed=true]').waitFor();
  await element.say('Tea is ready');
  await shows(page, 'Tea is ready');
  await until('it is notified', async () => (await notices()).length > 0);
  assert.deepEqual(await notices(), [`${matrix.username}: Tea is ready`]);
  await page.locator('.new-line').waitFor();
  assert.equal(await unread(), 2);
  await page.evaluate(() => { window.notices[0].press(); window.hide(false); });
  await until('it is read now', async () => (await unread()) === 0);

  await nova.press('members-open');
  await nova.on('is_muted').check();
  await page.locator('.muted-chat').waitFor();
  await page.evaluate(() => window.hide(true));
  await element.say('Only whispered');
  await shows(page, 'Only whispered');
  assert.equal((await notices()).length, 1);
  await end(it);
});

test('typing is shown to both sides, and ends; presence is a dot', async () => {
  const it = await chat();
  const { element, nova, page, nova: { user } } = it;
  await element.typing(true);
  await page.getByTestId('typing').filter({ hasText: 'is typing' }).waitFor();
  await shot(page, 'chat-typing');
  await element.typing(false);
  await page.getByTestId('typing').filter({ hasText: /^$/ }).waitFor({ state: 'attached' });
  const types = (yes) => (event) => event.type === 'm.typing' && event.content.user_ids.includes(user.mxid) === yes;
  await element.sensing('typing', types(true), () => nova.on('composer').pressSequentially('He'));
  await element.sensing('its end', types(false), () => nova.on('composer').fill(''));
  await it.matrix.put(`/presence/${encodeURIComponent(it.matrix.id)}/status`, { presence: 'online' });
  await page.locator('.pane-header .presence.online').waitFor();
  await end(it);
});

test('a message pinned on either side stands above the chat on both, and leads back to it', async () => {
  const it = await chat();
  const { element, nova, page, matrix } = it;
  const bar = nova.on('pinned');
  const pinned = async () => (await matrix.get(`${element.path}/state/m.room.pinned_events/`)).pinned;
  const code = await element.say('The door code is 4711');
  await shows(page, 'door code');
  for (let n = 0; n < 30; n += 1) await element.say(`Filling ${n}`);
  await shows(page, 'Filling 29');
  assert.equal(await bar.isVisible(), false);
  await matrix.put(`${element.path}/state/m.room.pinned_events/`, { pinned: [code] });
  await bar.filter({ hasText: 'The door code is 4711' }).waitFor();
  // The page pins another one, and says which of the two it shows.
  await write(nova, 'We meet at noon');
  const noon = await element.sees('it', (event) => texts(event) === 'We meet at noon');
  await menu(nova, 'We meet at noon', 'menu-pin');
  await bar.filter({ hasText: 'We meet at noon' }).filter({ hasText: '1 of 2' }).waitFor();
  await until('both are pinned', async () => JSON.stringify(await pinned()) === JSON.stringify([code, noon.event_id]));
  await bar.click();
  await bar.filter({ hasText: 'The door code is 4711' }).filter({ hasText: '2 of 2' }).waitFor();
  await shot(page, 'chat-pinned');
  await bar.click();
  await page.locator('.message.found').filter({ hasText: 'The door code is 4711' }).waitFor();
  // An edit is shown, and each takes down what the other one pinned.
  await element.edit(code, 'The door code is 1147');
  await bar.click();
  await bar.filter({ hasText: 'The door code is 1147' }).waitFor();
  await menu(nova, 'The door code is 1147', 'menu-unpin');
  await until('one is left', async () => JSON.stringify(await pinned()) === JSON.stringify([noon.event_id]));
  await matrix.put(`${element.path}/state/m.room.pinned_events/`, { pinned: [] });
  await bar.waitFor({ state: 'hidden' });
  await end(it);
});

test('words are found in one chat and in all, whatever their case and accents, and lead to their message', async () => {
  const it = await chat();
  const { element, nova, page } = it;
  await element.say('The Café opens at nine');
  for (let n = 0; n < 60; n += 1) await element.say(`Filling ${n}`);
  await shows(page, 'Filling 59');
  await nova.press('chat-search-open');
  await nova.on('chat-search').fill('cafe op');
  const result = nova.on('chat-search-results').getByTestId('result').filter({ hasText: 'Café' });
  await result.waitFor();
  assert.equal(await result.locator('mark').first().innerText(), 'Café');
  await shot(page, 'chat-search');
  await result.click();
  await page.locator('.message.found').filter({ hasText: 'Café' }).waitFor();
  // It can be seen, and is not below the list of what was found.
  await until('it can be seen', () => page.evaluate(() => {
    const { left, top, height } = document.querySelector('.message.found .bubble').getBoundingClientRect();
    return document.elementFromPoint(left + 10, top + height / 2)?.closest('.message.found');
  }).then(Boolean));
  await nova.on('search').fill('café');
  await nova.on('search-results').getByTestId('result').filter({ hasText: 'Café' }).waitFor();
  await shot(page, 'chat-search-all');
  await nova.on('search').press('Escape');
  await page.getByTestId('conversation').first().waitFor();
  // From the list, where no chat is open.
  await page.evaluate(() => history.replaceState(null, '', location.pathname));
  await page.reload();
  await page.getByText('Choose a chat').waitFor();
  await nova.on('search').fill('CAFE');
  await nova.on('search-results').getByTestId('result').filter({ hasText: 'Café' }).click();
  await page.locator('.message.found').filter({ hasText: 'Café' }).waitFor();
  await end(it);
});

test('a chat is muted and archived for oneself', async () => {
  const it = await chat();
  const { nova, page, nova: { user } } = it;
  await nova.press('members-open');
  await nova.on('is_muted').check();
  await until('the bridge knows', async () => (await user.get('/conversations')).conversations[0].is_muted);
  await page.locator('.muted-chat').waitFor();
  await shot(page, 'chat-settings');
  await nova.on('is_archived').check();
  await nova.on('archived').getByText('Archived (1)').waitFor();
  await page.getByTestId('conversation').waitFor({ state: 'detached' });
  await nova.press('archived');
  await page.getByTestId('conversation').waitFor();
  await nova.on('is_archived').uncheck();
  await nova.on('archived').waitFor({ state: 'hidden' });
  await page.getByTestId('conversation').waitFor();
  await end(it);
});

test('a caption is edited, and taken away', async () => {
  const it = await chat();
  const { element, nova, page } = it;
  await nova.on('file-input').setInputFiles([{ name: 'lake.png', mimeType: 'image/png', buffer: png(320, 200, [60, 120, 190]) }]);
  await page.locator('.tray-item[data-state=ready]').waitFor();
  await nova.on('composer').fill('The lale');
  await nova.press('send');
  const image = await element.sees('the picture', (event) => event.content?.msgtype === 'm.image');
  await bubble(page, 'The lale').filter({ hasText: 'Delivered to Matrix' }).waitFor();
  await menu(nova, 'The lale', 'menu-edit');
  await page.locator('.context-what', { hasText: 'Edit caption' }).waitFor();
  assert.equal(await nova.on('composer').inputValue(), 'The lale');
  await nova.on('composer').fill('The lake');
  await shot(page, 'caption-edit');
  await page.keyboard.press('Enter');
  await bubble(page, 'The lake').getByTestId('edited').waitFor();
  const edit = await element.sees('the edit', (event) => event.content?.['m.new_content']?.body === 'The lake');
  const { msgtype, filename, url } = edit.content['m.new_content'];
  assert.deepEqual([msgtype, filename, url], ['m.image', 'lake.png', image.content.url]);
  // Without words it is still a picture.
  await menu(nova, 'The lake', 'menu-edit');
  await nova.on('composer').fill('');
  await page.keyboard.press('Enter');
  await gone(page, 'The lake');
  await page.getByTestId('message').getByTestId('media-image').waitFor();
  await element.sees('no caption', (event) => event.content?.['m.new_content']?.body === 'lake.png');
  await end(it);
});

test('a group gets a picture, which everybody sees', async () => {
  const [ana, ben, elena] = await Promise.all([NovaUser.create('Ana'), NovaUser.create('Ben'), MatrixUser.register('elena')]);
  const { id } = await ana.post('/conversations/groups', { name: 'Hikers', member_ids: [ben.id, elena.id] });
  const nova = await Nova.open(ana, { chat: 'Hikers' });
  const { page } = nova;
  const his = await Nova.open(ben, { chat: 'Hikers' });
  await nova.press('members-open');
  await nova.on('picture-input').setInputFiles({ name: 'hill.png', mimeType: 'image/png', buffer: png(300, 300, [40, 140, 90]) });
  const loaded = (where, selector) => until('the picture is there', async () => (await widths(where, selector))[0] > 0);
  for (const where of [page, his.page]) {
    for (const selector of ['.list-pane .avatar img', '.chat-pane .pane-header .avatar img']) await loaded(where, selector);
  }
  await shot(page, 'group-picture');
  await page.setViewportSize(PHONE);
  await shot(page, 'group-picture-phone');
  const room = await until('the room is there', async () => (await ana.get(`/conversations/${id}`)).matrix_room_id);
  await elena.post(`/rooms/${encodeURIComponent(room)}/join`);
  const { url } = await until('Element sees it', async () => elena.get(`/rooms/${encodeURIComponent(room)}/state/m.room.avatar/`).catch(() => null));
  assert.match(url, /^mxc:/);
  // What is no picture is refused in words.
  await page.setViewportSize({ width: 1200, height: 800 });
  await nova.on('picture-input').setInputFiles({ name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('no picture') });
  await page.locator('.settings .problem').getByText('no picture').waitFor();
  for (const it of [nova, his]) {
    assert.deepEqual(it.complaints.filter((text) => !text.includes('400')), []);
    await it.close();
  }
});

test('a group is renamed, and its members get roles', async () => {
  const [ana, ben] = await Promise.all(['Ana', 'Ben'].map((name) => NovaUser.create(name)));
  const { id } = await ana.post('/conversations/groups', { name: 'Hikers', member_ids: [ben.id] });
  const nova = await Nova.open(ana, { chat: 'Hikers' });
  const { page } = nova;
  await nova.press('members-open');
  await nova.press('rename');
  await page.getByLabel('Name of the group').fill('Climbers');
  await page.getByRole('dialog').getByRole('button', { name: 'Change' }).click();
  await page.getByRole('heading', { name: 'Climbers' }).waitFor();
  const member = page.locator('.member').filter({ hasText: ben.name });
  await member.hover();
  await member.getByTestId('member-menu').click();
  await nova.press('role-admin');
  await page.getByRole('dialog').getByRole('button', { name: 'Change' }).click();
  await member.getByText('Admin').waitFor();
  await shot(page, 'chat-group');
  await until('the bridge says so, too', async () => {
    const { members } = await ben.get(`/conversations/${id}/members`);
    return members.find((one) => one.user_id === ben.id).role === 'admin';
  });
  await end({ nova });
});

test('the keyboard goes from the field to the newest message, and from there to the others', async () => {
  const it = await chat();
  const { element, page, nova } = it;
  for (const text of ['First', 'Second', 'Third']) await element.say(text);
  await shows(page, 'Third');
  const at = () => page.evaluate(() => `${document.activeElement.dataset.testid} ${document.activeElement.closest('.message')?.querySelector('.body').innerText}`);
  await nova.on('composer').focus();
  for (let step = 0; step < 2; step += 1) await page.keyboard.press('Shift+Tab');
  assert.equal(await at(), 'message-menu Third');
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('ArrowUp');
  assert.equal(await at(), 'message-menu First');
  await page.keyboard.press('Enter');
  await page.getByRole('menu').waitFor();
  await page.keyboard.press('End');
  await page.keyboard.press('ArrowUp');
  assert.equal(await page.evaluate(() => document.activeElement.innerText), 'Copy text');
  await page.keyboard.press('Escape');
  await page.getByRole('menu').waitFor({ state: 'detached' });
  assert.equal(await at(), 'message-menu First');
  await end(it);
});

test('on a phone there is one pane, and a touch reaches everything', async () => {
  const it = await chat({ viewport: PHONE });
  const { element, nova, page } = it;
  const event = await element.say('Where are you?');
  await shows(page, 'Where are you?');
  await element.react(event, '👀');
  await write(nova, 'On the train, and it is a little late again');
  await shot(page, 'phone-chat');
  await bubble(page, 'Where are you?').getByTestId('message-menu').click();
  await page.getByRole('menu').waitFor();
  const inside = await page.evaluate(() => {
    const { left, right, top, bottom } = document.querySelector('.popover').getBoundingClientRect();
    return left >= 0 && top >= 0 && right <= innerWidth && bottom <= innerHeight;
  });
  assert.ok(inside);
  await shot(page, 'phone-menu');
  await page.keyboard.press('Escape');
  await shows(page, 'Where are you?');
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'nothing is wider than the phone');
  await page.getByRole('button', { name: 'Back to chats' }).click();
  await page.getByTestId('conversation').waitFor();
  await page.emulateMedia({ colorScheme: 'dark' });
  await shot(page, 'phone-list-dark');
  await page.getByTestId('conversation').click();
  await shot(page, 'phone-chat-dark');
  await end(it);
});
