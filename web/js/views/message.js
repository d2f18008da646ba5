/** One message. New kinds (image, voice…) get their own function, as calls have. */
import { fill, h, hidden, icon } from '../dom.js';
import { clockTime, isFewEmoji, linkParts, personName } from '../format.js';
import { deliveryLabel } from '../timeline.js';
import { drawCallLine } from './calls/history.js';
import { personAvatar } from './avatar.js';

/**
 * @param {Element} node  the list item to fill
 * @param {import('../timeline.js').Row} row
 * @param {object} context
 * @param {import('../store.js').Member} [context.person]  the author
 * @param {import('../store.js').Conversation} context.conversation
 * @param {boolean} context.newest  the last message of all: its delivery is told in words
 * @param {import('../session.js').Session} context.session
 * @param {string} context.time  date and time in full
 */
export function drawMessage(node, { entry, first, last }, { person, conversation, newest, session, time }) {
  if (entry.call) return drawCallLine(node, { entry }, { session, time });
  const name = personName(person, entry.senderId);
  const status = deliveryLabel(entry.state);
  node.className = ['message', entry.own && 'own', first && 'first', last && 'last', entry.style,
    status?.problem && 'problem', ['sending', 'waiting'].includes(entry.state) && 'unsent'].filter(Boolean).join(' ');
  const named = first && !entry.own && conversation.type !== 'direct' && entry.style !== 'emote';
  fill(node,
    !entry.own && h('span', { class: 'gutter' }, last && personAvatar(person, entry.senderId, 'small')),
    h('div', { class: 'column' },
      named ? h('span', { class: 'author', dir: 'auto' }, name) : hidden(entry.own ? 'You' : name),
      h('div', { class: `bubble ${isFewEmoji(entry.content) && !entry.style ? 'emoji' : ''}`, title: time },
        body(entry, name)),
      (last || status?.problem || entry.state === 'retrying') && meta(entry, status, newest),
      status?.problem && trouble(entry, session)));
}

function body(entry, name) {
  const text = entry.content === '' ? 'This message cannot be shown here yet.' : entry.content;
  return h('div', { class: `body ${entry.content === '' ? 'muted' : ''}`, dir: 'auto' },
    entry.style === 'emote' && h('span', { class: 'emote-author', 'aria-hidden': 'true' }, `${name} `),
    linkParts(text).map(({ text: part, href }) => (
      href ? h('a', { href, target: '_blank', rel: 'noopener noreferrer nofollow' }, part) : part)));
}

function meta(entry, status, newest) {
  const worded = status && (newest || status.problem || entry.state === 'retrying' || entry.state === 'waiting');
  return h('div', { class: 'meta' },
    entry.style === 'notice' && h('span', {}, 'Notice'),
    h('time', { datetime: entry.createdAt }, clockTime(entry.createdAt)),
    status && h('span', { class: `delivery ${entry.state}`, title: status.label }, icon(status.icon), worded ? status.label : hidden(status.label)));
}

/** Why it went wrong and what can be done about it. */
function trouble(entry, session) {
  const item = entry.pending;
  return h('div', { class: 'trouble' },
    entry.detail && h('span', {}, entry.detail),
    item && h('span', { class: 'buttons' },
      h('button', { type: 'button', class: 'link', onclick: () => session.retry(item) }, 'Try again'),
      h('button', { type: 'button', class: 'link', onclick: () => session.discard(item) }, 'Discard')));
}
