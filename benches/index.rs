//! The search index, which the bridge writes in quiet moments: how long until it has everything.

use std::time::{Duration, Instant};

use sqlx::Connection;
use sqlx::postgres::PgConnection;
use tokio::time::sleep;

/// How often it is looked at.
const POLL: Duration = Duration::from_millis(20);

pub(crate) struct Index(PgConnection);

impl Index {
    pub(crate) async fn of(database: &str) -> Self {
        Self(PgConnection::connect(database).await.expect("Postgres lets us in"))
    }

    /// Waits until everything that was said can be searched: what is measured next has the machine to itself.
    pub(crate) async fn caught_up(&mut self) -> Duration {
        let started = Instant::now();
        while !self.is_complete().await {
            sleep(POLL).await;
        }
        started.elapsed()
    }

    async fn is_complete(&mut self) -> bool {
        sqlx::query_scalar(
            "SELECT NOT EXISTS (SELECT FROM messages WHERE n IS NOT NULL AND (position, n) > (SELECT position, n FROM search_progress))",
        )
        .fetch_one(&mut self.0)
        .await
        .unwrap()
    }
}
