/** What is pinned in a conversation: who pins, and what there is. The store keeps it, the last one first. */
import { readMessage } from './message.js';

export class Pins {
  #rest;
  #store;
  #attempt;
  /** Conversations whose pins are being read, and whether once more. */
  #reading = new Map();

  /**
   * @param {object} options
   * @param {import('./rest.js').NovaRest} options.rest
   * @param {{state: import('./store.js').State, dispatch: (action: object) => void}} options.store
   * @param {(work: () => Promise<void>) => Promise<void>} options.attempt
   */
  constructor({ rest, store, attempt }) {
    this.#rest = rest;
    this.#store = store;
    this.#attempt = attempt;
  }

  /** Pins a message, or takes it down. */
  async set(conversationId, messageId, pinned) {
    await (pinned ? this.#rest.pin(messageId) : this.#rest.unpin(messageId));
    await this.load(conversationId);
  }

  /** Reads what is pinned. However often it is asked for meanwhile, one more request will do. */
  async load(conversationId) {
    if (this.#reading.has(conversationId)) {
      this.#reading.set(conversationId, true);
      return;
    }
    do {
      this.#reading.set(conversationId, false);
      await this.#attempt(async () => {
        const { messages } = await this.#rest.pinned(conversationId);
        this.#store.dispatch({ type: 'pins.loaded', id: conversationId, messages: messages.map(readMessage) });
      });
    } while (this.#reading.get(conversationId));
    this.#reading.delete(conversationId);
  }

  /** A frame says that something is pinned but not what it says; and what is pinned may be edited. */
  onFrame(frame) {
    if (needsPins(this.#store.state, frame)) this.load(frame.conversation_id);
  }
}

/** True when a frame changes what is pinned in a conversation whose pins are known. @param {import('./store.js').State} state */
export function needsPins(state, frame) {
  const pins = state.pins[frame.conversation_id];
  if (!pins) return false;
  if (frame.type === 'message.pinned' || frame.type === 'message.unpinned') return true;
  return frame.type === 'message.edited' && pins.some(({ id }) => id === frame.message_id);
}
