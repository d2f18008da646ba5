// A client of the Socket.IO dialect, as the published ones are: one socket, and REST beside it.
import { io } from 'socket.io-client';

import { env, until } from '../browser/support/world.mjs';

export class Phone {
  /** `how`: `auth`, `query`, `namespace`, `event` (the token comes with the first event), or `none`. */
  constructor(user, how = 'auth', options = {}) {
    this.user = user;
    this.how = how;
    this.heard = [];
    const url = how === 'namespace' ? `${env.BRIDGE_URL}/u/${user.token}` : env.BRIDGE_URL;
    this.socket = io(url, {
      forceNew: true,
      reconnection: false,
      ...(how === 'auth' && { auth: { token: user.token } }),
      ...(how === 'query' && { query: { token: user.token } }),
      ...options,
    });
    this.socket.onAny((event, body) => this.heard.push({ event, ...body }));
    this.socket.on('connect_error', (error) => this.heard.push({ event: 'connect_error', message: error.message }));
    this.socket.on('disconnect', (reason) => this.heard.push({ event: 'disconnect', reason }));
  }

  emit(event, body) {
    this.socket.emit(event, body);
  }

  /** The fields that name the user. */
  get self() {
    return { userId: this.user.mxid, ...(this.how === 'event' && { accessToken: this.user.token }) };
  }

  register() {
    this.emit('register-user', this.self);
  }

  join(callId) {
    this.emit('join-call', { callId, ...this.self });
  }

  /** The next event of that name that nobody has waited for. */
  async next(event, within = 30_000) {
    const look = () => this.heard.find((it) => it.event === event && !it.seen);
    const found = await until(`${this.user.name} hears ${event}`, look, { within });
    found.seen = true;
    return found;
  }

  /** How often an event was heard. */
  count(event) {
    return this.heard.filter((it) => it.event === event).length;
  }

  async rest(path, body = {}, { token = this.user.token, userId = this.user.mxid } = {}) {
    const response = await fetch(`${env.BRIDGE_URL}/api/calls${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ userId, accessToken: token, ...body }),
    });
    return { status: response.status, body: await response.json() };
  }

  initiate(roomId, callType = 'voice') {
    return this.rest('/initiate', { roomId, callType });
  }

  close() {
    this.socket.disconnect();
  }
}

export function candidate(n) {
  return { candidate: `candidate:${n} 1 udp 2113937151 192.0.2.${n} 5000${n} typ host`, sdpMid: '0', sdpMLineIndex: 0 };
}
