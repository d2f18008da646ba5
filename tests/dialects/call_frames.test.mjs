// Calls in the call_* frames, in both shapes that are published, against a bridge and a real Synapse.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { randomUUID } from 'node:crypto';

import { NovaUser, pair, restart, sdp, until } from '../browser/support/world.mjs';
import { candidate } from './phone.mjs';
import { EnvelopedClient, WebClient, codes, newCode, novaUrl, zajelUrl } from './zajel.mjs';

const SHAPES = { flat: WebClient, enveloped: EnvelopedClient };

const clients = [];
async function client(Shape, user, options) {
  const made = new Shape(zajelUrl(user), options);
  clients.push(made);
  await made.next('registered');
  // Only then does it miss nothing and is shown nothing twice.
  await made.settled();
  return made;
}
after(() => clients.forEach((it) => it.close()));

let world;
let code;
before(async () => {
  world = await pair();
  code = (await codes(world.nova))[world.matrix.id];
});

/** Two Nova users in a chat. */
async function two() {
  const [ana, ben] = await Promise.all([NovaUser.create('Ana'), NovaUser.create('Ben')]);
  const { id } = await ana.post('/conversations', { type: 'direct', participant_ids: [ben.id] });
  return { ana, ben, conversation: id };
}

/** The newest call event of the room of that kind that is not in `before`. */
function event(what, call) {
  return until(`the room sees ${what}`, async () => {
    const events = await world.matrix.callEvents(world.room, call);
    return events.filter((it) => it.what === what && it.sender === world.nova.mxid).at(-1);
  });
}

/** The invite of a call that has just been made. */
async function invite(mark) {
  return until('the room sees the invite', async () => {
    const events = await world.matrix.callEvents(world.room);
    return events.find((it) => it.what === 'invite' && it.content.offer.sdp === sdp(mark));
  });
}

