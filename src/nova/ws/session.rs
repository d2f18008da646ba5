//! One socket, owned by one loop: nothing else reads or writes it.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, close_code};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use uuid::Uuid;

use super::WsState;
use super::protocol::{self, ClientFrame, Refused};
use crate::bridge::CommandError;
use crate::domain::feed::Cursor;
use crate::domain::ids::{ConversationId, UserId};
use crate::domain::message::Text;
use crate::metrics::ClosedBecause;
use crate::nova::error::ApiError;
use crate::nova::frames::{self, Frames};
use crate::nova::hub::{Delivery, Membership};
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

/// How many frames over the limit end the socket.
const PATIENCE: u32 = 1000;

/// How many acknowledgements until the floor is looked after.
const ACKS: u32 = 50;

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

/// What a socket is shown of the feed at once.
struct Part {
    entries: Vec<(Cursor, Frames)>,
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
    /// Everything up to here was sent.
    cursor: Cursor,
    heard: Instant,
    limiter: DefaultDirectRateLimiter,
    refused: u32,
    acks: u32,
}

impl Session {
    pub(super) fn new(
        state: WsState,
        user: UserId,
        only: Option<ConversationId>,
        since: Option<Cursor>,
        greet: bool,
    ) -> Self {
        Self {
            state,
            user,
            only,
            since,
            greet,
            cursor: Cursor::default(),
            heard: Instant::now(),
            limiter: RateLimiter::direct(FRAMES),
            refused: 0,
            acks: 0,
        }
    }

    /// Serves the socket until one side ends it.
    #[tracing::instrument(name = "ws.session", skip_all, fields(nova.user = %self.user))]
    pub(super) async fn run(mut self, mut socket: WebSocket) {
        let metrics = self.state.nova.metrics.clone();
        metrics.websocket_opened();
        let id = Uuid::new_v4();
        let (member, entries, reached) = self
            .state
            .hub
            .join(id, self.user, self.only, self.state.nova.bridge.now());
        self.cursor = reached;
        let end = match self.serve(&mut socket, &member, entries, id).await {
            Err(end) => end,
            Ok(()) => End::silent(ClosedBecause::Client),
        };
        drop(member);
        if let Some((code, reason)) = end.close {
            let close = Message::Close(Some(CloseFrame {
                code,
                reason: reason.into(),
            }));
            // A client that is gone cannot be told.
            drop(timeout(Duration::from_secs(2), socket.send(close)).await);
        }
        if self.acks > 0
            && let Err(error) = self.look_after_floor().await
        {
            tracing::debug!(%error, "the floor stays");
        }
        metrics.websocket_closed(end.why);
    }

    async fn serve(
        &mut self,
        socket: &mut WebSocket,
        member: &Membership,
        mut entries: mpsc::Receiver<Arc<Delivery>>,
        id: Uuid,
    ) -> Result<(), End> {
        if self.greet {
            self.write(socket, frames::greeting(self.user, id)).await?;
        }
        self.begin(socket).await?;
        let stopping = self.state.stopping.clone();
        let mut ping = interval(PING);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ping.reset();
        loop {
            tokio::select! {
                biased;
                () = stopping.cancelled() => {
                    return Err(End::told(ClosedBecause::Shutdown, close_code::RESTART, "restart"));
                }
                message = socket.recv() => match message {
                    Some(Ok(message)) => self.hear(socket, message).await?,
                    Some(Err(error)) => return Err(broken(&error)),
                    None => return Ok(()),
                },
                Some(delivery) = entries.recv() => {
                    self.deliver(socket, &delivery).await?;
                    if entries.is_empty() && member.slot().take_lagging() {
                        self.catch_up(socket).await?;
                    }
                    member.slot().came_to(self.cursor);
                }
                _ = ping.tick() => {
                    if self.heard.elapsed() > SILENCE {
                        return Err(End::silent(ClosedBecause::Timeout));
                    }
                    self.send(socket, Message::Ping(Vec::new().into())).await?;
                    if entries.is_empty() && member.slot().take_lagging() {
                        self.catch_up(socket).await?;
                    }
                }
            }
        }
    }

