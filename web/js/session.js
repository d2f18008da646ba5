/**
 * One signed-in user: brings connection, REST, outbox and store together. Views call its methods and never talk to the
 * network themselves.
 */
import { NovaConnection } from './protocol.js';
import { NovaRest, PAGE_SIZE } from './rest.js';
import { Calls } from './calls/calls.js';
import { Outbox, newKey } from './outbox.js';
import { Sender } from './sender.js';
import { createStore, initialState, needsList } from './store.js';

export class Session {
  #rest;
  #connection;
  #sender;
  #onUnauthorized;
  /** The list request under way, if any, and whether another one must follow. */
  #list = { running: null, again: false };

  /**
   * @param {object} options
   * @param {string} options.token
   * @param {import('./token.js').Identity} options.identity
   * @param {string} options.baseUrl
   * @param {Storage} options.storage  where unsent messages are kept
   * @param {Storage} options.memory  of this tab: which call it is in
   * @param {() => void} options.onUnauthorized
   */
  constructor({ token, identity, baseUrl, storage, memory, onUnauthorized }) {
    this.store = createStore(initialState(identity));
    this.#onUnauthorized = onUnauthorized;
    this.#rest = new NovaRest({ baseUrl, token });
    this.#connection = new NovaConnection({ baseUrl, token, rest: this.#rest });
    this.#sender = new Sender({
      outbox: new Outbox(storage, identity.id),
      send: (item) => this.#connection.sendMessage({ ...item, idempotencyKey: item.key }),
      report: (action) => this.store.dispatch(action),
    });
    this.calls = new Calls({
      me: identity.id, connection: this.#connection, rest: this.#rest, storage, memory,
      conversation: (id) => this.store.state.conversations[id],
    });
    this.#connection.addEventListener('status', ({ detail }) => this.#onStatus(detail));
    this.#connection.addEventListener('frame', ({ detail }) => this.#onFrame(detail));
    this.#connection.addEventListener('unauthorized', onUnauthorized);
  }

  start() {
    this.#connection.connect();
    this.#sender.resume();
    this.refreshList();
  }

  stop() {
    this.#sender.stop();
    this.calls.stop();
    this.#connection.close();
  }

  /** The network is back, or the user is: do not wait for the planned retry. */
  reconnect() {
    this.#connection.connect();
  }

  #onStatus(connection) {
    this.store.dispatch({ type: 'connection', connection });
    if (connection.status !== 'online') return;
    this.#sender.wake();
    if (connection.resumed) return; // what we missed comes as frames
    this.store.dispatch({ type: 'threads.stale' });
    this.refreshList();
    if (this.store.state.selected) this.loadNewest(this.store.state.selected);
  }

  #onFrame(frame) {
    const refresh = needsList(this.store.state, frame);
    this.store.dispatch({ type: 'frame', frame });
    if (refresh) this.refreshList();
  }

  /** Loads the list. While one request runs, another one is due after it: the running one may have read too early. */
  refreshList() {
    if (this.#list.running) this.#list.again = true;
    else this.#list.running = this.#loadList().finally(() => { this.#list.running = null; });
    return this.#list.running;
  }

  async #loadList() {
    this.store.dispatch({ type: 'list.loading' });
    do {
      this.#list.again = false;
      await this.#attempt(
        async () => this.store.dispatch({ type: 'list.loaded', conversations: await this.#rest.conversations() }),
        (error) => this.store.dispatch({ type: 'list.failed', error }),
      );
    } while (this.#list.again);
  }

  select(id) {
    if (id === this.store.state.selected) return;
    this.store.dispatch({ type: 'select', id });
    if (!id) return;
    const thread = this.store.state.threads[id];
    if (!thread || thread.state === 'new' || thread.state === 'failed') this.loadNewest(id);
    this.loadMembers(id);
  }

  loadNewest(id) {
    return this.#loadPage(id, undefined);
  }

  loadOlder(id) {
    const thread = this.store.state.threads[id];
    if (!thread || thread.state !== 'ready' || thread.loadingOlder || !thread.hasMore) return undefined;
    return this.#loadPage(id, thread.messages[0]?.id);
  }

  #loadPage(id, before) {
    const older = before !== undefined;
    this.store.dispatch({ type: 'thread.loading', id, older });
    return this.#attempt(
      async () => this.store.dispatch({ type: 'thread.page', id, older, limit: PAGE_SIZE, rows: await this.#rest.messages(id, { before }) }),
      (error) => this.store.dispatch({ type: 'thread.failed', id, older, error }),
    );
  }

  /** The list has the members too, but not always all of a large group. */
  loadMembers(id) {
    return this.#attempt(async () => this.store.dispatch({ type: 'members.loaded', id, members: await this.#rest.members(id) }));
  }

  /** @param {string} text what the user wrote; "/me waves" is an emote */
  send(conversationId, text) {
    const emote = /^\/me\s+(\S[\s\S]*)$/.exec(text);
    const messages = this.store.state.threads[conversationId]?.messages ?? [];
    this.#sender.add({
      key: newKey(),
      conversationId,
      content: emote ? emote[1] : text,
      ...(emote && { style: 'emote' }),
      queuedAt: Date.now(),
      afterSequence: messages.at(-1)?.sequence ?? 0,
    });
  }

  retry(item) {
    this.#sender.retry(item);
  }

  discard(item) {
    this.#sender.discard(item);
  }

  /** @param {string} who a Matrix id or a Nova user id @returns {Promise<string>} the conversation's id */
  async startChat(who) {
    const conversation = who.startsWith('@')
      ? await this.#rest.startMatrixChat(who)
      : await this.#rest.startNovaChat(this.store.state.me.id, who);
    await this.refreshList();
    return conversation.id;
  }

  async createGroup(name, members) {
    const conversation = await this.#rest.createGroup(name, members);
    await this.refreshList();
    return conversation.id;
  }

  async invite(id, users) {
    for (const user of users) await this.#rest.addMember(id, user);
    await this.loadMembers(id);
  }

  async removeMember(id, userId) {
    await this.#rest.removeMember(id, userId);
    await this.loadMembers(id);
  }

  async leave(id) {
    await this.#rest.leave(id);
    this.store.dispatch({ type: 'frame', frame: { type: 'member.left', conversation_id: id, user_id: this.store.state.me.id } });
  }

  async #attempt(work, onError = () => {}) {
    try {
      await work();
    } catch (error) {
      if (error.status === 401) this.#onUnauthorized();
      onError(error.detail ?? 'Something went wrong in this page.');
    }
  }
}
