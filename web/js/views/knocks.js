/** Above the members of a group: who asks to be let in, for those who may do that. */
import { fill, h, hidden, icon, reconcile } from '../dom.js';
import { personName } from '../format.js';
import { letsIn } from '../knocks.js';
import { personAvatar } from './avatar.js';

/** @param {import('../session.js').Session} session */
export function createKnocks(session) {
  /** Whose answer is under way: pressed twice is pressed once. */
  const busy = new Set();
  let current = null;
  const list = h('ul', {});
  const problem = h('p', { class: 'notice problem', role: 'alert', hidden: true });
  const element = h('section', { class: 'requests knocks', 'aria-labelledby': 'knocks-title', 'data-testid': 'knocks' },
    h('h3', { class: 'requests-title', id: 'knocks-title' }, 'Asking to join'), problem, list);

  function render(state, conversation) {
    if (conversation.id !== current?.id) problem.hidden = true;
    current = conversation;
    const knocks = letsIn(conversation, state.me.id) ? state.knocks[conversation.id] ?? [] : [];
    element.hidden = knocks.length === 0 && problem.hidden;
    reconcile(list, knocks, {
      key: ({ user_id }) => user_id,
      signature: (knock) => JSON.stringify([conversation.id, knock, busy.has(keyOf(conversation.id, knock.user_id))]),
      create: () => h('li', { class: 'request', 'data-testid': 'knock' }, h('div', { class: 'request-about' }), h('div', { class: 'request-answers' })),
      draw,
    });
  }

  function draw(node, knock) {
    const who = personName(knock);
    const address = knock.matrix_user_id ?? knock.username;
    fill(node.firstChild,
      personAvatar(knock, knock.user_id),
      h('div', { class: 'grow' },
        h('div', { class: 'name', dir: 'auto' }, who),
        address && address !== who && h('div', { class: 'address', title: address }, address),
        knock.reason && h('div', { class: 'preview', dir: 'auto' }, knock.reason)));
    // The buttons stay the same nodes, so that what comes late does not take the focus away.
    const answers = node.lastChild;
    if (answers.childElementCount === 0) {
      answers.append(...['accept', 'decline'].map((name) => h('button', {
        type: 'button', class: name === 'accept' ? 'primary' : 'plain decline', 'data-testid': `knock-${name}`, onclick: () => answer(name, knock.user_id),
      })));
    }
    [...answers.children].forEach((button, at) => {
      fill(button, ['Let in', 'Decline'][at], hidden(` ${who}`));
      button.setAttribute('aria-disabled', String(busy.has(keyOf(current.id, knock.user_id))));
    });
  }

  async function answer(name, user) {
    const { id } = current;
    const key = keyOf(id, user);
    if (busy.has(key)) return;
    problem.hidden = true;
    busy.add(key);
    redraw();
    try {
      await session.knocks[name](id, user);
    } catch (error) {
      if (current.id === id) {
        fill(problem, icon('alert'), h('span', {}, error.detail ?? error.message));
        problem.hidden = false;
      }
    }
    busy.delete(key);
    redraw();
  }

  function redraw() {
    const { state } = session.store;
    const conversation = state.conversations[current.id];
    if (conversation) render(state, conversation);
  }

  return { element, render };
}

const keyOf = (conversation, user) => `${conversation} ${user}`;
