//! Calls over Socket.IO with `/api/calls/*` beside it, for clients of the `LumosLogic` call service
//! (`call-dialects.md` §1).
//!
//! A socket is one task (`session`) that is fed by two queues: what the client says, in its order, and what the feed
//! says. Nothing else writes to it, so both orders are kept. What the published clients lose by their own fault (an offer
//! that comes too early) is kept by the call itself and shown again.

mod acts;
mod away;
mod hearing;
mod proof;
mod replay;
mod rest;
mod session;
mod telling;
#[cfg(test)]
mod tests;
mod wire;
mod words;

use std::time::Duration;

use axum::Router;
use serde_json::Value;
use socketioxide::SocketIo;
use socketioxide::extract::{Event, SocketRef, TryData};
use socketioxide::handler::ConnectHandler;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::super::NovaState;
use super::super::hub::Hub;
use super::super::rest::layers;
use crate::domain::ids::UserId;

pub use away::Away;
use session::{Heard, Session};

/// The largest packet that a client may send, in bytes: the longest SDP, escaped, with room for the rest.
const MAX_PACKET: usize = 256 * 1024;

/// How many events of one socket wait at most. A client that is faster is cut off; candidates come in dozens.
const QUEUE: usize = 1024;

/// How many packets wait for a slow client at most; then the session waits.
const OUTBOX: usize = 256;

/// How long a namespace stays after its last socket: a client that connects again must not meet its end.
const LINGER: Duration = Duration::from_secs(2);

/// What the dialect needs besides the handlers' state.
#[derive(Clone)]
pub struct DialectState {
    /// The handlers' state.
    pub nova: NovaState,
    /// Who is shown what.
    pub hub: Hub,
    /// Sockets are joined at shutdown.
    pub sockets: TaskTracker,
    /// Cancelled when sockets have to go.
    pub stopping: CancellationToken,
    /// Whether clients are believed who they are (`calls.insecure_legacy`).
    pub insecure_legacy: bool,
    /// The STUN servers that everybody may know.
    pub stun: Vec<String>,
    /// Up to where those have heard who lost their socket in a call.
    pub away: Away,
}

/// Whose socket it is, as its connection has proved; kept with the socket between the two steps of connecting.
#[derive(Debug, Clone, Copy)]
struct Proven(Option<UserId>);

/// The routes and the sockets.
///
/// # Errors
/// Never, unless the pattern of the namespaces is wrong.
pub fn router(state: DialectState) -> anyhow::Result<Router> {
    let (service, io) = SocketIo::builder()
        .max_payload(u64::try_from(MAX_PACKET)?)
        .ws_max_message_size(MAX_PACKET)
        .ws_max_frame_size(MAX_PACKET)
        .ws_read_buffer_size(4 * 1024)
        .max_buffer_size(OUTBOX)
        .build_svc();
    let handler = |state: &DialectState| {
        let (proving, serving) = (state.clone(), state.clone());
        let prove = move |socket: SocketRef, auth: TryData<Value>, io: SocketIo| {
            let state = proving.clone();
            async move { prove(&state, &socket, auth.0.ok().as_ref(), &io).await }
        };
        let connected = move |socket: SocketRef, io: SocketIo| {
            connected(&serving, socket, &io);
            std::future::ready(())
        };
        connected.with(prove)
    };
    io.ns("/", handler(&state));
    io.dyn_ns("/u/{token}", handler(&state))?;
    let sockets = Router::new()
        .route_service("/socket.io/", service.clone())
        .route_service("/socket.io/{*rest}", service)
        .layer(layers::cors(&state.nova.settings.cors_origins));
    let stopping = state.stopping.clone();
    state.sockets.spawn(async move {
        stopping.cancelled().await;
        io.close().await;
    });
    Ok(rest::router(state).merge(sockets))
}

/// Lets a connection in, or refuses it. One without a token may still show one with its first event.
async fn prove(
    state: &DialectState,
    socket: &SocketRef,
    auth: Option<&Value>,
    io: &SocketIo,
) -> Result<(), proof::Refused> {
    let token = proof::of_connection(socket.ns(), socket.req_parts().uri.query(), auth);
    let proven = match token {
        None => Ok(None),
        Some(token) => proof::owner(&state.nova, &token).await.map(Some),
    };
    match proven {
        Ok(user) => {
            socket.extensions.insert(Proven(user));
            Ok(())
        }
        Err(refused) => {
            forget(state, io, socket.ns());
            Err(refused)
        }
    }
}

/// A namespace is made for each token, and has to go with its last socket: strangers may invent as many as they like.
fn forget(state: &DialectState, io: &SocketIo, namespace: &str) {
    if namespace == "/" {
        return;
    }
    let (io, namespace, stopping) = (io.clone(), namespace.to_owned(), state.stopping.clone());
    state.sockets.spawn(async move {
        tokio::select! {
            () = stopping.cancelled() => return,
            () = tokio::time::sleep(LINGER) => {}
        }
        if io.of(&namespace).is_some_and(|it| it.sockets().is_empty()) {
            io.delete_ns(&namespace);
        }
    });
}

fn connected(state: &DialectState, socket: SocketRef, io: &SocketIo) {
    let (sender, events) = mpsc::channel(QUEUE);
    let gone = CancellationToken::new();
    // Handlers are run side by side; only what they do before their first await keeps the client's order.
    socket.on_fallback(
        move |Event(name): Event, TryData(data): TryData<Value>, socket: SocketRef| {
            let heard = Heard { name, data: data.ok() };
            if sender.try_send(heard).is_err() {
                drop(socket.disconnect());
            }
            std::future::ready(())
        },
    );
    let (left, kept, namespaces) = (gone.clone(), state.clone(), io.clone());
    socket.on_disconnect(move |socket: SocketRef| {
        left.cancel();
        forget(&kept, &namespaces, socket.ns());
        std::future::ready(())
    });
    let proven = socket.extensions.get::<Proven>().and_then(|it| it.0);
    let session = Session::new(state.clone(), socket, proven);
    state.sockets.spawn(session.run(events, gone));
}
