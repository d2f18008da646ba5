/**
 * The little that is needed to make DOM nodes. Data enters the page only as text nodes and attributes, never as HTML.
 */

/**
 * Makes an element: `h('button', { class: 'primary', onclick: send }, 'Send')`. Names that start with "on" are
 * listeners, true makes an empty attribute, and undefined, null and false leave it out.
 * @param {string} tag
 * @param {Record<string, any>} [attributes]
 * @param {...(Node|string|null|undefined|false)} children
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : value);
  }
  return fill(element, ...children);
}

/** Replaces what is in an element. Like in `h`, children that are missing or false are left out. */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Text for screen readers only. */
export function hidden(text) {
  return h('span', { class: 'sr-only' }, text);
}

/** Icons as paths on a 24×24 grid, drawn with a line of the text's colour. */
const ICONS = {
  back: 'M15 5l-7 7 7 7',
  close: 'M6 6l12 12M18 6L6 18',
  plus: 'M12 5v14M5 12h14',
  send: 'M5 12h13M12 5l7 7-7 7',
  people: 'M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 20c.5-4 3-6 6.5-6s6 2 6.5 6M16 4.5a3.5 3.5 0 0 1 0 6M18 14.5c2 .8 3.2 2.6 3.5 5.5',
  invite: 'M10 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM3 20c.5-4 3-6 7-6 1.5 0 2.8.3 3.9.9M18 14v6M15 17h6',
  leave: 'M14 4h4a2 2 0 0 1 2 2v12a2 2 0 0 1-2 2h-4M10 8l-4 4 4 4M6 12h9',
  remove: 'M6 12h12',
  down: 'M12 5v14M6 13l6 6 6-6',
  clock: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 7.5V12l3 2',
  check: 'M5 12.5l4.5 4.5L19 7.5',
  checks: 'M2 12.5l4.5 4.5L16 7.5M11.5 16l1 1L22 7.5',
  retry: 'M19 12a7 7 0 1 1-2.2-5.1M19 4v4h-4',
  alert: 'M12 8v5M12 16.5v.01M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18z',
  phone: 'M6.6 3.5h2.2l1.7 4.6-2 1.6c1 2.3 2.5 3.8 4.8 4.8l1.6-2 4.6 1.7v2.2c0 2-1.5 3.3-3.3 3.1C9.3 18.8 5.2 14.7 3.5 6.8 3.3 5 4.6 3.5 6.6 3.5z',
  hangup: 'M2.8 13.2c4.6-5.6 13.8-5.6 18.4 0l-1.5 3.3-4.6-1.3-.4-2.6c-1.8-.7-3.6-.7-5.4 0l-.4 2.6-4.6 1.3z',
  video: 'M3.5 8A1.5 1.5 0 0 1 5 6.5h8.5A1.5 1.5 0 0 1 15 8v8a1.5 1.5 0 0 1-1.5 1.5H5A1.5 1.5 0 0 1 3.5 16zM15 11l5.5-3.2v8.4L15 13',
  videoOff: 'M3.5 8A1.5 1.5 0 0 1 5 6.5h8.5A1.5 1.5 0 0 1 15 8v8a1.5 1.5 0 0 1-1.5 1.5H5A1.5 1.5 0 0 1 3.5 16zM15 11l5.5-3.2v8.4L15 13M3.5 3.5l17 17',
  mic: 'M12 14.5a3 3 0 0 0 3-3V6a3 3 0 0 0-6 0v5.5a3 3 0 0 0 3 3zM5.8 11.5a6.2 6.2 0 0 0 12.4 0M12 17.7V21',
  micOff: 'M12 14.5a3 3 0 0 0 3-3V6a3 3 0 0 0-6 0v5.5a3 3 0 0 0 3 3zM5.8 11.5a6.2 6.2 0 0 0 12.4 0M12 17.7V21M4 3.5l16 17',
  fold: 'M6 9.5l6 6 6-6',
  screen: 'M3.5 5.5h17v11h-17zM8.5 20.5h7M12 13.8V8.3M9.6 10.6L12 8.2l2.4 2.4',
  flip: 'M4 12a8 8 0 0 1 13.6-5.7L20 8.5M20 4v4.5h-4.5M20 12a8 8 0 0 1-13.6 5.7L4 15.5M4 20v-4.5h4.5',
  in: 'M17.5 6.5l-11 11M15 17.5H6.5V9',
  out: 'M6.5 17.5l11-11M9 6.5h8.5V15',
  reply: 'M9 6L4 11l5 5M4.5 11H14a6 6 0 0 1 6 6v1.5',
  edit: 'M4 20l1-4.5L16.5 4l3.5 3.5L8.5 19zM14 6.5l3.5 3.5',
  trash: 'M4.5 6.5h15M9.5 6V4h5v2M6.5 6.5l1 13h9l1-13M10 10.5v5.5M14 10.5v5.5',
  undo: 'M4.5 9.5h10a5 5 0 0 1 0 10H9M8.5 5.5l-4 4 4 4',
  copy: 'M9 9h11v11H9zM15 9V4H4v11h5',
  more: 'M5 12h.01M12 12h.01M19 12h.01',
  smile: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM8.5 14a4.2 4.2 0 0 0 7 0M9 9.5v.01M15 9.5v.01',
  attach: 'M20 11.5l-8 8a5 5 0 0 1-7-7l8.5-8.5a3.3 3.3 0 0 1 4.7 4.7L9.7 17.2a1.6 1.6 0 0 1-2.3-2.3l7.6-7.6',
  file: 'M6 3.5h8l4.5 4.5v12.5H6zM14 3.5V8h4.5',
  download: 'M12 4v11M7 10.5l5 5 5-5M5 20h14',
  pin: 'M12 21.5s7-6.6 7-12a7 7 0 0 0-14 0c0 5.4 7 12 7 12zM12 12a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z',
  thumbtack: 'M9 3.5h6l-.8 6.3 3.3 3.7h-11l3.3-3.7zM12 13.5v7',
  picture: 'M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M9 9.5v.01',
  play: 'M8 5.5l10.5 6.5L8 18.5z',
  pause: 'M8.5 5.5v13M15.5 5.5v13',
  stop: 'M7 7h10v10H7z',
  search: 'M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zM15.3 15.3L20 20',
  bell: 'M6 17V11a6 6 0 0 1 12 0v6l1.5 1.5h-15zM10 21h4',
  bellOff: 'M6 17V11a6 6 0 0 1 .9-3.2M10 5.3A6 6 0 0 1 18 11v4M18.5 18.5h-14L6 17M10 21h4M4 3.5l16 17',
  archive: 'M4 5h16v4H4zM5.5 9v10.5h13V9M10 13h4',
  block: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM5.7 5.7l12.6 12.6',
  shield: 'M12 3.5l7 2.6v5.2c0 4.4-2.8 7.4-7 9.2-4.2-1.8-7-4.8-7-9.2V6.1z',
  info: 'M12 11v5.5M12 7.5v.01M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18z',
  chat: 'M4 6.5A2.5 2.5 0 0 1 6.5 4h11A2.5 2.5 0 0 1 20 6.5v7a2.5 2.5 0 0 1-2.5 2.5H11l-5 4v-4.05A2.5 2.5 0 0 1 4 13.5z',
};

