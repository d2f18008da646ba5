/**
 * What a description says about streams, and the words that go with it. Pure functions over SDP text.
 *
 * Two rules of the other side (Element's engine) decide here. A track is heard only if it belongs to a MediaStream, so
 * every track is added with one and the SDP has `a=msid:<stream> <track>`. And `sdp_stream_metadata` has to name exactly
 * the streams that the SDP sends, each with a purpose and with both switches said out loud: what is left out is not
 * "off" there, but "as before".
 *
 * @typedef {{purpose: 'm.usermedia'|'m.screenshare', audio_muted: boolean, video_muted: boolean}} StreamInfo
 * @typedef {Record<string, StreamInfo>} StreamMetadata  by stream id
 */

export const USER_MEDIA = 'm.usermedia';
export const SCREEN = 'm.screenshare';

/** The media sections of an SDP: kind, whether it sends, and the stream that its track belongs to. */
export function sections(sdp) {
  return sdp.split(/\r?\nm=/).slice(1).map((text) => {
    const [kind, port] = text.split(/\s+/, 2);
    const has = (attribute) => text.split(/\r?\n/).includes(`a=${attribute}`);
    const stream = /^a=msid:(\S+)/m.exec(text)?.[1];
    return {
      kind,
      sends: port !== '0' && !has('recvonly') && !has('inactive'),
      stream: stream === '-' ? undefined : stream,
    };
  });
}

/**
 * The metadata for a description of our own.
 * @param {string} sdp
 * @param {{screenId?: string, audioMuted: boolean, videoMuted: boolean}} now
 * @returns {StreamMetadata}
 */
export function describeStreams(sdp, { screenId, audioMuted, videoMuted }) {
  const metadata = {};
  for (const { kind, sends, stream } of sections(sdp)) {
    if (!sends || !stream || !['audio', 'video'].includes(kind)) continue;
    const screen = stream === screenId;
    // Muted until a section says that there is such a track at all.
    metadata[stream] ??= { purpose: screen ? SCREEN : USER_MEDIA, audio_muted: true, video_muted: true };
    if (kind === 'audio') metadata[stream].audio_muted = !screen && audioMuted;
    if (kind === 'video') metadata[stream].video_muted = !screen && videoMuted;
  }
  return metadata;
}

/**
 * Which of the streams that we receive is the person and which the screen. Without metadata the first is the person: a
 * client that cannot say more sends one.
 * @param {string[]} streamIds  in the order of their coming
 * @param {StreamMetadata|undefined} metadata
 */
export function sortStreams(streamIds, metadata = {}) {
  const purpose = (id) => metadata[id]?.purpose;
  const screen = streamIds.find((id) => purpose(id) === SCREEN) ?? null;
  const camera = streamIds.find((id) => purpose(id) === USER_MEDIA) ?? streamIds.find((id) => id !== screen && !purpose(id)) ?? null;
  return { camera, screen };
}

/** Whether somebody can be heard and seen, as far as their metadata tells. */
export function switches(metadata) {
  const person = Object.values(metadata ?? {}).filter((info) => info?.purpose === USER_MEDIA);
  const on = (key) => (person.some((info) => typeof info[key] === 'boolean') ? person.some((info) => info[key] === false) : undefined);
  return { audio: on('audio_muted'), video: on('video_muted') };
}

/** A candidate as the bridge writes it → as the browser takes it. */
export function readCandidate({ candidate, sdp_mid, sdp_mline_index, username_fragment }) {
  return {
    candidate,
    ...(sdp_mid !== undefined && sdp_mid !== null && { sdpMid: sdp_mid }),
    ...(Number.isInteger(sdp_mline_index) && { sdpMLineIndex: sdp_mline_index }),
    ...(username_fragment && { usernameFragment: username_fragment }),
  };
}

/** A candidate of the browser's → as the bridge takes it. None at all is the end of them, and is an empty one. */
export function writeCandidate(candidate) {
  if (!candidate) return { candidate: '' };
  const { sdpMid, sdpMLineIndex, usernameFragment } = candidate;
  return {
    candidate: candidate.candidate,
    ...(sdpMid !== null && { sdp_mid: sdpMid }),
    ...(sdpMLineIndex !== null && { sdp_mline_index: sdpMLineIndex }),
    ...(usernameFragment && { username_fragment: usernameFragment }),
  };
}
