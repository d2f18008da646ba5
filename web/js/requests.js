/**
 * Who asks the user to come to a conversation: how frames and the bridge's list change that, and what may be answered.
 *
 * @typedef {object} Request
 * @property {string} id  of the conversation that it becomes
 * @property {string} requester_id
 * @property {string|null} [message_preview]
 * @property {string} created_at
 * @property {'direct'|'group'} [type]  like the names: only the list has it
 * @property {string|null} [name]  of a group
 * @property {string|null} [requester_username]
 * @property {string|null} [requester_display_name]
 * @property {string} [requester_matrix_user_id]
 * @property {string|null} [requester_avatar_url]
 * @property {string|null} [description]  of a group
 * @property {string|null} [avatar_url]  of a group
 */
import { personName } from './format.js';

/** The bridge's own list. */
export function withRequests(state, rows) {
  return { ...state, requests: sorted(rows) };
}

/** `message_request.created`. It comes again with a preview, and again after a resume; what it leaves out stays. */
export function withRequested(state, { id, requester_id, message_preview, created_at }) {
  const known = state.requests.find((request) => request.id === id);
  const fresh = { ...known, id, requester_id, created_at, message_preview: message_preview ?? known?.message_preview ?? null };
  return { ...state, requests: sorted([...state.requests.filter((request) => request !== known), fresh]) };
}

/** `message_request.answered`, here or on another device, or withdrawn. */
export function withoutRequest(state, id) {
  return { ...state, requests: state.requests.filter((request) => request.id !== id) };
}

function sorted(requests) {
  return [...requests].sort((a, b) => Date.parse(b.created_at) - Date.parse(a.created_at) || (a.id < b.id ? -1 : 1));
}

/** @param {Request} request @returns {import('./conversations.js').Member} as much as is known of who asks */
export function requester(request, state) {
  const { requester_id: id, requester_username: username, requester_display_name: name, requester_matrix_user_id: mxid, requester_avatar_url: picture } = request;
  return { ...state.people[id], user_id: id, ...(username && { username }), ...(name && { display_name: name }), ...(mxid && { matrix_user_id: mxid }), ...(picture && { avatar_url: picture }) };
}

/** What a request says in words: who it is from, what for, and the beginning of what they say, or what a group is about. @param {Request} request */
export function requestWords(request, state) {
  const who = personName(requester(request, state), request.requester_id);
  const group = request.type === 'group';
  return {
    who,
    what: !group ? 'wants to chat with you' : request.name ? `invites you to “${request.name}”` : 'invites you to a group',
    preview: (request.message_preview || (group && request.description) || '').replace(/\s+/g, ' ').trim(),
  };
}

export class Requests {
  #rest;
  #store;
  #attempt;
  #refreshList;
  #asked = 0;

  /**
   * @param {object} options
   * @param {import('./rest.js').NovaRest} options.rest
   * @param {{state: import('./store.js').State, dispatch: (action: object) => void}} options.store
   * @param {(work: () => Promise<void>) => Promise<void>} options.attempt
   * @param {() => Promise<void>} options.refreshList
   */
  constructor({ rest, store, attempt, refreshList }) {
    this.#rest = rest;
    this.#store = store;
    this.#attempt = attempt;
    this.#refreshList = refreshList;
  }

  /** Loads the list. Of several under way only the newest counts: an older one may have read too early. */
  refresh() {
    this.#asked += 1;
    const asked = this.#asked;
    return this.#attempt(async () => {
      const requests = await this.#rest.requests();
      if (asked === this.#asked) this.#store.dispatch({ type: 'requests.loaded', requests });
    });
  }

  /** @returns {Promise<string>} the conversation's id, which is in the list by then */
  async accept(id) {
    const { conversation_id: conversation } = await this.#answer(id, () => this.#rest.acceptRequest(id));
    await this.#refreshList();
    return conversation;
  }

  async decline(id) {
    await this.#answer(id, () => this.#rest.rejectRequest(id));
  }

  /** Blocks who asks, with everything that they ask. */
  async block({ id, requester_id: user }) {
    await this.#answer(id, () => this.#rest.block(user));
    this.#store.dispatch({ type: 'blocked', user, blocked: true });
  }

  /** Where the answer is refused, the request may be gone, which the list knows. */
  async #answer(id, send) {
    try {
      const answer = await send();
      this.#store.dispatch({ type: 'request.gone', id });
      return answer;
    } finally {
      this.refresh();
    }
  }
}
