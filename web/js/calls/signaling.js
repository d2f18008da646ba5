/**
 * The frames of a call, for client authors. What goes out, one method each; what comes in is listed below.
 *
 * Every frame goes over the one WebSocket (protocol.js) and is answered by an `ack` with the fields of the REST reply, or
 * an `error`. The frames of one call leave in the order in which they were given, also across a lost connection: what had
 * no answer is sent again when the socket is back. So a client may pipeline (answer, then candidates) and need not wait.
 *
 * A direct call, Alice calls Bob (each on Nova; if Bob is on Matrix, the bridge speaks `m.call.*` with him and nothing
 * here is different):
 *
 *   Alice  → {"type":"call.initiate","conversation_id","offer":{"type":"offer","sdp"},"is_video","sdp_stream_metadata",
 *             "idempotency_key"}                                 ← ack {"call_id","participant_id","status":"ringing"}
 *   all of Bob's sockets ← {"type":"call.initiated","call_id","initiator_id","caller":{"id","name","avatar_url"},
 *             "is_video","offer":{"type","sdp"},"expires_at",…}
 *   Alice  → {"type":"call.ice","call_id","candidate","sdp_mid","sdp_mline_index"}      one frame per candidate
 *   Bob    ← {"type":"call.ice_candidate",…the same}             wait with them until the description is applied
 *   Bob    → {"type":"call.accept","call_id","claim"}            a key of the device's own
 *                                           ← ack {"participant_id"}, or 409 when another device was faster
 *   Bob's sockets ← {"type":"call.answered_elsewhere","participant_id"}   who holds that id ignores it, the others stop
 *   Bob    → {"type":"call.answer","call_id","claim","answer":{"type":"answer","sdp"},"sdp_stream_metadata"}
 *             Only now: of two devices that connect at once, the wrong one may be first. (A client that never calls
 *             itself from two devices may leave `call.accept` out.)
 *   Alice  ← {"type":"call.answered","answer":{"type","sdp"},"participant_id","sdp_stream_metadata"}
 *   either → {"type":"call.negotiate","call_id","description":{"type","sdp"},"sdp_stream_metadata"}   camera on, screen,
 *             ICE restart. Both may ask at once: the *callee* is the polite one (voip.js).
 *   either → {"type":"call.media","call_id","audio_enabled","video_enabled"}   ← the other: {"type":"call.media_state"}
 *   either → {"type":"call.hangup","call_id","reason"}
 *
 * It ends with exactly one of `call.rejected`, `call.missed` (to who was called and did not answer) and `call.ended`.
 *
 * A group call is a mesh: `call.initiate` with `"call_type":"group"` and no offer, `call.join`, whose ack lists who is
 * there; the newcomer then offers to each of them with `call.negotiate` and `"to":<user id>`, and they answer likewise.
 * `call.participant_joined` and `call.participant_left` tell the others.
 */
import { newKey } from '../outbox.js';
import { writeCandidate } from './sdp.js';

/** What is sent to a bridge that is away is given up with the call itself, which a lost user may leave for 30 s. */
const PATIENCE_MS = 45_000;
/** Errors that are no answer: the frame may or may not have arrived. Every frame of a call may be sent twice. */
const UNANSWERED = new Set(['CONNECTION_LOST', 'TIMEOUT']);

export class CallSignaling {
  #connection;
  #rest;
  #now;
  /** call id → frames that wait for the socket, in order */
  #waiting = new Map();
  #sequence = 0;

