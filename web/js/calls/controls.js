/**
 * What the user switches during a call: microphone, camera, screen. Each switch changes what this device takes up, what
 * every connection sends, what is on the screen, and what the others are told.
 */
import { mediaProblem } from './text.js';

export class Controls {
  #call;
  /** What was switched on last: if the other side refuses the change, it is this that is taken back. */
  #changing = null;

  /** @param {import('./running.js').RunningCall} call */
  constructor(call) {
    this.#call = call;
    call.media.addEventListener('lost', ({ detail: kind }) => !call.over && this.#onDeviceLost(kind));
  }

  get #state() {
    return this.#call.store.state.active;
  }

  toggleMute() {
    const { media, peers } = this.#call;
    const muted = !this.#state.muted;
    if (media.microphone) media.microphone.enabled = !muted;
    for (const peer of peers.values()) peer.setMuted(muted);
    this.#call.show({ muted });
    this.#tell({ audio: !muted });
  }

  async toggleCamera() {
    const call = this.#call;
    if (this.#state.camera) {
      call.show({ camera: false });
      this.#tell({ video: false });
      await this.#sendCamera(null);
      call.media.closeCamera();
      return;
    }
    try {
      const track = await call.media.openCamera();
      if (call.over) return void call.media.close();
      this.#changing = 'camera';
      call.show({ camera: true, notice: null });
      await this.#sendCamera(track);
      this.#tell({ video: true });
      this.countCameras();
    } catch (error) {
      call.show({ camera: false, notice: mediaProblem(error, 'camera') });
    }
  }

  async switchCamera() {
    try {
      await this.#sendCamera(await this.#call.media.switchCamera());
      this.#call.show({}); // the picture is another one
    } catch (error) {
      this.#call.show({ camera: false, notice: mediaProblem(error, 'camera') });
      this.#tell({ video: false });
    }
  }

  async toggleShare() {
    const call = this.#call;
    if (this.#state.sharing) return this.#stopSharing();
    try {
      const screen = await call.media.openScreen(() => this.#stopSharing());
      if (call.over) return call.media.closeScreen();
      this.#changing = 'share';
      call.show({ sharing: true, notice: null });
      for (const peer of call.peers.values()) await peer.setScreen(screen);
    } catch (error) {
      // Who changed their mind needs no message.
      if (error.name !== 'NotAllowedError') call.show({ notice: mediaProblem(error, 'screen') });
    }
    return undefined;
  }

  /** The other side cannot take the change. */
  takeBack() {
    if (this.#call.over) return;
    this.#call.show({ notice: 'The other side cannot change this call.' });
    if (this.#changing === 'share' && this.#state.sharing) this.#stopSharing();
    if (this.#changing === 'camera' && this.#state.camera) this.toggleCamera();
    this.#changing = null;
  }

  /** Only with a second one there is something to switch to. */
  async countCameras() {
    const { media, store } = this.#call;
    const { length: count } = await media.cameras().catch(() => []);
    if (count !== store.state.cameras) store.dispatch({ type: 'cameras', count });
  }

  async #stopSharing() {
    const call = this.#call;
    if (call.over) return;
    call.show({ sharing: false });
    for (const peer of call.peers.values()) await peer.setScreen(null);
    call.media.closeScreen();
  }

  async #onDeviceLost(kind) {
    if (kind === 'video') {
      await this.#sendCamera(null);
      this.#call.show({ camera: false, notice: 'The camera was disconnected.' });
      this.#tell({ video: false });
    } else {
      this.#call.show({ muted: true, notice: 'The microphone was disconnected.' });
      this.#tell({ audio: false });
    }
  }

  async #sendCamera(track) {
    for (const peer of this.#call.peers.values()) await peer.setCamera(track);
  }

  #tell(enabled) {
    const call = this.#call;
    call.ready.promise.then(() => !call.over && call.signaling.media(call.id, enabled)).catch(() => {});
  }
}
