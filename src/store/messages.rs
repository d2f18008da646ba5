//! Reading messages, and their way to Matrix.

use sqlx::PgConnection;
use uuid::Uuid;

use super::sealer::{Sealer, What};
use super::{Session, StoreError, media};
use crate::domain::clock::Timestamp;
use crate::domain::ids::{ConversationId, MessageId, UserId};
use crate::domain::message::{Delivery, Gone, Message, Style, Text};

/// A row of `messages`.
pub(super) struct Row {
    pub(super) id: Uuid,
    pub(super) conversation_id: Uuid,
    pub(super) sender_id: Uuid,
    pub(super) sequence_number: i64,
    pub(super) style: String,
    pub(super) content: String,
    pub(super) formatted: Option<String>,
    pub(super) version_number: i64,
    pub(super) matrix_event_id: Option<String>,
    pub(super) delivery: Option<String>,
    pub(super) created_at: Timestamp,
    pub(super) edited_at: Option<Timestamp>,
    pub(super) deleted_at: Option<Timestamp>,
    pub(super) recalled_at: Option<Timestamp>,
    pub(super) recalled_by: Option<Uuid>,
    pub(super) reply_to_id: Option<Uuid>,
    pub(super) thread_root: Option<String>,
    pub(super) mentions_room: bool,
    pub(super) media: Option<String>,
}

impl Row {
    /// The message. One whose text does not open is there without it.
    pub(super) fn message(self, sealer: &Sealer) -> Result<Message, StoreError> {
        let row = self;
        let wrong = |column| StoreError::Inconsistent {
            table: "messages",
            column,
            row: row.id.to_string(),
        };
        let delivery = match &row.delivery {
            Some(name) => Some(Delivery::parse(name).ok_or_else(|| wrong("delivery"))?),
            None => None,
        };
        let gone = match (row.deleted_at, row.recalled_at, row.recalled_by) {
            (Some(_), ..) => Some(Gone::Deleted),
            (None, Some(at), Some(by)) => Some(Gone::Recalled { by: UserId(by), at }),
            (None, ..) => None,
        };
        let media = media::opened(sealer, row.id, row.media)?;
        let style = Style::parse(&row.style).ok_or_else(|| wrong("style"))?;
        Ok(Message {
            id: MessageId(row.id),
            conversation: ConversationId(row.conversation_id),
            sender: UserId(row.sender_id),
            sequence: row.sequence_number,
            text: Text {
                style,
                plain: sealer.shown(What::Content, row.id, &row.content),
                formatted: formatted(sealer, row.id, row.formatted.as_deref()),
                everybody: row.mentions_room,
                media,
            },
            version: row.version_number,
            edited_at: row.edited_at,
            gone,
            reply_to: row.reply_to_id.map(MessageId),
            thread_root: row.thread_root,
            event_id: row.matrix_event_id,
            delivery,
            created_at: row.created_at,
        })
    }
}

/// A formatted text; one that does not open counts as none.
pub(super) fn formatted(sealer: &Sealer, message: Uuid, stored: Option<&str>) -> Option<String> {
    stored
        .map(|stored| sealer.shown(What::Formatted, message, stored))
        .filter(|text| !text.is_empty())
}

/// Which page of a conversation's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// The newest, after leaving out so many.
    Newest {
        /// How many to leave out.
        offset: i64,
    },
    /// Those before a message's number.
    Before(i64),
    /// Those after a message's number.
    After(i64),
}

/// A page of messages, in the order in which they were said: without those that were deleted, and without those that were
/// recalled unless asked for.
///
/// # Errors
/// When Postgres fails.
pub async fn page(
    connection: &mut Session,
    conversation: ConversationId,
    page: Page,
    with_recalled: bool,
    limit: i64,
) -> Result<Vec<Message>, StoreError> {
    let (before, after, offset) = match page {
        Page::Newest { offset } => (None, None, offset),
        Page::Before(sequence) => (Some(sequence), None, 0),
        Page::After(sequence) => (None, Some(sequence), 0),
    };
    let mut rows = if let Some(after) = after {
        sqlx::query_as!(
            Row,
            "SELECT id, conversation_id, sender_id, sequence_number, style, content, formatted, version_number,
                    matrix_event_id, delivery, created_at, edited_at, deleted_at, recalled_at, recalled_by, reply_to_id,
                    thread_root, mentions_room,
                    (SELECT media::text FROM message_media WHERE message_id = messages.id) AS media
             FROM messages WHERE conversation_id = $1 AND sequence_number > $2 AND deleted_at IS NULL AND (recalled_at IS NULL OR $4)
             ORDER BY sequence_number LIMIT $3",
            conversation.0,
            after,
            limit,
            with_recalled
        )
        .fetch_all(&mut **connection)
        .await?
    } else {
        sqlx::query_as!(
            Row,
            "SELECT id, conversation_id, sender_id, sequence_number, style, content, formatted, version_number,
                    matrix_event_id, delivery, created_at, edited_at, deleted_at, recalled_at, recalled_by, reply_to_id,
                    thread_root, mentions_room,
                    (SELECT media::text FROM message_media WHERE message_id = messages.id) AS media
             FROM messages WHERE conversation_id = $1 AND sequence_number < $2 AND deleted_at IS NULL AND (recalled_at IS NULL OR $5)
             ORDER BY sequence_number DESC LIMIT $3 OFFSET $4",
            conversation.0,
            before.unwrap_or(i64::MAX),
            limit,
            offset,
            with_recalled
        )
        .fetch_all(&mut **connection)
        .await?
    };
    if after.is_none() {
        rows.reverse();
    }
    let sealer = connection.sealer();
    rows.into_iter().map(|row| row.message(sealer)).collect()
}

