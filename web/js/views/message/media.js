/** What a message carries: a picture, a film, sound, any file, a place. Each kind has its function. */
import { h, icon } from '../../dom.js';
import { duration, fileSize } from '../../format.js';
import { openLightbox } from '../lightbox.js';
import { createVoicePlayer } from './player.js';

/**
 * @param {import('../../message.js').Message & {own: boolean}} entry
 * @param {{reload: () => void}} actions  a link was good once: asks for a fresh one
 */
export function drawMedia({ file, location }, { reload }) {
  if (location) return place(location);
  if (!file.url) return fileLine(file);
  switch (file.kind) {
    case 'image':
    case 'sticker':
      return picture(file, reload);
    case 'video':
      return film(file, reload);
    case 'voice':
      return createVoicePlayer(file, reload);
    case 'audio':
      return sound(file, reload);
    default:
      return fileLine(file);
  }
}

/** A small picture that opens a large one. Its size is known before it is there, so that nothing moves. */
function picture(file, reload) {
  // Only the file itself moves.
  const small = file.thumbnail && file.type !== 'image/gif' ? `${file.thumbnail}&size=800` : file.url;
  const { width, height } = fitted(file);
  const image = h('img', { src: small, alt: '', decoding: 'async', loading: 'lazy', width, height, 'data-testid': 'media-image' });
  const button = h('button', { type: 'button', class: `picture-frame ${file.kind}`, 'aria-label': `Picture ${file.name}: open`, onclick: () => openLightbox(file) }, image);
  image.addEventListener('error', () => {
    // There is no small picture of everything.
    if (image.src !== file.url && file.url) image.src = file.url;
    else gone(button, file, reload);
  });
  return button;
}

function film(file, reload) {
  const video = h('video', {
    class: 'film', src: file.url, controls: true, playsinline: true, preload: file.thumbnail ? 'none' : 'metadata', poster: file.thumbnail,
    ...fitted(file), 'aria-label': `Video ${file.name}`, 'data-testid': 'media-video',
  });
  video.addEventListener('error', () => gone(video, file, reload), { once: true });
  return video;
}

function sound(file, reload) {
  const audio = h('audio', { src: file.url, controls: true, preload: 'none', 'aria-label': `Audio ${file.name}`, 'data-testid': 'media-audio' });
  audio.addEventListener('error', () => gone(audio, file, reload), { once: true });
  return h('div', { class: 'sound' }, h('span', { class: 'file-name', dir: 'auto' }, file.name), audio);
}

/** Any file: its name, its size, and a link to have it. */
function fileLine({ name, size, url, durationMs }) {
  const about = [size > 0 && fileSize(size), durationMs > 0 && duration(durationMs)].filter(Boolean).join(' · ');
  const inside = [
    h('span', { class: 'file-icon' }, icon(url ? 'file' : 'clock')),
    h('span', { class: 'grow' }, h('span', { class: 'file-name', dir: 'auto' }, name), about && h('span', { class: 'file-about' }, about)),
  ];
  return url
    ? h('a', { class: 'file', href: url, download: name, target: '_blank', rel: 'noopener', 'aria-label': `Download ${name}, ${about}`, 'data-testid': 'media-file' }, ...inside, icon('download'))
    : h('div', { class: 'file' }, ...inside);
}

function place({ latitude, longitude, description }) {
  const [north, east] = [latitude.toFixed(5), longitude.toFixed(5)];
  const map = `https://www.openstreetmap.org/?mlat=${north}&mlon=${east}#map=16/${north}/${east}`;
  return h('a', { class: 'file place', href: map, target: '_blank', rel: 'noopener noreferrer', 'data-testid': 'media-location' },
    h('span', { class: 'file-icon' }, icon('pin')),
    h('span', { class: 'grow' }, h('span', { class: 'file-name', dir: 'auto' }, description || 'A place'), h('span', { class: 'file-about' }, `${north}, ${east}`)));
}

/** The link is too old, or this browser cannot show it: a fresh link may help; until then it is a file like any other. */
function gone(node, file, reload) {
  node.replaceWith(fileLine(file));
  reload();
}

const LARGEST = 340;

function fitted({ width, height }) {
  if (!width || !height) return {};
  const scale = Math.min(1, LARGEST / width, LARGEST / height);
  return { width: Math.round(width * scale), height: Math.round(height * scale) };
}
