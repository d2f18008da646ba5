/**
 * The connection to one other person: an RTCPeerConnection and the rules for talking about it.
 *
 * **Perfect negotiation.** Each side may ask for a change at any time (camera on, screen, ICE restart). If both ask at
 * once, the impolite one goes on and the polite one takes its own question back. Polite is exactly who was *called*:
 * Element's engine has the same rule, and two polite or two impolite sides would wait for each other for ever.
 *
 * **Order.** The answer leaves before the callee's candidates, and a candidate that comes before its description waits
 * for it: one that is applied too early is lost, and the call never connects. So what comes in goes through one queue.
 *
 * **The first offer and answer** travel in `call.initiate` and `call.answer`; only after them is `call.negotiate` allowed,
 * which is what `open()` tells.
 *
 * **Lost and found.** When the way breaks, both sides look for a new one (`restartIce`); after 30 s it is given up.
 */
import { describeStreams, readCandidate, sortStreams } from './sdp.js';

/** A short break heals by itself. */
const RESTART_AFTER_MS = 2_500;
/** As long as Element waits. */
const GIVE_UP_AFTER_MS = 30_000;
/** Candidates that come later than this are not worth waiting for. */
const GATHER_MS = 10_000;

/**
 * Events: `state` (connection, hold or incoming streams changed), `lost` (given up), `refused` (the other side cannot
 * take a change; detail: the error).
 */
export class Peer extends EventTarget {
  /** @type {RTCPeerConnection} */
  pc;
  #options;
  #polite;
  #queue = Promise.resolve();
  #early = [];
  #open = false;
  #making = false;
  /** The browser asked for a negotiation that was not allowed yet. */
  #wanting = false;
  #ignoring = false;
  #closed = false;
  #senders = { audio: null, video: null, screen: null };
  #screen = null;
  #local = { stream: null, screenId: undefined, audioMuted: false, videoMuted: false };
  /** Streams that come in, by id, and what they are. */
  #streams = new Map();
  #metadata = undefined;
  #timers = { restart: null, giveUp: null, gather: null };

  /**
   * @param {object} options
   * @param {boolean} options.polite  we were called
   * @param {RTCIceServer[]} options.iceServers
   * @param {(description: RTCSessionDescriptionInit, metadata: object) => Promise<any>} options.negotiate
   * @param {(candidate: RTCIceCandidate|null) => void} options.candidate
   */
  constructor(options) {
    super();
    this.#options = options;
    this.#polite = options.polite;
    this.#build();
  }

  get connection() { return this.pc.connectionState; }

