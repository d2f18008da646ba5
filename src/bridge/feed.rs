//! Follows the feed and hands new entries on, in the order of their cursors, each once.
//!
//! It reads them from the database, once per process, however many sockets there are: so what this process committed,
//! what another one did, and what became visible late after a crash are all the same to it. Nobody is shown an entry
//! before everything below its cursor is decided, which is what makes a cursor safe to resume from.

use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

use super::Bridge;
use super::ingest::error_chain;
use crate::domain::feed::{Cursor, FeedEntry};
use crate::store::{Session, StoreError, acts, feed};

/// How often the feed is looked at without being told to.
const POLL: Duration = Duration::from_secs(1);

/// How long to wait for a transaction that holds the feed back, at first and at most.
const HELD: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(50));

/// How many entries are read at once.
const PAGE: i64 = 500;

/// Who is told of new entries.
pub trait FeedSink: Send + Sync + 'static {
    /// Entries in the order of their cursors. Called by one task, never twice with the same.
    fn publish(&self, entries: Vec<FeedEntry>) -> impl Future<Output = ()> + Send;
}

impl Bridge {
    /// Follows the feed after `cursor` until `stop`. What is older is there to be asked for.
    pub async fn follow_feed(&self, mut cursor: Cursor, sink: impl FeedSink, stop: CancellationToken) {
        let mut patience = HELD.0;
        // One connection as long as it works: this is asked after every commit.
        let mut connection = None;
        loop {
            let wait = match self.follow_once(&mut connection, &mut cursor, &sink).await {
                Ok(false) => {
                    patience = HELD.0;
                    POLL
                }
                Ok(true) => {
                    patience = (patience * 2).min(HELD.1);
                    patience
                }
                Err(error) => {
                    tracing::warn!(error = %error_chain(&error), "the feed cannot be read, trying again");
                    connection = None;
                    patience = HELD.0;
                    POLL
                }
            };
            let next = Instant::now() + wait;
            tokio::select! {
                () = stop.cancelled() => return,
                _ = timeout_at(next, self.inner.feed_wake.notified()) => {}
            }
        }
    }

    /// Where the feed ends now: its newest entry below which nothing will be committed any more.
    ///
    /// Always an entry, never just a position that is free: after a crash Postgres gives out transaction ids again of
    /// which nothing had been written.
    ///
    /// # Errors
    /// When Postgres fails.
    pub async fn feed_end(&self) -> Result<Cursor, StoreError> {
        let mut connection = self.inner.store.read().await?;
        Ok(feed::newest(&mut connection).await?.unwrap_or_default())
    }

    /// Publishes what is new. Returns whether a running transaction holds more back.
    async fn follow_once(
        &self,
        connection: &mut Option<Session>,
        cursor: &mut Cursor,
        sink: &impl FeedSink,
    ) -> Result<bool, StoreError> {
        let connection = match connection {
            Some(connection) => connection,
            None => connection.insert(self.inner.store.read().await?),
        };
        loop {
            let (page, held) = feed::after(connection, *cursor, PAGE).await?;
            let Some(last) = page.last else { return Ok(held) };
            *cursor = last;
            if let Some(oldest) = page.entries.first().map(|entry| entry.at) {
                sink.publish(page.entries).await;
                if let Ok(lag) = (self.now() - oldest).to_std() {
                    self.inner.metrics.feed_lag(lag);
                }
            }
            if !page.full {
                return Ok(held);
            }
        }
    }

    /// Drops feed entries, the audit of calls, and uploads that no message took, if they are older than `retention`: now and
    /// every hour, until `stop`.
    pub async fn prune_feed(&self, retention: chrono::Duration, stop: CancellationToken) {
        loop {
            let dropped = async {
                let mut connection = self.inner.store.read().await?;
                feed::prune(&mut connection, self.now() - retention).await
            };
            match dropped.await {
                Ok(0) => {}
                Ok(dropped) => tracing::info!(dropped, "dropped feed entries beyond their retention"),
                Err(error) => tracing::warn!(error = %error_chain(&error), "the feed cannot be pruned"),
            }
            let acts = async {
                let mut connection = self.inner.store.read().await?;
                acts::prune(&mut connection, self.now() - retention).await
            };
            if let Err(error) = acts.await {
                tracing::warn!(error = %error_chain(&error), "what waits for its message cannot be pruned");
            }
            if let Err(error) = self.prune_calls(self.now() - retention).await {
                tracing::warn!(error = %error_chain(&error), "the audit of calls cannot be pruned");
            }
            if let Err(error) = self.forget_uploads(self.now() - retention).await {
                tracing::warn!(error = %error_chain(&error), "uploads cannot be forgotten");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep_until(Instant::now() + Duration::from_hours(1)) => {}
            }
        }
    }
}
