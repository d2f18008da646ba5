//! The short way into the database, for transactions of nothing but messages.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use futures_util::future::join_all;
use sqlx::{ConnectOptions, Connection, PgConnection};
use tokio::time::timeout;
use uuid::Uuid;

use super::sealer::{Sealer, What};
use super::server::Run;
use super::{FRESH, Store, StoreError};
use crate::domain::clock::Timestamp;
use crate::domain::ingest::{NewMessage, PARTS, Plain, PlainPart};
use crate::domain::message::Delivery;

/// Connections of its own, one for each part, besides those of the pool: whoever waits for one of these waits for nobody else,
/// and the same sessions of Postgres stay warm under load. They belong to the thread that opened them, which is the one that
/// takes what Synapse pushes.
#[derive(Debug, Clone, Default)]
pub(super) struct Kept(Arc<Mutex<Vec<(PgConnection, Instant)>>>);

impl Kept {
    /// One that is not in use, and when it was.
    fn take(&self) -> Option<(PgConnection, Instant)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn keep(&self, connection: PgConnection) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < PARTS {
            kept.push((connection, Instant::now()));
        }
    }

    /// Ends them.
    pub(super) async fn close(&self) {
        while let Some((connection, _)) = self.take() {
            // It has done its work; how it ends is nothing to us.
            drop(connection.close().await);
        }
    }
}

impl Store {
    /// Writes what was planned, its parts side by side and each in a transaction of its own, if all that was assumed is so.
    /// Returns whether it was. Where it was not, nothing of that part is written; what the others wrote is known by its
    /// events when it comes again.
    ///
    /// # Errors
    /// When Postgres fails, refuses or was restarted since `run`; nothing of that part is written then either, as far as can
    /// be told.
    pub async fn say_in_rooms(&self, plain: &Plain, now: Timestamp, run: Run) -> Result<bool, StoreError> {
        let parts = plain.parts.iter().map(|part| self.say_part(part, now, run));
        let mut done = true;
        for part in join_all(parts).await {
            done &= part?;
        }
        Ok(done)
    }

    async fn say_part(&self, plain: &PlainPart, now: Timestamp, run: Run) -> Result<bool, StoreError> {
        // As long as others wait for one of the pool.
        let patience = self.pool.options().get_acquire_timeout();
        let mut connection = timeout(patience, self.own_connection())
            .await
            .map_err(|_| sqlx::Error::PoolTimedOut)??;
        if let Err(restarted) = self.server.still_in(run) {
            self.plain.keep(connection);
            return Err(restarted);
        }
        // After an error it is not kept.
        let done = say(&mut connection, &self.sealer, self.clock_base, plain, now).await?;
        self.plain.keep(connection);
        Ok(done)
    }

    /// One that works: it did just now, or answers, or is new.
    async fn own_connection(&self) -> Result<PgConnection, StoreError> {
        while let Some((mut connection, used)) = self.plain.take() {
            if used.elapsed() < FRESH || connection.ping().await.is_ok() {
                return Ok(connection);
            }
        }
        let mut connection = self.pool.connect_options().connect().await?;
        self.server.meet(&mut connection).await?;
        Ok(connection)
    }
}

/// The place in an array of Postgres, which count from 1.
fn place(index: usize) -> i32 {
    i32::try_from(index + 1).unwrap_or(i32::MAX)
}

#[expect(clippy::as_conversions, reason = "how sqlx is told that a column may hold NULL")]
async fn say(
    connection: &mut PgConnection,
    sealer: &Sealer,
    clock_base: i64,
    plain: &PlainPart,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let messages = || plain.messages.iter().map(|(_, message)| message);
    let column = |get: fn(&NewMessage) -> Option<String>| messages().map(get).collect::<Vec<_>>();
    let contents: Vec<String> = messages()
        .map(|it| sealer.seal(What::Content, it.id, &it.text.plain))
        .collect::<Result<_, _>>()?;
    let formatted: Vec<Option<String>> = messages()
        .map(|it| sealer.seal_some(What::Formatted, it.id, it.text.formatted.as_deref()))
        .collect::<Result<_, _>>()?;
    let done = sqlx::query_scalar!(
        r#"SELECT say_in_rooms($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) AS "done!""#,
        clock_base,
        now,
        &plain.rooms.iter().map(|it| it.room.to_string()).collect::<Vec<_>>(),
        &plain.rooms.iter().map(|it| place(it.newest)).collect::<Vec<_>>(),
        &plain.senders.iter().map(|it| it.0).collect::<Vec<_>>(),
        &messages().map(|it| it.id.0).collect::<Vec<Uuid>>(),
        &plain.messages.iter().map(|(room, _)| place(*room)).collect::<Vec<_>>(),
        &messages().map(|it| it.sender.0).collect::<Vec<Uuid>>(),
        &messages().map(|it| it.sequence).collect::<Vec<_>>(),
        &messages()
            .map(|it| it.text.style.as_str().to_owned())
            .collect::<Vec<_>>(),
        &contents,
        &formatted as &[Option<String>],
        &column(|it| it.event_id.clone()) as &[Option<String>],
        &column(|it| it.delivery.map(Delivery::as_str).map(str::to_owned)) as &[Option<String>],
        &messages().map(|it| it.created_at).collect::<Vec<_>>(),
    )
    .fetch_one(connection)
    .await?;
    Ok(done)
}
