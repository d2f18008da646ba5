/** Notifications of the browser, for whoever wants them: of new messages, while the page is not seen. */
import { conversationName, personName } from './format.js';

const KEY = 'nova.notify';
/** What comes after a night offline is told by the list. */
const FRESH_MS = 60_000;

/**
 * What to show for a frame, or null.
 * @param {import('./store.js').State} state  after the frame
 */
export function notice(state, frame, now) {
  if (frame.type !== 'message.new' || frame.sender_id === state.me.id || state.looking.visible) return null;
  const conversation = state.conversations[frame.conversation_id];
  if (!conversation || conversation.is_muted || conversation.is_archived) return null;
  if (now - Date.parse(frame.created_at ?? frame.timestamp) > FRESH_MS) return null;
  const author = personName(state.people[frame.sender_id], frame.sender_id);
  const direct = conversation.type === 'direct';
  return {
    conversationId: conversation.id,
    title: direct ? author : conversationName(conversation, state.me.id),
    body: direct ? frame.content : `${author}: ${frame.content}`,
  };
}

export class Notifier {
  #storage;
  #onOpen;

  /** @param {{storage: Storage, onOpen: (conversationId: string) => void}} options */
  constructor({ storage, onOpen }) {
    this.#storage = storage;
    this.#onOpen = onOpen;
  }

  /** Whether this browser can, whether the user wants, and whether the browser lets us. */
  get state() {
    if (!('Notification' in globalThis)) return 'impossible';
    if (Notification.permission === 'denied') return 'denied';
    return Notification.permission === 'granted' && this.#storage.getItem(KEY) === 'yes' ? 'on' : 'off';
  }

  /** Switches; must come from a click, because the browser asks. */
  async toggle() {
    if (this.state === 'on') this.#storage.removeItem(KEY);
    else if (await Notification.requestPermission() === 'granted') this.#storage.setItem(KEY, 'yes');
    return this.state;
  }

  /** @param {ReturnType<typeof notice>} it */
  show(it) {
    if (!it || this.state !== 'on') return;
    // The same tag: many messages of one conversation are one notification.
    const notification = create(it.title, { body: it.body, tag: it.conversationId, icon: 'icon.svg' });
    if (!notification) return;
    notification.onclick = () => {
      window.focus();
      notification.close();
      this.#onOpen(it.conversationId);
    };
  }
}

/** Chromium on Android has the class, and throws: there only a service worker may notify. */
function create(title, options) {
  try {
    return new Notification(title, options);
  } catch {
    return null;
  }
}
