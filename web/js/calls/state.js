/**
 * What the client knows about calls, and how it changes: a pure reducer, no clock, no network, no media.
 *
 * The bridge rings every socket of a user, so every tab shows the same rings; a call is *in* only one tab, the one that
 * placed or accepted it: `active`. What a tab knows it by is the participant id in the bridge's reply.
 *
 *      call ─▶ starting ─▶ calling ─▶ ringing ─┐                        ┌─▶ reconnecting ─┐
 *                                              ├─▶ connecting ─▶ connected ◀──────────────┘
 *      ring (in `rings`) ─▶ accept ────────────┘                        └─▶ ended (in `ended`)
 *
 * @typedef {object} Ring  a call that rings for us
 * @property {string} id
 * @property {string} conversationId
 * @property {string} callerId
 * @property {string} [callerName]
 * @property {string} [avatarUrl]
 * @property {'direct'|'group'} kind
 * @property {boolean} video
 * @property {number|null} expiresAt  milliseconds since 1970
 * @property {string} [replaces]  our own call that this one takes the place of
 *
 * @typedef {object} Peer  somebody in the call of this tab
 * @property {string} connection  as RTCPeerConnection.connectionState says
 * @property {boolean} audio  whether they can be heard
 * @property {boolean} video  whether they can be seen
 * @property {boolean} hasVideo  whether a picture of them comes in
 * @property {boolean} hasScreen  whether their screen comes in
 * @property {'good'|'fair'|'poor'|null} quality
 *
 * @typedef {object} Active  the call of this tab
 * @property {string|null} id  null until the bridge has answered
 * @property {string} conversationId
 * @property {'direct'|'group'} kind
 * @property {'outgoing'|'incoming'} direction
 * @property {boolean} video  whether it was meant to have video
 * @property {'starting'|'calling'|'ringing'|'connecting'|'connected'|'reconnecting'|'replacing'} phase
 * @property {string|null} participantId
 * @property {string} [callerName]
 * @property {number|null} startedAt  when media came first
 * @property {boolean} muted
 * @property {boolean} camera
 * @property {boolean} sharing
 * @property {boolean} held  the other side lets us wait
 * @property {string|null} notice  something to tell that does not end the call
 * @property {Record<string, Peer>} peers  by user id
 *
 * @typedef {object} Ended  what the end screen tells
 * @property {string|null} id
 * @property {string} conversationId
 * @property {'direct'|'group'} kind
 * @property {'outgoing'|'incoming'} direction
 * @property {boolean} video
 * @property {string} reason
 * @property {string} [detail]
 * @property {number} durationMs
 * @property {boolean} byMe
 *
 * @typedef {object} HistoryRow
 * @property {string} id
 * @property {string} conversationId
 * @property {string} initiatorId
 * @property {boolean} outgoing
 * @property {boolean} video
 * @property {boolean} missed
 * @property {string} [reason]
 * @property {string} at  RFC 3339
 * @property {number} durationMs
 *
 * @typedef {object} CallsState
 * @property {string} me
 * @property {boolean} online
 * @property {Ring[]} rings  the oldest first
 * @property {Active|null} active
 * @property {Ended|null} ended
 * @property {Record<string, {id: string, video: boolean, people: string[]}>} ongoing  group calls that can be joined, by conversation
 * @property {object|null} rejoin  the call that this tab was in before it was reloaded
 * @property {number} cameras
 * @property {{state: 'new'|'loading'|'ready'|'failed', error?: string, rows: HistoryRow[]}} history  the newest first
 * @property {number} seenAt  until when missed calls were looked at
 */
import { switches } from './sdp.js';

/** @returns {CallsState} */
export function initialCalls(me, { seenAt = 0 } = {}) {
  return {
    me, online: false, rings: [], active: null, ended: null, ongoing: {}, rejoin: null, cameras: 0,
    history: { state: 'new', rows: [] }, seenAt,
  };
}

const NEW_PEER = { connection: 'new', audio: true, video: true, hasVideo: false, hasScreen: false, quality: null };

