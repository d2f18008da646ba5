/** Who has read what: where receipts are shown, and when one's own are sent. */

/**
 * Below which message each of the others has arrived: the newest one that they have read, or wrote. Whoever wrote it
 * is not shown below it; that would say nothing.
 *
 * @template {{sequence: number, senderId: string, key: string, call?: object}} T
 * @param {T[]} entries  ascending
 * @param {import('./conversations.js').Member[]} members
 * @param {string} me
 * @returns {Map<string, import('./conversations.js').Member[]>}  by the entry's key
 */
export function readers(entries, members, me) {
  const messages = entries.filter((entry) => Number.isFinite(entry.sequence) && !entry.call);
  const wrote = new Map(messages.map((entry) => [entry.senderId, entry.sequence]));
  const found = new Map();
  for (const member of members) {
    if (member.user_id === me || member.membership === 'invited') continue;
    const upTo = Math.max(member.last_read_sequence ?? 0, wrote.get(member.user_id) ?? 0);
    const last = messages.findLast((entry) => entry.sequence <= upTo);
    if (!last || last.senderId === member.user_id) continue;
    found.set(last.key, [...(found.get(last.key) ?? []), member]);
  }
  return found;
}

/**
 * What is to be told as read now: nothing, unless somebody looks at the end of a conversation with something unread.
 * @param {import('./store.js').State} state
 * @returns {{id: string, messageId: string, sequence: number}|null}
 */
export function toRead({ selected, conversations, threads, looking }) {
  if (!selected || !looking.visible || !looking.atEnd || !(conversations[selected]?.unread_count > 0)) return null;
  const thread = threads[selected];
  const newest = thread?.state === 'ready' ? thread.messages.at(-1) : undefined;
  return newest ? { id: selected, messageId: newest.id, sequence: newest.sequence } : null;
}

/** Tells the bridge what the user has read, and repeats what got lost on the way. */
export class Reading {
  #store;
  #connection;
  #rest;
  /** conversation id → what was not acknowledged */
  #unsure = new Map();

  constructor({ store, connection, rest }) {
    this.#store = store;
    this.#connection = connection;
    this.#rest = rest;
  }

  /** Something has changed: perhaps a message was seen by it. */
  check() {
    const read = toRead(this.#store.state);
    if (!read) return;
    this.#store.dispatch({ type: 'read', id: read.id, sequence: read.sequence });
    this.#tell(read);
  }

  /** The connection is back. */
  again() {
    for (const read of this.#unsure.values()) this.#tell(read);
  }

  async #tell(read) {
    this.#unsure.set(read.id, read);
    const frame = { type: 'message.read', conversation_id: read.id, message_id: read.messageId };
    const sent = this.#connection.status === 'online' ? this.#connection.request(frame) : this.#rest.markRead(read.id, read.messageId);
    const error = await sent.then(() => null, (failure) => failure);
    // What is refused would be refused again.
    if (!error?.transient && this.#unsure.get(read.id) === read) this.#unsure.delete(read.id);
  }
}
