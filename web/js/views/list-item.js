/** One conversation in the list: who, what was said last and when, and what is unread. */
import { h, hidden, icon } from '../dom.js';
import { conversationName, fullTime, listTime, personName } from '../format.js';
import { typingText } from '../typing.js';
import { conversationAvatar } from './avatar.js';

/** What is shown besides the conversation itself: when it changes, the line is drawn anew. */
export function shownOf(conversation, state) {
  const other = conversation.type === 'direct' && conversation.members.find(({ user_id: id }) => id !== state.me.id);
  return { selected: conversation.id === state.selected, typing: typingNames(state, conversation.id), presence: other ? state.people[other.user_id]?.presence : undefined };
}

/** The names of those who type in a conversation. */
export function typingNames(state, id) {
  return Object.entries(state.typing[id] ?? {}).map(([user, name]) => personName(state.people[user] ?? { username: name }, user));
}

export function drawConversation(button, conversation, state, where, time) {
  const { last_message: last, unread_count: unread, is_muted: muted } = conversation;
  const { selected, typing, presence } = shownOf(conversation, state);
  button.setAttribute('aria-current', selected ? 'true' : 'false');
  button.classList.toggle('unread', unread > 0);
  button.classList.toggle('muted-chat', Boolean(muted));
  button.replaceChildren(
    conversationAvatar(conversation, state.me.id, { presence }),
    h('span', { class: 'grow' },
      h('span', { class: 'line' },
        h('span', { class: 'name', dir: 'auto' }, conversationName(conversation, state.me.id)),
        ...(muted ? [h('span', { class: 'mark' }, icon('bellOff'), hidden('Muted'))] : []),
        time && h('time', { class: 'time', datetime: time, title: fullTime(time) }, listTime(time, where))),
      h('span', { class: 'line' },
        h('span', { class: `preview ${typing.length > 0 ? 'types' : ''}`.trim(), dir: 'auto' }, typing.length > 0 ? typingText(typing) : preview(conversation, last, state)),
        unread > 0 && h('span', { class: 'unread-count', 'data-testid': 'unread' }, unread > 99 ? '99+' : String(unread), hidden(unread === 1 ? ' unread message' : ' unread messages')))));
}

function preview(conversation, last, state) {
  if (!last) return 'No messages yet';
  if (last.gone) return '…';
  const text = last.content.replace(/\s+/g, ' ').slice(0, 160);
  const author = personName(state.people[last.sender_id], last.sender_id);
  if (last.style === 'emote') return `${author} ${text}`;
  if (last.sender_id === state.me.id) return `You: ${text}`;
  return conversation.type === 'direct' ? text : `${author}: ${text}`;
}
