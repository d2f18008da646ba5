/** What is pinned, in one line above the messages: a press leads to it, and the next press to the one before. */
import { h, hidden, icon } from '../dom.js';
import { inShort } from './message/quote.js';

/** @param {{onJump: (messageId: string) => void}} actions */
export function createPins({ onJump }) {
  let shown = { id: null, at: 0, pins: [] };
  const text = h('span', { class: 'pinned-text', dir: 'auto' });
  const count = h('span', { class: 'pinned-count' });
  const element = h('button', {
    type: 'button', class: 'pinned', hidden: true, title: 'Show the pinned message', 'data-testid': 'pinned', onclick: jump,
  }, icon('thumbtack'), hidden('Pinned: '), text, count);

  /** @param {string} id of the conversation @param {import('../message.js').Message[]} pins the last one first */
  function render(id, pins = []) {
    if (shown.id === id && shown.pins === pins) return;
    const now = shown.id === id ? pins.findIndex((message) => message.id === shown.pins[shown.at]?.id) : 0;
    const grown = shown.id === id && pins.length > shown.pins.length;
    shown = { id, pins, at: grown ? 0 : Math.max(0, now) };
    draw();
  }

  function draw() {
    const { at, pins } = shown;
    element.hidden = pins.length === 0;
    text.textContent = pins.length > 0 ? inShort(pins[at]) : '';
    count.textContent = pins.length > 1 ? `${at + 1} of ${pins.length}` : '';
  }

  function jump() {
    const { at, pins } = shown;
    onJump(pins[at].id);
    shown.at = (at + 1) % pins.length;
    draw();
  }

  return { element, render };
}
