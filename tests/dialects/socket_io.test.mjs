// Calls over Socket.IO with the client that everybody uses, against a bridge and a real Synapse.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { randomUUID } from 'node:crypto';

import { NovaUser, env, pair, sdp, until } from '../browser/support/world.mjs';
import { Phone, candidate } from './phone.mjs';

const phones = [];
function phone(...args) {
  const made = new Phone(...args);
  phones.push(made);
  return made;
}
after(() => phones.forEach((it) => it.close()));

const offer = (mark = 'o') => ({ type: 'offer', sdp: sdp(mark) });
const answer = (mark = 'a') => ({ type: 'answer', sdp: sdp(mark) });
const shown = (id) => id.replaceAll('-', '');

let world;
before(async () => {
  world = await pair();
});

/** Two Nova users in a chat. */
async function two() {
  const [ana, ben] = await Promise.all([NovaUser.create('Ana'), NovaUser.create('Ben')]);
  const { id } = await ana.post('/conversations', { type: 'direct', participant_ids: [ben.id] });
  return { ana, ben, conversation: id };
}

/** Waits for a call event of the room. */
function event(what, call) {
  return until(`the room sees ${what}`, async () => {
    const events = await world.matrix.callEvents(world.room, call);
    return events.filter((it) => it.what === what).at(-1);
  });
}

for (const how of ['auth', 'query', 'namespace', 'event']) {
  test(`a socket that proves itself by ${how}`, async () => {
    const ana = phone(await NovaUser.create('Ana'), how, how === 'query' ? { transports: ['websocket'] } : {});
    ana.register();
    await until('it is connected', () => ana.socket.connected);
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.equal(ana.count('disconnect'), 0);
  });
}

test('a socket without proof is refused', async () => {
  const user = await NovaUser.create('Ana');
  const bare = phone(user, 'none');
  bare.register();
  assert.equal((await bare.next('disconnect')).reason, 'io server disconnect');
  const forged = phone({ ...user, mxid: user.mxid, token: 'no.such.token' }, 'auth');
  assert.equal((await forged.next('connect_error')).message, 'Invalid access token');
  const named = phone({ ...user, token: 'no.such.token', mxid: user.mxid }, 'namespace');
  assert.equal((await named.next('connect_error')).message, 'Invalid access token');
  const other = phone(user, 'auth');
  other.emit('register-user', { userId: (await NovaUser.create('Ben')).mxid });
  await other.next('disconnect');
});

test('a call to somebody in Matrix', async () => {
  const { matrix, nova, room } = world;
  const ana = phone(nova);
  ana.register();
  const placed = await ana.initiate(room);
  assert.equal(placed.status, 201, JSON.stringify(placed.body));
  const { callId } = placed.body;
  assert.match(callId, /^[0-9a-f]{32}$/);
  assert.equal(placed.body.status, 'ringing');
  assert.ok(Array.isArray(placed.body.iceServers));
  ana.join(callId);
  ana.emit('webrtc-offer', { callId, offer: offer(), targetUserId: 'all' });
  ana.emit('ice-candidate', { callId, candidate: candidate(1), targetUserId: 'all' });
  const invite = await event('invite');
  assert.equal(invite.content.offer.sdp, sdp('o'));
  await event('candidates', invite.content.call_id);

  const base = { call_id: invite.content.call_id, version: '1', party_id: 'ELENA' };
  const theirs = { ...answer(), sdp: sdp('theirs') };
  await matrix.send(room, 'm.call.answer', { ...base, answer: theirs });
  await matrix.send(room, 'm.call.candidates', { ...base, candidates: [candidate(2)] });
  const taken = await ana.next('call-answered');
  assert.deepEqual([taken.callId, taken.answeredBy, taken.roomId], [callId, matrix.id, room]);
  assert.equal((await ana.next('user-joined')).userId, matrix.id);
  const answered = await ana.next('webrtc-answer');
  assert.deepEqual([answered.answer.sdp, answered.fromUserId], [sdp('theirs'), matrix.id]);
  assert.equal((await ana.next('ice-candidate')).candidate.candidate, candidate(2).candidate);
  const order = ana.heard.map((it) => it.event).filter((it) => it !== 'disconnect');
  assert.deepEqual(order, ['call-answered', 'user-joined', 'webrtc-answer', 'ice-candidate']);
  await event('select_answer', invite.content.call_id);

  ana.emit('toggle-audio', { callId, enabled: false });
  await event('sdp_stream_metadata_changed', invite.content.call_id);
  ana.emit('webrtc-offer', { callId, offer: offer('again') });
  const negotiate = await event('negotiate', invite.content.call_id);
  assert.equal(negotiate.content.description.sdp, sdp('again'));

  await matrix.send(room, 'm.call.hangup', { ...base, reason: 'user_hangup' });
  const ended = await ana.next('call-ended');
  assert.deepEqual([ended.callId, ended.endedBy], [callId, matrix.id]);
  assert.equal((await ana.next('user-left')).userId, matrix.id);
  assert.equal((await ana.rest(`/${callId}/end`)).status, 200, 'an end is an end');
});

