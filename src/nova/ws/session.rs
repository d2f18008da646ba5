//! One socket, owned by one loop: nothing else reads or writes it.

mod acks;
mod calls;
mod hearing;
mod tongue;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, close_code};
use futures_util::SinkExt;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use uuid::Uuid;

use super::{Opened, WsState};
use crate::domain::feed::{Cursor, FeedEntry};
use crate::domain::ids::{CallId, ConversationId, UserId};
use crate::metrics::ClosedBecause;
use crate::nova::frames::{self, Frames};
use crate::nova::hub::{Delivery, Membership, Shown};
use crate::store::{StoreError, feed};

/// How often the client is asked for a sign of life, and how long it may stay silent (§3.4).
const PING: Duration = Duration::from_secs(5);
const SILENCE: Duration = Duration::from_secs(30);

/// How long one frame may take to be written before the client counts as too slow.
const WRITE: Duration = Duration::from_secs(10);

/// Entries read from the feed at once.
const PAGE: i64 = 200;

/// Frames a second that a client may send, whatever they are, and how many at once.
const FRAMES: Quota = match (std::num::NonZeroU32::new(50), std::num::NonZeroU32::new(200)) {
    (Some(rate), Some(burst)) => Quota::per_second(rate).allow_burst(burst),
    _ => unreachable!(),
};

pub(super) use tongue::Tongue;

/// Why a socket ends.
struct End {
    why: ClosedBecause,
    close: Option<(u16, &'static str)>,
}

impl End {
    const fn silent(why: ClosedBecause) -> Self {
        Self { why, close: None }
    }

    const fn told(why: ClosedBecause, code: u16, reason: &'static str) -> Self {
        Self {
            why,
            close: Some((code, reason)),
        }
    }
}

/// A session's place in the hub. It is taken before the handshake is answered, because the client counts from the answer
/// on: what is published after it must not be missed.
pub(super) struct Seat {
    id: Uuid,
    member: Membership,
    entries: mpsc::Receiver<Arc<Shown>>,
}

/// What a socket is shown of the feed at once.
struct Part {
    entries: Vec<(FeedEntry, Frames)>,
    /// Everything up to here is in it.
    reached: Cursor,
    /// Whether there may be more.
    more: bool,
}

pub(super) struct Session {
    state: WsState,
    user: UserId,
    only: Option<ConversationId>,
    since: Option<Cursor>,
    greet: bool,
    /// How it is told of calls.
    tongue: Tongue,
    /// Everything up to here was sent.
    cursor: Cursor,
    /// Everything up to here has come, as the answer to a ping says. Only of interest where the client resumes nothing
    /// by itself.
    arrived: Cursor,
    heard: Instant,
    limiter: DefaultDirectRateLimiter,
    refused: u32,
    acks: u32,
    /// Calls that were shown when the socket opened: whose ring may be on its way besides.
    rung: Vec<CallId>,
    /// Where its user began to type over it.
    typing: Vec<ConversationId>,
}

impl Session {
    pub(super) fn new(state: WsState, opened: Opened) -> (Self, Seat) {
        let Opened {
            user,
            only,
            since,
            greet,
            tongue,
        } = opened;
        let id = Uuid::new_v4();
        let (member, entries, reached) = state.hub.join(id, user, only, state.nova.bridge.now());
        let session = Self {
            state,
            user,
            only,
            since,
            greet,
            tongue,
            cursor: reached,
            arrived: reached,
            heard: Instant::now(),
            limiter: RateLimiter::direct(FRAMES),
            refused: 0,
            acks: 0,
            rung: Vec::new(),
            typing: Vec::new(),
        };
        (session, Seat { id, member, entries })
    }

