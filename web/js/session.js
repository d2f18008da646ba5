/**
 * One signed-in user: brings connection, REST, outbox and store together. Views call its methods and never talk to the
 * network themselves.
 */
import { NovaConnection } from './protocol.js';
import { NovaRest, PAGE_SIZE } from './rest.js';
import { Acts } from './acts.js';
import { Calls } from './calls/calls.js';
import { Groups } from './groups.js';
import { Knocks, needsKnocks } from './knocks.js';
import { Notifier, notice } from './notify.js';
import { Outbox, newKey } from './outbox.js';
import { Pins } from './pins.js';
import { Privacy } from './privacy.js';
import { Reading } from './receipts.js';
import { Requests } from './requests.js';
import { Sender } from './sender.js';
import { Threads, needsRoot, needsSide } from './side.js';
import { createStore, initialState, needsList, needsMessage } from './store.js';
import { OwnTyping, TypingOfOthers } from './typing.js';
import { Uploads, carried, shownFile } from './uploads.js';

/** So many pages back, and no further, a message that is asked for is looked for. */
const JUMP_PAGES = 40;

/**
 * @typedef {{replyTo?: string, threadRoot?: string, threadEvent?: string}} Where  what a message answers, and in which thread
 * @param {Where} [where]
 */
function placed({ replyTo, threadRoot, threadEvent } = {}) {
  return { ...(replyTo && { replyTo }), ...(threadRoot && { threadRoot, threadEvent }) };
}

export class Session {
  #rest;
  #connection;
  #sender;
  #reading;
  #othersType;
  #onUnauthorized;
  /** The list request under way, if any, and whether another one must follow. */
  #list = { running: null, again: false };

