/** The user's own settings of who may reach them: who must ask first, and who is blocked. */
import { fill, h, icon } from '../dom.js';
import { personName } from '../format.js';
import { PERMISSIONS } from '../privacy.js';
import { openForm } from './dialogs.js';

const WORDS = {
  anyone: ['Anyone', 'Chats and groups simply appear in your list'],
  mutuals: ['People you have a chat with', 'All others ask first'],
  nobody: ['Nobody', 'Everybody asks first; the chats that you have go on'],
};

/** @param {import('../session.js').Session} session */
export function openPrivacy(session) {
  let chosen = null;
  const problem = h('p', { class: 'notice problem', role: 'alert', hidden: true });
  const choices = new Map(PERMISSIONS.map((value) => [value, h('input', {
    type: 'radio', name: 'dm-permission', value, 'data-testid': `dm-${value}`, onchange: () => { chosen = value; },
  })]));
  const blocks = h('div', { class: 'blocks', hidden: true });
  const body = [
    h('fieldset', { class: 'choices' }, h('legend', {}, 'Who may write to you without asking?'),
      ...[...choices].map(([value, input]) => h('label', { class: 'choice' }, input, h('span', {}, WORDS[value][0], h('span', { class: 'hint' }, WORDS[value][1]))))),
    blocks, problem,
  ];

  function fail(error) {
    fill(problem, icon('alert'), h('span', {}, error.detail ?? error.message));
    problem.hidden = false;
  }

  async function load() {
    const permission = await session.privacy.permission();
    // Who is quicker than the bridge has chosen already.
    if (!chosen) choices.get(permission).checked = true;
  }

  async function drawBlocks() {
    const rows = await session.privacy.blocks();
    blocks.hidden = rows.length === 0;
    fill(blocks, h('h3', {}, 'Blocked'), h('ul', {}, ...rows.map((row) => {
      const name = personName(session.store.state.people[row.user_id] ?? row, row.user_id);
      const address = row.matrix_user_id && row.matrix_user_id !== name && row.matrix_user_id;
      return h('li', { class: 'blocked', 'data-testid': 'blocked' },
        h('div', { class: 'grow' }, h('div', { class: 'name', dir: 'auto' }, name), address && h('div', { class: 'address', title: address }, address)),
        h('button', { type: 'button', class: 'plain', 'aria-label': `Unblock ${name}`, onclick: () => unblock(row.user_id) }, 'Unblock'));
    })));
  }

  async function unblock(user) {
    problem.hidden = true;
    try {
      await session.privacy.unblock(user);
      await drawBlocks();
      // The button that was pressed is gone.
      (blocks.querySelector('button') ?? choices.get(PERMISSIONS[0])).focus();
    } catch (error) {
      fail(error);
    }
  }

  const closed = openForm({
    title: 'Privacy', action: 'Save', body,
    run: async () => { if (chosen) await session.privacy.setPermission(chosen); },
  });
  load().catch(fail);
  drawBlocks().catch(fail);
  return closed;
}
