/** A picture in full: Escape or a press beside it closes. */
import { h, icon, iconButton } from '../dom.js';
import { fileSize } from '../format.js';

/** @param {import('../message.js').File} file */
export function openLightbox(file) {
  const image = h('img', { src: file.url, alt: file.name, 'data-testid': 'lightbox-image' });
  const dialog = h('dialog', { class: 'lightbox', 'aria-label': file.name, 'data-testid': 'lightbox' },
    h('header', {},
      h('p', { class: 'grow name', dir: 'auto' }, file.name, file.size > 0 && h('span', { class: 'lightbox-size' }, fileSize(file.size))),
      h('a', { class: 'icon-button', href: file.url, download: file.name, target: '_blank', rel: 'noopener', 'aria-label': 'Download', title: 'Download' }, icon('download')),
      iconButton('close', 'Close', () => dialog.close(), { autofocus: true })),
    h('div', { class: 'lightbox-room' }, image));
  dialog.addEventListener('click', ({ target }) => target !== image && !target.closest('header') && dialog.close());
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
