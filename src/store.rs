//! Postgres: the only place with SQL. Plain functions on a connection, so that the caller owns the transaction.
//!
//! Whoever writes to conversations locks them first ([`Store::begin`] explains). "Not found" is `Ok(None)`, never an
//! error.

pub mod acts;
pub mod apply;
pub mod blocks;
pub mod calls;
pub mod connect;
pub mod contacts;
pub mod context;
pub mod conversations;
pub mod dead_letters;
pub mod feed;
pub mod keys;
pub mod knocks;
pub mod lists;
pub mod locations;
pub mod management;
pub mod media;
pub mod messages;
pub mod nodes;
pub mod outages;
pub mod outbox;
pub mod people;
pub mod pins;
pub mod plain;
pub mod receipts;
pub mod requests;
pub mod reseal;
mod sealer;
pub mod search;
pub mod server;
pub mod session;
pub mod spaces;
pub mod threads;

#[cfg(test)]
pub(crate) mod tests;

use std::time::Duration;

pub use sqlx::PgPool;
use sqlx::migrate::Migrator;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, Postgres};

use crate::seal::SealError;
pub use sealer::Sealer;
use server::{Database, Server};
pub use session::{Session, Tx};

/// The feed keeps one connection to itself; whoever is told by the feed needs another.
const LEAST_CONNECTIONS: u32 = 4;

/// How long a connection is taken to work after it was used.
const FRESH: Duration = Duration::from_millis(500);

/// The schema, step by step.
pub static MIGRATOR: Migrator = sqlx::migrate!();

