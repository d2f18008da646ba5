import { personName } from './format.js';

/**
 * Who reacted in one way, in words: as many names as there is room for.
 * @param {{count: number, users: {user_id: string, name?: string}[]}|undefined} reaction
 */
export function reactedBy(reaction, me, people) {
  if (!reaction) return 'Nobody any more';
  const { count } = reaction;
  const users = [...reaction.users].sort((a, b) => (b.user_id === me) - (a.user_id === me));
  const name = ({ user_id: id, name: display_name }) => (id === me ? 'You' : personName(people[id] ?? { display_name }, id));
  const names = users.slice(0, NAMED).map(name);
  const more = count - names.length;
  if (more > 0) return `${names.join(', ')} and ${more} more`;
  return names.length > 1 ? `${names.slice(0, -1).join(', ')} and ${names.at(-1)}` : names.join('');
}
const NAMED = 12;

/** What a user does to messages: each method is one request, after which the frames tell everybody, and us. */
export class Acts {
  #rest;
  #store;
  /** Messages that are being read anew, and whether once more. */
  #reading = new Map();
  /** Messages that were asked for because others answer them. */
  #quoted = new Set();

  /** @param {{rest: import('./rest.js').NovaRest, store: {state: import('./store.js').State, dispatch: (action: object) => void}}} options */
  constructor({ rest, store }) {
    this.#rest = rest;
    this.#store = store;
  }

  async edit(conversationId, message, content) {
    const row = await this.#rest.editMessage(message.id, { content, version: message.version });
    this.#store.dispatch({ type: 'message.loaded', id: conversationId, row });
  }

  async delete(conversationId, messageId) {
    await this.#rest.deleteMessage(messageId);
    this.#store.dispatch({ type: 'frame', frame: { type: 'message.deleted', conversation_id: conversationId, message_id: messageId } });
  }

  async recall(conversationId, messageId) {
    const { recalled_at } = await this.#rest.recallMessage(messageId);
    this.#store.dispatch({ type: 'frame', frame: { type: 'message.recalled', conversation_id: conversationId, message_id: messageId, recalled_at } });
  }

  /** Reacts, or takes it back. */
  async toggleReaction(conversationId, message, emoji) {
    const mine = message.reactions?.some((it) => it.emoji === emoji && it.user_reacted);
    await (mine ? this.#rest.unreact(message.id, this.#store.state.me.id, emoji) : this.#rest.react(message.id, emoji));
    await this.reload(conversationId, message.id);
  }

  /** Who reacted to a message with this, in words. */
  async reactors(messageId, emoji) {
    const reactions = await this.#rest.reactions(messageId);
    const { me, people } = this.#store.state;
    return reactedBy(reactions.find((it) => it.emoji === emoji), me.id, people);
  }

  /**
   * Reads a message anew. A reaction frame says that something has changed but not how many there are now, and it may
   * come twice; so it is no more than a reason to ask. However many frames come meanwhile, one more request will do.
   */
  async reload(conversationId, messageId) {
    if (this.#reading.has(messageId)) {
      this.#reading.set(messageId, true);
      return;
    }
    do {
      this.#reading.set(messageId, false);
      const row = await this.#rest.message(messageId).catch(() => null);
      if (row) this.#store.dispatch({ type: 'message.loaded', id: conversationId, row });
    } while (this.#reading.get(messageId));
    this.#reading.delete(messageId);
  }

  /** Reads what a message answers, where that is older than what is loaded. Asked for once. */
  async quoted(conversationId, messageId) {
    if (this.#quoted.has(messageId)) return;
    this.#quoted.add(messageId);
    const row = await this.#rest.message(messageId).catch((error) => (error.transient ? undefined : null));
    if (row === undefined) this.#quoted.delete(messageId);
    else this.#store.dispatch({ type: 'quoted.loaded', id: conversationId, messageId, row });
  }
}
