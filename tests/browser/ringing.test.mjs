// Nobody answers, the callee is busy, and several devices ring.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Element } from './support/element.mjs';
import { Nova, media } from './support/nova.mjs';
import { MatrixUser, pair, sdp, until } from './support/world.mjs';

const ended = (nova) => until('the call has ended in Nova', async () => {
  const last = await nova.lastCall();
  return last?.ended_at && last;
}, { within: 75_000 });

/** By the bridge's own clock, which waits for nobody: in milliseconds. */
const lasted = (call) => Date.parse(call.ended_at) - Date.parse(call.created_at);

describe('ringing', { concurrency: 2 }, () => {
  test('11: nobody answers Nova for a minute', async () => {
    const { matrix, nova: user, conversation, room } = await pair();
    const element = await Element.open(matrix, room);
    await user.post(`/conversations/${conversation}/calls`, { offer: { type: 'offer', sdp: sdp() } });
    const { id } = await element.rings();
    const call = await ended(user);
    assert.equal(call.reason, 'no_answer');
    const took = lasted(call);
    assert.ok(took > 58_000 && took < 62_000, `after ${took} ms`);
    await element.is('ended');
    const hangup = await until('the hangup is in the room', async () => {
      return (await matrix.callEvents(room, id)).find((it) => it.what === 'hangup');
    });
    assert.equal(hangup.content.reason, 'invite_timeout');
    await element.close();
  });

  test('12: nobody answers Element for a minute', async () => {
    const { matrix, nova: user, room } = await pair();
    const element = await Element.open(matrix, room);
    const nova = await Nova.open(user);
    const id = await element.place();
    await nova.rings();
    await element.is('ended', { within: 75_000 });
    await nova.quiet();
    const call = await ended(user);
    assert.equal(call.missed, true);
    assert.ok(lasted(call) < 62_000, `after ${lasted(call)} ms`);
    const bridge = (await matrix.callEvents(room, id)).filter((it) => it.sender === user.mxid);
    assert.deepEqual(bridge, []);
    await Promise.all([element.close(), nova.close()]);
  });

  test('9: somebody in a call is busy for others', async () => {
    const { matrix, nova: user, room } = await pair();
    const other = await MatrixUser.register('marek');
    const { id: second } = await user.post('/conversations/matrix', { mxid: other.id });
    const secondRoom = await until('the second room is there', async () => {
      return (await user.get(`/api/v2/matrix/rooms/${second}`)).room_id;
    });
    await other.join(secondRoom);
    const [element, marek, nova] = await Promise.all([
      Element.open(matrix, room), Element.open(other, secondRoom), Nova.open(user),
    ]);
    await element.place();
    await nova.rings();
    await nova.press('accept');
    await element.is('connected');
    await media(element, nova);

    const id = await marek.place();
    const refused = await marek.is('ended');
    assert.equal(refused.reason, 'user_busy');
    const [reject, ...more] = (await other.callEvents(secondRoom, id)).filter((it) => it.sender === user.mxid);
    assert.deepEqual([reject.what, reject.content.reason, more], ['reject', 'user_busy', []]);
    const call = (await user.get('/calls/history')).find((it) => it.conversation_id === second);
    assert.deepEqual([call.missed, call.reason], [true, 'busy']);
    await media(element, nova);
    await Promise.all([element.close(), marek.close(), nova.close()]);
  });

  // How soon they stop is looked at in device.test.mjs, where the moment of the answer is known.
  test('15: three devices ring, one accepts, the others stop', async () => {
    const { matrix, nova: user, room } = await pair();
    const [element, one, two, three] = await Promise.all([
      Element.open(matrix, room), Nova.open(user), Nova.open(user), Nova.open(user),
    ]);
    const id = await element.place();
    await Promise.all([one, two, three].map((it) => it.rings()));
    await two.press('accept');
    await Promise.all([one, three].map((it) => it.quiet()));
    await element.is('connected');
    await media(element, two);
    const answers = (await matrix.callEvents(room, id)).filter((it) => it.what === 'answer');
    assert.equal(answers.length, 1);
    await Promise.all([element, one, two, three].map((it) => it.close()));
  });

  test('16: of two that accept at the same moment one has it, a hundred times', async () => {
    const { matrix, nova: user, room } = await pair();
    for (let round = 0; round < 100; round += 1) {
      const id = `race${round}x${Date.now()}`;
      const common = { call_id: id, party_id: 'ELEMENT', version: '1' };
      const offer = { type: 'offer', sdp: sdp() };
      await matrix.send(room, 'm.call.invite', { ...common, lifetime: 60_000, offer });
      const call = await until('it rings', async () => (await user.get('/calls/active')).calls[0]);
      const answer = (stream) => user.try(`/calls/${call.call_id}/answer`, { answer_sdp: sdp(stream) });
      const statuses = (await Promise.all([answer('a'), answer('b')])).map((it) => it.status).sort();
      assert.deepEqual(statuses, [200, 409]);
      await user.post(`/calls/${call.call_id}/end`);
      const said = await until('its end is in the room', async () => {
        const all = (await matrix.callEvents(room, id)).map((it) => it.what);
        return (all.includes('hangup') || all.includes('reject')) && all;
      });
      assert.ok(said.filter((it) => it === 'answer').length <= 1, said.join());
    }
  });

  test('16: of two pages that accept at the same moment one has the call, and hears and is heard', async () => {
    const { matrix, nova: user, room } = await pair();
    const [element, one, two] = await Promise.all([Element.open(matrix, room), Nova.open(user), Nova.open(user)]);
    for (let round = 0; round < 5; round += 1) {
      const id = await element.place();
      await Promise.all([one.rings(), two.rings()]);
      // Not as a hand clicks: that would wait for the sheet to stand still, and one would be too late. The buttons are found
      // before, for the sheet of the one may be gone when the other has been pressed.
      const buttons = await Promise.all([one, two].map((it) => it.on('accept').first().elementHandle()));
      await Promise.all(buttons.map((it) => it.evaluate((button) => button.click())));
      await element.is('connected');
      const winner = await until('one of them has the call', async () => {
        const [call] = (await user.get('/calls/active')).calls;
        const states = await Promise.all([one, two].map((it) => it.state()));
        const has = states.map(({ active }) => active?.participantId === call.participant_id && active.phase !== 'ended');
        return has[0] !== has[1] && [one, two][has.indexOf(true)];
      });
      await media(element, winner);
      const answers = (await matrix.callEvents(room, id)).filter((it) => it.what === 'answer');
      assert.equal(answers.length, 1);
      await winner.press('hangup');
      await element.is('ended');
      await Promise.all([one, two].map((it) => it.free()));
    }
    await Promise.all([element, one, two].map((it) => it.close()));
  });

  test('17, 18: of two devices in Element the one that answers first has the call', async () => {
    const { matrix, nova: user, room } = await pair();
    const login = await matrix.login();
    const [first, second, nova] = await Promise.all([
      Element.open(matrix, room), Element.open(matrix, room, { login }), Nova.open(user, { chat: matrix.username }),
    ]);
    await nova.press('call-voice');
    await Promise.all([first.rings(), second.rings()]);
    await second.call('call.answer()');
    await second.is('connected');
    const lost = await first.is('ended');
    assert.equal(lost.reason, 'answered_elsewhere');
    await media(second, nova);
    await nova.press('hangup');
    await second.is('ended');

    // Both at once.
    const calls = await Promise.all([first.count(), second.count()]);
    await nova.free();
    await nova.press('call-voice');
    const [{ id }] = await Promise.all([first.rings(calls[0]), second.rings(calls[1])]);
    await Promise.all([first.call('call.answer()'), second.call('call.answer()')]);
    const winner = await until('one has it, and the other has not', async () => {
      const states = (await Promise.all([first.state(), second.state()])).map((it) => it.state);
      if (!states.includes('ended') || !states.includes('connected')) throw new Error(states.join());
      return states[0] === 'connected' ? first : second;
    });
    await media(winner, nova);
    const chosen = await until('it is told who has it', async () => {
      const all = (await matrix.callEvents(room, id)).filter((it) => it.what === 'select_answer');
      return all.length > 0 && all;
    });
    assert.deepEqual(chosen.map((it) => it.content.selected_party_id), [winner.device]);
    await Promise.all([first, second, nova].map((it) => it.close()));
  });
});
