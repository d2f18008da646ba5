//! What could not be applied or delivered: kept, listed, tried again, dropped.

use serde_json::value::RawValue;
use sqlx::PgConnection;
use uuid::Uuid;

use super::outbox::sealed;
use super::sealer::{Sealer, What, report};
use super::{Session, StoreError};
use crate::domain::clock::Timestamp;
use crate::domain::ids::{ConversationId, MessageId, UserId};
use crate::domain::ingest::{DeadLetter, reason};
use crate::domain::job::{Job, StoredJob};

/// The namespace of ids for letters whose event has none: the same bytes give the same letter.
const NAMESPACE: Uuid = uuid::uuid!("5b0a8d2e-3f57-5d43-8f0c-b6a1f1f0c9d1");

/// Keeps events that could not be applied. An event that is kept already stays as it is.
///
/// # Errors
/// When Postgres fails.
pub async fn keep(connection: &mut Session, letters: &[DeadLetter], now: Timestamp) -> Result<(), StoreError> {
    for letter in letters {
        let key = letter.event_id.as_deref().unwrap_or_else(|| letter.payload.get());
        let id = Uuid::new_v5(&NAMESPACE, key.as_bytes());
        let payload = connection.sealer().seal_json(What::Letter, id, letter.payload.get())?;
        sqlx::query!(
            "INSERT INTO dead_letters
                (id, direction, reason, detail, room_id, event_id, conversation_id, payload, created_at)
             VALUES ($1, 'from_matrix', $2, $3, $4, $5, $6, $7::text::json, $8) ON CONFLICT DO NOTHING",
            id,
            letter.reason,
            letter.detail,
            letter.room.as_deref(),
            letter.event_id.as_deref(),
            letter.conversation.map(|id| id.0),
            payload,
            now
        )
        .execute(&mut **connection)
        .await?;
    }
    Ok(())
}

/// Keeps a job that the homeserver refused for good.
///
/// # Errors
/// When Postgres fails.
pub async fn keep_job(
    connection: &mut Session,
    job: &StoredJob,
    detail: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let payload = sealed(connection.sealer(), What::Letter, job.id.0, &job.job)?;
    sqlx::query!(
        "INSERT INTO dead_letters
            (id, direction, reason, detail, conversation_id, actor_id, message_id, payload, created_at)
         VALUES ($1, 'to_matrix', $2, $3, $4, $5, $6, $7::text::json, $8) ON CONFLICT DO NOTHING",
        job.id.0,
        reason::REFUSED,
        detail,
        job.conversation.map(|id| id.0),
        job.actor.0,
        job.message.map(|id| id.0),
        payload,
        now
    )
    .execute(&mut **connection)
    .await?;
    Ok(())
}

/// A dead letter as the admin sees it: all but the content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its id.
    pub id: Uuid,
    /// `from_matrix` or `to_matrix`.
    pub direction: String,
    /// Why it is here.
    pub reason: String,
    /// Why, in words.
    pub detail: String,
    /// The room of an event.
    pub room: Option<String>,
    /// The id of an event.
    pub event_id: Option<String>,
    /// The conversation.
    pub conversation: Option<Uuid>,
    /// The account whose ghost should have acted.
    pub actor: Option<Uuid>,
    /// The message that should have been carried.
    pub message: Option<Uuid>,
    /// Since when.
    pub created_at: Timestamp,
}

/// Dead letters, oldest first.
///
/// # Errors
/// When Postgres fails.
pub async fn list(connection: &mut PgConnection, limit: i64, offset: i64) -> Result<Vec<Listed>, StoreError> {
    Ok(sqlx::query_as!(
        Listed,
        "SELECT id, direction, reason, detail, room_id AS room, event_id, conversation_id AS conversation,
                actor_id AS actor, message_id AS message, created_at
         FROM dead_letters ORDER BY seq LIMIT $1 OFFSET $2",
        limit,
        offset
    )
    .fetch_all(connection)
    .await?)
}

/// How many there are.
///
/// # Errors
/// When Postgres fails.
pub async fn count(connection: &mut PgConnection) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM dead_letters"#)
        .fetch_one(connection)
        .await?)
}

/// A job that was refused, taken out to be tried again.
#[derive(Debug)]
pub struct Taken {
    /// The conversation in whose lane it belongs.
    pub conversation: Option<ConversationId>,
    /// The account whose ghost acts.
    pub actor: UserId,
    /// The message that it carries.
    pub message: Option<MessageId>,
    /// What to do.
    pub job: Job,
}