/** @param {CallsState} state @returns {CallsState} */
export function reduceCalls(state, action) {
  switch (action.type) {
    case 'online':
      return { ...state, online: action.online };
    case 'frame':
      return withFrame(state, action.frame, action.now);
    case 'started':
      return { ...state, ended: null, rejoin: null, rings: state.rings.filter(({ id }) => id !== action.call.id), active: newActive(action.call) };
    case 'placed':
      return withActive(state, { id: action.id, participantId: action.participantId, phase: 'ringing' });
    case 'accepted':
      return withActive(state, { participantId: action.participantId });
    case 'joined':
      return withActive(state, { id: action.id, participantId: action.participantId, phase: 'connecting' });
    case 'local':
      return withActive(state, action.change);
    case 'peer':
      return withPeer(state, action.user, action.change, action.now);
    case 'ring.removed':
      return withoutRing(state, action.id);
    case 'ended':
      return withEnd(state, { ...action, byMe: action.byMe ?? false });
    case 'ended.seen':
      return { ...state, ended: null };
    case 'reconciled':
      return withCallsOfBridge(state, action);
    case 'rejoin':
      return { ...state, rejoin: action.saved };
    case 'cameras':
      return { ...state, cameras: action.count };
    case 'history.loading':
      return state.history.state === 'ready' ? state : { ...state, history: { ...state.history, state: 'loading' } };
    case 'history.loaded':
      return { ...state, history: { state: 'ready', rows: sortRows([...action.rows, ...state.history.rows]) } };
    case 'history.failed':
      return state.history.state === 'ready' ? state : { ...state, history: { ...state.history, state: 'failed', error: action.error } };
    case 'history.seen':
      return { ...state, seenAt: action.at };
    default:
      return state;
  }
}

/** @returns {Active} */
function newActive({ id = null, conversationId, kind = 'direct', direction, video, camera = false, phase = 'starting', callerName, peers = [], participantId = null, startedAt = null }) {
  return {
    id, conversationId, kind, direction, video, phase, participantId, callerName, startedAt,
    muted: false, camera, sharing: false, held: false, notice: null,
    peers: Object.fromEntries(peers.map((user) => [user, NEW_PEER])),
  };
}

/** One frame of the WebSocket. */
function withFrame(state, frame, now) {
  const id = frame.call_id;
  const mine = state.active?.id === id && id !== undefined;
  switch (frame.type) {
    case 'call.initiated':
      return withInitiated(state, frame);
    case 'call.answered': {
      // All our sockets hear it, and only the one that placed the call goes on.
      if (!mine) return frame.answerer_id === state.me ? withoutRing(state, id) : state;
      if (frame.answerer_id === state.me || state.active.direction !== 'outgoing' || state.active.phase !== 'ringing') return state;
      return withPeer(withActive(state, { phase: 'connecting' }), frame.answerer_id, known(switches(frame.sdp_stream_metadata)), now);
    }
    case 'call.answered_elsewhere':
      if (!mine) return withoutRing(state, id);
      // Ours, or nobody's yet: then the reply to our own answer decides.
      if (state.active.participantId === null || state.active.participantId === frame.participant_id) return state;
      return withEnd(state, { reason: 'answered_elsewhere', now });
    case 'call.rejected':
      if (!mine) return withoutRing(state, id);
      return state.active.kind === 'group' ? state : withEnd(state, { reason: frame.reason ?? 'declined', byMe: frame.rejected_by === state.me, now });
    case 'call.missed':
      return withMissed(withoutOngoing(mine ? withEnd(state, { reason: frame.reason ?? 'no_answer', now }) : state, id), frame);
    case 'call.ended': {
      const next = withoutOngoing(state, id);
      if (!mine) return withoutRing(next, id);
      // The other side called at the same moment, and its call takes the place of ours.
      if (frame.reason === 'replaced' && !state.active.startedAt) return withActive(next, { phase: 'replacing' });
      return withEnd(next, {
        reason: frame.reason ?? 'user_hangup', detail: frame.detail, durationMs: frame.duration_ms, byMe: frame.ended_by === state.me, now,
      });
    }
    case 'call.media_state':
      return mine ? withPeer(state, frame.user_id, known({ audio: frame.audio_enabled, video: frame.video_enabled }), now) : state;
    case 'call.negotiate':
      return mine ? withPeer(state, frame.user_id, known(switches(frame.sdp_stream_metadata)), now) : state;
    case 'call.participant_joined': {
      const next = withOngoing(state, frame, (people) => [...people.filter((user) => user !== frame.user_id), frame.user_id]);
      if (!mine || frame.user_id === state.me) return next;
      const phase = state.active.phase === 'ringing' ? 'connecting' : state.active.phase;
      return withPeer(withActive(next, { phase }), frame.user_id, {}, now);
    }
    case 'call.participant_left': {
      const next = withOngoing(state, frame, (people) => people.filter((user) => user !== frame.user_id));
      if (!mine) return next;
      if (frame.user_id !== state.me) return withoutPeer(next, frame.user_id);
      return frame.participant_id === state.active.participantId ? withEnd(next, { reason: 'user_hangup', now }) : next;
    }
    default:
      return state;
  }
}

