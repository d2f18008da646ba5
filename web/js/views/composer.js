/** Writing a message. Enter sends, Shift+Enter starts a new line; a draft stays with its conversation. */
import { h, icon } from '../dom.js';
import { conversationName } from '../format.js';

/** @param {import('../session.js').Session} session */
export function createComposer(session) {
  const drafts = new Map();
  let shown = null;
  const input = h('textarea', { id: 'composer', rows: '1', enterkeyhint: 'send', autocomplete: 'off', dir: 'auto' });
  const label = h('label', { class: 'sr-only', for: 'composer' });
  const button = h('button', { class: 'send', 'aria-label': 'Send', title: 'Send (Enter)' }, icon('send'));
  const element = h('form', { class: 'composer', onsubmit: submit }, label, input, button);

  function submit(event) {
    event.preventDefault();
    const text = input.value.replace(/\s+$/u, '').replace(/^\n+/, '');
    if (text.trim() === '' || !shown) return;
    session.send(shown, text);
    input.value = '';
    changed();
    input.focus();
  }

  function changed() {
    drafts.set(shown, input.value);
    button.disabled = input.value.trim() === '';
    // The height follows the text; the maximum is in the style sheet. While it is measured the form keeps its size:
    // the messages above would move otherwise.
    element.style.minHeight = `${element.offsetHeight}px`;
    input.style.height = 'auto';
    input.style.height = `${input.scrollHeight + 2}px`;
    element.style.minHeight = '';
  }

  input.addEventListener('input', changed);
  input.addEventListener('keydown', (event) => {
    // While an input method composes, Enter chooses a word.
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) submit(event);
  });

  function render(state, conversation) {
    const name = conversationName(conversation, state.me.id);
    label.textContent = `Message to ${name}`;
    input.placeholder = 'Write a message';
    if (conversation.id === shown) return;
    shown = conversation.id;
    input.value = drafts.get(shown) ?? '';
    changed();
  }

  return { element, input, render };
}
