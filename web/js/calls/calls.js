/**
 * The calls of one signed-in user: what rings, the one call of this tab (running.js), and the history. Views call its
 * methods and draw `store.state`; nothing else in the client knows how a call works.
 *
 * Each step first tells the state and then the world, so that what is on the screen never waits for a network.
 */
import { createStore } from '../store.js';
import { Early } from './early.js';
import { RunningCall } from './running.js';
import { SavedCall } from './saved.js';
import * as setup from './setup.js';
import { CallSignaling } from './signaling.js';
import { callId, initialCalls, readHistoryRow, reduceCalls, takesOver } from './state.js';

const LOOK_EVERY_MS = 15_000;
/** How much later than the refusal of our call theirs may ring. */
const CROSSING_WITHIN_MS = 700;
/** A ring that nobody ends (its end was lost) must not ring for ever. */
const RING_AT_MOST_MS = 120_000;

export class Calls {
  #me;
  #rest;
  #signaling;
  #conversation;
  #storage;
  #seenKey;
  #saved;
  #listening = new AbortController();
  /** @type {RunningCall|null} the call of this tab */
  #running = null;
  /** What was said of the calls that ring, and of the one that this tab was in: call id → Early. */
  #early = new Map();
  #lookTimer = null;

  /**
   * @param {object} options
   * @param {string} options.me
   * @param {import('../protocol.js').NovaConnection} options.connection
   * @param {import('../rest.js').NovaRest} options.rest
   * @param {(id: string) => import('../store.js').Conversation|undefined} options.conversation
   * @param {Storage} options.memory  of this tab, survives a reload
   * @param {Storage} options.storage  of this browser
   */
  constructor({ me, connection, rest, conversation, memory, storage }) {
    this.#me = me;
    this.#rest = rest;
    this.#conversation = conversation;
    this.#storage = storage;
    this.#seenKey = `nova.call.seen.${me}`;
    this.#saved = new SavedCall(memory, me);
    this.#signaling = new CallSignaling({ connection, rest });
    this.store = createStore(initialCalls(me, { seenAt: Number(storage.getItem(this.#seenKey) ?? 0) }), reduceCalls);
    const signal = this.#listening.signal;
    connection.addEventListener('status', ({ detail }) => this.#onStatus(detail), { signal });
    connection.addEventListener('frame', ({ detail }) => this.#onFrame(detail), { signal });
    // Who has left a group call is not told of its end, and must not be offered to join what is over.
    this.#lookTimer = setInterval(() => this.#lookAtOngoing(), LOOK_EVERY_MS);
    globalThis.navigator?.mediaDevices?.addEventListener?.('devicechange', () => this.#running?.controls.countCameras(), { signal });
  }

  /** Sign-out: whoever is on the line must not wait for us. */
  stop() {
    this.hangUp();
    clearInterval(this.#lookTimer);
    this.#listening.abort();
  }

  /** The live connections, for whoever looks into them. @returns {RTCPeerConnection[]} */
  get connections() {
    return [...(this.#running?.peers.values() ?? [])].map(({ pc }) => pc);
  }

  /** Our own picture. */
  get localStream() {
    return this.#running?.media.stream ?? null;
  }

  get canShare() {
    return this.#running?.media.canShare ?? false;
  }

  /** What comes from somebody in the call. @returns {{camera: MediaStream|null, screen: MediaStream|null}} */
  remoteOf(user) {
    return this.#running?.peers.get(user)?.remote ?? { camera: null, screen: null };
  }

  // What the user does

  /** Calls the people of a conversation, or joins them. If it rings from there, that is what was meant. */
  async call(conversationId, { video = false } = {}) {
    const { rings, active, ongoing } = this.store.state;
    const ring = rings.find((it) => it.conversationId === conversationId);
    if (ring) return this.accept(ring.id, { video });
    if (active) return undefined;
    const conversation = this.#conversation(conversationId);
    const group = conversation?.type !== 'direct';
    if (group && ongoing[conversationId]) return this.#join(ongoing[conversationId].id, conversationId, { video });
    const other = conversation?.members.find((member) => member.user_id !== this.#me)?.user_id;
    const call = this.#begin({
      conversationId, kind: group ? 'group' : 'direct', direction: 'outgoing', video, peers: group || !other ? [] : [other],
    });
    if (!(await call.openMedia(video))) return undefined;
    const refusal = await (group ? setup.placeGroup(call, video) : setup.place(call, other, video));
    this.#catchUp(call);
    return refusal && this.#onRefused(call, refusal);
  }

  async #onRefused(call, error) {
    // They called us in the same moment and were first: that is the call that we wanted. Its ring may come after the refusal.
    const crossing = () => this.store.state.rings.find(({ conversationId }) => conversationId === call.conversationId);
    if (!crossing() && !error.transient) await new Promise((resolve) => { setTimeout(resolve, CROSSING_WITHIN_MS); });
    if (call.over) return;
    if (crossing()) await this.accept(crossing().id, { inItsPlace: true });
    else call.end('error', { detail: error.detail });
  }

  /** @param {{video?: boolean, inItsPlace?: boolean}} how  inItsPlace: of the call that we are just placing */
  async accept(id, { video = false, inItsPlace = false } = {}) {
    const { rings, active } = this.store.state;
    const ring = rings.find((it) => it.id === id);
    if (!ring) return;
    const takes = inItsPlace || takesOver(this.store.state, ring);
    // A camera that was on for the call that this one takes the place of stays on.
    const media = takes ? this.#running.handOver() : undefined;
    if (active && !takes) this.hangUp();
    if (ring.kind === 'group') {
      media?.close();
      return void this.#join(id, ring.conversationId, { video: video || Boolean(active?.camera && takes), callerName: ring.callerName });
    }
    const call = this.#begin({
      id, conversationId: ring.conversationId, kind: 'direct', direction: 'incoming', video: ring.video || video, callerName: ring.callerName,
      peers: [ring.callerId], camera: Boolean(media?.camera),
    }, media);
    if (media || (await call.openMedia(video))) await setup.accept(call, ring.callerId);
  }

  decline(id) {
    this.store.dispatch({ type: 'ring.removed', id });
    this.#early.delete(id);
    return this.#signaling.reject(id, 'declined').catch(() => {});
  }

  async #join(id, conversationId, { video = false, callerName } = {}) {
    const call = this.#begin({ id, conversationId, kind: 'group', direction: 'incoming', video, callerName });
    if (!(await call.openMedia(video))) return;
    try {
      await setup.join(call);
    } catch (error) {
      call.end('error', { detail: error.detail });
      this.#reconcile(); // it may be over
    }
  }

  /** Goes on with the call that this tab was in before it was reloaded. */
  async rejoin() {
    const saved = this.store.state.rejoin;
    if (!saved) return;
    const call = this.#begin({
      ...saved, id: saved.callId, phase: 'reconnecting', peers: saved.kind === 'direct' ? saved.users : [],
    });
    if (await call.openMedia(saved.camera)) await setup.rejoin(call, saved);
  }

  dismissRejoin() {
    const saved = this.store.state.rejoin;
    this.#saved.forget();
    this.store.dispatch({ type: 'rejoin', saved: null });
    if (saved) this.#signaling.hangup(saved.callId, 'user_hangup').catch(() => {});
  }

  hangUp(reason = 'user_hangup') {
    this.#running?.end(reason, { byMe: true, tell: true });
  }

  dismissEnd() {
    this.store.dispatch({ type: 'ended.seen' });
  }

  toggleMute() { return this.#running?.controls.toggleMute(); }
  toggleCamera() { return this.#running?.controls.toggleCamera(); }
  switchCamera() { return this.#running?.controls.switchCamera(); }
  toggleShare() { return this.#running?.controls.toggleShare(); }

  // History

  async loadHistory() {
    this.store.dispatch({ type: 'history.loading' });
    try {
      const rows = await this.#rest.callHistory();
      this.store.dispatch({ type: 'history.loaded', rows: rows.map((row) => readHistoryRow(row, this.#me)).filter((row) => row.conversationId && row.at) });
    } catch (error) {
      this.store.dispatch({ type: 'history.failed', error: error.detail ?? 'Something went wrong in this page.' });
    }
  }

  historySeen() {
    const at = Date.now();
    this.#storage.setItem(this.#seenKey, String(at));
    this.store.dispatch({ type: 'history.seen', at });
  }

  // What the bridge says

  #onStatus({ status }) {
    this.store.dispatch({ type: 'online', online: status === 'online' });
    if (status !== 'online') return;
    this.#reconcile();
    this.loadHistory();
  }

  /** A call that ended while we were away must not be left on the screen. What we missed of one that lives comes as frames. */
  async #reconcile() {
    const { rings, active } = this.store.state;
    const saved = this.#running ? null : this.#saved.recall();
    const known = [...rings.map(({ id }) => id), active?.id, saved?.callId].filter(Boolean);
    const calls = await this.#rest.activeCalls().catch(() => null);
    if (!calls) return;
    for (const call of calls) if (call.call_type === 'group') call.participants = await this.#rest.callParticipants(callId(call)).catch(() => []);
    this.store.dispatch({ type: 'reconciled', calls, known, now: Date.now() });
    this.#closeIfOver();
    if (!saved || this.#running) return;
    const there = calls.some((call) => callId(call) === saved.callId && call.status !== 'ringing');
    if (!there) this.#saved.forget();
    this.store.dispatch({ type: 'rejoin', saved: there ? saved : null });
  }

  #lookAtOngoing() {
    const { ongoing, active, online } = this.store.state;
    if (online && Object.values(ongoing).some(({ id }) => id !== active?.id)) this.#reconcile();
  }

  #onFrame(frame) {
    if (!frame.type?.startsWith('call.')) return;
    const call = this.#running;
    if (call?.waiting && frame.conversation_id === call.conversationId && !this.#early.has(frame.call_id)) return void call.waiting.push(frame);
    this.store.dispatch({ type: 'frame', frame, now: Date.now() });
    if (frame.type === 'call.initiated') this.#onRing(frame);
    else if (call && call.id === frame.call_id) call.onFrame(frame);
    else this.#onForeignFrame(frame);
    this.#closeIfOver();
    if (['call.ended', 'call.missed', 'call.rejected'].includes(frame.type)) this.loadHistory();
  }

  /** The frames that overtook the reply to our own call. */
  #catchUp(call) {
    const frames = call.waiting ?? [];
    call.waiting = null;
    for (const frame of frames) this.#onFrame(frame);
  }

  #onRing(frame) {
    const ring = this.store.state.rings.find(({ id }) => id === frame.call_id);
    if (!ring || this.#early.get(ring.id)?.offer) return; // a frame that came twice
    this.#keep(frame);
    const left = ring.expiresAt ? Math.max(10_000, ring.expiresAt - Date.now() + 5_000) : RING_AT_MOST_MS;
    setTimeout(() => this.store.dispatch({ type: 'ring.removed', id: ring.id }), Math.min(left, RING_AT_MOST_MS));
    if (takesOver(this.store.state, ring)) this.accept(ring.id);
  }

  /** Of a call that rings, or that this tab was in, or that is none of its business. */
  #onForeignFrame(frame) {
    const { rings, rejoin } = this.store.state;
    const saved = this.#running ? null : rejoin ?? this.#saved.recall();
    const wasIn = saved?.callId === frame.call_id;
    if (rings.some(({ id }) => id === frame.call_id) || (wasIn && frame.type !== 'call.ended')) return void this.#keep(frame);
    this.#early.delete(frame.call_id);
    if (!wasIn) return;
    this.#saved.forget();
    this.store.dispatch({ type: 'rejoin', saved: null });
  }

  #keep(frame) {
    const early = this.#early.get(frame.call_id) ?? new Early();
    early.add(frame);
    this.#early.set(frame.call_id, early);
  }

  // The call of this tab

  #begin(about, media) {
    const early = this.#early.get(about.id) ?? new Early();
    this.#early.delete(about.id);
    const call = new RunningCall(about, { me: this.#me, signaling: this.#signaling, rest: this.#rest, store: this.store, early, media });
    this.#running = call;
    call.addEventListener('connected', () => this.#saved.keep(call));
    call.addEventListener('over', () => {
      if (this.#running === call) this.#running = null;
      this.#saved.forget();
    });
    call.addEventListener('told', () => this.loadHistory());
    this.store.dispatch({ type: 'started', call: about });
    return call;
  }

  #closeIfOver() {
    if (this.#running && !this.store.state.active) this.#running.close();
  }
}
