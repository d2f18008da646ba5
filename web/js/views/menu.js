/**
 * A menu that opens beside a button. The browser's own popover closes it with Escape and with a press elsewhere; here
 * are the place, the arrow keys, and the focus, which goes back to where it came from.
 */
import { h, icon } from '../dom.js';

const GAP_PX = 6;

/**
 * Shows something beside an element until it is closed.
 * @param {Element} anchor
 * @param {Element} content
 * @param {{class?: string, role?: string, label: string}} how
 * @returns {() => void} closes it
 */
export function openPopover(anchor, content, { class: name = 'menu', role = 'menu', label }) {
  const popover = h('div', { class: `popover ${name}`, popover: 'auto', role, 'aria-label': label }, content);
  const back = document.activeElement;
  // In a dialog that is open only what is in it can be used.
  (anchor.closest('dialog') ?? document.body).append(popover);
  popover.addEventListener('keydown', (event) => moveFocus(event, popover));
  popover.addEventListener('toggle', ({ newState }) => {
    if (newState !== 'closed') return;
    const lost = popover.contains(document.activeElement) || document.activeElement === document.body;
    popover.remove();
    anchor.setAttribute('aria-expanded', 'false');
    if (lost) (anchor.isConnected ? anchor : back)?.focus?.();
  });
  popover.showPopover();
  place(popover, anchor.getBoundingClientRect());
  anchor.setAttribute('aria-expanded', 'true');
  popover.querySelector('button')?.focus({ focusVisible: false });
  return () => popover.isConnected && popover.hidePopover();
}

/**
 * @typedef {{label: string, icon?: string, danger?: boolean, id?: string, href?: string, download?: string, run?: () => void}} Item
 * @param {Element} anchor
 * @param {(Item|false|null|undefined)[]} items
 * @param {{label: string, top?: (close: () => void) => Element}} how  `top` stands above the items
 */
export function openMenu(anchor, items, { label, top }) {
  const content = h('div', {});
  const close = openPopover(anchor, content, { label });
  const draw = (item) => h(item.href ? 'a' : 'button', {
    ...(item.href ? { href: item.href, download: item.download ?? '', target: '_blank', rel: 'noopener' } : { type: 'button' }),
    class: item.danger ? 'menu-item danger' : 'menu-item', role: 'menuitem', 'data-testid': item.id,
    onclick: () => {
      close();
      item.run?.();
    },
  }, item.icon && icon(item.icon), h('span', {}, item.label));
  content.append(...(top ? [top(close)] : []), ...items.filter(Boolean).map(draw));
  const popover = content.parentElement;
  place(popover, anchor.getBoundingClientRect());
  content.querySelector('button, a')?.focus({ focusVisible: false });
}

/** Below the anchor, or above it where there is more room; never outside of the window. */
function place(popover, anchor) {
  const { width, height } = popover.getBoundingClientRect();
  const below = anchor.bottom + GAP_PX;
  const top = below + height <= window.innerHeight - GAP_PX ? below : Math.max(GAP_PX, anchor.top - GAP_PX - height);
  const left = anchor.left + width <= window.innerWidth - GAP_PX ? anchor.left : anchor.right - width;
  popover.style.top = `${Math.min(top, Math.max(GAP_PX, window.innerHeight - GAP_PX - height))}px`;
  popover.style.left = `${Math.max(GAP_PX, left)}px`;
}

function moveFocus(event, popover) {
  const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
  const all = [...popover.querySelectorAll('button, a')];
  const now = all.indexOf(document.activeElement);
  const next = step ? all.at((now + step) % all.length) : event.key === 'Home' ? all[0] : event.key === 'End' ? all.at(-1) : undefined;
  if (!next) return;
  event.preventDefault();
  next.focus();
}
