// Both call each other at the same moment: Element's call is the one that stays.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Element } from './support/element.mjs';
import { Nova, media } from './support/nova.mjs';
import { pair, until } from './support/world.mjs';

async function crossing(invitee) {
  const people = await pair();
  const [element, nova] = await Promise.all([
    Element.open(people.matrix, people.room),
    Nova.open(people.nova, { chat: people.matrix.username }),
  ]);
  await nova.press('call-voice');
  const { id: ours } = await element.rings();
  const theirs = await element.place(invitee ? { invitee: people.nova.mxid } : {});
  return { ...people, user: people.nova, element, nova, ours, theirs };
}

async function oneCall({ matrix, user, room, element, nova, ours, theirs }) {
  await element.is('connected');
  await media(element, nova);
  const { calls } = await user.get('/calls/active');
  assert.equal(calls.length, 1);
  const own = await matrix.callEvents(room, ours);
  const hangups = own.filter((it) => it.what === 'hangup');
  assert.ok(hangups.length >= 1, own.map((it) => it.what).join());
  const answers = (await matrix.callEvents(room, theirs)).filter((it) => it.what === 'answer');
  assert.equal(answers.length, 1);
  const [last, first] = await user.get('/calls/history?limit=2');
  assert.deepEqual([first.reason, last.status], ['replaced', 'connected']);
  await nova.press('hangup');
  await element.is('ended');
  await until('no call is left', async () => (await user.get('/calls/active')).calls.length === 0);
  await Promise.all([element.close(), nova.close()]);
}

test('20: Element calls while it rings for Nova, without an invitee, as it always does', async () => {
  await oneCall(await crossing(false));
});

test('22: a client on the same engine that names its invitee', async () => {
  await oneCall(await crossing(true));
});
