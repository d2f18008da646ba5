//! Tells rooms how far Nova users have read, as their ghosts. Beside the lanes of messages, never in them: a receipt is of
//! no use to anybody who waits.

use std::time::Duration;

use chrono::TimeDelta;
use futures_util::StreamExt;
use futures_util::stream::iter;
use ruma::{OwnedRoomId, OwnedUserId};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::{LONGEST_WAIT, ReceiptsTold};
use crate::bridge::Bridge;
use crate::bridge::ingest::error_chain;
use crate::domain::job::retry_delay_ms;
use crate::matrix::{HomeserverError, Retry};
use crate::store::receipts::{self, Due};
use crate::store::{Store, StoreError};

/// How often it is looked without being told to.
const POLL: Duration = Duration::from_secs(5);

/// How many are taken at once, how many of them are sent at once, and for how long nobody else takes them. That is also how
/// late they are when the bridge dies meanwhile; twice they hurt nobody.
const BATCH: i64 = 50;
const REQUESTS: usize = 8;
const TAKEN_FOR: TimeDelta = TimeDelta::seconds(30);

/// How one went.
enum Told {
    /// The room knows up to this number; with false, not all that was read is in the room yet.
    Yes(i64, bool),
    /// There is nothing in the room yet that could be told of.
    NotYet,
    /// It will never be.
    Never,
    /// The homeserver does not take it now.
    Later(Duration),
    /// The homeserver cannot be reached.
    Away,
}

impl Bridge {
    /// Sends the receipts of Nova users, until `stop`.
    pub async fn send_receipts(&self, stop: CancellationToken) {
        if self.inner.settings.receipts == ReceiptsTold::Off {
            return stop.cancelled().await;
        }
        loop {
            let wait = self.send_some_receipts().await.unwrap_or_else(|error| {
                tracing::warn!(error = %error_chain(&error), "receipts cannot be read, trying again");
                POLL
            });
            let next = Instant::now() + wait;
            tokio::select! {
                () = stop.cancelled() => return,
                _ = timeout_at(next, self.inner.receipts_wake.notified()) => {}
            }
        }
    }

    /// Sends those that are due. Returns how long to wait for the next.
    async fn send_some_receipts(&self) -> Result<Duration, StoreError> {
        let store = &self.inner.store;
        loop {
            let mut connection = store.read().await?;
            let now = self.now();
            let due = receipts::claim(&mut connection, BATCH, now, now + TAKEN_FOR).await?;
            drop(connection);
            let more = i64::try_from(due.len()).is_ok_and(|taken| taken >= BATCH);
            let sent = due.into_iter().map(|due| async move {
                let told = self.tell_receipt(&due).await;
                self.note_told(store, &due, told).await
            });
            let mut sent = iter(sent).buffer_unordered(REQUESTS);
            let mut away = false;
            while let Some(done) = sent.next().await {
                away |= done?;
            }
            drop(sent);
            if away {
                return Ok(POLL);
            }
            if !more {
                break;
            }
        }
        let mut connection = store.read().await?;
        let next = receipts::next_due(&mut connection).await?;
        let wait = next.and_then(|next| (next - self.now()).to_std().ok());
        Ok(wait
            .unwrap_or(if next.is_some() { Duration::ZERO } else { POLL })
            .min(POLL))
    }

    async fn tell_receipt(&self, due: &Due) -> Told {
        let Some((event, number)) = &due.event else {
            return if due.waits { Told::NotYet } else { Told::Never };
        };
        let room = due.room.as_deref().map(OwnedRoomId::try_from);
        let ghost = OwnedUserId::try_from(self.ghosts().mxid(due.read.user));
        let (Some(Ok(room)), Ok(ghost)) = (room, ghost) else {
            return Told::Never;
        };
        let is_private = self.inner.settings.receipts == ReceiptsTold::Private;
        match self.homeserver().send_receipt(&ghost, &room, event, is_private).await {
            Ok(()) => Told::Yes(*number, !due.waits),
            Err(HomeserverError::Connect(_) | HomeserverError::Timeout(_)) => Told::Away,
            Err(error) => match error.retry() {
                Retry::After(wait) => Told::Later(wait),
                Retry::Backoff => Told::Later(Duration::ZERO),
                Retry::Never => {
                    tracing::debug!(room.id = %room, error = %error_chain(&error), "a receipt is refused");
                    Told::Never
                }
            },
        }
    }

    /// Notes how one went. Returns whether the homeserver is away.
    async fn note_told(&self, store: &Store, due: &Due, told: Told) -> Result<bool, StoreError> {
        let mut connection = store.read().await?;
        let now = self.now();
        let wait = TimeDelta::milliseconds(retry_delay_ms(due.attempts + 1, self.inner.random.number()));
        let soon = now + wait.min(LONGEST_WAIT);
        match told {
            Told::Yes(number, true) => receipts::settle(&mut connection, due.read, number, now).await?,
            Told::Never => receipts::settle(&mut connection, due.read, 0, now).await?,
            Told::Yes(number, false) => receipts::defer(&mut connection, due.read, Some(number), soon).await?,
            Told::NotYet | Told::Away => receipts::defer(&mut connection, due.read, None, soon).await?,
            Told::Later(wait) => {
                let wait = TimeDelta::from_std(wait).unwrap_or(LONGEST_WAIT);
                receipts::defer(&mut connection, due.read, None, soon.max(now + wait)).await?;
            }
        }
        Ok(matches!(told, Told::Away))
    }
}
