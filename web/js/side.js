/**
 * The view of one thread, in the place of its conversation: what begins it and what is said in it. Of the messages that
 * the conversation has loaded, those are shown; the older ones come from the bridge.
 *
 * @typedef {object} Side
 * @property {string} id  of the conversation
 * @property {string} rootId  the message that begins it; until it is loaded, the one that it was opened by
 * @property {string} [rootEvent]
 * @property {'loading'|'ready'|'failed'} state
 * @property {string} [error]
 * @property {import('./message.js').Message[]} messages  as the bridge had them
 */
import { readMessage } from './message.js';
import { insert } from './thread.js';

/** So many pages of a thread are loaded. */
const PAGES = 10;

/** @param {Side|null} side @returns {Side|null} */
export function withSide(side, action) {
  switch (action.type) {
    case 'side.opened':
      return { id: action.id, rootId: action.messageId, rootEvent: action.rootEvent, state: 'loading', messages: [] };
    case 'side.loaded': {
      if (!side) return side;
      const rows = action.root ? [action.root, ...action.rows] : action.rows;
      return {
        ...side, state: 'ready', error: undefined, rootId: action.root?.id ?? side.rootId, rootEvent: action.rootEvent,
        messages: rows.map(readMessage).reduce(insert, []),
      };
    }
    case 'side.failed':
      return side && { ...side, state: side.state === 'ready' ? 'ready' : 'failed', error: action.error };
    default:
      return null;
  }
}

/** The thread as a conversation of its own. @param {Side} side @param {import('./thread.js').Thread} thread */
export function sideThread(side, thread) {
  const isIn = ({ id, threadRoot }) => id === side.rootId || (side.rootEvent && threadRoot === side.rootEvent);
  const loaded = side.messages.filter(({ id }) => !thread.gone[id] && !thread.messages.some((message) => message.id === id));
  return {
    ...thread, state: side.state, error: side.error, hasMore: false, loadingOlder: false,
    messages: thread.messages.filter(isIn).reduce(insert, loaded),
    pending: thread.pending.filter(({ item }) => item.threadRoot === side.rootId),
  };
}

/**
 * The message whose number of answers a frame changes: it is to be read anew.
 * @param {import('./store.js').State} state  before the frame was reduced
 * @returns {string|undefined}
 */
export function needsRoot(state, frame) {
  const messages = state.threads[frame.conversation_id]?.messages ?? [];
  const gone = frame.type === 'message.deleted' || frame.type === 'message.recalled';
  const event = frame.type === 'message.new' ? frame.thread_root_event_id : gone ? messages.find(({ id }) => id === frame.message_id)?.threadRoot : undefined;
  if (!event) return undefined;
  // The event of one's own message may not be known; the first answer in a thread answers what begins it.
  return (messages.find(({ eventId }) => eventId === event) ?? messages.find(({ id }) => id === frame.reply_to_message_id))?.id;
}

/** Whether a frame changes a message that only the open thread has. @param {import('./store.js').State} state */
export function needsSide({ side, threads }, frame) {
  if (side?.id !== frame.conversation_id || !frame.message_id) return false;
  const has = (messages) => messages.some(({ id }) => id === frame.message_id);
  return has(side.messages) && !has(threads[side.id]?.messages ?? []);
}

export class Threads {
  #rest;
  #store;
  #attempt;

  constructor({ rest, store, attempt }) {
    this.#rest = rest;
    this.#store = store;
    this.#attempt = attempt;
  }

  /** Shows the thread that a message begins, or is said in. @param {import('./message.js').Message} message */
  open(id, message) {
    const rootEvent = message.threadRoot ?? message.eventId;
    const loaded = this.#store.state.threads[id]?.messages.find(({ eventId }) => eventId === rootEvent);
    this.#store.dispatch({ type: 'side.opened', id, messageId: loaded?.id ?? message.id, rootEvent });
    return this.load(message.id);
  }

  close() {
    this.#store.dispatch({ type: 'side.closed' });
  }

  /** Loads the open thread, by any message of it. */
  load(messageId) {
    const here = () => this.#store.state.side?.id;
    const id = here();
    const event = this.#store.state.side?.rootEvent;
    return this.#attempt(
      async () => {
        const rows = [];
        let thread = null;
        do {
          thread = await this.#rest.thread(messageId, { after: rows.at(-1)?.sequence_number });
          rows.push(...thread.messages);
        } while (thread.has_more && rows.length < PAGES * 200);
        // Another one may have been opened in the meantime.
        if (id && here() === id && this.#store.state.side.rootEvent === event) this.#store.dispatch({ type: 'side.loaded', root: thread.root, rootEvent: thread.root_event_id, rows });
      },
      (error) => here() === id && this.#store.dispatch({ type: 'side.failed', error }),
    );
  }
}
