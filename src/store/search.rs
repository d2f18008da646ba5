//! What messages are found by: written from the feed, and searched.

use sqlx::PgConnection;
use uuid::Uuid;

use super::{Session, StoreError, messages};
use crate::domain::feed::Cursor;
use crate::domain::ids::{ConversationId, MessageId, UserId};
use crate::domain::message::Message;
use crate::domain::search::{anywhere, place, words};

/// How many conversations are searched through at once, the most lively first.
const CONVERSATIONS: i64 = 500;

/// The key of the lock that one indexing node holds.
const TURN: (i32, i32) = (20_261_122, 0);

/// How far the index has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The feed up to here is in it.
    pub cursor: Cursor,
    /// Of what was said before, the messages up to this id; `None` once all of it is.
    pub backfilled: Option<MessageId>,
}

/// Takes the turn until the transaction ends, unless another node has it.
///
/// # Errors
/// When Postgres fails.
pub async fn take_turn(connection: &mut PgConnection) -> Result<bool, StoreError> {
    let taken = sqlx::query_scalar!(
        r#"SELECT pg_try_advisory_xact_lock($1, $2) AS "taken!""#,
        TURN.0,
        TURN.1
    );
    Ok(taken.fetch_one(connection).await?)
}

/// How far the index has come; `None` where there is none yet.
///
/// # Errors
/// When Postgres fails.
pub async fn progress(connection: &mut PgConnection) -> Result<Option<Progress>, StoreError> {
    let row = sqlx::query!("SELECT position, n, backfilled FROM search_progress")
        .fetch_optional(connection)
        .await?;
    Ok(row.map(|row| Progress {
        cursor: Cursor {
            position: row.position,
            n: row.n,
        },
        backfilled: row.backfilled.map(MessageId),
    }))
}

/// Notes how far the index has come.
///
/// # Errors
/// When Postgres fails.
pub async fn set_progress(connection: &mut PgConnection, progress: Progress) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO search_progress (position, n, backfilled) VALUES ($1, $2, $3)
         ON CONFLICT (only_row) DO UPDATE
         SET position = excluded.position, n = excluded.n, backfilled = excluded.backfilled",
        progress.cursor.position,
        progress.cursor.n,
        progress.backfilled.map(|id| id.0)
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Messages after this one in the order of their ids.
///
/// # Errors
/// When Postgres fails.
pub async fn older(connection: &mut Session, after: MessageId, limit: i64) -> Result<Vec<Message>, StoreError> {
    sqlx::query_as!(
        messages::Row,
        "SELECT id, conversation_id, sender_id, sequence_number, style, content, formatted, version_number,
                matrix_event_id, delivery, created_at, edited_at, deleted_at, recalled_at, recalled_by, reply_to_id,
                thread_root, mentions_room,
                (SELECT media::text FROM message_media WHERE message_id = messages.id) AS media
         FROM messages WHERE id > $1 ORDER BY id LIMIT $2",
        after.0,
        limit
    )
    .fetch_all(&mut **connection)
    .await?
    .into_iter()
    .map(|row| row.message(connection.sealer()))
    .collect()
}

/// Takes messages into the index, as they are now.
///
/// # Errors
/// When Postgres fails.
pub async fn index(connection: &mut PgConnection, messages: &[&Message]) -> Result<(), StoreError> {
    let lists: Vec<String> = messages
        .iter()
        .map(|message| {
            let mut words = words(&message.text.plain);
            words.insert(place(message.conversation));
            words.into_iter().collect::<Vec<_>>().join("\n")
        })
        .collect();
    sqlx::query!(
        "INSERT INTO message_search (message_id, conversation_id, sequence_number, words)
         SELECT id, conversation, sequence, array_to_tsvector(string_to_array(words, E'\\n'))
         FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[]) AS m (id, conversation, sequence, words)
         ON CONFLICT (message_id) DO UPDATE SET words = excluded.words",
        &messages.iter().map(|it| it.id.0).collect::<Vec<_>>(),
        &messages.iter().map(|it| it.conversation.0).collect::<Vec<_>>(),
        &messages.iter().map(|it| it.sequence).collect::<Vec<_>>(),
        &lists
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes messages out of the index.
///
/// # Errors
/// When Postgres fails.
pub async fn forget(connection: &mut PgConnection, ids: &[MessageId]) -> Result<(), StoreError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    sqlx::query!("DELETE FROM message_search WHERE message_id = ANY ($1)", &ids)
        .execute(connection)
        .await?;
    Ok(())
}

/// Forgets all words, and how far the index had come.
///
/// # Errors
/// When Postgres fails.
pub async fn clear(connection: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query!("WITH progress AS (DELETE FROM search_progress) DELETE FROM message_search")
        .execute(connection)
        .await?;
    Ok(())
}

/// The conversations that somebody may search.
///
/// # Errors
/// When Postgres fails.
pub async fn places(connection: &mut PgConnection, user: UserId) -> Result<Vec<ConversationId>, StoreError> {
    let found = sqlx::query_scalar!(
        "SELECT c.id FROM conversation_members AS m JOIN conversations AS c ON c.id = m.conversation_id
         WHERE m.user_id = $1 AND m.membership = 'joined' AND c.deleted_at IS NULL
         ORDER BY c.updated_at DESC LIMIT $2",
        user.0,
        CONVERSATIONS
    )
    .fetch_all(connection)
    .await?;
    Ok(found.into_iter().map(ConversationId).collect())
}

/// The newest messages of these conversations that a query (of `domain::search`) finds, the newest first.
///
/// # Errors
/// When Postgres fails.
pub async fn find(
    connection: &mut Session,
    conversations: &[ConversationId],
    query: &str,
    limit: i64,
    offset: i64,
) -> Result<Vec<Message>, StoreError> {
    if conversations.is_empty() {
        return Ok(Vec::new());
    }
    let query = format!("{} & {query}", anywhere(conversations));
    // The newest are picked from the index's own table, and only they are looked up.
    sqlx::query_as!(
        messages::Row,
        r#"SELECT m.id, m.conversation_id, m.sender_id, m.sequence_number, m.style, m.content, m.formatted,
                  m.version_number, m.matrix_event_id, m.delivery, m.created_at, m.edited_at, m.deleted_at,
                  m.recalled_at, m.recalled_by, m.reply_to_id, m.thread_root, m.mentions_room,
                  (SELECT media::text FROM message_media WHERE message_id = m.id) AS media
           FROM (SELECT message_id FROM message_search WHERE words @@ $1::text::tsquery
                 ORDER BY message_id DESC LIMIT $2 OFFSET $3) AS found
           JOIN messages AS m ON m.id = found.message_id
           WHERE m.deleted_at IS NULL AND m.recalled_at IS NULL ORDER BY m.id DESC"#,
        query,
        limit,
        offset
    )
    .fetch_all(&mut **connection)
    .await?
    .into_iter()
    .map(|row| row.message(connection.sealer()))
    .collect()
}
