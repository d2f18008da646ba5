/**
 * Brings the outbox to the bridge: one message of a conversation at a time, so that a retried message is never
 * overtaken by the next one; conversations do not wait for each other.
 */
import { REAL_CLOCK, backoff } from './backoff.js';

export class Sender {
  #outbox;
  #send;
  #report;
  #clock;
  #random;
  /** conversation id → items in the order of writing */
  #queues = new Map();
  #draining = new Set();
  /** What ends a pause early. */
  #wakers = new Set();
  #stopped = false;

  /**
   * @param {object} options
   * @param {import('./outbox.js').Outbox} options.outbox
   * @param {(item: import('./outbox.js').OutboxItem) => Promise<object>} options.send
   * @param {(action: object) => void} options.report  store actions `pending.*`
   * @param {import('./backoff.js').Clock} [options.clock]
   * @param {() => number} [options.random]
   */
  constructor({ outbox, send, report, clock = REAL_CLOCK, random = Math.random }) {
    this.#outbox = outbox;
    this.#send = send;
    this.#report = report;
    this.#clock = clock;
    this.#random = random;
  }

  /** Takes up what an earlier page load left behind. */
  resume() {
    for (const item of this.#outbox.all()) {
      this.#report({ type: 'pending.added', item, status: item.refused ? 'refused' : 'waiting' });
      if (!item.refused) this.#enqueue(item);
    }
  }

  /** @param {import('./outbox.js').OutboxItem} item */
  add(item) {
    this.#outbox.put(item);
    const first = (this.#queues.get(item.conversationId)?.length ?? 0) === 0;
    this.#report({ type: 'pending.added', item, status: first ? 'sending' : 'waiting' });
    this.#enqueue(item);
  }

  /** The user wants a refused message to be tried again. */
  retry(item) {
    const fresh = { ...item, refused: undefined };
    this.#outbox.put(fresh);
    this.#enqueue(fresh);
  }

  discard(item) {
    this.#outbox.remove(item.key);
    this.#report({ type: 'pending.removed', item });
  }

  /** The connection is back: do not wait out the pause. */
  wake() {
    for (const waker of this.#wakers) waker();
  }

  stop() {
    this.#stopped = true;
    this.wake();
  }

  #enqueue(item) {
    const queue = this.#queues.get(item.conversationId) ?? [];
    queue.push(item);
    this.#queues.set(item.conversationId, queue);
    if (!this.#draining.has(item.conversationId)) this.#drain(item.conversationId, queue);
  }

  async #drain(conversationId, queue) {
    this.#draining.add(conversationId);
    let attempt = 0;
    while (queue.length > 0 && !this.#stopped) {
      const [item] = queue;
      this.#report({ type: 'pending.status', item, status: 'sending' });
      const outcome = await this.#send(item).then((reply) => ({ reply }), (error) => ({ error }));
      if (this.#stopped) return;
      if (outcome.error?.transient) {
        this.#report({ type: 'pending.status', item, status: 'waiting', detail: outcome.error.detail });
        await this.#pause(backoff(attempt++, this.#random));
        continue;
      }
      queue.shift();
      attempt = 0;
      if (outcome.error) this.#refused(item, outcome.error);
      else this.#accepted(item, outcome.reply);
    }
    this.#draining.delete(conversationId);
  }

  #accepted(item, reply) {
    this.#outbox.remove(item.key);
    this.#report({ type: 'pending.accepted', item, reply });
  }

  #refused(item, error) {
    const detail = error.detail ?? error.message;
    this.#outbox.put({ ...item, refused: detail });
    this.#report({ type: 'pending.status', item, status: 'refused', detail });
  }

  #pause(ms) {
    return new Promise((resolve) => {
      const done = () => {
        this.#clock.clearTimeout(timer);
        this.#wakers.delete(done);
        resolve();
      };
      const timer = this.#clock.setTimeout(done, ms);
      this.#wakers.add(done);
    });
  }
}
