/**
 * The call of this tab, as far as it is no state: its media, a connection to everybody in it, and what the bridge says of
 * it. How it is set up is in setup.js, and what its user switches in controls.js.
 */
import { Controls } from './controls.js';
import { LocalMedia } from './media.js';
import { QualityWatch } from './quality.js';
import { mediaProblem } from './text.js';
import { Peer } from './voip.js';

/** What the bridge takes as a reason to hang up. */
const SAID = ['user_hangup', 'ice_failed', 'media_failed'];
/** How long the call that takes the place of ours may take to come. */
const REPLACED_WITHIN_MS = 5_000;

/**
 * Events: `connected` (somebody is, or still is and something changed), `over` (nothing of it is left), `told` (the bridge
 * has heard from us that it is over).
 */
export class RunningCall extends EventTarget {
  /** Null until the bridge has told it. */
  id;
  conversationId;
  kind;
  me;
  signaling;
  rest;
  store;
  media;
  /** What was said of it before there was a connection. */
  early;
  controls;
  /** @type {Map<string, Peer>} by user id */
  peers = new Map();
  /** Resolved when the bridge takes candidates and changes for it. */
  ready = deferred();
  over = false;
  /** Frames that came before its id, while it is placed; else null. */
  waiting = null;
  /** Another device of ours answered. */
  takenElsewhere = false;
  /** @type {Promise<RTCIceServer[]>} */
  iceServers;
  #iceServersNow = [];
  #quality;

  /**
   * @param {{id?: string, conversationId: string, kind: 'direct'|'group'}} about
   * @param {object} options
   * @param {string} options.me
   * @param {import('./signaling.js').CallSignaling} options.signaling
   * @param {import('../rest.js').NovaRest} options.rest
   * @param {object} options.store  of the calls
   * @param {import('./early.js').Early} options.early  what was said of it so far
   * @param {LocalMedia} [options.media]  of a call that it takes the place of
   */
  constructor({ id = null, conversationId, kind }, { me, signaling, rest, store, early, media = new LocalMedia() }) {
    super();
    Object.assign(this, { id, conversationId, kind, me, signaling, rest, store, early, media });
    this.controls = new Controls(this);
    this.#quality = new QualityWatch(this.peers, (user, quality) => this.#onQuality(user, quality));
    this.iceServers = rest.iceServers().catch(() => []); // on one network it works without
  }

  /** Changes what the screen shows of it. */
  show(change) {
    this.store.dispatch({ type: 'local', change });
  }

  /** @returns {Promise<boolean>} whether the call goes on: without a microphone there is none */
  async openMedia(video) {
    try {
      const { cameraError } = await this.media.open({ video });
      if (this.over) {
        this.media.close();
        return false;
      }
      this.show({ camera: Boolean(this.media.camera), ...(cameraError && { notice: mediaProblem(cameraError, 'camera') }) });
      this.controls.countCameras();
      return true;
    } catch (error) {
      this.end('media_failed', { detail: mediaProblem(error, 'microphone'), tell: true });
      return false;
    }
  }

  /**
   * The connection to somebody, made now if there is none; nothing if the call was over meanwhile.
   * @param {{polite: boolean, bare?: boolean}} how  bare: what we send is added later
   * @returns {Promise<Peer|undefined>}
   */
  async connect(user, how) {
    this.#iceServersNow = await this.iceServers;
    if (this.over) return undefined;
    return this.peers.get(user) ?? this.#connectNow(user, how);
  }

  #connectNow(user, { polite, bare = false }) {
    const to = this.kind === 'group' ? user : undefined;
    const peer = new Peer({
      polite,
      iceServers: this.#iceServersNow,
      negotiate: (description, metadata) => this.ready.promise.then(() => this.signaling.negotiate(this.id, description, metadata, to)),
      candidate: (candidate) => this.ready.promise.then(() => !this.over && this.signaling.candidate(this.id, candidate, to)).catch(() => {}),
    });
    peer.addEventListener('state', () => this.#observe(user, peer));
    peer.addEventListener('lost', () => this.kind === 'direct' && this.end('ice_failed', { tell: true }));
    peer.addEventListener('refused', () => this.controls.takeBack());
    this.peers.set(user, peer);
    if (this.kind === 'direct') for (const frame of this.early.candidates.splice(0)) peer.candidate(frame);
    if (!bare) peer.addMedia(this.media.stream, { audioMuted: this.store.state.active?.muted });
    if (!bare && this.media.sharing) peer.setScreen(this.media.screen);
    return peer;
  }

