/** Who may reach the user: whom they block, and who must ask first. */

/** What one may choose; the bridge also knows `followers`, which means the same as `mutuals` to it. */
export const PERMISSIONS = ['anyone', 'mutuals', 'nobody'];

/** The bridge's list of those whom the user blocks. @param {{user_id: string, matrix_user_id?: string}[]} rows */
export function withBlocks(state, rows) {
  return { ...state, blocked: rows.map(({ user_id: user }) => user) };
}

export function withBlocked(state, user, blocked) {
  const others = state.blocked.filter((other) => other !== user);
  if (!blocked) return { ...state, blocked: others };
  // The bridge no longer tells whether they are there; what it told before is forgotten.
  const { presence: _presence, ...person } = state.people[user] ?? {};
  return { ...state, blocked: [user, ...others], people: state.people[user] ? { ...state.people, [user]: person } : state.people };
}

export class Privacy {
  #rest;
  #store;
  #attempt;
  #refreshRequests;

  /**
   * @param {object} options
   * @param {import('./rest.js').NovaRest} options.rest
   * @param {{dispatch: (action: object) => void}} options.store
   * @param {(work: () => Promise<void>) => Promise<void>} options.attempt
   * @param {() => Promise<void>} options.refreshRequests
   */
  constructor({ rest, store, attempt, refreshRequests }) {
    this.#rest = rest;
    this.#store = store;
    this.#attempt = attempt;
    this.#refreshRequests = refreshRequests;
  }

  /** Who is blocked, as the bridge has it: frames tell what another device changes, but not while this one was away. */
  refresh() {
    return this.#attempt(async () => { await this.blocks(); });
  }

  /** @returns {Promise<{user_id: string, matrix_user_id?: string}[]>} the newest first */
  async blocks() {
    const blocks = await this.#rest.blocks();
    this.#store.dispatch({ type: 'blocks.loaded', blocks });
    return blocks;
  }

  async block(user) {
    await this.#rest.block(user);
    this.#store.dispatch({ type: 'blocked', user, blocked: true });
    this.#refreshRequests();
  }

  async unblock(user) {
    await this.#rest.unblock(user);
    this.#store.dispatch({ type: 'blocked', user, blocked: false });
  }

  /** @returns {Promise<string>} one of PERMISSIONS */
  async permission() {
    const permission = await this.#rest.dmPermission();
    return permission === 'followers' ? 'mutuals' : permission;
  }

  setPermission(permission) {
    return this.#rest.setDmPermission(permission);
  }
}
