import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backoff } from '../js/backoff.js';
import { NovaConnection, compareStreamIds } from '../js/protocol.js';
import { NovaError, NovaRest } from '../js/rest.js';
import { FakeClock, fakeWebSocket, settled } from './helpers.mjs';

function setUp({ rest = { conversations: async () => [] }, random = () => 1, baseUrl = 'https://chat.example.org/' } = {}) {
  const clock = new FakeClock();
  const WebSocket = fakeWebSocket();
  const nova = new NovaConnection({ baseUrl, token: 'a.b.c', rest, WebSocket, clock, random });
  const frames = [];
  const statuses = [];
  nova.addEventListener('frame', ({ detail }) => frames.push(detail));
  nova.addEventListener('status', ({ detail }) => statuses.push(detail));
  return { nova, clock, WebSocket, frames, statuses };
}

test('dials the socket next to the page, with the token', () => {
  const { nova, WebSocket } = setUp({ baseUrl: 'https://chat.example.org/below/' });
  nova.connect();
  assert.equal(WebSocket.last.url.href, 'wss://chat.example.org/below/ws?token=a.b.c');
});

test('http becomes ws', () => {
  const { nova, WebSocket } = setUp({ baseUrl: 'http://localhost:8080/' });
  nova.connect();
  assert.equal(WebSocket.last.url.protocol, 'ws:');
});

test('resumes after a drop with the newest stream_id, also when frames came out of order', () => {
  const { nova, clock, WebSocket, statuses } = setUp();
  nova.connect();
  WebSocket.last.open();
  WebSocket.last.receive({ type: 'message.new', id: '1', stream_id: '1000-9' });
  WebSocket.last.receive({ type: 'message.new', id: '2', stream_id: '1000-10' });
  WebSocket.last.receive({ type: 'message.new', id: '1', stream_id: '1000-9' });
  WebSocket.last.drop();
  assert.deepEqual(statuses.at(-1), { status: 'waiting', retryInMs: 1000 });
  clock.advance(1000);
  assert.equal(WebSocket.last.url.searchParams.get('since'), '1000-10');
  WebSocket.last.open();
  assert.deepEqual(statuses.at(-1), { status: 'online', resumed: true });
});

test('without a cursor a reconnect says that nothing is replayed', () => {
  const { nova, clock, WebSocket, statuses } = setUp();
  nova.connect();
  WebSocket.last.open();
  WebSocket.last.drop();
  clock.advance(1000);
  WebSocket.last.open();
  assert.deepEqual(statuses.at(-1), { status: 'online', resumed: false });
});

test('a cursor that is too old asks for a snapshot', () => {
  const { nova, WebSocket, statuses, frames } = setUp();
  nova.connect();
  WebSocket.last.open();
  WebSocket.last.receive({ type: 'error', code: 'RESUME_GAP', detail: 'older frames are not kept' });
  assert.deepEqual(statuses.at(-1), { status: 'online', resumed: false });
  assert.deepEqual(frames, []);
});

test('what is not a JSON object is ignored', () => {
  const { nova, WebSocket } = setUp();
  nova.connect();
  WebSocket.last.open();
  WebSocket.last.receive('not json');
  WebSocket.last.receive('null');
  assert.equal(nova.cursor, null);
});

test('backoff doubles, is capped, spreads, and ends with the first frame, not with the open', () => {
  const { nova, clock, WebSocket, statuses } = setUp();
  const waits = [];
  nova.connect();
  for (let round = 0; round < 7; round += 1) {
    WebSocket.last.open();
    WebSocket.last.drop();
    waits.push(statuses.at(-1).retryInMs);
    clock.advance(waits.at(-1));
  }
  assert.deepEqual(waits, [1000, 2000, 4000, 8000, 16000, 30000, 30000]);
  WebSocket.last.open();
  WebSocket.last.receive({ type: 'pong' });
  WebSocket.last.drop();
  assert.equal(statuses.at(-1).retryInMs, 1000);
  assert.equal(backoff(0, () => 0), 500);
});

