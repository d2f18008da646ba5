/**
 * Dialogs: new chat or group, invite, are you sure. The browser's own <dialog> keeps the focus inside, closes with
 * Escape and gives the focus back.
 */
import { h, icon, iconButton } from '../dom.js';

const MATRIX_ID = /^@[^\s:]+:(?:\[[\da-f:.]+\]|[^\s:]+)(?::\d{1,5})?$/u;
const NOVA_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Splits what people type or paste into ids. @returns {{ids: string[], wrong: string[]}} */
export function readIds(text) {
  const words = [...new Set(text.split(/[\s,;]+/u).filter(Boolean))];
  const good = (word) => MATRIX_ID.test(word) || NOVA_ID.test(word);
  return { ids: words.filter(good), wrong: words.filter((word) => !good(word)) };
}

/**
 * One dialog with a form. `run` does the work; while it runs the button waits, and what it throws is shown.
 * @returns {Promise<any>} what `run` gave, or undefined when the user closed it
 */
export function openForm({ title, body, action, danger, run }) {
  const problem = h('p', { class: 'notice problem', role: 'alert', hidden: true });
  const submit = h('button', { class: danger ? 'primary danger' : 'primary' }, action);
  const dialog = h('dialog', { 'aria-labelledby': 'dialog-title' },
    // What was wrong is no longer on the screen as soon as something is changed.
    h('form', { onsubmit: onSubmit, oninput: () => { problem.hidden = true; } },
      h('header', {}, h('h2', { id: 'dialog-title' }, title), iconButton('close', 'Close', () => dialog.close())),
      ...body, problem,
      h('footer', {}, h('button', { type: 'button', autofocus: danger, onclick: () => dialog.close() }, 'Cancel'), submit)));
  let result;

  async function onSubmit(event) {
    event.preventDefault();
    problem.hidden = true;
    submit.disabled = true;
    dialog.setAttribute('aria-busy', 'true');
    try {
      result = await run();
      dialog.close();
    } catch (error) {
      problem.replaceChildren(icon('alert'), h('span', {}, error.detail ?? error.message));
      problem.hidden = false;
    }
    submit.disabled = false;
    dialog.removeAttribute('aria-busy');
  }

  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(result);
    });
  });
}

/** @param {{title: string, text: string, action: string, run: () => Promise<void>}} question */
export function confirm({ title, text, action, run }) {
  return openForm({ title, action, danger: true, run, body: [h('p', {}, text)] });
}

function field(label, input, hint) {
  const id = `field-${label.replace(/\W+/g, '-').toLowerCase()}`;
  input.id = id;
  input.setAttribute('aria-describedby', `${id}-hint`);
  return h('div', { class: 'field' }, h('label', { for: id }, label), input, h('p', { class: 'hint', id: `${id}-hint` }, hint));
}

function textInput(attributes) {
  return h('input', { type: 'text', autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false', ...attributes });
}

/** Exactly the ids of a field, or an error that says which one is wrong. */
function idsOf(input, { atLeastOne = true } = {}) {
  const { ids, wrong } = readIds(input.value);
  if (wrong.length > 0) throw new Error(`“${wrong[0]}” is neither a Matrix id (@name:server) nor a Nova user id.`);
  if (ids.length === 0 && atLeastOne) throw new Error('Write at least one id.');
  return ids;
}

/**
 * @param {import('../session.js').Session} session
 * @param {(id: string) => void} onOpened
 */
export async function openNewChat(session, onOpened) {
  const who = textInput({ placeholder: '@alice:example.org', autofocus: true });
  const name = textInput({ maxlength: '255', autocapitalize: 'sentences', placeholder: 'Weekend plans' });
  const members = h('textarea', { rows: '3', autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false', placeholder: '@alice:example.org @bob:example.org' });
  const person = h('div', {}, field('Person', who, 'A Matrix id, or the id of a Nova user.'));
  const group = h('div', { hidden: true },
    field('Name of the group', name, 'Everybody in the group sees it.'),
    field('People', members, 'Matrix ids or Nova user ids, with spaces between them. You can invite more later.'));
  const choice = (value, label, checked) => h('label', {},
    h('input', { type: 'radio', name: 'kind', value, checked, onchange: onKind }), h('span', {}, label));
  let kind = 'person';

  function onKind({ target }) {
    kind = target.value;
    person.hidden = kind !== 'person';
    group.hidden = kind !== 'group';
  }

  async function run() {
    if (kind === 'person') {
      const ids = idsOf(who);
      if (ids.length > 1) throw new Error('A chat is with one person. For more, make a group.');
      return session.groups.startChat(ids[0]);
    }
    if (name.value.trim() === '') throw new Error('A group needs a name.');
    return session.groups.create(name.value.trim(), idsOf(members, { atLeastOne: false }));
  }

  const id = await openForm({
    title: 'New chat', action: 'Start', run,
    body: [h('fieldset', { class: 'segmented' }, h('legend', { class: 'sr-only' }, 'What to start'),
      choice('person', 'One person', true), choice('group', 'Group', false)), person, group],
  });
  if (id) onOpened(id);
}

/** @param {import('../session.js').Session} session @param {import('../store.js').Conversation} conversation */
export function openInvite(session, conversation) {
  const who = textInput({ placeholder: '@alice:example.org', autofocus: true });
  return openForm({
    title: 'Invite to the group', action: 'Invite', run: () => session.groups.invite(conversation.id, idsOf(who)),
    body: [field('Person', who, 'Matrix ids or Nova user ids. People on Matrix get an invitation there.')],
  });
}

/** @param {import('../session.js').Session} session @param {import('../store.js').Conversation} conversation */
export function openRename(session, { id, name = '', description }) {
  const called = textInput({ maxlength: '255', autocapitalize: 'sentences', autofocus: true });
  const about = h('textarea', { rows: '3', maxlength: '1000' });
  called.value = name ?? '';
  about.value = description ?? '';
  const run = async () => {
    if (called.value.trim() === '') throw new Error('A group needs a name.');
    await session.groups.change(id, { name: called.value.trim(), ...(about.value !== (description ?? '') && { description: about.value.trim() }) });
  };
  return openForm({
    title: 'Change the group', action: 'Change', run,
    body: [h('div', {}, field('Name of the group', called, 'Everybody in the group sees it.'), field('Description', about, 'What it is for.'))],
  });
}
