/** The messages of the open conversation: rows, endless scroll upward, and staying at the bottom while reading there. */
import { h, hidden, icon, reconcile } from '../dom.js';
import { fullTime, personName } from '../format.js';
import { entries } from '../thread.js';
import { rows, withCalls } from '../timeline.js';
import { createAnnouncer } from './announcer.js';
import { drawMessage } from './message.js';

/** This close to the end counts as reading the newest messages. */
const NEAR_END_PX = 80;
/** Older messages are asked for before the reader reaches the top. */
const NEAR_TOP_PX = 500;

/** @param {import('../session.js').Session} session */
export function createMessages(session) {
  const list = h('ol', { class: 'messages' });
  const top = h('div', { class: 'history' });
  const log = h('div', { class: 'scroll log', role: 'region', 'aria-label': 'Messages', tabindex: '0', onscroll: onScroll }, top, list);
  const announcer = createAnnouncer();
  const toEnd = h('button', { type: 'button', class: 'to-end', hidden: true, onclick: () => scrollToEnd(true) }, icon('down'), h('span', {}, 'New messages'));
  const element = h('div', { class: 'log-frame' }, log, toEnd, announcer.element);
  let shown = { id: null, firstKey: null, lastKey: null, atEnd: true, length: 0 };
  // A keyboard that opens, or a composer that grows, must not push the newest message out of sight.
  let size = '';
  new ResizeObserver(() => {
    size = sizeOf(log);
    if (shown.atEnd) scrollToEnd();
  }).observe(log);

  function render(state, conversation, thread, calls) {
    const lines = thread.state === 'ready' ? calls.history.rows.filter(({ conversationId }) => conversationId === conversation.id) : [];
    const items = rows(withCalls(entries(thread, state.me.id), lines, { complete: !thread.hasMore }), { now: new Date() });
    const switched = conversation.id !== shown.id;
    const atEnd = switched || (sizeOf(log) === size ? isAtEnd() : shown.atEnd);
    const last = items.at(-1);
    const firstKey = items.find(({ entry }) => entry)?.key;
    const ownNew = !switched && last?.key !== shown.lastKey && last?.entry?.own;
    const live = !switched && shown.length > 0 && firstKey === shown.firstKey;
    const anchor = switched ? null : list.querySelector('.message');
    const anchorTop = anchor?.offsetTop;

    if (switched) list.replaceChildren();
    list.classList.toggle('calm', !live);
    drawTop(thread, conversation);
    reconcile(list, items, {
      key: ({ key }) => key,
      signature: ({ day, entry, first, last: end }) => day ?? JSON.stringify([entry, first, end, entry.key === last?.key, author(state, entry)]),
      create: ({ day }) => h('li', { class: day ? 'day' : 'message' }),
      draw: (node, row) => {
        if (row.day) node.replaceChildren(h('span', {}, row.day));
        else drawMessage(node, row, { person: state.people[row.entry.senderId], conversation, newest: row.key === last?.key, session, time: fullTime(row.entry.createdAt) });
      },
    });

    announcer.update(items, { live, name: (entry) => personName(state.people[entry.senderId], entry.senderId) });
    if (atEnd || ownNew) scrollToEnd();
    else if (anchor?.isConnected) log.scrollTop += anchor.offsetTop - anchorTop;
    const more = !atEnd && !ownNew && last?.key !== shown.lastKey && live;
    if (more) toEnd.hidden = false;
    shown = { id: conversation.id, firstKey, lastKey: last?.key, atEnd: atEnd || ownNew, length: items.length };
    if (!thread.error) maybeOlder();
  }

  function drawTop(thread, conversation) {
    const what = thread.state !== 'ready' || thread.messages.length === 0 ? 'none'
      : thread.loadingOlder ? 'loading' : thread.error ? 'failed' : thread.hasMore ? 'more' : 'start';
    if (top.dataset.drawn === what + conversation.id) return;
    top.dataset.drawn = what + conversation.id;
    top.replaceChildren(...({
      loading: [hidden('Loading older messages'), h('div', { class: 'spinner small', 'aria-hidden': 'true' })],
      more: [h('div', { class: 'spinner small idle', 'aria-hidden': 'true' })],
      failed: [h('button', { type: 'button', onclick: () => session.loadOlder(conversation.id) }, 'Load older messages again')],
      start: [h('p', { class: 'muted' }, 'This is the beginning of the conversation.')],
    }[what] ?? []));
  }

  function onScroll() {
    // A change of size scrolls too, and comes here before the observer hears of it; that is not the reader's wish.
    if (sizeOf(log) !== size) return;
    shown.atEnd = isAtEnd();
    if (shown.atEnd) toEnd.hidden = true;
    maybeOlder();
  }

  function maybeOlder() {
    if (shown.id && log.scrollTop < NEAR_TOP_PX && log.clientHeight > 0) session.loadOlder(shown.id);
  }

  function isAtEnd() {
    return log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_END_PX;
  }

  function scrollToEnd(smooth = false) {
    log.scrollTo({ top: log.scrollHeight, behavior: smooth ? 'smooth' : 'instant' });
    toEnd.hidden = true;
  }

  return { element, render };
}

function sizeOf({ clientWidth, clientHeight }) {
  return `${clientWidth}×${clientHeight}`;
}

function author(state, entry) {
  const person = state.people[entry.senderId];
  return [personName(person, entry.senderId), person?.avatar_url];
}
