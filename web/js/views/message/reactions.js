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
 * @param {{onToggle: (emoji: string) => void, onAdd: (anchor: Element) => void, onWho: (emoji: string) => Promise<string>}} actions
 *   `onWho` says in words who reacted with this
 */
export function drawReactions(reactions, { onToggle, onAdd, onWho }) {
  if (reactions.length === 0) return [];
  const chips = reactions.map(({ emoji, count, user_reacted: mine }) => {
    const who = h('span', { class: 'reaction-who', 'data-testid': 'reaction-who', dir: 'auto' });
    const chip = h('button', {
      type: 'button', class: 'reaction', 'aria-pressed': String(Boolean(mine)), 'data-testid': 'reaction', onclick: () => onToggle(emoji),
    }, h('span', { class: 'reaction-emoji' }, emoji), h('span', {}, String(count)), hidden(count === 1 ? 'reaction' : 'reactions'), who);
    tellWho(chip, who, () => onWho(emoji));
    return chip;
  });
  const add = h('button', { type: 'button', class: 'reaction add', 'aria-label': 'Add a reaction', title: 'Add a reaction', onclick: () => onAdd(add) }, icon('smile'));
  return [...chips, add];
}

/** Names those who reacted where a mouse rests, the focus is, or a finger presses long. They are asked for once. */
function tellWho(chip, who, ask) {
  let asked = null;
  const tell = () => {
    asked ??= ask().then((names) => { who.textContent = names; }, () => { asked = null; });
  };
  chip.addEventListener('pointerenter', tell);
  chip.addEventListener('focus', tell);
  chip.addEventListener('contextmenu', (event) => {
    event.preventDefault();
    tell();
    chip.classList.add('told');
    document.addEventListener('pointerdown', () => chip.classList.remove('told'), { once: true });
  });
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
