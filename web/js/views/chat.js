/** The middle pane: header, messages, composer; or what stands there while there is nothing to show. */
import { h, hidden, icon, iconButton, logo } from '../dom.js';
import { sideThread } from '../side.js';
import { EMPTY_THREAD } from '../thread.js';
import { typingText } from '../typing.js';
import { createChatHeader } from './chat-header.js';
import { createComposer } from './composer.js';
import { typingNames } from './list-item.js';
import { createMessages } from './messages.js';
import { createPins } from './pins.js';
import { createSearch } from './search.js';

/** So long a word about what went wrong stays. */
const TOAST_MS = 6_000;

/**
 * @param {import('../session.js').Session} session
 * @param {{onBack: () => void, onMembers: () => void}} actions
 */
export function createChat(session, { onBack, onMembers }) {
  let shown = null;
  const header = createChatHeader(session, { onBack, onMembers, onSearch: toggleSearch });
  const composer = createComposer(session, { say });
  const messages = createMessages(session, { onReply: composer.reply, onEdit: composer.edit, onThread: (entry) => openThread(entry), say });
  const search = createSearch(session, {
    label: 'Search in this chat', id: 'chat-search', conversationId: () => shown, onOpen: (_id, messageId) => messages.jumpTo(messageId),
  });
  const searchBar = h('div', { class: 'chat-search', hidden: true, onkeydown: onSearchKey }, search.field, iconButton('close', 'Close search', () => toggleSearch()), search.results);
  const pins = createPins({ onJump: (messageId) => messages.jumpTo(messageId) });
  const threadTitle = h('h3', { class: 'grow', tabindex: '-1' }, 'Thread');
  const threadBar = h('div', { class: 'thread-bar', hidden: true, 'data-testid': 'thread' }, icon('chat'), threadTitle, iconButton('close', 'Close the thread', () => session.threads.close(), { 'data-testid': 'thread-close' }));
  const place = h('div', { class: 'chat-place' });
  const typing = h('p', { class: 'typing', role: 'status', 'data-testid': 'typing' });
  const toast = h('p', { class: 'toast', role: 'alert', hidden: true });
  const dropHere = h('div', { class: 'drop-here', 'aria-hidden': 'true' }, icon('attach'), 'Drop files to send them');
  const conversation = h('div', { class: 'chat-conversation' }, header.element, searchBar, threadBar, pins.element, messages.element, place, toast, typing, composer.element, dropHere);
  const welcome = h('div', { class: 'welcome' }, logo(), h('p', {}, 'Choose a chat, or start a new one.'));
  const element = h('main', { class: 'pane chat-pane' }, conversation, welcome);
  takeDrops(conversation, (files) => composer.attach(files));

  function render(state, calls, { membersOpen }) {
    const current = state.conversations[state.selected];
    conversation.hidden = !current;
    welcome.hidden = Boolean(current);
    if (!current) {
      shown = null;
      return;
    }
    const whole = state.threads[current.id] ?? EMPTY_THREAD;
    const side = state.side?.id === current.id ? state.side : null;
    const thread = side ? sideThread(side, whole) : whole;
    threadBar.hidden = !side;
    conversation.classList.toggle('in-thread', Boolean(side));
    if (current.id !== shown) closeSearch();
    shown = current.id;
    header.render(state, current, calls, { membersOpen });
    messages.render(state, current, thread, calls, side);
    pins.render(current.id, side ? [] : state.pins[current.id]);
    composer.render(state, current, side);
    const types = typingText(typingNames(state, current.id));
    if (typing.textContent !== types) typing.textContent = types;
    drawPlace(place, thread, calls.history.rows.some(({ conversationId }) => conversationId === current.id), () => (side ? session.threads.load(side.rootId) : session.loadNewest(current.id)));
  }

  function openThread(entry) {
    session.threads.open(shown, entry);
    // The button that was pressed is gone by then.
    (window.matchMedia('(pointer: coarse)').matches ? threadTitle : composer.input).focus();
  }

  let toastTimer = null;
  function say(text) {
    clearTimeout(toastTimer);
    toast.textContent = text;
    toast.hidden = false;
    toastTimer = setTimeout(() => { toast.hidden = true; }, TOAST_MS);
  }

  function toggleSearch() {
    if (!searchBar.hidden) {
      closeSearch();
      header.focusSearch();
      return;
    }
    searchBar.hidden = false;
    search.input.focus();
  }

  function onSearchKey(event) {
    if (event.key !== 'Escape') return;
    event.stopPropagation();
    toggleSearch();
  }

  function closeSearch() {
    searchBar.hidden = true;
    search.clear();
  }

  return {
    element,
    render,
    jumpTo: messages.jumpTo,
    /** On a touch screen the keyboard would cover half of what was just opened, so the heading takes the focus. */
    focus: () => (window.matchMedia('(pointer: coarse)').matches ? header.heading : composer.input).focus(),
    focusMembersButton: () => header.focusMembers(),
  };
}

/** Files that are dragged over the conversation are attached. */
function takeDrops(target, onFiles) {
  /** Children are entered and left on the way; what counts is how many are not left yet. */
  let depth = 0;
  const show = (by) => {
    depth = Math.max(0, depth + by);
    target.classList.toggle('dropping', depth > 0);
  };
  const hasFiles = (event) => event.dataTransfer?.types.includes('Files');
  target.addEventListener('dragenter', (event) => hasFiles(event) && show(1));
  target.addEventListener('dragleave', (event) => hasFiles(event) && show(-1));
  target.addEventListener('dragover', (event) => hasFiles(event) && event.preventDefault());
  target.addEventListener('drop', (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    depth = 0;
    show(0);
    onFiles(event.dataTransfer.files);
  });
}

/** Loading, failed and empty, in the place of messages. */
function drawPlace(place, thread, called, retry) {
  const empty = thread.messages.length === 0 && thread.pending.length === 0 && !(called && thread.state === 'ready');
  const drawn = !empty ? 'none' : thread.state + (thread.error ?? '');
  if (place.dataset.drawn === drawn) return;
  place.dataset.drawn = drawn;
  place.hidden = drawn === 'none';
  if (thread.state === 'failed') {
    place.replaceChildren(h('div', { class: 'empty', role: 'alert' }, icon('alert'), h('p', {}, 'The messages could not be loaded.'),
      h('p', { class: 'muted' }, thread.error), h('button', { type: 'button', onclick: retry }, 'Try again')));
  } else if (thread.state === 'ready') {
    place.replaceChildren(h('div', { class: 'empty' }, icon('chat'), h('p', {}, 'No messages yet'), h('p', { class: 'muted' }, 'Say hello.')));
  } else {
    place.replaceChildren(hidden('Loading messages'), h('div', { class: 'spinner', 'aria-hidden': 'true' }));
  }
}
