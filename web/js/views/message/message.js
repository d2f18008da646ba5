/**
 * One message: its frame is made once, and each part of it is drawn anew only when what it shows has changed, so that a
 * voice that is playing goes on when somebody reacts.
 */
import { fill, h, hidden, icon } from '../../dom.js';
import { clockTime, isFewEmoji, linkParts, personName } from '../../format.js';
import { caption } from '../../message.js';
import { deliveryLabel } from '../../timeline.js';
import { personAvatar } from '../avatar.js';
import { createTools, hasTools, openMessageMenu, toggle } from './actions.js';
import { drawMedia } from './media.js';
import { drawQuote } from './quote.js';
import { drawReactions, openPicker } from './reactions.js';

/** Of each message on the screen: its parts, and what it shows now. */
const frames = new WeakMap();

/** An empty message, for `drawMessage` to fill. */
export function createMessage() {
  const part = (name) => h('div', { class: `part ${name}` });
  const frame = {
    gutter: h('span', { class: 'gutter' }), author: part('who'), quote: part('quoted'), media: part('media'), body: part('text'),
    bubble: h('div', { class: 'bubble' }), reactions: h('div', { class: 'reactions' }), thread: h('div', { class: 'thread-line' }), below: part('below'), shown: null,
  };
  frame.tools = createTools(() => frame.shown);
  fill(frame.bubble, frame.quote, frame.media, frame.body);
  const column = h('div', { class: 'column' }, frame.author, h('div', { class: 'bubble-row' }, frame.bubble, frame.tools), frame.reactions, frame.thread, frame.below);
  const node = h('li', { class: 'message', 'data-testid': 'message' }, frame.gutter, column);
  // A long press of a finger, the menu key, the other mouse button. On a link or a selection it is the browser's.
  frame.bubble.addEventListener('contextmenu', (event) => {
    if (event.target.closest('a, video, audio, img') || !document.getSelection().isCollapsed || frame.tools.hidden) return;
    event.preventDefault();
    openMessageMenu(frame.tools.lastElementChild, frame.shown);
  });
  frames.set(node, frame);
  return node;
}

/**
 * @param {Element} node  from `createMessage`
 * @param {import('../../timeline.js').Row} row
 * @param {object} context
 * @param {import('../../store.js').Member} [context.person]  the author
 * @param {import('../../store.js').Conversation} context.conversation
 * @param {boolean} context.newest  the last message of all: its delivery is told in words
 * @param {import('../../session.js').Session} context.session
 * @param {string} context.time  date and time in full
 * @param {boolean} context.stop  the tab key stops here
 * @param {{name?: string, text: string}|null} context.quoted  what it answers
 * @param {(entry: object) => void} context.onReply
 * @param {(entry: object) => void} context.onEdit
 * @param {(messageId: string) => void} context.onJump
 * @param {(entry: object) => void} [context.onThread]  shows its thread; not where that is what is shown
 * @param {(work: Promise<any>) => Promise<void>} context.doing  says what went wrong
 */
export function drawMessage(node, { entry, first, last }, context) {
  const frame = frames.get(node);
  const { person, conversation, newest, session, time, quoted } = context;
  frame.shown = { entry, context };
  const name = personName(person, entry.senderId);
  const status = deliveryLabel(entry.state);
  const text = entry.recalledAt ? '' : caption(entry);
  const carries = Boolean(entry.file || entry.location);
  node.dataset.message = entry.id;
  // Who was led to it still has to see which one it is, whatever is told of it meanwhile.
  node.className = ['message', node.classList.contains('found') && 'found', entry.own && 'own', first && 'first', last && 'last', entry.style, entry.recalledAt && 'recalled',
    status?.problem && 'problem', ['sending', 'waiting'].includes(entry.state) && 'unsent'].filter(Boolean).join(' ');
  frame.bubble.className = ['bubble', isFewEmoji(text) && !entry.style && !carries && !quoted && 'emoji', carries && 'carries', carries && !text && 'bare'].filter(Boolean).join(' ');
  frame.bubble.title = time;

  const named = first && !entry.own && conversation.type !== 'direct' && entry.style !== 'emote';
  frame.gutter.hidden = entry.own;
  draw(frame.gutter, !entry.own && last && [name, person?.avatar_url], () => [personAvatar(person, entry.senderId, 'small')]);
  draw(frame.author, [named, name], () => [named ? h('span', { class: 'author', dir: 'auto' }, name) : hidden(entry.own ? 'You' : name)]);
  draw(frame.quote, quoted, () => [drawQuote(quoted, () => context.onJump(entry.replyTo))]);
  draw(frame.media, carries && [entry.file, entry.location], () => [drawMedia(entry, { reload: () => session.acts.reload(conversation.id, entry.id) })]);
  draw(frame.body, (text || !carries) && [text, entry.style, entry.recalledAt, name], () => [body(entry, text, name)]);
  draw(frame.reactions, entry.reactions?.length > 0 && entry.reactions, () => drawReactions(entry.reactions, {
    onToggle: (emoji) => toggle(frame.shown, emoji),
    onAdd: (anchor) => openPicker(anchor, (emoji) => toggle(frame.shown, emoji)),
    onWho: (emoji) => session.acts.reactors(entry.id, emoji),
  }));
  const answers = context.onThread && !entry.recalledAt ? entry.answers : 0;
  draw(frame.thread, answers > 0 && answers, () => [h('button', {
    type: 'button', class: 'thread-open', 'data-testid': 'thread-open', onclick: () => context.onThread(frame.shown.entry),
  }, icon('chat'), answers === 1 ? '1 answer' : `${answers} answers`)]);
  const tells = last || status?.problem || entry.state === 'retrying' || entry.editedAt;
  draw(frame.below, [tells, entry.state, newest, entry.editedAt, entry.style, entry.detail, entry.createdAt],
    () => [tells && meta(entry, status, newest), status?.problem && trouble(entry, session)]);
  frame.tools.hidden = !hasTools(entry, context);
  frame.tools.lastElementChild.tabIndex = context.stop ? 0 : -1;
}

/** Fills a part anew where it shows something else than before; false and null are nothing. */
function draw(part, shows, make) {
  const drawn = shows ? JSON.stringify(shows) : '';
  if (part.dataset.drawn === drawn) return;
  part.dataset.drawn = drawn;
  fill(part, ...(shows ? make() : []));
}

function body(entry, text, name) {
  const shown = entry.recalledAt ? 'This message was recalled' : text === '' ? 'This message cannot be shown here yet.' : text;
  return h('div', { class: `body ${text === '' ? 'muted' : ''}`.trim(), dir: 'auto' },
    entry.style === 'emote' && h('span', { class: 'emote-author', 'aria-hidden': 'true' }, `${name} `),
    linkParts(shown).map(({ text: part, href }) => (
      href ? h('a', { href, target: '_blank', rel: 'noopener noreferrer nofollow' }, part) : part)));
}

function meta(entry, status, newest) {
  const worded = status && (newest || status.problem || entry.state === 'retrying' || entry.state === 'waiting');
  return h('div', { class: 'meta' },
    entry.style === 'notice' && h('span', {}, 'Notice'),
    entry.editedAt && !entry.recalledAt && h('span', { class: 'edited', 'data-testid': 'edited' }, 'edited'),
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
