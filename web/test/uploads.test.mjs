import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createStore, initialState } from '../js/store.js';
import { Uploads, carried, shownFile } from '../js/uploads.js';

function world() {
  const requests = [];
  class FakeRequest {
    upload = {};
    headers = {};
    constructor() { requests.push(this); }
    open(method, url) { this.what = `${method} ${url}`; }
    setRequestHeader(name, value) { this.headers[name] = value; }
    send(body) { this.body = body; }
    abort() { this.aborted = true; }
    answer(status, body) {
      this.status = status;
      this.responseText = JSON.stringify(body);
      this.onload();
    }
  }
  const store = createStore(initialState({ id: 'me' }));
  const ready = [];
  const rest = { uploadRequest: ({ name, kind }) => ({ url: `/media?file_name=${name}${kind ? `&kind=${kind}` : ''}`, authorization: 'Bearer t' }) };
  const uploads = new Uploads({ rest, store, onReady: (upload) => ready.push(upload), Request: FakeRequest });
  return { requests, store, ready, uploads, one: () => store.state.uploads[0] };
}
const FILE = { name: 'hill.jpg', type: 'image/jpeg', size: 1000 };
const MEDIA = { media_id: 'u1', kind: 'image', file_name: 'hill.jpg', file_type: 'image/jpeg', file_size: 1000, width: 16, height: 12, url: 'https://x/u1' };

test('an upload begins at once, tells how far it is, and waits for the user', () => {
  const { requests, uploads, one, ready } = world();
  uploads.add('c', FILE);
  const [request] = requests;
  assert.deepEqual([request.what, request.body, request.headers], ['POST /media?file_name=hill.jpg', FILE, { Authorization: 'Bearer t', 'Content-Type': 'image/jpeg' }]);
  request.upload.onprogress({ loaded: 250, total: 1000 });
  assert.deepEqual([one().state, one().progress], ['uploading', 0.25]);
  request.answer(201, MEDIA);
  assert.deepEqual([one().state, one().media.media_id, ready.length], ['ready', 'u1', 0]);
  uploads.send(one().id, { content: 'Look!' });
  assert.equal(one(), undefined);
  assert.deepEqual([ready[0].conversationId, ready[0].send.content], ['c', 'Look!']);
});

test('what was sent before it is there goes out by itself', () => {
  const { requests, uploads, one, ready } = world();
  uploads.add('c', FILE);
  uploads.send(one().id, { content: '' });
  assert.equal(ready.length, 0);
  requests[0].answer(201, MEDIA);
  assert.equal(ready.length, 1);
});

test('what failed says why and can be tried again; what is still wanted is sent then', () => {
  const { requests, uploads, one, ready } = world();
  uploads.add('c', FILE, { send: { content: '' } });
  requests[0].answer(415, { code: 'UNSUITABLE_FILE', message: 'the file is no picture' });
  assert.deepEqual([one().state, one().error], ['failed', 'the file is no picture']);
  uploads.retry(one().id);
  requests[1].onerror();
  assert.deepEqual([one().state, one().error], ['failed', 'The bridge cannot be reached.']);
  uploads.retry(one().id);
  requests[2].answer(201, MEDIA);
  assert.equal(ready.length, 1);
});

test('an answer that is no upload is a failure, and so is a proxy\'s page', () => {
  const { requests, uploads, one } = world();
  uploads.add('c', FILE);
  requests[0].answer(200, 'welcome');
  assert.equal(one().state, 'failed');
});

test('giving up ends the request', () => {
  const { requests, uploads, one } = world();
  uploads.add('c', FILE);
  uploads.cancel(one().id);
  assert.deepEqual([requests[0].aborted, one()], [true, undefined]);
});

test('a voice message says so, with its length and its waveform; what is shown is what the bridge found', () => {
  const { requests, uploads, one } = world();
  uploads.add('c', { name: 'Voice message.ogg', type: 'audio/ogg', size: 9 }, { voice: { durationMs: 1200, waveform: [0, 1024] } });
  assert.match(requests[0].what, /kind=voice/);
  requests[0].answer(201, { ...MEDIA, kind: 'voice', file_name: 'Voice message.ogg', width: undefined });
  assert.deepEqual(carried(one()), { media_id: 'u1', file_name: 'Voice message.ogg', message_type: 'voice', duration_ms: 1200, waveform: [0, 1024] });
  const file = shownFile(one());
  assert.deepEqual([file.kind, file.durationMs, file.waveform, 'width' in file], ['voice', 1200, [0, 1024], false]);
});
