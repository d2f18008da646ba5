/** The left pane: who I am, my conversations, start a new one. */
import { h, hidden, icon, iconButton, reconcile } from '../dom.js';
import { missedCount } from '../calls/state.js';
import { conversationName, fullTime, listTime, personName } from '../format.js';
import { sortedConversations } from '../store.js';
import { conversationAvatar, personAvatar } from './avatar.js';
import { openNewChat } from './dialogs.js';

const STATUS = { online: 'Connected', connecting: 'Connecting…', waiting: 'Reconnecting…', offline: 'Offline' };

/**
 * @param {import('../session.js').Session} session
 * @param {{onSelect: (id: string) => void, onCalls: () => void, onSignOut: () => void}} actions
 */
export function createList(session, { onSelect, onCalls, onSignOut }) {
  const startChat = () => openNewChat(session, onSelect);
  const list = h('ul', { class: 'conversations' });
  const place = h('div', { class: 'list-place' });
  const status = h('span', { class: 'status' });
  const self = h('div', { class: 'self' });
  const missed = h('span', { class: 'badge', hidden: true });
  const callsButton = iconButton('phone', 'Calls', onCalls, { class: 'icon-button with-badge', 'data-testid': 'call-history' });
  callsButton.append(missed);
  const element = h('nav', { class: 'pane list-pane', 'aria-label': 'Conversations' },
    h('header', { class: 'pane-header' },
      h('h1', { class: 'pane-title' }, 'Chats'),
      callsButton,
      iconButton('plus', 'New chat', startChat, { class: 'icon-button accent' })),
    h('div', { class: 'scroll' }, list, place),
    h('footer', { class: 'list-footer' }, self,
      iconButton('leave', 'Sign out', onSignOut)));

  function render(state, calls) {
    drawMissed(missed, callsButton, missedCount(calls));
    drawSelf(self, status, state);
    const where = { now: new Date() };
    reconcile(list, sortedConversations(state), {
      key: ({ id }) => id,
      signature: (conversation) => JSON.stringify([conversation, conversation.id === state.selected, listTime(timeOf(conversation), where)]),
      create: ({ id }) => h('li', {}, h('button', { type: 'button', class: 'conversation', onclick: () => onSelect(id) })),
      draw: (node, conversation) => drawConversation(node.firstChild, conversation, state, where),
    });
    drawPlace(place, state, list.childElementCount, { startChat, retry: () => session.refreshList() });
  }

  /** Puts the focus on a conversation, for who comes back from it. */
  function focus(id) {
    const node = [...list.children].find((child) => child.dataset.key === id) ?? list.firstElementChild;
    node?.firstChild.focus();
  }

  return { element, render, focus };
}

function drawMissed(badge, button, count) {
  badge.hidden = count === 0;
  badge.textContent = count > 9 ? '9+' : String(count);
  button.setAttribute('aria-label', count === 0 ? 'Calls' : count === 1 ? 'Calls, 1 missed' : `Calls, ${count} missed`);
}

function timeOf(conversation) {
  return conversation.last_message?.timestamp ?? conversation.updated_at ?? conversation.created_at;
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

function drawConversation(button, conversation, state, where) {
  const { last_message: last, unread } = conversation;
  const time = timeOf(conversation);
  button.setAttribute('aria-current', conversation.id === state.selected ? 'true' : 'false');
  button.classList.toggle('unread', Boolean(unread));
  button.replaceChildren(
    conversationAvatar(conversation, state.me.id),
    h('span', { class: 'grow' },
      h('span', { class: 'line' },
        h('span', { class: 'name', dir: 'auto' }, conversationName(conversation, state.me.id)),
        time && h('time', { class: 'time', datetime: time, title: fullTime(time) }, listTime(time, where))),
      h('span', { class: 'line' },
        h('span', { class: 'preview', dir: 'auto' }, preview(conversation, last, state)),
        unread && h('span', { class: 'dot' }, hidden('Unread messages')))));
}

function preview(conversation, last, state) {
  if (!last) return 'No messages yet';
  const text = last.content.replace(/\s+/g, ' ').slice(0, 160);
  const author = personName(state.people[last.sender_id], last.sender_id);
  if (last.style === 'emote') return `${author} ${text}`;
  if (last.sender_id === state.me.id) return `You: ${text}`;
  return conversation.type === 'direct' ? text : `${author}: ${text}`;
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
