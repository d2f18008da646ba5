/**
 * The REST half of the Nova protocol: one method per route, nothing clever.
 *
 * Everything that asks for a state ("which conversations do I have?") goes through here; everything that happens
 * afterwards arrives as a frame on the WebSocket (see protocol.js). All paths are relative to the page, so that the
 * client also works behind a proxy that serves the bridge below a folder.
 *
 * An error answer has this body; `code` is made for programs, `message` for people:
 *
 *   {"error":"Forbidden","message":"forbidden","status":403,"error_type":"authorization_error",
 *    "code":"AUTHORIZATION_ERROR","timestamp":"2026-01-08T09:15:30Z"}
 */

/** How many messages one page of history has. */
export const PAGE_SIZE = 50;
const REQUEST_TIMEOUT_MS = 20_000;
/** Codes of error frames that say "not now" rather than "never". */
const TRANSIENT_CODES = /RATE|TOO_MANY|UNAVAILABLE|TIMEOUT|DATABASE|INTERNAL|CONNECTION/i;

/** What went wrong, in one shape for both halves of the protocol. */
export class NovaError extends Error {
  /** @param {{code: string, detail: string, status?: number, transient?: boolean}} what */
  constructor({ code, detail, status, transient }) {
    super(detail);
    this.name = 'NovaError';
    this.code = code;
    this.detail = detail;
    this.status = status;
    /** True when the same request may succeed later. A request whose outcome is unknown is transient as well. */
    this.transient = transient ?? TRANSIENT_CODES.test(code);
  }
}

export class NovaRest {
  #baseUrl;
  #token;
  #fetch;

  /** @param {{baseUrl: string|URL, token: string, fetch?: typeof fetch}} options */
  constructor({ baseUrl, token, fetch = globalThis.fetch.bind(globalThis) }) {
    this.#baseUrl = new URL(baseUrl);
    this.#token = token;
    this.#fetch = fetch;
  }

  /** Every conversation of the user, with members and last message: those that are in use, or those that are put away. */
  async conversations({ archived = false } = {}) {
    const body = await this.#call('GET', archived ? 'conversations?archived=true' : 'conversations');
    return body?.conversations ?? [];
  }

