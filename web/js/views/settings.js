/** How a conversation is kept: muted and archived for oneself; its name and its end for everybody. */
import { h, icon } from '../dom.js';
import { conversationName, personName } from '../format.js';
import { confirm, openRename } from './dialogs.js';

/** @param {import('../session.js').Session} session */
export function createSettings(session) {
  let current = null;
  /** The request under way: the newest one, where somebody is quick. */
  let changing = null;
  const about = h('p', { class: 'about muted', dir: 'auto' });
  const muted = toggle('is_muted', 'bellOff', 'Mute', 'No notifications, and nothing in the title');
  const archived = toggle('is_archived', 'archive', 'Archive', 'Out of the list, but not gone');
  const rename = h('button', { type: 'button', class: 'row-button', 'data-testid': 'rename', onclick: () => openRename(session, current) }, icon('edit'), 'Name and description');
  const picker = h('input', { type: 'file', accept: 'image/*', hidden: true, 'data-testid': 'picture-input', onchange: onPicture });
  const picture = h('button', { type: 'button', class: 'row-button', 'data-testid': 'picture', onclick: () => picker.click() }, icon('picture'), h('span', {}, 'Picture'));
  const destroy = h('button', { type: 'button', class: 'row-button danger', 'data-testid': 'delete-group', onclick: askDelete }, icon('trash'), 'Delete for everybody');
  const block = h('button', { type: 'button', class: 'row-button', 'data-testid': 'block', onclick: onBlock }, icon('block'), h('span', {}));
  const problem = h('p', { class: 'notice problem', role: 'alert', hidden: true });
  const element = h('section', { class: 'settings', 'aria-label': 'Settings' }, about, muted.element, archived.element, problem, rename, picture, picker, block, destroy);

  function toggle(name, picture, label, hint) {
    const box = h('input', { type: 'checkbox', role: 'switch', 'data-testid': name, onchange: () => change({ [name]: box.checked }) });
    return { box, element: h('label', { class: 'switch' }, icon(picture), h('span', { class: 'grow' }, label, h('span', { class: 'hint' }, hint)), box) };
  }

  async function change(settings) {
    const { id } = current;
    problem.hidden = true;
    const request = session.groups.change(id, settings);
    changing = request;
    const error = await request.then(() => null, (failure) => failure);
    if (changing !== request) return;
    changing = null;
    problem.textContent = error?.detail ?? error?.message ?? '';
    problem.hidden = !error;
    drawToggles();
  }

  async function onPicture() {
    const [file] = picker.files;
    const { id } = current;
    picker.value = '';
    if (!file || picture.disabled) return;
    problem.hidden = true;
    picture.disabled = true;
    picture.lastChild.textContent = 'Uploading…';
    const error = await session.groups.setPicture(id, file).then(() => null, (failure) => failure);
    picture.disabled = false;
    picture.lastChild.textContent = 'Picture';
    if (current.id !== id) return;
    problem.textContent = error?.detail ?? error?.message ?? '';
    problem.hidden = !error;
  }

  /** A switch that was just pressed stays so until the bridge has answered, whatever is drawn meanwhile. */
  function drawToggles() {
    if (changing) return;
    muted.box.checked = Boolean(current.is_muted);
    archived.box.checked = Boolean(current.is_archived);
  }

  function askDelete() {
    const { id } = current;
    return confirm({
      title: `Delete “${conversationName(current, session.store.state.me.id)}”?`, text: 'Everybody loses it, with all its messages.', action: 'Delete',
      run: () => session.groups.delete(id),
    });
  }

  /** The other one of a direct chat. */
  function other() {
    return current.type === 'direct' ? current.members.find(({ user_id: id }) => id !== session.store.state.me.id) : undefined;
  }

  async function onBlock() {
    const person = other();
    problem.hidden = true;
    if (!session.store.state.blocked.includes(person.user_id)) {
      await confirm({
        title: `Block ${personName(person)}?`, action: 'Block', run: () => session.privacy.block(person.user_id),
        text: 'They can no longer write to you or call you, and are not told. In groups you still see each other.',
      });
      return;
    }
    const error = await session.privacy.unblock(person.user_id).then(() => null, (failure) => failure);
    problem.textContent = error?.detail ?? error?.message ?? '';
    problem.hidden = !error;
  }

  /** @param {import('../conversations.js').Conversation} conversation @param {import('../conversations.js').Member|undefined} own */
  function render(conversation, own) {
    if (conversation.id !== current?.id) {
      problem.hidden = true;
      changing = null;
    }
    current = conversation;
    drawToggles();
    about.hidden = !conversation.description;
    about.textContent = conversation.description ?? '';
    const group = conversation.type !== 'direct';
    rename.hidden = !group || !['admin', 'owner'].includes(own?.role);
    picture.hidden = rename.hidden;
    const person = other();
    const blocked = Boolean(person) && session.store.state.blocked.includes(person.user_id);
    block.hidden = !person;
    block.classList.toggle('danger', !blocked);
    if (person) block.lastChild.textContent = `${blocked ? 'Unblock' : 'Block'} ${personName(person)}`;
    destroy.hidden = !group || own?.role !== 'owner';
  }

  return { element, render };
}
