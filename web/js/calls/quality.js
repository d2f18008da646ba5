/** How good a connection is, from two reports of `RTCPeerConnection.getStats()`. */

const EVERY_MS = 2_000;

/**
 * @typedef {object} Sample
 * @property {number} received  packets, all tracks together
 * @property {number} lost
 * @property {number|null} roundTripMs
 *
 * @param {Iterable<object>} report  the values of an RTCStatsReport
 * @returns {Sample}
 */
export function sample(report) {
  const found = { received: 0, lost: 0, roundTripMs: null };
  for (const entry of report) {
    if (entry.type === 'inbound-rtp') {
      found.received += entry.packetsReceived ?? 0;
      found.lost += entry.packetsLost ?? 0;
    } else if (entry.type === 'candidate-pair' && entry.nominated && entry.currentRoundTripTime !== undefined) {
      found.roundTripMs = entry.currentRoundTripTime * 1000;
    }
  }
  return found;
}

/**
 * @param {Sample|null} before
 * @param {Sample} now
 * @returns {'good'|'fair'|'poor'|null} null while there is nothing to compare
 */
export function quality(before, now) {
  if (!before) return null;
  const received = now.received - before.received;
  const lost = Math.max(0, now.lost - before.lost);
  // Nothing comes: a peer that is muted and has no camera still sends some packets.
  if (received <= 0) return lost > 0 ? 'poor' : null;
  const loss = lost / (received + lost);
  const trip = now.roundTripMs ?? 0;
  if (loss > 0.08 || trip > 600) return 'poor';
  return loss > 0.02 || trip > 300 ? 'fair' : 'good';
}

/** Compares the reports of all the connections of a call, again and again. */
export class QualityWatch {
  #peers;
  #onQuality;
  #timer = null;
  /** user id → the sample before */
  #samples = new Map();

  /**
   * @param {Map<string, import('./voip.js').Peer>} peers  by user id
   * @param {(user: string, quality: 'good'|'fair'|'poor') => void} onQuality
   */
  constructor(peers, onQuality) {
    this.#peers = peers;
    this.#onQuality = onQuality;
  }

  start() {
    this.#timer ??= setInterval(() => this.#measure(), EVERY_MS);
  }

  stop() {
    clearInterval(this.#timer);
    this.#timer = null;
  }

  async #measure() {
    for (const [user, peer] of this.#peers) {
      const report = await peer.pc.getStats().catch(() => null);
      if (this.#timer === null || !report) return;
      const now = sample(report.values());
      const found = quality(this.#samples.get(user) ?? null, now);
      this.#samples.set(user, now);
      if (found) this.#onQuality(user, found);
    }
  }
}
