//! Which run of the Postgres server we talk to: a restart that is over before anybody looks must not go unnoticed.
//!
//! Synapse often keeps its data in the same server, and drops what it was about to push when that fails it. So after a
//! restart nothing that it pushes is taken before the rooms were looked into (`bridge::catch_up`). Every connection asks
//! when its server was started, so whoever holds a connection knows of a restart that came before it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use sqlx::{PgConnection, PgPool};

use super::StoreError;

/// A pool, and what is known of the server behind it.
#[derive(Debug, Clone)]
pub struct Database {
    /// The connections.
    pub pool: PgPool,
    /// The server that they lead to.
    pub server: Server,
}

/// A pool that was made elsewhere: its own connections do not notice the server's restarts.
impl From<PgPool> for Database {
    fn from(pool: PgPool) -> Self {
        Self {
            pool,
            server: Server::default(),
        }
    }
}

/// A run of the server: from its start to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run(i64);

/// What is known of the server. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Server(Arc<Runs>);

#[derive(Debug, Default)]
struct Runs {
    /// When the server was started that the newest connection leads to, in microseconds since 1970.
    newest: AtomicI64,
    trusted: AtomicI64,
}

impl Server {
    /// Asks a new connection for its server's start.
    pub(super) async fn meet(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let started = sqlx::query_scalar!(
            r#"SELECT (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint AS "started!""#
        )
        .fetch_one(connection)
        .await?;
        self.0.newest.store(started, Ordering::Release);
        Ok(())
    }

    /// The run before which nothing is missing any more.
    #[must_use]
    pub fn trusted(&self) -> Run {
        Run(self.0.trusted.load(Ordering::Acquire))
    }

    /// Whether the server was restarted since the run that is trusted.
    #[must_use]
    pub fn restarted(&self) -> bool {
        self.0.newest.load(Ordering::Acquire) != self.trusted().0
    }

    /// Trusts the run that the newest connection has met: what is missing since before it is looked for now.
    pub fn trust(&self) {
        self.0
            .trusted
            .store(self.0.newest.load(Ordering::Acquire), Ordering::Release);
    }

    /// Fails when the server was restarted since `run`. To be asked with a connection in hand.
    ///
    /// # Errors
    /// [`StoreError::Restarted`], then.
    pub fn still_in(&self, run: Run) -> Result<(), StoreError> {
        if self.0.newest.load(Ordering::Acquire) == run.0 {
            Ok(())
        } else {
            Err(StoreError::Restarted)
        }
    }
}

#[cfg(test)]
impl Server {
    /// A restart, as the next connection would notice it.
    pub(crate) fn restart(&self) {
        self.0.newest.fetch_add(1, Ordering::AcqRel);
    }
}