    /// Serves the socket until one side ends it.
    #[tracing::instrument(name = "ws.session", skip_all, fields(nova.user = %self.user))]
    pub(super) async fn run(mut self, seat: Seat, mut socket: WebSocket) {
        let metrics = self.state.nova.metrics.clone();
        metrics.websocket_opened();
        let Seat { id, member, entries } = seat;
        self.heard = Instant::now();
        // A call of theirs goes on while there is a socket.
        let attendance = self.state.nova.bridge.attend(self.user);
        let end = match self.serve(&mut socket, &member, entries, id).await {
            Err(end) => end,
            Ok(()) => End::silent(ClosedBecause::Client),
        };
        if let Tongue::Zajel(desk) = std::mem::replace(&mut self.tongue, Tongue::Nova) {
            desk.leave(self.arrived);
        }
        drop(member);
        drop(attendance);
        for conversation in &self.typing {
            self.state.nova.bridge.ends_typing(*conversation, self.user);
        }
        if let Some((code, reason)) = end.close {
            let close = Message::Close(Some(CloseFrame {
                code,
                reason: reason.into(),
            }));
            // A client that is gone cannot be told.
            drop(timeout(Duration::from_secs(2), socket.send(close)).await);
        }
        if self.acks > 0
            && let Err(error) = Box::pin(self.look_after_floor()).await
        {
            tracing::debug!(%error, "the floor stays");
        }
        metrics.websocket_closed(end.why);
    }

    async fn serve(
        &mut self,
        socket: &mut WebSocket,
        member: &Membership,
        mut entries: mpsc::Receiver<Arc<Shown>>,
        id: Uuid,
    ) -> Result<(), End> {
        if self.greet {
            self.write(socket, frames::greeting(self.user, id)).await?;
        }
        // What happens rarely is put on the heap while it lasts: an idle socket must not hold room for it.
        Box::pin(self.begin(socket)).await?;
        let stopping = self.state.stopping.clone();
        let replaced = self.tongue.replaced();
        let mut ping = interval(PING);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ping.reset();
        loop {
            tokio::select! {
                biased;
                () = stopping.cancelled() => {
                    return Err(End::told(ClosedBecause::Shutdown, close_code::RESTART, "restart"));
                }
                () = replaced.cancelled() => {
                    return Err(End::told(ClosedBecause::Client, close_code::POLICY, "replaced"));
                }
                message = socket.recv() => match message {
                    Some(Ok(message)) => Box::pin(self.hear(socket, message)).await?,
                    Some(Err(error)) => return Err(broken(&error)),
                    None => return Ok(()),
                },
                Some(shown) = entries.recv() => {
                    self.show(socket, &shown).await?;
                    // What waits already goes out in the same write.
                    while let Ok(next) = entries.try_recv() {
                        self.show(socket, &next).await?;
                    }
                    self.flush(socket).await?;
                    if entries.is_empty() && member.slot().take_lagging() {
                        Box::pin(self.catch_up(socket)).await?;
                    }
                    member.slot().came_to(self.cursor);
                }
                _ = ping.tick() => {
                    if self.heard.elapsed() > SILENCE {
                        return Err(End::silent(ClosedBecause::Timeout));
                    }
                    let payload = self.ping_payload();
                    self.send(socket, Message::Ping(payload)).await?;
                    if entries.is_empty() && member.slot().take_lagging() {
                        Box::pin(self.catch_up(socket)).await?;
                    }
                }
            }
        }
    }

    /// Sets the acknowledgements' floor at the first connection, and replays what the client asks for.
    async fn begin(&mut self, socket: &mut WebSocket) -> Result<(), End> {
        if let Tongue::Zajel(desk) = &self.tongue {
            // Its clients acknowledge nothing, and are told of calls once they have registered.
            return self.write(socket, desk.greeting()).await;
        }
        let kept = self.set_floor().await.map_err(|error| database(&error))?;
        if let Some(since) = self.since {
            // Too old, or from another database: a restored one, say.
            if !kept.contains(&since.position) {
                let detail = "older frames are not kept; please load the conversations anew";
                self.write(socket, frames::error(None, "RESUME_GAP", detail)).await?;
            }
            self.cursor = since.min(self.cursor);
            self.catch_up(socket).await?;
        }
        self.ring(socket).await
    }

    /// Reads the feed from where the socket is to its end.
    async fn catch_up(&mut self, socket: &mut WebSocket) -> Result<(), End> {
        loop {
            let part = self.read_feed(self.cursor).await.map_err(|error| database(&error))?;
            for (entry, frames) in part.entries {
                self.write_entry(socket, &entry, &frames).await?;
                self.cursor = entry.cursor;
            }
            self.cursor = self.cursor.max(part.reached);
            if !part.more {
                return self.flush(socket).await;
            }
        }
    }

