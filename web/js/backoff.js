/** When to try again. */

const FIRST_MS = 1_000;
const LAST_MS = 30_000;

/**
 * Timers as a parameter, so that tests need no waiting.
 * @typedef {object} Clock
 * @property {(run: () => void, ms: number) => unknown} setTimeout
 * @property {(timer: any) => void} clearTimeout
 */

/** @type {Clock} */
export const REAL_CLOCK = {
  setTimeout: (run, ms) => setTimeout(run, ms),
  clearTimeout: (timer) => clearTimeout(timer),
};

/**
 * How long to wait before try number `attempt` (0 is the first): doubling, capped, and spread over half of the span.
 * Without the spread all clients of a restarted bridge would come back in the same millisecond.
 */
export function backoff(attempt, random = Math.random) {
  const span = Math.min(LAST_MS, FIRST_MS * 2 ** Math.min(attempt, 10));
  return Math.round(span * (0.5 + random() / 2));
}
