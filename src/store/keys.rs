//! The keys that rows are sealed by: written down, so that nothing starts without one of them.
//!
//! A node that runs holds a shared lock for the key that it seals by. Only when nobody holds one may a key be forgotten
//! ([`retire`]): no row under it can come any more.

use sqlx::{PgConnection, PgExecutor};

use super::connect::ConnectError;
use super::{PgPool, Sealer, Store, StoreError, Tx};

/// The class of the locks; the other half is the key's id.
const LOCKS: i32 = 20_261_123;

/// What the proof of a key says.
const PROOF: &str = "nova-bridge";

/// The name of a proof's place.
const PLACE: &str = "proof";

/// Whether every key that rows are sealed by is there, and is the same still. Changes nothing.
///
/// # Errors
/// Names the keys that are missing, or the one that is another now; or Postgres fails.
pub async fn check(pool: &PgPool, sealer: &Sealer) -> Result<(), ConnectError> {
    let known = sqlx::query!("SELECT id, proof FROM seal_keys ORDER BY id")
        .fetch_all(pool)
        .await
        .map_err(StoreError::from)?;
    let missing = known.iter().filter(|row| !sealer.keys().has(&row.id));
    let missing: Vec<String> = missing.map(|row| row.id.clone()).collect();
    if !missing.is_empty() {
        return Err(ConnectError::KeysMissing { missing });
    }
    for row in known {
        if sealer.open_at(PLACE, &row.id, &row.proof).as_deref() != Ok(PROOF) {
            return Err(ConnectError::OtherKey { id: row.id });
        }
    }
    Ok(())
}

/// Writes down that rows are sealed by the first key, if there is one.
///
/// # Errors
/// When Postgres fails.
pub async fn register(connection: impl PgExecutor<'_>, sealer: &Sealer) -> Result<(), StoreError> {
    let Some(id) = sealer.keys().first() else {
        return Ok(());
    };
    sqlx::query!(
        "INSERT INTO seal_keys (id, proof) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING",
        id,
        sealer.seal_at(PLACE, id, PROOF)?
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Says, as long as the connection lives, that somebody seals by the first key, or does not seal. Waits while somebody makes
/// sure that nobody does.
pub(super) async fn hold(connection: &mut PgConnection, sealer: &Sealer) -> Result<(), StoreError> {
    sqlx::query!(
        "SELECT pg_advisory_lock_shared($1, hashtext($2))",
        LOCKS,
        sealer.keys().first().unwrap_or_default()
    )
    .fetch_one(&mut *connection)
    .await?;
    // It may have been forgotten while we waited.
    register(connection, sealer).await
}

/// Keys that may be forgotten, and those that may not yet.
#[derive(Debug)]
pub struct Retiring {
    tx: Tx,
    /// The ids of those by which nobody seals any more.
    pub idle: Vec<String>,
    /// The ids of those by which a node that runs seals still.
    pub busy: Vec<String>,
    /// Whether a node runs that does not seal at all.
    pub unsealed: bool,
}

/// Keeps everybody from sealing by any other key than the first. Whoever seals everything now, by [`super::reseal`], can be
/// sure that it stays so, and then ends with [`Retiring::forget`].
///
/// # Errors
/// When Postgres fails.
pub async fn retire(store: &Store) -> Result<Retiring, StoreError> {
    let mut tx = store.begin().await?;
    let first = store.sealer().keys().first().unwrap_or_default();
    let rows = sqlx::query!(
        r#"SELECT id AS "id!", pg_try_advisory_xact_lock($1, hashtext(id)) AS "idle!"
           FROM (SELECT id FROM seal_keys UNION SELECT '') AS k WHERE id <> $2 ORDER BY id"#,
        LOCKS,
        first
    )
    .fetch_all(&mut **tx)
    .await?;
    let unsealed = rows.iter().any(|row| row.id.is_empty() && !row.idle);
    let (idle, busy): (Vec<_>, Vec<_>) = rows
        .into_iter()
        .filter(|row| !row.id.is_empty())
        .partition(|row| row.idle);
    Ok(Retiring {
        tx,
        idle: idle.into_iter().map(|row| row.id).collect(),
        busy: busy.into_iter().map(|row| row.id).collect(),
        unsealed,
    })
}

impl Retiring {
    /// Forgets the idle ones, whose ids it gives: nothing is sealed by them.
    ///
    /// # Errors
    /// When Postgres fails.
    pub async fn forget(mut self) -> Result<Vec<String>, StoreError> {
        sqlx::query!("DELETE FROM seal_keys WHERE id = ANY ($1)", &self.idle)
            .execute(&mut **self.tx)
            .await?;
        self.tx.commit().await?;
        Ok(self.idle)
    }
}
