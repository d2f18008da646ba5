/**
 * Files on their way to the bridge: `POST /media` with the file as its body. Sending takes two steps: the upload, and
 * then a message that names it (sender.js), which is kept over a reload like any other. The upload is not.
 *
 * @typedef {object} Upload
 * @property {string} id
 * @property {string} conversationId
 * @property {string} name
 * @property {string} type
 * @property {number} size  in bytes
 * @property {'uploading'|'ready'|'failed'} state
 * @property {number} progress  0 to 1
 * @property {string} [error]
 * @property {object} [media]  once it is ready: what the bridge knows of it
 * @property {{content: string, replyTo?: string}} [send]  the user wants it sent as soon as it is ready
 * @property {{durationMs: number, waveform: number[]}} [voice]  it is a voice message
 */
import { NovaError, decode, failure } from './rest.js';
import { newKey } from './outbox.js';

/** @param {Upload[]} uploads @returns {Upload[]} */
export function withUpload(uploads, { type, id, upload, ...news }) {
  switch (type) {
    case 'upload.added':
      return [...uploads, upload];
    case 'upload.changed':
      return uploads.map((it) => (it.id === id ? { ...it, ...news.change } : it));
    case 'upload.removed':
      return uploads.filter((it) => it.id !== id);
    default:
      return uploads;
  }
}

/** What a message says to carry an upload. @param {Upload} upload */
export function carried({ name, media, voice }) {
  return {
    media_id: media.media_id, file_name: name,
    ...(voice && { message_type: 'voice', duration_ms: voice.durationMs, waveform: voice.waveform }),
  };
}

/** What is shown of the file while its message is on its way. @returns {import('./message.js').File} */
export function shownFile({ name, media, voice }) {
  return {
    kind: media.kind ?? 'file', name: media.file_name ?? name, type: media.file_type ?? '', size: media.file_size ?? 0,
    url: media.url, ...(media.width && { width: media.width, height: media.height }),
    ...(voice && { durationMs: voice.durationMs, waveform: voice.waveform }),
  };
}

export class Uploads {
  #rest;
  #store;
  #onReady;
  #Request;
  /** id → what is not for the store: the file, and the request under way */
  #work = new Map();

  /**
   * @param {object} options
   * @param {import('./rest.js').NovaRest} options.rest
   * @param {{dispatch: (action: object) => void, state: {uploads: Upload[]}}} options.store
   * @param {(upload: Upload) => void} options.onReady  it is there, and was to be sent
   * @param {typeof XMLHttpRequest} [options.Request]  unlike `fetch`, it tells how far an upload is
   */
  constructor({ rest, store, onReady, Request = globalThis.XMLHttpRequest }) {
    this.#rest = rest;
    this.#store = store;
    this.#onReady = onReady;
    this.#Request = Request;
  }

  /** Begins at once; it is sent when the user says so. @param {File|Blob} file */
  add(conversationId, file, { voice, send } = {}) {
    const upload = {
      id: newKey(), conversationId, name: file.name || 'file', type: file.type, size: file.size, state: 'uploading', progress: 0,
      ...(voice && { voice }), ...(send && { send }),
    };
    this.#work.set(upload.id, { file });
    this.#store.dispatch({ type: 'upload.added', upload });
    this.#start(upload);
  }

  /** The user sends what is attached: now, or as soon as it is there. */
  send(id, send) {
    this.#change(id, { send });
    const upload = this.#find(id);
    if (upload?.state === 'ready') this.#finish(upload);
  }

  retry(id) {
    const upload = this.#find(id);
    if (upload?.state === 'failed') this.#start(upload);
  }

  cancel(id) {
    this.#work.get(id)?.request?.abort();
    this.#remove(id);
  }

  /** The file itself, for a picture of it. */
  file(id) {
    return this.#work.get(id)?.file;
  }

  stop() {
    for (const { request } of this.#work.values()) request?.abort();
    this.#work.clear();
  }

  #start({ id, name, voice }) {
    const work = this.#work.get(id);
    const { url, authorization } = this.#rest.uploadRequest({ name, kind: voice && 'voice' });
    const request = new this.#Request();
    work.request = request;
    this.#change(id, { state: 'uploading', progress: 0, error: undefined });
    request.open('POST', url);
    request.setRequestHeader('Authorization', authorization);
    if (work.file.type) request.setRequestHeader('Content-Type', work.file.type);
    request.upload.onprogress = ({ loaded, total }) => this.#change(id, { progress: total > 0 ? loaded / total : 0 });
    request.onload = () => this.#answered(id, request);
    request.onerror = () => this.#failed(id, new NovaError({ code: 'CONNECTION_FAILED', detail: 'The bridge cannot be reached.', transient: true }));
    request.send(work.file);
  }

  #answered(id, { status, responseText }) {
    const media = status >= 200 && status < 300 ? decode(responseText) : null;
    if (!media?.media_id) return this.#failed(id, failure(status, responseText));
    this.#change(id, { state: 'ready', progress: 1, media });
    const upload = this.#find(id);
    return upload?.send && this.#finish(upload);
  }

  #failed(id, error) {
    this.#change(id, { state: 'failed', error: error.detail });
  }

  #finish(upload) {
    this.#remove(upload.id);
    this.#onReady(upload);
  }

  #find(id) {
    return this.#store.state.uploads.find((it) => it.id === id);
  }

  #change(id, change) {
    this.#store.dispatch({ type: 'upload.changed', id, change });
  }

  #remove(id) {
    this.#work.delete(id);
    this.#store.dispatch({ type: 'upload.removed', id });
  }
}
