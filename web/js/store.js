/**
 * The whole state of the client and how frames change it. `reduce` is pure: no clock, no network, no DOM. The views
 * draw from the state, the session (session.js) does what must be done in the world.
 *
 * @typedef {import('./conversations.js').Member} Member
 * @typedef {import('./conversations.js').Conversation} Conversation
 *
 * @typedef {object} State
 * @property {{id: string, username: string}} me
 * @property {import('./protocol.js').ConnectionStatus} connection
 * @property {{state: 'loading'|'ready'|'failed', error?: string}} list
 * @property {Record<string, Conversation>} conversations
 * @property {Record<string, import('./thread.js').Thread>} threads
 * @property {Record<string, Member>} people  everybody ever seen, so that who has left keeps a name
 * @property {string|null} selected
 * @property {{visible: boolean, atEnd: boolean}} looking  whether the page is seen, and the end of the open conversation
 * @property {{id: string, after: number}|null} marker  where the line "New messages" is: behind this number
 * @property {Record<string, Record<string, string>>} typing  who types where: conversation → user → name
 * @property {import('./uploads.js').Upload[]} uploads
 * @property {import('./requests.js').Request[]} requests  who asks to chat, the newest first
 * @property {Record<string, import('./message.js').Message[]>} pins  what is pinned where it was asked for, the last one first
 * @property {import('./side.js').Side|null} side  the thread that is shown in the place of its conversation
 * @property {Record<string, import('./knocks.js').Knock[]>} knocks  who asks to be let into which group
 * @property {string[]} blocked  whom the user blocks
 */
import {
  ownMember, withConversation, withGone, withJoined, withLeft, withList, withMembers, withNews, withPeople, withRead, withRole, withSettings, without,
} from './conversations.js';
import { edited, merge, readMessage, recalled } from './message.js';
import { withKnocked, withKnocks, withoutKnock } from './knocks.js';
import { EMPTY_THREAD, withChanged, withDelivery, withMessage, withPage, withPending, withoutMessage } from './thread.js';
import { withBlocked, withBlocks } from './privacy.js';
import { withRequested, withRequests, withoutRequest } from './requests.js';
import { withSide } from './side.js';
import { withTyping } from './typing.js';
import { withUpload } from './uploads.js';

/** @returns {State} */
export function initialState(me) {
  return {
    me, connection: { status: 'offline' }, list: { state: 'loading' },
    conversations: {}, threads: {}, people: {}, selected: null,
    looking: { visible: true, atEnd: true }, marker: null, typing: {}, uploads: [], requests: [], knocks: {}, pins: {}, side: null, blocked: [],
  };
}

/** @param {State} state @returns {State} */
export function reduce(state, action) {
  switch (action.type) {
    case 'connection':
      return { ...state, connection: action.connection };
    case 'list.loading':
      return state.list.state === 'ready' ? state : { ...state, list: { state: 'loading' } };
    case 'list.loaded':
      return withList(state, action.conversations);
    case 'list.failed':
      return state.list.state === 'ready' ? state : { ...state, list: { state: 'failed', error: action.error } };
    case 'select':
      return withSelected(state, action.id);
    case 'looking':
      return { ...state, looking: { ...state.looking, ...action.looking } };
    case 'read':
      return withConversation(withRead(state, action.id, state.me.id, action.sequence), action.id, () => ({ unread_count: 0 }));
    case 'members.loaded':
      return withMembers(state, action.id, action.members);
    case 'message.loaded':
      return withKnownThread(state, action.id, (thread) => withChanged(thread, action.row.id, (known) => merge(known, readMessage(action.row))));
    case 'quoted.loaded':
      return withKnownThread(state, action.id, (thread) => ({
        ...thread, quoted: { ...thread.quoted, [action.messageId]: action.row ? readMessage(action.row) : null } }));
    case 'thread.loading':
      return withThread(state, action.id, (thread) => (
        action.older ? { ...thread, loadingOlder: true } : { ...thread, state: thread.state === 'ready' ? 'ready' : 'loading' }));
    case 'thread.page':
      return withThread(state, action.id, (thread) => withPage(thread, action.rows.map(readMessage), action));
    case 'thread.failed':
      return withThread(state, action.id, (thread) => ({
        ...thread, loadingOlder: false, error: action.error, state: thread.state === 'ready' ? 'ready' : 'failed' }));
    case 'threads.stale':
      return withStaleThreads(state);
    case 'requests.loaded':
      return withRequests(state, action.requests);
    case 'request.gone':
      return withoutRequest(state, action.id);
    case 'pins.loaded':
      return { ...state, pins: { ...state.pins, [action.id]: action.messages } };
    case 'knocks.loaded':
      return withKnocks(state, action.id, action.knocks);
    case 'blocks.loaded':
      return withBlocks(state, action.blocks);
    case 'blocked':
      return withBlocked(state, action.user, action.blocked);
    case 'frame':
      return withFrame(state, action.frame);
    case 'typing':
      return withTyping(state, action);
    default:
      if (action.type.startsWith('pending.')) {
        return withThread(state, action.item.conversationId, (thread) => withPending(thread, action, state.me.id));
      }
      if (action.type.startsWith('side.')) return { ...state, side: withSide(state.side, action) };
      return action.type.startsWith('upload.') ? { ...state, uploads: withUpload(state.uploads, action) } : state;
  }
}

