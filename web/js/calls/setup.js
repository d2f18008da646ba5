/**
 * Call setup: the four ways into a call. Each begins with a call whose microphone is open, and ends with a connection
 * under way to everybody who is there; or the call was over in between, which is looked at after each wait.
 *
 * Who calls, or comes into a group, makes the offer and is impolite; who was called is polite (voip.js).
 *
 * @typedef {import('./running.js').RunningCall} RunningCall
 */
import { switches } from './sdp.js';
import { callId, isThere, known } from './state.js';

/** As many as a mesh can bear: everybody sends to everybody. */
const MAX_IN_GROUP = 8;

/**
 * Calls one person.
 * @param {RunningCall} call
 * @returns {Promise<import('../rest.js').NovaError|undefined>} why the bridge refused it
 */
export async function place(call, other, video) {
  const peer = await call.connect(other, { polite: false });
  if (call.over) return undefined;
  const offer = await peer.offer().catch((error) => console.warn('No offer could be made.', error.message));
  if (!offer) call.end('error', { detail: 'This browser could not prepare the call.' });
  if (call.over) return undefined;
  const { description, metadata } = offer;
  call.show({ phase: 'calling' });
  return placed(call, call.signaling.initiate({ conversationId: call.conversationId, offer: description, metadata, video }));
}

/** Calls a group: nobody is there yet, and who comes makes the offer. Returns the same. */
export function placeGroup(call, video) {
  call.show({ phase: 'calling' });
  return placed(call, call.signaling.initiateGroup({ conversationId: call.conversationId, video, maxParticipants: MAX_IN_GROUP }));
}

async function placed(call, request) {
  call.waiting = [];
  const { reply, error } = await request.then((it) => ({ reply: it }), (it) => ({ error: it }));
  if (error) return error;
  call.id = callId(reply);
  if (call.over) call.signaling.hangup(call.id, 'user_hangup').catch(() => {});
  else {
    call.store.dispatch({ type: 'placed', id: call.id, participantId: reply.participant_id ?? null });
    call.ready.resolve();
  }
  return undefined;
}

/** Answers a direct call that rang. */
export async function accept(call, caller) {
  try {
    // Before anything connects: another device of ours that did the same would be the first to reach the caller.
    const { claim, reply } = await call.signaling.accept(call.id);
    if (call.over) return;
    call.takenElsewhere = false;
    call.store.dispatch({ type: 'accepted', participantId: reply.participant_id ?? null });
    const peer = await call.connect(caller, { polite: true });
    if (call.over) return;
    const { offer } = call.early;
    const { description, metadata } = await peer.answer(offer.description, offer.metadata);
    call.store.dispatch({ type: 'peer', user: caller, change: known(switches(offer.metadata)), now: Date.now() });
    call.show({ phase: 'connecting' });
    const request = call.signaling.answer(call.id, description, metadata, claim);
    call.ready.resolve(); // candidates follow the answer
    await request;
    if (!call.over) peer.open();
  } catch (error) {
    call.end(call.takenElsewhere ? 'answered_elsewhere' : 'error', { detail: call.takenElsewhere ? undefined : error.detail });
  }
}

/** Comes into a group call: the newcomer offers to everybody who is there. */
export async function join(call) {
  const reply = await call.signaling.join(call.id);
  if (call.over) return void call.signaling.leave(call.id).catch(() => {});
  call.store.dispatch({ type: 'joined', id: call.id, participantId: reply.participant_id ?? null });
  call.ready.resolve();
  await offerToAll(call, reply.participants ?? []);
}

/**
 * Goes on with a call after a reload: asks for new connections in the place of the old ones.
 * @param {import('./saved.js').Saved} saved
 */
export async function rejoin(call, saved) {
  call.ready.resolve();
  if (saved.kind === 'group') return offerToAll(call, await call.rest.callParticipants(call.id).catch(() => []));
  await call.iceServers; // so that no frame comes between this look at what was said early and the connection
  const { offer } = call.early;
  const peer = await call.connect(saved.users[0], { polite: saved.direction === 'incoming', bare: !offer });
  if (call.over) return undefined;
  if (!offer) return peer.takePlace(saved.layout, call.media.stream);
  // The other side has noticed and asked already: a question of ours would cross with it.
  await peer.negotiated(offer.description, offer.metadata).catch(() => {});
  return peer.open();
}

async function offerToAll(call, people) {
  for (const { user_id: user } of people.filter(isThere)) {
    if (user === call.me || call.over) continue;
    const peer = await call.connect(user, { polite: false });
    if (!call.over) peer.open();
  }
}