  /** The streams that come in. @returns {{camera: MediaStream|null, screen: MediaStream|null}} */
  get remote() {
    const { camera, screen } = sortStreams([...this.#streams.keys()], this.#metadata);
    return { camera: this.#streams.get(camera) ?? null, screen: this.#streams.get(screen) ?? null };
  }

  /** The other side lets us wait: it takes nothing of what we would send. */
  get held() {
    const ours = this.pc.getTransceivers().filter(({ sender, currentDirection }) => sender.track?.kind === 'audio' && currentDirection !== null);
    return ours.length > 0 && ours.every(({ currentDirection }) => ['recvonly', 'inactive'].includes(currentDirection));
  }

  /** The kinds of the media sections in order: what a connection that takes the place of this one has to repeat. */
  get layout() {
    const placed = this.pc.getTransceivers().filter(({ mid }) => mid !== null);
    return placed.sort((a, b) => Number(a.mid) - Number(b.mid)).map(({ receiver }) => receiver.track.kind);
  }

  /** What we send: always with its stream. @param {MediaStream} stream */
  addMedia(stream, { audioMuted = false } = {}) {
    this.#local.stream = stream;
    this.#local.audioMuted = audioMuted;
    const [audio] = stream.getAudioTracks();
    const [video] = stream.getVideoTracks();
    this.#local.videoMuted = !video;
    if (audio) this.#senders.audio = this.pc.addTrack(audio, stream);
    if (video) this.#senders.video = this.pc.addTrack(video, stream);
  }

  setMuted(muted) {
    this.#local.audioMuted = muted;
  }

  /** Another track in the same way (another camera), or none for now. Needs no negotiation. */
  async setCamera(track) {
    this.#local.videoMuted = !track;
    if (this.#senders.video) await this.#send(this.#senders.video, track, this.#local.stream);
    else if (track) this.#senders.video = this.pc.addTrack(track, this.#local.stream);
  }

  /** @param {MediaStream|null} stream */
  async setScreen(stream) {
    const [track] = stream?.getVideoTracks() ?? [];
    if (!track) {
      const transceiver = this.#transceiver(this.#senders.screen);
      await this.#senders.screen?.replaceTrack(null);
      if (transceiver) transceiver.direction = 'inactive';
      return;
    }
    this.#screen = stream;
    this.#local.screenId = stream.id;
    if (!this.#senders.screen) this.#senders.screen = this.pc.addTrack(track, stream);
    else {
      await this.#senders.screen.replaceTrack(track);
      this.#transceiver(this.#senders.screen).direction = 'sendonly';
    }
  }

  /** The first description of the one who calls. */
  async offer() {
    await this.pc.setLocalDescription(await this.pc.createOffer());
    return this.#described();
  }

  /** The first description of the one who is called. */
  async answer(offer, metadata) {
    await this.#apply(offer, metadata);
    await this.pc.setLocalDescription();
    return this.#described();
  }

  /** The answer to `offer()`. */
  answered(answer, metadata) {
    return this.#enqueue(async () => {
      if (this.pc.signalingState !== 'have-local-offer') return; // a frame that came twice
      await this.#apply(answer, metadata);
    });
  }

  /** From now on changes may be asked for, and a connection is expected. */
  open() {
    if (this.#closed) return;
    this.#open = true;
    this.#expect();
    if (this.#wanting && this.pc.signalingState === 'stable') this.#negotiate();
  }

  /**
   * Begins anew in the place of a connection that is gone (the page was reloaded): the same sections in the same order,
   * because a description can only ever add sections to those that were agreed on.
   * @param {string[]} layout  as `layout` said
   * @param {MediaStream} stream  what we send now
   */
  takePlace(layout, stream, { audioMuted = false } = {}) {
    this.#local = { ...this.#local, stream, audioMuted, videoMuted: stream.getVideoTracks().length === 0 };
    const tracks = { audio: stream.getAudioTracks()[0], video: stream.getVideoTracks()[0] };
    for (const kind of layout) {
      const track = this.#senders[kind] ? undefined : tracks[kind];
      const { sender } = this.pc.addTransceiver(track ?? kind, track ? { direction: 'sendrecv', streams: [stream] } : { direction: 'recvonly' });
      if (track) this.#senders[kind] = sender;
    }
    for (const kind of ['audio', 'video']) if (tracks[kind] && !this.#senders[kind]) this.#senders[kind] = this.pc.addTrack(tracks[kind], stream);
    this.open();
  }

  /** A `call.negotiate` frame. */
  negotiated(description, metadata) {
    return this.#enqueue(async () => {
      const offer = description.type === 'offer';
      const collision = offer && (this.#making || this.pc.signalingState !== 'stable');
      this.#ignoring = !this.#polite && collision;
      if (this.#ignoring) return;
      if (!offer && this.pc.signalingState !== 'have-local-offer') return; // a frame that came twice
      await this.#apply(description, metadata).catch((error) => this.#applyAnew(description, metadata, error));
      if (!offer) return;
      await this.pc.setLocalDescription();
      const answer = this.#described();
      await this.#options.negotiate(answer.description, answer.metadata).catch(() => {});
    });
  }

  /** A `call.ice_candidate` frame. */
  candidate(frame) {
    return this.#enqueue(() => this.#addCandidate(readCandidate(frame)));
  }

  /** What of the other's streams is muted. */
  setRemoteMetadata(metadata) {
    if (!metadata) return;
    this.#metadata = { ...this.#metadata, ...metadata };
    this.#changed();
  }

  close() {
    this.#closed = true;
    for (const timer of Object.values(this.#timers)) clearTimeout(timer);
    this.pc.close();
  }

  #build() {
    const pc = new RTCPeerConnection({ iceServers: this.#options.iceServers });
    this.pc = pc;
    const mine = (handle) => (event) => pc === this.pc && !this.#closed && handle(event);
    pc.addEventListener('icecandidate', mine(({ candidate }) => this.#options.candidate(candidate)));
    pc.addEventListener('negotiationneeded', mine(() => {
      this.#wanting = true;
      if (this.#open) this.#negotiate();
    }));
    pc.addEventListener('track', mine(({ track, streams, transceiver }) => this.#received(track, streams[0] ?? new MediaStream([track]), transceiver)));
    pc.addEventListener('connectionstatechange', mine(() => this.#watch()));
    pc.addEventListener('signalingstatechange', mine(() => this.#changed()));
  }

  async #negotiate() {
    this.#wanting = false;
    try {
      this.#making = true;
      await this.pc.setLocalDescription();
      if (this.pc.signalingState !== 'have-local-offer') return;
      const { description, metadata } = this.#described();
      this.#making = false;
      await this.#options.negotiate(description, metadata);
    } catch (error) {
      if (this.#closed) return;
      // The other side cannot do this: stay with what there is.
      this.#open = false;
      if (this.pc.signalingState === 'have-local-offer') await this.pc.setLocalDescription({ type: 'rollback' }).catch(() => {});
      this.dispatchEvent(new CustomEvent('refused', { detail: error }));
    } finally {
      this.#making = false;
    }
  }

  #described() {
    const { type, sdp } = this.pc.localDescription;
    clearTimeout(this.#timers.gather);
    if (this.pc.iceGatheringState !== 'complete') {
      this.#timers.gather = setTimeout(() => this.pc.iceGatheringState === 'gathering' && this.#options.candidate(null), GATHER_MS);
    }
    return { description: { type, sdp }, metadata: describeStreams(sdp, this.#local) };
  }

  /** One after the other, in the order of the frames; a failure of one is not the next one's. */
  #enqueue(work) {
    const done = this.#queue.then(() => (this.#closed ? undefined : work()));
    this.#queue = done.catch(() => {});
    return done;
  }

  async #apply(description, metadata) {
    // Before the tracks come, so that each finds out at once what it is.
    if (metadata) this.#metadata = metadata;
    await this.pc.setRemoteDescription(description);
    for (const candidate of this.#early.splice(0)) await this.#addCandidate(candidate);
    this.#changed();
  }

  /** An offer that does not fit what there was: the other side was reloaded and begins anew, and so do we. */
  async #applyAnew(description, metadata, error) {
    if (description.type !== 'offer') throw error;
    this.pc.close();
    this.#streams.clear();
    const { stream, audioMuted, videoMuted } = this.#local;
    const screen = this.#senders.screen?.track && this.#screen;
    this.#build();
    this.#senders = { audio: null, video: null, screen: null };
    if (stream) this.addMedia(stream, { audioMuted });
    this.#local.videoMuted = videoMuted;
    if (screen) await this.setScreen(screen);
    await this.#apply(description, metadata);
  }

  async #addCandidate(candidate) {
    if (!this.pc.remoteDescription) return void this.#early.push(candidate);
    if (candidate.candidate === '') return; // the end of them changes nothing for us
    try {
      await this.pc.addIceCandidate(candidate);
    } catch (error) {
      // Those of an offer that we ignored are for nobody.
      if (!this.#ignoring) console.warn('A candidate was not usable.', error.message);
    }
  }

  #received(track, stream, transceiver) {
    this.#streams.set(stream.id, stream);
    const update = () => this.#changed();
    for (const name of ['mute', 'unmute', 'ended']) track.addEventListener(name, update);
    stream.addEventListener('removetrack', () => {
      if (stream.getTracks().length === 0) this.#streams.delete(stream.id);
      this.#changed();
    });
    transceiver.receiver.track.addEventListener('ended', update);
    this.#changed();
  }

  async #send(sender, track, stream) {
    await sender.replaceTrack(track);
    const transceiver = this.#transceiver(sender);
    if (!track || !transceiver) return;
    if (transceiver.direction === 'recvonly' || transceiver.direction === 'inactive') {
      sender.setStreams?.(stream);
      transceiver.direction = transceiver.direction === 'recvonly' ? 'sendrecv' : 'sendonly';
    }
  }

  #transceiver(sender) {
    return this.pc.getTransceivers().find((it) => it.sender === sender);
  }

  #watch() {
    const state = this.pc.connectionState;
    if (state === 'connected') this.#calm();
    else if (state === 'failed') this.#restart(0);
    else if (state === 'disconnected') this.#restart(RESTART_AFTER_MS);
    else if (state === 'connecting') this.#expect();
    this.#changed();
  }

  #calm() {
    for (const name of ['restart', 'giveUp']) {
      clearTimeout(this.#timers[name]);
      this.#timers[name] = null;
    }
  }

  #expect() {
    if (this.pc.connectionState !== 'connected') this.#timers.giveUp ??= setTimeout(() => this.#giveUp(), GIVE_UP_AFTER_MS);
  }

  #restart(afterMs) {
    this.#expect();
    clearTimeout(this.#timers.restart);
    this.#timers.restart = setTimeout(() => this.pc.restartIce(), afterMs);
  }

  #giveUp() {
    this.#timers.giveUp = null;
    if (!this.#closed && this.pc.connectionState !== 'connected') this.dispatchEvent(new CustomEvent('lost'));
  }

  #changed() {
    if (!this.#closed) this.dispatchEvent(new CustomEvent('state'));
  }
}
