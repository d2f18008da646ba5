// Element's side of a chat, by the plain client API: what it sends, and what it has seen.
import { deflateSync } from 'node:zlib';
import { Nova } from './nova.mjs';
import { env, pair, until } from './world.mjs';

/** A direct chat of both sides, with the page open at it. */
export async function chat(options) {
  const world = await pair();
  const element = new Chat(world.matrix, world.room);
  const nova = await Nova.open(world.nova, { chat: world.matrix.username, ...options });
  return { ...world, element, nova, page: nova.page };
}

export class Chat {
  constructor(matrix, room) {
    this.matrix = matrix;
    this.room = room;
    this.path = `/rooms/${encodeURIComponent(room)}`;
  }

  async message(content) {
    return (await this.matrix.send(this.room, 'm.room.message', content)).event_id;
  }

  say(body, more = {}) {
    return this.message({ msgtype: 'm.text', body, ...more });
  }

  reply(to, body) {
    return this.say(body, { 'm.relates_to': { 'm.in_reply_to': { event_id: to } } });
  }

  edit(event, body) {
    const text = { msgtype: 'm.text', body };
    return this.message({ ...text, body: `* ${body}`, 'm.new_content': text, 'm.relates_to': { rel_type: 'm.replace', event_id: event } });
  }

  async react(event, key) {
    return (await this.matrix.send(this.room, 'm.reaction', { 'm.relates_to': { rel_type: 'm.annotation', event_id: event, key } })).event_id;
  }

  redact(event) {
    return this.matrix.put(`${this.path}/redact/${encodeURIComponent(event)}/${crypto.randomUUID()}`);
  }

  typing(typing) {
    return this.matrix.put(`${this.path}/typing/${encodeURIComponent(this.matrix.id)}`, { typing, timeout: 20_000 });
  }

  read(event) {
    return this.matrix.post(`${this.path}/receipt/m.read/${encodeURIComponent(event)}`);
  }

  /** Puts a file where Matrix keeps them. @returns its mxc: address */
  async upload(bytes, type) {
    const response = await fetch(`${env.HOMESERVER_URL}/_matrix/media/v3/upload?filename=file`, {
      method: 'POST', headers: { authorization: `Bearer ${this.matrix.token}`, 'content-type': type }, body: bytes,
    });
    if (!response.ok) throw new Error(`upload: ${response.status}`);
    return (await response.json()).content_uri;
  }

  async download(mxc) {
    const response = await fetch(`${env.HOMESERVER_URL}/_matrix/client/v1/media/download/${mxc.slice('mxc://'.length)}`, {
      headers: { authorization: `Bearer ${this.matrix.token}` },
    });
    if (!response.ok) throw new Error(`download: ${response.status}`);
    return Buffer.from(await response.arrayBuffer());
  }

  /** What the room has, oldest first. */
  async events() {
    return (await this.matrix.get(`${this.path}/messages?dir=b&limit=100`)).chunk.reverse();
  }

  /** Waits for an event in the room. */
  sees(what, test) {
    return until(`Element sees ${what}`, async () => (await this.events()).find(test));
  }

  /** Waits for something in the room that is shown now or never. @param {(event: object) => boolean} test */
  async sensing(what, test, act) {
    let { next_batch: since } = await this.matrix.get('/sync?timeout=0');
    await act();
    return until(`Element senses ${what}`, async () => {
      const sync = await this.matrix.get(`/sync?timeout=1000&since=${encodeURIComponent(since)}`);
      since = sync.next_batch;
      return sync.rooms?.join?.[this.room]?.ephemeral?.events.find(test);
    });
  }
}

/** A picture of one colour: a PNG, written by hand so that no test needs a file. */
export function png(width, height, [red, green, blue]) {
  const row = Buffer.concat([Buffer.from([0]), Buffer.alloc(width * 3, Buffer.from([red, green, blue]))]);
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const parts = [['IHDR', header], ['IDAT', deflateSync(Buffer.concat(Array(height).fill(row)))], ['IEND', Buffer.alloc(0)]];
  return Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), ...parts.map(([name, data]) => pngPart(name, data))]);
}

function pngPart(name, data) {
  const body = Buffer.concat([Buffer.from(name, 'latin1'), data]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
}

function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

/** A second of a tone: a WAV. */
export function wav(seconds = 1, rate = 8000) {
  const samples = Buffer.alloc(seconds * rate * 2);
  for (let place = 0; place < seconds * rate; place += 1) samples.writeInt16LE(Math.round(9000 * Math.sin((place / rate) * 440 * 2 * Math.PI)), place * 2);
  const header = Buffer.alloc(44);
  header.write('RIFF', 0);
  header.writeUInt32LE(36 + samples.length, 4);
  header.write('WAVEfmt ', 8);
  header.writeUInt32LE(16, 16);
  header.set([1, 0, 1, 0], 20);
  header.writeUInt32LE(rate, 24);
  header.writeUInt32LE(rate * 2, 28);
  header.set([2, 0, 16, 0], 32);
  header.write('data', 36);
  header.writeUInt32LE(samples.length, 40);
  return Buffer.concat([header, samples]);
}
