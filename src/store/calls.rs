//! Calls: one row each, which is written whole, and what is kept beside it.

mod events;
mod rows;
mod save;
mod sending;

pub use events::{context, prune_early, prune_log};
pub use rows::{dialect, status};
pub use save::save;
pub use sending::{Facts, Told, cut, facts, told};

use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;
use crate::domain::call::Call;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{CallId, ConversationId, UserId};
use rows::{call, calls};

/// Locks the conversation of a call against other writers, and reads the call. Before the first write of the transaction.
///
/// # Errors
/// When Postgres fails.
pub async fn enter(connection: &mut PgConnection, id: CallId) -> Result<Option<Call>, StoreError> {
    let machine = sqlx::query_scalar!(r#"SELECT machine AS "machine!" FROM enter_call($1)"#, id.0)
        .fetch_optional(connection)
        .await?;
    machine.map(|machine| call(id.0, &machine)).transpose()
}

/// A call, as it is at this moment.
///
/// # Errors
/// When Postgres fails.
pub async fn find(connection: &mut PgConnection, id: CallId) -> Result<Option<Call>, StoreError> {
    let machine = sqlx::query_scalar!(
        r#"SELECT machine::text AS "machine!" FROM call_sessions WHERE id = $1"#,
        id.0
    )
    .fetch_optional(connection)
    .await?;
    machine.map(|machine| call(id.0, &machine)).transpose()
}

/// The call that its caller made under this key.
///
/// # Errors
/// When Postgres fails.
pub async fn by_key(connection: &mut PgConnection, caller: UserId, key: &str) -> Result<Option<Call>, StoreError> {
    let row = sqlx::query!(
        r#"SELECT id, machine::text AS "machine!" FROM call_sessions WHERE initiator_id = $1 AND idempotency_key = $2"#,
        caller.0,
        key
    )
    .fetch_optional(connection)
    .await?;
    row.map(|row| call(row.id, &row.machine)).transpose()
}

/// The key under which a call was made.
///
/// # Errors
/// When Postgres fails.
pub async fn key(connection: &mut PgConnection, id: CallId) -> Result<Option<String>, StoreError> {
    let key = sqlx::query_scalar!("SELECT idempotency_key FROM call_sessions WHERE id = $1", id.0)
        .fetch_optional(connection)
        .await?;
    Ok(key.flatten())
}

/// The unfinished calls of a conversation, the oldest first.
///
/// # Errors
/// When Postgres fails.
pub async fn unfinished(connection: &mut PgConnection, conversation: ConversationId) -> Result<Vec<Call>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT id, machine::text AS "machine!" FROM call_sessions
           WHERE conversation_id = $1 AND deadline IS NOT NULL ORDER BY created_at, id"#,
        conversation.0
    )
    .fetch_all(connection)
    .await?;
    calls(rows.into_iter().map(|row| (row.id, row.machine)))
}

/// All unfinished calls, the oldest first.
///
/// # Errors
/// When Postgres fails.
pub async fn all_unfinished(connection: &mut PgConnection, limit: i64) -> Result<Vec<Call>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT id, machine::text AS "machine!" FROM call_sessions
           WHERE deadline IS NOT NULL ORDER BY created_at, id LIMIT $1"#,
        limit
    )
    .fetch_all(connection)
    .await?;
    calls(rows.into_iter().map(|row| (row.id, row.machine)))
}

/// The unfinished calls that somebody takes part in or is called by, the oldest first.
///
/// # Errors
/// When Postgres fails.
pub async fn active(connection: &mut PgConnection, user: UserId) -> Result<Vec<Call>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT c.id, c.machine::text AS "machine!" FROM call_participants AS p JOIN call_sessions AS c ON c.id = p.call_id
           WHERE p.user_id = $1 AND p.is_active ORDER BY c.created_at, c.id"#,
        user.0
    )
    .fetch_all(connection)
    .await?;
    calls(rows.into_iter().map(|row| (row.id, row.machine)))
}

/// The calls that somebody took part in or was called by, the newest first.
///
/// # Errors
/// When Postgres fails.
pub async fn history(
    connection: &mut PgConnection,
    user: UserId,
    before: Option<Timestamp>,
    limit: i64,
) -> Result<Vec<Call>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT c.id, c.machine::text AS "machine!"
           FROM (SELECT call_id, created_at FROM call_participants
                 WHERE user_id = $1 AND ($2::timestamptz IS NULL OR created_at < $2)
                 ORDER BY created_at DESC LIMIT $3) AS p
           JOIN call_sessions AS c ON c.id = p.call_id ORDER BY p.created_at DESC, c.id DESC"#,
        user.0,
        before,
        limit
    )
    .fetch_all(connection)
    .await?;
    calls(rows.into_iter().map(|row| (row.id, row.machine)))
}

