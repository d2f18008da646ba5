//! How far people have read, and which receipts of ghosts their rooms have not got yet.

use std::collections::HashMap;

use sqlx::PgConnection;

use super::StoreError;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{ConversationId, MessageId, UserId};
use crate::domain::receipt::Read;

/// Where somebody is in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The number of the newest message that they have read.
    pub read: i64,
    /// The number of the newest message.
    pub last: i64,
    /// Whether the conversation has or shall have a room.
    pub has_portal: bool,
    /// How many messages that are still there they have not read.
    pub unread: i64,
}

/// Where somebody who takes part in a conversation is in it.
///
/// # Errors
/// When Postgres fails.
pub async fn place(
    connection: &mut PgConnection,
    conversation: ConversationId,
    user: UserId,
) -> Result<Option<Place>, StoreError> {
    Ok(sqlx::query_as!(
        Place,
        r#"SELECT m.read_sequence AS read, c.last_sequence AS last, c.has_portal,
                unread_messages(c.id, m.read_sequence, c.last_sequence) AS "unread!"
         FROM conversation_members AS m JOIN conversations AS c ON c.id = m.conversation_id
         WHERE m.conversation_id = $1 AND m.user_id = $2 AND m.membership = 'joined' AND c.deleted_at IS NULL"#,
        conversation.0,
        user.0
    )
    .fetch_optional(connection)
    .await?)
}

/// The message with a number, or the newest before it.
///
/// # Errors
/// When Postgres fails.
pub async fn message_at(
    connection: &mut PgConnection,
    conversation: ConversationId,
    sequence: i64,
) -> Result<Option<MessageId>, StoreError> {
    Ok(sqlx::query_scalar!(
        "SELECT id FROM messages WHERE conversation_id = $1 AND sequence_number <= $2
         ORDER BY sequence_number DESC LIMIT 1",
        conversation.0,
        sequence
    )
    .fetch_optional(connection)
    .await?
    .map(MessageId))
}

/// The conversations of rooms, those included that were left behind.
///
/// # Errors
/// When Postgres fails.
pub async fn rooms(
    connection: &mut PgConnection,
    rooms: &[String],
) -> Result<HashMap<String, ConversationId>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT r.room AS "room!", c.id
           FROM (SELECT matrix_room_id AS room, conversation_id FROM matrix_room_mapping WHERE matrix_room_id = ANY ($1)
                 UNION ALL
                 SELECT matrix_room_id, conversation_id FROM former_rooms WHERE matrix_room_id = ANY ($1)) AS r
           JOIN conversations AS c ON c.id = r.conversation_id AND c.deleted_at IS NULL"#,
        rooms
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.room, ConversationId(row.id))).collect())
}

/// Of these events, those that are messages: where they are.
///
/// # Errors
/// When Postgres fails.
pub async fn messages_of(
    connection: &mut PgConnection,
    events: &[String],
) -> Result<HashMap<String, (ConversationId, i64)>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT matrix_event_id AS "event!", conversation_id, sequence_number
           FROM messages WHERE matrix_event_id = ANY ($1)"#,
        events
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.event, (ConversationId(row.conversation_id), row.sequence_number)))
        .collect())
}

/// Moves members forward, each at most once. Nobody goes back, and who takes no part stays where they are. The
/// conversations must be locked. Returns those who moved, with the message that they have reached.
///
/// # Errors
/// When Postgres fails.
pub async fn advance(connection: &mut PgConnection, reads: &[Read]) -> Result<Vec<(Read, MessageId)>, StoreError> {
    let rows = sqlx::query!(
        r#"WITH moved AS (
               UPDATE conversation_members AS m SET read_sequence = r.sequence_number
               FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) AS r (conversation_id, user_id, sequence_number)
               WHERE m.conversation_id = r.conversation_id AND m.user_id = r.user_id AND m.membership = 'joined'
                 AND m.read_sequence < r.sequence_number
               RETURNING m.conversation_id, m.user_id, m.read_sequence)
           SELECT moved.conversation_id, moved.user_id, moved.read_sequence, messages.id
           FROM moved JOIN messages ON messages.conversation_id = moved.conversation_id
                                   AND messages.sequence_number = moved.read_sequence
           ORDER BY moved.conversation_id, moved.user_id"#,
        &reads.iter().map(|it| it.conversation.0).collect::<Vec<_>>(),
        &reads.iter().map(|it| it.user.0).collect::<Vec<_>>(),
        &reads.iter().map(|it| it.sequence).collect::<Vec<_>>(),
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let read = Read {
                conversation: ConversationId(row.conversation_id),
                user: UserId(row.user_id),
                sequence: row.read_sequence,
            };
            (read, MessageId(row.id))
        })
        .collect())
}

