/**
 * The Nova protocol for client authors. Start here.
 *
 *   const rest = new NovaRest({ baseUrl: document.baseURI, token });
 *   const nova = new NovaConnection({ baseUrl: document.baseURI, token, rest });
 *   nova.addEventListener('frame', ({ detail: frame }) => …);
 *   nova.addEventListener('status', ({ detail }) => …);      // see ConnectionStatus
 *   nova.connect();
 *   const { id } = await nova.sendMessage({ conversationId, content: 'Hello', idempotencyKey: crypto.randomUUID() });
 *
 * The model in five sentences. One WebSocket, `/ws?token=<jwt>`, carries what happens in all conversations of the user.
 * Every frame is a flat JSON object with a `type`; unknown types are ignored. Most carry a `stream_id`, one cursor over
 * all conversations; `/ws?token=…&since=<stream_id>` replays everything after it, so a client that lost its connection
 * misses nothing. A frame may come twice, so a client drops messages whose `id` it knows. What was there before the
 * first frame comes by REST (rest.js): open the socket first, ask for the snapshot second, and nothing falls between.
 *
 * Frames from the bridge (members shortened):
 *
 *   {"type":"message.new","stream_id":"1767863730123-0","timestamp":"2026-01-08T09:15:30Z","conversation_id":"c7e4…",
 *    "id":"5d90…","sender_id":"3f2b…","sequence_number":42,"content":"Hello","message_type":"text",
 *    "created_at":"2026-01-08T09:15:30Z"}                       also to the author: that is how other devices learn it
 *   {"type":"message.delivery","stream_id":"…","conversation_id":"c7e4…","message_id":"5d90…","status":"sent"}
 *                                        to the author only; status: sent, retrying or failed (then with "detail")
 *   {"type":"message.edited","conversation_id":"c7e4…","message_id":"5d90…","version_number":2,"content":"Hello!"}
 *   {"type":"message.deleted","conversation_id":"c7e4…","message_id":"5d90…"}      message.recalled leaves a trace instead
 *   {"type":"reaction.added","conversation_id":"c7e4…","message_id":"5d90…","user_id":"8a6d…","emoji":"👍"}
 *   {"type":"message.pinned","conversation_id":"c7e4…","message_id":"5d90…","pinned_by":"8a6d…"}      or message.unpinned
 *   {"type":"message.read","conversation_id":"c7e4…","user_id":"8a6d…","last_read_sequence":42}
 *   {"type":"typing.started","conversation_id":"c7e4…","user_id":"8a6d…","username":"bob"}    repeated while it lasts
 *   {"type":"presence","user_id":"8a6d…","presence":"online"}
 *   {"type":"conversation.created","conversation_id":"c7e4…","conversation":{"id":"c7e4…","kind":"group","name":"Tea"}}
 *   {"type":"member.joined","conversation_id":"c7e4…","user_id":"8a6d…","username":"bob","role":"member"}
 *   {"type":"member.left","conversation_id":"c7e4…","user_id":"8a6d…"}
 *   {"type":"ack","request_id":"1","id":"5d90…","sequence_number":42}             the answer to a frame that we sent
 *   {"type":"error","request_id":"1","code":"AUTHORIZATION_ERROR","detail":"…"}   the other answer
 *
 * Frames to the bridge:
 *
 *   {"type":"ping"}                                             answered by {"type":"pong"}
 *   {"type":"message.send","request_id":"1","conversation_id":"c7e4…","content":"Hello","idempotency_key":"a1…"}
 *   {"type":"message.read","request_id":"2","conversation_id":"c7e4…","message_id":"5d90…"}
 *   {"type":"typing.start","conversation_id":"c7e4…"}           no answer, and again every few seconds; or typing.stop
 */
import { REAL_CLOCK, backoff } from './backoff.js';
import { NovaError } from './rest.js';

/**
 * @typedef {object} ConnectionStatus
 * @property {'offline'|'connecting'|'online'|'waiting'} status  waiting: a drop happened, the next try is planned
 * @property {boolean} [resumed]  with online: true when the bridge replays what we missed; false asks for a snapshot
 * @property {number} [retryInMs]  with waiting
 */