/** One frame of the WebSocket. Unknown types change nothing. Calls have a store of their own (calls/state.js). */
function withFrame(state, frame) {
  const id = frame.conversation_id;
  switch (frame.type) {
    case 'message.new':
      return withNewMessage(state, id, readMessage(frame));
    case 'message.edited':
      return withEdited(state, frame);
    case 'message.deleted':
      return withKnownThread(withGone(state, id, frame.message_id), id, (thread) => withoutMessage(thread, frame.message_id));
    case 'message.recalled':
      return withKnownThread(withGone(state, id, frame.message_id), id, (thread) => (
        withChanged(thread, frame.message_id, (message) => recalled(message, frame))));
    case 'message.delivery':
      return withThread(state, id, (thread) => withDelivery(thread, frame));
    // `read_receipt` is the same by another name.
    case 'message.read':
      return withReceipt(state, frame);
    case 'presence':
      return state.people[frame.user_id] ? withPeople(state, [{ user_id: frame.user_id, presence: frame.presence }]) : state;
    case 'member.joined':
      return withJoined(state, frame);
    case 'member.left':
    case 'member_left':
      return withLeft(state, frame);
    case 'member.role_changed':
      return withRole(state, frame);
    case 'member.knocked':
      return withKnocked(state, frame);
    case 'member.knock_answered':
      return withoutKnock(state, id, frame.user_id);
    case 'conversation.updated':
      return withSettings(state, frame);
    case 'group_deleted':
      return without(state, id);
    case 'relationship.updated':
      return withBlocked(state, frame.user_id, frame.is_blocking);
    case 'message_request.created':
      return withRequested(state, frame);
    case 'message_request.answered':
      return withoutRequest(state, frame.id);
    default:
      return state;
  }
}

/**
 * True when a frame tells of something whose details only the conversation list has: a conversation that we do not
 * know, changed settings (the frame names the fields but not their values), the message before one that is gone.
 * @param {State} state  before the frame was reduced
 */
export function needsList(state, frame) {
  const conversation = state.conversations[frame.conversation_id];
  switch (frame.type) {
    case 'conversation.created':
      return true;
    case 'conversation.updated':
      return typeof frame.is_muted !== 'boolean';
    case 'message_request.answered':
      return frame.status === 'accepted' && !state.conversations[frame.id];
    case 'message.new':
    case 'member.joined':
      return !conversation;
    case 'message.deleted':
    case 'message.recalled':
      return Boolean(conversation) && (conversation.unread_count > 0 || conversation.last_message?.id === frame.message_id);
    case 'message.read':
      // Read on another device, but not to the end: how much is left?
      return frame.user_id === state.me.id && conversation?.unread_count > 0 && conversation.last_message?.id !== frame.message_id;
    default:
      return false;
  }
}

/** True when a frame changes reactions to a message that is loaded: it does not say how many there are now. */
export function needsMessage(state, frame) {
  return frame.type.startsWith('reaction.')
    && Boolean(state.threads[frame.conversation_id]?.messages.some((message) => message.id === frame.message_id));
}

function withSelected(state, id) {
  const conversation = state.conversations[id];
  const own = ownMember(conversation, state.me.id);
  const unread = conversation?.unread_count > 0 && own;
  const marker = unread ? { id, after: own.last_read_sequence ?? 0 } : null;
  return { ...state, selected: id, side: null, marker, looking: { ...state.looking, atEnd: !unread } };
}

function withNewMessage(state, id, message) {
  const thread = state.threads[id];
  const known = Boolean(thread?.messages.some((other) => other.id === message.id));
  // A thread that was never opened gets its history later; adding only the newest message would look complete.
  const next = withKnownThread(state, id, () => withMessage(thread, message));
  const silent = withTyping(withNews(next, id, message, { known }), { conversation: id, user: message.senderId, typing: false });
  return { ...silent, marker: markerAfter(state, id, message, known) };
}

/** What comes while nobody looks at the end of the open conversation is below a line; an answer of one's own ends it. */
function markerAfter({ selected, me, marker, looking }, id, message, known) {
  if (id !== selected || known) return marker;
  if (message.senderId === me.id) return null;
  return marker ?? (looking.visible && looking.atEnd ? null : { id, after: message.sequence - 1 });
}

function withEdited(state, frame) {
  const id = frame.conversation_id;
  const next = withKnownThread(state, id, (thread) => withChanged(thread, frame.message_id, (message) => edited(message, frame)));
  return withConversation(next, id, ({ last_message: last }) => (
    last?.id === frame.message_id ? { last_message: { ...last, content: frame.content, style: frame.style } } : {}));
}

function withReceipt(state, frame) {
  const id = frame.conversation_id;
  const read = withRead(state, id, frame.user_id, frame.last_read_sequence);
  const all = frame.user_id === state.me.id && state.conversations[id]?.last_message?.id === frame.message_id;
  return all ? withConversation(read, id, () => ({ unread_count: 0 })) : read;
}

/** Frames were missed without a replay: every thread but the open one is loaded anew when it is looked at. */
function withStaleThreads(state) {
  const threads = {};
  for (const [id, thread] of Object.entries(state.threads)) {
    threads[id] = id === state.selected ? thread : { ...EMPTY_THREAD, pending: thread.pending, deliveries: thread.deliveries };
  }
  return { ...state, threads, typing: {}, pins: {} };
}

function withThread(state, id, change) {
  return { ...state, threads: { ...state.threads, [id]: change(state.threads[id] ?? EMPTY_THREAD) } };
}

/** Only where the messages of a conversation were asked for. */
function withKnownThread(state, id, change) {
  const thread = state.threads[id];
  return thread && thread.state !== 'new' ? withThread(state, id, change) : state;
}

/** The state, `dispatch`, and who wants to know. Listeners run once per turn, however many actions came in it. */
export function createStore(state, change = reduce) {
  const listeners = new Set();
  let planned = false;
  const notify = () => {
    planned = false;
    for (const listener of listeners) listener(state);
  };
  return {
    get state() { return state; },
    dispatch(action) {
      state = change(state, action);
      if (!planned) queueMicrotask(notify);
      planned = true;
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
