//! Where people are who let a conversation know.

use sqlx::PgConnection;

use super::{Session, StoreError, media};
use crate::domain::clock::Timestamp;
use crate::domain::ids::{ConversationId, UserId};
use crate::domain::ingest::LocationShare;
use crate::domain::media::{Media, Place};

/// Somebody who lets somebody else know where they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shared {
    /// Who.
    pub user: UserId,
    /// A Nova account's handle.
    pub username: Option<String>,
    /// What others call them.
    pub display_name: Option<String>,
    /// Where they say so.
    pub conversation: ConversationId,
    /// Where they are.
    pub place: Place,
    /// Since when they are there.
    pub at: Timestamp,
}

/// Notes by which message somebody says where they are.
pub(super) async fn share(
    connection: &mut PgConnection,
    shares: &[LocationShare],
    now: Timestamp,
) -> Result<(), StoreError> {
    for share in shares {
        sqlx::query!(
            "INSERT INTO location_shares (conversation_id, user_id, message_id, shared_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (conversation_id, user_id) DO UPDATE SET message_id = $3, shared_at = $4",
            share.conversation.0,
            share.user.0,
            share.message.0,
            now
        )
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// Forgets where somebody is. Returns whether they had let the conversation know.
///
/// # Errors
/// When Postgres fails.
pub async fn stop(
    connection: &mut PgConnection,
    conversation: ConversationId,
    user: UserId,
) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "DELETE FROM location_shares WHERE conversation_id = $1 AND user_id = $2",
        conversation.0,
        user.0
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Where the others are in somebody's conversations, each once, as they said last. Not those who block somebody, or
/// whom they block.
///
/// # Errors
/// When Postgres fails.
pub async fn around(connection: &mut Session, user: UserId) -> Result<Vec<Shared>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT DISTINCT ON (s.user_id) s.user_id, s.conversation_id, s.shared_at, s.message_id, u.username, u.display_name,
                  media.media::text AS "media!"
           FROM conversation_members AS own
           JOIN location_shares AS s ON s.conversation_id = own.conversation_id AND s.user_id <> $1
           JOIN conversations AS c ON c.id = s.conversation_id AND c.deleted_at IS NULL
           JOIN conversation_members AS other
             ON other.conversation_id = s.conversation_id AND other.user_id = s.user_id AND other.membership = 'joined'
           JOIN users AS u ON u.id = s.user_id AND u.deactivated_at IS NULL
           JOIN messages AS m ON m.id = s.message_id AND m.deleted_at IS NULL AND m.recalled_at IS NULL
           JOIN message_media AS media ON media.message_id = m.id
           WHERE own.user_id = $1 AND own.membership = 'joined'
             AND NOT EXISTS (SELECT FROM blocks WHERE (blocker_id, blocked_id) IN (($1, s.user_id), (s.user_id, $1)))
           ORDER BY s.user_id, s.shared_at DESC"#,
        user.0
    )
    .fetch_all(&mut **connection)
    .await?;
    let mut shared = Vec::with_capacity(rows.len());
    for row in rows {
        if let Some(Media::Place(place)) = media::opened(connection.sealer(), row.message_id, Some(row.media))? {
            shared.push(Shared {
                user: UserId(row.user_id),
                username: row.username,
                display_name: row.display_name,
                conversation: ConversationId(row.conversation_id),
                place,
                at: row.shared_at,
            });
        }
    }
    Ok(shared)
}
