/** The right pane: how the conversation is kept, who is in it, and what may be done about it. */
import { fill, h, icon, iconButton, reconcile } from '../dom.js';
import { conversationName, personName } from '../format.js';
import { personAvatar, withPresence } from './avatar.js';
import { confirm, openInvite } from './dialogs.js';
import { createKnocks } from './knocks.js';
import { openMenu } from './menu.js';
import { createSettings } from './settings.js';

const RANK = { owner: 3, admin: 2, moderator: 1, member: 0 };
const ROLES = ['owner', 'admin', 'moderator', 'member'];
const ROLE_TEXT = {
  owner: 'Owners may do everything, also delete the group. It cannot be taken back from them.',
  admin: 'Admins change the group, its members and their roles, and delete messages.',
  moderator: 'Moderators may remove members.',
  member: 'Members write and read.',
};
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
  const settings = createSettings(session);
  const knocks = createKnocks(session);
  const close = iconButton('close', 'Close members and settings', onClose);
  const invite = h('button', { type: 'button', class: 'row-button', onclick: () => openInvite(session, current) }, icon('invite'), 'Invite someone');
  const leave = h('button', { type: 'button', class: 'row-button danger', onclick: onLeave }, icon('leave'), h('span', {}));
  const count = h('span', { class: 'count' });
  const element = h('aside', { class: 'pane members-pane', id: 'members', 'aria-label': 'Members' },
    h('header', { class: 'pane-header' }, h('h2', { class: 'pane-title' }, 'Members ', count), close),
    h('div', { class: 'scroll' }, settings.element, knocks.element, invite, list, leave));

  async function onLeave() {
    const conversation = current;
    const name = conversationName(conversation, session.store.state.me.id);
    await confirm({
      title: `Leave “${name}”?`, action: 'Leave', run: () => session.groups.leave(conversation.id),
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
    settings.render(current, own);
    knocks.render(state, current);
    invite.hidden = !group;
    leave.lastChild.textContent = group ? 'Leave group' : 'Leave chat';
    reconcile(list, sorted(current.members, me.id), {
      key: ({ user_id }) => user_id,
      signature: ({ last_read_sequence: _, ...member }) => JSON.stringify([member, own?.role, current.id, state.people[member.user_id]?.presence]),
      create: () => h('li', { class: 'member' }),
      draw: (node, member) => drawMember(node, member, {
        me: me.id, presence: state.people[member.user_id]?.presence, below: group && isBelow(own, member), onMenu: (anchor) => openMemberMenu(anchor, member, own),
      }),
    });
  }

  /** Roles below one's own may be given to those below it; owners also make owners. */
  function openMemberMenu(anchor, member, own) {
    const roles = ROLES.filter((role) => role !== (member.role ?? 'member') && (RANK[role] < RANK[own.role] || own.role === 'owner'));
    const { id } = current;
    openMenu(anchor, [
      ...roles.map((role) => ({ label: `Make ${role}`, icon: 'people', id: `role-${role}`, run: () => askRole(id, member, role) })),
      { label: 'Remove from group', icon: 'remove', danger: true, id: 'member-remove', run: () => onRemove(member) },
    ], { label: `Actions for ${personName(member)}` });
  }

  function askRole(id, member, role) {
    return confirm({
      title: `Make ${personName(member)} ${role}?`, action: 'Change', run: () => session.groups.setRole(id, member.user_id, role),
      text: ROLE_TEXT[role],
    });
  }

  function onRemove(member) {
    const conversation = current;
    return confirm({
      title: `Remove ${personName(member)}?`, action: 'Remove', run: () => session.groups.remove(conversation.id, member.user_id),
      text: 'They will no longer get the messages of this group.',
    });
  }

  return { element, render, focus: () => close.focus() };
}

function isBelow(own, member) {
  return own !== undefined && own.user_id !== member.user_id && (RANK[own.role] ?? 0) > (RANK[member.role] ?? 0);
}

function sorted(members, me) {
  const order = (member) => [member.user_id === me ? 0 : 1, member.membership === 'invited' ? 1 : 0, -(RANK[member.role] ?? 0)];
  return [...members].sort((a, b) => {
    const [x, y] = [order(a), order(b)];
    return x[0] - y[0] || x[1] - y[1] || x[2] - y[2] || personName(a).localeCompare(personName(b));
  });
}

function drawMember(node, member, { me, presence, below, onMenu }) {
  const name = personName(member);
  const mine = member.user_id === me;
  const chips = [
    member.membership === 'invited' && ['invited', 'Invited'],
    member.role && member.role !== 'member' && ['role', member.role[0].toUpperCase() + member.role.slice(1)],
    isOnMatrix(member) && ['matrix', 'Matrix'],
  ].filter(Boolean);
  const address = isOnMatrix(member) ? member.matrix_user_id : member.username && `@${member.username}`;
  fill(node,
    withPresence(personAvatar(member, member.user_id), mine ? undefined : presence),
    h('div', { class: 'grow' },
      h('div', { class: 'name', dir: 'auto' }, mine ? `${name} (you)` : name),
      address && h('div', { class: 'address', title: address }, address),
      chips.length > 0 && h('div', { class: 'chips' }, ...chips.map(([kind, text]) => h('span', { class: `chip ${kind}` }, text)))),
    below && menuButton(name, onMenu));
}

function menuButton(name, onMenu) {
  const button = iconButton('more', `Actions for ${name}`, () => onMenu(button), { class: 'icon-button quiet', 'aria-haspopup': 'menu', 'data-testid': 'member-menu' });
  return button;
}