/// Takes a refused job out. Its conversation must be locked before.
///
/// # Errors
/// When Postgres fails.
pub async fn take_job(connection: &mut Session, id: Uuid) -> Result<Option<Taken>, StoreError> {
    let row = sqlx::query!(
        r#"DELETE FROM dead_letters WHERE id = $1 AND direction = 'to_matrix'
           RETURNING payload::text AS "payload!", conversation_id, actor_id AS "actor_id!", message_id"#,
        id
    )
    .fetch_optional(&mut **connection)
    .await?;
    let sealer = connection.sealer();
    row.map(|row| {
        Ok(Taken {
            conversation: row.conversation_id.map(ConversationId),
            actor: UserId(row.actor_id),
            message: row.message_id.map(MessageId),
            job: serde_json::from_str(&opened(sealer, id, row.payload)?).map_err(|_| unreadable(id))?,
        })
    })
    .transpose()
}

/// An event as it came, left where it is.
///
/// # Errors
/// When Postgres fails.
pub async fn peek_event(connection: &mut Session, id: Uuid) -> Result<Option<Box<RawValue>>, StoreError> {
    let payload = sqlx::query_scalar!(
        r#"SELECT payload::text AS "payload!" FROM dead_letters WHERE id = $1 AND direction = 'from_matrix'"#,
        id
    )
    .fetch_optional(&mut **connection)
    .await?;
    let sealer = connection.sealer();
    payload
        .map(|payload| RawValue::from_string(opened(sealer, id, payload)?).map_err(|_| unreadable(id)))
        .transpose()
}

fn opened(sealer: &Sealer, id: Uuid, payload: String) -> Result<String, StoreError> {
    sealer.open_json(What::Letter, id, payload).map_err(|error| {
        report(What::Letter, id, &error);
        unreadable(id)
    })
}

fn unreadable(id: Uuid) -> StoreError {
    StoreError::Inconsistent {
        table: "dead_letters",
        column: "payload",
        row: id.to_string(),
    }
}

/// What was put aside for a room before it was a portal: the first letters after `after`, in the order of their coming,
/// each with its place in that order.
///
/// # Errors
/// When Postgres fails.
pub async fn of_room(
    connection: &mut PgConnection,
    room: &str,
    after: i64,
    limit: i64,
) -> Result<Vec<(i64, Uuid)>, StoreError> {
    let rows = sqlx::query!(
        "SELECT seq, id FROM dead_letters
         WHERE room_id = $1 AND direction = 'from_matrix' AND reason = 'unknown_room' AND seq > $2
         ORDER BY seq LIMIT $3",
        room,
        after,
        limit
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.seq, row.id)).collect())
}

/// Rooms that became portals although something is still put aside for them: whoever should have applied it died.
///
/// # Errors
/// When Postgres fails.
pub async fn forgotten_rooms(connection: &mut PgConnection) -> Result<Vec<String>, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT DISTINCT l.room_id AS "room!" FROM dead_letters AS l
           WHERE l.direction = 'from_matrix' AND l.reason = 'unknown_room'
             AND (EXISTS (SELECT FROM matrix_room_mapping AS m JOIN conversations AS c ON c.id = m.conversation_id
                          WHERE m.matrix_room_id = l.room_id AND c.deleted_at IS NULL)
                  OR EXISTS (SELECT FROM former_rooms AS f JOIN conversations AS c ON c.id = f.conversation_id
                             WHERE f.matrix_room_id = l.room_id AND c.deleted_at IS NULL))"#
    )
    .fetch_all(connection)
    .await?)
}

/// Where a dead letter belongs, without taking it out.
///
/// # Errors
/// When Postgres fails.
pub async fn conversation_of(
    connection: &mut PgConnection,
    id: Uuid,
) -> Result<Option<Option<ConversationId>>, StoreError> {
    Ok(
        sqlx::query_scalar!("SELECT conversation_id FROM dead_letters WHERE id = $1", id)
            .fetch_optional(connection)
            .await?
            .map(|id| id.map(ConversationId)),
    )
}

/// Drops one for good. Returns whether there was one.
///
/// # Errors
/// When Postgres fails.
pub async fn discard(connection: &mut PgConnection, id: Uuid) -> Result<bool, StoreError> {
    Ok(sqlx::query!("DELETE FROM dead_letters WHERE id = $1", id)
        .execute(connection)
        .await?
        .rows_affected()
        > 0)
}
