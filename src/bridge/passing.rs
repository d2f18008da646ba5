//! What Synapse tells in passing, beside the events of a transaction: receipts, typing, presence. It is taken in here and
//! applied by one task behind the events' back, so that it can neither fail nor slow them; what is too much is forgotten.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use serde_json::value::RawValue;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::Bridge;
use super::ingest::error_chain;
use crate::domain::ephemeral::Ephemeral;
use crate::matrix::translate::ephemeral;
use crate::metrics::{EventKind, EventOutcome};

/// How many wait at most: those of a hundred full transactions. The older ones give way.
const WAITING: usize = 10_000;

/// What waits to be applied.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    waiting: Mutex<VecDeque<Box<RawValue>>>,
    filled: Notify,
}

impl Bridge {
    /// Takes what a transaction tells in passing, to be applied when its events are committed. Never waits, never fails.
    pub fn told_in_passing(&self, told: Vec<Box<RawValue>>) {
        if told.is_empty() {
            return;
        }
        let inbox = &self.inner.inbox;
        let mut waiting = inbox.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.extend(told);
        let too_many = waiting.len().saturating_sub(WAITING);
        waiting.drain(..too_many);
        drop(waiting);
        if too_many > 0 {
            self.count_passing(EventOutcome::Ignored, too_many);
            tracing::debug!(
                too_many,
                "receipts, typing and presence come faster than they are applied"
            );
        }
        inbox.filled.notify_one();
    }

    /// Applies what is told in passing, until `stop`.
    pub async fn listen_in_passing(&self, stop: CancellationToken) {
        let inbox = &self.inner.inbox;
        while stop.run_until_cancelled(inbox.filled.notified()).await.is_some() {
            let told = std::mem::take(&mut *inbox.waiting.lock().unwrap_or_else(PoisonError::into_inner));
            self.apply_passing(&told).await;
        }
    }

    async fn apply_passing(&self, told: &VecDeque<Box<RawValue>>) {
        let mut receipts = Vec::new();
        let mut understood = 0;
        for told in told.iter().filter_map(|raw| ephemeral::read(raw)) {
            understood += 1;
            match told {
                Ephemeral::Receipts { room, receipts: more } => {
                    receipts.extend(more.into_iter().map(|receipt| (room.to_string(), receipt)));
                }
                Ephemeral::Typing { room, users } => {
                    if let Err(error) = self.take_typing(room.as_str(), &users).await {
                        tracing::warn!(error = %error_chain(&error), "who types cannot be told");
                    }
                }
                Ephemeral::Presence(presence) => self.take_presence(&presence),
            }
        }
        if let Err(error) = self.take_receipts(receipts).await {
            tracing::warn!(error = %error_chain(&error), "receipts cannot be noted");
        }
        self.count_passing(EventOutcome::Applied, understood);
        self.count_passing(EventOutcome::Ignored, told.len().saturating_sub(understood));
    }

    fn count_passing(&self, outcome: EventOutcome, count: usize) {
        let count = u64::try_from(count).unwrap_or_default();
        self.inner.metrics.events(EventKind::Ephemeral, outcome, count);
    }
}