function withInitiated(state, frame) {
  const group = frame.call_type === 'group';
  const next = group
    ? { ...state, ongoing: { ...state.ongoing, [frame.conversation_id]: { id: frame.call_id, video: Boolean(frame.is_video), people: [frame.initiator_id] } } }
    : state;
  if (frame.initiator_id === state.me || state.active?.id === frame.call_id) return next;
  if (state.rings.some(({ id }) => id === frame.call_id)) return next;
  const expiresAt = Date.parse(frame.expires_at);
  const ring = {
    id: frame.call_id,
    conversationId: frame.conversation_id,
    callerId: frame.initiator_id,
    callerName: frame.caller?.name,
    avatarUrl: frame.caller?.avatar_url ?? frame.caller?.avatar,
    kind: group ? 'group' : 'direct',
    video: Boolean(frame.is_video),
    expiresAt: Number.isNaN(expiresAt) ? null : expiresAt,
    ...(frame.auto_accept && frame.replaces && { replaces: frame.replaces }),
  };
  return { ...next, rings: [...next.rings, ring] };
}

/** True when the call that comes in takes the place of the one that this tab has just placed: accept without asking. */
export function takesOver(state, ring) {
  return Boolean(ring.replaces) && state.active?.id === ring.replaces && !state.active.startedAt;
}

function withActive(state, change) {
  return state.active ? { ...state, active: { ...state.active, ...change } } : state;
}

function withPeer(state, user, change, now) {
  if (!state.active || user === undefined) return state;
  const { active } = state;
  const peers = { ...active.peers, [user]: { ...NEW_PEER, ...active.peers[user], ...change } };
  return { ...state, active: withConnection({ ...active, peers }, now) };
}

/** The call stands where the best of its connections stands. */
function withConnection(active, now) {
  const all = Object.values(active.peers).map(({ connection }) => connection);
  if (all.includes('connected')) return { ...active, phase: 'connected', startedAt: active.startedAt ?? now };
  const lost = active.startedAt !== null && all.some((connection) => connection === 'disconnected' || connection === 'failed');
  return lost ? { ...active, phase: 'reconnecting' } : active;
}

function withoutPeer(state, user) {
  if (!state.active?.peers[user]) return state;
  const { [user]: _gone, ...peers } = state.active.peers;
  return withActive(state, { peers });
}

function withoutRing(state, id) {
  return state.rings.some((ring) => ring.id === id) ? { ...state, rings: state.rings.filter((ring) => ring.id !== id) } : state;
}

function withEnd(state, { reason, detail, durationMs, byMe = false, now }) {
  const { active } = state;
  if (!active) return state;
  const lasted = durationMs || (active.startedAt ? Math.max(0, now - active.startedAt) : 0);
  const ended = {
    id: active.id, conversationId: active.conversationId, kind: active.kind, direction: active.direction, video: active.video,
    callerName: active.callerName, reason, durationMs: lasted, byMe, ...(detail && { detail }),
  };
  return { ...state, active: null, ended };
}