    /// Sets the acknowledgements' floor at the first connection, and replays what the client asks for.
    async fn begin(&mut self, socket: &mut WebSocket) -> Result<(), End> {
        let pruned = self.set_floor().await.map_err(|error| database(&error))?;
        if let Some(since) = self.since {
            if since.position < pruned {
                let detail = "older frames are not kept; please load the conversations anew";
                self.write(socket, frames::error(None, "RESUME_GAP", detail)).await?;
            }
            self.cursor = since;
            self.catch_up(socket).await?;
        }
        Ok(())
    }

    async fn set_floor(&self) -> Result<i64, StoreError> {
        let mut connection = self.state.nova.bridge.store().read().await?;
        feed::floor(&mut connection, self.user, self.since.unwrap_or(self.cursor)).await?;
        feed::pruned(&mut connection).await
    }

    /// Reads the feed from where the socket is to its end.
    async fn catch_up(&mut self, socket: &mut WebSocket) -> Result<(), End> {
        loop {
            let part = self.read_feed(self.cursor).await.map_err(|error| database(&error))?;
            for (cursor, frames) in part.entries {
                self.write_entry(socket, &frames).await?;
                self.cursor = cursor;
            }
            self.cursor = self.cursor.max(part.reached);
            if !part.more {
                return Ok(());
            }
        }
    }

    async fn read_feed(&self, from: Cursor) -> Result<Part, StoreError> {
        let store = self.state.nova.bridge.store();
        let mut connection = store.read().await?;
        let horizon = store.feed_horizon(&mut connection).await?;
        let below = horizon.position;
        let page = feed::of_user(&mut connection, self.user, self.only, from, below, PAGE).await?;
        let bare = self.state.hub.bare_frames();
        let end = Cursor {
            position: below - 1,
            n: i32::MAX,
        };
        Ok(Part {
            entries: page
                .entries
                .iter()
                .map(|entry| (entry.cursor, frames::of_entry(entry, bare)))
                .collect(),
            reached: page.last.filter(|_| page.full).unwrap_or(end),
            more: page.full,
        })
    }

