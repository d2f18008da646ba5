/**
 * Writing a message, an answer, or an edit. Enter sends, Shift+Enter starts a new line, Escape gives up what the message
 * answers or edits. What is written stays with its conversation.
 */
import { fill, h, icon, iconButton } from '../dom.js';
import { conversationName, personName } from '../format.js';
import { caption } from '../message.js';
import { openMenu } from './menu.js';
import { inShort } from './message/quote.js';
import { createRecorder } from './recorder.js';
import { createTray } from './tray.js';

/** @typedef {{text: string, reply?: object, edit?: object}} Draft  `edit` also remembers the text that it took the place of */

/**
 * @param {import('../session.js').Session} session
 * @param {{say: (text: string) => void}} actions  tells the user what went wrong
 */
export function createComposer(session, { say }) {
  /** @type {Map<string, Draft>} */
  const drafts = new Map();
  let shown = null;
  /** The thread in which one writes, if any. */
  let thread = null;
  let uploads = [];
  const input = h('textarea', { id: 'composer', rows: '1', enterkeyhint: 'send', autocomplete: 'off', dir: 'auto', 'data-testid': 'composer' });
  const label = h('label', { class: 'sr-only', for: 'composer' });
  const context = h('div', { class: 'composer-context', hidden: true });
  const picker = h('input', { type: 'file', multiple: true, hidden: true, 'data-testid': 'file-input', onchange: onPicked });
  const attachButton = iconButton('attach', 'Attach', openAttach, { 'aria-haspopup': 'menu', 'data-testid': 'attach' });
  const voice = iconButton('mic', 'Record a voice message', () => recorder.start(), { 'data-testid': 'record' });
  const button = h('button', { class: 'send', 'aria-label': 'Send', title: 'Send (Enter)', 'data-testid': 'send' }, icon('send'));
  const tray = createTray(session);
  const recorder = createRecorder({
    onDone: ({ file, voice: heard }) => session.uploads.add(shown, file, { voice: heard, send: { content: '', replyTo: takeReply(), ...inThread() } }),
    onChange: (recording) => { row.hidden = recording; },
    say,
  });
  const row = h('div', { class: 'composer-row' }, attachButton, label, input, voice, button, picker);
  const element = h('form', { class: 'composer', onsubmit: submit }, context, tray.element, recorder.element, row);

  const draftKey = () => (thread ? `${shown} ${thread.rootId}` : shown);
  const draft = () => drafts.get(draftKey()) ?? { text: '' };
  const inThread = () => (thread ? { threadRoot: thread.rootId, threadEvent: thread.rootEvent } : {});
  const change = (news) => {
    drafts.set(draftKey(), { ...draft(), ...news });
    drawContext();
  };

  function submit(event) {
    event.preventDefault();
    const text = input.value.replace(/\s+$/u, '').replace(/^\n+/, '');
    const { edit } = draft();
    if (!shown || (text.trim() === '' && (edit ? !edit.entry.file : uploads.length === 0))) return;
    if (edit) sendEdit(edit, text);
    else sendAll(text);
    input.focus();
  }

  /** The first of several files has the text for a caption. */
  function sendAll(text) {
    const replyTo = takeReply();
    const files = uploads;
    if (files.length === 0) session.send(shown, text, { replyTo, ...inThread() });
    files.forEach(({ id }, index) => session.uploads.send(id, { content: index === 0 ? text : '', ...(index === 0 && { replyTo }), ...inThread() }));
    write('');
  }

  function sendEdit(edit, text) {
    const conversation = shown;
    endContext();
    if (text === caption(edit.entry)) return;
    // A file without a caption is called by its name.
    session.acts.edit(conversation, edit.entry, text.trim() === '' ? edit.entry.file.name : text).catch((error) => say(`Not edited: ${error.detail ?? error.message}`));
  }

  function takeReply() {
    const id = draft().reply?.id;
    if (id) change({ reply: undefined });
    return id;
  }

  function write(text) {
    input.value = text;
    changed();
  }

  function changed() {
    change({ text: input.value });
    const empty = input.value.trim() === '';
    const { edit } = draft();
    button.disabled = empty && (edit ? !edit.entry.file : uploads.length === 0);
    // The one or the other: there is no room for both on a phone.
    voice.hidden = !button.disabled || !recorder.possible || Boolean(edit);
    button.hidden = button.disabled && !voice.hidden;
    // The height follows the text; the maximum is in the style sheet. While it is measured the form keeps its size:
    // the messages above would move otherwise.
    element.style.minHeight = `${element.offsetHeight}px`;
    input.style.height = 'auto';
    input.style.height = `${input.scrollHeight + 2}px`;
    element.style.minHeight = '';
  }

  input.addEventListener('input', () => {
    changed();
    if (!draft().edit) session.typing.key(shown, input.value.trim() === '');
  });
  input.addEventListener('keydown', (event) => {
    // While an input method composes, Enter chooses a word.
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) submit(event);
    const { reply, edit } = draft();
    if (event.key !== 'Escape' || !(reply || edit)) return;
    event.stopPropagation();
    endContext();
  });
  input.addEventListener('paste', (event) => {
    if (event.clipboardData.files.length === 0) return;
    event.preventDefault();
    attach(event.clipboardData.files);
  });

  function openAttach() {
    openMenu(attachButton, [
      { label: 'Photo or file', icon: 'file', id: 'attach-file', run: () => picker.click() },
      'geolocation' in navigator && { label: 'Where I am', icon: 'pin', id: 'attach-place', run: sendPlace },
    ], { label: 'Attach' });
  }

  function sendPlace() {
    const [conversation, where] = [shown, inThread()];
    navigator.geolocation.getCurrentPosition(({ coords }) => session.sendLocation(conversation, coords, where), () => say('The browser does not tell where you are.'));
  }

  function onPicked() {
    attach(picker.files);
    picker.value = '';
  }

  function attach(files) {
    for (const file of files) session.uploads.add(shown, file);
    input.focus();
  }

  /** What is above the field: the message that this one answers, or that is edited. */
  function drawContext() {
    const { reply, edit } = draft();
    const it = reply ?? edit?.entry;
    context.hidden = !it;
    if (!it) return;
    const person = session.store.state.people[it.senderId];
    const what = edit ? (edit.entry.file ? 'Edit caption' : 'Edit message') : it.own ? 'Answer yourself' : `Answer ${personName(person, it.senderId)}`;
    fill(context, icon(edit ? 'edit' : 'reply'), h('div', { class: 'grow' }, h('div', { class: 'context-what' }, what), h('div', { class: 'context-text', dir: 'auto' }, inShort(it))),
      iconButton('close', edit ? 'Do not edit' : 'Do not answer', endContext, { 'data-testid': 'context-close' }));
  }

  function endContext() {
    const { edit } = draft();
    change({ reply: undefined, edit: undefined });
    if (edit) write(edit.before);
    input.focus();
  }

  /** @param {import('../side.js').Side|null} side  the thread that is shown */
  function render(state, conversation, side) {
    label.textContent = side ? 'Message in the thread' : `Message to ${conversationName(conversation, state.me.id)}`;
    input.placeholder = side ? 'Answer in the thread' : 'Write a message';
    uploads = state.uploads.filter((it) => it.conversationId === conversation.id && !it.send);
    tray.render(state.uploads.filter((it) => it.conversationId === conversation.id));
    const drawn = `${conversation.id} ${side?.rootId ?? ''} ${side?.rootEvent ?? ''} ${uploads.length}`;
    if (drawn === element.dataset.drawn) return;
    element.dataset.drawn = drawn;
    const other = side?.rootId !== thread?.rootId;
    thread = side;
    if (conversation.id !== shown || other) {
      recorder.cancel();
      shown = conversation.id;
      input.value = draft().text;
      drawContext();
    }
    changed();
  }

  return {
    element, input, render, attach,
    reply(entry) {
      if (draft().edit) endContext();
      change({ reply: entry });
      input.focus();
    },
    edit(entry) {
      change({ reply: undefined, edit: { entry, before: draft().edit?.before ?? input.value } });
      write(caption(entry));
      input.focus();
    },
  };
}
