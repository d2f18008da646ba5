/** The middle pane: header, messages, composer; or what stands there while there is nothing to show. */
import { h, hidden, icon, iconButton, logo } from '../dom.js';
import { conversationName } from '../format.js';
import { EMPTY_THREAD } from '../thread.js';
import { conversationAvatar } from './avatar.js';
import { createComposer } from './composer.js';
import { createMessages } from './messages.js';
import { isOnMatrix } from './members.js';

/**
 * @param {import('../session.js').Session} session
 * @param {{onBack: () => void, onMembers: () => void}} actions
 */
export function createChat(session, { onBack, onMembers }) {
  const heading = h('h2', { class: 'pane-title', tabindex: '-1', dir: 'auto' });
  const subtitle = h('p', { class: 'subtitle' });
  const picture = h('span', { class: 'picture' });
  const voice = iconButton('phone', 'Voice call', () => session.calls.call(shown, { video: false }), { 'data-testid': 'call-voice' });
  const video = iconButton('video', 'Video call', () => session.calls.call(shown, { video: true }), { 'data-testid': 'call-video' });
  const join = h('button', { type: 'button', class: 'primary join', 'data-testid': 'call-join', 'aria-label': 'Join call', onclick: () => session.calls.call(shown) }, icon('phone'), h('span', {}, 'Join call'));
  const callButtons = h('div', { class: 'call-buttons', role: 'group', 'aria-label': 'Calls' }, join, voice, video);
  let shown = null;
  const membersButton = iconButton('people', 'Members', onMembers, { 'aria-controls': 'members' });
  const messages = createMessages(session);
  const composer = createComposer(session);
  const place = h('div', { class: 'chat-place' });
  const conversation = h('div', { class: 'chat-conversation' },
    h('header', { class: 'pane-header' },
      iconButton('back', 'Back to chats', onBack, { class: 'icon-button back' }),
      picture,
      h('div', { class: 'grow' }, heading, subtitle),
      callButtons, membersButton),
    messages.element, place, composer.element);
  const welcome = h('div', { class: 'welcome' }, logo(), h('p', {}, 'Choose a chat, or start a new one.'));
  const element = h('main', { class: 'pane chat-pane' }, conversation, welcome);

  function render(state, calls, { membersOpen }) {
    const current = state.conversations[state.selected];
    conversation.hidden = !current;
    welcome.hidden = Boolean(current);
    if (!current) return;
    const thread = state.threads[current.id] ?? EMPTY_THREAD;
    shown = current.id;
    drawHeader(current, state.me.id);
    drawCallButtons(current, state.me.id, calls);
    membersButton.setAttribute('aria-expanded', String(membersOpen));
    messages.render(state, current, thread, calls);
    composer.render(state, current);
    drawPlace(place, thread, calls.history.rows.some(({ conversationId }) => conversationId === current.id), () => session.loadNewest(current.id));
  }

  function drawHeader(current, me) {
    const drawn = JSON.stringify([current.id, current.name, current.avatar_url, current.members]);
    if (element.dataset.drawn === drawn) return;
    element.dataset.drawn = drawn;
    picture.replaceChildren(conversationAvatar(current, me));
    heading.textContent = conversationName(current, me);
    subtitle.textContent = describe(current, me);
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

  return {
    element,
    render,
    /** On a touch screen the keyboard would cover half of what was just opened, so the heading takes the focus. */
    focus: () => (window.matchMedia('(pointer: coarse)').matches ? heading : composer.input).focus(),
    focusMembersButton: () => membersButton.focus(),
  };
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
  return other?.matrix_user_id ?? (other?.username ? `@${other.username} on Nova` : '');
}

/** Loading, failed and empty, in the place of messages. */
function drawPlace(place, thread, called, retry) {
  const empty = thread.messages.length === 0 && thread.pending.length === 0 && !(called && thread.state === 'ready');
  const drawn = !empty ? 'none' : thread.state + (thread.error ?? '');
  if (place.dataset.drawn === drawn) return;
  place.dataset.drawn = drawn;
  place.hidden = drawn === 'none';
  if (thread.state === 'failed') {
    place.replaceChildren(h('div', { class: 'empty', role: 'alert' }, icon('alert'), h('p', {}, 'The messages could not be loaded.'),
      h('p', { class: 'muted' }, thread.error), h('button', { type: 'button', onclick: retry }, 'Try again')));
  } else if (thread.state === 'ready') {
    place.replaceChildren(h('div', { class: 'empty' }, icon('chat'), h('p', {}, 'No messages yet'), h('p', { class: 'muted' }, 'Say hello.')));
  } else {
    place.replaceChildren(hidden('Loading messages'), h('div', { class: 'spinner', 'aria-hidden': 'true' }));
  }
}
