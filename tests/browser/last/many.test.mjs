// Many calls at once, scripted: nothing may be left of them. Runs alone, because it looks at the whole database.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pair, sdp, sql, until } from '../support/world.mjs';

const CALLS = 50;

async function incoming({ matrix, nova, room }, number) {
  const common = { call_id: `many${number}x${Date.now()}`, party_id: 'ELEMENT', version: '1' };
  const offer = { type: 'offer', sdp: sdp() };
  await matrix.send(room, 'm.call.invite', { ...common, lifetime: 60_000, offer });
  const candidates = [1, 2, 3].map((n) => ({ candidate: `candidate:${n}`, sdpMid: '0', sdpMLineIndex: 0 }));
  await matrix.send(room, 'm.call.candidates', { ...common, candidates });
  const call = await until('it rings', async () => (await nova.get('/calls/active')).calls[0]);
  await nova.post(`/calls/${call.call_id}/answer`, { answer_sdp: sdp('answer') });
  await nova.post(`/calls/${call.call_id}/ice-candidate`, { candidate: 'candidate:9', sdp_mid: '0', sdp_mline_index: 0 });
  const answer = await until('the answer is in the room', async () => {
    return (await matrix.callEvents(room, common.call_id)).find((it) => it.what === 'answer');
  });
  const chosen = { ...common, selected_party_id: answer.content.party_id };
  await matrix.send(room, 'm.call.select_answer', chosen);
  if (number % 3 === 0) await matrix.send(room, 'm.call.hangup', { ...common, reason: 'user_hangup' });
  else await nova.post(`/calls/${call.call_id}/end`);
  return [room, common.call_id, matrix];
}

async function outgoing({ matrix, nova, room, conversation }, number) {
  const { call_id: call } = await nova.post(`/conversations/${conversation}/calls`, { offer: { type: 'offer', sdp: sdp() } });
  const { content } = await until('the invite is in the room', async () => {
    return (await matrix.callEvents(room)).find((it) => it.what === 'invite');
  });
  const common = { call_id: content.call_id, party_id: 'ELEMENT', version: '1' };
  if (number % 5 === 0) {
    await matrix.send(room, 'm.call.reject', common);
  } else {
    await matrix.send(room, 'm.call.answer', { ...common, answer: { type: 'answer', sdp: sdp('answer') } });
    await until('it is up', async () => (await nova.get(`/calls/${call}/status`)).status === 'connected');
    await nova.post(`/calls/${call}/end`);
  }
  return [room, content.call_id, matrix];
}

test('60: fifty calls at once leave nothing behind', async () => {
  const people = [];
  for (let made = 0; made < CALLS; made += 10) {
    people.push(...await Promise.all(Array.from({ length: 10 }, pair)));
  }
  const calls = await Promise.all(people.map((two, n) => (n % 2 === 0 ? incoming(two, n) : outgoing(two, n))));
  await until('no unfinished call and no event of one is left', () => {
    const left = sql(`SELECT (SELECT count(*) FROM call_sessions WHERE ended_at IS NULL)
                           + (SELECT count(*) FROM outbox WHERE job->>'do' = 'signal')`);
    if (left !== '0') throw new Error(`${left} are left`);
    return true;
  });
  assert.equal(sql("SELECT count(*) FROM call_sessions WHERE machine::text LIKE '%v=0%'"), '0');
  for (const [room, id, matrix] of calls) {
    const what = (await matrix.callEvents(room, id)).map((it) => it.what);
    for (const once of ['invite', 'answer', 'hangup', 'reject']) {
      assert.ok(what.filter((it) => it === once).length <= 1, what.join());
    }
  }
});
