/**
 * What is heard around a call: made of two oscillators, so that no file has to be loaded when it rings. A browser plays
 * sound only after the first click in a page; until then it rings silently, and a phone hums.
 */

/** Notes [frequency in Hz, start, length] in seconds, how loud, and after how long it begins again. */
const TONES = {
  ring: { notes: [[659, 0, 0.16], [784, 0.18, 0.16], [988, 0.36, 0.34], [659, 0.9, 0.16], [784, 1.08, 0.16], [988, 1.26, 0.34]], gain: 0.16, every: 3.2 },
  /** Somebody calls while we are in a call. */
  knock: { notes: [[784, 0, 0.12], [784, 0.2, 0.12]], gain: 0.06, every: 4 },
  /** What the caller hears. */
  ringback: { notes: [[425, 0, 1]], gain: 0.05, every: 4 },
  ended: { notes: [[440, 0, 0.14], [330, 0.17, 0.22]], gain: 0.06, every: null },
};
const EDGE_S = 0.02;

export function createTones() {
  let context = null;
  let playing = null;
  let timer = null;
  let output = null;

  function play(name) {
    if (name === playing) return;
    silence();
    playing = name;
    if (!name) return;
    try {
      context ??= new AudioContext();
    } catch {
      return; // no sound here
    }
    context.resume().catch(() => {});
    output = context.createGain();
    output.connect(context.destination);
    const { notes, gain, every } = TONES[name];
    const round = () => {
      // A clock that stands still would play all rounds at once later.
      if (context.state === 'running') for (const note of notes) sound(output, note, gain);
      if (name === 'ring') hum([300, 150, 300]);
    };
    round();
    if (every) timer = setInterval(round, every * 1000);
  }

  function sound(to, [frequency, start, length], gain) {
    const at = context.currentTime + start + EDGE_S;
    const oscillator = context.createOscillator();
    const envelope = context.createGain();
    oscillator.frequency.value = frequency;
    envelope.gain.setValueAtTime(0, at);
    envelope.gain.linearRampToValueAtTime(gain, at + EDGE_S);
    envelope.gain.setValueAtTime(gain, at + length - EDGE_S);
    envelope.gain.linearRampToValueAtTime(0, at + length);
    oscillator.connect(envelope).connect(to);
    oscillator.start(at);
    oscillator.stop(at + length);
  }

  function silence() {
    clearInterval(timer);
    output?.disconnect();
    output = null;
    if (playing === 'ring') hum(0);
    playing = null;
  }

  return {
    play,
    stop() {
      silence();
      context?.close();
    },
  };
}

/** A page that nobody has touched yet may not. */
function hum(pattern) {
  if (navigator.userActivation?.hasBeenActive) navigator.vibrate?.(pattern);
}

/** Which tone fits. @param {import('../../calls/state.js').CallsState} calls */
export function toneFor({ rings, active, ended }) {
  if (rings.length > 0) return active ? 'knock' : 'ring';
  if (active?.direction === 'outgoing' && active.phase === 'ringing') return 'ringback';
  return ended && !ended.byMe && ended.reason !== 'answered_elsewhere' ? 'ended' : null;
}
