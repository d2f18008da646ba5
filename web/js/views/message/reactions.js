/** Reactions below a message, and choosing one. */
import { h, hidden, icon } from '../../dom.js';
import { openPopover } from '../menu.js';

export const QUICK = ['👍', '❤️', '😂', '😮', '😢', '🙏'];
const MORE = [
  ...QUICK, '🎉', '🔥', '👏', '🙌', '💯', '✅', '❌', '👀', '🤔', '😀', '😅', '😊', '😍', '😎', '😉', '🥳', '😭', '😡', '🤯', '🤷', '🙄', '😴',
  '👎', '👋', '🤝', '💪', '🚀', '⭐', '💡', '☕', '🍕', '🍻', '🌈', '☀️', '❓', '❗',
];

/**
 * @param {import('../../message.js').Reaction[]} reactions
 * @param {{onToggle: (emoji: string) => void, onAdd: (anchor: Element) => void}} actions
 */
export function drawReactions(reactions, { onToggle, onAdd }) {
  if (reactions.length === 0) return [];
  const chips = reactions.map(({ emoji, count, user_reacted: mine }) => h('button', {
    type: 'button', class: 'reaction', 'aria-pressed': String(Boolean(mine)), 'data-testid': 'reaction', onclick: () => onToggle(emoji),
    title: mine ? 'Take your reaction back' : 'React with this',
  }, h('span', { class: 'reaction-emoji' }, emoji), h('span', {}, String(count)), hidden(count === 1 ? 'reaction' : 'reactions')));
  const add = h('button', { type: 'button', class: 'reaction add', 'aria-label': 'Add a reaction', title: 'Add a reaction', onclick: () => onAdd(add) }, icon('smile'));
  return [...chips, add];
}

/** The few that are used most, as a row. @param {(emoji: string) => void} onPick @param {() => void} onMore */
export function quickRow(onPick, onMore) {
  return h('div', { class: 'quick', role: 'group', 'aria-label': 'React' },
    QUICK.map((emoji) => emojiButton(emoji, () => onPick(emoji))),
    h('button', { type: 'button', class: 'emoji-button', role: 'menuitem', 'aria-label': 'More reactions', title: 'More reactions', onclick: onMore }, icon('plus')));
}

/** @param {Element} anchor @param {(emoji: string) => void} onPick */
export function openPicker(anchor, onPick) {
  const grid = h('div', { class: 'emoji-grid', 'data-testid': 'emoji-picker' }, MORE.map((emoji) => emojiButton(emoji, () => {
    close();
    onPick(emoji);
  })));
  const close = openPopover(anchor, grid, { class: 'picker', label: 'Choose a reaction' });
}

function emojiButton(emoji, onclick) {
  return h('button', { type: 'button', class: 'emoji-button', role: 'menuitem', onclick }, emoji);
}
