//! What is shown to whoever looks on now, and is kept nowhere: it never enters the feed.

use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use super::Bridge;
use crate::domain::clock::Timestamp;
use crate::domain::ids::UserId;
use crate::domain::presence::Status;
use crate::domain::typing::Typist;

/// How much waits to be shown at most. The older ones give way; whoever still types is shown again.
pub(super) const WAITING: usize = 1024;

/// Something to be shown now or never.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Live {
    /// Somebody types, or no longer does: for the others in the conversation.
    Typing {
        /// Who.
        typist: Typist,
        /// When it was said.
        at: Timestamp,
    },
    /// Somebody is there, or not: for whoever shares a conversation with them.
    Presence {
        /// Who.
        seen: Seen,
        /// When it was said.
        at: Timestamp,
    },
    /// Somebody blocks somebody, or no longer does: for their own clients, and nobody else.
    Block {
        /// Who.
        by: UserId,
        /// Whom.
        user: UserId,
        /// Whether.
        blocks: bool,
        /// When it was done.
        at: Timestamp,
    },
}

/// Whether somebody is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Who.
    pub user: UserId,
    /// Whether.
    pub status: Status,
    /// Whether they do something right now.
    pub currently_active: bool,
    /// When they last did something, where that is known.
    pub last_active: Option<Timestamp>,
}

/// Who shows it.
pub trait LiveSink: Send + Sync + 'static {
    /// Shows it to whoever is there. An error is nobody's concern.
    fn show_live(&self, live: Live) -> impl Future<Output = ()> + Send;
}

impl Bridge {
    /// Hands on what is to be shown, until `stop`.
    pub async fn follow_live(&self, sink: impl LiveSink, stop: CancellationToken) {
        let mut shown = self.inner.live.subscribe();
        loop {
            match stop.run_until_cancelled(shown.recv()).await {
                Some(Ok(live)) => sink.show_live(live).await,
                Some(Err(RecvError::Lagged(missed))) => tracing::debug!(missed, "too much is to be shown at once"),
                Some(Err(RecvError::Closed)) | None => return,
            }
        }
    }

    /// Shows something, if anybody looks on.
    pub(super) fn show(&self, live: Live) {
        // Without anybody who follows there is nobody to tell.
        drop(self.inner.live.send(live));
    }
}
