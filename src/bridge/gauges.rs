//! What is measured from time to time because nobody counts it as it happens.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::Bridge;
use super::ingest::error_chain;
use crate::store::{StoreError, calls, dead_letters, outbox};

/// How old a value may be.
const EVERY: Duration = Duration::from_secs(15);

impl Bridge {
    /// Keeps the gauges in step until `stop`: the outbox, the dead letters, the pool.
    pub async fn measure(&self, stop: CancellationToken) {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            if let Err(error) = self.measure_once().await {
                tracing::debug!(error = %error_chain(&error), "the gauges keep their old values");
            }
        }
    }

    /// Brings the gauges in step now.
    ///
    /// # Errors
    /// When Postgres fails; the pool is measured all the same.
    pub async fn measure_once(&self) -> Result<(), StoreError> {
        let metrics = &self.inner.metrics;
        let (size, idle) = self.inner.store.pool_use();
        let idle = i64::try_from(idle).unwrap_or(i64::MAX);
        metrics.database_pool(i64::from(size).saturating_sub(idle), idle);
        let mut connection = self.inner.store.read().await?;
        let (pending, oldest) = outbox::depth(&mut connection).await?;
        let age = oldest.and_then(|oldest| (self.now() - oldest).to_std().ok());
        metrics.outbox(pending, age.unwrap_or_default());
        metrics.dead_letters(dead_letters::count(&mut connection).await?);
        let (ringing, connected) = calls::count(&mut connection).await?;
        metrics.calls(ringing, connected);
        Ok(())
    }
}
