// Calls in rooms that are not as the bridge makes them, and calls that cross.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Device } from './support/device.mjs';
import { Element } from './support/element.mjs';
import { Nova, media } from './support/nova.mjs';
import { MatrixUser, NovaUser, pair, sql, until } from './support/world.mjs';

/** A direct chat that a Matrix user made, as Element does. */
async function madeByElement(levels) {
  const [matrix, nova] = await Promise.all([MatrixUser.register('elena'), NovaUser.create('Ana')]);
  const { room_id: room } = await matrix.post('/createRoom', {
    preset: levels ? 'private_chat' : 'trusted_private_chat', is_direct: true, invite: [nova.mxid], room_version: '11',
    ...(levels && { power_level_content_override: levels }),
  });
  const conversation = await until('Nova has the chat', async () => {
    const { conversations } = await nova.get('/conversations');
    return conversations.find((it) => it.matrix_room_id === room)?.id;
  });
  return { matrix, nova, room, conversation };
}

test('46: where the ghost may not call, the call ends with a word, and nothing is tried again and again', async () => {
  const { matrix, nova: user, room, conversation } = await madeByElement({ events: { 'm.call.invite': 50 } });
  const device = await Device.open(user);
  const answer = await device.place(conversation);
  // Told at once, or as soon as the homeserver has said so.
  const reason = answer.type === 'error' ? answer.code : (await device.frame('call.ended')).reason;
  assert.match(reason, /FORBIDDEN|error/);
  await until('nothing waits to be sent', () => {
    return sql(`SELECT count(*) FROM outbox WHERE job->>'do' = 'signal' AND lane::text LIKE '%${conversation}%'`) === '0';
  });
  assert.deepEqual((await user.get('/calls/active')).calls, []);
  assert.deepEqual(await matrix.callEvents(room), []);
  await device.close();
});

test('52: a call rings also where an Element Call is going on', async () => {
  const { matrix, nova: user, room } = await madeByElement();
  const session = {
    application: 'm.call', call_id: '', scope: 'm.room', device_id: matrix.device, expires: 14_400_000,
    focus_active: { type: 'livekit', focus_selection: 'oldest_membership' }, foci_preferred: [],
  };
  await matrix.put(`/rooms/${encodeURIComponent(room)}/state/org.matrix.msc3401.call.member/_${matrix.id}_${matrix.device}_m.call`, session);
  const [element, nova] = await Promise.all([Element.open(matrix, room), Nova.open(user, { chat: matrix.username })]);
  await nova.press('call-voice');
  await element.rings();
  await element.call('call.answer()');
  await element.is('connected');
  await media(element, nova);
  await Promise.all([element.close(), nova.close()]);
});

test('5: a chat that Element made carries calls both ways', async () => {
  const { matrix, nova: user, room } = await madeByElement();
  const [element, nova] = await Promise.all([Element.open(matrix, room), Nova.open(user, { chat: matrix.username })]);
  await element.place({ video: true });
  await nova.rings();
  await nova.press('accept-video');
  await element.is('connected');
  await media(element, nova, { video: true });
  await Promise.all([element.close(), nova.close()]);
});

test('14: Element hangs up while it waits for its microphone', async () => {
  const { matrix, nova: user, room, conversation } = await pair();
  const [element, device] = await Promise.all([Element.open(matrix, room), Device.open(user)]);
  await element.page.evaluate(() => {
    const { mediaDevices } = navigator;
    const real = mediaDevices.getUserMedia.bind(mediaDevices);
    const asked = new Promise((resolve) => { window.asked = resolve; });
    mediaDevices.getUserMedia = async (...it) => {
      window.asked();
      await new Promise((resolve) => { window.allow = resolve; });
      return real(...it);
    };
    window.whenAsked = asked;
  });
  await element.page.evaluate((id) => { window.element.place(id).catch(() => {}); return window.whenAsked; }, room);
  await element.call("void call.hangup('user_hangup', false)");
  await element.page.evaluate(() => window.allow());
  const lone = await until('its hangup is in the room', async () => (await matrix.callEvents(room)).find((it) => it.what === 'hangup'));
  assert.ok(!(await matrix.callEvents(room, lone.content.call_id)).some((it) => it.what === 'invite'));
  // The next call proves that nothing came of it.
  await device.place(conversation);
  await element.rings();
  assert.deepEqual((await user.get('/calls/history')).length, 1);
  assert.deepEqual(await device.frames('call.ended'), []);
  await Promise.all([element.close(), device.close()]);
});