/** A browser cannot see the protocol's own pings, so silence is measured with text pings. */
const PING_EVERY_MS = 25_000;
const PONG_WITHIN_MS = 10_000;
const ACK_WITHIN_MS = 15_000;
const OPEN_WITHIN_MS = 15_000;
/** The close code for a broken rule: repeating will not help before we know why. */
const CLOSE_POLICY = 1008;

/** Compares two cursors `<milliseconds>-<number>`. As text, "10-0" would come before "9-0". */
export function compareStreamIds(a, b) {
  const [aMs, aN = 0] = a.split('-').map(Number);
  const [bMs, bN = 0] = b.split('-').map(Number);
  return aMs - bMs || aN - bN;
}

/** Events: `frame` (a decoded frame), `status` (ConnectionStatus), `unauthorized` (the token is no longer good). */
export class NovaConnection extends EventTarget {
  /** The newest `stream_id` seen: where a resumed connection continues. */
  cursor = null;

  #options;
  #clock;
  #socket = null;
  #status = 'offline';
  #wanted = false;
  #attempt = 0;
  #nextRequest = 1;
  /** Requests without an answer yet: request_id → {resolve, reject, timer}. */
  #requests = new Map();
  #timers = { retry: null, ping: null, pong: null };

  /**
   * @param {object} options
   * @param {string|URL} options.baseUrl  where the bridge is, as http(s)
   * @param {string} options.token  the Nova token (JWT)
   * @param {import('./rest.js').NovaRest} options.rest
   * @param {typeof WebSocket} [options.WebSocket]
   * @param {import('./backoff.js').Clock} [options.clock]
   * @param {() => number} [options.random]
   */
  constructor(options) {
    super();
    this.#options = { WebSocket: globalThis.WebSocket, random: Math.random, ...options };
    this.#clock = options.clock ?? REAL_CLOCK;
  }

  get status() {
    return this.#status;
  }

