/**
 * What a screen reader hears: new messages of others, and own messages that went wrong. A log of its own beside the
 * visible messages, because those are redrawn when a group grows or a delivery changes, and a live region reads out
 * everything that is redrawn.
 */
import { h } from '../dom.js';
import { deliveryLabel } from '../timeline.js';

/** Enough for a reader that is behind; the rest is in the visible list. */
const KEPT = 20;

export function createAnnouncer() {
  const element = h('div', { class: 'sr-only', role: 'log', 'aria-live': 'polite', 'aria-label': 'New messages' });
  let told = new Set();

  /**
   * @param {import('../timeline.js').Row[]} rows
   * @param {{live: boolean, name: (entry: object) => string}} how  not live: history that was loaded is no news
   */
  function update(rows, { live, name }) {
    const seen = new Set();
    for (const { entry } of rows) {
      if (!entry) continue;
      const status = deliveryLabel(entry.state);
      const news = entry.own ? status?.problem && `${entry.key} ${entry.state}` : entry.key;
      if (!news) continue;
      seen.add(news);
      if (!live || told.has(news)) continue;
      element.append(h('p', {}, entry.own ? `${status.label}: ${entry.content}. ${entry.detail ?? ''}` : `${name(entry)}: ${entry.content}`));
    }
    told = seen;
    while (element.childElementCount > KEPT) element.firstElementChild.remove();
    if (rows.length === 0) element.replaceChildren();
  }

  return { element, update };
}
