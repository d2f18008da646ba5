import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Outbox, newKey } from '../js/outbox.js';
import { NovaError } from '../js/rest.js';
import { Sender } from '../js/sender.js';
import { readIdentity, takeTokenFromFragment } from '../js/token.js';
import { FakeClock, FakeStorage, settled } from './helpers.mjs';

const item = (key, fields = {}) => ({ key, conversationId: 'c', content: key, queuedAt: Number(key.slice(1)), afterSequence: 0, ...fields });
const transient = new NovaError({ code: 'CONNECTION_LOST', detail: 'lost', transient: true });
const refusal = new NovaError({ code: 'AUTHORIZATION_ERROR', detail: 'forbidden' });

function setUp(answers) {
  const storage = new FakeStorage();
  const outbox = new Outbox(storage, 'me');
  const clock = new FakeClock();
  const sent = [];
  const reports = [];
  const sender = new Sender({
    outbox, clock, random: () => 1,
    send: async ({ key }) => {
      sent.push(key);
      const answer = answers.shift() ?? { id: `id-${key}` };
      if (answer instanceof Error) throw answer;
      return answer;
    },
    report: ({ type, item: { key }, status }) => reports.push([type, key, status].filter(Boolean).join(' ')),
  });
  return { storage, outbox, clock, sent, reports, sender };
}

test('an outbox survives a reload, in order, and belongs to one user', () => {
  const storage = new FakeStorage();
  new Outbox(storage, 'me').put(item('k2'));
  new Outbox(storage, 'me').put(item('k1'));
  new Outbox(storage, 'other').put(item('k3'));
  storage.setItem('nova.outbox.me.broken', '{');
  assert.deepEqual(new Outbox(storage, 'me').all().map(({ key }) => key), ['k1', 'k2']);
});

test('a full storage does not stop a send', () => {
  const storage = new FakeStorage();
  storage.setItem = () => { throw new Error('quota'); };
  assert.equal(new Outbox(storage, 'me').put(item('k1')), false);
});

test('an accepted message leaves the outbox', async () => {
  const { outbox, sender, reports } = setUp([]);
  sender.add(item('k1'));
  assert.equal(outbox.all().length, 1);
  await settled();
  assert.equal(outbox.all().length, 0);
  assert.deepEqual(reports, ['pending.added k1 sending', 'pending.status k1 sending', 'pending.accepted k1']);
});

test('a transient failure is repeated with the same key, and the next message waits for it', async () => {
  const { sender, sent, clock, reports } = setUp([transient]);
  sender.add(item('k1'));
  sender.add(item('k2'));
  await settled();
  assert.deepEqual(sent, ['k1']);
  assert.equal(reports.at(-1), 'pending.status k1 waiting');
  clock.advance(1000);
  await settled();
  assert.deepEqual(sent, ['k1', 'k1', 'k2']);
});

test('a new connection ends the pause', async () => {
  const { sender, sent } = setUp([transient]);
  sender.add(item('k1'));
  await settled();
  sender.wake();
  await settled();
  assert.deepEqual(sent, ['k1', 'k1']);
});

test('conversations do not wait for each other', async () => {
  const { sender, sent } = setUp([transient]);
  sender.add(item('k1'));
  sender.add(item('k2', { conversationId: 'd' }));
  await settled();
  assert.deepEqual(sent, ['k1', 'k2']);
});

test('a refusal is kept for the user to decide, and does not block', async () => {
  const { sender, outbox, sent, reports } = setUp([refusal]);
  sender.add(item('k1'));
  sender.add(item('k2'));
  await settled();
  assert.deepEqual(sent, ['k1', 'k2']);
  assert.equal(outbox.all()[0].refused, 'forbidden');
  sender.retry(outbox.all()[0]);
  await settled();
  assert.equal(reports.at(-1), 'pending.accepted k1');
  assert.equal(outbox.all().length, 0);
});

test('what an earlier page left is sent again with its key; what was refused waits', async () => {
  const { sender, outbox, sent, reports } = setUp([]);
  outbox.put(item('k1'));
  outbox.put(item('k2', { refused: 'forbidden' }));
  sender.resume();
  await settled();
  assert.deepEqual(sent, ['k1']);
  assert.ok(reports.includes('pending.added k2 refused'));
});

test('a stopped sender keeps what it has not sent', async () => {
  const { sender, outbox, clock, sent } = setUp([transient]);
  sender.add(item('k1'));
  await settled();
  sender.stop();
  await settled();
  clock.advance(60_000);
  assert.deepEqual(sent, ['k1']);
  assert.equal(outbox.all().length, 1);
});

test('keys are random version 4 UUIDs', () => {
  assert.match(newKey(), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.notEqual(newKey(), newKey());
});

test('a token in the fragment is taken out of the address', () => {
  const replaced = [];
  const history = { replaceState: (_state, _title, url) => replaced.push(url) };
  assert.equal(takeTokenFromFragment({ hash: '#token=a.b.c', pathname: '/', search: '?x=1' }, history), 'a.b.c');
  assert.deepEqual(replaced, ['/?x=1']);
  assert.equal(takeTokenFromFragment({ hash: '#chat=1', pathname: '/', search: '' }, history), null);
  assert.equal(replaced.length, 1);
});

test('the claims of a token are read as UTF-8; what is no token is null', () => {
  const claims = Buffer.from(JSON.stringify({ sub: 'ABC', username: 'Zoë 🌟', exp: 10 })).toString('base64url');
  assert.deepEqual(readIdentity(`h.${claims}.s`), { id: 'abc', username: 'Zoë 🌟', expiresAt: 10_000 });
  for (const bad of ['', 'x', 'a.b.c', 'a.e30.c']) assert.equal(readIdentity(bad), null);
});
