/** The right pane: who is in the conversation, and what may be done about it. */
import { fill, h, icon, iconButton, reconcile } from '../dom.js';
import { conversationName, personName } from '../format.js';
import { personAvatar } from './avatar.js';
import { confirm, openInvite } from './dialogs.js';

const RANK = { owner: 3, admin: 2, moderator: 1, member: 0 };
/** Nova's own users on Matrix are the bridge's ghosts; they are Nova users to people. */
const GHOST = /^@nova-[0-9a-f]{8}-[0-9a-f-]{27}:/;

/** True for people who use Matrix themselves. */
export function isOnMatrix(member) {
  return Boolean(member.matrix_user_id) && !GHOST.test(member.matrix_user_id);
}

/**
 * @param {import('../session.js').Session} session
 * @param {{onClose: () => void}} actions
 */
export function createMembers(session, { onClose }) {
  let current = null;
  const list = h('ul', { class: 'members' });
  const close = iconButton('close', 'Close members', onClose);
  const invite = h('button', { type: 'button', class: 'row-button', onclick: () => openInvite(session, current) }, icon('invite'), 'Invite someone');
  const leave = h('button', { type: 'button', class: 'row-button danger', onclick: onLeave }, icon('leave'), h('span', {}));
  const count = h('span', { class: 'count' });
  const element = h('aside', { class: 'pane members-pane', id: 'members', 'aria-label': 'Members' },
    h('header', { class: 'pane-header' }, h('h2', { class: 'pane-title' }, 'Members ', count), close),
    h('div', { class: 'scroll' }, invite, list, leave));

  async function onLeave() {
    const conversation = current;
    const name = conversationName(conversation, session.store.state.me.id);
    await confirm({
      title: `Leave “${name}”?`, action: 'Leave', run: () => session.leave(conversation.id),
      text: 'You will no longer get its messages. Somebody who is in it can invite you again.',
    });
  }

  function render(state, { open }) {
    current = state.conversations[state.selected] ?? null;
    element.hidden = !open || !current;
    if (element.hidden) return;
    const { me } = state;
    const group = current.type !== 'direct';
    const own = current.members.find((member) => member.user_id === me.id);
    count.textContent = String(current.members.filter((member) => member.membership !== 'invited').length);
    invite.hidden = !group;
    leave.lastChild.textContent = group ? 'Leave group' : 'Leave chat';
    reconcile(list, sorted(current.members, me.id), {
      key: ({ user_id }) => user_id,
      signature: (member) => JSON.stringify([member, own?.role, current.id]),
      create: () => h('li', { class: 'member' }),
      draw: (node, member) => drawMember(node, member, { me: me.id, removable: group && mayRemove(own, member), onRemove }),
    });
  }

  function onRemove(member) {
    const conversation = current;
    return confirm({
      title: `Remove ${personName(member)}?`, action: 'Remove', run: () => session.removeMember(conversation.id, member.user_id),
      text: 'They will no longer get the messages of this group.',
    });
  }

  return { element, render, focus: () => close.focus() };
}

function mayRemove(own, member) {
  return own !== undefined && own.user_id !== member.user_id && (RANK[own.role] ?? 0) > (RANK[member.role] ?? 0);
}

function sorted(members, me) {
  const order = (member) => [member.user_id === me ? 0 : 1, member.membership === 'invited' ? 1 : 0, -(RANK[member.role] ?? 0)];
  return [...members].sort((a, b) => {
    const [x, y] = [order(a), order(b)];
    return x[0] - y[0] || x[1] - y[1] || x[2] - y[2] || personName(a).localeCompare(personName(b));
  });
}

function drawMember(node, member, { me, removable, onRemove }) {
  const name = personName(member);
  const mine = member.user_id === me;
  const chips = [
    member.membership === 'invited' && ['invited', 'Invited'],
    member.role && member.role !== 'member' && ['role', member.role[0].toUpperCase() + member.role.slice(1)],
    isOnMatrix(member) && ['matrix', 'Matrix'],
  ].filter(Boolean);
  const address = isOnMatrix(member) ? member.matrix_user_id : member.username && `@${member.username}`;
  fill(node,
    personAvatar(member, member.user_id),
    h('div', { class: 'grow' },
      h('div', { class: 'name', dir: 'auto' }, mine ? `${name} (you)` : name),
      address && h('div', { class: 'address', title: address }, address),
      chips.length > 0 && h('div', { class: 'chips' }, ...chips.map(([kind, text]) => h('span', { class: `chip ${kind}` }, text)))),
    removable && iconButton('close', `Remove ${name}`, () => onRemove(member), { class: 'icon-button quiet' }));
}