  /**
   * @param {object} options
   * @param {import('../protocol.js').NovaConnection} options.connection
   * @param {import('../rest.js').NovaRest} options.rest
   * @param {() => number} [options.now]
   */
  constructor({ connection, rest, now = Date.now }) {
    this.#connection = connection;
    this.#rest = rest;
    this.#now = now;
    connection.addEventListener('status', ({ detail }) => detail.status === 'online' && this.#flushAll());
  }

  /** Places a direct call. @returns {Promise<{call_id: string, participant_id: string}>} */
  initiate({ conversationId, offer, metadata, video, key = newKey() }) {
    return this.#send(key, {
      type: 'call.initiate', conversation_id: conversationId, offer, is_video: video, call_type: 'direct',
      sdp_stream_metadata: metadata, idempotency_key: key,
    });
  }

  /** Starts a group call. The descriptions follow one by one, for everybody who comes. */
  initiateGroup({ conversationId, video, maxParticipants, key = newKey() }) {
    return this.#send(key, {
      type: 'call.initiate', conversation_id: conversationId, is_video: video, call_type: 'group',
      max_participants: maxParticipants, idempotency_key: key,
    });
  }

  /**
   * Takes a call before anything connects.
   * @returns {Promise<{claim: string, reply: {participant_id: string}}>} rejects with a conflict when another device was faster
   */
  async accept(callId, claim = newKey()) {
    return { claim, reply: await this.#send(callId, { type: 'call.accept', call_id: callId, claim }) };
  }

  /** @param {string} claim  as `accept()` gave it */
  answer(callId, answer, metadata, claim) {
    return this.#send(callId, { type: 'call.answer', call_id: callId, answer, sdp_stream_metadata: metadata, claim });
  }

  /** @returns {Promise<{participant_id: string, participants: {user_id: string, participant_id: string}[]}>} */
  join(callId) {
    return this.#send(callId, { type: 'call.join', call_id: callId });
  }

  reject(callId, reason) {
    return this.#send(callId, { type: 'call.reject', call_id: callId, ...(reason && { reason }) });
  }

  /** @param {RTCIceCandidate|null} candidate  null: there are no more @param {string} [to]  in a group call */
  candidate(callId, candidate, to) {
    return this.#send(callId, { type: 'call.ice', call_id: callId, ...writeCandidate(candidate), ...(to && { to }) });
  }

  negotiate(callId, description, metadata, to) {
    return this.#send(callId, { type: 'call.negotiate', call_id: callId, description, sdp_stream_metadata: metadata, ...(to && { to }) });
  }

  /** @param {{audio?: boolean, video?: boolean}} enabled */
  media(callId, { audio, video }) {
    return this.#send(callId, {
      type: 'call.media', call_id: callId, ...(audio !== undefined && { audio_enabled: audio }), ...(video !== undefined && { video_enabled: video }),
    });
  }

  leave(callId) {
    return this.#last(callId, { type: 'call.leave', call_id: callId }, () => this.#rest.leaveCall(callId));
  }

  /** @param {'user_hangup'|'media_failed'|'ice_failed'} reason */
  hangup(callId, reason) {
    return this.#last(callId, { type: 'call.hangup', call_id: callId, reason }, () => this.#rest.endCall(callId, reason));
  }

  /** The last word waits behind nothing, and makes void what waits. Without a socket it tries the other way. */
  async #last(callId, frame, overRest) {
    for (const item of this.#waiting.get(callId) ?? []) item.reject(new Error('the call is over'));
    this.#waiting.delete(callId);
    if (this.#connection.status === 'online') return this.#send(callId, frame);
    return overRest().catch((error) => (error.transient ? this.#send(callId, frame) : Promise.reject(error)));
  }

  #send(lane, frame) {
    return new Promise((resolve, reject) => {
      this.#enqueue(lane, { frame, resolve, reject, sequence: this.#sequence++, until: this.#now() + PATIENCE_MS });
      this.#flush(lane);
    });
  }

  #enqueue(lane, item) {
    const queue = this.#waiting.get(lane) ?? [];
    const place = queue.findIndex(({ sequence }) => sequence > item.sequence);
    queue.splice(place < 0 ? queue.length : place, 0, item);
    this.#waiting.set(lane, queue);
  }

  #flushAll() {
    for (const lane of [...this.#waiting.keys()]) this.#flush(lane);
  }

  #flush(lane) {
    const queue = this.#waiting.get(lane) ?? [];
    while (queue.length > 0 && this.#connection.status === 'online') {
      const item = queue.shift();
      if (this.#now() > item.until) item.reject(new Error('the call was away for too long'));
      else this.#connection.request(item.frame).then(item.resolve, (error) => this.#failed(lane, item, error));
    }
    if (queue.length === 0) this.#waiting.delete(lane);
  }

  #failed(lane, item, error) {
    if (!UNANSWERED.has(error.code) || this.#now() > item.until) return item.reject(error);
    this.#enqueue(lane, item);
    // After a lost connection this waits for the next one; after a silence it asks again.
    return this.#flush(lane);
  }
}
