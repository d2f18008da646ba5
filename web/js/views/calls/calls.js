/** Everything of calls that lies over the panes: it rings, the call, the bar of a call that is in the background, history. */
import { fill, h, icon } from '../../dom.js';
import { statusText } from '../../calls/text.js';
import { createCallHistory } from './history.js';
import { createIncoming } from './incoming.js';
import { createCallScreen, titleOf } from './screen.js';
import { createTones, toneFor } from './tones.js';

const TICK_MS = 500;

/**
 * @param {import('../../session.js').Session} session
 * @param {{onOpen: (conversationId: string) => void, onCovered: (covered: boolean) => void, onUncovered: () => void}} actions
 */
export function createCalls(session, { onOpen, onCovered, onUncovered }) {
  const { calls } = session;
  let minimised = false;
  let shown = null;
  let covered = false;
  const incoming = createIncoming(session);
  const screen = createCallScreen(session, { onMinimise: () => minimise(true) });
  const history = createCallHistory(session, { onOpen });
  const tones = createTones();
  const status = h('span', { class: 'call-bar-status' });
  const bar = h('div', { class: 'call-bar', role: 'region', 'aria-label': 'Call', hidden: true });
  const element = h('div', { class: 'calls' }, screen.element, incoming.element, history.element);
  const ticking = setInterval(tick, TICK_MS);

  function minimise(wanted) {
    minimised = wanted;
    render(session.store.state, calls.store.state);
    if (wanted) bar.querySelector('button')?.focus();
    else screen.focus();
  }

  function render(state, now) {
    const call = now.active ?? now.ended;
    // Another call comes to the front; the end of one in the background comes as well.
    if (!now.active || now.active.conversationId !== shown?.conversationId) minimised = now.active ? minimised && shown !== null : false;
    const opened = call && !shown;
    shown = call;
    screen.render(state, now, { minimised });
    drawBar(state, now);
    incoming.render(state, now);
    history.render(state, now);
    tones.play(toneFor(now));
    const covers = Boolean(call) && !minimised;
    if (covers !== covered) {
      covered = covers;
      onCovered(covers);
      if (covers && opened) screen.focus();
      if (!covers && !call) onUncovered();
    }
  }

  function drawBar(state, { active, rejoin }) {
    const what = active && minimised ? 'call' : rejoin && !active ? 'rejoin' : 'none';
    const about = what === 'call' ? active : rejoin;
    const drawn = what === 'none' ? what : `${what} ${titleOf(state, about)}`;
    if (bar.dataset.drawn !== drawn) {
      bar.dataset.drawn = drawn;
      bar.hidden = what === 'none';
      bar.className = `call-bar ${what}`;
      if (what === 'call') {
        fill(bar, icon('phone'), h('span', { class: 'call-bar-name', dir: 'auto' }, titleOf(state, about)), status,
          h('button', { type: 'button', class: 'pill', 'data-testid': 'call-return', onclick: () => minimise(false) }, 'Return'),
          h('button', { type: 'button', class: 'pill danger', 'data-testid': 'bar-hangup', onclick: () => calls.hangUp() }, 'Hang up'));
      } else if (what === 'rejoin') {
        fill(bar, icon('phone'), h('span', { role: 'alert' }, `You were in a call with ${titleOf(state, about)}.`),
          h('button', { type: 'button', class: 'pill', 'data-testid': 'rejoin', onclick: () => calls.rejoin() }, 'Rejoin'),
          h('button', { type: 'button', class: 'pill danger', onclick: () => calls.dismissRejoin() }, 'Hang up'));
      } else fill(bar);
    }
    tick();
  }

  function tick() {
    const now = calls.store.state;
    screen.tick(now);
    if (now.active && minimised) status.textContent = statusText(now.active, { now: Date.now(), online: now.online });
  }

  return {
    element,
    bar,
    render,
    openHistory: () => history.open(),
    stop() {
      clearInterval(ticking);
      screen.stop();
      tones.stop();
    },
  };
}
