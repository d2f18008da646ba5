/** The bar that takes the place of the field while a voice message is recorded. */
import { h, icon, iconButton } from '../dom.js';
import { duration } from '../format.js';
import { Recording } from '../voice.js';

const BARS = 48;
/** A press on the button that was a mistake. */
const SHORTEST_MS = 500;

/** @param {{onDone: (it: {file: File, voice: object}) => void, onChange: (recording: boolean) => void, say: (text: string) => void}} actions */
export function createRecorder({ onDone, onChange, say }) {
  let recording = null;
  const time = h('span', { class: 'recorder-time', role: 'timer' }, '0:00');
  const bars = Array.from({ length: BARS }, () => h('i', {}));
  const element = h('div', { class: 'recorder', role: 'group', 'aria-label': 'Recording', hidden: true, 'data-testid': 'recorder' },
    iconButton('trash', 'Throw away', cancel), h('span', { class: 'recorder-dot', 'aria-hidden': 'true' }), time,
    h('div', { class: 'bars-of-wave', 'aria-hidden': 'true' }, bars),
    h('button', { type: 'button', class: 'send', 'aria-label': 'Send voice message', title: 'Send', onclick: finish, 'data-testid': 'record-send' }, icon('send')));
  let ms = 0;

  async function start() {
    if (recording) return;
    try {
      recording = await Recording.start(onLevel);
    } catch {
      return say('The microphone cannot be used. Allow it in the browser, and try again.');
    }
    for (const bar of bars) bar.style.height = '8%';
    onLevel({ ms: 0, level: 0 });
    show(true);
    element.querySelector('.send').focus();
  }

  function onLevel({ ms: now, level }) {
    ms = now;
    time.textContent = duration(now);
    bars.push(bars.shift());
    bars.at(-1).style.height = `${Math.max(8, Math.min(100, Math.round(level * 300)))}%`;
    bars[0].parentElement.append(bars.at(-1));
  }

  async function finish() {
    if (!recording) return;
    if (ms < SHORTEST_MS) return cancel();
    const done = recording;
    recording = null;
    show(false);
    onDone(await done.finish());
  }

  function cancel() {
    recording?.cancel();
    recording = null;
    show(false);
  }

  function show(on) {
    if (element.hidden === !on) return;
    element.hidden = !on;
    onChange(on);
  }

  return { element, start, cancel, possible: Boolean(navigator.mediaDevices?.getUserMedia && globalThis.MediaRecorder) };
}
