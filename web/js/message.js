/**
 * One message, as the client keeps it, and what may happen to it: pure functions.
 *
 * @typedef {object} Message
 * @property {string} id
 * @property {string} senderId
 * @property {number} sequence
 * @property {string} content  of a file without a caption: its name
 * @property {string} createdAt
 * @property {string} kind  text, image, video, audio, file, location
 * @property {number} version  from 1; an edit gives a higher one
 * @property {string} [editedAt]
 * @property {string} [recalledAt]  taken back: there is no content any more
 * @property {string} [replyTo]  the id of the message that it answers
 * @property {string} [eventId]  in Matrix, once it is there
 * @property {string} [threadRoot]  the event that the thread begins with in which it is said
 * @property {number} [answers]  how much is said in the thread that it begins; like reactions
 * @property {Reaction[]} [reactions]  only rows of REST have them, frames do not
 * @property {File} [file]
 * @property {{latitude: number, longitude: number, description?: string}} [location]
 * @property {string} [style]  notice or emote
 * @property {string} [key]  the idempotency key, when this page has sent it
 * @property {'pending'|'sent'|'retrying'|'failed'} [delivery]  own messages: how far on the way to Matrix
 * @property {string} [detail]  why delivery is retried or has failed
 *
 * @typedef {{emoji: string, count: number, user_reacted: boolean}} Reaction
 *
 * @typedef {object} File  what a message carries
 * @property {'image'|'video'|'audio'|'voice'|'file'|'sticker'} kind
 * @property {string} name
 * @property {string} type
 * @property {number} size  in bytes; 0 where nobody knows
 * @property {string} [url]  good for some hours, then the message has to be loaded again
 * @property {string} [thumbnail]
 * @property {number} [width]  in pixels
 * @property {number} [height]
 * @property {number} [durationMs]
 * @property {number[]} [waveform]  0 to 1024
 */

/** Reads a message from a frame or a REST row: both use the same field names. @returns {Message} */
export function readMessage(row) {
  const kind = row.message_type === undefined || typeof row.message_type === 'number' ? row.type : row.message_type;
  const style = row.style ?? (kind === 'notice' || kind === 'emote' ? kind : undefined);
  const file = readFile(row);
  return {
    id: row.id,
    senderId: row.sender_id,
    sequence: row.sequence_number,
    content: row.content ?? '',
    createdAt: row.created_at ?? row.timestamp,
    kind: !kind || style || kind.startsWith('message.') ? 'text' : kind,
    version: row.version_number ?? 1,
    ...(row.edited_at && { editedAt: row.edited_at }),
    ...(row.recalled_at && { recalledAt: row.recalled_at }),
    ...(row.reply_to_message_id && { replyTo: row.reply_to_message_id }),
    ...(row.matrix_event_id && { eventId: row.matrix_event_id }),
    ...(row.thread_root_event_id && { threadRoot: row.thread_root_event_id }),
    ...(row.thread_answers > 0 && { answers: row.thread_answers }),
    ...(Array.isArray(row.reactions) && { reactions: row.reactions }),
    ...(file && { file }),
    ...(row.location && { location: row.location }),
    ...(style && { style }),
    ...(row.delivery_status && { delivery: row.delivery_status }),
    ...(row.delivery_detail && { detail: row.delivery_detail }),
    ...(row.idempotency_key && { key: row.idempotency_key }),
  };
}

/** Its own file. Files that were added to it afterwards are messages of their own, and shown as such. */
function readFile(row) {
  const it = (row.attachments ?? []).find((attachment) => attachment.id === row.id);
  if (!it) return undefined;
  const file = {
    kind: it.kind, name: it.file_name, type: it.file_type, size: it.file_size ?? 0, url: it.url, thumbnail: it.thumbnail_url,
    width: it.width, height: it.height, durationMs: it.duration_ms, waveform: it.waveform,
  };
  return Object.fromEntries(Object.entries(file).filter(([, value]) => value !== undefined && value !== null));
}

/** What is written below a file: nothing where the content only repeats the file's name. @param {Message} message */
export function caption({ content, file, location }) {
  if (file && content === file.name) return '';
  // A place without words is called "Location".
  if (location && content === (location.description ?? content)) return '';
  return content;
}

/**
 * Two tellings of one message. The one with the higher version knows the text; reactions, links and the way to Matrix
 * come from whoever was asked last, which is `fresh`.
 */
export function merge(known, fresh) {
  if (known.recalledAt && !fresh.recalledAt) return known;
  const [older, newer] = fresh.version > known.version || fresh.recalledAt ? [known, fresh] : [fresh, known];
  const merged = {
    ...older, ...newer, key: fresh.key ?? known.key, reactions: fresh.reactions ?? known.reactions, file: fresh.file ?? known.file,
    // A row without a number has none; a frame does not know.
    answers: fresh.reactions ? fresh.answers : known.answers,
  };
  if (fresh.delivery) merged.delivery = laterDelivery(known.delivery, fresh.delivery);
  if (fresh.recalledAt) merged.file = undefined;
  for (const name of ['key', 'reactions', 'file', 'answers']) if (merged[name] === undefined) delete merged[name];
  return merged;
}

/** "sent" is final; a snapshot that was read before the frame must not take it back. */
function laterDelivery(old, fresh) {
  return old === 'sent' ? old : fresh;
}

/** A `message.edited` frame. It may come twice, and late. @param {Message} message */
export function edited(message, frame) {
  if (frame.version_number <= message.version || message.recalledAt) return message;
  const { style: _old, ...rest } = message;
  return {
    ...rest, content: frame.content, version: frame.version_number, editedAt: frame.edited_at ?? frame.timestamp,
    ...(frame.style && { style: frame.style }),
  };
}

/** A `message.recalled` frame: what is left says only that there was something. @param {Message} message */
export function recalled(message, frame) {
  const { file: _file, location: _location, reactions: _reactions, replyTo: _reply, ...rest } = message;
  return { ...rest, kind: 'text', content: '', recalledAt: frame.recalled_at ?? frame.timestamp };
}

/** How long a message may be edited and recalled; the bridge refuses what comes later. */
const EDIT_MS = 24 * 3_600_000;
const RECALL_MS = 2 * 3_600_000;

/**
 * What somebody may do to a message.
 * @param {Message & {own: boolean, pending?: object}} message
 * @param {{role?: string, now: number}} who
 */
export function allowed({ own, pending, recalledAt, createdAt, file, location, call }, { role, now }) {
  if (pending || call || recalledAt) return { reply: false, react: false, edit: false, delete: false, recall: false, pin: false };
  const age = now - Date.parse(createdAt);
  const governs = role === 'admin' || role === 'owner';
  return {
    reply: true, react: true,
    // Of what carries a file the caption is edited; nobody writes below a sticker or a voice message.
    edit: own && !location && !['sticker', 'voice'].includes(file?.kind) && age < EDIT_MS,
    delete: own || governs,
    recall: (own || governs) && age < RECALL_MS,
    // Between two people nobody has a role, and both pin.
    pin: governs || role === undefined,
  };
}
