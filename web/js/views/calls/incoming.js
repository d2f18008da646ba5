/**
 * It rings: who, and what to do about it. A modal <dialog> keeps the focus inside and puts it back afterwards; Escape
 * declines. Several calls ring one below the other.
 */
import { fill, h, icon, reconcile } from '../../dom.js';
import { conversationName, personName } from '../../format.js';
import { conversationAvatar, personAvatar } from '../avatar.js';

/** @param {import('../../session.js').Session} session */
export function createIncoming(session) {
  const list = h('div', { class: 'rings' });
  const dialog = h('dialog', { class: 'incoming', role: 'alertdialog', 'aria-label': 'Incoming call' }, list);
  const first = () => session.calls.store.state.rings[0];

  // Chromium closes a dialog at the second Escape whatever one says; the state closes it here, once there is nothing left.
  dialog.addEventListener('cancel', (event) => {
    event.preventDefault();
    if (first()) session.calls.decline(first().id);
  });
  dialog.addEventListener('keydown', (event) => {
    if (event.key === 'Tab') return stayInside(event, dialog);
    if (event.key !== 'Escape') return undefined;
    event.preventDefault();
    event.stopPropagation();
    if (first()) session.calls.decline(first().id);
    return undefined;
  });

  function render(state, calls) {
    const { rings } = calls;
    const before = list.childElementCount;
    reconcile(list, rings, {
      key: ({ id }) => id,
      signature: (ring) => JSON.stringify([ring, callerOf(state, ring), Boolean(calls.active), state.conversations[ring.conversationId]?.name]),
      create: () => h('article', { class: 'ring', 'data-testid': 'incoming' }),
      draw: (node, ring) => drawRing(node, ring, state, calls, session),
    });
    if (rings.length > 0 && !dialog.open) {
      dialog.showModal();
      focusAccept();
    } else if (rings.length === 0 && dialog.open) dialog.close();
    else if (rings.length > 0 && (before === 0 || !dialog.contains(document.activeElement))) focusAccept();
  }

  const focusAccept = () => dialog.querySelector('.accept')?.focus();

  return { element: dialog, render };
}

/** A modal dialog lets the focus out into the browser's own buttons; a ring that is about to end should not. */
function stayInside(event, dialog) {
  const buttons = [...dialog.querySelectorAll('button')];
  const [start, end] = event.shiftKey ? [buttons[0], buttons.at(-1)] : [buttons.at(-1), buttons[0]];
  if (document.activeElement !== start) return;
  event.preventDefault();
  end.focus();
}

function callerOf(state, ring) {
  const person = state.people[ring.callerId];
  return { user_id: ring.callerId, ...person, display_name: person?.display_name ?? ring.callerName, avatar_url: person?.avatar_url ?? ring.avatarUrl };
}

function drawRing(node, ring, state, calls, session) {
  const caller = callerOf(state, ring);
  const name = personName(caller, ring.callerId);
  const conversation = state.conversations[ring.conversationId];
  const group = ring.kind === 'group' && conversation;
  const what = `Incoming ${group ? 'group ' : ''}${ring.video ? 'video ' : ''}call`;
  const words = h('p', { class: 'ring-what', id: `ring-${ring.id}` }, icon(ring.video ? 'video' : 'phone'), h('span', {}, what));
  node.setAttribute('aria-label', `${what} from ${name}`);
  fill(node,
    h('div', { class: 'ring-picture' }, group ? conversationAvatar(conversation, state.me.id, { size: 'huge' }) : personAvatar(caller, ring.callerId, 'huge')),
    h('h2', { class: 'ring-name', dir: 'auto' }, group ? conversationName(conversation, state.me.id) : name),
    group && h('p', { class: 'muted' }, `${name} is calling`),
    words,
    calls.active && h('p', { class: 'hint' }, 'Accepting ends the call that you are in.'),
    h('div', { class: 'ring-actions' },
      action('decline', 'hangup', 'Decline', () => session.calls.decline(ring.id), `ring-${ring.id}`),
      action('accept', 'phone', 'Accept', () => session.calls.accept(ring.id), `ring-${ring.id}`),
      action('accept-video', 'video', 'Accept with video', () => session.calls.accept(ring.id, { video: true }), `ring-${ring.id}`)));
}

function action(kind, picture, label, onclick, describedby) {
  return h('button', { type: 'button', class: `ring-action ${kind}`, 'data-testid': kind, 'aria-describedby': describedby, onclick },
    h('span', { class: 'round' }, icon(picture)), h('span', {}, label));
}