    async fn read_feed(&self, from: Cursor) -> Result<Part, StoreError> {
        let store = self.state.nova.bridge.store();
        let mut connection = store.read().await?;
        // What was published here is decided, even where the horizon looks lower for a moment because of a transaction that
        // has nothing to do with the feed.
        let published = self.state.hub.reached();
        let horizon = store.feed_horizon(&mut connection).await?;
        let below = horizon.position.max(published.position.saturating_add(1));
        let page = feed::of_user(&mut connection, self.user, self.only, from, below, PAGE).await?;
        let ways = self.state.hub.ways();
        Ok(Part {
            entries: page
                .entries
                .into_iter()
                .map(|entry| {
                    let frames = frames::of_entry(&entry, ways);
                    (entry, frames)
                })
                .collect(),
            reached: page.last.unwrap_or(from),
            more: page.full,
        })
    }

    async fn show(&mut self, socket: &mut WebSocket, shown: &Shown) -> Result<(), End> {
        match shown {
            Shown::Entry(delivery) => self.deliver(socket, delivery).await,
            Shown::Live(frames) => {
                for frame in frames {
                    in_time(socket.feed(Message::Text(frame.clone()))).await?;
                }
                Ok(())
            }
        }
    }

    async fn deliver(&mut self, socket: &mut WebSocket, delivery: &Delivery) -> Result<(), End> {
        if delivery.cursor <= self.cursor {
            return Ok(());
        }
        if !self.rings_already(&delivery.entry) {
            self.write_entry(socket, &delivery.entry, &delivery.frames).await?;
        }
        self.cursor = delivery.cursor;
        if self.only == Some(delivery.conversation) && delivery.frames.gone == Some(self.user) {
            return Err(End::told(
                ClosedBecause::Unauthorized,
                close_code::POLICY,
                "no longer a member",
            ));
        }
        Ok(())
    }

    /// Queues the frames of an entry; [`Self::flush`] sends them.
    async fn write_entry(&mut self, socket: &mut WebSocket, entry: &FeedEntry, frames: &Frames) -> Result<(), End> {
        if !self.tongue.is_nova()
            && let Some(own) = Box::pin(self.in_tongue(entry)).await?
        {
            for frame in own {
                in_time(socket.feed(Message::Text(frame))).await?;
            }
            return Ok(());
        }
        let bare = frames.bare.iter().filter(|_| frames.author != Some(self.user));
        for frame in frames.all.iter().chain(bare) {
            in_time(socket.feed(Message::Text(frame.clone()))).await?;
        }
        Ok(())
    }

    async fn flush(&self, socket: &mut WebSocket) -> Result<(), End> {
        in_time(socket.flush()).await
    }

    async fn write(&self, socket: &mut WebSocket, frame: Utf8Bytes) -> Result<(), End> {
        self.send(socket, Message::Text(frame)).await
    }

    async fn send(&self, socket: &mut WebSocket, message: Message) -> Result<(), End> {
        in_time(socket.send(message)).await
    }
}

/// A client that does not take what is written in time is too slow; it resumes when it can.
async fn in_time(written: impl Future<Output = Result<(), axum::Error>>) -> Result<(), End> {
    match timeout(WRITE, written).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(broken(&error)),
        Err(_) => Err(End::told(ClosedBecause::Slow, close_code::AGAIN, "too slow")),
    }
}

fn broken(error: &axum::Error) -> End {
    let text = error.to_string();
    if text.contains("too long") || text.contains("too large") || text.contains("Space limit") {
        return End::told(ClosedBecause::Protocol, close_code::SIZE, "frame too big");
    }
    tracing::debug!(error = text, "a socket broke");
    End::silent(ClosedBecause::Error)
}

fn database(error: &StoreError) -> End {
    tracing::error!(%error, "a socket is closed because the database failed");
    End::told(ClosedBecause::Error, close_code::AGAIN, "try again")
}
