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

test('21: both call in the same moment, whoever comes first: one call, with media', async () => {
  const { matrix, nova: user, room } = await pair();
  const [element, nova] = await Promise.all([Element.open(matrix, room), Nova.open(user, { chat: matrix.username })]);
  for (let round = 0; round < 6; round += 1) {
    // Who is ahead changes from round to round. Not as a hand clicks: if it rings by then, the sheet lies above the button.
    const press = () => nova.on('call-voice').evaluate((button) => button.click());
    const place = () => element.place();
    const both = round % 2 === 0 ? [place(), press()] : [press(), place()];
    const theirs = (await Promise.all(both)).find(Boolean);
    const { connected } = await until('one call is up', async () => {
      const calls = await element.page.evaluate(() => window.element.calls.map((it) => it.state));
      if (!calls.includes('connected')) {
        const seen = (await matrix.callEvents(room)).map((it) => `${it.sender === matrix.id ? 'E' : 'N'} ${it.what} ${it.content.call_id.slice(0, 6)}`);
        throw new Error(`${calls.join()}; ${(await element.log()).join()}; ${seen.join()}; ${JSON.stringify((await nova.state()).active)}`);
      }
      return { connected: calls.lastIndexOf('connected') };
    });
    assert.equal((await element.state(connected)).id, theirs, "Element's own call is the one that stays");
    await media({ inbound: () => element.page.evaluate((it) => window.element.inbound(it), connected) }, nova);
    assert.equal((await user.get('/calls/active')).calls.length, 1);
    const answers = (await matrix.callEvents(room, theirs)).filter((it) => it.what === 'answer');
    assert.equal(answers.length, 1);
    await nova.press('hangup');
    await until('all is quiet', async () => (await user.get('/calls/active')).calls.length === 0);
    await until('Element has no call', async () => {
      const calls = await element.page.evaluate(() => window.element.calls.map((it) => it.state));
      if (calls.some((it) => it !== 'ended')) throw new Error(calls.join());
      return true;
    });
    await nova.free();
  }
  await Promise.all([element.close(), nova.close()]);
});
