/**
 * Microphone, camera and screen of this device.
 *
 * `stream` lives as long as the call: its id is what the other side knows us by (`a=msid`, `sdp_stream_metadata`), so
 * tracks come into it and go out of it while the stream stays. A camera that is switched off is really off: its light
 * goes out, and the way in the connection stays open for when it comes back.
 */
const MICROPHONE = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
const CAMERA = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };

export class LocalMedia extends EventTarget {
  stream = new MediaStream();
  /** The screen that is shared, likewise: a browser does not tell the other side of another stream in the same place. */
  screen = new MediaStream();
  #devices;
  #facing = 'user';

  constructor(devices = navigator.mediaDevices) {
    super();
    this.#devices = devices;
  }

  get microphone() { return this.stream.getAudioTracks()[0] ?? null; }
  get camera() { return this.stream.getVideoTracks()[0] ?? null; }
  get sharing() { return this.screen.getTracks().length > 0; }

  /**
   * Opens microphone and, if wanted, camera, with one question to the user. Without a camera the call goes on as a voice
   * call; without a microphone there is none.
   * @returns {Promise<{cameraError: Error|null}>}
   */
  async open({ video }) {
    if (!video) {
      await this.#take({ audio: MICROPHONE });
      return { cameraError: null };
    }
    try {
      await this.#take({ audio: MICROPHONE, video: this.#camera() });
      return { cameraError: null };
    } catch (cameraError) {
      await this.#take({ audio: MICROPHONE });
      return { cameraError };
    }
  }

  /** @returns {Promise<MediaStreamTrack>} */
  async openCamera() {
    if (!this.camera) await this.#take({ video: this.#camera() });
    return this.camera;
  }

  closeCamera() {
    this.#drop(this.camera);
  }

  /** To the next camera; on a phone from the front to the back. @returns {Promise<MediaStreamTrack>} */
  async switchCamera() {
    const cameras = await this.cameras();
    const used = this.camera?.getSettings().deviceId;
    const next = cameras[(cameras.findIndex(({ deviceId }) => deviceId === used) + 1) % cameras.length];
    this.#facing = this.#facing === 'user' ? 'environment' : 'user';
    // Many phones cannot have two cameras open at once.
    this.#drop(this.camera);
    await this.#take({ video: this.#camera(next?.deviceId) });
    return this.camera;
  }

  async cameras() {
    const devices = (await this.#devices?.enumerateDevices?.()) ?? [];
    return devices.filter(({ kind }) => kind === 'videoinput');
  }

  /** Whether the browser can show its screen to others; phones cannot. */
  get canShare() {
    return typeof this.#devices?.getDisplayMedia === 'function';
  }

  /** @param {() => void} onStopped  the user ended it with the browser's own button */
  async openScreen(onStopped) {
    const [track] = (await this.#devices.getDisplayMedia({ video: { frameRate: { ideal: 15 } }, audio: false })).getVideoTracks();
    track.addEventListener('ended', onStopped, { once: true });
    this.screen.addTrack(track);
    return this.screen;
  }

  closeScreen() {
    for (const track of this.screen.getTracks()) {
      track.stop();
      this.screen.removeTrack(track);
    }
  }

  close() {
    this.closeScreen();
    for (const track of this.stream.getTracks()) this.#drop(track);
  }

  #camera(deviceId) {
    return { ...CAMERA, ...(deviceId ? { deviceId: { exact: deviceId } } : { facingMode: this.#facing }) };
  }

  async #take(wanted) {
    if (!this.#devices?.getUserMedia) throw Object.assign(new Error('no secure page'), { name: 'InsecureContextError' });
    const got = await this.#devices.getUserMedia(wanted);
    for (const track of got.getTracks()) {
      this.stream.addTrack(track);
      // A device that is pulled out. Our own stop() does not fire this.
      track.addEventListener('ended', () => {
        this.#drop(track);
        this.dispatchEvent(new CustomEvent('lost', { detail: track.kind }));
      });
    }
  }

  #drop(track) {
    if (!track) return;
    track.stop();
    this.stream.removeTrack(track);
  }
}
