// What people do in a call that is up.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { shot } from './support/browser.mjs';
import { Element } from './support/element.mjs';
import { Nova, media } from './support/nova.mjs';
import { pair, until } from './support/world.mjs';

let people, element, nova, id;

before(async () => {
  people = await pair();
  [element, nova] = await Promise.all([
    Element.open(people.matrix, people.room),
    Nova.open(people.nova, { chat: people.matrix.username }),
  ]);
});
after(() => Promise.all([element?.close(), nova?.close()]));

const events = async (what) => (await people.matrix.callEvents(people.room, id)).filter((it) => it.what === what);
const muted = (audio, video) => until(`Element sees audio muted ${audio}, video muted ${video}`, async () => {
  const [feed] = await element.feeds();
  if (feed.audioMuted !== audio || feed.videoMuted !== video) throw new Error(JSON.stringify(feed));
  return true;
});

async function end() {
  await nova.press('hangup');
  await element.is('ended');
  await nova.free();
}

const atPeace = () => until('both are at peace', async () => {
  const here = await nova.page.evaluate(() => window.novaTest.pc().signalingState);
  return here === 'stable' && (await element.call("call.peerConn.signalingState === 'stable'"));
});

describe('Element called', () => {
  beforeEach(async () => {
    id = await element.place();
    await nova.rings();
    await nova.press('accept');
    await element.is('connected');
    await media(element, nova);
  });
  afterEach(end);

  test('23: Nova mutes and unmutes, and Element sees both', async () => {
    await nova.press('mute');
    await muted(true, true);
    await nova.press('mute');
    await muted(false, true);
    const said = await events('sdp_stream_metadata_changed');
    const ours = said.filter((it) => it.sender === people.nova.mxid && it.content.sdp_stream_metadata);
    const audio = ours.map((it) => Object.values(it.content.sdp_stream_metadata)[0].audio_muted);
    assert.deepEqual([...new Set(audio)], [true, false]);
    for (const { content } of ours) {
      const [stream] = Object.values(content.sdp_stream_metadata);
      assert.equal(typeof stream.audio_muted, 'boolean');
      assert.equal(typeof stream.video_muted, 'boolean');
      assert.deepEqual(content['org.matrix.msc3077.sdp_stream_metadata'], content.sdp_stream_metadata);
    }
  });

  test('24: Element mutes and unmutes, and Nova sees both', async () => {
    const heard = (audio) => until(`Nova is told that audio is ${audio}`, async () => {
      const text = await nova.page.evaluate(() => JSON.stringify(window.novaTest.state()));
      return audio ? !/"audioEnabled":false|"audio":false|"audioMuted":true/.test(text) : /"audioEnabled":false|"audio":false|"audioMuted":true/.test(text);
    });
    await element.call('call.setMicrophoneMuted(true)');
    await heard(false);
    await element.call('call.setMicrophoneMuted(false)');
    await heard(true);
  });

  test('25: Element holds and resumes', async () => {
    await element.call('call.setRemoteOnHold(true)');
    await nova.says(/hold/i);
    await shot(nova.page, 'on-hold');
    await element.call('call.setRemoteOnHold(false)');
    await nova.says(/\d\d:\d\d/);
    await media(element, nova);
  });

  test('26: Element switches its camera on later', async () => {
    await element.call('call.setLocalVideoMuted(false)');
    await until('Nova sees Element', async () => (await nova.inbound()).video > 2000);
    await nova.on('remote-video').first().waitFor();
  });

  test('27: Nova switches its camera on later', async () => {
    await nova.press('camera');
    await until('Element sees Nova', async () => (await element.inbound()).video > 2000);
    await muted(false, false);
  });

  test('28: Nova shares its screen', async () => {
    await nova.press('share');
    await until('Element has a screen beside the camera', async () => {
      return (await element.feeds()).some((feed) => feed.purpose === 'm.screenshare');
    });
    await until('Element sees it', async () => (await element.inbound()).video > 2000);
    const asked = (await events('negotiate')).filter((it) => it.sender === people.nova.mxid).at(-1);
    const purposes = Object.values(asked.content.sdp_stream_metadata).map((it) => it.purpose).sort();
    assert.deepEqual(purposes, ['m.screenshare', 'm.usermedia']);
    await media(element, nova);
  });

  test('28: Element shares its screen', async () => {
    await element.call('call.setScreensharingEnabled(true)');
    await until('Nova sees it', async () => (await nova.inbound()).video > 2000);
    await until('Nova knows that it is a screen', async () => {
      const [peer] = Object.values((await nova.state()).active.peers);
      return peer.hasScreen && !peer.hasVideo;
    });
    await nova.on('remote-screen').first().waitFor();
    await shot(nova.page, 'shared-screen');
  });

  test('29: both change what they send at the same moment: Nova, who was called, gives way', async () => {
    await Promise.all([nova.press('camera'), element.call('call.setLocalVideoMuted(false)')]);
    await until('Nova sees Element', async () => (await nova.inbound()).video > 2000);
    await until('Element sees Nova', async () => (await element.inbound()).video > 2000);
    await atPeace();
    assert.equal((await element.state()).state, 'connected');
    assert.deepEqual(await events('hangup'), []);
  });
});

describe('Nova called', () => {
  beforeEach(async () => {
    const calls = await element.count();
    await nova.press('call-voice');
    ({ id } = await element.rings(calls));
    await element.call('call.answer()');
    await element.is('connected');
    await media(element, nova);
  });
  afterEach(end);

  test('26: Element switches its camera on later', async () => {
    await element.call('call.setLocalVideoMuted(false)');
    await until('Nova sees Element', async () => (await nova.inbound()).video > 2000);
  });

  test('27: Nova switches its camera on, off and on again', async () => {
    await nova.press('camera');
    await until('Element sees Nova', async () => (await element.inbound()).video > 2000);
    await muted(false, false);
    await nova.press('camera');
    await muted(false, true);
    await nova.press('camera');
    await muted(false, false);
    await media(element, nova);
  });

  test('29: both change what they send at the same moment: Element, who was called, gives way', async () => {
    await Promise.all([nova.press('camera'), element.call('call.setLocalVideoMuted(false)')]);
    await until('Element sees Nova', async () => (await element.inbound()).video > 2000);
    await atPeace();
    assert.equal((await element.state()).state, 'connected');
    await media(element, nova);
  });
});