export function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  path.setAttribute('d', ICONS[name]);
  svg.append(path);
  return svg;
}

/** A button that shows only an icon; the label is its name and its tooltip. */
export function iconButton(name, label, onclick, attributes = {}) {
  return h('button', { type: 'button', class: 'icon-button', 'aria-label': label, title: label, onclick, ...attributes }, icon(name));
}

/** The application's mark: a star. */
export function logo() {
  return h('img', { class: 'logo', src: 'icon.svg', alt: '', width: '56', height: '56' });
}

/**
 * Makes the children of `parent` show `items`. A child whose key is known is kept (and with it focus, selection and
 * scroll position); `draw` is called only when its signature has changed.
 *
 * @template T
 * @param {Element} parent
 * @param {T[]} items
 * @param {{key: (item: T) => string, signature: (item: T) => string, create: (item: T) => Element, draw: (node: Element, item: T) => void}} how
 */
export function reconcile(parent, items, { key, signature, create, draw }) {
  const focused = parent.contains(document.activeElement) ? document.activeElement : null;
  const known = new Map([...parent.children].map((node) => [node.dataset.key, node]));
  const wanted = new Set(items.map(key));
  for (const [name, node] of known) if (!wanted.has(name)) node.remove();
  let next = parent.firstElementChild;
  for (const item of items) {
    const name = key(item);
    const node = known.get(name) ?? create(item);
    const drawn = signature(item);
    if (node.dataset.drawn !== drawn) {
      node.dataset.key = name;
      node.dataset.drawn = drawn;
      draw(node, item);
    }
    if (node === next) next = next.nextElementSibling;
    else parent.insertBefore(node, next);
  }
  // A node that moves loses the focus.
  if (focused?.isConnected && document.activeElement !== focused) focused.focus({ preventScroll: true });
}