test('connect() during a planned retry tries at once, and only once', () => {
  const { nova, clock, WebSocket } = setUp();
  nova.connect();
  WebSocket.last.open();
  WebSocket.last.drop();
  nova.connect();
  assert.equal(WebSocket.all.length, 2);
  clock.advance(2_000);
  assert.equal(WebSocket.all.length, 2);
});

test('pings on open and after silence; no answer is a drop, any frame is a sign of life', () => {
  const { nova, clock, WebSocket, statuses } = setUp();
  nova.connect();
  const first = WebSocket.last;
  first.open();
  assert.equal(first.sentOfType('ping').length, 1);
  first.receive({ type: 'pong' });
  clock.advance(25_000);
  assert.equal(first.sentOfType('ping').length, 2);
  first.receive({ type: 'message.new', id: '1' });
  clock.advance(25_000);
  assert.equal(first.sentOfType('ping').length, 3);
  clock.advance(10_000);
  assert.equal(statuses.at(-1).status, 'waiting');
  assert.notEqual(first.closedWith, null);
  first.drop();
  clock.advance(1000);
  assert.equal(WebSocket.all.length, 2, 'the late close of the dead socket plans nothing');
});

test('a handshake that hangs is given up', () => {
  const { nova, clock, WebSocket, statuses } = setUp();
  nova.connect();
  clock.advance(15_000);
  assert.equal(statuses.at(-1).status, 'waiting');
  clock.advance(1000);
  assert.equal(WebSocket.all.length, 2);
});

test('pong is not handed to listeners', () => {
  const { nova, WebSocket, frames } = setUp();
  nova.connect();
  WebSocket.last.open();
  WebSocket.last.receive({ type: 'pong' });
  assert.deepEqual(frames, []);
});

test('an ack settles its own request, whatever the order', async () => {
  const { nova, WebSocket } = setUp();
  nova.connect();
  WebSocket.last.open();
  const first = nova.sendMessage({ conversationId: 'c1', content: 'one', idempotencyKey: 'k1' });
  const second = nova.sendMessage({ conversationId: 'c1', content: 'two', idempotencyKey: 'k2', style: 'emote' });
  const [one, two] = WebSocket.last.sentOfType('message.send');
  assert.deepEqual(one, { type: 'message.send', conversation_id: 'c1', content: 'one', idempotency_key: 'k1', request_id: '1' });
  assert.equal(two.style, 'emote');
  WebSocket.last.receive({ type: 'ack', request_id: two.request_id, id: 'm2', sequence_number: 2 });
  WebSocket.last.receive({ type: 'ack', request_id: one.request_id, id: 'm1', sequence_number: 1 });
  assert.equal((await first).id, 'm1');
  assert.equal((await second).id, 'm2');
});

test('an error frame rejects; its code says whether trying again makes sense', async () => {
  const { nova, WebSocket } = setUp();
  nova.connect();
  WebSocket.last.open();
  const refused = nova.sendMessage({ conversationId: 'c', content: 'x' });
  const later = nova.sendMessage({ conversationId: 'c', content: 'y' });
  WebSocket.last.receive({ type: 'error', request_id: '1', code: 'AUTHORIZATION_ERROR', detail: 'not a member' });
  WebSocket.last.receive({ type: 'error', request_id: '2', code: 'RATE_LIMITED', detail: 'slow down' });
  await assert.rejects(refused, { name: 'NovaError', detail: 'not a member', transient: false });
  await assert.rejects(later, { transient: true });
});

test('an error frame without a request goes to the listeners', () => {
  const { nova, WebSocket, frames } = setUp();
  nova.connect();
  WebSocket.last.open();
  WebSocket.last.receive({ type: 'error', code: 'INVALID_REQUEST', detail: '?' });
  assert.equal(frames.length, 1);
});

