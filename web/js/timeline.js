/** From the entries of a thread to the rows on the screen: days, groups by author, what shows name, picture and time. */
import { historyText } from './calls/text.js';
import { dayKey, dayLabel } from './format.js';

/**
 * The calls of a conversation among its messages. Those from before the oldest message that is loaded wait for it.
 * @template {{createdAt: string}} T
 * @param {T[]} entries
 * @param {import('./calls/state.js').HistoryRow[]} calls
 * @param {{complete: boolean}} how  whether the first entry is the first of all
 */
export function withCalls(entries, calls, { complete }) {
  const from = complete ? -Infinity : Date.parse(entries[0]?.createdAt ?? 0);
  const lines = calls.filter(({ at }) => Date.parse(at) >= from).reverse().map((call) => ({
    key: `call-${call.id}`, id: call.id, call, senderId: call.initiatorId, own: false, createdAt: call.at, content: historyText(call), kind: 'call', style: 'call',
  }));
  const all = [...entries];
  for (const line of lines) {
    const later = all.findIndex((entry) => Date.parse(entry.createdAt) > Date.parse(line.createdAt));
    all.splice(later < 0 ? all.length : later, 0, line);
  }
  return all;
}

/** A pause this long starts a new group. */
const GROUP_MS = 5 * 60_000;

/**
 * @typedef {object} Row
 * @property {string} key
 * @property {string} [day]  a day's label; such a row is a separator and has nothing else
 * @property {boolean} [marker]  the line "New messages", likewise
 * @property {import('./conversations.js').Member[]} [readers]  who has read up to here, likewise
 * @property {import('./message.js').Message & {own: boolean, state?: string}} [entry]
 * @property {boolean} [first]  of its group: shows the author
 * @property {boolean} [last]  of its group: shows time and picture
 *
 * @param {ReturnType<typeof import('./thread.js').entries>} entries
 * @param {import('./format.js').Where} where
 * @param {object} [more]
 * @param {number|null} [more.newAfter]  the first message of others behind this number is new
 * @param {Map<string, import('./conversations.js').Member[]>} [more.readers]  by the key of an entry
 * @returns {Row[]}
 */
export function rows(entries, where, { newAfter = null, readers = new Map() } = {}) {
  const result = [];
  const firstNew = newAfter === null ? undefined : entries.find(({ own, sequence, call }) => !own && !call && sequence > newAfter)?.key;
  let day = null;
  entries.forEach((entry, index) => {
    const today = dayKey(entry.createdAt, where);
    if (today !== day) result.push({ key: `day-${today}`, day: dayLabel(entry.createdAt, where) });
    day = today;
    if (entry.key === firstNew) result.push({ key: 'new', marker: true });
    result.push({
      key: entry.key,
      entry,
      first: entry.key === firstNew || !together(entries[index - 1], entry, where),
      last: (firstNew !== undefined && entries[index + 1]?.key === firstNew) || !together(entry, entries[index + 1], where),
    });
    if (readers.has(entry.key)) result.push({ key: `read-${entry.key}`, readers: readers.get(entry.key) });
  });
  return result;
}

function together(a, b, where) {
  if (!a || !b || a.senderId !== b.senderId || a.style || b.style || a.recalledAt || b.recalledAt) return false;
  // What went wrong has a line of its own below it.
  if (['failed', 'refused', 'retrying'].includes(a.state)) return false;
  return Date.parse(b.createdAt) - Date.parse(a.createdAt) < GROUP_MS && dayKey(a.createdAt, where) === dayKey(b.createdAt, where);
}

/**
 * How the state of an own message is told.
 * @returns {{icon: string, label: string, problem?: boolean}|null}
 */
export function deliveryLabel(state) {
  return {
    sending: { icon: 'clock', label: 'Sending' },
    waiting: { icon: 'clock', label: 'Waiting to be sent' },
    pending: { icon: 'check', label: 'Sent to the bridge' },
    sent: { icon: 'checks', label: 'Delivered to Matrix' },
    retrying: { icon: 'retry', label: 'Not delivered yet, trying again' },
    failed: { icon: 'alert', label: 'Not delivered to Matrix', problem: true },
    refused: { icon: 'alert', label: 'Not sent', problem: true },
  }[state] ?? null;
}
