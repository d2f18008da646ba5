//! Threads: what was said in answer to one message. A thread goes by the Matrix event of its root.

use sqlx::PgConnection;
use uuid::Uuid;

use super::{Session, StoreError, messages};
use crate::domain::ids::ConversationId;
use crate::domain::message::Message;

/// How much was said in a thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answers {
    /// The conversation.
    pub conversation: ConversationId,
    /// The event that the thread begins with.
    pub root: String,
    /// How many messages, without the root and without those that are gone.
    pub count: i64,
}

/// How much was said in those threads of these conversations that there are.
///
/// # Errors
/// When Postgres fails.
pub async fn answers(
    connection: &mut PgConnection,
    conversations: &[Uuid],
    roots: &[String],
) -> Result<Vec<Answers>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT conversation_id, thread_root AS "root!", count(*) AS "count!" FROM messages
           WHERE conversation_id = ANY ($1) AND thread_root = ANY ($2) AND deleted_at IS NULL AND recalled_at IS NULL
           GROUP BY conversation_id, thread_root"#,
        conversations,
        roots
    )
    .fetch_all(connection)
    .await?;
    let answers = rows.into_iter().map(|row| Answers {
        conversation: ConversationId(row.conversation_id),
        root: row.root,
        count: row.count,
    });
    Ok(answers.collect())
}

/// The message that a thread begins with; nothing where it is not here or was deleted.
///
/// # Errors
/// When Postgres fails.
pub async fn root(
    connection: &mut Session,
    conversation: ConversationId,
    event: &str,
) -> Result<Option<Message>, StoreError> {
    sqlx::query_as!(
        messages::Row,
        "SELECT id, conversation_id, sender_id, sequence_number, style, content, formatted, version_number,
                matrix_event_id, delivery, created_at, edited_at, deleted_at, recalled_at, recalled_by, reply_to_id,
                thread_root, mentions_room,
                (SELECT media::text FROM message_media WHERE message_id = messages.id) AS media
         FROM messages WHERE matrix_event_id = $2 AND conversation_id = $1 AND deleted_at IS NULL",
        conversation.0,
        event
    )
    .fetch_optional(&mut **connection)
    .await?
    .map(|row| row.message(connection.sealer()))
    .transpose()
}

/// What was said in a thread after a message's number, in the order in which it was said, without the root: not what was
/// deleted, and what was recalled only where it is asked for.
///
/// # Errors
/// When Postgres fails.
pub async fn page(
    connection: &mut Session,
    (conversation, root): (ConversationId, &str),
    after: i64,
    with_recalled: bool,
    limit: i64,
) -> Result<Vec<Message>, StoreError> {
    let rows = sqlx::query_as!(
        messages::Row,
        "SELECT id, conversation_id, sender_id, sequence_number, style, content, formatted, version_number,
                matrix_event_id, delivery, created_at, edited_at, deleted_at, recalled_at, recalled_by, reply_to_id,
                thread_root, mentions_room,
                (SELECT media::text FROM message_media WHERE message_id = messages.id) AS media
         FROM messages WHERE conversation_id = $1 AND thread_root = $2 AND sequence_number > $3 AND deleted_at IS NULL
           AND (recalled_at IS NULL OR $5)
         ORDER BY sequence_number LIMIT $4",
        conversation.0,
        root,
        after,
        limit,
        with_recalled
    )
    .fetch_all(&mut **connection)
    .await?;
    let sealer = connection.sealer();
    rows.into_iter().map(|row| row.message(sealer)).collect()
}