test('a call from somebody in Matrix', async () => {
  const { matrix, nova, room } = world;
  const ana = phone(nova, 'namespace');
  ana.register();
  await until('it is connected', () => ana.socket.connected);
  const base = { call_id: randomUUID(), version: '1', party_id: 'ELENA' };
  await matrix.send(room, 'm.call.invite', { ...base, lifetime: 60_000, offer: offer('in') });
  await matrix.send(room, 'm.call.candidates', { ...base, candidates: [candidate(3), candidate(4)] });
  const ring = await ana.next('incoming-call');
  assert.deepEqual(
    [ring.eventType, ring.callType, ring.roomId, ring.initiatorId, ring.callerId],
    ['incoming_call', 'voice', room, matrix.id, matrix.id],
  );
  assert.equal(ring.baseUrl.endsWith(`/u/${nova.token}`), true);
  const { callId } = ring;
  const active = await fetch(`${env.BRIDGE_URL}/u/${nova.token}/api/calls/active?userId=${encodeURIComponent(nova.mxid)}`);
  assert.equal((await active.json()).calls[0].call_id, callId);

  // The screen of the call is another socket, which only joins.
  const screen = phone(nova, 'event');
  const taken = await ana.rest(`/${callId}/answer`);
  assert.deepEqual([taken.status, taken.body.status], [200, 'active'], JSON.stringify(taken.body));
  assert.equal((await ana.rest(`/${callId}/answer`)).body.error, 'Call is not in ringing state');
  screen.join(callId);
  const offered = await screen.next('webrtc-offer');
  assert.deepEqual([offered.offer.sdp, offered.fromUserId], [sdp('in'), matrix.id]);
  await until('the candidates came after it', () => screen.count('ice-candidate') >= 2);
  await until('it is shown again', () => screen.count('webrtc-offer') >= 2);
  screen.emit('ice-candidate', { callId, candidate: candidate(5), targetUserId: 'all' });
  screen.emit('webrtc-answer', { callId, answer: answer('mine'), targetUserId: 'all' });
  screen.emit('webrtc-answer', { callId, answer: answer('once more'), targetUserId: 'all' });
  assert.equal((await event('answer', base.call_id)).content.answer.sdp, sdp('mine'));
  await event('candidates', base.call_id);
  const state = await (await fetch(`${env.BRIDGE_URL}/api/calls/${callId}/status?token=${nova.token}`)).json();
  assert.deepEqual([state.session.status, state.session.call_id], ['active', callId]);
  assert.deepEqual(state.participants.map((it) => it.status), ['joined', 'joined']);

  screen.emit('leave-call', { callId });
  assert.equal((await event('hangup', base.call_id)).content.reason, 'user_hangup');
  assert.equal((await ana.next('call-ended')).endedBy, nova.mxid);
  assert.equal(screen.count('disconnect'), 0);
});

test('a call from somebody in Matrix is declined', async () => {
  const { matrix, nova, room } = world;
  const base = { call_id: randomUUID(), version: '1', party_id: 'ELENA' };
  await matrix.send(room, 'm.call.invite', { ...base, lifetime: 60_000, offer: offer() });
  await until('it rings', async () => (await nova.get('/calls/active')).calls.length > 0);
  const ana = phone(nova);
  ana.register();
  const { callId } = await ana.next('incoming-call');
  const declined = await ana.rest(`/${callId}/reject`);
  assert.deepEqual([declined.status, declined.body], [200, { callId, status: 'rejected' }]);
  await event('reject', base.call_id);
});

