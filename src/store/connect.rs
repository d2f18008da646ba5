//! The way to the database: whether it lets us in, and whether its schema is the one that this version works with.
//!
//! Its errors are for the admin: each names the database, never with its password, and what to do.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use sqlx::migrate::Migrate;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgPool};

use super::server::Database;
use super::{MIGRATOR, Store, StoreError};

/// How long the database may take to let us in.
const PATIENCE: Duration = Duration::from_secs(5);

/// The table in which the migrator keeps its books.
const BOOKS: &str = "_sqlx_migrations";

/// The database cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// The address is none.
    Address {
        /// What is wrong with it.
        reason: String,
    },
    /// Nobody answers, or not now.
    Unreachable {
        /// Which database.
        place: String,
        /// What the driver says.
        reason: String,
    },
    /// The server is there, but we may not in.
    Refuses {
        /// Which database.
        place: String,
        /// What the server says.
        reason: String,
    },
    /// The schema is older than this version.
    Behind {
        /// How many steps it lacks.
        pending: usize,
    },
    /// The schema is newer than this version, or was changed by hand.
    Foreign {
        /// What does not fit.
        reason: String,
    },
    /// Rows are sealed by keys that are not there.
    KeysMissing {
        /// Their ids.
        missing: Vec<String>,
    },
    /// Under the id of a key that rows are sealed by there is another key.
    OtherKey {
        /// The id.
        id: String,
    },
    /// It failed when it was asked something.
    Failed {
        /// What the driver says.
        reason: String,
    },
}

impl ConnectError {
    /// What is wrong.
    #[must_use]
    pub fn what(&self) -> String {
        match self {
            Self::Address { reason } => format!("database.url cannot be read: {reason}"),
            Self::Unreachable { place, reason } => format!("no connection to the database {place}: {reason}"),
            Self::Refuses { place, reason } => format!("the database {place} does not let us in: {reason}"),
            Self::Behind { pending } => {
                let (steps, are) = if *pending == 1 {
                    ("migration", "is")
                } else {
                    ("migrations", "are")
                };
                format!("{pending} {steps} {are} pending")
            }
            Self::Foreign { reason } => format!("the schema does not come from this version: {reason}"),
            Self::KeysMissing { missing } => {
                let (keys, are) = if missing.len() == 1 {
                    ("key", "is")
                } else {
                    ("keys", "are")
                };
                let missing = missing.join(", ");
                format!(
                    "texts in the database are sealed by the {keys} {missing}, which {are} not in encryption_at_rest.keys"
                )
            }
            Self::OtherKey { id } => {
                format!(
                    "the key {id} of encryption_at_rest.keys is not the one that texts in the database are sealed by"
                )
            }
            Self::Failed { reason } => format!("the database failed: {reason}"),
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn cure(&self) -> &'static str {
        match self {
            Self::Address { .. } => "write it as postgres://user:password@host/database",
            Self::Unreachable { .. } => "start Postgres, or correct host and port in database.url",
            Self::Refuses { .. } => {
                "correct user, password and database name in database.url; `createuser` and `createdb` make new ones"
            }
            Self::Behind { .. } => "run `nova-bridge migrate` (`nova-bridge run` does it by itself)",
            Self::Foreign { .. } => {
                "run the version of nova-bridge that last migrated this database, or a newer one; \
                 a database of its own is made by `createdb`"
            }
            Self::KeysMissing { .. } => {
                "put them back, behind the one that shall seal; a key may go once `nova-bridge seal` says so"
            }
            Self::OtherKey { .. } => "put the right key under this id; a new key needs a new id",
            Self::Failed { .. } => "look into the log of Postgres",
        }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n    → {}", self.what(), self.cure())
    }
}

impl From<StoreError> for ConnectError {
    fn from(error: StoreError) -> Self {
        Self::Failed { reason: chain(&error) }
    }
}

/// A pool for `url` that is known to get connections.
///
/// # Errors
/// Says why there are none. The pool itself would go on trying, and then only say that it took too long.
pub async fn connect(url: &str, max_connections: u32) -> Result<Database, ConnectError> {
    let address = |error: &StoreError| ConnectError::Address {
        reason: chain_below(error),
    };
    let database = Store::pool(url, max_connections).map_err(|error| address(&error))?;
    let options = database.pool.connect_options();
    let unreachable = |reason: String| ConnectError::Unreachable {
        place: place(&options),
        reason,
    };
    match tokio::time::timeout(PATIENCE, options.connect()).await {
        Err(_) => Err(unreachable(format!("no answer within {} seconds", PATIENCE.as_secs()))),
        Ok(Err(error)) if is_refusal(&error) => Err(ConnectError::Refuses {
            place: place(&options),
            reason: chain(&error),
        }),
        Ok(Err(error)) => Err(unreachable(chain(&error))),
        Ok(Ok(connection)) => {
            // It has done its work; how it ends is nothing to us.
            drop(connection.close().await);
            Ok(database)
        }
    }
}

/// Which database a pool leads to, as `host:port/database`.
#[must_use]
pub fn place_of(pool: &PgPool) -> String {
    place(&pool.connect_options())
}

/// One step of the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its number, which is a time.
    pub version: i64,
    /// What it does.
    pub description: String,
}

/// How far the schema is. Changes nothing.
///
/// # Errors
/// [`ConnectError::Foreign`] when the database holds steps that this version does not know, or knows otherwise.
pub async fn pending(pool: &PgPool) -> Result<Vec<Step>, ConnectError> {
    let applied = applied(pool).await?;
    for done in &applied {
        let known = MIGRATOR.iter().find(|step| step.version == done.version);
        let reason = match known {
            Some(step) if step.checksum == done.checksum => continue,
            Some(step) => format!(
                "step {} ({}) is not what it was when it was applied",
                step.version, step.description
            ),
            None => format!("step {} is not known", done.version),
        };
        return Err(ConnectError::Foreign { reason });
    }
    let missing = MIGRATOR
        .iter()
        .filter(|step| !applied.iter().any(|done| done.version == step.version));
    Ok(missing
        .map(|step| Step {
            version: step.version,
            description: step.description.to_string(),
        })
        .collect())
}

async fn applied(pool: &PgPool) -> Result<Vec<sqlx::migrate::AppliedMigration>, StoreError> {
    let mut connection = pool.acquire().await?;
    let begun = sqlx::query_scalar!(r#"SELECT to_regclass($1) IS NOT NULL AS "begun!""#, BOOKS)
        .fetch_one(&mut *connection)
        .await?;
    if !begun {
        return Ok(Vec::new());
    }
    Ok(connection.list_applied_migrations(BOOKS).await?)
}

/// Whether the server answered that we may not in. Being busy or about to start is not that.
fn is_refusal(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
        .is_some_and(|code| !code.starts_with("57") && !code.starts_with("53"))
}

fn place(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or_else(|| options.get_username());
    let port = options.get_port();
    match options.get_socket() {
        Some(socket) => format!("{}:{port}/{database}", socket.display()),
        None => format!("{}:{port}/{database}", options.get_host()),
    }
}

/// An error with its causes, in one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let below = error.to_string();
        // Many a driver repeats its cause in its own words.
        if !text.ends_with(&below) {
            text.push_str(": ");
            text.push_str(&below);
        }
        cause = error.source();
    }
    text
}

fn chain_below(error: &dyn Error) -> String {
    error.source().map_or_else(|| error.to_string(), chain)
}