/// One message.
///
/// # Errors
/// When Postgres fails.
pub async fn find(connection: &mut Session, id: MessageId) -> Result<Option<Message>, StoreError> {
    sqlx::query_as!(
        Row,
        "SELECT id, conversation_id, sender_id, sequence_number, style, content, formatted, version_number,
                matrix_event_id, delivery, created_at, edited_at, deleted_at, recalled_at, recalled_by, reply_to_id,
                    thread_root, mentions_room,
                (SELECT media::text FROM message_media WHERE message_id = messages.id) AS media
         FROM messages WHERE id = $1",
        id.0
    )
    .fetch_optional(&mut **connection)
    .await?
    .map(|row| row.message(connection.sealer()))
    .transpose()
}

/// Those of these messages that are there, in no order.
///
/// # Errors
/// When Postgres fails.
pub async fn among(connection: &mut Session, ids: &[MessageId]) -> Result<Vec<Message>, StoreError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, conversation_id, sender_id, sequence_number, style, content, formatted, version_number,
                matrix_event_id, delivery, created_at, edited_at, deleted_at, recalled_at, recalled_by, reply_to_id,
                    thread_root, mentions_room,
                (SELECT media::text FROM message_media WHERE message_id = messages.id) AS media
         FROM messages WHERE id = ANY ($1) AND deleted_at IS NULL AND recalled_at IS NULL",
        &ids
    )
    .fetch_all(&mut **connection)
    .await?;
    let sealer = connection.sealer();
    rows.into_iter().map(|row| row.message(sealer)).collect()
}

/// The message that somebody sent under a key of their own before.
///
/// # Errors
/// When Postgres fails.
pub async fn by_idempotency_key(
    connection: &mut Session,
    sender: UserId,
    key: &str,
) -> Result<Option<Message>, StoreError> {
    sqlx::query_as!(
        Row,
        "SELECT id, conversation_id, sender_id, sequence_number, style, content, formatted, version_number,
                matrix_event_id, delivery, created_at, edited_at, deleted_at, recalled_at, recalled_by, reply_to_id,
                    thread_root, mentions_room,
                (SELECT media::text FROM message_media WHERE message_id = messages.id) AS media
         FROM messages WHERE sender_id = $1 AND idempotency_key = $2",
        sender.0,
        key
    )
    .fetch_optional(&mut **connection)
    .await?
    .map(|row| row.message(connection.sealer()))
    .transpose()
}

/// What only the author of a message is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The message.
    pub message: MessageId,
    /// The key that it was sent under.
    pub idempotency_key: Option<String>,
    /// Why Matrix refused it for good, where it did.
    pub refused: Option<String>,
}

/// What `author` is told of those messages that are their own.
///
/// # Errors
/// When Postgres fails.
pub async fn notes(connection: &mut PgConnection, author: UserId, ids: &[MessageId]) -> Result<Vec<Note>, StoreError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query!(
        r#"SELECT m.id, m.idempotency_key,
                  CASE WHEN m.delivery = 'failed' THEN
                      (SELECT detail FROM dead_letters WHERE message_id = m.id ORDER BY created_at DESC LIMIT 1)
                  END AS refused
           FROM messages AS m WHERE m.id = ANY ($1) AND m.sender_id = $2"#,
        &ids,
        author.0
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Note {
            message: MessageId(row.id),
            idempotency_key: row.idempotency_key,
            refused: row.refused,
        })
        .collect())
}

/// Notes how far a message has come. Returns false where that is no news, because an echo was faster.
///
/// # Errors
/// When Postgres fails.
pub async fn set_delivery(
    connection: &mut PgConnection,
    id: MessageId,
    delivery: Delivery,
    event_id: Option<&str>,
) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "UPDATE messages SET delivery = $2, matrix_event_id = coalesce(matrix_event_id, $3)
         WHERE id = $1 AND delivery IS DISTINCT FROM $2 AND delivery IS DISTINCT FROM 'sent'",
        id.0,
        delivery.as_str(),
        event_id
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Notes that what waits in a lane cannot be delivered for now. Returns the messages that this is news for, with their
/// authors, in the order of saying.
///
/// # Errors
/// When Postgres fails.
pub async fn delayed(connection: &mut PgConnection, lane: Uuid) -> Result<Vec<(MessageId, UserId)>, StoreError> {
    let rows = sqlx::query!(
        "WITH delayed AS (
            UPDATE messages SET delivery = 'retrying'
            WHERE id IN (SELECT message_id FROM outbox WHERE lane = $1) AND delivery = 'pending'
            RETURNING id, sender_id, sequence_number)
         SELECT id, sender_id FROM delayed ORDER BY sequence_number",
        lane
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (MessageId(row.id), UserId(row.sender_id)))
        .collect())
}
