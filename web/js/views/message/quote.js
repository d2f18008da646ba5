/** What a message answers, above it: press it to see it in its place. */
import { h, icon } from '../../dom.js';
import { personName } from '../../format.js';

/** @param {{name?: string, text: string}} quoted  without a name where there is nothing (yet) to lead to @param {() => void} onJump */
export function drawQuote({ name, text }, onJump) {
  if (!name) return h('div', { class: 'quote' }, h('span', { class: 'quote-text' }, icon('reply'), text));
  return h('button', { type: 'button', class: 'quote', 'data-testid': 'quote', title: 'Show the message that this answers', onclick: onJump },
    h('span', { class: 'quote-name', dir: 'auto' }, name), h('span', { class: 'quote-text', dir: 'auto' }, text));
}

/**
 * What a message answers, as it is shown above it; null where it answers none.
 * @param {import('../../store.js').State} state
 * @param {import('../../thread.js').Thread} thread
 * @param {import('../../message.js').Message} message
 * @param {(messageId: string) => void} ask  it is not here: somebody should ask for it
 */
export function quotedBy(state, thread, { replyTo, recalledAt }, ask) {
  if (!replyTo || recalledAt) return null;
  const message = thread.messages.find(({ id }) => id === replyTo) ?? thread.quoted[replyTo];
  if (message) return { name: message.senderId === state.me.id ? 'You' : personName(state.people[message.senderId], message.senderId), text: inShort(message) };
  if (thread.gone[replyTo] || message === null) return { text: 'A message that is gone' };
  ask(replyTo);
  return { text: 'An earlier message' };
}

const KINDS = { image: 'Picture', video: 'Video', audio: 'Audio', voice: 'Voice message', file: 'File', sticker: 'Sticker' };

/** A message in one line. @param {import('../../message.js').Message} message */
export function inShort({ content, file, location, recalledAt }) {
  if (recalledAt) return 'A message that was recalled';
  if (file && (content === file.name || content === '')) return file.kind === 'file' ? file.name : KINDS[file.kind] ?? file.name;
  if (location && !location.description) return 'A place';
  return content.replace(/\s+/g, ' ').slice(0, 160);
}
