/** What may be done to a message: a few buttons beside it where there is a mouse, and a menu everywhere. */
import { ownMember } from '../../conversations.js';
import { h, iconButton } from '../../dom.js';
import { allowed, caption } from '../../message.js';
import { confirm } from '../dialogs.js';
import { openMenu } from '../menu.js';
import { openPicker, quickRow } from './reactions.js';

/**
 * @param {() => {entry: object, context: object}} shown  what the message is now
 * @returns {HTMLElement}
 */
export function createTools(shown) {
  // The menu has these two as well, so the tab key need not stop at them.
  const beside = (id) => ({ class: 'tool roomy', tabindex: '-1', 'data-testid': id });
  const react = iconButton('smile', 'React', () => openPicker(react, (emoji) => toggle(shown(), emoji)), { ...beside('message-react'), 'aria-haspopup': 'menu' });
  const reply = iconButton('reply', 'Reply', () => shown().context.onReply(shown().entry), beside('message-reply'));
  const more = iconButton('more', 'Message actions', () => openMessageMenu(more, shown()), { class: 'tool', 'aria-haspopup': 'menu', 'data-testid': 'message-menu' });
  return h('div', { class: 'tools', role: 'group', 'aria-label': 'Message' }, react, reply, more);
}

/** Whether there is anything to do to it. */
export function hasTools(entry, context) {
  return Object.values(may({ entry, context })).some(Boolean);
}

/** @param {Element} anchor */
export function openMessageMenu(anchor, it) {
  const { entry, context } = it;
  const can = may(it);
  const text = entry.recalledAt ? '' : caption(entry);
  openMenu(anchor, [
    can.reply && { label: 'Reply', icon: 'reply', id: 'menu-reply', run: () => context.onReply(entry) },
    can.reply && context.onThread && entry.eventId && {
      label: entry.threadRoot || entry.answers ? 'Show the thread' : 'Answer in a thread', icon: 'chat', id: 'menu-thread', run: () => context.onThread(entry),
    },
    can.edit && { label: entry.file ? 'Edit caption' : 'Edit', icon: 'edit', id: 'menu-edit', run: () => context.onEdit(entry) },
    text && { label: 'Copy text', icon: 'copy', run: () => navigator.clipboard?.writeText(text) },
    entry.file?.url && { label: 'Download', icon: 'download', href: entry.file.url, download: entry.file.name },
    can.pin && pinItem(it),
    can.recall && { label: 'Recall', icon: 'undo', id: 'menu-recall', danger: true, run: () => askRecall(it) },
    can.delete && { label: 'Delete', icon: 'trash', id: 'menu-delete', danger: true, run: () => askDelete(it) },
  ], {
    label: 'Message actions',
    top: can.react && ((close) => quickRow((emoji) => {
      close();
      toggle(it, emoji);
    }, () => {
      close();
      openPicker(anchor, (emoji) => toggle(it, emoji));
    })),
  });
}

function pinItem({ entry, context: { session, conversation, doing } }) {
  const pinned = session.store.state.pins[conversation.id]?.some(({ id }) => id === entry.id) ?? false;
  const run = () => doing(session.pins.set(conversation.id, entry.id, !pinned));
  return pinned ? { label: 'Unpin', icon: 'thumbtack', id: 'menu-unpin', run } : { label: 'Pin', icon: 'thumbtack', id: 'menu-pin', run };
}

/** Reacts, or takes it back; what is refused is said. */
export async function toggle({ entry, context }, emoji) {
  await context.doing(context.session.acts.toggleReaction(context.conversation.id, entry, emoji));
}

function askDelete({ entry, context }) {
  return confirm({
    title: 'Delete this message?', text: 'It disappears for everybody, here and on Matrix.', action: 'Delete',
    run: () => context.session.acts.delete(context.conversation.id, entry.id),
  });
}

function askRecall({ entry, context }) {
  return confirm({
    title: 'Recall this message?', text: 'Its text is taken back everywhere. That there was a message can still be seen.', action: 'Recall',
    run: () => context.session.acts.recall(context.conversation.id, entry.id),
  });
}

function may({ entry, context }) {
  const role = ownMember(context.conversation, context.session.store.state.me.id)?.role;
  // In a direct chat nobody governs the other one's words.
  return allowed(entry, { role: context.conversation.type === 'direct' ? undefined : role, now: Date.now() });
}
