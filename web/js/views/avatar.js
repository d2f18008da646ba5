/** Pictures of people and groups: initials on a colour, covered by the picture once (and only if) it has loaded. */
import { h, hidden } from '../dom.js';
import { conversationName, initials, personName, tint } from '../format.js';

function avatar({ id, name, url, group, size }) {
  const element = h('span', {
    class: `avatar ${group ? 'group' : ''} ${size ?? ''}`.trim(), 'data-tint': String(tint(id)), 'aria-hidden': 'true',
  }, initials(name));
  if (url) {
    const image = h('img', { alt: '', decoding: 'async', referrerpolicy: 'no-referrer' });
    image.addEventListener('load', () => element.append(image), { once: true });
    image.src = url;
  }
  return element;
}

/** @param {import('../store.js').Member|undefined} person */
export function personAvatar(person, id, size) {
  return avatar({ id, name: personName(person, id), url: person?.avatar_url, size });
}

/** @param {{id: string, name?: string|null, avatar_url?: string|null}} group */
export function groupAvatar({ id, name, avatar_url: url }, size) {
  return avatar({ id, name: name ?? 'Group', url, group: true, size });
}

const PRESENCE = { online: 'Online', unavailable: 'Away', offline: 'Offline' };

/** A picture with a dot that says whether they are there, where anybody knows. */
export function withPresence(picture, presence) {
  if (!PRESENCE[presence]) return picture;
  return h('span', { class: 'with-presence' }, picture, h('span', { class: `presence ${presence}`, title: PRESENCE[presence], 'data-testid': 'presence' }, hidden(PRESENCE[presence])));
}

/** A direct conversation looks like the other person. */
export function conversationAvatar(conversation, me, { size, presence } = {}) {
  const other = conversation.members.find((member) => member.user_id !== me);
  if (conversation.type === 'direct' && other) return withPresence(personAvatar(other, other.user_id, size), presence);
  return avatar({ id: conversation.id, name: conversationName(conversation, me), url: conversation.avatar_url, group: true, size });
}