function withMissed(state, frame) {
  const row = {
    id: frame.call_id, conversationId: frame.conversation_id, initiatorId: frame.initiator_id, outgoing: false,
    video: Boolean(frame.is_video), missed: true, reason: frame.reason, at: frame.timestamp ?? new Date(0).toISOString(), durationMs: 0,
  };
  return { ...withoutRing(state, frame.call_id), history: { ...state.history, rows: sortRows([row, ...state.history.rows]) } };
}

function withOngoing(state, frame, change) {
  const call = state.ongoing[frame.conversation_id] ?? { id: frame.call_id, video: false, people: [] };
  const people = change(call.people);
  if (people.length === 0) return withoutOngoing(state, frame.call_id);
  return { ...state, ongoing: { ...state.ongoing, [frame.conversation_id]: { ...call, id: frame.call_id, people } } };
}

function withoutOngoing(state, id) {
  const rest = Object.entries(state.ongoing).filter(([, call]) => call.id !== id);
  return rest.length === Object.keys(state.ongoing).length ? state : { ...state, ongoing: Object.fromEntries(rest) };
}

/**
 * After a reconnect: what the bridge says is there. What it does not name ended while we were away.
 * @param {{calls: object[], known: string[], now: number}} action  known: the calls that we had when we asked
 */
function withCallsOfBridge(state, { calls, known: asked, now }) {
  const there = new Set(calls.map(callId));
  const gone = (id) => asked.includes(id) && !there.has(id);
  const ongoing = {};
  for (const call of calls) {
    if (call.call_type !== 'group' || call.status !== 'connected') continue;
    const people = (call.participants ?? []).filter(isThere).map((it) => it.user_id);
    ongoing[call.conversation_id] = { id: callId(call), video: Boolean(call.is_video), people };
  }
  const next = { ...state, ongoing, rings: state.rings.filter(({ id }) => !gone(id)), rejoin: state.rejoin && gone(state.rejoin.callId) ? null : state.rejoin };
  return state.active?.id && gone(state.active.id) ? withEnd(next, { reason: 'lost', now }) : next;
}

/** Whether a participant is in the call now: invited ones are not yet, and others have left. */
export function isThere({ connection_state: state, left_at: left }) {
  return state === undefined ? !left : state === 'connected' || state === 'disconnected';
}

/** Routes name a call `call_id`, and lists that are older than this client only `id`. */
export function callId(row) {
  return row.call_id ?? row.id;
}

/** A row of GET /calls/history. @returns {HistoryRow} */
export function readHistoryRow(row, me) {
  const reason = row.end_reason ?? row.reason;
  const outgoing = row.initiator_id === me;
  const unanswered = !row.started_at && !row.duration_ms;
  return {
    id: callId(row),
    conversationId: row.conversation_id,
    initiatorId: row.initiator_id,
    outgoing,
    video: Boolean(row.is_video),
    missed: !outgoing && (row.missed ?? (row.status === 'missed' || (unanswered && ['no_answer', 'cancelled', 'busy', 'lost'].includes(reason)))),
    ...(reason && { reason }),
    at: row.created_at ?? row.started_at ?? row.timestamp,
    durationMs: row.duration_ms ?? 0,
  };
}

/** The newest first, each once; what comes first in the list counts. */
function sortRows(rows) {
  const byId = new Map();
  for (const row of rows) if (!byId.has(row.id)) byId.set(row.id, row);
  return [...byId.values()].sort((a, b) => Date.parse(b.at) - Date.parse(a.at));
}

/** How many missed calls nobody has looked at. */
export function missedCount(state) {
  return state.history.rows.filter((row) => row.missed && Date.parse(row.at) > state.seenAt).length;
}

/** What is not told must not take back what is known. */
export function known(fields) {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
