// Clients of the call_* frames, written from call-dialects.md §2: the web library (flat frames, checks what it reads and
// drops the rest), and Flutter and Python (enveloped frames, read only the payload). No media: SDP is given to them.
import { randomBytes, randomUUID } from 'node:crypto';
import WebSocket from 'ws';

import { env, until } from '../browser/support/world.mjs';

const ALPHABET = 'ABCDEFGHJKLMNPQRSTUVWXYZ23456789';
const UUID4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i;
const REASONS = ['busy', 'declined', 'timeout'];

export const newCode = () => [...randomBytes(6)].map((byte) => ALPHABET[byte % 32]).join('');

const base = env.BRIDGE_URL.replace(/^http/, 'ws');

/** Where a user's Zajel client connects, and where one that speaks the frames on Nova's own socket does. */
export const zajelUrl = (user) => `${base}/zajel/${user.token}`;
export const novaUrl = (user) => `${base}/ws?token=${user.token}&calls=frames`;

/** The codes of a user's contacts, by Matrix id. */
export async function codes(user) {
  const { contacts } = await user.get(`/zajel/${user.token}/contacts`);
  return Object.fromEntries(contacts.map((it) => [it.matrix_user_id, it.code]));
}

/** What every client does: one call at a time, and no change to one that is up. */
class Client {
  /** `key` is the client's own for as long as its page is open; the code is new for each connection. */
  constructor(url, { key = randomBytes(32).toString('base64'), code = newCode() } = {}) {
    Object.assign(this, { url, key, code, state: 'idle', call: null, ice: [], heard: [], dropped: [] });
    this.connect();
  }

  connect() {
    this.socket = new WebSocket(this.url);
    this.socket.on('open', () => {
      if (this.url.includes('/zajel/')) this.raw({ type: 'register', pairingCode: this.code, publicKey: this.key });
    });
    this.socket.on('message', (data) => this.read(JSON.parse(data)));
    this.socket.on('close', (code) => this.heard.push({ type: 'closed', code }));
    this.socket.on('error', (error) => this.heard.push({ type: 'broken', error: error.message }));
  }

  /** The connection breaks; the page stays, and connects again with another code. */
  async reconnect() {
    this.socket.terminate();
    await this.next('closed');
    this.code = newCode();
    this.connect();
    await this.next('registered');
  }

  raw(frame) {
    this.socket.send(JSON.stringify(frame));
  }

  read(frame) {
    this.heard.push(frame);
    if (!frame.type.startsWith('call_')) return;
    const body = this.checked(frame);
    if (!body) {
      this.dropped.push(frame);
      return;
    }
    if (frame.type === 'call_offer') this.rung(frame.from, body);
    else if (body.callId !== this.call?.id) this.dropped.push(frame);
    else if (frame.type === 'call_answer' && this.state === 'outgoing') this.become('connected', { answer: body.sdp });
    else if (frame.type === 'call_ice') this.ice.push(JSON.parse(body.candidate));
    else if (frame.type === 'call_reject' || frame.type === 'call_hangup') this.become('idle', { end: frame.type, reason: body.reason });
    else this.dropped.push(frame);
  }

  rung(from, { callId, sdp, withVideo }) {
    if (this.state !== 'idle') {
      this.say('call_reject', from, { callId, reason: 'busy' });
      return;
    }
    this.call = { id: callId, peer: from, offer: sdp, withVideo };
    this.ice = [];
    this.state = 'incoming';
  }

  become(state, more = {}) {
    Object.assign(this.call, more);
    this.state = state;
  }

  // What a person does.

  dial(peer, sdp, withVideo = false) {
    this.call = { id: randomUUID(), peer };
    this.ice = [];
    this.state = 'outgoing';
    this.say('call_offer', peer, { callId: this.call.id, sdp, withVideo });
  }

  accept(sdp) {
    this.say('call_answer', this.call.peer, { callId: this.call.id, sdp });
    this.become('connected');
  }

  reject(reason = 'declined') {
    this.say('call_reject', this.call.peer, { callId: this.call.id, reason });
    this.become('idle');
  }

  hangUp() {
    this.say('call_hangup', this.call.peer, { callId: this.call.id });
    this.become('idle');
  }

  sendIce(candidate) {
    this.say('call_ice', this.call.peer, { callId: this.call.id, candidate: JSON.stringify(candidate) });
  }

  /** The next frame of that type that nobody has waited for. */
  async next(type) {
    const found = await until(`a ${type}`, () => this.heard.find((it) => it.type === type && !it.seen));
    found.seen = true;
    return found;
  }

  is(state) {
    return until(`the client is ${state}`, () => this.state === state);
  }

  hasIce(count) {
    return until(`${count} candidates`, () => this.ice.length >= count);
  }

  /** Everything that was sent is answered. */
  async settled() {
    this.raw({ type: 'ping' });
    await this.next('pong');
  }

  close() {
    this.socket.terminate();
  }
}

/** The web library. */
export class WebClient extends Client {
  say(type, targetId, body) {
    this.raw({ type, targetId, ...body });
  }

  checked(frame) {
    const { type, from, callId, sdp, withVideo, reason, candidate } = frame;
    if (typeof from !== 'string' || !from || typeof callId !== 'string' || !UUID4.test(callId)) return null;
    if (type === 'call_offer' || type === 'call_answer') {
      if (typeof sdp !== 'string' || !sdp || sdp.length > 100_000 || !sdp.startsWith('v=0')) return null;
      if (!/^o=/m.test(sdp) || !/^s=/m.test(sdp)) return null;
      if (type === 'call_offer' && typeof withVideo !== 'boolean') return null;
    }
    // A null is not an absent one.
    if (type === 'call_reject' && 'reason' in frame && !REASONS.includes(reason)) return null;
    if (type === 'call_ice') {
      if (typeof candidate !== 'string' || !candidate || candidate.length > 10_000) return null;
      try {
        JSON.parse(candidate);
      } catch {
        return null;
      }
    }
    return frame;
  }
}

/** Flutter and Python. */
export class EnvelopedClient extends Client {
  say(type, target, payload) {
    this.raw({ type, target, payload });
  }

  checked({ from, payload }) {
    return typeof from === 'string' && payload && typeof payload.callId === 'string' ? payload : null;
  }
}
