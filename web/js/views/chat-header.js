/** The top of a conversation: with whom it is, and what can be done at once: call, search, look at the details. */
import { h, icon, iconButton } from '../dom.js';
import { conversationName } from '../format.js';
import { conversationAvatar } from './avatar.js';
import { shownOf } from './list-item.js';
import { isOnMatrix } from './members.js';

/**
 * @param {import('../session.js').Session} session
 * @param {{onBack: () => void, onMembers: () => void, onSearch: () => void}} actions
 */
export function createChatHeader(session, { onBack, onMembers, onSearch }) {
  let shown = null;
  const heading = h('h2', { class: 'pane-title', tabindex: '-1', dir: 'auto' });
  const subtitle = h('p', { class: 'subtitle' });
  const picture = h('span', { class: 'picture' });
  const voice = iconButton('phone', 'Voice call', () => session.calls.call(shown, { video: false }), { 'data-testid': 'call-voice' });
  const video = iconButton('video', 'Video call', () => session.calls.call(shown, { video: true }), { 'data-testid': 'call-video' });
  const join = h('button', {
    type: 'button', class: 'primary join', 'data-testid': 'call-join', 'aria-label': 'Join call', onclick: () => session.calls.call(shown),
  }, icon('phone'), h('span', {}, 'Join call'));
  const callButtons = h('div', { class: 'call-buttons', role: 'group', 'aria-label': 'Calls' }, join, voice, video);
  const searchButton = iconButton('search', 'Search in this chat', onSearch, { 'data-testid': 'chat-search-open' });
  const membersButton = iconButton('people', 'Members and settings', onMembers, { 'aria-controls': 'members', 'data-testid': 'members-open' });
  const element = h('header', { class: 'pane-header' },
    iconButton('back', 'Back to chats', onBack, { class: 'icon-button back' }),
    picture,
    h('div', { class: 'grow' }, heading, subtitle),
    callButtons, searchButton, membersButton);

  function render(state, conversation, calls, { membersOpen }) {
    const me = state.me.id;
    shown = conversation.id;
    const { presence } = shownOf(conversation, state);
    const drawn = JSON.stringify([conversation.id, conversation.name, conversation.avatar_url, conversation.members.map(({ last_read_sequence: _, ...member }) => member), presence]);
    if (element.dataset.drawn !== drawn) {
      element.dataset.drawn = drawn;
      picture.replaceChildren(conversationAvatar(conversation, me, { presence }));
      heading.textContent = conversationName(conversation, me);
      subtitle.textContent = describe(conversation, me);
    }
    drawCallButtons(conversation, me, calls);
    membersButton.setAttribute('aria-expanded', String(membersOpen));
  }

  function drawCallButtons(current, me, { active, ongoing }) {
    const can = mayCall(current, me);
    const running = can && current.type !== 'direct' && ongoing[current.id] && active?.conversationId !== current.id;
    callButtons.hidden = !can;
    join.hidden = !running;
    for (const button of [voice, video]) {
      button.hidden = Boolean(running);
      button.disabled = Boolean(active);
    }
    join.disabled = Boolean(active);
    for (const [button, what] of [[voice, 'Voice'], [video, 'Video']]) {
      const label = `${what} call with ${conversationName(current, me)}`;
      button.setAttribute('aria-label', label);
      button.title = `${what} call`;
    }
  }

  return { element, heading, render, focusMembers: () => membersButton.focus(), focusSearch: () => searchButton.focus() };
}

/** A direct chat whose other side is there; or a group with somebody on Nova, since Matrix has no group calls that we share. */
function mayCall(conversation, me) {
  const others = conversation.members.filter((member) => member.user_id !== me && member.membership !== 'invited');
  return conversation.type === 'direct' ? others.length === 1 : others.some((member) => !isOnMatrix(member));
}

function describe(conversation, me) {
  const joined = conversation.members.filter((member) => member.membership !== 'invited').length;
  if (conversation.type !== 'direct') return joined === 1 ? '1 member' : `${joined} members`;
  const other = conversation.members.find((member) => member.user_id !== me);
  if (other?.membership === 'invited') return 'Has not joined yet';
  if (other && isOnMatrix(other)) return other.matrix_user_id;
  return other?.username ? `@${other.username} on Nova` : '';
}