test('two clients of the dialect', async () => {
  const { ana: caller, ben: callee, conversation } = await two();
  const [ana, ben] = [phone(caller), phone(callee)];
  ana.register();
  ben.register();
  await until('both are there', () => ana.socket.connected && ben.socket.connected);
  const { callId } = (await ana.initiate(conversation, 'video')).body;
  ana.join(callId);
  ana.emit('webrtc-offer', { callId, offer: offer(), targetUserId: 'all' });
  for (let n = 1; n <= 5; n += 1) ana.emit('ice-candidate', { callId, candidate: candidate(n), targetUserId: 'all' });
  const ring = await ben.next('incoming-call');
  assert.deepEqual([ring.callType, ring.callerId], ['video', caller.mxid]);
  assert.equal((await ben.rest(`/${callId}/answer`)).status, 200);
  assert.equal((await ana.next('call-answered')).answeredBy, callee.mxid);
  ben.join(callId);
  assert.equal((await ben.next('webrtc-offer')).offer.sdp, sdp('o'));
  await until('every candidate comes, in order', () => ben.count('ice-candidate') >= 5);
  const came = ben.heard.filter((it) => it.event === 'ice-candidate').map((it) => it.candidate.candidate);
  assert.deepEqual(came.slice(0, 5), [1, 2, 3, 4, 5].map((n) => candidate(n).candidate));
  ben.emit('webrtc-answer', { callId, answer: answer(), targetUserId: caller.mxid });
  assert.equal((await ana.next('webrtc-answer')).answer.sdp, sdp('a'));

  ben.emit('toggle-audio', { callId, enabled: false });
  const off = await ana.next('audio-toggled');
  assert.deepEqual([off.userId, off.enabled], [callee.mxid, false]);
  await ben.rest(`/${callId}/toggle-audio`, { enabled: false });
  await ben.rest(`/${callId}/toggle-audio`, { enabled: true });
  assert.equal((await ana.next('audio-toggled')).enabled, true);

  ben.emit('webrtc-offer', { callId, offer: offer('new'), targetUserId: 'all' });
  assert.equal((await ana.next('webrtc-offer')).offer.sdp, sdp('new'));
  ana.emit('webrtc-answer', { callId, answer: answer('new too'), targetUserId: 'all' });
  await until('it is answered', () => ben.heard.some((it) => it.event === 'webrtc-answer' && it.answer.sdp === sdp('new too')));

  ana.emit('call-ended', { callId });
  assert.equal((await ben.next('call-ended')).endedBy, caller.mxid);
  assert.equal((await ben.next('user-left')).userId, caller.mxid);
  assert.equal(ana.count('video-toggled') + ana.count('audio-toggled'), 2, 'told once each');
});

test('a client that lost its socket in a call is shown what the other one did meanwhile', async () => {
  const { ana: caller, ben: callee, conversation } = await two();
  const [ana, ben] = [phone(caller), phone(callee)];
  await Promise.all([ana, ben].map((it) => (it.register(), until('it is there', () => it.socket.connected))));
  const { callId } = (await ana.initiate(conversation)).body;
  ana.join(callId);
  ana.emit('webrtc-offer', { callId, offer: offer(), targetUserId: 'all' });
  await ben.next('incoming-call');
  await ben.rest(`/${callId}/answer`);
  ben.join(callId);
  await ben.next('webrtc-offer');
  ben.emit('webrtc-answer', { callId, answer: answer(), targetUserId: 'all' });
  await ana.next('webrtc-answer');

  ben.close();
  ana.emit('ice-candidate', { callId, candidate: candidate(7), targetUserId: 'all' });
  ana.emit('webrtc-offer', { callId, offer: offer('again'), targetUserId: 'all' });
  ana.emit('toggle-audio', { callId, enabled: false });
  await until('all of it was heard', async () => {
    const { calls } = await caller.get('/calls/active');
    return calls[0].participants.some((it) => it.user_id === caller.id && it.has_audio === false);
  });
  const back = phone(callee);
  back.register();
  back.join(callId);
  assert.equal((await back.next('ice-candidate')).candidate.candidate, candidate(7).candidate);
  assert.equal((await back.next('webrtc-offer')).offer.sdp, sdp('again'));
  back.emit('webrtc-answer', { callId, answer: answer('again'), targetUserId: 'all' });
  await until('it is answered', () => ana.heard.some((it) => it.event === 'webrtc-answer' && it.answer.sdp === sdp('again')));
  back.emit('call-ended', { callId });
  await ana.next('call-ended');
});

