//! Keeps the search index in step with the feed, behind everybody's back: nobody who says something waits for it, and it
//! gives way while Synapse pushes. One node at a time does, and a restart goes on where the last one stopped.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Bridge;
use super::ingest::error_chain;
use crate::domain::feed::{Change, Cursor, FeedEvent};
use crate::domain::ids::MessageId;
use crate::domain::message::Message;
use crate::store::search::{self, Progress};
use crate::store::{StoreError, feed};

/// How often it is looked for what is new.
const POLL: Duration = Duration::from_millis(500);

/// How long nothing must have been pushed before the index is written.
const QUIET: Duration = Duration::from_millis(100);

/// How long the index waits for that, once it is behind.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many entries, and older messages, are taken at once.
const BATCH: i64 = 500;

impl Bridge {
    /// Indexes what is said, until `stop`.
    pub async fn index_messages(&self, stop: CancellationToken) {
        stop.run_until_cancelled(async {
            loop {
                self.catch_up_index().await;
                sleep(POLL).await;
            }
        })
        .await;
    }

    /// Indexes what there is, between pushes as long as the patience lasts.
    async fn catch_up_index(&self) {
        let patience = Instant::now() + PATIENCE;
        loop {
            self.inner.pushed.quiet(QUIET, patience).await;
            match self.index_once().await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::warn!(error = %error_chain(&error), "the search index cannot be written, trying again");
                    return;
                }
            }
        }
    }

    /// One batch. Returns whether there is more to do at once.
    async fn index_once(&self) -> Result<bool, StoreError> {
        let store = &self.inner.store;
        let mut tx = store.begin().await?;
        if !search::take_turn(&mut tx).await? {
            return Ok(false);
        }
        let pruned = feed::pruned(&mut tx).await?;
        let known = search::progress(&mut tx).await?;
        let before = match known {
            Some(progress) if progress.cursor.position >= pruned => progress,
            // There is no index yet, or it was switched off for longer than the feed remembers.
            Some(_) | None => Progress {
                cursor: feed::newest(&mut tx)
                    .await?
                    .unwrap_or(Cursor { position: pruned, n: 0 }),
                backfilled: Some(MessageId(Uuid::nil())),
            },
        };
        let mut progress = before;
        let mut more = false;
        if let Some(after) = before.backfilled {
            let older = search::older(&mut tx, after, BATCH).await?;
            let there: Vec<&Message> = older.iter().filter(|message| message.gone.is_none()).collect();
            search::index(&mut tx, &there).await?;
            progress.backfilled = older.last().map(|message| message.id);
            more = progress.backfilled.is_some();
        }
        let (page, _) = feed::after(&mut tx, before.cursor, BATCH).await?;
        // Each message is given as it is now, however often it is told of.
        let mut said: BTreeMap<MessageId, &Message> = BTreeMap::new();
        let mut gone = Vec::new();
        for entry in &page.entries {
            match &entry.event {
                FeedEvent::Message(message) | FeedEvent::Edited { message, .. } if message.gone.is_none() => {
                    said.insert(message.id, message);
                }
                FeedEvent::Change(Change::MessageDeleted { message, .. } | Change::Recalled { message, .. }) => {
                    gone.push(*message);
                }
                FeedEvent::Message(_)
                | FeedEvent::Edited { .. }
                | FeedEvent::Requested { .. }
                | FeedEvent::Change(_) => {}
            }
        }
        search::index(&mut tx, &said.into_values().collect::<Vec<_>>()).await?;
        search::forget(&mut tx, &gone).await?;
        progress.cursor = page.last.unwrap_or(before.cursor);
        if known != Some(progress) {
            search::set_progress(&mut tx, progress).await?;
            tx.commit().await?;
        }
        Ok(more || page.full)
    }
}