  /**
   * One page of history, oldest message first. `before` is the id of the oldest message already known; without it the
   * newest page comes.
   */
  async messages(conversationId, { before, limit = PAGE_SIZE } = {}) {
    const query = new URLSearchParams({ limit: String(limit), include_recalled: 'true' });
    if (before) query.set('before_message_id', before);
    return (await this.#call('GET', `conversations/${id(conversationId)}/messages?${query}`)) ?? [];
  }

  /** One message as it is now: its reactions, and fresh links to its file. */
  message(messageId) {
    return this.#call('GET', `messages/${id(messageId)}`);
  }

  /**
   * Sends a message. The idempotency key makes repeating safe: the bridge answers a known key with the message that it
   * already has, so a client that got no answer simply asks again with the same key. `media` is what the message
   * carries, in the words of the API: `{media_id, …}` of an upload, or `{latitude, longitude}`.
   */
  sendMessage({ conversationId, content, idempotencyKey, style, replyTo, threadRoot, media }) {
    return this.#call('POST', `conversations/${id(conversationId)}/messages`, {
      content,
      idempotency_key: idempotencyKey,
      ...(style && { style }),
      ...(replyTo && { reply_to_message_id: replyTo }),
      ...(threadRoot && { thread_root_message_id: threadRoot }),
      ...media,
    });
  }

  /** `version` is the one that the author has seen: 409 where it was edited since. */
  editMessage(messageId, { content, version }) {
    return this.#call('PUT', `messages/${id(messageId)}`, { content, version_number: version });
  }

  deleteMessage(messageId) {
    return this.#call('DELETE', `messages/${id(messageId)}`);
  }

  recallMessage(messageId) {
    return this.#call('POST', `messages/${id(messageId)}/recall`, {});
  }

  react(messageId, emoji) {
    return this.#call('POST', `messages/${id(messageId)}/reactions`, { emoji });
  }

  /** What is pinned, the last one first: `{messages, pins}`. */
  pinned(conversationId) {
    return this.#call('GET', `conversations/${id(conversationId)}/pinned`);
  }

  pin(messageId) {
    return this.#call('POST', `messages/${id(messageId)}/pin`, {});
  }

  unpin(messageId) {
    return this.#call('DELETE', `messages/${id(messageId)}/pin`);
  }

  /** Those to a message, each with the first people who made it. */
  async reactions(messageId) {
    return (await this.#call('GET', `messages/${id(messageId)}/reactions`))?.reactions ?? [];
  }

  /** The thread that begins with a message, or that it is said in: `{root_event_id, root, messages, has_more}`. */
  thread(messageId, { after = 0 } = {}) {
    const query = new URLSearchParams({ limit: '200', after_sequence: String(after), include_recalled: 'true' });
    return this.#call('GET', `messages/${id(messageId)}/thread?${query}`);
  }

  /** Takes back one's own reaction. */
  unreact(messageId, me, emoji) {
    return this.#call('DELETE', `messages/${id(messageId)}/reactions/${id(me)}?${new URLSearchParams({ emoji })}`);
  }

  /** `{message_id}` or `{sequence_number}`: up to and with this one; `{}` is everything. `message.read` does the same by the socket. */
  markRead(conversationId, upTo) {
    return this.#call('POST', `conversations/${id(conversationId)}/read`, upTo);
  }

  /** Messages with all the words, the newest first: in one conversation, or in all. */
  async search(words, { conversationId, limit = 30, offset = 0 } = {}) {
    const query = new URLSearchParams({ q: words, limit: String(limit), offset: String(offset) });
    const path = conversationId ? `conversations/${id(conversationId)}/messages/search` : 'messages/search';
    return (await this.#call('GET', `${path}?${query}`)) ?? [];
  }

  /** `is_muted`, `is_archived`: for oneself. `name`, `description`, `avatar_url`: for everybody, by admins. */
  changeSettings(conversationId, settings) {
    return this.#call('PATCH', `conversations/${id(conversationId)}/settings`, settings);
  }

  /** For everybody, by an owner. */
  deleteGroup(conversationId) {
    return this.#call('DELETE', `conversations/${id(conversationId)}`);
  }

  /** Uploads a small file and says what the bridge made of it; larger ones want progress, see uploads.js. */
  async upload(file) {
    const { url, authorization } = this.uploadRequest({ name: file.name || 'picture' });
    const headers = { authorization, ...(file.type && { 'content-type': file.type }) };
    const answer = await this.#fetch(url, { method: 'POST', headers, body: file }).catch(() => null);
    if (!answer) throw new NovaError({ code: 'CONNECTION_FAILED', detail: 'The bridge cannot be reached.', transient: true });
    const text = await answer.text();
    const media = answer.ok ? decode(text) : null;
    if (!media?.media_id) throw failure(answer.status, text);
    return media;
  }

  /** A request of one's own making to `POST /media`, which takes the file itself; see uploads.js. */
  uploadRequest({ name, kind }) {
    const query = new URLSearchParams({ file_name: name, ...(kind && { kind }) });
    return { url: new URL(`media?${query}`, this.#baseUrl).href, authorization: `Bearer ${this.#token}` };
  }

  /** All members, however many pages that takes. */
  async members(conversationId) {
    const members = [];
    for (;;) {
      const query = new URLSearchParams({ limit: '200', offset: String(members.length) });
      const page = await this.#call('GET', `conversations/${id(conversationId)}/members?${query}`);
      const rows = page?.members ?? [];
      members.push(...rows);
      if (rows.length === 0 || members.length >= (page.total ?? 0)) return members;
    }
  }

  /** Finds or makes the direct conversation with a Matrix user, `@alice:example.org`. */
  startMatrixChat(mxid) {
    return this.#call('POST', 'conversations/matrix', { mxid });
  }

  /** Finds or makes the direct conversation with another Nova user. */
  startNovaChat(me, other) {
    return this.#call('POST', 'conversations', { user_a: me, user_b: other });
  }

  /** `members` may mix Nova user ids and Matrix ids. */
  createGroup(name, members) {
    return this.#call('POST', 'conversations/groups', { name, member_ids: members });
  }

  /** `user` is a Nova user id or a Matrix id. */
  addMember(conversationId, user) {
    return this.#call('POST', `conversations/${id(conversationId)}/members`, { user_id: user });
  }

  removeMember(conversationId, user) {
    return this.#call('DELETE', `conversations/${id(conversationId)}/members/${id(user)}`);
  }

  /** `role`: owner, admin, moderator, member. */
  setRole(conversationId, user, role) {
    return this.#call('PUT', `conversations/${id(conversationId)}/members/${id(user)}/role`, { role });
  }

  leave(conversationId) {
    return this.#call('POST', `conversations/${id(conversationId)}/leave`, {});
  }

  /** Who asks to be let into a group, the first one first. */
  async knocks(conversationId) {
    return (await this.#call('GET', `conversations/${id(conversationId)}/knocks`))?.knocks ?? [];
  }

  acceptKnock(conversationId, user) {
    return this.#call('POST', `conversations/${id(conversationId)}/knocks/${id(user)}/accept`, {});
  }

  /** Whoever does not knock any more is as good as declined. */
  declineKnock(conversationId, user) {
    return this.#goneIsFine(this.#call('POST', `conversations/${id(conversationId)}/knocks/${id(user)}/decline`, {}));
  }

  /** Who asks the user to come to a conversation, the newest first. */
  async requests() {
    return (await this.#call('GET', 'message-requests')) ?? [];
  }

  /** @returns {Promise<{conversation_id: string}>} */
  acceptRequest(requestId) {
    return this.#call('POST', `message-requests/${id(requestId)}/accept`, {});
  }

  /** One that is gone is as good as rejected. */
  rejectRequest(requestId) {
    return this.#goneIsFine(this.#call('POST', `message-requests/${id(requestId)}/reject`, {}));
  }

  /** Whom the user blocks, the newest first. */
  async blocks() {
    return (await this.#call('GET', 'blocks')) ?? [];
  }

  /** `user` is a Nova user id or a Matrix id. Once more does no harm. */
  block(user) {
    return this.#call('POST', 'blocks', { user_id: user });
  }

  unblock(user) {
    return this.#goneIsFine(this.#call('DELETE', `blocks/${id(user)}`));
  }

  /** Who may write to the user without asking: `anyone`, `followers`, `mutuals`, `nobody`. */
  async dmPermission() {
    return (await this.#call('GET', 'settings/privacy')).dm_permission;
  }

  setDmPermission(permission) {
    return this.#call('PUT', 'settings/dm-permission', { dm_permission: permission });
  }

  async #goneIsFine(call) {
    try {
      return await call;
    } catch (error) {
      if (error.status === 404) return null;
      throw error;
    }
  }

  /** Where a call may find its way: for `new RTCPeerConnection({ iceServers })`. @returns {Promise<RTCIceServer[]>} */
  async iceServers() {
    const body = await this.#call('GET', 'calls/ice-servers');
    return body?.iceServers ?? body?.ice_servers ?? [];
  }

  /** The calls that are not over and that the user has a part in. */
  async activeCalls() {
    return (await this.#call('GET', 'calls/active'))?.calls ?? [];
  }

  /** The calls that are over, the newest first. */
  async callHistory() {
    const body = await this.#call('GET', 'calls/history');
    return Array.isArray(body) ? body : body?.calls ?? [];
  }

  async callParticipants(callId) {
    return (await this.#call('GET', `calls/${id(callId)}/participants`))?.participants ?? [];
  }

  /** What `call.hangup` does, for when there is no socket. Ending an ended call is fine. */
  endCall(callId, reason) {
    return this.#call('POST', `calls/${id(callId)}/end`, { reason });
  }

  leaveCall(callId) {
    return this.#call('POST', `calls/${id(callId)}/leave`, {});
  }

  /** @returns {Promise<any>} the decoded body, or null when there is none */
  async #call(method, path, body) {
    let response;
    try {
      response = await this.#fetch(new URL(path, this.#baseUrl), {
        method,
        headers: {
          Authorization: `Bearer ${this.#token}`,
          ...(body !== undefined && { 'Content-Type': 'application/json' }),
        },
        body: body === undefined ? undefined : JSON.stringify(body),
        signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
      });
    } catch {
      // The request may have reached the bridge all the same: the caller must assume nothing.
      throw new NovaError({ code: 'CONNECTION_FAILED', detail: 'The bridge cannot be reached.', transient: true });
    }
    const text = await response.text().catch(() => '');
    if (response.ok) return decode(text);
    throw failure(response.status, text);
  }
}

/** What an answer that is no success says. */
export function failure(status, text) {
  const body = decode(text);
  return new NovaError({
    code: body?.code ?? `HTTP_${status}`,
    detail: body?.message ?? `The bridge answered ${status}.`,
    status,
    // 401 counts as transient: the message is fine, and goes out after the next sign-in.
    transient: status >= 500 || [401, 408, 429].includes(status),
  });
}

function id(value) {
  return encodeURIComponent(value);
}

/** @returns {any} null where the text is no JSON */
export function decode(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null; // 204, or a proxy's page instead of the bridge's JSON
  }
}
