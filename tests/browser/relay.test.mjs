// Media that can only go through a TURN server: the bridge has to give out the homeserver's, in time and in full.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Element } from './support/element.mjs';
import { Nova, media } from './support/nova.mjs';
import { pair, until } from './support/world.mjs';

/** The page's connections may use nothing but a relay. */
function onlyRelayed(page) {
  return page.addInitScript(() => {
    const Plain = window.RTCPeerConnection;
    window.RTCPeerConnection = class extends Plain {
      constructor(configuration) {
        super({ ...configuration, iceTransportPolicy: 'relay' });
      }
    };
  });
}

/** Which kinds of candidates carry the media of the page. */
function kinds(nova) {
  return nova.page.evaluate(async () => {
    const [connection] = [window.novaTest.pc()].flat().filter(Boolean);
    const stats = [...(await connection.getStats()).values()];
    const by = (id) => stats.find((it) => it.id === id);
    const pair = stats.find((it) => it.type === 'candidate-pair' && it.nominated && it.state === 'succeeded');
    return pair && [by(pair.localCandidateId).candidateType, by(pair.remoteCandidateId).candidateType];
  });
}

for (const caller of ['Nova', 'Element']) {
  test(`59: both sides can only be reached through TURN, and ${caller} calls`, async () => {
    const { matrix, nova: user, room } = await pair();
    const [element, nova] = await Promise.all([
      Element.open(matrix, room, { forceTURN: true }),
      Nova.open(user, { chat: matrix.username, prepare: onlyRelayed }),
    ]);
    // Its engine asks in the background, and a call that is placed before has no way at all.
    await until('Element knows the TURN server', () => element.page.evaluate(() => window.element.client.getTurnServers().length > 0));
    const { iceServers } = await user.get('/api/calls/ice-servers');
    const relay = iceServers.find((it) => [it.urls].flat().some((url) => url.startsWith('turn:')));
    assert.ok(relay?.username && relay.credential, "the homeserver's server, with what it wants to see");
    if (caller === 'Nova') {
      await nova.press('call-voice');
      await element.rings();
      await element.call('call.answer()');
    } else {
      await element.place();
      await nova.rings();
      await nova.press('accept');
    }
    await element.is('connected');
    await media(element, nova);
    assert.deepEqual(await until('the way of the media is known', () => kinds(nova)), ['relay', 'relay']);
    await nova.press('hangup');
    await element.is('ended');
    await Promise.all([element.close(), nova.close()]);
  });
}