  #observe(user, peer) {
    if (this.over || this.peers.get(user) !== peer) return;
    const { camera, screen } = peer.remote;
    const comes = (stream) => (stream?.getVideoTracks() ?? []).some((track) => track.readyState === 'live' && !track.muted);
    const change = { connection: peer.connection, hasVideo: comes(camera), hasScreen: comes(screen), streams: [camera?.id, screen?.id].join() };
    const before = this.store.state.active?.peers[user] ?? {};
    if (Object.keys(change).some((key) => change[key] !== before[key])) this.#showPeer(user, change);
    const held = this.kind === 'direct' && peer.connection === 'connected' && peer.held;
    if (held !== this.store.state.active?.held) this.show({ held });
    if (peer.connection === 'connected') this.dispatchEvent(new CustomEvent('connected'));
    this.#quality.start();
  }

  #onQuality(user, quality) {
    if (quality !== this.store.state.active?.peers[user]?.quality) this.#showPeer(user, { quality });
  }

  #showPeer(user, change) {
    this.store.dispatch({ type: 'peer', user, change, now: Date.now() });
  }

  /** A frame of this call, which the state has taken in already. */
  onFrame(frame) {
    const peer = this.kind === 'direct' ? this.peers.values().next().value : this.peers.get(frame.user_id);
    // Opening a microphone takes as long as its user does, and the other side does not wait.
    if (!peer && this.kind === 'direct') this.early.add(frame);
    switch (frame.type) {
      case 'call.answered':
        if (frame.answerer_id === this.me || !(frame.answer ?? frame.sdp)) return;
        peer?.answered(frame.answer ?? { type: 'answer', sdp: frame.sdp }, frame.sdp_stream_metadata)
          .then(() => peer.open(), () => this.end('error', { tell: true, detail: 'The answer could not be read.' }));
        return;
      case 'call.answered_elsewhere':
        this.takenElsewhere = this.store.state.active?.participantId !== frame.participant_id;
        return;
      case 'call.ice_candidate':
        peer?.candidate(frame);
        return;
      case 'call.negotiate':
        this.#onNegotiate(peer, frame);
        return;
      case 'call.media_state':
        peer?.setRemoteMetadata(frame.sdp_stream_metadata);
        return;
      case 'call.participant_left':
        peer?.close();
        this.peers.delete(frame.user_id);
        return;
      case 'call.ended':
        if (frame.reason === 'replaced') setTimeout(() => this.end('cancelled'), REPLACED_WITHIN_MS);
        return;
      default:
    }
  }

  async #onNegotiate(known, frame) {
    const description = frame.description ?? { type: 'offer', sdp: frame.sdp };
    if (!known && (this.kind !== 'group' || description.type !== 'offer')) return;
    // Somebody who has just come: they called us, so we are polite. Their candidates are behind this frame.
    const peer = known ?? this.#connectNow(frame.user_id, { polite: true });
    await peer.negotiated(description, frame.sdp_stream_metadata).catch((error) => console.warn('A description was not usable.', error.message));
    peer.open();
  }

  /** `tell`: the bridge does not know yet. */
  end(reason, { detail, byMe = false, tell = false } = {}) {
    if (this.over) return;
    if (tell && this.id) this.#tellEnd(reason);
    this.store.dispatch({ type: 'ended', reason, detail, byMe, now: Date.now() });
    this.close();
  }

  #tellEnd(reason) {
    const leaves = this.kind === 'group' && reason === 'user_hangup';
    const told = leaves ? this.signaling.leave(this.id) : this.signaling.hangup(this.id, SAID.includes(reason) ? reason : 'media_failed');
    told.catch(() => {}).then(() => this.dispatchEvent(new CustomEvent('told')));
  }

  /** Lets go of everything, when the state has no such call any more. */
  close({ keepMedia = false } = {}) {
    this.over = true;
    for (const peer of this.peers.values()) peer.close();
    if (!keepMedia) this.media.close();
    this.#quality.stop();
    this.dispatchEvent(new CustomEvent('over'));
  }

  /** Closes in favour of another call. @returns {LocalMedia} what that one goes on with */
  handOver() {
    this.close({ keepMedia: true });
    return this.media;
  }
}

function deferred() {
  const it = {};
  it.promise = new Promise((resolve) => { it.resolve = resolve; });
  return it;
}
