// What needs more control than a user has: a scripted device on Nova's side.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Device } from './support/device.mjs';
import { Element } from './support/element.mjs';
import { media } from './support/nova.mjs';
import { pair, until } from './support/world.mjs';

async function open(devices = 1) {
  const people = await pair();
  const all = await Promise.all([
    Element.open(people.matrix, people.room),
    ...Array.from({ length: devices }, () => Device.open(people.nova)),
  ]);
  const [element, ...opened] = all;
  const events = (call) => people.matrix.callEvents(people.room, call);
  const close = () => Promise.all(all.map((it) => it.close()));
  return { ...people, user: people.nova, element, device: opened[0], devices: opened, events, close };
}

const ours = (user) => (event) => event.sender === user.mxid;

async function over(user) {
  return until('the call has ended in Nova', async () => {
    const last = await user.lastCall();
    return last.ended_at && last;
  }, { within: 60_000 });
}

describe('a scripted device', { concurrency: 2 }, () => {
  test('15: three devices ring, the second accepts, and the others are told who has it', async () => {
    const { user, element, devices, events, close } = await open(3);
    const call = await element.place();
    const ids = await Promise.all(devices.map((it) => it.rings()));
    assert.equal(new Set(ids).size, 1);
    await devices[1].prepare(ids[0]);
    const started = Date.now();
    const answer = await devices[1].commit();
    assert.equal(answer.success, true);
    const told = await Promise.all(devices.map((it) => it.frame('call.answered_elsewhere')));
    for (const frame of told) {
      assert.equal(frame.participant_id, answer.participant_id);
      assert.ok(frame.heard - started < 3000, `${frame.heard - started} ms after the accept`);
    }
    await element.is('connected');
    await media(element, devices[1]);
    const answers = (await events(call)).filter((it) => it.what === 'answer');
    assert.equal(answers.length, 1);
    assert.equal(new Set((await events(call)).filter(ours(user)).map((it) => it.content.party_id)).size, 1);
    // Its end is told to each of them, once.
    await element.call("call.hangup('user_hangup', false)");
    for (const device of devices) assert.equal((await device.frame('call.ended')).reason, 'user_hangup');
    for (const device of devices) assert.equal((await device.frames('call.ended')).length, 1);
    await close();
  });

  test('40: the answer and all candidates in the same moment: the answer is first in the room', async () => {
    const { user, element, device, events, close } = await open();
    const call = await element.place({ video: true });
    const id = await device.rings();
    await device.accept(id, { video: true, gathered: true });
    await element.is('connected');
    await media(element, device, { video: true });
    // Media does not wait for them: they are in the answer, too.
    const said = await until('the candidates are in the room', async () => {
      const all = (await events(call)).filter(ours(user)).map((it) => it.what);
      return all.includes('candidates') && all;
    });
    assert.equal(said[0], 'answer');
    await close();
  });

  test('41: offers of a browser without streams, or that only receive, are refused before anything rings', async () => {
    const { conversation, element, device, events, close } = await open();
    for (const shape of ['streamless', 'receiving']) {
      for (const video of [false, true]) {
        const refused = await device.place(conversation, { shape, video });
        assert.deepEqual([refused.type, refused.code], ['error', 'BAD_OFFER'], JSON.stringify(refused));
      }
    }
    assert.deepEqual(await events(), []);
    assert.equal(await element.count(), 0);
    await close();
  });

  test('42: without a word about its streams Nova calls, and Element can switch its camera on', async () => {
    const { conversation, element, device, events, close } = await open();
    await device.place(conversation);
    const { id } = await element.rings();
    const [invite] = (await events(id)).filter((it) => it.what === 'invite');
    const [[stream, said]] = Object.entries(invite.content.sdp_stream_metadata);
    assert.ok(invite.content.offer.sdp.includes(`a=msid:${stream} `));
    assert.deepEqual(said, { purpose: 'm.usermedia', audio_muted: false, video_muted: true });
    await element.call('call.answer()');
    await element.is('connected');
    await media(element, device);
    await element.call('call.setLocalVideoMuted(false)');
    await until('Nova sees Element', async () => (await device.inbound()).video > 2000);
    await close();
  });

  test('24: mute by either key and with every switch said', async () => {
    const { matrix, room, element, device, close } = await open();
    const call = await element.place({ video: true });
    await device.accept(await device.rings(), { video: true });
    await element.is('connected');
    await media(element, device, { video: true });
    const told = async (wanted, count) => {
      await until(`Nova is told ${wanted}`, async () => {
        const frames = await device.frames('call.media_state');
        const now = frames.slice(count).map((it) => [it.audio_enabled, it.video_enabled]);
        if (!now.some((it) => it.join() === wanted.join())) throw new Error(JSON.stringify(frames));
        return true;
      });
      return (await device.frames('call.media_state')).length;
    };
    let seen = 0;
    await element.call('call.setMicrophoneMuted(true)');
    seen = await told([false, true], seen);
    await element.call('call.setLocalVideoMuted(true)');
    seen = await told([false, false], seen);
    await element.call('call.setMicrophoneMuted(false)');
    seen = await told([true, false], seen);
    // As the Element of 2025 says it.
    const stream = await element.call('call.localUsermediaStream.id');
    await matrix.send(room, 'org.matrix.call.sdp_stream_metadata_changed', {
      call_id: call, party_id: element.device, version: '1',
      'org.matrix.msc3077.sdp_stream_metadata': { [stream]: { purpose: 'm.usermedia', audio_muted: true, video_muted: true } },
    });
    await told([false, false], seen);
    await close();
  });

  test('25: hold and resume are negotiated, and end in peace', async () => {
    const { user, element, device, events, close } = await open();
    const call = await element.place();
    await device.accept(await device.rings());
    await element.is('connected');
    await media(element, device);
    for (const [hold, direction] of [[true, 'sendonly'], [false, 'sendrecv']]) {
      await element.call('call.setRemoteOnHold(it)', hold);
      await device.frame('call.negotiate', (it) => it.description.type === 'offer' && it.sdp.includes(`a=${direction}`));
      await until('Element is at peace', () => element.call("call.peerConn.signalingState === 'stable'"));
      await until('Nova has answered', async () => {
        const answers = (await events(call)).filter(ours(user)).filter((it) => it.what === 'negotiate');
        return answers.length >= (hold ? 1 : 2) && answers.every((it) => it.content.description.type === 'answer');
      });
    }
    await media(element, device);
    await close();
  });

  test("32: Nova's media is dead and nothing answers for it: Element gives up, and nothing is left", async () => {
    const { user, element, device, close } = await open();
    await element.place();
    await device.accept(await device.rings());
    await element.is('connected');
    await media(element, device);
    await device.page.evaluate(() => {
      window.device.answersChanges = false;
      window.device.call.pc.close();
      window.device.act = async () => {};
    });
    const died = Date.now();
    const asked = await device.frame('call.negotiate', (it) => it.description.type === 'offer', { within: 30_000 });
    assert.ok(asked.heard - died < 25_000, `asked after ${asked.heard - died} ms`);
    await element.is('ended', { within: 60_000 });
    const ended = await device.frame('call.ended');
    assert.equal(ended.reason, 'ice_failed');
    assert.equal((await over(user)).reason, 'ice_failed');
    assert.deepEqual((await user.get('/calls/active')).calls, []);
    await close();
  });

  test('30: a device that comes back with its cursor finds what was said meanwhile, in order and once', async () => {
    const { user, element, device, events, close } = await open();
    const call = await element.place();
    const id = await device.rings();
    await device.accept(id);
    await element.is('connected');
    await media(element, device);
    await device.do('stop');
    await until('the bridge knows that it went', async () => (await user.get(`/calls/${id}/status`)).status === 'connected');
    await element.call('call.setMicrophoneMuted(true)');
    await element.call('call.setLocalVideoMuted(false)');
    await until('Element has asked for its camera', async () => {
      return (await events(call)).some((it) => it.what === 'negotiate' && it.sender !== user.mxid);
    });
    await device.connect();
    await until('Nova sees Element', async () => (await device.inbound()).video > 2000);
    // Several candidates of one event have one place, and are told apart by themselves.
    const heard = await device.page.evaluate(() => window.device.frames.filter((it) => it.stream_id).map((it) => `${it.stream_id} ${it.type} ${it.candidate}`));
    assert.equal(new Set(heard).size, heard.length, heard.join('; '));
    const places = heard.map((it) => it.split(/[- ]/).slice(0, 2).map(Number));
    const inOrder = places.every(([at, n], index) => {
      const [before, m] = places[Math.max(0, index - 1)];
      return at > before || (at === before && n >= m);
    });
    assert.ok(inOrder, heard.join('; '));
    // The same party goes on.
    const parties = (await events(call)).filter(ours(user)).map((it) => it.content.party_id);
    assert.equal(new Set(parties).size, 1);
    await close();
  });

  test('19: a second answer and the hangup of who gave it change nothing', async () => {
    const { matrix, room, conversation, element, device, events, close } = await open();
    await device.place(conversation);
    const { id } = await element.rings();
    await element.call('call.answer()');
    await element.is('connected');
    await media(element, device);
    const [answer] = (await events(id)).filter((it) => it.what === 'answer');
    const other = { call_id: id, version: '1', party_id: 'SECOND' };
    await matrix.send(room, 'm.call.answer', { ...other, answer: answer.content.answer });
    await matrix.send(room, 'm.call.hangup', { ...other, reason: 'user_hangup' });
    // Something that comes after them proves that they were passed by.
    await element.call('call.setMicrophoneMuted(true)');
    await device.frame('call.media_state', (it) => it.audio_enabled === false);
    assert.equal((await device.frames('call.answered')).length, 1);
    assert.equal((await device.frames('call.ended')).length, 0);
    await media(element, device);
    await close();
  });
});