/// The calls that have to be looked at next, and when, the earliest first.
///
/// # Errors
/// When Postgres fails.
pub async fn next_due(connection: &mut PgConnection, limit: i64) -> Result<Vec<(CallId, Timestamp)>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT id, deadline AS "deadline!" FROM call_sessions
           WHERE deadline IS NOT NULL ORDER BY deadline LIMIT $1"#,
        limit
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (CallId(row.id), row.deadline)).collect())
}

/// The unfinished calls of these people.
///
/// # Errors
/// When Postgres fails.
pub async fn of_people(connection: &mut PgConnection, people: &[UserId]) -> Result<Vec<(CallId, UserId)>, StoreError> {
    let people: Vec<Uuid> = people.iter().map(|user| user.0).collect();
    let rows = sqlx::query!(
        "SELECT call_id, user_id FROM call_participants WHERE user_id = ANY ($1) AND is_active",
        &people
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (CallId(row.call_id), UserId(row.user_id)))
        .collect())
}

/// The Nova users who are in an unfinished call.
///
/// # Errors
/// When Postgres fails.
pub async fn people(connection: &mut PgConnection) -> Result<Vec<(CallId, UserId)>, StoreError> {
    let rows = sqlx::query!(
        "SELECT p.call_id, p.user_id FROM call_sessions AS c JOIN call_participants AS p ON p.call_id = c.id
              JOIN users AS u ON u.id = p.user_id
         WHERE u.is_nova AND c.deadline IS NOT NULL AND p.is_active AND p.presence = 'joined'"
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (CallId(row.call_id), UserId(row.user_id)))
        .collect())
}

/// Who of those in unfinished calls has no socket, as far as any node knows.
///
/// # Errors
/// When Postgres fails.
pub async fn gone(connection: &mut PgConnection) -> Result<Vec<(CallId, UserId)>, StoreError> {
    let rows = sqlx::query!("SELECT call_id, user_id FROM call_participants WHERE gone_since IS NOT NULL")
        .fetch_all(connection)
        .await?;
    Ok(rows
        .into_iter()
        .map(|row| (CallId(row.call_id), UserId(row.user_id)))
        .collect())
}

/// Of these people, those who are in a call now, other than those of a conversation, and those who want no calls.
///
/// # Errors
/// When Postgres fails.
pub async fn unavailable(
    connection: &mut PgConnection,
    people: &[UserId],
    conversation: ConversationId,
) -> Result<(Vec<UserId>, Vec<UserId>), StoreError> {
    let people: Vec<Uuid> = people.iter().map(|user| user.0).collect();
    let rows = sqlx::query!(
        r#"SELECT p.user_id AS "user!", true AS "busy!"
           FROM call_participants AS p JOIN call_sessions AS c ON c.id = p.call_id
           WHERE p.user_id = ANY ($1) AND p.is_active AND p.presence = 'joined' AND c.conversation_id <> $2
           UNION ALL SELECT id, false FROM users WHERE id = ANY ($1) AND NOT calls_enabled"#,
        &people,
        conversation.0
    )
    .fetch_all(connection)
    .await?;
    let (busy, off): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.busy);
    let users = |rows: Vec<_>, user: fn(&_) -> Uuid| rows.iter().map(|row| UserId(user(row))).collect();
    Ok((users(busy, |row| row.user), users(off, |row| row.user)))
}

/// Lets calls ring for somebody, on either side, or not. Returns whether anybody knows them.
///
/// # Errors
/// When Postgres fails.
pub async fn set_enabled(connection: &mut PgConnection, user: UserId, enabled: bool) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "UPDATE users SET calls_enabled = $2 WHERE id = $1 AND deactivated_at IS NULL",
        user.0,
        enabled
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Whether calls ring for somebody: `None` where nobody knows them.
///
/// # Errors
/// When Postgres fails.
pub async fn enabled(connection: &mut PgConnection, user: UserId) -> Result<Option<bool>, StoreError> {
    Ok(
        sqlx::query_scalar!("SELECT calls_enabled FROM users WHERE id = $1", user.0)
            .fetch_optional(connection)
            .await?,
    )
}

/// Whether the conversation's room was found encrypted.
///
/// # Errors
/// When Postgres fails.
pub async fn is_encrypted(connection: &mut PgConnection, conversation: ConversationId) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM matrix_room_mapping WHERE conversation_id = $1 AND encrypted_at IS NOT NULL)
           AS "is!""#,
        conversation.0
    )
    .fetch_one(connection)
    .await?)
}

/// How many unfinished calls have each status.
///
/// # Errors
/// When Postgres fails.
pub async fn count(connection: &mut PgConnection) -> Result<(i64, i64), StoreError> {
    let row = sqlx::query!(
        r#"SELECT count(*) FILTER (WHERE status = 'ringing') AS "ringing!",
                  count(*) FILTER (WHERE status = 'connected') AS "connected!"
           FROM call_sessions WHERE deadline IS NOT NULL"#
    )
    .fetch_one(connection)
    .await?;
    Ok((row.ringing, row.connected))
}