    async fn deliver(&mut self, socket: &mut WebSocket, delivery: &Delivery) -> Result<(), End> {
        if delivery.cursor <= self.cursor {
            return Ok(());
        }
        self.write_entry(socket, &delivery.frames).await?;
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

    async fn write_entry(&self, socket: &mut WebSocket, frames: &Frames) -> Result<(), End> {
        for frame in &frames.all {
            self.write(socket, frame.clone()).await?;
        }
        match &frames.bare {
            Some(bare) if frames.author != Some(self.user) => self.write(socket, bare.clone()).await,
            Some(_) | None => Ok(()),
        }
    }

    async fn write(&self, socket: &mut WebSocket, frame: Utf8Bytes) -> Result<(), End> {
        self.send(socket, Message::Text(frame)).await
    }

    async fn send(&self, socket: &mut WebSocket, message: Message) -> Result<(), End> {
        match timeout(WRITE, socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(broken(&error)),
            Err(_) => Err(End::told(ClosedBecause::Slow, close_code::AGAIN, "too slow")),
        }
    }

    async fn hear(&mut self, socket: &mut WebSocket, message: Message) -> Result<(), End> {
        let text = match message {
            Message::Ping(_) | Message::Pong(_) => {
                self.heard = Instant::now();
                return Ok(());
            }
            Message::Binary(_) => return Ok(()),
            Message::Close(_) => return Err(End::silent(ClosedBecause::Client)),
            Message::Text(text) => text,
        };
        let (request_id, frame) = protocol::read(&text);
        let result = if self.limiter.check().is_ok() {
            match frame {
                Ok(frame) => self.act(socket, frame).await?,
                Err(refused) => Err(refused),
            }
        } else {
            self.refused += 1;
            if self.refused > PATIENCE {
                return Err(End::told(
                    ClosedBecause::Protocol,
                    close_code::POLICY,
                    "too many frames",
                ));
            }
            Err(Refused {
                code: "RATE_LIMITED",
                detail: "too many frames".to_owned(),
            })
        };
        let answer = match result {
            Ok(None) => return Ok(()),
            Ok(Some(fields)) => frames::ack(request_id.as_ref(), fields),
            Err(refused) => frames::error(request_id.as_ref(), refused.code, &refused.detail),
        };
        self.write(socket, answer).await
    }

    /// Carries a frame out. Some are answered with fields.
    async fn act(&mut self, socket: &mut WebSocket, frame: ClientFrame) -> Result<Result<Option<Value>, Refused>, End> {
        match frame {
            ClientFrame::Ping => self.write(socket, r#"{"type":"pong"}"#.into()).await?,
            ClientFrame::Ack(cursor) => self.acknowledge(cursor).await.map_err(|error| database(&error))?,
            ClientFrame::GetUnacked => self.resend(socket).await?,
            ClientFrame::Send {
                conversation,
                text,
                idempotency_key,
            } => {
                return Ok(self.say(conversation, text, idempotency_key).await.map(Some));
            }
            ClientFrame::Unknown => {}
        }
        Ok(Ok(None))
    }

    async fn say(
        &self,
        conversation: ConversationId,
        text: Text,
        idempotency_key: Option<String>,
    ) -> Result<Value, Refused> {
        let nova = &self.state.nova;
        if let Some(only) = self.only
            && only != conversation
        {
            return Err(Refused::invalid("this socket is for another conversation"));
        }
        if let Err(wait) = nova.sends.check(self.user) {
            let detail = format!("too many messages; again in {} ms", wait.as_millis());
            return Err(Refused {
                code: "RATE_LIMITED",
                detail,
            });
        }
        match nova
            .bridge
            .send_message(self.user, conversation, text, idempotency_key)
            .await
        {
            Ok(message) => Ok(json!({
                "id": message.id,
                "sequence_number": message.sequence,
                "conversation_id": message.conversation,
                "sender_id": message.sender,
                "created_at": frames::time(message.created_at),
                "delivery_status": message.delivery,
            })),
            Err(error) => Err(refusal(error)),
        }
    }

    async fn acknowledge(&mut self, cursor: Cursor) -> Result<(), StoreError> {
        // What was never sent cannot have been seen.
        if cursor > self.cursor {
            return Ok(());
        }
        let mut connection = self.state.nova.bridge.store().read().await?;
        feed::acknowledge(&mut connection, self.user, cursor).await?;
        drop(connection);
        self.acks += 1;
        if self.acks >= ACKS {
            self.acks = 0;
            self.look_after_floor().await?;
        }
        Ok(())
    }

    /// Raises the floor over everything that is acknowledged without a gap. Returns it.
    async fn look_after_floor(&self) -> Result<Cursor, StoreError> {
        let store = self.state.nova.bridge.store();
        let mut connection = store.read().await?;
        let mut floor = feed::floor(&mut connection, self.user, self.cursor).await?;
        loop {
            let below = self.cursor.position.saturating_add(1);
            let page = feed::of_user(&mut connection, self.user, None, floor, below, PAGE).await?;
            let cursors: Vec<Cursor> = page.entries.iter().map(|entry| entry.cursor).collect();
            let seen = feed::acknowledged(&mut connection, self.user, &cursors).await?;
            let run = cursors.iter().take_while(|cursor| seen.contains(cursor)).count();
            // What cannot be read is never sent, and nobody can acknowledge it.
            let top = if run == cursors.len() {
                page.last
            } else {
                run.checked_sub(1).and_then(|last| cursors.get(last).copied())
            };
            let Some(top) = top else { return Ok(floor) };
            floor = top;
            feed::raise_floor(&mut connection, self.user, floor).await?;
            if run < cursors.len() || !page.full {
                return Ok(floor);
            }
        }
    }

    /// Sends again everything from the oldest entry that is not acknowledged.
    async fn resend(&mut self, socket: &mut WebSocket) -> Result<(), End> {
        let mut from = self.look_after_floor().await.map_err(|error| database(&error))?;
        while from < self.cursor {
            let part = self.read_feed(from).await.map_err(|error| database(&error))?;
            from = part.reached;
            for (cursor, frames) in &part.entries {
                if *cursor <= self.cursor {
                    self.write_entry(socket, frames).await?;
                }
            }
            if !part.more {
                break;
            }
        }
        Ok(())
    }
}

/// An error of the use cases, by the code that REST has for it too.
fn refusal(error: CommandError) -> Refused {
    let error = ApiError::from(error);
    error.log("WS", "message.send");
    Refused {
        code: error.code(),
        detail: error.detail(),
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
