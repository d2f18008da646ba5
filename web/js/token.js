/**
 * Where the token comes from and where it is kept.
 *
 * sessionStorage, not localStorage: the token of a reference client should not outlive its tab. The claims are only
 * read for display; whether the token is good is for the bridge to say.
 */
const KEY = 'nova.token';

/**
 * Takes `#token=…` out of the address, so that it is neither in the history nor in a screenshot or a copied link.
 * @returns {string|null}
 */
export function takeTokenFromFragment(location, history) {
  const token = new URLSearchParams(location.hash.slice(1)).get('token');
  if (token !== null) history.replaceState(null, '', location.pathname + location.search);
  return token || null;
}

export function loadToken(storage) {
  return storage.getItem(KEY);
}

export function saveToken(storage, token) {
  storage.setItem(KEY, token);
}

export function forgetToken(storage) {
  storage.removeItem(KEY);
}

/**
 * @typedef {object} Identity
 * @property {string} id  the Nova user id, lower-case
 * @property {string} username
 * @property {number|null} expiresAt  milliseconds since 1970
 *
 * @param {string} token
 * @returns {Identity|null} null when this is not a Nova token at all
 */
export function readIdentity(token) {
  try {
    const part = token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/');
    const bytes = Uint8Array.from(atob(part), (char) => char.charCodeAt(0));
    const claims = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof claims.sub !== 'string' || claims.sub === '') return null;
    return {
      id: claims.sub.toLowerCase(),
      username: String(claims.username ?? claims.sub),
      expiresAt: Number.isFinite(claims.exp) ? claims.exp * 1000 : null,
    };
  } catch {
    return null;
  }
}
