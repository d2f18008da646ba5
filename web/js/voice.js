/** Recording a voice message: the microphone, a recorder, and how loud it was. */

/** The highest number in a waveform, and how many numbers one has. */
const LOUDEST = 1024;
const BARS = 60;
const SAMPLE_MS = 80;
/** In the order of liking; a browser has at least one of them. */
const TYPES = ['audio/ogg;codecs=opus', 'audio/webm;codecs=opus', 'audio/mp4'];

/**
 * As many bars as a waveform has, from as many measurements as there are: each bar is as high as its loudest part, and
 * the loudest of all fills the height.
 * @param {number[]} levels  0 to 1
 */
export function waveform(levels, bars = BARS) {
  if (levels.length === 0) return [];
  const count = Math.min(bars, levels.length);
  const peaks = Array.from({ length: count }, (_, bar) => {
    const from = Math.floor((bar * levels.length) / count);
    const to = Math.max(from + 1, Math.floor(((bar + 1) * levels.length) / count));
    return Math.max(...levels.slice(from, to));
  });
  const top = Math.max(...peaks);
  return peaks.map((peak) => (top > 0 ? Math.round((peak / top) * LOUDEST) : 0));
}

/** The name of a recording. @param {string} type */
export function recordingName(type) {
  return `Voice message.${type.includes('ogg') ? 'ogg' : type.includes('mp4') ? 'm4a' : 'webm'}`;
}

/** How loud samples are, from 0 to 1: the root of their mean square. @param {Float32Array} samples */
export function loudness(samples) {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return Math.min(1, Math.sqrt(sum / Math.max(1, samples.length)));
}

export class Recording {
  #stream;
  #recorder;
  #chunks = [];
  #levels = [];
  #started;
  #context;
  #timer;

  /** Asks for the microphone. @param {(what: {ms: number, level: number}) => void} onLevel */
  static async start(onLevel) {
    const recording = new Recording();
    recording.#stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    recording.#begin(onLevel);
    return recording;
  }

  #begin(onLevel) {
    const mimeType = TYPES.find((type) => MediaRecorder.isTypeSupported(type));
    this.#recorder = new MediaRecorder(this.#stream, { mimeType });
    this.#recorder.ondataavailable = ({ data }) => data.size > 0 && this.#chunks.push(data);
    this.#context = new AudioContext();
    const analyser = this.#context.createAnalyser();
    this.#context.createMediaStreamSource(this.#stream).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    this.#started = performance.now();
    this.#timer = setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      const level = loudness(samples);
      this.#levels.push(level);
      onLevel({ ms: performance.now() - this.#started, level });
    }, SAMPLE_MS);
    this.#recorder.start();
  }

  /** @returns {Promise<{file: File, voice: {durationMs: number, waveform: number[]}}>} */
  async finish() {
    const durationMs = Math.round(performance.now() - this.#started);
    const ended = new Promise((resolve) => { this.#recorder.onstop = resolve; });
    this.#recorder.stop();
    await ended;
    this.cancel();
    const type = this.#recorder.mimeType;
    const file = new File(this.#chunks, recordingName(type), { type });
    return { file, voice: { durationMs, waveform: waveform(this.#levels) } };
  }

  /** Lets the microphone go. */
  cancel() {
    clearInterval(this.#timer);
    if (this.#recorder.state !== 'inactive') this.#recorder.stop();
    for (const track of this.#stream.getTracks()) track.stop();
    if (this.#context.state !== 'closed') this.#context.close();
  }
}
