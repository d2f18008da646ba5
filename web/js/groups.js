/** Conversations as such: beginning them, who is in them, how they are kept, and their end. */

export class Groups {
  #rest;
  #store;
  #refreshList;
  #loadMembers;

  /**
   * @param {object} options
   * @param {import('./rest.js').NovaRest} options.rest
   * @param {{state: import('./store.js').State, dispatch: (action: object) => void}} options.store
   * @param {() => Promise<void>} options.refreshList
   * @param {(id: string) => Promise<void>} options.loadMembers
   */
  constructor({ rest, store, refreshList, loadMembers }) {
    this.#rest = rest;
    this.#store = store;
    this.#refreshList = refreshList;
    this.#loadMembers = loadMembers;
  }

  /** @param {string} who a Matrix id or a Nova user id @returns {Promise<string>} the conversation's id */
  async startChat(who) {
    const conversation = who.startsWith('@')
      ? await this.#rest.startMatrixChat(who)
      : await this.#rest.startNovaChat(this.#store.state.me.id, who);
    await this.#refreshList();
    return conversation.id;
  }

  async create(name, members) {
    const conversation = await this.#rest.createGroup(name, members);
    await this.#refreshList();
    return conversation.id;
  }

  async invite(id, users) {
    for (const user of users) await this.#rest.addMember(id, user);
    await this.#loadMembers(id);
  }

  async setRole(id, userId, role) {
    await this.#rest.setRole(id, userId, role);
    await this.#loadMembers(id);
  }

  async remove(id, userId) {
    await this.#rest.removeMember(id, userId);
    await this.#loadMembers(id);
  }

  /** For oneself (`is_muted`, `is_archived`), or for everybody (`name`, `description`). */
  async change(id, settings) {
    await this.#rest.changeSettings(id, settings);
    await this.#refreshList();
  }

  /** Gives a group another picture. @param {File} file */
  async setPicture(id, file) {
    const { url } = await this.#rest.upload(file);
    await this.change(id, { avatar_url: url });
  }

  async leave(id) {
    await this.#rest.leave(id);
    this.#store.dispatch({ type: 'frame', frame: { type: 'member.left', conversation_id: id, user_id: this.#store.state.me.id } });
  }

  /** For everybody. */
  async delete(id) {
    await this.#rest.deleteGroup(id);
    this.#store.dispatch({ type: 'frame', frame: { type: 'group_deleted', conversation_id: id } });
  }
}
