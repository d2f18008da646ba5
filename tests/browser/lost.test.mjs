// Connections that go away for a while, or for good.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Element } from './support/element.mjs';
import { Nova, media } from './support/nova.mjs';
import { pair, until } from './support/world.mjs';

async function up() {
  const people = await pair();
  const [element, nova] = await Promise.all([
    Element.open(people.matrix, people.room),
    Nova.open(people.nova, { chat: people.matrix.username }),
  ]);
  const id = await element.place();
  await nova.rings();
  await nova.press('accept');
  await element.is('connected');
  await media(element, nova);
  const events = (what) => people.matrix.callEvents(people.room, id).then((all) => all.filter((it) => it.what === what));
  const close = () => Promise.all([element.close(), nova.close()]);
  const user = people.nova;
  return { ...people, user, element, nova, id, events, close };
}

const seconds = (count) => new Promise((resolve) => setTimeout(resolve, count * 1000));

describe('lost connections', { concurrency: 3 }, () => {
  test('30: Nova is away from the bridge for ten seconds, and the call goes on', async () => {
    const { element, nova, user, events, close } = await up();
    await nova.disconnect();
    // What is said meanwhile reaches it later.
    await element.call('call.setLocalVideoMuted(false)');
    await seconds(10);
    assert.equal((await element.state()).state, 'connected');
    await media(element, nova);
    await nova.reconnect();
    await until('Nova sees the camera that was switched on meanwhile', async () => (await nova.inbound()).video > 2000);
    assert.deepEqual(await events('hangup'), []);
    assert.equal((await user.get('/calls/active')).calls[0].status, 'connected');
    await nova.press('hangup');
    await element.is('ended');
    await close();
  });

  test('31: Nova stays away for longer than thirty seconds, and the call ends', async () => {
    const { element, nova, user, events, close } = await up();
    const started = Date.now();
    await nova.disconnect();
    await element.is('ended', { within: 60_000 });
    const [hangup] = await events('hangup');
    assert.equal(hangup.content.reason, 'unknown_error');
    const call = await user.lastCall();
    assert.equal(call.reason, 'lost');
    // By the bridge's own clock: Element hears of it when it has its turn.
    const took = Date.parse(call.ended_at) - started;
    assert.ok(took > 28_000 && took < 34_000, `after ${took} ms`);
    await nova.reconnect();
    await close();
  });

  test("32: Nova's media dies while it stays connected, and is brought back", async () => {
    const { element, nova, user, close } = await up();
    await nova.page.evaluate(() => [window.novaTest.pc()].flat().forEach((it) => it.close()));
    await until('Nova has a new connection', () => nova.page.evaluate(() => {
      return [window.novaTest.pc()].flat().some((it) => it?.connectionState === 'connected');
    }));
    await media(element, nova);
    await nova.press('hangup');
    await element.is('ended');
    await until('no call is left', async () => (await user.get('/calls/active')).calls.length === 0);
    await close();
  });

  test('33: Nova reloads its page and comes back into the call', async () => {
    const { element, nova, user, close } = await up();
    await nova.page.reload();
    await nova.on('rejoin').click();
    await media(element, nova);
    assert.equal((await element.state()).state, 'connected');
    await nova.press('hangup');
    await element.is('ended');
    await until('no call is left', async () => (await user.get('/calls/active')).calls.length === 0);
    await close();
  });

  test('48: Element leaves the room, which ends the call', async () => {
    const { matrix, room, user, close } = await up();
    await matrix.post(`/rooms/${encodeURIComponent(room)}/leave`);
    const call = await until('the call has ended', async () => {
      const last = await user.lastCall();
      return last.ended_at && last;
    });
    assert.equal(call.reason, 'user_hangup');
    await close();
  });
});
