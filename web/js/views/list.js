/** The left pane: who I am, who asks for me, my conversations, what I look for, start a new one. */
import { h, hidden, icon, iconButton, reconcile } from '../dom.js';
import { missedCount } from '../calls/state.js';
import { conversationName, listTime, personName } from '../format.js';
import { sortedConversations } from '../conversations.js';
import { personAvatar } from './avatar.js';
import { openNewChat } from './dialogs.js';
import { drawConversation, shownOf } from './list-item.js';
import { openPrivacy } from './privacy.js';
import { createRequests } from './requests.js';
import { createSearch } from './search.js';

const STATUS = { online: 'Connected', connecting: 'Connecting…', waiting: 'Reconnecting…', offline: 'Offline' };

/**
 * @param {import('../session.js').Session} session
 * @param {{onSelect: (id: string) => void, onFound: (id: string, messageId: string) => void, onCalls: () => void, onSignOut: () => void}} actions
 */
export function createList(session, { onSelect, onFound, onCalls, onSignOut }) {
  const startChat = () => openNewChat(session, onSelect);
  /** What only this pane knows: whether it shows what was put away, and what the names must have in them. */
  let archived = false;
  let words = '';
  const list = h('ul', { class: 'conversations', 'data-testid': 'conversations' });
  const place = h('div', { class: 'list-place' });
  const status = h('span', { class: 'status' });
  const self = h('div', { class: 'self' });
  const missed = h('span', { class: 'badge', hidden: true });
  const callsButton = iconButton('phone', 'Calls', onCalls, { class: 'icon-button with-badge', 'data-testid': 'call-history' });
  callsButton.append(missed);
  const bell = iconButton('bellOff', 'Notifications', toggleNotices, { 'data-testid': 'notifications' });
  const privacy = iconButton('shield', 'Privacy', () => openPrivacy(session), { 'data-testid': 'privacy' });
  const requests = createRequests(session, { onSelect, onEmptied: () => focus() });
  const newChat = iconButton('plus', 'New chat', startChat, { class: 'icon-button accent' });
  const archive = h('button', { type: 'button', class: 'row-button archive', 'data-testid': 'archived', onclick: () => {
    archived = !archived;
    again();
  } }, icon('archive'), h('span', {}));
  const search = createSearch(session, {
    label: 'Search', id: 'search', onOpen: onFound,
    onWords: (text) => {
      words = text;
      again();
    },
  });
  const element = h('nav', { class: 'pane list-pane', 'aria-label': 'Conversations' },
    h('header', { class: 'pane-header' },
      h('h1', { class: 'pane-title' }, 'Chats'),
      callsButton,
      newChat),
    search.field,
    h('div', { class: 'scroll' }, requests.element, list, place, archive, search.results),
    h('footer', { class: 'list-footer' }, self, bell, privacy,
      iconButton('leave', 'Sign out', onSignOut)));

  function again() {
    render(session.store.state, session.calls.store.state);
  }

  function render(state, calls) {
    drawMissed(missed, callsButton, missedCount(calls));
    drawSelf(self, status, state);
    drawBell(bell, session.notifier.state);
    const where = { now: new Date() };
    const away = sortedConversations(state, { archived: true });
    if (away.length === 0) archived = false;
    requests.render(state, { ...where, shown: !words && !archived });
    // Who looks for a name finds what is put away as well.
    const all = words ? [...sortedConversations(state), ...away].filter((it) => named(it, state, words)) : archived ? away : sortedConversations(state);
    reconcile(list, all, {
      key: ({ id }) => id,
      signature: (conversation) => JSON.stringify([conversation, shownOf(conversation, state), listTime(timeOf(conversation), where)]),
      create: ({ id }) => h('li', {}, h('button', { type: 'button', class: 'conversation', 'data-testid': 'conversation', onclick: () => onSelect(id) })),
      draw: (node, conversation) => drawConversation(node.firstChild, conversation, state, where, timeOf(conversation)),
    });
    archive.hidden = Boolean(words) || away.length === 0;
    archive.lastChild.textContent = archived ? 'Back to all chats' : `Archived (${away.length})`;
    drawPlace(place, state, words ? 1 : list.childElementCount + away.length, { startChat, retry: () => session.refreshList() });
  }

  async function toggleNotices() {
    await session.notifier.toggle();
    drawBell(bell, session.notifier.state);
  }

  /** Puts the focus on a conversation, for who comes back from it; where there is none, on what makes one. */
  function focus(id) {
    const node = [...list.children].find((child) => child.dataset.key === id) ?? list.firstElementChild;
    (node?.firstChild ?? newChat).focus();
  }

  return { element, render, focus };
}

