/** What people read about a call. Pure functions. */

/** `00:07`, `12:34`, `1:02:03`. */
export function duration(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const two = (value) => String(value).padStart(2, '0');
  const clock = `${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return seconds >= 3600 ? `${Math.floor(seconds / 3600)}:${clock}` : clock;
}

/** The line under the name. @param {import('./state.js').Active} active */
export function statusText(active, { now, online }) {
  switch (active.phase) {
    case 'starting':
      return active.direction === 'incoming' ? 'Connecting…' : 'Starting…';
    case 'calling':
      return 'Calling…';
    case 'ringing':
      return 'Ringing…';
    case 'connecting':
    case 'replacing':
      return active.kind === 'group' && Object.keys(active.peers).length === 0 ? 'Waiting for others…' : 'Connecting…';
    case 'reconnecting':
      return 'Reconnecting…';
    default: {
      if (!online) return 'Reconnecting…';
      if (active.held) return 'On hold';
      if (active.kind === 'group' && Object.keys(active.peers).length === 0) return 'Waiting for others…';
      return duration(now - active.startedAt);
    }
  }
}

/** The same for a screen reader, which must not hear every second. */
export function spokenStatus(active, { online }) {
  const text = statusText(active, { now: active.startedAt ?? 0, online });
  return /^[\d:]+$/.test(text) ? 'Call connected' : text.replace('…', '');
}

/** The end screen: what happened. @param {import('./state.js').Ended} ended @param {string} name  of the other side */
export function endText({ reason, direction, byMe, durationMs, detail }, name) {
  const texts = {
    user_hangup: 'Call ended',
    declined: byMe || direction === 'incoming' ? 'Call declined' : `${name} declined the call`,
    busy: `${name} is busy`,
    no_answer: direction === 'outgoing' ? `${name} did not answer` : 'Call missed',
    cancelled: 'Call cancelled',
    replaced: 'Call ended',
    transferred: `${name} handed the call over to somebody else`,
    lost: durationMs > 0 ? 'The connection was lost' : 'The call is over',
    ice_failed: durationMs > 0 ? 'The connection was lost' : 'No connection could be made',
    media_failed: 'No microphone',
    answered_elsewhere: 'Answered on another device',
    error: 'The call could not be made',
  };
  return { title: texts[reason] ?? 'Call ended', detail: detail ?? null };
}

/** One line of the history. @param {import('./state.js').HistoryRow} row */
export function historyText({ outgoing, missed, video, durationMs, reason }) {
  const what = video ? 'video call' : 'voice call';
  if (missed) return `Missed ${what}`;
  const side = `${outgoing ? 'Outgoing' : 'Incoming'} ${what}`;
  if (durationMs > 0) return `${side} · ${duration(durationMs)}`;
  const ends = { declined: 'declined', busy: 'busy', no_answer: 'no answer', cancelled: 'cancelled', ice_failed: 'not connected', media_failed: 'not connected' };
  return ends[reason] ? `${side} · ${ends[reason]}` : side;
}

/** Why microphone, camera or screen could not be had, and what to do. */
export function mediaProblem(error, what) {
  switch (error?.name) {
    case 'NotAllowedError':
    case 'SecurityError':
      return what === 'screen' ? 'The screen was not shared.' : `The ${what} is blocked. Allow it for this page in the browser’s settings, then call again.`;
    case 'NotFoundError':
    case 'OverconstrainedError':
      return `No ${what} was found.`;
    case 'NotReadableError':
    case 'AbortError':
      return `The ${what} cannot be used. Another program may be using it.`;
    case 'InsecureContextError':
      return 'The browser allows calls only on a secure page (https, or localhost).';
    default:
      return `The ${what} could not be started.`;
  }
}