for (const [shape, Shape] of Object.entries(SHAPES)) {
  test(`${shape}: a call to somebody in Matrix`, async () => {
    const { matrix, nova, room } = world;
    const ana = await client(Shape, nova);
    const mark = randomUUID();
    ana.dial(code, sdp(mark));
    ana.sendIce(candidate(1));
    const { content } = await invite(mark);
    assert.equal(content.sdp_stream_metadata, undefined, 'Element must not try to change it');
    const sent = await event('candidates', content.call_id);
    assert.equal(sent.content.candidates[0].candidate, candidate(1).candidate);

    const theirs = { call_id: content.call_id, version: '1', party_id: 'ELENA' };
    await matrix.send(room, 'm.call.candidates', { ...theirs, candidates: [candidate(2)] });
    await matrix.send(room, 'm.call.answer', { ...theirs, answer: { type: 'answer', sdp: sdp('theirs') } });
    await matrix.send(room, 'm.call.candidates', { ...theirs, candidates: [candidate(3)] });
    await ana.is('connected');
    assert.equal(ana.call.answer, sdp('theirs'));
    await ana.hasIce(2);
    assert.deepEqual(ana.ice.map((it) => it.candidate), [candidate(2).candidate, candidate(3).candidate]);
    const order = ana.heard.map((it) => it.type).filter((it) => it.startsWith('call_'));
    assert.equal(order[0], 'call_answer', 'before any candidate');

    await matrix.send(room, 'm.call.negotiate', {
      ...theirs, lifetime: 60_000, description: { type: 'offer', sdp: sdp('again') },
    });
    await matrix.send(room, 'm.call.hangup', { ...theirs, reason: 'user_hangup' });
    await ana.is('idle');
    assert.equal(ana.call.end, 'call_hangup');
    assert.deepEqual(ana.dropped, []);
    ana.close();
  });

  test(`${shape}: a call from somebody in Matrix`, async () => {
    const { matrix, nova, room } = world;
    const ana = await client(Shape, nova);
    const base = { call_id: randomUUID(), version: '1', party_id: 'ELENA' };
    await matrix.send(room, 'm.call.invite', { ...base, lifetime: 60_000, offer: { type: 'offer', sdp: sdp('in') } });
    await matrix.send(room, 'm.call.candidates', { ...base, candidates: [candidate(4), candidate(5)] });
    await ana.is('incoming');
    assert.deepEqual([ana.call.peer, ana.call.offer, ana.call.withVideo], [code, sdp('in'), false]);
    await ana.hasIce(2);
    ana.accept(sdp('mine'));
    ana.sendIce(candidate(6));
    const { content } = await event('answer', base.call_id);
    assert.equal(content.answer.sdp, sdp('mine'));
    assert.equal(content.sdp_stream_metadata, undefined);
    await event('candidates', base.call_id);
    ana.hangUp();
    assert.equal((await event('hangup', base.call_id)).content.reason, 'user_hangup');
    await ana.settled();
    assert.deepEqual(ana.dropped, []);
    ana.close();
  });

  test(`${shape}: calls that do not come about`, async () => {
    const { matrix, nova, room } = world;
    const ana = await client(Shape, nova);
    const theirs = () => ({ call_id: randomUUID(), version: '1', party_id: 'ELENA' });
    const offer = { type: 'offer', sdp: sdp('in') };
    const declined = theirs();
    await matrix.send(room, 'm.call.invite', { ...declined, lifetime: 60_000, offer });
    await ana.is('incoming');
    ana.reject();
    await event('reject', declined.call_id);
    const takenBack = theirs();
    await matrix.send(room, 'm.call.invite', { ...takenBack, lifetime: 60_000, offer });
    await ana.is('incoming');
    await matrix.send(room, 'm.call.hangup', { ...takenBack, reason: 'user_hangup' });
    await ana.is('idle');

    // Nobody answers: the web library says so with a reject, the others hang up.
    for (const giveUp of [() => ana.reject('timeout'), () => ana.hangUp()]) {
      const mark = randomUUID();
      ana.dial(code, sdp(mark));
      const { content } = await invite(mark);
      giveUp();
      await event('hangup', content.call_id);
    }
    const mark = randomUUID();
    ana.dial(code, sdp(mark));
    const { content } = await invite(mark);
    await matrix.send(room, 'm.call.reject', { call_id: content.call_id, version: '1', party_id: 'ELENA' });
    await ana.is('idle');
    assert.deepEqual([ana.call.end, ana.call.reason], ['call_reject', 'declined']);
    assert.deepEqual(ana.dropped, []);
    ana.close();
  });

  test(`${shape}: on one of Nova's own sockets`, async () => {
    const { ana: caller, ben: callee } = await two();
    const [ana, ben] = [new Shape(novaUrl(caller)), new Shape(novaUrl(callee))];
    clients.push(ana, ben);
    await until('both are there', () => [ana, ben].every((it) => it.socket.readyState === 1));
    await Promise.all([ana, ben].map((it) => it.settled()));
    ana.dial(callee.id, sdp('o'), true);
    await ben.is('incoming');
    assert.deepEqual([ben.call.peer, ben.call.offer, ben.call.withVideo], [caller.id, sdp('o'), true]);
    ben.accept(sdp('a'));
    await ana.is('connected');
    ana.hangUp();
    await ben.is('idle');
    assert.equal([...ana.heard, ...ben.heard].some((it) => it.type.startsWith('call.')), false, 'in one dialect');
  });
}

test('a web client and the others call each other, which they never could', async () => {
  const { ana: caller, ben: callee } = await two();
  const [ana, ben] = [await client(WebClient, caller), await client(EnvelopedClient, callee)];
  const [toBen, toAna] = [(await codes(caller))[callee.mxid], (await codes(callee))[caller.mxid]];
  ana.dial(toBen, sdp('o'));
  for (let n = 1; n <= 30; n += 1) ana.sendIce(candidate(n));
  await ben.is('incoming');
  assert.equal(ben.call.peer, toAna);
  await ben.hasIce(30);
  assert.deepEqual(ben.ice.map((it) => it.candidate), Array.from({ length: 30 }, (_, n) => candidate(n + 1).candidate));
  ben.accept(sdp('a'));
  for (let n = 1; n <= 3; n += 1) ben.sendIce(candidate(n));
  await ana.is('connected');
  await ana.hasIce(3);
  ben.hangUp();
  await ana.is('idle');

  // The other way round, and Ben has another device.
  const tablet = await client(WebClient, callee);
  ben.dial(toAna, sdp('o'));
  await ana.is('incoming');
  ana.reject('busy');
  await ben.is('idle');
  assert.deepEqual([ben.call.end, ben.call.reason], ['call_reject', 'busy']);
  ana.dial(toBen, sdp('o'));
  await ben.is('incoming');
  await tablet.is('incoming');
  tablet.accept(sdp('tablet'));
  await ben.is('idle');
  assert.equal(ben.call.end, 'call_hangup', 'the other device has it');
  await ana.is('connected');
  assert.equal(ana.call.answer, sdp('tablet'));
  ana.hangUp();
  await tablet.is('idle');
  for (const it of [ana, ben, tablet]) assert.deepEqual(it.dropped.filter((frame) => frame.from !== toAna && frame.from !== toBen), []);
});