function named(conversation, state, words) {
  return conversationName(conversation, state.me.id).toLocaleLowerCase().includes(words.toLocaleLowerCase());
}

function timeOf(conversation) {
  return conversation.last_message?.timestamp ?? conversation.updated_at ?? conversation.created_at;
}

function drawMissed(badge, button, count) {
  badge.hidden = count === 0;
  badge.textContent = count > 9 ? '9+' : String(count);
  button.setAttribute('aria-label', count === 0 ? 'Calls' : count === 1 ? 'Calls, 1 missed' : `Calls, ${count} missed`);
}

function drawBell(button, state) {
  if (button.dataset.state === state) return;
  button.dataset.state = state;
  const label = { on: 'Notifications are on', off: 'Notifications are off', denied: 'The browser forbids notifications' }[state];
  button.hidden = state === 'impossible';
  button.disabled = state === 'denied';
  button.setAttribute('aria-pressed', String(state === 'on'));
  button.setAttribute('aria-label', label ?? '');
  button.title = label ?? '';
  button.replaceChildren(icon(state === 'on' ? 'bell' : 'bellOff'));
}

function drawSelf(self, status, state) {
  const { me, people, connection } = state;
  const person = people[me.id] ?? { username: me.username };
  const drawn = JSON.stringify([person, connection.status]);
  if (self.dataset.drawn === drawn) return;
  self.dataset.drawn = drawn;
  status.className = `status ${connection.status}`;
  status.textContent = STATUS[connection.status];
  self.replaceChildren(personAvatar(person, me.id),
    h('div', { class: 'grow' }, h('div', { class: 'name' }, personName(person, me.id)), status));
}

/** What stands in the list when there is nothing to list. */
function drawPlace(place, { list }, count, { startChat, retry }) {
  const drawn = list.state === 'ready' && count > 0 ? 'none' : list.state + (list.error ?? '');
  if (place.dataset.drawn === drawn) return;
  place.dataset.drawn = drawn;
  if (drawn === 'none') place.replaceChildren();
  else if (list.state === 'loading') place.replaceChildren(hidden('Loading conversations'), ...skeletons(6));
  else if (list.state === 'failed') {
    place.replaceChildren(h('div', { class: 'empty', role: 'alert' }, icon('alert'), h('p', {}, 'Your chats could not be loaded.'),
      h('p', { class: 'muted' }, list.error), h('button', { type: 'button', onclick: retry }, 'Try again')));
  } else {
    place.replaceChildren(h('div', { class: 'empty' }, icon('chat'), h('p', {}, 'No chats yet'),
      h('p', { class: 'muted' }, 'Start one with anybody on Matrix or Nova.'), h('button', { type: 'button', class: 'primary', onclick: startChat }, 'Start a chat')));
  }
}

function skeletons(count) {
  return Array.from({ length: count }, () => h('div', { class: 'skeleton-row', 'aria-hidden': 'true' },
    h('span', { class: 'skeleton round' }), h('span', { class: 'grow' }, h('span', { class: 'skeleton' }), h('span', { class: 'skeleton short' }))));
}
