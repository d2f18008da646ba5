/**
 * Messages that the bridge has not acknowledged yet, kept over a reload.
 *
 * One storage entry per message, not one list: two tabs of the same user then never overwrite each other. If both send
 * the same entry, the idempotency key makes it one message.
 *
 * @typedef {object} OutboxItem
 * @property {string} key  the idempotency key, and our name for the message until it has an id
 * @property {string} conversationId
 * @property {string} content
 * @property {string} [style]  notice or emote
 * @property {string} [replyTo]  the id of the message that it answers
 * @property {string} [threadRoot]  the id of the message that begins the thread in which it is said
 * @property {string} [threadEvent]  the same by its event
 * @property {object} [media]  what it carries, as the API wants it
 * @property {import('./message.js').File} [file]  the same, to be shown while it waits
 * @property {number} queuedAt  milliseconds since 1970
 * @property {number} afterSequence  the newest sequence number known when it was written
 * @property {string} [refused]  why the bridge said no, until the user decides
 */
export class Outbox {
  #storage;
  #prefix;

  /** @param {Storage} storage @param {string} userId */
  constructor(storage, userId) {
    this.#storage = storage;
    this.#prefix = `nova.outbox.${userId}.`;
  }

  /** @param {OutboxItem} item */
  put(item) {
    try {
      this.#storage.setItem(this.#prefix + item.key, JSON.stringify(item));
    } catch {
      // Storage is full or forbidden. Sending still works; only the safety net for a reload is missing.
      return false;
    }
    return true;
  }

  remove(key) {
    this.#storage.removeItem(this.#prefix + key);
  }

  /** @returns {OutboxItem[]} oldest first */
  all() {
    const items = [];
    for (let index = 0; index < this.#storage.length; index += 1) {
      const name = this.#storage.key(index);
      if (!name.startsWith(this.#prefix)) continue;
      const item = parse(this.#storage.getItem(name));
      if (item) items.push(item);
    }
    return items.sort((a, b) => a.queuedAt - b.queuedAt);
  }
}

function parse(text) {
  try {
    const item = JSON.parse(text);
    return item?.key && item.conversationId && typeof item.content === 'string' ? item : null;
  } catch {
    return null;
  }
}

/** A random UUID. `crypto.randomUUID` exists only on https and localhost; a bridge on a home network has neither. */
export function newKey(crypto = globalThis.crypto) {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
