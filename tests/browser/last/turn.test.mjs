// Media over a TURN server only. Runs alone: Synapse is restarted with it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Element } from '../support/element.mjs';
import { Nova, media } from '../support/nova.mjs';
import { hasTurn, startTurn } from '../support/turn.mjs';
import { pair, until } from '../support/world.mjs';

/** Makes a page's connections use nothing but relays. */
const relayed = (page) => page.addInitScript(() => {
  const Real = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Real {
    constructor(configuration) {
      super({ ...configuration, iceTransportPolicy: 'relay' });
    }
  };
});

/** The kinds of the two ends over which a connection goes. */
const ends = `async (pc) => {
  const stats = await pc.getStats();
  const pairs = [...stats.values()].filter((it) => it.type === 'candidate-pair' && it.nominated && it.state === 'succeeded');
  return pairs.map((it) => [stats.get(it.localCandidateId).candidateType, stats.get(it.remoteCandidateId).candidateType]);
}`;

const skip = hasTurn() ? false : 'there is no turnserver (Debian package coturn)';

test("59: Synapse's TURN server is told to Nova, and carries a call that has no other way", { skip }, async () => {
  const before = await pair();
  const none = await before.nova.get('/api/calls/ice-servers');
  assert.ok(!JSON.stringify(none).includes('turn:'), 'without TURN none is told');
  const turn = await startTurn();
  try {
    const { matrix, nova: user, room } = await pair();
    const told = await until('Nova is told of it', async () => {
      const servers = await user.get('/api/calls/ice-servers');
      return JSON.stringify(servers).includes(turn.uri) && servers;
    });
    const server = told.ice_servers.find((it) => [it.urls].flat().includes(turn.uri));
    assert.match(server.username, new RegExp(`^\\d+:${user.mxid}$`));
    assert.ok(server.credential);
    const [element, nova] = await Promise.all([
      Element.open(matrix, room, { forceTURN: true }),
      Nova.open(user, { chat: matrix.username, prepare: relayed }),
    ]);
    await until('Element has TURN servers', () => element.page.evaluate(() => window.element.client.getTurnServers().length > 0));
    await nova.press('call-video');
    await element.rings();
    await element.call('call.answer(true, true)');
    await element.is('connected', { within: 60_000 });
    await media(element, nova, { video: true });
    const ways = [
      ...(await nova.page.evaluate(`(${ends})(window.novaTest.pc())`)),
      ...(await element.page.evaluate(`(${ends})(window.element.call().peerConn)`)),
    ];
    assert.ok(ways.length >= 2);
    for (const way of ways) assert.deepEqual(way, ['relay', 'relay']);
    await nova.press('hangup');
    await element.is('ended');
    await Promise.all([element.close(), nova.close()]);
  } finally {
    turn.stop();
  }
});
