// The bridge dies while it rings and in a call. Runs alone: everybody's bridge dies.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Element } from '../support/element.mjs';
import { Nova, media } from '../support/nova.mjs';
import { pair, restart, sql, until } from '../support/world.mjs';

async function open() {
  const people = await pair();
  const [element, nova] = await Promise.all([
    Element.open(people.matrix, people.room),
    Nova.open(people.nova, { chat: people.matrix.username }),
  ]);
  const close = () => Promise.all([element.close(), nova.close()]);
  return { ...people, user: people.nova, element, nova, close };
}

const nothingLeft = () => until('no unfinished call and no event of one is left', () => {
  const left = sql(`SELECT (SELECT count(*) FROM call_sessions WHERE ended_at IS NULL)
                         + (SELECT count(*) FROM outbox WHERE job->>'do' = 'signal')`);
  if (left !== '0') throw new Error(`${left} are left`);
  return true;
});

test('34: the bridge is killed while Element rings Nova, and Nova can still accept', async () => {
  const { element, nova, close } = await open();
  await element.place();
  await nova.rings();
  await nova.reconnected(() => restart('bridge', '--kill'));
  await nova.rings();
  await nova.press('accept');
  await element.is('connected');
  await media(element, nova);
  await nova.press('hangup');
  await element.is('ended');
  await close();
  await nothingLeft();
});

test('the bridge is killed while Nova rings Element, and Element can still answer', async () => {
  const { element, nova, close } = await open();
  await nova.press('call-voice');
  await element.rings();
  restart('bridge', '--kill');
  await element.call('call.answer()');
  await element.is('connected');
  await media(element, nova);
  await element.call("call.hangup('user_hangup', false)");
  await close();
  await nothingLeft();
});

test('the bridge is killed in a call, and the call goes on', async () => {
  const { element, nova, user, close } = await open();
  await element.place();
  await nova.rings();
  await nova.press('accept');
  await element.is('connected');
  await media(element, nova);
  await nova.reconnected(() => restart('bridge', '--kill'));
  await media(element, nova);
  await nova.press('mute');
  await until('Element sees that Nova is muted', async () => (await element.feeds())[0].audioMuted);
  assert.equal((await user.get('/calls/active')).calls[0].status, 'connected');
  await nova.press('hangup');
  await element.is('ended');
  await close();
  await nothingLeft();
});

test('35: what rang while the bridge was down is a missed call, and nothing answers it', async () => {
  const { matrix, user, room, element, nova, close } = await open();
  restart('bridge', '--kill', '--stop-only');
  const id = await element.place();
  await element.is('ended', { within: 75_000 });
  restart('bridge', '--start-only');
  const call = await until('Nova knows of the missed call', async () => {
    const last = await user.lastCall();
    return last?.missed && last;
  }, { within: 60_000 });
  assert.equal(call.direction, 'incoming');
  assert.equal(await nova.on('incoming').isVisible(), false);
  const bridge = (await matrix.callEvents(room, id)).filter((it) => it.sender === user.mxid);
  assert.deepEqual(bridge, []);
  await close();
  await nothingLeft();
});
