/**
 * The frame around the panes: list, chat, members. Decides what is visible on a narrow screen and keeps the address in
 * step with the open conversation, so that the back button of a phone does what people expect.
 */
import { h, icon } from '../dom.js';
import { createCalls } from './calls/calls.js';
import { conversationName } from '../format.js';
import { createChat } from './chat.js';
import { createList } from './list.js';
import { createMembers } from './members.js';

const NARROW = window.matchMedia('(max-width: 719px)');
const ROOMY = window.matchMedia('(min-width: 1160px)');

/**
 * @param {import('../session.js').Session} session
 * @param {{onSignOut: () => void}} actions
 */
export function createShell(session, { onSignOut }) {
  let membersOpen = ROOMY.matches;
  /** A conversation named by the address before the list was there. */
  let wanted = fromAddress();
  let shown = null;

  const list = createList(session, { onSelect: open, onFound: openAt, onCalls: () => calls.openHistory(), onSignOut });
  const chat = createChat(session, { onBack: back, onMembers: toggleMembers });
  const members = createMembers(session, { onClose: toggleMembers });
  const calls = createCalls(session, { onOpen: open, onCovered: (covered) => { panes.inert = covered; }, onUncovered: () => chat.focus() });
  const banner = h('div', { class: 'banner', role: 'status' });
  const panes = h('div', { class: 'panes' }, list.element, chat.element, members.element);
  const element = h('div', { class: 'shell' }, banner, calls.bar, panes, calls.element);

  const listening = new AbortController();
  window.addEventListener('popstate', () => select(fromAddress()), { signal: listening.signal });
  document.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || document.querySelector('dialog[open], :popover-open')) return;
    if (membersOpen && !ROOMY.matches) toggleMembers();
    else if (session.store.state.selected && NARROW.matches) back();
  }, { signal: listening.signal });
  // Beside the chat there is room for the members or there is not; covering it is for the user to ask.
  ROOMY.addEventListener('change', ({ matches }) => {
    membersOpen = matches;
    render(session.store.state);
  }, { signal: listening.signal });
  const unsubscribe = [session.store, session.calls.store].map((store) => store.subscribe(() => render(session.store.state)));

  /** A choice of the user: goes into the history, focus goes to the conversation. */
  function open(id) {
    if (fromAddress() !== id) history.pushState({ fromList: true }, '', `#chat=${encodeURIComponent(id)}`);
    select(id);
    chat.focus();
  }

  /** A message that was found. */
  function openAt(id, messageId) {
    open(id);
    chat.jumpTo(messageId);
  }

  function back() {
    // Going back in the history keeps it short, but only if the step before is ours.
    if (history.state?.fromList) history.back();
    else {
      history.replaceState(null, '', location.pathname + location.search);
      select(null);
    }
  }

  function select(id) {
    const previous = session.store.state.selected;
    if (!ROOMY.matches) membersOpen = false;
    session.select(id && session.store.state.conversations[id] ? id : null);
    render(session.store.state);
    if (!id && previous) list.focus(previous);
  }

  function toggleMembers() {
    membersOpen = !membersOpen;
    render(session.store.state);
    if (membersOpen) members.focus();
    else chat.focusMembersButton();
  }

  function render(state) {
    if (wanted && state.list.state === 'ready') {
      const id = wanted;
      wanted = null;
      if (state.conversations[id]) return select(id);
    }
    // The open conversation went away (left, removed): its address means nothing any more.
    if (shown && !state.selected && fromAddress() === shown) history.replaceState(null, '', location.pathname + location.search);
    shown = state.selected;
    element.classList.toggle('has-chat', state.selected !== null);
    element.classList.toggle('has-members', membersOpen && state.selected !== null);
    drawBanner(banner, state.connection, session);
    const now = session.calls.store.state;
    document.title = title(state, now);
    list.render(state, now);
    chat.render(state, now, { membersOpen });
    members.render(state, { open: membersOpen });
    calls.render(state, now);
  }

  render(session.store.state);
  return {
    element,
    open,
    stop() {
      listening.abort();
      for (const end of unsubscribe) end();
      calls.stop();
    },
  };
}

function fromAddress() {
  return new URLSearchParams(location.hash.slice(1)).get('chat');
}

function title({ conversations, selected, me }, { rings }) {
  if (rings.length > 0) return `${rings[0].callerName ?? 'Somebody'} is calling · Nova`;
  const unread = Object.values(conversations).filter(({ unread_count: count, is_muted: muted, is_archived: away }) => count > 0 && !muted && !away).length;
  const name = selected && conversations[selected] ? `${conversationName(conversations[selected], me.id)} · Nova` : 'Nova';
  return unread > 0 ? `(${unread}) ${name}` : name;
}

/** Says that the connection is gone; a short interruption is not worth a word, which is left to a delay in the CSS. */
function drawBanner(banner, { status }, session) {
  const lost = status === 'waiting' || (status === 'connecting' && banner.classList.contains('visible'));
  if (banner.dataset.status === status) return;
  banner.dataset.status = status;
  banner.classList.toggle('visible', lost);
  banner.replaceChildren(...(lost ? [
    icon('retry'), h('span', {}, 'Connection lost. Messages you write now are kept and sent when it is back.'),
    h('button', { type: 'button', class: 'link', onclick: () => session.reconnect() }, 'Try now')] : []));
}
