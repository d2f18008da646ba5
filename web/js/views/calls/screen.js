/** The call that this tab is in: who, how it stands, the pictures, the buttons; and afterwards how it ended. */
import { fill, h, icon } from '../../dom.js';
import { conversationName, personName } from '../../format.js';
import { duration, endText, spokenStatus, statusText } from '../../calls/text.js';
import { conversationAvatar } from '../avatar.js';
import { createTiles, play } from './tiles.js';

/** The end is told for a moment; what needs to be read or decided stays. */
const END_SHOWN_MS = { user_hangup: 2_500, answered_elsewhere: 2_500, cancelled: 2_500, replaced: 1 };
const PROBLEM_SHOWN_MS = 9_000;
const STAYS = new Set(['media_failed', 'error']);
const QUALITY = { good: 'Good connection', fair: 'Fair connection', poor: 'Poor connection' };

/**
 * @param {import('../../session.js').Session} session
 * @param {{onMinimise: () => void, onRestore: () => void}} actions
 */
export function createCallScreen(session, { onMinimise }) {
  const { calls } = session;
  const name = h('h2', { class: 'call-name', dir: 'auto' });
  const status = h('p', { class: 'call-status', 'data-testid': 'call-status' });
  const spoken = h('p', { class: 'sr-only', role: 'status' });
  const bars = h('span', { class: 'bars', role: 'img' }, h('i'), h('i'), h('i'));
  const notice = h('p', { class: 'call-notice', role: 'alert' });
  const tiles = createTiles(session);
  const face = h('div', { class: 'call-face' });
  const local = h('video', { class: 'call-local', autoplay: true, playsinline: true, 'data-testid': 'local-video', 'aria-label': 'Your own picture', hidden: true });
  local.muted = true;
  const minimise = control('fold', 'Back to the chats', onMinimise, { class: 'icon-button call-minimise' });
  const mute = control('mic', 'Mute', () => calls.toggleMute(), { 'data-testid': 'mute' });
  const camera = control('video', 'Camera', () => calls.toggleCamera(), { 'data-testid': 'camera' });
  const flip = control('flip', 'Switch camera', () => calls.switchCamera(), { 'data-testid': 'switch-camera' });
  const share = control('screen', 'Share screen', () => calls.toggleShare(), { 'data-testid': 'share' });
  const hangup = control('hangup', 'Hang up', () => calls.hangUp(), { class: 'call-control hangup', 'data-testid': 'hangup' });
  const controls = h('div', { class: 'call-controls', role: 'group', 'aria-label': 'Call' }, mute, camera, flip, share, hangup);
  const again = h('button', { type: 'button', class: 'primary', 'data-testid': 'call-again' }, 'Call again');
  const close = h('button', { type: 'button', 'data-testid': 'call-close', onclick: () => calls.dismissEnd() }, 'Close');
  const endActions = h('div', { class: 'call-end-actions' }, close, again);
  const element = h('section', { class: 'call-screen', role: 'dialog', tabindex: '-1', hidden: true, 'data-testid': 'call-screen', onkeydown: onKey },
    h('header', { class: 'call-top' }, minimise, h('div', { class: 'call-who' }, name, status), bars),
    h('div', { class: 'call-stage' }, tiles.element, face, local),
    notice, controls, endActions, spoken);
  let dismissal = null;
  let drawnEnd = null;

  again.addEventListener('click', () => {
    const { ended } = calls.store.state;
    calls.call(ended.conversationId, { video: ended.video });
  });

  function onKey(event) {
    if (event.key !== 'Escape') return;
    event.stopPropagation();
    if (calls.store.state.active) onMinimise();
    else calls.dismissEnd();
  }

  function render(state, now, { minimised }) {
    const { active, ended } = now;
    element.hidden = minimised ? true : !(active || ended);
    element.classList.toggle('over', !active);
    planDismissal(active ? null : ended);
    tiles.render(state, active);
    play(local, active?.camera ? calls.localStream : null);
    const call = active ?? ended;
    if (!call) return;
    const conversation = state.conversations[call.conversationId];
    const title = titleOf(state, call);
    name.textContent = title;
    element.setAttribute('aria-label', active ? `Call with ${title}` : 'Call ended');
    drawFace(conversation, state, call, active);
    if (active) drawActive(now, active);
    else drawEnded(ended, title);
    tick(now);
  }

  function drawFace(conversation, state, call, active) {
    const alone = !active || Object.keys(active.peers).length === 0;
    face.hidden = !alone;
    const drawn = JSON.stringify([call.conversationId, conversation?.avatar_url, conversation?.name]);
    if (face.dataset.drawn === drawn) return;
    face.dataset.drawn = drawn;
    fill(face, conversation && conversationAvatar(conversation, state.me.id, { size: 'giant' }));
  }

  function drawActive(now, active) {
    const peers = Object.values(active.peers);
    const pictured = peers.some(({ hasVideo, video, hasScreen }) => hasScreen || (hasVideo && video));
    element.classList.toggle('has-video', pictured || active.camera);
    element.classList.toggle('waiting', active.phase !== 'connected');
    local.hidden = !active.camera;
    controls.hidden = false;
    endActions.hidden = true;
    minimise.hidden = false;
    toggle(mute, { pressed: active.muted, label: active.muted ? 'Unmute' : 'Mute', picture: active.muted ? 'micOff' : 'mic' });
    toggle(camera, { pressed: active.camera, label: active.camera ? 'Turn camera off' : 'Turn camera on', picture: active.camera ? 'video' : 'videoOff' });
    toggle(share, { pressed: active.sharing, label: active.sharing ? 'Stop sharing' : 'Share screen', picture: 'screen' });
    share.hidden = !calls.canShare;
    flip.hidden = !active.camera || now.cameras < 2;
    for (const button of [camera, share]) button.disabled = active.phase === 'starting';
    const worst = ['poor', 'fair', 'good'].find((level) => peers.some(({ quality }) => quality === level));
    bars.hidden = !worst || active.phase !== 'connected';
    if (worst) {
      bars.dataset.level = worst;
      bars.setAttribute('aria-label', QUALITY[worst]);
      bars.title = QUALITY[worst];
    }
    const text = active.notice ?? (active.sharing ? 'You are sharing your screen.' : '');
    if (notice.textContent !== text) notice.textContent = text;
    const words = spokenStatus(active, now);
    if (spoken.textContent !== words) spoken.textContent = words;
  }

  function drawEnded(ended, title) {
    element.classList.remove('has-video', 'waiting');
    local.hidden = true;
    bars.hidden = true;
    minimise.hidden = true;
    controls.hidden = true;
    endActions.hidden = false;
    again.hidden = ended.reason === 'answered_elsewhere' || ended.kind === 'group';
    const { title: what, detail } = endText(ended, title);
    const lasted = ended.durationMs > 0 ? `Duration: ${duration(ended.durationMs)}` : '';
    status.textContent = what;
    notice.textContent = [detail, lasted].filter(Boolean).join(' ');
    spoken.textContent = what;
  }

  /** The clock. */
  function tick(now) {
    if (!now.active) return;
    const text = statusText(now.active, { now: Date.now(), online: now.online });
    if (status.textContent !== text) status.textContent = text;
  }

  function planDismissal(ended) {
    if (ended === drawnEnd) return;
    drawnEnd = ended;
    clearTimeout(dismissal);
    if (!ended || STAYS.has(ended.reason)) return;
    dismissal = setTimeout(() => calls.dismissEnd(), END_SHOWN_MS[ended.reason] ?? PROBLEM_SHOWN_MS);
  }

  return { element, render, tick, focus: () => element.focus(), stop: () => clearTimeout(dismissal) };
}

/** Whom the call is with. */
export function titleOf(state, call) {
  const conversation = state.conversations[call.conversationId];
  if (conversation) return conversationName(conversation, state.me.id);
  return call.callerName ?? personName(undefined);
}

function control(picture, label, onclick, attributes = {}) {
  return h('button', { type: 'button', class: 'call-control', 'aria-label': label, title: label, onclick, ...attributes }, icon(picture));
}

/** A switch: pressed, with a name that says what it does, and a picture that says how it stands. */
function toggle(button, { pressed, label, picture }) {
  button.setAttribute('aria-pressed', String(pressed));
  button.setAttribute('aria-label', label);
  button.title = label;
  if (button.dataset.picture === picture) return;
  button.dataset.picture = picture;
  button.replaceChildren(icon(picture));
}
