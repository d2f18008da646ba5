/**
 * Boot: token → session → views. Without a token the sign-in page is shown; a token that the bridge refuses leads back
 * to it.
 *
 * Where things are: protocol.js and rest.js speak with the bridge (start there), store.js and thread.js hold the state
 * and say how frames change it, outbox.js and sender.js bring messages out, session.js ties these together for one
 * user. views/ draws the state; format.js and timeline.js turn it into what people read.
 */
import { Session } from './session.js';
import { forgetToken, loadToken, readIdentity, saveToken, takeTokenFromFragment } from './token.js';
import { createShell } from './views/shell.js';
import { createSignIn } from './views/signin.js';

const root = document.getElementById('app');
/** What the running session needs to be taken down: its view and its connections. */
let running = null;

function start(token) {
  stop();
  const identity = readIdentity(token);
  if (!identity) return signIn('This is not a Nova token: it has no readable user.');
  if (identity.expiresAt !== null && identity.expiresAt <= Date.now()) return signIn('This token has expired. Ask for a new one.');
  saveToken(sessionStorage, token);
  const session = new Session({
    token, identity, baseUrl: document.baseURI, storage: localStorage,
    onUnauthorized: () => signOut('The bridge no longer accepts this token. Sign in with a new one; unsent messages are kept.'),
  });
  const shell = createShell(session, { onSignOut: () => signOut() });
  const wake = () => document.visibilityState === 'visible' && session.reconnect();
  const listening = new AbortController();
  window.addEventListener('online', wake, { signal: listening.signal });
  document.addEventListener('visibilitychange', wake, { signal: listening.signal });
  running = { stop: () => { listening.abort(); shell.stop(); session.stop(); } };
  root.replaceChildren(shell.element);
  session.start();
}

function stop() {
  running?.stop();
  running = null;
}

function signOut(message) {
  stop();
  forgetToken(sessionStorage);
  history.replaceState(null, '', location.pathname + location.search);
  signIn(message);
}

function signIn(message) {
  document.title = 'Nova';
  root.replaceChildren(createSignIn({ message, onToken: start }));
  root.querySelector('textarea').focus();
}

function boot() {
  const token = takeTokenFromFragment(location, history) ?? loadToken(sessionStorage);
  if (token) start(token);
  else signIn();
}

// A link with another token, opened in this tab, changes only the fragment.
window.addEventListener('hashchange', () => {
  const token = takeTokenFromFragment(location, history);
  if (token) start(token);
});
boot();
