/** What is attached and on its way: a picture or a name, how far it is, and a way out. */
import { h, icon, iconButton, reconcile } from '../dom.js';
import { fileSize } from '../format.js';

const PREVIEW_PX = 112;

/** @param {import('../session.js').Session} session */
export function createTray(session) {
  const element = h('ul', { class: 'tray', 'aria-label': 'Attached files', hidden: true, 'data-testid': 'tray' });

  /** @param {import('../uploads.js').Upload[]} uploads */
  function render(uploads) {
    element.hidden = uploads.length === 0;
    reconcile(element, uploads, {
      key: ({ id }) => id,
      signature: ({ state, progress, error, send }) => JSON.stringify([state, progress, error, send]),
      create: (upload) => create(upload),
      draw: (node, upload) => draw(node, upload),
    });
  }

  function create(upload) {
    const preview = h('span', { class: 'tray-preview' }, icon(upload.voice ? 'mic' : 'file'));
    drawPreview(preview, session.uploads.file(upload.id));
    return h('li', { class: 'tray-item' }, preview,
      h('span', { class: 'grow' }, h('span', { class: 'file-name', dir: 'auto' }, upload.name), h('span', { class: 'file-about', role: 'status' }),
        h('progress', { max: '1', 'aria-label': `Upload of ${upload.name}` })),
      h('button', { type: 'button', class: 'link', onclick: () => session.uploads.retry(upload.id) }, 'Try again'),
      iconButton('close', `Remove ${upload.name}`, () => session.uploads.cancel(upload.id)));
  }

  function draw(node, { state, progress, error, size, send }) {
    node.dataset.state = state;
    node.querySelector('.file-about').textContent = state === 'failed' ? error : state === 'uploading' ? `${Math.round(progress * 100)} % of ${fileSize(size)}` : send ? 'Sending' : fileSize(size);
    const bar = node.querySelector('progress');
    bar.value = progress;
    bar.hidden = state !== 'uploading';
    node.querySelector('.link').hidden = state !== 'failed';
  }

  return { element, render };
}

/** A picture of a picture: small, because a large one of ten photos would take all memory. */
async function drawPreview(place, file) {
  if (!file?.type.startsWith('image/') || file.type === 'image/svg+xml') return;
  const bitmap = await createImageBitmap(file, { resizeHeight: PREVIEW_PX, resizeQuality: 'medium' }).catch(() => null);
  if (!bitmap) return;
  const canvas = h('canvas', { width: bitmap.width, height: bitmap.height, 'aria-hidden': 'true' });
  canvas.getContext('2d').drawImage(bitmap, 0, 0);
  place.replaceChildren(canvas);
}
