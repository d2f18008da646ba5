// Calls between people in Nova: two, and three in a mesh.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Nova, media } from './support/nova.mjs';
import { NovaUser, until } from './support/world.mjs';

const over = (user) => until('no call is left', async () => (await user.get('/calls/active')).calls.length === 0);

test('two in Nova call each other with video', async () => {
  const [ana, ben] = await Promise.all([NovaUser.create('Ana'), NovaUser.create('Ben')]);
  await ana.post('/conversations', { user_a: ana.id, user_b: ben.id });
  const [one, two] = await Promise.all([Nova.open(ana, { chat: ben.name }), Nova.open(ben, { chat: ana.name })]);
  for (const [caller, callee, user] of [[one, two, ana], [two, one, ben]]) {
    await caller.press('call-video');
    await callee.rings();
    await callee.press('accept-video');
    await media(caller, callee, { video: true });
    await callee.press('hangup');
    await over(user);
    for (const page of [one, two]) await page.free();
  }
  await Promise.all([one.close(), two.close()]);
});

test('three in Nova meet: each hears and sees both others, one leaves, the last one ends it', async () => {
  const users = await Promise.all(['Ana', 'Ben', 'Cleo'].map((name) => NovaUser.create(name)));
  const [ana, ben, cleo] = users;
  const group = await ana.post('/conversations/groups', { name: `Three ${ana.id.slice(0, 8)}`, member_ids: [ben.id, cleo.id] });
  const pages = await Promise.all(users.map((user) => Nova.open(user, { chat: group.name ?? `Three ${ana.id.slice(0, 8)}` })));
  const [one, two, three] = pages;
  await one.press('call-video');
  await Promise.all([two.rings(), three.rings()]);
  await two.press('accept-video');
  await three.press('accept-video');
  for (const page of pages) {
    await until('each has two connections with media', () => page.page.evaluate(async () => {
      const all = await Promise.all(window.novaTest.pcs().map(async (pc) => {
        const kinds = new Set();
        (await pc.getStats()).forEach((it) => it.type === 'inbound-rtp' && it.bytesReceived > 2000 && kinds.add(it.kind));
        return kinds.size;
      }));
      if (all.length !== 2 || all.some((it) => it !== 2)) throw new Error(JSON.stringify(all));
      return true;
    }), { within: 45_000 });
  }
  const { calls: [call] } = await ana.get('/calls/active');
  assert.equal(call.call_type, 'group');
  await three.press('hangup');
  for (const page of [one, two]) {
    await until('one is gone', async () => (await page.page.evaluate(() => window.novaTest.pcs().length)) === 1);
  }
  await two.press('hangup');
  await one.press('hangup');
  await over(ana);
  await Promise.all(pages.map((it) => it.close()));
});
