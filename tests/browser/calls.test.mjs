// Calls as people make them: voice and video, both ways, answered, declined, taken back.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { shot } from './support/browser.mjs';
import { Element } from './support/element.mjs';
import { Nova, media } from './support/nova.mjs';
import { pair, sdp, until } from './support/world.mjs';

let people, element, nova;

before(async () => {
  people = await pair();
  [element, nova] = await Promise.all([
    Element.open(people.matrix, people.room),
    Nova.open(people.nova, { chat: people.matrix.username }),
  ]);
});
after(() => Promise.all([element?.close(), nova?.close()]));

const events = (call) => people.matrix.callEvents(people.room, call);
const names = async (call) => (await events(call)).map((it) => it.what);
/** Waits for the first event of a kind: who is connected need not be the last to hear. */
const said = (call, what) => until(`${what} is in the room`, async () => (await events(call)).find((it) => it.what === what));
const bridge = (event) => event.sender === people.nova.mxid;

/** Nova calls, and Element rings. Returns the call's id in Matrix. */
async function novaCalls({ video = false } = {}) {
  const calls = await element.count();
  await nova.press(video ? 'call-video' : 'call-voice');
  return (await element.rings(calls)).id;
}

/** Element calls, and Nova rings. */
async function elementCalls(options) {
  const call = await element.place(options);
  await nova.rings();
  return call;
}

async function over(reason) {
  const call = await until('the call has ended in Nova', async () => {
    const last = await people.nova.lastCall();
    return last?.ended_at && last;
  });
  assert.equal(call.reason, reason);
  await nova.free();
  return call;
}

test('1, 2, 3: Nova calls, Element answers, both hear each other, Nova hangs up', async () => {
  const call = await novaCalls();
  const [invite, ...more] = (await events(call)).filter((it) => it.what === 'invite');
  assert.equal(more.length, 0);
  assert.match(call, /^~/);
  assert.equal(invite.sender, people.nova.mxid);
  const { content } = invite;
  assert.deepEqual([content.version, content.invitee, content.lifetime], ['1', people.matrix.id, 60_000]);
  const [metadata] = Object.values(content.sdp_stream_metadata);
  assert.deepEqual(metadata, { purpose: 'm.usermedia', audio_muted: false, video_muted: true });
  assert.deepEqual(content['org.matrix.msc3077.sdp_stream_metadata'], content.sdp_stream_metadata);
  assert.equal((await element.state()).type, 'voice');
  await nova.says(/ringing|calling/i);
  await shot(nova.page, 'calling');

  await element.call('call.answer()');
  await element.is('connected');
  await media(element, nova);
  const chosen = await said(call, 'select_answer');
  assert.deepEqual([chosen.sender, chosen.content.selected_party_id], [people.nova.mxid, element.device]);
  assert.equal(chosen.content.party_id, content.party_id);
  await nova.says(/\d\d:\d\d/);
  await shot(nova.page, 'voice-call');

  await nova.press('hangup');
  const ended = await element.is('ended');
  assert.equal(ended.reason, 'user_hangup');
  const last = (await events(call)).at(-1);
  assert.deepEqual([last.what, last.content.reason, last.content.party_id], ['hangup', 'user_hangup', content.party_id]);
  const { duration_ms: duration } = await over('user_hangup');
  assert.ok(duration > 0);
});

test('4: Element hangs up, and the bridge says nothing more', async () => {
  const call = await novaCalls();
  await element.call('call.answer()');
  await element.is('connected');
  await media(element, nova);
  // What is on its way to the room when the hangup comes is no word after it.
  const last = (it) => bridge(it) && it.what === 'candidates' && it.content.candidates.some(({ candidate }) => candidate === '');
  await until("Nova's last candidate is in the room", async () => (await events(call)).some(last));
  await element.call("call.hangup('user_hangup', false)");
  await over('user_hangup');
  const all = await events(call);
  const hangup = all.findIndex((it) => it.what === 'hangup');
  assert.deepEqual(all.slice(hangup + 1).filter(bridge), []);
});

