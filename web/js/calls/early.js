/**
 * What the other side says of a call before this tab has a connection for it: while it rings, while the user is asked for
 * the microphone, and after a reload.
 *
 * One rule: the newest offer counts, with the candidates behind it. Those of an older one belong to a connection that
 * nobody will make.
 */
export class Early {
  /** @type {{description: RTCSessionDescriptionInit, metadata: object|undefined}|null} */
  offer = null;
  /** Frames, in the order in which they came. */
  candidates = [];

  /** @param {object} frame  any frame of the call; most are not for us */
  add(frame) {
    switch (frame.type) {
      case 'call.initiated':
        this.#begin(frame.offer, frame);
        return;
      case 'call.negotiate':
        this.#begin(frame.description, frame);
        return;
      case 'call.ice_candidate':
        if (this.offer) this.candidates.push(frame);
        return;
      default:
    }
  }

  #begin(description, { sdp, sdp_stream_metadata: metadata }) {
    const offer = description ?? { type: 'offer', sdp };
    if (offer.type !== 'offer') return;
    this.offer = { description: offer, metadata };
    this.candidates = [];
  }
}
