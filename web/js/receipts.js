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
 * Without a message where every one is gone: then it is everything.
 * @param {import('./store.js').State} state
 * @returns {{id: string, messageId?: string, sequence: number}|null}
 */
export function toRead(state) {
  const { selected, conversations, threads } = state;
  const thread = threads[selected];
  if (!isLookedAt(state, selected) || thread?.state !== 'ready' || !(conversations[selected]?.unread_count > 0)) return null;
  const newest = thread.messages.at(-1);
  return { id: selected, messageId: newest?.id, sequence: newest?.sequence ?? 0 };
}

function isLookedAt({ selected, looking }, id) {
  return Boolean(id) && selected === id && looking.visible && looking.atEnd;
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
    const outcome = await this.#send(read.id, read.messageId ? { message_id: read.messageId } : {}).then((answer) => ({ answer }), (error) => ({ error }));
    // What is refused would be refused again.
    if (!outcome.error?.transient && this.#unsure.get(read.id) === read) this.#unsure.delete(read.id);
    if (outcome.answer?.unread_count > 0) this.#tellRest(read, outcome.answer);
  }

  /** The bridge counts numbers, also of messages that are gone. Behind the last one that is there nothing is left to see. */
  #tellRest({ id, messageId }, { last_read_sequence: read, unread_count: rest }) {
    const { state } = this.#store;
    if (!isLookedAt(state, id) || state.threads[id]?.messages.at(-1)?.id !== messageId) return;
    this.#send(id, { sequence_number: read + rest }).catch(() => {}); // the next message tells it anyway
  }

  #send(id, upTo) {
    return this.#connection.status === 'online'
      ? this.#connection.request({ type: 'message.read', conversation_id: id, ...upTo })
      : this.#rest.markRead(id, upTo);
  }
}
