/**
 * Who asks to be let into a group: only its admins and owners are told.
 *
 * @typedef {object} Knock
 * @property {string} user_id
 * @property {string} [username]
 * @property {string} [display_name]
 * @property {string|null} [avatar_url]  like the Matrix id: only the list has it
 * @property {string} [matrix_user_id]
 * @property {string|null} [reason]
 */
import { ownMember } from './conversations.js';

const LETS_IN = ['admin', 'owner'];

/** Whether the user may let people into a conversation. */
export function letsIn(conversation, me) {
  return conversation?.type === 'group' && LETS_IN.includes(ownMember(conversation, me)?.role);
}

/** The bridge's own list. @param {Knock[]} rows */
export function withKnocks(state, id, rows) {
  return { ...state, knocks: { ...state.knocks, [id]: rows } };
}

/** `member.knocked`. It comes again with another reason, and again after a resume; what it leaves out stays. */
export function withKnocked(state, { conversation_id: id, user_id, username, display_name, reason }) {
  const rows = state.knocks[id] ?? [];
  const known = rows.find((knock) => knock.user_id === user_id);
  const fresh = { ...known, user_id, username, display_name, reason: reason ?? null };
  return withKnocks(state, id, known ? rows.map((knock) => (knock === known ? fresh : knock)) : [...rows, fresh]);
}

/** `member.knock_answered`: by whomever. */
export function withoutKnock(state, id, user) {
  return withKnocks(state, id, (state.knocks[id] ?? []).filter((knock) => knock.user_id !== user));
}

/** Whether a frame makes the user somebody who may let people in: what was knocked before, only the list knows. */
export function needsKnocks(state, frame) {
  return frame.type === 'member.role_changed' && frame.user_id === state.me.id && LETS_IN.includes(frame.new_role);
}

export class Knocks {
  #rest;
  #store;
  #attempt;
  /** How often each list was asked for. */
  #asked = new Map();

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

  /** Loads the list, where the user may see it. Of several under way only the newest counts. */
  async refresh(id) {
    const { conversations, me } = this.#store.state;
    if (!letsIn(conversations[id], me.id)) return;
    const asked = (this.#asked.get(id) ?? 0) + 1;
    this.#asked.set(id, asked);
    await this.#attempt(async () => {
      const knocks = await this.#rest.knocks(id);
      if (asked === this.#asked.get(id)) this.#store.dispatch({ type: 'knocks.loaded', id, knocks });
    });
  }

  accept(id, user) {
    return this.#answer(id, () => this.#rest.acceptKnock(id, user));
  }

  decline(id, user) {
    return this.#answer(id, () => this.#rest.declineKnock(id, user));
  }

  /** Where the answer is refused, they may have gone, which the list knows. */
  async #answer(id, send) {
    try {
      await send();
    } finally {
      await this.refresh(id);
    }
  }
}
