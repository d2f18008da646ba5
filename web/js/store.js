/**
 * The whole state of the client and how frames change it. `reduce` is pure: no clock, no network, no DOM. The views
 * draw from the state, the session (session.js) does what must be done in the world.
 *
 * @typedef {object} Member
 * @property {string} user_id
 * @property {string} [username]
 * @property {string} [display_name]
 * @property {string} [avatar_url]
 * @property {string} [role]  owner, admin, moderator, member
 * @property {'joined'|'invited'} [membership]
 * @property {string} [matrix_user_id]  set for people who are on Matrix
 *
 * @typedef {object} Conversation
 * @property {string} id
 * @property {'direct'|'group'} type
 * @property {string} [name]
 * @property {string} [avatar_url]
 * @property {Member[]} members
 * @property {{content: string, sender_id: string, timestamp: string}} [last_message]
 * @property {string} [updated_at]
 * @property {boolean} [unread]  something came since it was last looked at, in this session
 *
 * @typedef {object} State
 * @property {{id: string, username: string}} me
 * @property {import('./protocol.js').ConnectionStatus} connection
 * @property {{state: 'loading'|'ready'|'failed', error?: string}} list
 * @property {Record<string, Conversation>} conversations
 * @property {Record<string, import('./thread.js').Thread>} threads
 * @property {Record<string, Member>} people  everybody ever seen, so that who has left keeps a name
 * @property {string|null} selected
 */
import { EMPTY_THREAD, readMessage, withDelivery, withMessage, withPage, withPending } from './thread.js';

/** @returns {State} */
export function initialState(me) {
  return {
    me, connection: { status: 'offline' }, list: { state: 'loading' },
    conversations: {}, threads: {}, people: {}, selected: null,
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
      return withConversation({ ...state, selected: action.id }, action.id, () => ({ unread: false }));
    case 'members.loaded':
      return withPeople(withConversation(state, action.id, () => ({ members: action.members })), action.members);
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
    case 'frame':
      return withFrame(state, action.frame);
    default:
      return action.type.startsWith('pending.')
        ? withThread(state, action.item.conversationId, (thread) => withPending(thread, action, state.me.id))
        : state;
  }
}

/** One frame of the WebSocket. Unknown types change nothing. Calls have a store of their own (calls/state.js). */
function withFrame(state, frame) {
  const id = frame.conversation_id;
  switch (frame.type) {
    case 'message.new':
      return withNewMessage(state, id, readMessage(frame));
    case 'message.delivery':
      return withThread(state, id, (thread) => withDelivery(thread, frame));
    case 'member.joined':
      return withPeople(withConversation(state, id, ({ members }) => ({ members: upsert(members, readMember(frame)) })), [readMember(frame)]);
    case 'member.left':
    case 'member_left':
      return frame.user_id === state.me.id
        ? without(state, id)
        : withConversation(state, id, ({ members }) => ({ members: members.filter((member) => member.user_id !== frame.user_id) }));
    case 'member.role_changed':
      return withConversation(state, id, ({ members }) => ({
        members: members.map((member) => (member.user_id === frame.user_id ? { ...member, role: frame.new_role } : member)) }));
    case 'group_deleted':
      return without(state, id);
    default:
      return state;
  }
}

/**
 * True when a frame tells of something whose details only the conversation list has: a conversation that we do not
 * know, or changed settings (the frame names the fields but not their values).
 * @param {State} state  before the frame was reduced
 */
export function needsList(state, frame) {
  if (frame.type === 'conversation.created' || frame.type === 'conversation.updated') return true;
  return (frame.type === 'message.new' || frame.type === 'member.joined') && !state.conversations[frame.conversation_id];
}

function withNewMessage(state, id, message) {
  const own = message.senderId === state.me.id;
  const thread = state.threads[id];
  // A thread that was never opened gets its history later; adding only the newest message would look complete.
  const next = thread && thread.state !== 'new' ? withThread(state, id, () => withMessage(thread, message)) : state;
  return withConversation(next, id, (conversation) => {
    // After a resume old frames come again: they must not become the newest message of the list.
    if (isBefore(message.createdAt, conversation.last_message?.timestamp)) return {};
    const last = { content: message.content, sender_id: message.senderId, timestamp: message.createdAt, style: message.style };
    const known = thread?.messages.some((other) => other.id === message.id);
    return { last_message: last, unread: conversation.unread || (!own && !known && state.selected !== id) };
  });
}

function isBefore(time, other) {
  return other !== undefined && Date.parse(time) < Date.parse(other);
}

function withList(state, rows) {
  const conversations = {};
  for (const row of rows) {
    const old = state.conversations[row.id];
    const fresher = old?.last_message && isBefore(row.last_message?.timestamp ?? 0, old.last_message.timestamp);
    conversations[row.id] = {
      ...row,
      type: row.type ?? row.kind ?? 'group',
      members: row.members ?? old?.members ?? [],
      last_message: fresher ? old.last_message : row.last_message ?? undefined,
      unread: old?.unread ?? false,
    };
  }
  const selected = conversations[state.selected] ? state.selected : null;
  return withPeople({ ...state, list: { state: 'ready' }, conversations, selected }, rows.flatMap((row) => row.members ?? []));
}

/** Frames were missed without a replay: every thread but the open one is loaded anew when it is looked at. */
function withStaleThreads(state) {
  const threads = {};
  for (const [id, thread] of Object.entries(state.threads)) {
    threads[id] = id === state.selected ? thread : { ...EMPTY_THREAD, pending: thread.pending, deliveries: thread.deliveries };
  }
  return { ...state, threads };
}

function withConversation(state, id, change) {
  const conversation = state.conversations[id];
  if (!conversation) return state;
  return { ...state, conversations: { ...state.conversations, [id]: { ...conversation, ...change(conversation) } } };
}

function withThread(state, id, change) {
  return { ...state, threads: { ...state.threads, [id]: change(state.threads[id] ?? EMPTY_THREAD) } };
}

function withPeople(state, members) {
  const people = { ...state.people };
  for (const member of members) people[member.user_id] = { ...people[member.user_id], ...member };
  return { ...state, people };
}

function without(state, id) {
  const { [id]: _gone, ...conversations } = state.conversations;
  const { [id]: _thread, ...threads } = state.threads;
  return { ...state, conversations, threads, selected: state.selected === id ? null : state.selected };
}

function upsert(members, member) {
  const known = members.find((other) => other.user_id === member.user_id);
  return known ? members.map((other) => (other === known ? { ...known, ...member } : other)) : [...members, member];
}

/** The fields of a member that a frame carries; what it leaves out must not erase what we know. @returns {Member} */
function readMember({ user_id, username, display_name, avatar_url, role, membership = 'joined', matrix_user_id }) {
  const member = { user_id, username, display_name, avatar_url, role, membership, matrix_user_id };
  return Object.fromEntries(Object.entries(member).filter(([, value]) => value !== undefined));
}

/** Conversations, the one with the newest message first. @param {State} state @returns {Conversation[]} */
export function sortedConversations(state) {
  const time = ({ last_message, updated_at, created_at }) => Date.parse(last_message?.timestamp ?? updated_at ?? created_at ?? 0);
  return Object.values(state.conversations).sort((a, b) => time(b) - time(a) || (a.id < b.id ? -1 : 1));
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
