/** Above the chats: who asks for one, and the three answers to that. */
import { fill, h, hidden, icon, reconcile } from '../dom.js';
import { fullTime, listTime } from '../format.js';
import { requestWords, requester } from '../requests.js';
import { groupAvatar, personAvatar } from './avatar.js';
import { confirm } from './dialogs.js';

/**
 * @param {import('../session.js').Session} session
 * @param {{onSelect: (id: string) => void, onEmptied: () => void}} actions  `onEmptied`: the focus needs another place
 */
export function createRequests(session, { onSelect, onEmptied }) {
  /** Requests whose answer is under way: pressed twice is pressed once. */
  const busy = new Set();
  const count = h('span', { class: 'count' });
  const heading = h('h2', { class: 'requests-title', id: 'requests-title' }, 'Requests ', count);
  const list = h('ul', {});
  const problem = h('p', { class: 'notice problem', role: 'alert', hidden: true });
  const section = h('section', { class: 'requests', 'aria-labelledby': 'requests-title', 'data-testid': 'requests' }, heading, problem, list);
  /** Outside of the section, because what is hidden is not read out. */
  const said = h('p', { class: 'sr-only', role: 'status' });
  const element = h('div', {}, said, section);

  function render(state, { now, shown }) {
    const { requests } = state;
    const focused = section.contains(document.activeElement);
    section.hidden = !shown || (requests.length === 0 && problem.hidden);
    heading.hidden = requests.length === 0;
    count.textContent = String(requests.length);
    const words = requests.length === 0 ? '' : requests.length === 1 ? '1 message request' : `${requests.length} message requests`;
    if (said.textContent !== words) said.textContent = words;
    reconcile(list, requests, {
      key: ({ id }) => id,
      signature: (request) => JSON.stringify([request, requester(request, state), listTime(request.created_at, { now }), busy.has(request.id)]),
      create: () => h('li', { class: 'request', 'data-testid': 'request' }, h('div', { class: 'request-about' }), h('div', { class: 'request-answers' })),
      draw: (node, request) => draw(node, request, state, now),
    });
    if (focused && !section.contains(document.activeElement)) (list.querySelector('button') ?? { focus: onEmptied }).focus();
  }

  function draw(node, request, state, now) {
    const { who, what, preview } = requestWords(request, state);
    const person = requester(request, state);
    const address = person.matrix_user_id && person.matrix_user_id !== who ? person.matrix_user_id : undefined;
    fill(node.firstChild,
      request.type === 'group' && request.avatar_url ? groupAvatar(request) : personAvatar(person, request.requester_id),
      h('div', { class: 'grow' },
        h('div', { class: 'line' },
          h('span', { class: 'name', dir: 'auto', title: address }, who),
          h('time', { class: 'time', datetime: request.created_at, title: fullTime(request.created_at) }, listTime(request.created_at, { now }))),
        h('div', { class: 'what', dir: 'auto' }, what),
        preview && h('div', { class: 'preview', dir: 'auto' }, preview)));
    // The buttons stay the same nodes, so that a name that comes late does not take the focus away.
    const answers = node.lastChild;
    if (answers.childElementCount === 0) {
      answers.append(...['accept', 'decline', 'block'].map((name) => h('button', {
        type: 'button', class: name === 'accept' ? 'primary' : `plain ${name}`, 'data-testid': `request-${name}`, onclick: () => answer(name, request.id),
      })));
    }
    const labels = ['Accept', 'Decline', 'Block'];
    [...answers.children].forEach((button, at) => {
      fill(button, labels[at], hidden(` ${who}`));
      button.setAttribute('aria-disabled', String(busy.has(request.id)));
    });
  }

  async function answer(name, id) {
    const request = session.store.state.requests.find((it) => it.id === id);
    if (!request || busy.has(id)) return;
    problem.hidden = true;
    if (name === 'block') {
      const { who } = requestWords(request, session.store.state);
      await confirm({
        title: `Block ${who}?`, action: 'Block', run: () => session.requests.block(request),
        text: 'What they ask is declined, and they cannot ask again, nor write to you or call you. They are not told.',
      });
      return;
    }
    busy.add(id);
    redraw();
    try {
      if (name === 'accept') onSelect(await session.requests.accept(id));
      else await session.requests.decline(id);
    } catch (error) {
      fill(problem, icon('alert'), h('span', {}, error.detail ?? error.message));
      problem.hidden = false;
    }
    busy.delete(id);
    redraw();
  }

  let last = null;
  function redraw() {
    if (last) render(session.store.state, { ...last, now: new Date() });
  }

  return {
    element,
    render(state, how) {
      last = how;
      render(state, how);
    },
  };
}