/// What can go wrong between us and Postgres.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The address of the database cannot be read. Never shows the address, which holds a password.
    #[error("the database address cannot be read")]
    Address(#[source] sqlx::Error),
    /// Postgres refused, or was not there.
    #[error("the database failed")]
    Driver(#[from] sqlx::Error),
    /// Postgres was restarted, and what was missed by that has not been looked for yet.
    #[error("the database was restarted, and the rooms have not been looked into yet")]
    Restarted,
    /// The schema could not be brought up to date.
    #[error("the database's schema could not be brought up to date")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// A row that no code of ours writes.
    #[error("column {column} of {table} holds a value that cannot be ({row})")]
    Inconsistent {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row's key.
        row: String,
    },
    /// A text cannot be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// A value of ours that cannot be written as JSON.
    #[error("a value cannot be written as JSON")]
    Json(#[from] serde_json::Error),
}

impl StoreError {
    /// The name of the unique key that a write ran into, if that is what happened.
    #[must_use]
    pub fn conflict(&self) -> Option<&str> {
        match self {
            Self::Driver(sqlx::Error::Database(error)) if error.is_unique_violation() => error.constraint(),
            Self::Address(_)
            | Self::Driver(_)
            | Self::Restarted
            | Self::Migrate(_)
            | Self::Inconsistent { .. }
            | Self::Seal(_)
            | Self::Json(_) => None,
        }
    }

    /// Whether Postgres could not be asked, or is on its way down or up: the same may work later.
    #[must_use]
    pub fn unavailable(&self) -> bool {
        match self {
            Self::Restarted => true,
            Self::Driver(sqlx::Error::Database(error)) => error
                .code()
                // Class 08: the connection; class 53: resources; class 57: an operator, a shutdown.
                .is_some_and(|code| ["08", "53", "57"].iter().any(|class| code.starts_with(class))),
            Self::Driver(error) => matches!(
                error,
                sqlx::Error::Io(_)
                    | sqlx::Error::Tls(_)
                    | sqlx::Error::PoolTimedOut
                    | sqlx::Error::PoolClosed
                    | sqlx::Error::WorkerCrashed
            ),
            Self::Address(_) | Self::Migrate(_) | Self::Inconsistent { .. } | Self::Seal(_) | Self::Json(_) => false,
        }
    }

    /// Whether Postgres refused the data rather than being unable to work: trying again would end the same.
    #[must_use]
    pub fn refuses_data(&self) -> bool {
        match self {
            // Class 22: the data; class 23: constraints; 54000: limits.
            Self::Driver(sqlx::Error::Database(error)) => error
                .code()
                .is_some_and(|code| ["22", "23", "54"].iter().any(|class| code.starts_with(class))),
            Self::Driver(sqlx::Error::Encode(_)) | Self::Seal(_) | Self::Json(_) | Self::Inconsistent { .. } => true,
            Self::Address(_) | Self::Driver(_) | Self::Restarted | Self::Migrate(_) => false,
        }
    }
}

/// The pool, and the offset of the feed's clock.
#[derive(Debug, Clone)]
pub struct Store {
    pool: PgPool,
    server: Server,
    clock_base: i64,
    plain: plain::Kept,
    sealer: Sealer,
}

impl Store {
    /// A pool for `url` that connects when it is first used.
    ///
    /// # Errors
    /// When the address cannot be read.
    pub fn pool(url: &str, max_connections: u32) -> Result<Database, StoreError> {
        let server = Server::default();
        let meeting = server.clone();
        let options: PgConnectOptions = url.parse().map_err(StoreError::Address)?;
        // Every statement goes by a key, so it is planned once for each connection; left to itself, Postgres would plan
        // those with arrays again at each call. Such a plan may be made while a table is empty and must not stay with
        // reading all of it when it has grown: whole tables are read only where nothing else is possible. Nor may one that
        // expects a tenth of a table, as those with a limit do, start a worker for each call.
        let options = options.application_name("nova-bridge").options([
            ("plan_cache_mode", "force_generic_plan"),
            ("enable_seqscan", "off"),
            ("enable_hashjoin", "off"),
            ("enable_mergejoin", "off"),
            ("max_parallel_workers_per_gather", "0"),
            ("jit", "off"),
        ]);
        let pool = PgPoolOptions::new()
            .max_connections(max_connections.max(LEAST_CONNECTIONS))
            .acquire_timeout(Duration::from_secs(10))
            // A connection that worked just now is not asked again whether it does: that is a round trip.
            .test_before_acquire(false)
            .after_connect(move |connection, _| {
                let server = meeting.clone();
                Box::pin(async move { server.meet(connection).await })
            })
            .before_acquire(|connection, was| {
                Box::pin(async move {
                    if was.idle_for > FRESH {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .connect_lazy_with(options);
        Ok(Database { pool, server })
    }

    /// Takes the pool into use: the schema has to be up to date.
    ///
    /// A database that was restored into a fresh cluster counts its transactions from the start again; the feed's clock
    /// is set forward then, so that it never runs backwards.
    ///
    /// # Errors
    /// When Postgres cannot be reached.
    pub async fn open(database: impl Into<Database>) -> Result<Self, StoreError> {
        let Database { pool, server } = database.into();
        let mut connection = pool.acquire().await?;
        server.meet(&mut connection).await?;
        let clock_base = sqlx::query_scalar!(
            "UPDATE feed_clock SET base = greatest(base,
                greatest(pruned, (SELECT max(position) FROM conversation_feed), (SELECT max(position) FROM messages),
                    (SELECT max(position) FROM feed_floors))
                    - pg_current_xact_id()::text::bigint + 1)
             RETURNING base"
        )
        .fetch_one(&mut *connection)
        .await?;
        server.trust();
        Ok(Self {
            pool,
            server,
            clock_base,
            plain: plain::Kept::default(),
            sealer: Sealer::default(),
        })
    }

    /// The same store, with keys.
    #[must_use]
    pub fn sealed_by(self, sealer: Sealer) -> Self {
        Self { sealer, ..self }
    }

    /// What seals and opens its texts.
    #[must_use]
    pub const fn sealer(&self) -> &Sealer {
        &self.sealer
    }

    /// Starts a transaction.
    ///
    /// Before its first write it must lock the conversations that it writes to, by [`conversations::lock`] or
    /// [`context::enter`]: the feed's order rests on that.
    ///
    /// # Errors
    /// When Postgres cannot be reached.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        Ok(Tx::new(self.pool.begin().await?, self.sealer.clone()))
    }

    /// A connection for reading.
    ///
    /// # Errors
    /// When Postgres cannot be reached.
    pub async fn read(&self) -> Result<Session, StoreError> {
        Ok(Session::new(self.acquire().await?, self.sealer.clone()))
    }

    async fn acquire(&self) -> Result<PoolConnection<Postgres>, StoreError> {
        Ok(self.pool.acquire().await?)
    }

    /// What is known of the server.
    #[must_use]
    pub const fn server(&self) -> &Server {
        &self.server
    }

    /// The offset of the feed's clock.
    #[must_use]
    pub const fn clock_base(&self) -> i64 {
        self.clock_base
    }

    /// Connections in use and idle.
    #[must_use]
    pub fn pool_use(&self) -> (u32, usize) {
        (self.pool.size(), self.pool.num_idle())
    }

    /// Closes the pool once everything that uses it is done.
    pub async fn close(&self) {
        self.plain.close().await;
        self.pool.close().await;
    }
}

/// Brings the schema up to date.
///
/// # Errors
/// When Postgres cannot be reached, or the schema is from a newer version.
pub async fn migrate(pool: &PgPool) -> Result<(), StoreError> {
    Ok(MIGRATOR.run(pool).await?)
}

/// Whether Postgres answers.
///
/// # Errors
/// When it does not.
pub async fn ping(pool: &PgPool) -> Result<(), StoreError> {
    sqlx::query_scalar!("SELECT 1").fetch_one(pool).await?;
    Ok(())
}