test('5, 40: Element calls, Nova accepts, the answer comes before any candidate', async () => {
  const call = await elementCalls();
  await shot(nova.page, 'incoming-voice');
  await nova.press('accept');
  await element.is('connected');
  await media(element, nova);
  const ours = (await events(call)).filter(bridge).map((it) => it.what);
  assert.equal(ours[0], 'answer');
  await said(call, 'select_answer');
  await nova.press('hangup');
  await element.is('ended');
  await over('user_hangup');
});

test('6: video both ways, called by Element', async () => {
  await elementCalls({ video: true });
  await shot(nova.page, 'incoming-video');
  await nova.press('accept-video');
  await element.is('connected');
  await media(element, nova, { video: true });
  assert.equal((await element.state()).type, 'video');
  await shot(nova.page, 'video-call');
  await nova.press('hangup');
  await element.is('ended');
  await over('user_hangup');
});

test('6: video both ways, called by Nova', async () => {
  await novaCalls({ video: true });
  await element.call('call.answer(true, true)');
  await element.is('connected');
  await media(element, nova, { video: true });
  await nova.press('hangup');
  await element.is('ended');
  await over('user_hangup');
});

test('7: Element declines: the reject is confirmed, and nothing is hung up', async () => {
  const call = await novaCalls();
  await element.call('call.reject()');
  await over('declined');
  await said(call, 'select_answer');
  const all = await names(call);
  assert.ok(all.includes('reject') && !all.includes('hangup'), all.join());
});

test('8: Nova declines: one reject, and Element stops at once', async () => {
  const call = await elementCalls();
  await nova.press('decline');
  const ended = await element.is('ended');
  assert.equal(ended.reason, 'user_hangup');
  const { ended_at: declined } = await over('declined');
  const ours = (await events(call)).filter(bridge);
  assert.deepEqual(ours.map((it) => it.what), ['reject']);
  // By the clocks of the servers: how long a browser waits for its turn says nothing of the bridge.
  const took = ours[0].origin_server_ts - Date.parse(declined);
  assert.ok(took < 2000, `after ${took} ms`);
});

test('10: Nova takes its call back', async () => {
  const call = await novaCalls();
  await nova.press('hangup');
  await element.is('ended');
  await over('cancelled');
  const all = await events(call);
  assert.deepEqual(all.filter((it) => !bridge(it)), []);
  const [invite, hangup] = ['invite', 'hangup'].map((what) => all.find((it) => it.what === what));
  assert.equal(hangup.content.party_id, invite.content.party_id);
});

test('13: Element takes its call back', async () => {
  await elementCalls();
  await element.call("call.hangup('user_hangup', false)");
  await nova.quiet();
  const call = await over('cancelled');
  assert.equal(call.missed, true);
});

test('14: a hangup of a call that never was changes nothing', async () => {
  const before = await people.nova.lastCall();
  const event = { call_id: `never${Date.now()}`, party_id: 'X', version: '1' };
  await people.matrix.send(people.room, 'm.call.hangup', event);
  // The next call proves that it was passed by.
  await elementCalls();
  await nova.press('decline');
  await element.is('ended');
  const after = await over('declined');
  assert.notEqual(after.call_id, before.call_id);
  const history = await people.nova.get('/calls/history?limit=2');
  assert.equal(history[1].call_id, before.call_id);
});

test('41: an offer that would ring nowhere is refused, and nothing is sent', async () => {
  const before = (await events()).length;
  const streamless = sdp().replace(/a=msid:.*\r\n/, '');
  const receiving = sdp().replace('a=sendrecv', 'a=recvonly');
  for (const offer of [streamless, receiving]) {
    const refused = await people.nova.try(`/conversations/${people.conversation}/calls`, { initiator_sdp: offer });
    assert.equal(refused.status, 400);
    assert.equal(refused.body.code, 'BAD_OFFER');
  }
  assert.equal((await events()).length, before);
});

test('42: what the client does not say about its streams is read from its offer', async () => {
  const calls = await element.count();
  await people.nova.post(`/conversations/${people.conversation}/calls`, { offer: { type: 'offer', sdp: sdp('stream42') } });
  const { id } = await element.rings(calls);
  const [invite] = (await events(id)).filter((it) => it.what === 'invite');
  const said = { purpose: 'm.usermedia', audio_muted: false, video_muted: true };
  assert.deepEqual(invite.content.sdp_stream_metadata, { stream42: said });
  await element.call('call.reject()');
  await over('declined');
});
