/** Turning data into what people read. Pure functions; time zone, language and "now" are parameters. */

/** @typedef {{now: Date, locale?: string, timeZone?: string}} Where */

const DAY_MS = 86_400_000;
// Stops at white space and at characters that delimit a link in running text.
const LINK = /\bhttps?:\/\/[^\s<>"“”«»]+/giu;
const EMOJI_ONLY = /^(?:\p{Extended_Pictographic}|\p{Regional_Indicator}{2}|[\u200d\ufe0f\u{1f3fb}-\u{1f3ff}]|\s)+$/u;

/** The calendar day as a sortable key, in the reader's time zone. */
export function dayKey(time, { timeZone } = {}) {
  return new Intl.DateTimeFormat('en-CA', { timeZone, year: 'numeric', month: '2-digit', day: '2-digit' }).format(new Date(time));
}

export function clockTime(time, { locale, timeZone } = {}) {
  return new Intl.DateTimeFormat(locale, { timeZone, hour: '2-digit', minute: '2-digit' }).format(new Date(time));
}

/** "Today", "Yesterday", "Monday", or the date: what stands between two days of messages. */
export function dayLabel(time, where) {
  const { now, locale, timeZone } = where;
  const date = new Date(time);
  const key = dayKey(date, where);
  if (key === dayKey(now, where)) return 'Today';
  if (key === dayKey(new Date(now.getTime() - DAY_MS), where)) return 'Yesterday';
  const age = now - date;
  if (age > 0 && age < 6 * DAY_MS) return new Intl.DateTimeFormat(locale, { timeZone, weekday: 'long' }).format(date);
  const sameYear = key.slice(0, 4) === dayKey(now, where).slice(0, 4);
  return new Intl.DateTimeFormat(locale, { timeZone, day: 'numeric', month: 'long', ...(!sameYear && { year: 'numeric' }) }).format(date);
}

/** The short form for the conversation list: a time today, otherwise a day. */
export function listTime(time, where) {
  if (!time) return '';
  const date = new Date(time);
  if (dayKey(date, where) === dayKey(where.now, where)) return clockTime(date, where);
  const age = where.now - date;
  const { locale, timeZone } = where;
  if (age > 0 && age < 6 * DAY_MS) return new Intl.DateTimeFormat(locale, { timeZone, weekday: 'short' }).format(date);
  return new Intl.DateTimeFormat(locale, { timeZone, day: 'numeric', month: 'short' }).format(date);
}

/** Date and time in full, for tooltips and screen readers. */
export function fullTime(time, { locale, timeZone } = {}) {
  return new Intl.DateTimeFormat(locale, { timeZone, dateStyle: 'long', timeStyle: 'short' }).format(new Date(time));
}

/** "48 kB", "3.2 MB": decimal, as most systems show it. */
export function fileSize(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  const unit = Math.min(3, Math.floor(Math.log10(bytes) / 3));
  const amount = bytes / 1000 ** unit;
  return `${amount < 10 ? amount.toFixed(1).replace('.0', '') : Math.round(amount)} ${['B', 'kB', 'MB', 'GB'][unit]}`;
}

/** "0:07", "1:02:45". */
export function duration(ms) {
  const seconds = Math.max(0, Math.round((ms ?? 0) / 1000));
  const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const two = (number) => String(number).padStart(2, '0');
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** One or two letters for a person without a picture; whole graphemes, so that no emoji or accent is torn apart. */
export function initials(name) {
  const local = String(name ?? '').replace(/^@([^:]*):.*$/u, '$1');
  const words = local.split(/[\s._-]+/u).filter((word) => /[\p{L}\p{N}\p{Extended_Pictographic}]/u.test(word));
  const picked = words.length > 1 ? [words[0], words.at(-1)] : words.slice(0, 1);
  return picked.map(firstGrapheme).join('').toLocaleUpperCase() || '?';
}

function firstGrapheme(word) {
  for (const { segment } of new Intl.Segmenter().segment(word)) return segment;
  return '';
}

/** A stable colour number 0…count-1 for an id, so that a person looks the same everywhere. */
export function tint(id, count = 8) {
  let hash = 0x811c9dc5;
  for (const char of String(id)) hash = Math.imul(hash ^ char.codePointAt(0), 0x01000193);
  // The low bits of this hash (FNV-1a) mix badly, the high ones do not.
  return (hash >>> 16) % count;
}

/** What to call a person: display name, user name, Matrix id, or the start of the id. */
export function personName(person, id = person?.user_id) {
  return person?.display_name || person?.username || person?.matrix_user_id || shortId(id);
}

export function shortId(id) {
  return id ? `User ${String(id).slice(0, 8)}` : 'Unknown user';
}

/** The name of a conversation: its own, or the others' names. */
export function conversationName(conversation, me) {
  const members = (conversation.members ?? []).filter((member) => member.user_id !== me);
  if (conversation.type !== 'direct' && conversation.name) return conversation.name;
  if (members.length === 0) return conversation.name || (conversation.type === 'direct' ? 'Empty chat' : 'Group without a name');
  if (members.length <= 3) return members.map((member) => personName(member)).join(', ');
  return `${members.slice(0, 2).map((member) => personName(member)).join(', ')} and ${members.length - 2} more`;
}

/**
 * Splits a text into plain parts and links. The caller makes DOM nodes of them, so no part is ever read as HTML.
 * @returns {{text: string, href?: string}[]}
 */
export function linkParts(text) {
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(LINK)) {
    const link = trimLink(match[0]);
    const href = safeUrl(link);
    if (!href) continue;
    if (match.index > end) parts.push({ text: text.slice(end, match.index) });
    parts.push({ text: link, href });
    end = match.index + link.length;
  }
  if (end < text.length) parts.push({ text: text.slice(end) });
  return parts;
}

/** "(see https://example.org/a_(b))." ends before ")." but keeps the bracket that belongs to the address. */
function trimLink(link) {
  let trimmed = link;
  for (;;) {
    const last = trimmed.at(-1);
    const unopened = last === ')' && trimmed.split(')').length > trimmed.split('(').length;
    if (!unopened && !/[.,;:!?'*_\]}…]/u.test(last)) return trimmed;
    trimmed = trimmed.slice(0, -1);
  }
}

function safeUrl(link) {
  try {
    const url = new URL(link);
    return url.protocol === 'http:' || url.protocol === 'https:' ? url.href : null;
  } catch {
    return null;
  }
}

/** True for one to three emoji and nothing else: those are shown large. */
export function isFewEmoji(text) {
  const trimmed = text.trim();
  if (trimmed === '' || trimmed.length > 40 || !EMOJI_ONLY.test(trimmed)) return false;
  return [...new Intl.Segmenter().segment(trimmed.replace(/\s/gu, ''))].length <= 3;
}
