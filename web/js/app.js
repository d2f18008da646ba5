/**
 * Boot: token → session → views. Without a token the sign-in page is shown; a token that the bridge refuses leads back
 * to it.
 *
 * Where things are: protocol.js and rest.js speak with the bridge (start there), store.js and thread.js hold the state
 * and say how frames change it (message.js, conversations.js, requests.js, typing.js and uploads.js are their parts), outbox.js and
 * sender.js bring messages out, acts.js and receipts.js what is done to them, session.js ties these together for one
 * user. calls/ is all of calls: start with signaling.js, then voip.js and state.js. views/ draws the state; format.js and
 * timeline.js turn it into what people read.
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
    token, identity, baseUrl: document.baseURI, storage: localStorage, memory: sessionStorage,
    onUnauthorized: () => signOut('The bridge no longer accepts this token. Sign in with a new one; unsent messages are kept.'),
    onOpen: (id) => shell.open(id),
  });
  const shell = createShell(session, { onSignOut: () => signOut() });
  const wake = () => {
    const visible = document.visibilityState === 'visible';
    session.look({ visible });
    if (visible) session.reconnect();
  };
  const listening = new AbortController();
  window.addEventListener('online', wake, { signal: listening.signal });
  document.addEventListener('visibilitychange', wake, { signal: listening.signal });
  running = { calls: session.calls, stop: () => { listening.abort(); shell.stop(); session.stop(); } };
  root.replaceChildren(shell.element);
  session.look({ visible: document.visibilityState === 'visible' });
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

/**
 * For looking into a running page by hand or by a test; nothing in the client uses it. `pc()` is the RTCPeerConnection of
 * the call, or null; `pcs()` are all of them, which a group call has several of; `state()` is the state of calls
 * (calls/state.js).
 */
window.novaTest = {
  pc: () => running?.calls.connections[0] ?? null,
  pcs: () => running?.calls.connections ?? [],
  state: () => running?.calls.store.state ?? null,
};
boot();