  /**
   * @param {object} options
   * @param {string} options.token
   * @param {import('./token.js').Identity} options.identity
   * @param {string} options.baseUrl
   * @param {Storage} options.storage  where unsent messages and settings are kept
   * @param {Storage} options.memory  of this tab: which call it is in
   * @param {() => void} options.onUnauthorized
   * @param {(conversationId: string) => void} options.onOpen  a notification was pressed
   */
  constructor({ token, identity, baseUrl, storage, memory, onUnauthorized, onOpen }) {
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
    const { store } = this;
    this.acts = new Acts({ rest: this.#rest, store });
    this.groups = new Groups({ rest: this.#rest, store, refreshList: () => this.refreshList(), loadMembers: (id) => this.loadMembers(id) });
    const attempt = (work) => this.#attempt(work);
    this.knocks = new Knocks({ rest: this.#rest, store, attempt });
    this.requests = new Requests({ rest: this.#rest, store, attempt, refreshList: () => this.refreshList() });
    this.pins = new Pins({ rest: this.#rest, store, attempt });
    this.privacy = new Privacy({ rest: this.#rest, store, attempt, refreshRequests: () => this.requests.refresh() });
    this.threads = new Threads({ rest: this.#rest, store, attempt });
    this.uploads = new Uploads({ rest: this.#rest, store, onReady: (upload) => this.#sendUpload(upload) });
    this.typing = new OwnTyping({ tell: (frame) => this.#connection.tell(frame) });
    this.notifier = new Notifier({ storage, onOpen });
    this.#reading = new Reading({ store, connection: this.#connection, rest: this.#rest });
    this.#othersType = new TypingOfOthers({ report: (action) => store.dispatch(action) });
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
    this.uploads.stop();
    this.typing.end();
    this.#othersType.stop();
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
    this.#reading.again();
    this.requests.refresh();
    this.privacy.refresh();
    if (connection.resumed) return; // what we missed comes as frames
    this.store.dispatch({ type: 'threads.stale' });
    this.refreshList();
    if (this.store.state.selected) {
      this.loadNewest(this.store.state.selected);
      this.pins.load(this.store.state.selected);
    }
    if (this.store.state.side) this.threads.load(this.store.state.side.rootId);
  }

  #onFrame(frame) {
    const refresh = needsList(this.store.state, frame);
    const root = needsRoot(this.store.state, frame);
    const side = needsSide(this.store.state, frame);
    this.#othersType.onFrame(frame);
    this.store.dispatch({ type: 'frame', frame });
    this.notifier.show(notice(this.store.state, frame, Date.now()));
    if (refresh) this.refreshList();
    // The frame has no names.
    if (frame.type.startsWith('message_request.')) this.requests.refresh();
    this.pins.onFrame(frame);
    if (needsKnocks(this.store.state, frame)) this.knocks.refresh(frame.conversation_id);
    if (needsMessage(this.store.state, frame)) this.acts.reload(frame.conversation_id, frame.message_id);
    if (root) this.acts.reload(frame.conversation_id, root);
    if (side) this.threads.load(frame.message_id);
    this.#reading.check();
  }

  /** What the user can see: the page at all, and the end of the open conversation. Seen is read. */
  look(looking) {
    const now = this.store.state.looking;
    if (Object.entries(looking).every(([name, value]) => now[name] === value)) return;
    this.store.dispatch({ type: 'looking', looking });
    this.#reading.check();
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
        async () => {
          const lists = await Promise.all([false, true].map((archived) => this.#rest.conversations({ archived })));
          this.store.dispatch({ type: 'list.loaded', conversations: lists.flat() });
        },
        (error) => this.store.dispatch({ type: 'list.failed', error }),
      );
    } while (this.#list.again);
    this.#reading.check();
  }

  select(id) {
    if (id === this.store.state.selected) return;
    this.typing.end();
    this.store.dispatch({ type: 'select', id });
    if (!id) return;
    const thread = this.store.state.threads[id];
    if (!thread || thread.state === 'new' || thread.state === 'failed') this.loadNewest(id);
    this.loadMembers(id);
    if (!this.store.state.pins[id]) this.pins.load(id);
    this.#reading.check();
  }

  async loadNewest(id) {
    await this.#loadPage(id, undefined);
    this.#reading.check();
  }

  /** Loads the history back to a message. @returns {Promise<boolean>} whether it is there */
  async loadUntil(id, messageId) {
    const has = () => this.store.state.threads[id]?.messages.some((message) => message.id === messageId) ?? false;
    if (this.store.state.threads[id]?.state !== 'ready') await this.#loadPage(id, undefined);
    for (let page = 0; page < JUMP_PAGES && !has(); page += 1) {
      const thread = this.store.state.threads[id];
      if (thread?.state !== 'ready' || !thread.hasMore || thread.error) break;
      await this.#loadPage(id, thread.messages[0]?.id);
    }
    return has();
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
    return this.#attempt(async () => {
      this.store.dispatch({ type: 'members.loaded', id, members: await this.#rest.members(id) });
      this.knocks.refresh(id);
    });
  }

  /** @param {string} text what the user wrote; "/me waves" is an emote @param {Where} [where] */
  send(conversationId, text, where) {
    const emote = /^\/me\s+(\S[\s\S]*)$/.exec(text);
    this.#queue(conversationId, { content: emote ? emote[1] : text, ...(emote && { style: 'emote' }), ...placed(where) });
  }

  sendLocation(conversationId, { latitude, longitude, accuracy }, where) {
    const media = { message_type: 'location', latitude, longitude, accuracy_meters: accuracy };
    this.#queue(conversationId, { content: '', media, location: { latitude, longitude }, ...placed(where) });
  }

  #sendUpload(upload) {
    const { conversationId, send: { content, ...where } } = upload;
    this.#queue(conversationId, { content, media: carried(upload), file: shownFile(upload), ...placed(where) });
  }

  #queue(conversationId, message) {
    const messages = this.store.state.threads[conversationId]?.messages ?? [];
    this.typing.end({ sent: true });
    this.#sender.add({ key: newKey(), conversationId, ...message, queuedAt: Date.now(), afterSequence: messages.at(-1)?.sequence ?? 0 });
  }

  retry(item) {
    this.#sender.retry(item);
  }

  discard(item) {
    this.#sender.discard(item);
  }

  search(words, options) {
    return this.#rest.search(words, options);
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
