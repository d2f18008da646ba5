/** Who types: what is shown of others, and what is said of oneself. */
import { REAL_CLOCK } from './backoff.js';

/** The bridge says it every two seconds as long as it lasts; twice missed means that it has ended without a word. */
const FORGET_AFTER_MS = 6_000;
/** The bridge forgets it after about five seconds. */
const REPEAT_MS = 3_000;
/** Without another key for so long, nobody types any more. */
const IDLE_MS = 5_000;

/** @param {{conversation: string, user: string, name?: string, typing: boolean}} action */
export function withTyping(state, { conversation, user, name, typing }) {
  const here = state.typing[conversation] ?? {};
  if (typing === (user in here) && here[user] === name) return state;
  if (!typing && !(user in here)) return state;
  const { [user]: _old, ...others } = here;
  return { ...state, typing: { ...state.typing, [conversation]: typing ? { ...here, [user]: name } : others } };
}

/** "Elena is typing", "Elena and Ben are typing", "3 people are typing"; empty where nobody is. */
export function typingText(names) {
  if (names.length === 0) return '';
  if (names.length > 2) return `${names.length} people are typing`;
  return `${names.join(' and ')} ${names.length === 1 ? 'is' : 'are'} typing`;
}

/** Turns the frames of others into actions of the store, and ends what nobody ends. */
export class TypingOfOthers {
  #report;
  #clock;
  #timers = new Map();

  /** @param {{report: (action: object) => void, clock?: import('./backoff.js').Clock}} options */
  constructor({ report, clock = REAL_CLOCK }) {
    this.#report = report;
    this.#clock = clock;
  }

  onFrame({ type, conversation_id: conversation, user_id: user, username: name }) {
    if (type === 'typing.started') this.#set(conversation, user, name, true);
    else if (type === 'typing.stopped') this.#set(conversation, user, name, false);
  }

  #set(conversation, user, name, typing) {
    const key = `${conversation} ${user}`;
    this.#clock.clearTimeout(this.#timers.get(key));
    this.#timers.delete(key);
    if (typing) this.#timers.set(key, this.#clock.setTimeout(() => this.#set(conversation, user, name, false), FORGET_AFTER_MS));
    this.#report({ type: 'typing', conversation, user, name, typing });
  }

  stop() {
    for (const timer of this.#timers.values()) this.#clock.clearTimeout(timer);
    this.#timers.clear();
  }
}

/** Says that the user types: at the first key, then every few seconds, and when it is over. */
export class OwnTyping {
  #tell;
  #clock;
  /** The conversation that we have said it of, or null. */
  #where = null;
  /** While it is set, it has just been said. */
  #said = null;
  #idle = null;

  /** @param {{tell: (frame: object) => void, clock?: import('./backoff.js').Clock}} options */
  constructor({ tell, clock = REAL_CLOCK }) {
    this.#tell = tell;
    this.#clock = clock;
  }

  /** A key was pressed. @param {boolean} empty  the field has no text (any more) */
  key(conversation, empty) {
    if (empty || this.#where !== conversation) this.end();
    if (empty) return;
    this.#where = conversation;
    this.#clock.clearTimeout(this.#idle);
    this.#idle = this.#clock.setTimeout(() => this.end(), IDLE_MS);
    if (this.#said !== null) return;
    this.#tell({ type: 'typing.start', conversation_id: conversation });
    this.#said = this.#clock.setTimeout(() => { this.#said = null; }, REPEAT_MS);
  }

  /** Nothing is typed any more. A message that is sent ends it by itself: `sent` saves the word. */
  end({ sent = false } = {}) {
    if (this.#where !== null && !sent) this.#tell({ type: 'typing.stop', conversation_id: this.#where });
    this.#where = null;
    this.#clock.clearTimeout(this.#idle);
    this.#clock.clearTimeout(this.#said);
    this.#said = null;
  }
}
