/**
 * Conversations and the people in them: how frames and lists change them. Pure functions of the state (store.js).
 *
 * @typedef {object} Member
 * @property {string} user_id
 * @property {string} [username]
 * @property {string} [display_name]
 * @property {string} [avatar_url]
 * @property {string} [role]  owner, admin, moderator, member
 * @property {'joined'|'invited'} [membership]
 * @property {string} [matrix_user_id]  set for people who are on Matrix
 * @property {number} [last_read_sequence]  the number of the newest message that they have read
 * @property {'online'|'unavailable'|'offline'} [presence]  where the bridge tells it
 *
 * @typedef {object} Conversation
 * @property {string} id
 * @property {'direct'|'group'} type
 * @property {string} [name]
 * @property {string} [description]
 * @property {string} [avatar_url]
 * @property {Member[]} members
 * @property {{id: string, content: string, sender_id: string, timestamp: string, gone?: boolean}} [last_message]
 * @property {string} [updated_at]
 * @property {number} unread_count
 * @property {boolean} [is_muted]
 * @property {boolean} [is_archived]
 */

export function withConversation(state, id, change) {
  const conversation = state.conversations[id];
  if (!conversation) return state;
  return { ...state, conversations: { ...state.conversations, [id]: { ...conversation, ...change(conversation) } } };
}

export function withPeople(state, members) {
  const people = { ...state.people };
  for (const member of members) people[member.user_id] = { ...people[member.user_id], ...member };
  return { ...state, people };
}

/** The list, as the bridge has just told it. */
export function withList(state, rows) {
  const conversations = {};
  for (const row of rows) {
    const old = state.conversations[row.id];
    const fresher = old?.last_message && !old.last_message.gone && isBefore(row.last_message?.timestamp ?? 0, old.last_message.timestamp);
    conversations[row.id] = {
      ...row,
      type: row.type ?? row.kind ?? 'group',
      // The list has only the first members of a large group.
      members: old && row.member_count > (row.members?.length ?? 0) ? old.members : withReads(old, row.members ?? old?.members ?? []),
      last_message: fresher ? old.last_message : row.last_message ?? undefined,
      unread_count: (fresher ? old.unread_count : row.unread_count) ?? 0,
    };
  }
  const selected = conversations[state.selected] ? state.selected : null;
  return withPeople({ ...state, list: { state: 'ready' }, conversations, selected }, rows.flatMap((row) => row.members ?? []));
}

export function withMembers(state, id, members) {
  return withPeople(withConversation(state, id, (conversation) => ({ members: withReads(conversation, members) })), members);
}

/** Nobody reads backwards: a list that was read before a frame must not take a receipt back. */
function withReads(conversation, members) {
  const known = new Map((conversation?.members ?? []).map((member) => [member.user_id, member.last_read_sequence ?? 0]));
  return members.map((member) => ({ ...member, last_read_sequence: Math.max(member.last_read_sequence ?? 0, known.get(member.user_id) ?? 0) }));
}

/** A `message.new` frame: the newest line of the list, and one more that is unread. */
export function withNews(state, id, message, { known }) {
  const own = message.senderId === state.me.id;
  const read = withRead(state, id, message.senderId, message.sequence);
  return withConversation(own ? read : state, id, (conversation) => {
    // After a resume old frames come again: they must not become the newest message of the list.
    if (isBefore(message.createdAt, conversation.last_message?.timestamp)) return {};
    const last = { id: message.id, content: message.content, sender_id: message.senderId, timestamp: message.createdAt, style: message.style };
    const again = known || conversation.last_message?.id === message.id;
    return { last_message: last, unread_count: own ? 0 : conversation.unread_count + (again ? 0 : 1) };
  });
}

/** A message is gone. Which one is the newest now, only the list knows: what it says next counts, though it is older. */
export function withGone(state, id, messageId) {
  return withConversation(state, id, ({ last_message: last }) => (last?.id === messageId ? { last_message: { ...last, content: '', gone: true } } : {}));
}

/** Somebody has read up to a message. @param {number} sequence */
export function withRead(state, id, userId, sequence) {
  return withConversation(state, id, ({ members }) => ({
    members: members.map((member) => (member.user_id === userId && (member.last_read_sequence ?? 0) < sequence ? { ...member, last_read_sequence: sequence } : member)),
  }));
}

/** A `conversation.updated` frame of one's own devices says what is new; every other only which fields are. */
export function withSettings(state, frame) {
  const settings = ['is_muted', 'is_archived'].filter((name) => typeof frame[name] === 'boolean');
  return withConversation(state, frame.conversation_id, () => Object.fromEntries(settings.map((name) => [name, frame[name]])));
}

export function withJoined(state, frame) {
  const member = readMember(frame);
  return withPeople(withConversation(state, frame.conversation_id, ({ members }) => ({ members: upsert(members, member) })), [member]);
}

export function withLeft(state, { conversation_id: id, user_id: user }) {
  if (user === state.me.id) return without(state, id);
  return withConversation(state, id, ({ members }) => ({ members: members.filter((member) => member.user_id !== user) }));
}

export function withRole(state, { conversation_id: id, user_id: user, new_role: role }) {
  return withConversation(state, id, ({ members }) => ({ members: members.map((member) => (member.user_id === user ? { ...member, role } : member)) }));
}

export function without(state, id) {
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

function isBefore(time, other) {
  return other !== undefined && Date.parse(time) < Date.parse(other);
}

/** The user's own member object. @param {Conversation|undefined} conversation @param {string} me */
export function ownMember(conversation, me) {
  return conversation?.members.find((member) => member.user_id === me);
}

/** Conversations, the one with the newest message first. @param {import('./store.js').State} state @returns {Conversation[]} */
export function sortedConversations(state, { archived = false } = {}) {
  const time = ({ last_message, updated_at, created_at }) => Date.parse(last_message?.timestamp ?? updated_at ?? created_at ?? 0);
  return Object.values(state.conversations).filter(({ is_archived: it }) => Boolean(it) === archived)
    .sort((a, b) => time(b) - time(a) || (a.id < b.id ? -1 : 1));
}