test('a drop and a missing answer reject as transient', async () => {
  const { nova, clock, WebSocket } = setUp();
  nova.connect();
  WebSocket.last.open();
  const lost = nova.sendMessage({ conversationId: 'c', content: 'x' });
  WebSocket.last.drop();
  await assert.rejects(lost, { code: 'CONNECTION_LOST', transient: true });
  clock.advance(1000);
  WebSocket.last.open();
  const silent = nova.sendMessage({ conversationId: 'c', content: 'x' });
  WebSocket.last.receive({ type: 'pong' });
  clock.advance(15_000);
  await assert.rejects(silent, { code: 'TIMEOUT', transient: true });
});

test('without a socket the message goes by REST, with the same key', async () => {
  const sent = [];
  const rest = { conversations: async () => [], sendMessage: async (message) => (sent.push(message), { id: 'm1' }) };
  const { nova } = setUp({ rest });
  assert.deepEqual(await nova.sendMessage({ conversationId: 'c', content: 'x', idempotencyKey: 'k' }), { id: 'm1' });
  assert.equal(sent[0].idempotencyKey, 'k');
});

test('a handshake that fails because of the token ends the session instead of retrying', async () => {
  const rest = { conversations: async () => { throw new NovaError({ code: 'X', detail: 'x', status: 401 }); } };
  const { nova, clock, WebSocket, statuses } = setUp({ rest });
  let unauthorized = 0;
  nova.addEventListener('unauthorized', () => { unauthorized += 1; });
  nova.connect();
  WebSocket.last.drop();
  await settled();
  clock.advance(60_000);
  assert.equal(unauthorized, 1);
  assert.equal(statuses.at(-1).status, 'offline');
  assert.equal(WebSocket.all.length, 1);
});

test('close() is final', () => {
  const { nova, clock, WebSocket } = setUp();
  nova.connect();
  WebSocket.last.open();
  nova.close();
  assert.equal(WebSocket.last.closedWith, 1000);
  WebSocket.last.drop(1000);
  clock.advance(120_000);
  assert.equal(WebSocket.all.length, 1);
});

test('cursors compare as numbers', () => {
  assert.ok(compareStreamIds('10-0', '9-0') > 0);
  assert.ok(compareStreamIds('10-2', '10-10') < 0);
  assert.equal(compareStreamIds('10-2', '10-2'), 0);
});

function fakeFetch(...answers) {
  const calls = [];
  const fetch = async (url, options) => {
    calls.push({ url: String(url), ...options });
    const answer = answers.shift();
    if (answer instanceof Error) throw answer;
    return new Response(answer.body === undefined ? null : JSON.stringify(answer.body), { status: answer.status ?? 200 });
  };
  return { calls, rest: new NovaRest({ baseUrl: 'http://x/below/', token: 't', fetch }) };
}

test('REST: token, path and body of a send', async () => {
  const { calls, rest } = fakeFetch({ body: { id: 'm' } });
  await rest.sendMessage({ conversationId: 'c/1', content: 'hi', idempotencyKey: 'k' });
  assert.equal(calls[0].url, 'http://x/below/conversations/c%2F1/messages');
  assert.equal(calls[0].headers.Authorization, 'Bearer t');
  assert.deepEqual(JSON.parse(calls[0].body), { content: 'hi', idempotency_key: 'k' });
});

test('REST: error body, empty body, no network', async () => {
  const { rest } = fakeFetch(
    { status: 403, body: { code: 'AUTHORIZATION_ERROR', message: 'forbidden' } }, { status: 204 }, { status: 503 }, new TypeError('down'));
  await assert.rejects(rest.leave('c'), { code: 'AUTHORIZATION_ERROR', detail: 'forbidden', status: 403, transient: false });
  assert.equal(await rest.leave('c'), null);
  await assert.rejects(rest.leave('c'), { code: 'HTTP_503', transient: true });
  await assert.rejects(rest.leave('c'), { code: 'CONNECTION_FAILED', transient: true });
});

test('REST: members are collected over pages', async () => {
  const { calls, rest } = fakeFetch(
    { body: { members: [{ user_id: 'a' }, { user_id: 'b' }], total: 3 } }, { body: { members: [{ user_id: 'c' }], total: 3 } });
  assert.equal((await rest.members('c')).length, 3);
  assert.match(calls[1].url, /offset=2/);
});
