/** Who has read up to here: small pictures below a message. */
import { fill, h, hidden } from '../../dom.js';
import { personName } from '../../format.js';
import { personAvatar } from '../avatar.js';

const SHOWN = 5;

/** @param {Element} node @param {import('../../conversations.js').Member[]} people */
export function drawReaders(node, people) {
  const names = `Read by ${people.map((person) => personName(person)).join(', ')}`;
  node.title = names;
  node.dataset.testid = 'readers';
  fill(node, hidden(names), people.slice(0, SHOWN).map((person) => personAvatar(person, person.user_id, 'tiny')),
    people.length > SHOWN && h('span', { 'aria-hidden': 'true' }, `+${people.length - SHOWN}`));
}
