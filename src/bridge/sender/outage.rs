//! When the homeserver is back after an outage, everything that waits is sent at once, not when its back-off ends.

use std::sync::atomic::{AtomicU8, Ordering};

use crate::bridge::Bridge;
use crate::bridge::ingest::error_chain;
use crate::matrix::HomeserverError;
use crate::store::outbox;

const UP: u8 = 0;
const SUSPECTED: u8 = 1;
const DOWN: u8 = 2;

/// What is known of the homeserver's health.
#[derive(Debug, Default)]
pub(in crate::bridge) struct Outage(AtomicU8);

impl Outage {
    /// A request failed. If it looks as if nobody was there, that is worth a closer look.
    pub(super) fn suspect(&self, error: &HomeserverError) {
        let nobody_there = error.status().is_none_or(|status| matches!(status, 502..=504));
        if nobody_there {
            // Who knows already that it is down knows more than a suspicion.
            self.0.fetch_max(SUSPECTED, Ordering::Relaxed);
        }
    }
}

impl Bridge {
    /// Looks whether a suspected homeserver is down, and whether one that was down is back.
    pub(super) async fn watch_outage(&self) {
        let outage = &self.inner.outage.0;
        let before = outage.load(Ordering::Relaxed);
        if before == UP {
            return;
        }
        match self.homeserver().versions().await {
            Err(_) => outage.store(DOWN, Ordering::Relaxed),
            // It was one request that failed, not the homeserver: its own back-off is right.
            Ok(_) if before == SUSPECTED => outage.store(UP, Ordering::Relaxed),
            Ok(_) => {
                let hurried = async {
                    let mut connection = self.inner.store.read().await?;
                    outbox::hurry(&mut connection, self.now()).await
                };
                match hurried.await {
                    Ok(lanes) => {
                        tracing::info!(lanes, "the homeserver is back, what waited is sent now");
                        outage.store(UP, Ordering::Relaxed);
                        self.inner.sender_wake.notify_one();
                    }
                    Err(error) => tracing::warn!(error = %error_chain(&error), "the outbox cannot be hurried"),
                }
            }
        }
    }
}
