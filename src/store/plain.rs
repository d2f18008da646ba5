//! The short way into the database, for transactions of nothing but messages.

use sqlx::PgPool;
use uuid::Uuid;

use super::{Store, StoreError};
use crate::domain::clock::Timestamp;
use crate::domain::ingest::{NewMessage, Plain};
use crate::domain::message::Delivery;

impl Store {
    /// Writes what was planned, in a transaction of its own, if all that was assumed is so. Returns whether it was;
    /// nothing is written otherwise.
    ///
    /// # Errors
    /// When Postgres fails or refuses; nothing is written then either, as far as can be told.
    pub async fn say_in_rooms(&self, plain: &Plain, now: Timestamp) -> Result<bool, StoreError> {
        say(&self.pool, self.clock_base, plain, now).await
    }
}

/// The place in an array of Postgres, which count from 1.
fn place(index: usize) -> i32 {
    i32::try_from(index + 1).unwrap_or(i32::MAX)
}

#[expect(clippy::as_conversions, reason = "how sqlx is told that a column may hold NULL")]
async fn say(pool: &PgPool, clock_base: i64, plain: &Plain, now: Timestamp) -> Result<bool, StoreError> {
    let messages = || plain.messages.iter().map(|(_, message)| message);
    let column = |get: fn(&NewMessage) -> Option<String>| messages().map(get).collect::<Vec<_>>();
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
        &messages().map(|it| it.text.plain.clone()).collect::<Vec<_>>(),
        &column(|it| it.text.formatted.clone()) as &[Option<String>],
        &column(|it| it.event_id.clone()) as &[Option<String>],
        &column(|it| it.delivery.map(Delivery::as_str).map(str::to_owned)) as &[Option<String>],
        &messages().map(|it| it.created_at).collect::<Vec<_>>(),
    )
    .fetch_one(pool)
    .await?;
    Ok(done)
}