test('a call to a canonical client, and from one', async () => {
  const { ana: caller, ben: callee, conversation } = await two();
  const ana = await client(WebClient, caller);
  ana.dial((await codes(caller))[callee.mxid], sdp('o'), true);
  const call = await until('it rings', async () => (await callee.get('/calls/active')).calls[0]);
  assert.equal(call.is_video, true);
  await callee.post(`/calls/${call.call_id}/answer`, { answer: { type: 'answer', sdp: sdp('canonical') } });
  await ana.is('connected');
  assert.equal(ana.call.answer, sdp('canonical'));
  await callee.post(`/calls/${call.call_id}/end`);
  await ana.is('idle');

  const { call_id: back } = await callee.post(`/conversations/${conversation}/calls`, { offer: { type: 'offer', sdp: sdp('b') } });
  await ana.is('incoming');
  ana.accept(sdp('mine'));
  await until('it is up', async () => (await callee.get(`/calls/${back}/status`)).status === 'connected');
  const change = await callee.try(`/calls/${back}/negotiate`, { description: { type: 'offer', sdp: sdp('c') } });
  assert.equal(change.body.code, 'CALL_CONFLICT', 'these clients cannot change a call');
  ana.hangUp();
  await until('it is over', async () => (await callee.get(`/calls/${back}/status`)).status === 'ended');
});

test('a client that lost its connection goes on where it was', async () => {
  const { ana: caller, ben: callee } = await two();
  const [ana, ben] = [await client(WebClient, caller), await client(EnvelopedClient, callee)];
  ana.dial((await codes(caller))[callee.mxid], sdp('o'));
  await ben.is('incoming');
  // Ben's connection breaks while it rings: the ring is shown again, and the client's "busy" to it counts for nothing.
  await ben.reconnect();
  await ben.settled();
  assert.equal(ben.state, 'incoming');
  await ana.settled();
  assert.equal(ana.state, 'outgoing');
  ana.socket.terminate();
  ben.accept(sdp('a'));
  ben.sendIce(candidate(1));
  await ben.settled();
  ana.code = newCode();
  ana.connect();
  await ana.is('connected');
  await ana.hasIce(1);
  ben.hangUp();
  await ana.is('idle');
});

test('a restart of the bridge changes no name', async () => {
  const { ana: caller, ben: callee } = await two();
  const [ana, ben] = [await client(WebClient, caller), await client(WebClient, callee)];
  const toBen = (await codes(caller))[callee.mxid];
  ana.dial(toBen, sdp('o'));
  await ben.is('incoming');
  restart('bridge');
  await Promise.all([ana, ben].map((it) => it.reconnect()));
  assert.equal((await codes(caller))[callee.mxid], toBen);
  ben.accept(sdp('a'));
  await ana.is('connected');
  ana.hangUp();
  await ben.is('idle');
});

test('what makes no sense is answered, and nothing falls over', async () => {
  const { ana: caller, ben: callee } = await two();
  const ana = await client(WebClient, caller);
  const refused = async (frame, message) => {
    ana.raw(frame);
    assert.match((await ana.next('error')).message, message, JSON.stringify(frame).slice(0, 100));
  };
  const target = (await codes(caller))[callee.mxid];
  const callId = randomUUID();
  await refused({ type: 'call_offer' }, /^Missing required field: target$/);
  await refused({ type: 'call_offer', target, payload: [] }, /^payload must be an object$/);
  await refused({ type: 'call_offer', targetId: target, callId: 'x', sdp: sdp('o') }, /^callId must be a UUID v4$/);
  await refused({ type: 'call_offer', targetId: target, callId, sdp: `v=0${'x'.repeat(65_536)}` }, /65536/);
  await refused({ type: 'call_ice', targetId: target, callId, candidate: candidate(1) }, /^candidate must be a text/);
  await refused({ type: 'call_hangup', targetId: target, callId }, /^no such call$/);
  await refused({ type: 'dance' }, /^Unknown message type: dance$/);
  ana.dial(newCode(), sdp('o'));
  assert.match((await ana.next('error')).message, /^Peer not found: /);
  await ana.is('idle');
  ana.dial(target, sdp('o'));
  await until('it rings all the same', async () => (await callee.get('/calls/active')).calls.length === 1);
  ana.hangUp();

  const stranger = new WebClient(zajelUrl({ token: 'no.such.token' }));
  assert.match((await stranger.next('broken')).error, /401/);
});
