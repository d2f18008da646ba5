/**
 * What a reload must not lose: in which call this tab is, and what a new connection needs to take the place of the old.
 *
 * @typedef {object} Saved  more of it is as in Active (state.js)
 * @property {string} callId
 * @property {string} conversationId
 * @property {'direct'|'group'} kind
 * @property {'outgoing'|'incoming'} direction
 * @property {boolean} camera
 * @property {string[]} users  who was connected
 * @property {string[]} layout  of a direct call, as Peer says it
 */
export class SavedCall {
  #memory;
  #key;

  /** @param {Storage} memory  of this tab, survives a reload */
  constructor(memory, me) {
    this.#memory = memory;
    this.#key = `nova.call.running.${me}`;
  }

  /** @param {import('./running.js').RunningCall} call */
  keep({ store, peers }) {
    const { active } = store.state;
    if (!active?.id) return;
    const { id, conversationId, kind, direction, video, camera, participantId, callerName, startedAt } = active;
    const layout = kind === 'direct' ? peers.values().next().value.layout : [];
    const saved = { callId: id, conversationId, kind, direction, video, camera, participantId, callerName, startedAt, users: [...peers.keys()], layout };
    this.#memory.setItem(this.#key, JSON.stringify(saved));
  }

  /** @returns {Saved|null} */
  recall() {
    try {
      return JSON.parse(this.#memory.getItem(this.#key));
    } catch {
      return null;
    }
  }

  forget() {
    this.#memory.removeItem(this.#key);
  }
}
