//! One socket, owned by one task: what the client says and what the feed says meet here.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use socketioxide::extract::SocketRef;
use socketioxide::{SendError, SocketError};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::DialectState;
use super::replay::Later;
use super::words::{Facts, Word};
use crate::bridge::calls::Attendance;
use crate::domain::feed::{Change, Cursor, FeedEntry, FeedEvent};
use crate::domain::ids::{CallId, UserId};
use crate::metrics::ClosedBecause;
use crate::nova::error::ApiError;
use crate::nova::hub::{Membership, Shown};
use crate::store::feed;

/// How long a socket may stay that has not said whose it is.
const ANONYMOUS: Duration = Duration::from_secs(30);

/// How long a full outbox may stay full before the client counts as too slow.
const WRITE: Duration = Duration::from_secs(10);

/// How often a full outbox is tried again.
const FULL: Duration = Duration::from_millis(20);

/// How often it is looked whether entries were withheld.
const LOOK: Duration = Duration::from_secs(5);

/// Entries read from the feed at once.
const PAGE: i64 = 200;

/// What a client said.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) name: String,
    /// Its first argument, where that is JSON.
    pub(super) data: Option<Value>,
}

/// The socket is to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct End(pub(super) ClosedBecause);

/// A user's place in the feed.
struct Seat {
    member: Membership,
    entries: mpsc::Receiver<Arc<Shown>>,
    /// Everything up to here was looked at.
    cursor: Cursor,
    /// A call of theirs goes on while this is there.
    _attendance: Attendance,
}

/// What is remembered of a call that a socket hears of.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) facts: Facts,
    /// Whether it was told that somebody took it.
    pub(super) taken: bool,
    /// Whether it was shown the offer, or is the caller's.
    pub(super) offered: bool,
    /// Whether a new offer of the peer waits for an answer.
    pub(super) asked: bool,
    /// What was told last of the peer's microphone and camera.
    pub(super) media: (bool, bool),
}

pub(super) struct Session {
    pub(super) state: DialectState,
    pub(super) socket: SocketRef,
    pub(super) user: Option<UserId>,
    /// Whether it wants to be rung.
    pub(super) registered: bool,
    /// The calls that it takes part in.
    pub(super) joined: HashSet<CallId>,
    pub(super) known: HashMap<CallId, Known>,
    /// What has to be done later, in no order.
    pub(super) later: Vec<Later>,
    seat: Option<Seat>,
}

impl Session {
    pub(super) fn new(state: DialectState, socket: SocketRef, user: Option<UserId>) -> Self {
        Self {
            state,
            socket,
            user: None,
            registered: false,
            joined: HashSet::new(),
            known: HashMap::new(),
            later: Vec::new(),
            seat: None,
        }
        .with_user(user)
    }

    fn with_user(mut self, user: Option<UserId>) -> Self {
        if let Some(user) = user {
            self.sit(user);
        }
        self
    }

    /// From now on the socket is this user's.
    pub(super) fn sit(&mut self, user: UserId) {
        if self.seat.is_some() {
            return;
        }
        let bridge = &self.state.nova.bridge;
        let (member, entries, cursor) = self.state.hub.join(Uuid::new_v4(), user, None, bridge.now());
        self.seat = Some(Seat {
            member,
            entries,
            cursor,
            _attendance: bridge.attend(user),
        });
        self.user = Some(user);
    }

    /// Serves the socket until one side ends it.
    pub(super) async fn run(mut self, events: mpsc::Receiver<Heard>, gone: CancellationToken) {
        let metrics = self.state.nova.metrics.clone();
        metrics.websocket_opened();
        let socket = self.socket.clone();
        let end = Box::pin(self.serve(events, gone)).await;
        let why = end.err().map_or(ClosedBecause::Client, |end| end.0);
        if let (Some(user), Some(cursor), false) = (self.user, self.cursor(), self.joined.is_empty()) {
            self.state.away.note(user, cursor);
        }
        drop(self);
        // It may be closed already.
        drop(socket.disconnect());
        metrics.websocket_closed(why);
    }

