/** What a message answers, above it: press it to see it in its place. */
import { h, icon } from '../../dom.js';

/** @param {{name: string, text: string, missing?: boolean}} quoted @param {() => void} onJump */
export function drawQuote({ name, text, missing }, onJump) {
  return h('button', { type: 'button', class: `quote ${missing ? 'missing' : ''}`.trim(), 'data-testid': 'quote', title: 'Show the message that this answers', onclick: onJump },
    missing ? h('span', { class: 'quote-text' }, icon('reply'), 'An earlier message')
      : [h('span', { class: 'quote-name', dir: 'auto' }, name), h('span', { class: 'quote-text', dir: 'auto' }, text)]);
}

const KINDS = { image: 'Picture', video: 'Video', audio: 'Audio', voice: 'Voice message', file: 'File', sticker: 'Sticker' };

/** A message in one line. @param {import('../../message.js').Message} message */
export function inShort({ content, file, location, recalledAt }) {
  if (recalledAt) return 'A message that was recalled';
  if (file && (content === file.name || content === '')) return file.kind === 'file' ? file.name : KINDS[file.kind] ?? file.name;
  if (location && content === '') return 'A place';
  return content.replace(/\s+/g, ' ').slice(0, 160);
}
