/**
 * The people of a call: a tile each, with their picture or their initials, and one more for a screen. Sound has an element
 * of its own: it must not depend on what is on the screen.
 */
import { fill, h, icon } from '../../dom.js';
import { personName } from '../../format.js';
import { personAvatar } from '../avatar.js';

/** @param {import('../../session.js').Session} session */
export function createTiles(session) {
  const element = h('div', { class: 'tiles' });
  const sounds = h('div', { hidden: true });
  /** `<user> camera` or `<user> screen` → its nodes */
  const tiles = new Map();
  const audios = new Map();

  function render(state, active) {
    const users = Object.keys(active?.peers ?? {});
    const wanted = users.flatMap((user) => [...(active.peers[user].hasScreen ? [[user, 'screen']] : []), [user, 'camera']]);
    const keys = new Set(wanted.map((it) => it.join(' ')));
    for (const [key, tile] of tiles) if (!keys.has(key)) drop(tiles, key, tile.element);
    for (const [user, audio] of audios) if (!users.includes(user)) drop(audios, user, audio);
    for (const [user, kind] of wanted) drawTile(state, active, user, kind);
    for (const user of users) play(soundOf(user), session.calls.remoteOf(user).camera);
    element.dataset.count = String(wanted.length);
    element.classList.toggle('with-screen', wanted.some(([, kind]) => kind === 'screen'));
    element.classList.toggle('single', wanted.length === 1);
  }

  function drawTile(state, active, user, kind) {
    const key = `${user} ${kind}`;
    const tile = tiles.get(key) ?? create(key, kind);
    const peer = active.peers[user];
    const person = state.people[user] ?? (active.callerName ? { display_name: active.callerName } : undefined);
    const name = personName(person, user);
    const shown = kind === 'screen' || (peer.hasVideo && peer.video);
    play(tile.video, session.calls.remoteOf(user)[kind]);
    tile.video.hidden = !shown;
    tile.element.classList.toggle('pictured', shown);
    tile.video.setAttribute('aria-label', kind === 'screen' ? `Screen of ${name}` : `Video of ${name}`);
    const drawn = JSON.stringify([name, person?.avatar_url, shown, peer.audio, peer.connection, active.kind, kind]);
    if (tile.element.dataset.drawn === drawn) return;
    tile.element.dataset.drawn = drawn;
    fill(tile.face, !shown && personAvatar(person, user, 'giant'));
    const waits = active.kind === 'group' && kind === 'camera' && peer.connection !== 'connected';
    fill(tile.label,
      !peer.audio && kind === 'camera' && h('span', { class: 'tile-muted', title: 'Muted' }, icon('micOff'), h('span', { class: 'sr-only' }, 'Muted: ')),
      h('span', { dir: 'auto' }, kind === 'screen' ? `Screen of ${name}` : name),
      waits && h('span', {}, ' · connecting…'));
    tile.label.hidden = active.kind !== 'group' && kind === 'camera' && peer.audio;
  }

  function create(key, kind) {
    const video = h('video', { autoplay: true, playsinline: true, 'data-testid': kind === 'screen' ? 'remote-screen' : 'remote-video', hidden: true });
    video.muted = true;
    const face = h('div', { class: 'tile-face' });
    const label = h('div', { class: 'tile-label' });
    const tile = { element: h('div', { class: `tile ${kind}` }, video, face, label), video, face, label };
    tiles.set(key, tile);
    element.append(tile.element);
    return tile;
  }

  function soundOf(user) {
    const known = audios.get(user);
    if (known) return known;
    const audio = h('audio', { autoplay: true, 'data-testid': 'remote-audio' });
    audios.set(user, audio);
    sounds.append(audio);
    return audio;
  }

  return { element: h('div', { class: 'stage' }, element, sounds), render };
}

function drop(map, key, node) {
  for (const media of [node, ...node.querySelectorAll('video')]) if ('srcObject' in media) media.srcObject = null;
  node.remove();
  map.delete(key);
}

/** Shows a stream; the same one again is left alone, since setting it anew would stutter. */
export function play(media, stream) {
  if (media.srcObject === stream) return;
  media.srcObject = stream;
  // A browser may want a click first; the click that accepted the call is one.
  if (stream) media.play().catch(() => {});
}
