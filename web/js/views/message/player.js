/** A voice message: a button, how loud it is over time, and how long. */
import { h, icon } from '../../dom.js';
import { duration } from '../../format.js';

const LOUDEST = 1024;
/** What is drawn where nobody has measured. */
const UNKNOWN = Array.from({ length: 40 }, (_, bar) => 260 + 180 * Math.abs(Math.sin(bar * 1.7)));

/** Only one is heard at a time. */
let heard = null;

/** @param {import('../../message.js').File} file @param {() => void} reload */
export function createVoicePlayer(file, reload) {
  const audio = new Audio();
  audio.preload = 'none';
  audio.src = file.url;
  const bars = (file.waveform?.length ? file.waveform : UNKNOWN).map((level) => {
    const bar = h('i', {});
    bar.style.height = `${Math.max(12, Math.round((level / LOUDEST) * 100))}%`;
    return bar;
  });
  const play = h('button', { type: 'button', class: 'play', 'data-testid': 'voice-play', onclick: toggle }, icon('play'));
  const time = h('span', { class: 'voice-time' }, duration(file.durationMs));
  // A slider that cannot be seen lies above the bars: the keyboard, a finger and a screen reader know what it is.
  const seek = h('input', { type: 'range', min: '0', max: '1000', value: '0', 'aria-label': 'Place in the voice message', oninput: onSeek });
  const element = h('div', { class: 'voice', role: 'group', 'aria-label': `Voice message, ${duration(file.durationMs)}`, 'data-testid': 'media-voice' },
    play, h('div', { class: 'wave' }, h('div', { class: 'bars-of-wave', 'aria-hidden': 'true' }, bars), seek), time);
  const length = () => (Number.isFinite(audio.duration) && audio.duration > 0 ? audio.duration : (file.durationMs ?? 0) / 1000);

  function toggle() {
    if (!audio.paused) return audio.pause();
    heard?.pause();
    heard = audio;
    return audio.play().catch(() => audio.error && reload());
  }

  function onSeek() {
    if (length() > 0) audio.currentTime = (Number(seek.value) / 1000) * length();
    draw();
  }

  function draw() {
    const part = length() > 0 ? Math.min(1, audio.currentTime / length()) : 0;
    bars.forEach((bar, index) => bar.classList.toggle('played', index < part * bars.length));
    seek.value = String(Math.round(part * 1000));
    time.textContent = duration(audio.currentTime > 0 ? audio.currentTime * 1000 : file.durationMs);
    play.replaceChildren(icon(audio.paused ? 'play' : 'pause'));
    play.setAttribute('aria-label', audio.paused ? 'Play' : 'Pause');
  }

  audio.addEventListener('ended', () => { audio.currentTime = 0; });
  for (const event of ['play', 'pause', 'timeupdate', 'seeked', 'ended']) audio.addEventListener(event, draw);
  draw();
  return element;
}
