//! Being alive, as other nodes can see it: a node holds an advisory lock on a connection of its own. When it dies, its
//! connection ends, and what it had claimed is free at once.

use sqlx::{Connection, PgConnection};

use super::{Store, StoreError, keys};

/// The sign of life of one node.
#[derive(Debug)]
pub struct Presence {
    connection: PgConnection,
    node: i32,
}

impl Presence {
    /// Takes a connection out of the pool and holds the lock of `node` on it, and that of the key that it seals by.
    ///
    /// # Errors
    /// When Postgres fails, or another node has this number.
    pub async fn hold(store: &Store, node: i32) -> Result<Option<Self>, StoreError> {
        let mut connection = store.acquire().await?.detach();
        let held = sqlx::query_scalar!(r#"SELECT pg_try_advisory_lock(20261121, $1) AS "held!""#, node)
            .fetch_one(&mut connection)
            .await?;
        if !held {
            return Ok(None);
        }
        keys::hold(&mut connection, store.sealer()).await?;
        Ok(Some(Self { connection, node }))
    }

    /// The node's number.
    #[must_use]
    pub const fn node(&self) -> i32 {
        self.node
    }

    /// Looks after the connection, and makes another one when it is gone. Returns whether the lock is held.
    ///
    /// It is not while Postgres still waits for the old connection, or when another node has taken the number.
    ///
    /// # Errors
    /// When Postgres does not answer.
    pub async fn check(&mut self, store: &Store) -> Result<bool, StoreError> {
        if self.connection.ping().await.is_ok() {
            return Ok(true);
        }
        let renewed = Self::hold(store, self.node).await?;
        let held = renewed.is_some();
        if let Some(renewed) = renewed {
            *self = renewed;
        }
        Ok(held)
    }
}