/// Notes that the room has to be told how far somebody has read. What waits already goes on waiting.
///
/// # Errors
/// When Postgres fails.
pub async fn owe(connection: &mut PgConnection, read: Read, now: Timestamp) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO receipts_to_send AS r (conversation_id, user_id, sequence_number, due_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (conversation_id, user_id) DO UPDATE SET sequence_number = $3 WHERE r.sequence_number < $3",
        read.conversation.0,
        read.user.0,
        read.sequence,
        now,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A receipt that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Who has read up to where.
    pub read: Read,
    /// The room, once there is one.
    pub room: Option<String>,
    /// The newest message up to there that is in the room and of which the room has not been told: its event and number.
    pub event: Option<(String, i64)>,
    /// Whether a newer one of those that were read is still on its way to the room.
    pub waits: bool,
    /// How often it was tried in vain.
    pub attempts: i32,
}

/// Takes receipts that are due; nobody else takes them until `until`.
///
/// # Errors
/// When Postgres fails.
pub async fn claim(
    connection: &mut PgConnection,
    limit: i64,
    now: Timestamp,
    until: Timestamp,
) -> Result<Vec<Due>, StoreError> {
    let rows = sqlx::query!(
        r#"WITH due AS (
               SELECT conversation_id, user_id FROM receipts_to_send WHERE due_at <= $1
               ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED),
           claimed AS (
               UPDATE receipts_to_send AS r SET due_at = $2 FROM due
               WHERE r.conversation_id = due.conversation_id AND r.user_id = due.user_id
               RETURNING r.conversation_id, r.user_id, r.sequence_number, r.sent_sequence, r.attempts)
           SELECT r.conversation_id, r.user_id, r.sequence_number, r.attempts, room.matrix_room_id AS "room?",
                  newest.matrix_event_id AS "event?", newest.sequence_number AS "number?",
                  EXISTS (SELECT FROM messages AS m
                          WHERE m.conversation_id = r.conversation_id AND m.sequence_number <= r.sequence_number
                            AND m.sequence_number > coalesce(newest.sequence_number, r.sent_sequence)
                            AND m.delivery IN ('pending', 'retrying')
                            AND m.deleted_at IS NULL AND m.recalled_at IS NULL) AS "waits!"
           FROM claimed AS r
           LEFT JOIN matrix_room_mapping AS room ON room.conversation_id = r.conversation_id
           LEFT JOIN LATERAL (
               SELECT m.matrix_event_id, m.sequence_number FROM messages AS m
               WHERE m.conversation_id = r.conversation_id AND m.sequence_number <= r.sequence_number
                 AND m.sequence_number > r.sent_sequence AND m.matrix_event_id IS NOT NULL
               ORDER BY m.sequence_number DESC LIMIT 1) AS newest ON true"#,
        now,
        until,
        limit
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Due {
            read: Read {
                conversation: ConversationId(row.conversation_id),
                user: UserId(row.user_id),
                sequence: row.sequence_number,
            },
            room: row.room,
            event: row.event.zip(row.number),
            waits: row.waits,
            attempts: row.attempts,
        })
        .collect())
}

/// Forgets a receipt that is done with, unless its owner has read on in the meantime: that is due at once then.
///
/// # Errors
/// When Postgres fails.
pub async fn settle(connection: &mut PgConnection, read: Read, sent: i64, now: Timestamp) -> Result<(), StoreError> {
    sqlx::query!(
        "WITH done AS (DELETE FROM receipts_to_send WHERE conversation_id = $1 AND user_id = $2 AND sequence_number <= $3)
         UPDATE receipts_to_send SET due_at = $5, attempts = 0, sent_sequence = greatest(sent_sequence, $4)
         WHERE conversation_id = $1 AND user_id = $2 AND sequence_number > $3",
        read.conversation.0,
        read.user.0,
        read.sequence,
        sent,
        now,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Puts a receipt off. With `sent` the room was told up to there, and the rest is on its way.
///
/// # Errors
/// When Postgres fails.
pub async fn defer(
    connection: &mut PgConnection,
    read: Read,
    sent: Option<i64>,
    due: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE receipts_to_send SET due_at = $4, attempts = attempts + 1, sent_sequence = greatest(sent_sequence, $3)
         WHERE conversation_id = $1 AND user_id = $2",
        read.conversation.0,
        read.user.0,
        sent,
        due,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// When the next receipt is due.
///
/// # Errors
/// When Postgres fails.
pub async fn next_due(connection: &mut PgConnection) -> Result<Option<Timestamp>, StoreError> {
    Ok(sqlx::query_scalar!("SELECT min(due_at) FROM receipts_to_send")
        .fetch_one(connection)
        .await?)
}