  /** Connects and stays connected until `close()`. Calling it while a retry is planned tries at once. */
  connect() {
    this.#wanted = true;
    if (this.#socket) return;
    this.#cancel('retry');
    this.#dial();
  }

  close() {
    this.#wanted = false;
    this.#drop(1000);
    this.#cancel('retry');
    this.#announce({ status: 'offline' });
  }

  /**
   * Sends a message and resolves with the bridge's answer `{id, sequence_number, …}`. Over the socket when it is open,
   * because frames of one socket keep their order; otherwise by REST. When this rejects with a transient error the
   * message may or may not have arrived: call again with the same idempotency key.
   */
  sendMessage({ conversationId, content, idempotencyKey, style, replyTo, threadRoot, media }) {
    // What carries a file goes by REST alone.
    if (this.#status !== 'online' || media) {
      return this.#options.rest.sendMessage({ conversationId, content, idempotencyKey, style, replyTo, threadRoot, media });
    }
    return this.request({
      type: 'message.send',
      conversation_id: conversationId,
      content,
      idempotency_key: idempotencyKey,
      ...(style && { style }),
      ...(replyTo && { reply_to_message_id: replyTo }),
      ...(threadRoot && { thread_root_message_id: threadRoot }),
    });
  }

  /** Sends a frame that nobody answers, and that is not worth keeping: without a connection it is dropped. */
  tell(frame) {
    if (this.#status === 'online') this.#socket.send(JSON.stringify(frame));
  }

  /** Sends any frame and waits for the `ack` or `error` that names it. */
  request(frame) {
    if (this.#status !== 'online') return Promise.reject(connectionLost());
    const requestId = String(this.#nextRequest++);
    return new Promise((resolve, reject) => {
      const timer = this.#clock.setTimeout(() => this.#settle(requestId, 'reject', noAnswer()), ACK_WITHIN_MS);
      this.#requests.set(requestId, { resolve, reject, timer });
      this.#socket.send(JSON.stringify({ ...frame, request_id: requestId }));
    });
  }

  /** The address of the socket. The token is in the query because browsers cannot set headers on a WebSocket. */
  #url() {
    const url = new URL('ws', this.#options.baseUrl);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    url.searchParams.set('token', this.#options.token);
    if (this.cursor) url.searchParams.set('since', this.cursor);
    return url.href;
  }

  #dial() {
    const resumed = this.cursor !== null;
    const socket = new this.#options.WebSocket(this.#url());
    this.#socket = socket;
    this.#announce({ status: 'connecting' });
    this.#expectLife(OPEN_WITHIN_MS);
    socket.onopen = () => {
      this.#announce({ status: 'online', resumed });
      // Asked at once: only an answer proves that the way is good in both directions, and resets the backoff.
      this.#ping();
    };
    socket.onmessage = ({ data }) => this.#receive(data);
    // An error is always followed by a close; handling both would plan two retries.
    socket.onclose = ({ code }) => this.#closed(socket, code);
  }

  #receive(data) {
    let frame;
    try {
      frame = JSON.parse(data);
    } catch {
      return; // not ours to repair; the next frame may be fine
    }
    if (frame === null || typeof frame !== 'object') return;
    this.#attempt = 0;
    // Any frame is a sign of life, not only the pong.
    this.#cancel('pong');
    this.#schedulePing();
    if (frame.type === 'pong') return;
    if (frame.type === 'ack') return void this.#settle(frame.request_id, 'resolve', frame);
    if (frame.type === 'error' && frame.request_id) return void this.#settle(frame.request_id, 'reject', new NovaError(frame));
    // We were away for longer than frames are kept: what is replayed now has a hole, so ask for a snapshot after all.
    if (frame.type === 'error' && frame.code === 'RESUME_GAP') return this.#announce({ status: 'online', resumed: false });
    this.dispatchEvent(new CustomEvent('frame', { detail: frame }));
    if (frame.stream_id && (!this.cursor || compareStreamIds(frame.stream_id, this.cursor) > 0)) this.cursor = frame.stream_id;
  }

  async #closed(socket, code) {
    if (socket !== this.#socket) return; // one that we had given up already
    const neverOpened = this.#status === 'connecting';
    this.#drop();
    if (!this.#wanted) return;
    const retryInMs = backoff(this.#attempt++, this.#options.random);
    this.#timers.retry = this.#clock.setTimeout(() => this.connect(), retryInMs);
    this.#announce({ status: 'waiting', retryInMs });
    // A browser hides why a handshake failed. REST tells whether it was the token.
    if (neverOpened || code === CLOSE_POLICY) await this.#checkToken();
  }

  async #checkToken() {
    const error = await this.#options.rest.conversations().then(() => null, (failure) => failure);
    if (error?.status !== 401 || !this.#wanted) return;
    this.close();
    this.dispatchEvent(new CustomEvent('unauthorized'));
  }

  #ping() {
    this.#socket.send('{"type":"ping"}');
    this.#expectLife(PONG_WITHIN_MS);
  }

  /** A connection can die without a word (a laptop that slept, a lost radio): silence is a close. */
  #expectLife(ms) {
    this.#cancel('pong');
    this.#timers.pong = this.#clock.setTimeout(() => {
      const socket = this.#socket;
      socket.close();
      this.#closed(socket, 1006);
    }, ms);
  }

  #schedulePing() {
    this.#cancel('ping');
    this.#timers.ping = this.#clock.setTimeout(() => this.#ping(), PING_EVERY_MS);
  }

  /** Forgets the socket. Whoever waits for an answer learns that none will come. */
  #drop(code) {
    const socket = this.#socket;
    this.#socket = null;
    this.#cancel('ping');
    this.#cancel('pong');
    if (socket && code) socket.close(code);
    for (const requestId of [...this.#requests.keys()]) this.#settle(requestId, 'reject', connectionLost());
  }

  #settle(requestId, how, value) {
    const request = this.#requests.get(requestId);
    if (!request) return;
    this.#requests.delete(requestId);
    this.#clock.clearTimeout(request.timer);
    request[how](value);
  }

  #cancel(name) {
    this.#clock.clearTimeout(this.#timers[name]);
    this.#timers[name] = null;
  }

  /** @param {ConnectionStatus} detail */
  #announce(detail) {
    this.#status = detail.status;
    this.dispatchEvent(new CustomEvent('status', { detail }));
  }
}

const connectionLost = () => new NovaError({ code: 'CONNECTION_LOST', detail: 'The connection was lost.', transient: true });
const noAnswer = () => new NovaError({ code: 'TIMEOUT', detail: 'The bridge did not answer.', transient: true });