    async fn serve(&mut self, mut events: mpsc::Receiver<Heard>, gone: CancellationToken) -> Result<(), End> {
        let opened = Instant::now();
        let stopping = self.state.stopping.clone();
        loop {
            let due = self.later.iter().map(|it| it.at).min();
            let wake = due.unwrap_or_else(|| Instant::now() + LOOK);
            tokio::select! {
                biased;
                () = stopping.cancelled() => return Err(End(ClosedBecause::Shutdown)),
                () = gone.cancelled() => {
                    // What was said before the end was said: a call may have been ended by it.
                    while let Ok(heard) = events.try_recv() {
                        self.hear(heard).await?;
                    }
                    return Ok(());
                }
                Some(heard) = events.recv() => self.hear(heard).await?,
                Some(shown) = next(&mut self.seat) => match &*shown {
                    Shown::Entry(delivery) => self.take(&delivery.entry).await?,
                    // Of these it has no words for.
                    Shown::Live(_) => {}
                },
                () = sleep_until(wake) => {
                    if self.user.is_none() && opened.elapsed() > ANONYMOUS {
                        return Err(End(ClosedBecause::Unauthorized));
                    }
                    self.do_later().await?;
                }
            }
            self.catch_up().await?;
        }
    }

    /// Up to where it has looked at the feed.
    pub(super) fn cursor(&self) -> Option<Cursor> {
        self.seat.as_ref().map(|seat| seat.cursor)
    }

    /// Looks at an entry of the feed, unless it was looked at.
    async fn take(&mut self, entry: &FeedEntry) -> Result<(), End> {
        let Some(seat) = &mut self.seat else { return Ok(()) };
        if entry.cursor <= seat.cursor {
            return Ok(());
        }
        seat.cursor = entry.cursor;
        seat.member.slot().came_to(entry.cursor);
        match &entry.event {
            FeedEvent::Change(Change::Call { call, news }) => self.tell(*call, news).await,
            FeedEvent::Change(_) | FeedEvent::Edited { .. } | FeedEvent::Requested { .. } | FeedEvent::Message(_) => {
                Ok(())
            }
        }
    }

    /// Reads the feed for what was withheld.
    async fn catch_up(&mut self) -> Result<(), End> {
        loop {
            let (Some(seat), Some(user)) = (&self.seat, self.user) else {
                return Ok(());
            };
            if !seat.entries.is_empty() || !seat.member.slot().is_lagging() {
                return Ok(());
            }
            seat.member.slot().take_lagging();
            let page = self
                .read_feed(user, seat.cursor)
                .await
                .map_err(|error| failed(&error))?;
            for entry in &page.entries {
                self.take(entry).await?;
            }
            let Some(seat) = &mut self.seat else { return Ok(()) };
            seat.cursor = page.last.map_or(seat.cursor, |last| last.max(seat.cursor));
            if !page.full {
                return Ok(());
            }
            seat.member.slot().lag();
        }
    }

    pub(super) async fn read_feed(&self, user: UserId, from: Cursor) -> Result<feed::Page, ApiError> {
        let store = self.state.nova.bridge.store();
        let mut connection = store.read().await?;
        // As for Nova's own sockets: what was published here is decided.
        let published = self.state.hub.reached();
        let horizon = store.feed_horizon(&mut connection).await?;
        let below = horizon.position.max(published.position.saturating_add(1));
        Ok(feed::of_user(&mut connection, user, None, from, below, PAGE).await?)
    }

    /// Shows words of a call, as far as the socket is to hear them.
    pub(super) async fn show(&self, call: CallId, words: Vec<Word>) -> Result<(), End> {
        let joined = self.joined.contains(&call);
        if !joined && !self.registered {
            return Ok(());
        }
        for word in words.into_iter().filter(|word| joined || !word.only_joined) {
            self.emit(&word).await?;
        }
        Ok(())
    }

    /// Sends. A client that does not take it in time is too slow.
    pub(super) async fn emit(&self, word: &Word) -> Result<(), End> {
        let sent = async {
            loop {
                match self.socket.emit(word.event, &word.body) {
                    Ok(()) => return Ok(()),
                    Err(SendError::Socket(SocketError::InternalChannelFull)) => sleep(FULL).await,
                    Err(SendError::Socket(SocketError::Closed)) => return Err(End(ClosedBecause::Client)),
                    Err(SendError::Serialize(error)) => {
                        tracing::error!(%error, event = word.event, "an event cannot be written");
                        return Err(End(ClosedBecause::Error));
                    }
                }
            }
        };
        match timeout(WRITE, sent).await {
            Ok(done) => done,
            Err(_) => Err(End(ClosedBecause::Slow)),
        }
    }
}

/// What the feed says next; nothing ever, where nobody has said whose socket it is.
async fn next(seat: &mut Option<Seat>) -> Option<Arc<Shown>> {
    match seat {
        Some(seat) => seat.entries.recv().await,
        None => std::future::pending().await,
    }
}

/// The database failed: the client connects again and finds its calls.
pub(super) fn failed(error: &ApiError) -> End {
    tracing::error!(%error, "a socket is closed because the database failed");
    End(ClosedBecause::Error)
}
