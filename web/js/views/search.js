/** A field and what is found: in one conversation, or in all. */
import { fill, h, icon } from '../dom.js';
import { conversationName, fullTime, listTime, personName } from '../format.js';
import { inShort } from './message/quote.js';
import { readMessage } from '../message.js';

/** So long after the last key the bridge is asked. */
const PAUSE_MS = 250;
const PAGE = 30;
/** So much is shown before the first word that was found. */
const LEAD = 40;

/**
 * A text around the words that were looked for, as parts: `{text, hit}`. Compared without case and accents, as the
 * bridge does.
 * @returns {{text: string, hit: boolean}[]}
 */
export function highlight(text, words) {
  const wanted = words.split(/\s+/u).map(plain).filter(Boolean);
  // Letter by letter, so that places in the plain text are places in the text itself.
  const letters = [...text];
  const plainLetters = letters.map(plain);
  const marks = letters.map(() => false);
  for (const word of wanted) {
    for (let start = 0; start < letters.length; start += 1) {
      if (start > 0 && /[\p{L}\p{N}]/u.test(letters[start - 1])) continue;
      let [end, seen] = [start, ''];
      while (end < letters.length && seen.length < word.length) seen += plainLetters[end++];
      if (seen.startsWith(word)) marks.fill(true, start, end);
    }
  }
  const first = Math.max(0, marks.indexOf(true));
  const from = first > LEAD ? first - LEAD / 2 : 0;
  const parts = from > 0 ? [{ text: '…', hit: false }] : [];
  for (let place = from; place < letters.length; place += 1) {
    const open = parts.at(-1);
    if (open && open.hit === marks[place] && open.text !== '…') open.text += letters[place];
    else parts.push({ text: letters[place], hit: marks[place] });
  }
  return parts;
}

function plain(text) {
  return text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();
}

/**
 * @param {import('../session.js').Session} session
 * @param {object} how
 * @param {string} how.label
 * @param {string} how.id  for tests
 * @param {() => string|undefined} [how.conversationId]  where to look; everywhere without it
 * @param {(conversationId: string, messageId: string) => void} how.onOpen
 * @param {(words: string) => void} [how.onWords]
 */
export function createSearch(session, { label, id, conversationId = () => undefined, onOpen, onWords = () => {} }) {
  const input = h('input', { type: 'search', placeholder: label, 'aria-label': label, autocomplete: 'off', enterkeyhint: 'search', dir: 'auto', 'data-testid': id, oninput: onInput });
  const field = h('div', { class: 'search-field', role: 'search' }, icon('search'), input);
  const list = h('ul', { class: 'results', 'data-testid': `${id}-results` });
  const word = h('p', { class: 'results-word', role: 'status' });
  const more = h('button', { type: 'button', class: 'link', hidden: true, onclick: () => ask(found.length) }, 'Show more');
  const results = h('div', { class: 'results-pane', hidden: true }, word, list, more);
  let found = [];
  let timer = null;
  /** Answers to what was asked before are no news. */
  let asked = 0;

  input.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || input.value === '') return;
    event.stopPropagation();
    clear();
  });

  function onInput() {
    clearTimeout(timer);
    const words = input.value.trim();
    onWords(words);
    results.hidden = words === '';
    if (words === '') return clear();
    word.textContent = 'Looking…';
    timer = setTimeout(() => ask(0), PAUSE_MS);
  }

  async function ask(offset) {
    const words = input.value.trim();
    asked += 1;
    const mine = asked;
    try {
      const rows = await session.search(words, { conversationId: conversationId(), limit: PAGE, offset });
      if (mine !== asked) return;
      found = offset === 0 ? rows : [...found, ...rows];
      more.hidden = rows.length < PAGE;
      word.textContent = found.length === 0 ? 'No messages found' : found.length === 1 ? '1 message' : `${found.length} messages${more.hidden ? '' : ' so far'}`;
      fill(list, found.map((row) => draw(row, words)));
    } catch (error) {
      if (mine === asked) word.textContent = error.detail ?? error.message;
    }
  }

  function draw(row, words) {
    const { conversations, people, me } = session.store.state;
    const conversation = conversations[row.conversation_id];
    const author = row.sender_id === me.id ? 'You' : personName(people[row.sender_id], row.sender_id);
    // Between two people who is who says where.
    const plainly = conversationId() || !conversation || (conversation.type === 'direct' && row.sender_id !== me.id);
    const where = plainly ? author : `${author} · ${conversationName(conversation, me.id)}`;
    return h('li', {}, h('button', { type: 'button', class: 'result', 'data-testid': 'result', onclick: () => onOpen(row.conversation_id, row.id) },
      h('span', { class: 'line' }, h('span', { class: 'result-where', dir: 'auto' }, where),
        h('time', { class: 'time', datetime: row.created_at, title: fullTime(row.created_at) }, listTime(row.created_at, { now: new Date() }))),
      h('span', { class: 'result-text', dir: 'auto' }, highlight(inShort(readMessage(row)), words).map(({ text, hit }) => (hit ? h('mark', {}, text) : text)))));
  }

  function clear() {
    clearTimeout(timer);
    asked += 1;
    found = [];
    input.value = '';
    results.hidden = true;
    list.replaceChildren();
    onWords('');
  }

  return { field, input, results, clear };
}
