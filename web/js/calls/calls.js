/**
 * The calls of one signed-in user: ties signaling, media, connections and state together. Views call its methods and draw
 * `store.state`; nothing else in the client knows how a call works.
 *
 * Each step first tells the state and then the world, so that what is on the screen never waits for a network.
 */
import { createStore } from '../store.js';
import { LocalMedia } from './media.js';
import { quality, sample } from './quality.js';
import { switches } from './sdp.js';
import { CallSignaling } from './signaling.js';
import { callId, initialCalls, isThere, known, readHistoryRow, reduceCalls, takesOver } from './state.js';
import { mediaProblem } from './text.js';
import { Peer } from './voip.js';

/** As many as a mesh can bear: everybody sends to everybody. */
const MAX_IN_GROUP = 8;
const QUALITY_EVERY_MS = 2_000;
const LOOK_EVERY_MS = 15_000;
/** How much later than the refusal of our call theirs may ring. */
const CROSSING_WITHIN_MS = 700;
/** What the bridge takes as a reason to hang up. */
const SAID = ['user_hangup', 'ice_failed', 'media_failed'];
/** A ring that nobody ends (its end was lost) must not ring for ever. */
const RING_AT_MOST_MS = 120_000;
/** How long the call that takes the place of ours may take to come. */
const REPLACED_WITHIN_MS = 5_000;

