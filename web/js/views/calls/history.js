/** The calls of the past: missed ones stand out, and each can be called back. */
import { fill, h, icon, iconButton, reconcile } from '../../dom.js';
import { conversationName, fullTime, listTime } from '../../format.js';
import { historyText } from '../../calls/text.js';
import { conversationAvatar } from '../avatar.js';

/**
 * @param {import('../../session.js').Session} session
 * @param {{onOpen: (conversationId: string) => void}} actions
 */
export function createCallHistory(session, { onOpen }) {
  const list = h('ul', { class: 'call-rows' });
  const place = h('div', { class: 'history-place' });
  const dialog = h('dialog', { class: 'call-history', 'aria-labelledby': 'call-history-title', 'data-testid': 'call-history-panel' },
    h('header', {}, h('h2', { id: 'call-history-title' }, 'Calls'), iconButton('close', 'Close', () => dialog.close())),
    h('div', { class: 'scroll' }, list, place));

  function open() {
    dialog.showModal();
    session.calls.loadHistory();
    session.calls.historySeen();
    render(session.store.state, session.calls.store.state);
  }

  function render(state, { history, active }) {
    if (!dialog.open) return;
    const where = { now: new Date() };
    const rows = history.rows.filter(({ conversationId }) => state.conversations[conversationId]);
    reconcile(list, rows, {
      key: ({ id }) => id,
      signature: (row) => JSON.stringify([row, state.conversations[row.conversationId], Boolean(active), listTime(row.at, where)]),
      create: () => h('li', { class: 'call-row', 'data-testid': 'call-history-row' }),
      draw: (node, row) => drawRow(node, row, state, where, {
        busy: Boolean(active),
        open: () => { dialog.close(); onOpen(row.conversationId); },
        call: () => { dialog.close(); onOpen(row.conversationId); session.calls.call(row.conversationId, { video: row.video }); },
      }),
    });
    drawPlace(place, history, rows.length, () => session.calls.loadHistory());
  }

  return { element: dialog, open, render };
}

function drawRow(node, row, state, where, { busy, open, call }) {
  const conversation = state.conversations[row.conversationId];
  const name = conversationName(conversation, state.me.id);
  node.classList.toggle('missed', row.missed);
  fill(node,
    h('button', { type: 'button', class: 'call-row-main', onclick: open },
      conversationAvatar(conversation, state.me.id),
      h('span', { class: 'grow' },
        h('span', { class: 'name', dir: 'auto' }, name),
        h('span', { class: 'call-what' }, icon(row.outgoing ? 'out' : 'in'), h('span', {}, historyText(row)))),
      h('time', { class: 'time', datetime: row.at, title: fullTime(row.at) }, listTime(row.at, where))),
    iconButton(row.video ? 'video' : 'phone', `Call ${name} back`, call, { class: 'icon-button accent', disabled: busy, 'data-testid': 'call-back' }));
}

function drawPlace(place, { state, error }, count, retry) {
  const drawn = count > 0 ? 'none' : state + (error ?? '');
  if (place.dataset.drawn === drawn) return;
  place.dataset.drawn = drawn;
  if (drawn === 'none') place.replaceChildren();
  else if (state === 'failed') {
    place.replaceChildren(h('div', { class: 'empty', role: 'alert' }, icon('alert'), h('p', {}, 'The calls could not be loaded.'),
      h('p', { class: 'muted' }, error), h('button', { type: 'button', onclick: retry }, 'Try again')));
  } else if (state === 'ready') {
    place.replaceChildren(h('div', { class: 'empty' }, icon('phone'), h('p', {}, 'No calls yet'), h('p', { class: 'muted' }, 'Open a chat and press the phone.')));
  } else place.replaceChildren(h('div', { class: 'empty' }, h('div', { class: 'spinner', 'aria-hidden': 'true' })));
}

/** A call among the messages of its conversation. */
export function drawCallLine(node, { entry }, { session, time }) {
  const { call } = entry;
  node.className = `message call-line ${call.missed ? 'missed' : ''}`.trim();
  node.dataset.testid = 'call-line';
  fill(node,
    icon(call.video ? 'video' : 'phone'),
    h('span', {}, historyText(call)),
    h('time', { datetime: call.at, title: time }, new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' }).format(new Date(call.at))),
    call.missed && h('button', { type: 'button', class: 'link', onclick: () => session.calls.call(call.conversationId, { video: call.video }) }, 'Call back'));
}
