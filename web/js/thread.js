/**
 * The messages of one conversation: a pure state and what may happen to it.
 *
 * Three sources report the same message: the history page, the live frame (perhaps twice, after a resume) and the
 * answer to our own send. All go through `insert`, which knows a message by its id and orders by sequence number, so
 * it does not matter who comes first.
 *
 * @typedef {object} Pending  an own message that the bridge has not acknowledged
 * @property {import('./outbox.js').OutboxItem} item
 * @property {'sending'|'waiting'|'refused'} status
 * @property {string} [detail]
 *
 * @typedef {object} Thread
 * @property {'new'|'loading'|'ready'|'failed'} state
 * @property {string} [error]
 * @property {boolean} hasMore  older messages exist
 * @property {boolean} loadingOlder
 * @property {Message[]} messages  ascending
 * @property {Pending[]} pending  in the order of writing
 * @property {Record<string, {status: string, detail?: string, streamId?: string}>} deliveries  by message id
 * @property {Record<string, true>} gone  deleted messages, which a page that was read earlier must not bring back
 * @property {Record<string, Message|null>} quoted  messages that others answer, from before those that are loaded; null
 *   where there is none (any more)
 *
 * @typedef {import('./message.js').Message} Message
 */
import { compareStreamIds } from './protocol.js';
import { merge, readMessage } from './message.js';

/** @type {Thread} */
export const EMPTY_THREAD = Object.freeze({
  state: 'new', hasMore: true, loadingOlder: false, messages: [], pending: [], deliveries: {}, gone: {}, quoted: {},
});

/** Puts a message in its place, or merges it into the one with the same id. @returns {Message[]} */
export function insert(messages, message) {
  const known = messages.findIndex((other) => other.id === message.id);
  if (known >= 0) return messages.with(known, merge(messages[known], message));
  let place = messages.length;
  while (place > 0 && messages[place - 1].sequence > message.sequence) place -= 1;
  return messages.toSpliced(place, 0, message);
}

/** @param {Thread} thread @param {Message[]} page ascending */
export function withPage(thread, page, { older, limit }) {
  const full = page.length >= limit;
  // A newest page that does not reach what we have leaves a hole of unknown size: the old part has to go.
  const gap = !older && full && thread.messages.length > 0 && page[0].sequence > thread.messages.at(-1).sequence;
  const kept = gap ? [] : thread.messages;
  const isOldest = kept.length === 0 || older || (page[0]?.sequence ?? Infinity) <= kept[0].sequence;
  return {
    ...thread,
    state: 'ready',
    error: undefined,
    loadingOlder: false,
    hasMore: isOldest ? full : thread.hasMore,
    messages: page.filter(({ id }) => !thread.gone[id]).reduce(insert, kept),
  };
}

/** @param {Thread} thread */
export function withMessage(thread, message) {
  return thread.gone[message.id] ? thread : { ...thread, messages: insert(thread.messages, message) };
}

/** Changes one message, where it is known. */
export function withChanged(thread, id, change) {
  const place = thread.messages.findIndex((message) => message.id === id);
  return place < 0 ? thread : { ...thread, messages: thread.messages.with(place, change(thread.messages[place])) };
}

/** A `message.deleted` frame. */
export function withoutMessage(thread, id) {
  return { ...thread, gone: { ...thread.gone, [id]: true }, messages: thread.messages.filter((message) => message.id !== id) };
}

/** A `message.delivery` frame. May come before the message itself, and twice; the newer `stream_id` counts. */
export function withDelivery(thread, frame) {
  const known = thread.deliveries[frame.message_id];
  if (known?.streamId && frame.stream_id && compareStreamIds(frame.stream_id, known.streamId) <= 0) return thread;
  const news = { status: frame.status, detail: frame.detail, streamId: frame.stream_id, ...(frame.matrix_event_id && { eventId: frame.matrix_event_id }) };
  return { ...thread, deliveries: { ...thread.deliveries, [frame.message_id]: news } };
}

/** @param {Thread} thread @param {{type: string, item: object, status?: string, detail?: string, reply?: object}} action */
export function withPending(thread, { type, item, status, detail, reply }, me) {
  const others = thread.pending.filter((pending) => pending.item.key !== item.key);
  switch (type) {
    case 'pending.added':
      return { ...thread, pending: [...others, { item, status, detail: item.refused }] };
    case 'pending.status':
      return {
        ...thread,
        pending: thread.pending.map((pending) => (pending.item.key === item.key ? { item, status, detail } : pending)),
      };
    case 'pending.accepted': {
      const message = readMessage({
        sender_id: me, delivery_status: 'pending', created_at: new Date(item.queuedAt).toISOString(), message_type: 'text',
        content: item.content, reply_to_message_id: item.replyTo ?? item.threadRoot, thread_root_event_id: item.threadEvent, ...reply, style: item.style, idempotency_key: item.key,
      });
      return { ...withMessage(thread, message), pending: others };
    }
    default: // pending.removed
      return { ...thread, pending: others };
  }
}

/**
 * What the view shows, oldest first, with one entry per message.
 *
 * The echo of an own message often comes before the answer to the send, and does not say which pending message it is.
 * Until the answer tells, the echo stands in for the first pending message with the same text, so that nothing appears
 * twice; if the answer is a refusal after all, the pending message is simply seen again.
 *
 * @param {Thread} thread @param {string} me
 * @returns {(Message & {key: string, own: boolean, state?: string})[]}
 */
export function entries(thread, me) {
  const echoes = thread.messages.filter((message) => message.senderId === me && !message.key);
  const entry = thread.messages.map((message) => {
    const news = thread.deliveries[message.id];
    const own = message.senderId === me;
    const state = own ? (message.delivery === 'sent' ? 'sent' : news?.status ?? message.delivery) : undefined;
    const eventId = message.eventId ?? news?.eventId;
    return { ...message, key: message.key ?? message.id, own, state, detail: news?.detail ?? message.detail, ...(eventId && { eventId }) };
  });
  for (const { item, status, detail } of thread.pending) {
    const echo = echoes.findIndex((message) => message.sequence > item.afterSequence && message.content === wording(item));
    if (status === 'sending' && echo >= 0) {
      echoes.splice(echo, 1);
      continue;
    }
    entry.push({
      id: item.key, key: item.key, senderId: me, own: true, sequence: Infinity, content: wording(item), kind: item.file?.kind ?? 'text',
      file: item.file, location: item.location, replyTo: item.replyTo ?? item.threadRoot, style: item.style, createdAt: new Date(item.queuedAt).toISOString(), state: status, detail, pending: item,
    });
  }
  return entry;
}

/** What the bridge will have for content: a file without a caption has its name. */
function wording(item) {
  return item.content || item.file?.name || '';
}
