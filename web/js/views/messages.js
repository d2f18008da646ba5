/** The messages of the open conversation: rows, endless scroll upward, and staying at the bottom while reading there. */
import { h, hidden, icon, reconcile } from '../dom.js';
import { fullTime, personName } from '../format.js';
import { ownMember } from '../conversations.js';
import { readers } from '../receipts.js';
import { entries } from '../thread.js';
import { rows, withCalls } from '../timeline.js';
import { createAnnouncer } from './announcer.js';
import { drawCallLine } from './calls/history.js';
import { createMessage, drawMessage } from './message/message.js';
import { quotedBy } from './message/quote.js';
import { drawReaders } from './message/readers.js';

/** This close to the end counts as reading the newest messages. */
const NEAR_END_PX = 80;
/** Older messages are asked for before the reader reaches the top. */
const NEAR_TOP_PX = 500;

/**
 * @param {import('../session.js').Session} session
 * @param {object} actions
 * @param {(entry: object) => void} actions.onReply
 * @param {(entry: object) => void} actions.onEdit
 * @param {(entry: object) => void} actions.onThread
 * @param {(text: string) => void} actions.say
 */
export function createMessages(session, { onReply, onEdit, onThread, say }) {
  const list = h('ol', { class: 'messages', onkeydown: onKey });
  const top = h('div', { class: 'history' });
  const log = h('div', { class: 'scroll log', role: 'region', 'aria-label': 'Messages', tabindex: '0', onscroll: onScroll }, top, list);
  const announcer = createAnnouncer();
  const toEnd = h('button', { type: 'button', class: 'to-end', hidden: true, onclick: () => scrollToEnd(!isFar()) }, icon('down'), h('span', {}, 'New messages'));
  const element = h('div', { class: 'log-frame' }, log, toEnd, announcer.element);
  let shown = { id: null, side: null, firstKey: null, lastKey: null, atEnd: true, length: 0, placed: false };
  // A keyboard that opens, or a composer that grows, must not push the newest message out of sight; nor must a picture
  // that comes late.
  let size = '';
  const keepEnd = new ResizeObserver(() => {
    size = sizeOf(log);
    if (shown.atEnd) scrollToEnd();
  });
  keepEnd.observe(log);
  keepEnd.observe(list);

  /** @param {import('../side.js').Side|null} side  what is shown is a thread, and not all of the conversation */
  function render(state, conversation, thread, calls, side) {
    const lines = thread.state === 'ready' && !side ? calls.history.rows.filter(({ conversationId }) => conversationId === conversation.id) : [];
    const all = withCalls(entries(thread, state.me.id), lines, { complete: !thread.hasMore });
    const items = rows(all, { now: new Date() }, {
      newAfter: state.marker?.id === conversation.id && !side ? state.marker.after : null,
      readers: readers(all, conversation.members, state.me.id),
    });
    const inThread = side?.rootId ?? null;
    const switched = conversation.id !== shown.id || inThread !== shown.side;
    const atEnd = switched || (sizeOf(log) === size ? isAtEnd() : shown.atEnd);
    const last = items.findLast(({ entry }) => entry);
    const firstKey = items.find(({ entry }) => entry)?.key;
    const ownNew = !switched && last?.key !== shown.lastKey && last?.entry?.own;
    const live = !switched && shown.length > 0 && firstKey === shown.firstKey;
    const anchor = switched ? null : list.querySelector('.message');
    const anchorTop = anchor?.offsetTop;

    if (switched) list.replaceChildren();
    list.classList.toggle('calm', !live);
    drawTop(thread, conversation, side);
    drawRows(items, { state, conversation, thread, side, newest: last?.key });

    announcer.update(items, { live, name: (entry) => personName(state.people[entry.senderId], entry.senderId) });
    const placed = (!switched && shown.placed) || (thread.state === 'ready' && items.length > 0);
    const line = placed && (switched || !shown.placed) ? list.querySelector('.new-line') : null;
    if (line) log.scrollTop = line.offsetTop - log.clientHeight / 4;
    else if (atEnd || ownNew) scrollToEnd();
    else if (anchor?.isConnected) log.scrollTop += anchor.offsetTop - anchorTop;
    const more = !atEnd && !ownNew && last?.key !== shown.lastKey && live;
    if (more || (line && !isAtEnd())) offerEnd('New messages');
    shown = { id: conversation.id, side: inThread, firstKey, lastKey: last?.key, atEnd: line ? isAtEnd() : atEnd || ownNew, length: items.length, placed };
    if (placed) look();
    if (!thread.error) maybeOlder();
  }

  function drawRows(items, { state, conversation, thread, side, newest }) {
    const role = ownMember(conversation, state.me.id)?.role;
    const ask = (id) => session.acts.quoted(conversation.id, id);
    // What begins a thread stands above it.
    const quoted = (entry) => (side && entry.replyTo === side.rootId ? null : quotedBy(state, thread, entry, ask));
    // One stop for the tab key; the arrow keys go from there to the others.
    const stop = items.findLast(({ entry }) => entry && !entry.call && !entry.pending)?.key;
    reconcile(list, items, {
      key: ({ key }) => key,
      signature: ({ day, marker, readers: people, entry, first, last }) => day ?? JSON.stringify(marker ?? people?.map(name)
        ?? [entry, first, last, entry.key === newest, entry.key === stop, author(state, entry), role, Boolean(side), quoted(entry)]),
      create: ({ day, marker, readers: people, entry }) => (
        day || marker || people || entry.call ? h('li', { class: day ? 'day' : marker ? 'new-line' : people ? 'readers' : 'message' }) : createMessage()),
      draw: (node, row) => {
        if (row.day) node.replaceChildren(h('span', {}, row.day));
        else if (row.marker) node.replaceChildren(h('span', {}, 'New messages'));
        else if (row.readers) drawReaders(node, row.readers);
        else if (row.entry.call) drawCallLine(node, row, { session, time: fullTime(row.entry.createdAt) });
        else {
          drawMessage(node, row, {
            person: state.people[row.entry.senderId], conversation, newest: row.key === newest, session, time: fullTime(row.entry.createdAt),
            stop: row.key === stop, quoted: quoted(row.entry), onReply, onEdit, ...(!side && { onThread }), onJump: (id) => jumpTo(id), doing,
          });
        }
      },
    });
  }

  /** From the menu button of one message to that of the one above or below. */
  function onKey(event) {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!step || !event.target.matches('.tool')) return;
    const all = [...list.querySelectorAll('.tools:not([hidden]) .tool:last-child')];
    const next = all[all.indexOf(event.target.parentElement.lastElementChild) + step];
    event.preventDefault();
    next?.focus();
  }

  /** Waits for what the user has asked for; what was refused is said. */
  function doing(work) {
    return work.catch((error) => say(error.detail ?? error.message));
  }

  /** Shows a message in its place, and loads the history back to it where it has to. */
  async function jumpTo(messageId) {
    const { id, side } = shown;
    shown.atEnd = false;
    if (side && !list.querySelector(`[data-message="${CSS.escape(messageId)}"]`)) session.threads.close();
    if (!await session.loadUntil(id, messageId)) return say('That message is not here any more.');
    // What was loaded is drawn by now: the store tells its listeners before anything that waits for it goes on.
    await Promise.resolve();
    const node = list.querySelector(`[data-message="${CSS.escape(messageId)}"]`);
    if (!node || shown.id !== id) return undefined;
    shown.placed = true;
    node.scrollIntoView({ block: 'center' });
    node.classList.remove('found');
    // So that it begins anew when the same message is jumped to again.
    node.getBoundingClientRect();
    node.classList.add('found');
    return true;
  }

  function drawTop(thread, conversation, side) {
    const what = side || thread.state !== 'ready' || thread.messages.length === 0 ? 'none'
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
    else if (toEnd.hidden && isFar()) offerEnd('To the newest');
    if (shown.placed) look();
    maybeOlder();
  }

  /** The end of a thread is not that of the conversation. */
  function look() {
    session.look({ atEnd: Boolean(shown.atEnd) && !shown.side });
  }

  function maybeOlder() {
    if (shown.id && !shown.side && log.scrollTop < NEAR_TOP_PX && log.clientHeight > 0) session.loadOlder(shown.id);
  }

  /** Too far to be scrolled there slowly. */
  function isFar() {
    return log.scrollHeight - log.scrollTop > 3 * log.clientHeight;
  }

  function offerEnd(text) {
    toEnd.lastChild.textContent = text;
    toEnd.hidden = false;
  }

  function isAtEnd() {
    return log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_END_PX;
  }

  function scrollToEnd(smooth = false) {
    log.scrollTo({ top: log.scrollHeight, behavior: smooth ? 'smooth' : 'instant' });
    toEnd.hidden = true;
  }

  return { element, render, jumpTo };
}

function sizeOf({ clientWidth, clientHeight }) {
  return `${clientWidth}×${clientHeight}`;
}

function name(person) {
  return personName(person);
}

function author(state, entry) {
  const person = state.people[entry.senderId];
  return [personName(person, entry.senderId), person?.avatar_url];
}