test('a caller without an offer is told that there is somebody, and given up after twenty seconds', async () => {
  const { ana: caller, ben: callee, conversation } = await two();
  const ana = phone(caller);
  ana.register();
  const { callId } = (await ana.initiate(conversation)).body;
  ana.join(callId);
  assert.equal((await ana.next('user-joined')).userId, callee.mxid);
  assert.equal((await ana.next('call-ended', 50_000)).callId, callId);
  assert.deepEqual((await caller.get('/calls/active')).calls, []);
  assert.equal((await callee.get('/calls/active')).calls.length, 0, 'nobody was rung');
});

test('a call to a canonical client', async () => {
  const { ana: caller, ben: callee, conversation } = await two();
  const ana = phone(caller);
  const { callId } = (await ana.initiate(conversation)).body;
  ana.join(callId);
  ana.emit('webrtc-offer', { callId, offer: offer(), targetUserId: 'all' });
  const call = await until('it rings', async () => (await callee.get('/calls/active')).calls[0]);
  const id = call.call_id ?? call.id;
  assert.equal(shown(id), callId);
  await callee.post(`/calls/${id}/answer`, { answer: answer('canonical') });
  assert.equal((await ana.next('webrtc-answer')).answer.sdp, sdp('canonical'));
  assert.equal(ana.count('call-answered'), 1);
  await callee.post(`/calls/${id}/end`);
  assert.equal((await ana.next('call-ended')).endedBy, callee.mxid);
});

test('what makes no sense is dropped, and nothing falls over', async () => {
  const { ana: caller, ben: callee, conversation } = await two();
  const ana = phone(caller);
  ana.register();
  for (const event of ['register-user', 'join-call', 'webrtc-offer', 'ice-candidate', 'toggle-audio', 'leave-call', 'x']) {
    ana.socket.emit(event);
    ana.socket.emit(event, 7);
    ana.socket.emit(event, { callId: { $ne: 1 }, userId: [], candidate: 1, offer: null });
  }
  const { callId } = (await ana.initiate(conversation)).body;
  ana.emit('webrtc-offer', { callId, offer: { type: 'offer', sdp: `v=0${'x'.repeat(70_000)}` } });
  ana.join(callId);
  ana.emit('webrtc-offer', { callId, offer: offer() });
  await until('it rings all the same', async () => (await callee.get('/calls/active')).calls.length === 1);
  assert.equal(ana.count('disconnect'), 0);

  const stranger = phone(await NovaUser.create('Eve'));
  const ended = await stranger.rest(`/${callId}/end`);
  assert.deepEqual([ended.status, typeof ended.body.error], [403, 'string']);
  assert.equal((await stranger.rest(`/${callId}/end`, {}, { userId: caller.mxid })).status, 401);
  assert.equal((await stranger.rest(`/${callId}/end`, {}, { token: 'x' })).status, 401);
  assert.equal((await ana.rest(`/${randomUUID()}/answer`)).body.error, 'Call not found');
  assert.equal((await ana.rest('/initiate', { callType: 'voice' })).status, 400);
  assert.equal((await ana.initiate(conversation, 'smoke')).body.error, 'callType must be voice or video');
  assert.equal((await ana.rest(`/${callId}/end`)).body.status, 'ended');
});

test('where everything is', async () => {
  const config = await (await fetch(`${env.BRIDGE_URL}/call-config.json`)).json();
  assert.deepEqual(Object.keys(config).sort(), ['baseUrl', 'homeserverUrl', 'iceServers', 'websocketUrl']);
  const { token } = world.nova;
  const own = await (await fetch(`${env.BRIDGE_URL}/u/${token}/call-config.json`)).json();
  assert.ok(own.baseUrl.endsWith(`/u/${token}`));
  const ice = await fetch(`${env.BRIDGE_URL}/api/calls/ice-servers?token=${token}`);
  assert.equal((await ice.json()).success, true);
});