export class Calls {
  #me;
  #connection;
  #rest;
  #signaling;
  #conversation;
  #memory;
  #storage;
  #listening = new AbortController();
  /** The call of this tab, as far as it is no state: media and connections. */
  #run = null;
  /** What rings: call id → its offer and the candidates that came with it. */
  #offers = new Map();
  /** What the other side asked of a call that this tab was in before it was reloaded. */
  #missed = { offer: null, candidates: [] };
  #qualityTimer = null;
  #lookTimer = null;
  #samples = new Map();

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
    this.#connection = connection;
    this.#rest = rest;
    this.#conversation = conversation;
    this.#memory = memory;
    this.#storage = storage;
    this.#signaling = new CallSignaling({ connection, rest });
    this.store = createStore(initialCalls(me, { seenAt: Number(storage.getItem(this.#key('seen')) ?? 0) }), reduceCalls);
    const signal = this.#listening.signal;
    connection.addEventListener('status', ({ detail }) => this.#onStatus(detail), { signal });
    connection.addEventListener('frame', ({ detail }) => this.#onFrame(detail), { signal });
    // Who has left a group call is not told of its end, and must not be offered to join what is over.
    this.#lookTimer = setInterval(() => this.#lookAtOngoing(), LOOK_EVERY_MS);
    globalThis.navigator?.mediaDevices?.addEventListener?.('devicechange', () => this.#countCameras(), { signal });
  }

  /** Sign-out: whoever is on the line must not wait for us. */
  stop() {
    this.hangUp();
    clearInterval(this.#lookTimer);
    this.#listening.abort();
  }

  /** The live connections, for whoever looks into them. @returns {RTCPeerConnection[]} */
  get connections() {
    return [...(this.#run?.peers.values() ?? [])].map(({ pc }) => pc);
  }

  /** Our own picture. */
  get localStream() {
    return this.#run?.media.stream ?? null;
  }

  get canShare() {
    return this.#run?.media.canShare ?? false;
  }

  /** What comes from somebody in the call. @returns {{camera: MediaStream|null, screen: MediaStream|null}} */
  remoteOf(user) {
    return this.#run?.peers.get(user)?.remote ?? { camera: null, screen: null };
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
    const run = this.#begin({
      conversationId, kind: group ? 'group' : 'direct', direction: 'outgoing', video, peers: group || !other ? [] : [other],
    });
    if (!(await this.#openMedia(run, video))) return undefined;
    return group ? this.#placeGroup(run, video) : this.#place(run, other, video);
  }

  async #place(run, other, video) {
    const peer = await this.#connect(run, other, { polite: false });
    if (run.over) return;
    const { description, metadata } = await peer.offer();
    this.#local({ phase: 'calling' });
    await this.#placed(run, this.#signaling.initiate({ conversationId: run.conversationId, offer: description, metadata, video }));
  }

  async #placeGroup(run, video) {
    this.#local({ phase: 'calling' });
    await this.#placed(run, this.#signaling.initiateGroup({ conversationId: run.conversationId, video, maxParticipants: MAX_IN_GROUP }));
  }

  /** Frames of a call may overtake the reply that tells its id: until then they wait. */
  async #placed(run, request) {
    run.waiting = [];
    const { reply, error } = await request.then((it) => ({ reply: it }), (it) => ({ error: it }));
    if (error) return this.#notPlaced(run, error);
    run.id = callId(reply);
    if (run.over) this.#signaling.hangup(run.id, 'user_hangup').catch(() => {});
    else {
      this.store.dispatch({ type: 'placed', id: run.id, participantId: reply.participant_id ?? null });
      run.ready.resolve();
    }
    return this.#catchUp(run);
  }

  async #notPlaced(run, error) {
    this.#catchUp(run);
    // They called us in the same moment and were first: that is the call that we wanted. Its ring may come after the refusal.
    const crossing = () => this.store.state.rings.find(({ conversationId }) => conversationId === run.conversationId);
    if (!crossing() && !error.transient) await new Promise((resolve) => { setTimeout(resolve, CROSSING_WITHIN_MS); });
    if (run.over) return;
    if (crossing()) await this.accept(crossing().id, { inItsPlace: true });
    else this.#end(run, 'error', { detail: error.detail });
  }

  #catchUp(run) {
    const frames = run.waiting ?? [];
    run.waiting = null;
    for (const frame of frames) this.#onFrame(frame);
  }

  /** @param {{video?: boolean, inItsPlace?: boolean}} how  inItsPlace: of the call that we are just placing */
  async accept(id, { video = false, inItsPlace = false } = {}) {
    const { rings, active } = this.store.state;
    const ring = rings.find((it) => it.id === id);
    const offer = this.#offers.get(id);
    if (!ring) return;
    const takes = inItsPlace || takesOver(this.store.state, ring);
    // A camera that was on for the call that this one takes the place of stays on.
    const media = takes ? this.#handOver() : undefined;
    if (active && !takes) this.hangUp();
    if (ring.kind === 'group') {
      media?.close();
      return void this.#join(id, ring.conversationId, { video: video || Boolean(active?.camera && takes), callerName: ring.callerName });
    }
    const run = this.#begin({
      id, conversationId: ring.conversationId, kind: 'direct', direction: 'incoming', video: ring.video || video, callerName: ring.callerName,
      peers: [ring.callerId], camera: Boolean(media?.camera),
    }, media);
    this.#offers.delete(id);
    run.early.push(...offer?.candidates ?? []);
    if (!media && !(await this.#openMedia(run, video))) return;
    try {
      // Before anything connects: another device of ours that did the same would be the first to reach the caller.
      const { claim, reply } = await this.#signaling.accept(id);
      if (run.over) return;
      run.takenElsewhere = false;
      this.store.dispatch({ type: 'accepted', participantId: reply.participant_id ?? null });
      const peer = await this.#connect(run, ring.callerId, { polite: true });
      if (run.over) return;
      const { description, metadata } = await peer.answer(offer.description, offer.metadata);
      this.store.dispatch({ type: 'peer', user: ring.callerId, change: known(switches(offer.metadata)), now: Date.now() });
      this.#local({ phase: 'connecting' });
      const request = this.#signaling.answer(id, description, metadata, claim);
      run.ready.resolve(); // candidates follow the answer
      await request;
      if (!run.over) peer.open();
    } catch (error) {
      if (run.over) return;
      this.#end(run, run.takenElsewhere ? 'answered_elsewhere' : 'error', { detail: run.takenElsewhere ? undefined : error.detail });
    }
  }

  decline(id) {
    this.store.dispatch({ type: 'ring.removed', id });
    this.#offers.delete(id);
    return this.#signaling.reject(id, 'declined').catch(() => {});
  }

  /** Comes into a group call: the newcomer offers to everybody who is there. */
  async #join(id, conversationId, { video = false, callerName } = {}) {
    const run = this.#begin({ id, conversationId, kind: 'group', direction: 'incoming', video, callerName });
    this.#offers.delete(id);
    if (!(await this.#openMedia(run, video))) return;
    try {
      const reply = await this.#signaling.join(id);
      if (run.over) return void this.#signaling.leave(id).catch(() => {});
      this.store.dispatch({ type: 'joined', id, participantId: reply.participant_id ?? null });
      run.ready.resolve();
      for (const { user_id: user } of (reply.participants ?? []).filter(isThere)) if (user !== this.#me) await this.#offerTo(run, user);
    } catch (error) {
      this.#end(run, 'error', { detail: error.detail });
      this.#reconcile(); // it may be over
    }
  }

  async #offerTo(run, user) {
    const peer = await this.#connect(run, user, { polite: false });
    if (!run.over) peer.open();
  }

  hangUp(reason = 'user_hangup') {
    const run = this.#run;
    if (run) this.#end(run, reason, { byMe: true, tell: true });
  }

  dismissEnd() {
    this.store.dispatch({ type: 'ended.seen' });
  }

  toggleMute() {
    const run = this.#run;
    const muted = !this.store.state.active.muted;
    if (run.media.microphone) run.media.microphone.enabled = !muted;
    for (const peer of run.peers.values()) peer.setMuted(muted);
    this.#local({ muted });
    this.#tellMedia(run, { audio: !muted });
  }

  async toggleCamera() {
    const run = this.#run;
    if (this.store.state.active.camera) {
      this.#local({ camera: false });
      this.#tellMedia(run, { video: false });
      for (const peer of run.peers.values()) await peer.setCamera(null);
      run.media.closeCamera();
      return;
    }
    try {
      const track = await run.media.openCamera();
      if (run.over) return run.media.close();
      run.changing = 'camera';
      this.#local({ camera: true, notice: null });
      for (const peer of run.peers.values()) await peer.setCamera(track);
      this.#tellMedia(run, { video: true });
      this.#countCameras();
    } catch (error) {
      this.#local({ camera: false, notice: mediaProblem(error, 'camera') });
    }
  }

  async switchCamera() {
    const run = this.#run;
    try {
      const track = await run.media.switchCamera();
      for (const peer of run.peers.values()) await peer.setCamera(track);
      this.#local({}); // the picture is another one
    } catch (error) {
      this.#local({ camera: false, notice: mediaProblem(error, 'camera') });
      this.#tellMedia(run, { video: false });
    }
  }

  async toggleShare() {
    const run = this.#run;
    if (this.store.state.active.sharing) return this.#stopSharing(run);
    try {
      const screen = await run.media.openScreen(() => this.#stopSharing(run));
      if (run.over) return run.media.closeScreen();
      run.changing = 'share';
      this.#local({ sharing: true, notice: null });
      for (const peer of run.peers.values()) await peer.setScreen(screen);
    } catch (error) {
      // Who changed their mind needs no message.
      if (error.name !== 'NotAllowedError') this.#local({ notice: mediaProblem(error, 'screen') });
    }
    return undefined;
  }

  async #stopSharing(run) {
    if (run.over) return;
    this.#local({ sharing: false });
    for (const peer of run.peers.values()) await peer.setScreen(null);
    run.media.closeScreen();
  }

  // After a reload

  /** Goes on with the call that this tab was in: asks the other side for a new connection in the place of the old one. */
  async rejoin() {
    const saved = this.store.state.rejoin;
    if (!saved) return;
    const run = this.#begin({
      ...saved, id: saved.callId, phase: 'reconnecting', peers: saved.kind === 'direct' ? saved.users : [],
    });
    run.rejoins = saved.kind === 'direct';
    if (!(await this.#openMedia(run, saved.camera))) return;
    run.ready.resolve();
    if (saved.kind === 'group') {
      const people = await this.#rest.callParticipants(saved.callId).catch(() => []);
      for (const { user_id: user } of people.filter(isThere)) if (user !== this.#me && !run.over) await this.#offerTo(run, user);
      return;
    }
    const [user] = saved.users;
    await run.iceServers;
    const { offer, candidates } = this.#missed;
    this.#missed = { offer: null, candidates: [] };
    const peer = await this.#connect(run, user, { polite: saved.direction === 'incoming', bare: !offer });
    if (run.over) return;
    if (!offer) return peer.takePlace(saved.layout, run.media.stream);
    // The other side has noticed and asked already: a question of ours would cross with it.
    for (const frame of candidates) peer.candidate(frame);
    await peer.negotiated(offer.description, offer.sdp_stream_metadata).catch(() => {});
    peer.open();
  }

  dismissRejoin() {
    const saved = this.store.state.rejoin;
    this.#forget();
    this.store.dispatch({ type: 'rejoin', saved: null });
    if (saved) this.#signaling.hangup(saved.callId, 'user_hangup').catch(() => {});
  }

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
    this.#storage.setItem(this.#key('seen'), String(at));
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
    const saved = this.#run ? null : this.#recall();
    const known = [...rings.map(({ id }) => id), active?.id, saved?.callId].filter(Boolean);
    const calls = await this.#rest.activeCalls().catch(() => null);
    if (!calls) return;
    for (const call of calls) if (call.call_type === 'group') call.participants = await this.#rest.callParticipants(callId(call)).catch(() => []);
    this.store.dispatch({ type: 'reconciled', calls, known, now: Date.now() });
    this.#closeIfOver();
    if (!saved || this.#run) return;
    const there = calls.some((call) => callId(call) === saved.callId && call.status !== 'ringing');
    if (!there) this.#forget();
    this.store.dispatch({ type: 'rejoin', saved: there ? saved : null });
  }

  #lookAtOngoing() {
    const { ongoing, active, online } = this.store.state;
    if (online && Object.values(ongoing).some(({ id }) => id !== active?.id)) this.#reconcile();
  }

  #onFrame(frame) {
    if (!frame.type?.startsWith('call.')) return;
    const run = this.#run;
    if (run?.waiting && frame.conversation_id === run.conversationId && !this.#offers.has(frame.call_id)) return void run.waiting.push(frame);
    this.store.dispatch({ type: 'frame', frame, now: Date.now() });
    if (frame.type === 'call.initiated') this.#onRing(frame);
    else if (run && run.id === frame.call_id) this.#onOwnFrame(run, frame);
    else this.#onForeignFrame(frame);
    this.#closeIfOver();
    if (['call.ended', 'call.missed', 'call.rejected'].includes(frame.type)) this.loadHistory();
  }

  #onRing(frame) {
    const ring = this.store.state.rings.find(({ id }) => id === frame.call_id);
    if (!ring || this.#offers.has(ring.id)) return;
    this.#offers.set(ring.id, { description: frame.offer ?? { type: 'offer', sdp: frame.sdp }, metadata: frame.sdp_stream_metadata, candidates: [] });
    const left = ring.expiresAt ? Math.max(10_000, ring.expiresAt - Date.now() + 5_000) : RING_AT_MOST_MS;
    setTimeout(() => this.store.dispatch({ type: 'ring.removed', id: ring.id }), Math.min(left, RING_AT_MOST_MS));
    if (takesOver(this.store.state, ring)) this.accept(ring.id);
  }

  /** Of a call that rings, or that this tab was in. */
  #onForeignFrame(frame) {
    const offer = this.#offers.get(frame.call_id);
    if (frame.type === 'call.ice_candidate') offer?.candidates.push(frame);
    else if (offer && !this.store.state.rings.some(({ id }) => id === frame.call_id)) this.#offers.delete(frame.call_id);
    const saved = this.store.state.rejoin ?? this.#recall();
    if (this.#run || !saved || saved.callId !== frame.call_id) return;
    if (frame.type === 'call.negotiate' && frame.description?.type === 'offer') this.#missed = { offer: frame, candidates: [] };
    else if (frame.type === 'call.ice_candidate') this.#missed.candidates.push(frame);
    else if (frame.type === 'call.ended') {
      this.#forget();
      this.store.dispatch({ type: 'rejoin', saved: null });
    }
  }

  #onOwnFrame(run, frame) {
    const peer = run.kind === 'direct' ? run.peers.values().next().value : run.peers.get(frame.user_id);
    switch (frame.type) {
      case 'call.answered':
        if (frame.answerer_id === this.#me || !(frame.answer ?? frame.sdp)) return;
        peer?.answered(frame.answer ?? { type: 'answer', sdp: frame.sdp }, frame.sdp_stream_metadata)
          .then(() => peer.open(), () => this.#end(run, 'error', { tell: true, detail: 'The answer could not be read.' }));
        return;
      case 'call.answered_elsewhere':
        run.takenElsewhere = this.store.state.active?.participantId !== frame.participant_id;
        return;
      case 'call.ice_candidate':
        // Opening a microphone takes as long as its user does; the other side does not wait with its candidates.
        if (peer) peer.candidate(frame);
        else if (run.kind === 'direct') run.early.push(frame);
        return;
      case 'call.negotiate':
        this.#onNegotiate(run, peer, frame);
        return;
      case 'call.media_state':
        peer?.setRemoteMetadata(frame.sdp_stream_metadata);
        return;
      case 'call.participant_left':
        peer?.close();
        run.peers.delete(frame.user_id);
        return;
      case 'call.ended':
        if (frame.reason === 'replaced') setTimeout(() => this.#run === run && this.#end(run, 'cancelled'), REPLACED_WITHIN_MS);
        return;
      default:
    }
  }

  async #onNegotiate(run, known, frame) {
    const description = frame.description ?? { type: 'offer', sdp: frame.sdp };
    // Asked while a page that was reloaded still opens its microphone.
    if (!known && run.rejoins && description.type === 'offer') this.#missed = { offer: frame, candidates: [] };
    if (!known && (run.kind !== 'group' || description.type !== 'offer')) return;
    // Somebody who has just come: they called us, so we are polite. Their candidates are behind this frame.
    const peer = known ?? this.#connectNow(run, frame.user_id, { polite: true });
    await peer.negotiated(description, frame.sdp_stream_metadata).catch((error) => console.warn('A description was not usable.', error.message));
    peer.open();
  }

  // The call of this tab

  #begin(call, media = new LocalMedia()) {
    const run = { id: call.id ?? null, conversationId: call.conversationId, kind: call.kind, media, peers: new Map(), ready: deferred(), over: false, waiting: null, early: [], rejoins: false, iceServers: null };
    this.#run = run;
    media.addEventListener('lost', ({ detail }) => run === this.#run && this.#onDeviceLost(run, detail));
    this.store.dispatch({ type: 'started', call });
    run.iceServers = this.#rest.iceServers().catch(() => []); // on one network it works without
    return run;
  }

  async #openMedia(run, video) {
    try {
      const { cameraError } = await run.media.open({ video });
      if (run.over) {
        run.media.close();
        return false;
      }
      this.#local({ camera: Boolean(run.media.camera), ...(cameraError && { notice: mediaProblem(cameraError, 'camera') }) });
      this.#countCameras();
      return true;
    } catch (error) {
      if (!run.over) this.#end(run, 'media_failed', { detail: mediaProblem(error, 'microphone'), tell: true });
      return false;
    }
  }

  async #connect(run, user, how) {
    run.iceServersNow = await run.iceServers;
    return run.peers.get(user) ?? this.#connectNow(run, user, how);
  }

  /** @param {{polite: boolean, bare?: boolean}} how  bare: what we send is added later */
  #connectNow(run, user, { polite, bare = false }) {
    const to = run.kind === 'group' ? user : undefined;
    const peer = new Peer({
      polite,
      iceServers: run.iceServersNow ?? [],
      negotiate: (description, metadata) => run.ready.promise.then(() => this.#signaling.negotiate(run.id, description, metadata, to)),
      candidate: (candidate) => run.ready.promise.then(() => !run.over && this.#signaling.candidate(run.id, candidate, to)).catch(() => {}),
    });
    peer.addEventListener('state', () => this.#observe(run, user, peer));
    peer.addEventListener('lost', () => run.kind === 'direct' && this.#end(run, 'ice_failed', { tell: true }));
    peer.addEventListener('refused', () => this.#onRefused(run));
    run.peers.set(user, peer);
    if (run.kind === 'direct') for (const frame of run.early.splice(0)) peer.candidate(frame);
    if (!bare) peer.addMedia(run.media.stream, { audioMuted: this.store.state.active?.muted });
    if (!bare && run.media.sharing) peer.setScreen(run.media.screen);
    return peer;
  }

  #observe(run, user, peer) {
    if (run.over || run.peers.get(user) !== peer) return;
    const { camera, screen } = peer.remote;
    const comes = (stream) => (stream?.getVideoTracks() ?? []).some((track) => track.readyState === 'live' && !track.muted);
    const change = { connection: peer.connection, hasVideo: comes(camera), hasScreen: comes(screen), streams: [camera?.id, screen?.id].join() };
    const before = this.store.state.active?.peers[user] ?? {};
    if (Object.keys(change).some((key) => change[key] !== before[key])) this.store.dispatch({ type: 'peer', user, change, now: Date.now() });
    const held = run.kind === 'direct' && peer.connection === 'connected' && peer.held;
    if (held !== this.store.state.active?.held) this.#local({ held });
    if (peer.connection === 'connected') this.#remember(run);
    this.#watchQuality();
  }

  #onRefused(run) {
    if (run.over) return;
    this.#local({ notice: 'The other side cannot change this call.' });
    if (run.changing === 'share' && this.store.state.active.sharing) this.#stopSharing(run);
    if (run.changing === 'camera' && this.store.state.active.camera) this.toggleCamera();
    run.changing = null;
  }

  async #onDeviceLost(run, kind) {
    if (kind === 'video') {
      for (const peer of run.peers.values()) await peer.setCamera(null);
      this.#local({ camera: false, notice: 'The camera was disconnected.' });
      this.#tellMedia(run, { video: false });
    } else {
      this.#local({ muted: true, notice: 'The microphone was disconnected.' });
      this.#tellMedia(run, { audio: false });
    }
  }

  #local(change) {
    this.store.dispatch({ type: 'local', change });
  }

  #tellMedia(run, enabled) {
    run.ready.promise.then(() => !run.over && this.#signaling.media(run.id, enabled)).catch(() => {});
  }

  async #countCameras() {
    const cameras = (await this.#run?.media.cameras().catch(() => [])) ?? [];
    if (cameras.length !== this.store.state.cameras) this.store.dispatch({ type: 'cameras', count: cameras.length });
  }

  #watchQuality() {
    if (this.#qualityTimer || !this.#run) return;
    this.#qualityTimer = setInterval(() => this.#measure(), QUALITY_EVERY_MS);
  }

  async #measure() {
    const run = this.#run;
    for (const [user, peer] of run?.peers ?? []) {
      const report = await peer.pc.getStats().catch(() => null);
      if (run.over || !report) return;
      const now = sample(report.values());
      const found = quality(this.#samples.get(user) ?? null, now);
      this.#samples.set(user, now);
      if (found && found !== this.store.state.active?.peers[user]?.quality) this.store.dispatch({ type: 'peer', user, change: { quality: found }, now: Date.now() });
    }
  }

  /** Ends the call of this tab. `tell`: the bridge does not know yet. */
  #end(run, reason, { detail, byMe = false, tell = false } = {}) {
    if (run.over) return;
    if (tell && run.id) {
      const told = run.kind === 'group' && reason === 'user_hangup' ? this.#signaling.leave(run.id) : this.#signaling.hangup(run.id, SAID.includes(reason) ? reason : 'media_failed');
      told.catch(() => {}).then(() => this.loadHistory());
    }
    this.store.dispatch({ type: 'ended', reason, detail, byMe, now: Date.now() });
    this.#close(run);
  }

  #closeIfOver() {
    if (this.#run && !this.store.state.active) this.#close(this.#run);
  }

  #close(run, { keepMedia = false } = {}) {
    run.over = true;
    for (const peer of run.peers.values()) peer.close();
    if (!keepMedia) run.media.close();
    if (this.#run === run) this.#run = null;
    clearInterval(this.#qualityTimer);
    this.#qualityTimer = null;
    this.#samples.clear();
    this.#forget();
  }

  /** The media of a call that another one takes the place of. */
  #handOver() {
    const { media } = this.#run;
    this.#close(this.#run, { keepMedia: true });
    return media;
  }

  // What a reload must not lose

  #key(name) {
    return `nova.call.${name}.${this.#me}`;
  }

  #remember(run) {
    const { active } = this.store.state;
    if (!active?.id || run.over) return;
    const { id, conversationId, kind, direction, video, camera, participantId, callerName, startedAt } = active;
    const layout = run.kind === 'direct' ? run.peers.values().next().value.layout : [];
    const saved = { callId: id, conversationId, kind, direction, video, camera, participantId, callerName, startedAt, users: [...run.peers.keys()], layout };
    this.#memory.setItem(this.#key('running'), JSON.stringify(saved));
  }

  #recall() {
    try {
      return JSON.parse(this.#memory.getItem(this.#key('running')));
    } catch {
      return null;
    }
  }

  #forget() {
    this.#memory.removeItem(this.#key('running'));
  }
}

function deferred() {
  const it = {};
  it.promise = new Promise((resolve) => { it.resolve = resolve; });
  return it;
}
