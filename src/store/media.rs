//! What messages carry, and files that were brought for messages to come.

use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{ConversationId, MessageId, UserId};
use crate::domain::ingest::NewMessage;
use crate::domain::media::{File, Media};

/// Keeps what new messages carry.
///
/// # Errors
/// When Postgres fails.
pub(super) async fn keep(connection: &mut PgConnection, messages: &[NewMessage]) -> Result<(), StoreError> {
    let mut ids = Vec::new();
    let mut carried = Vec::new();
    for message in messages {
        if let Some(media) = &message.text.media {
            ids.push(message.id.0);
            carried.push(serde_json::to_string(media)?);
        }
    }
    if ids.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO message_media (message_id, media)
         SELECT id, media::json FROM unnest($1::uuid[], $2::text[]) AS m (id, media)",
        &ids,
        &carried
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Notes where a message's file is from now on, and what else is known of it.
///
/// # Errors
/// When Postgres fails.
pub async fn set(connection: &mut PgConnection, message: MessageId, media: &Media) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE message_media SET media = $2::text::json WHERE message_id = $1",
        message.0,
        serde_json::to_string(media)?
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A file that can be looked at, and on whose behalf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The file.
    pub file: File,
    /// A Nova account that is where it was said, and can ask the homeserver for it; the owner, of an upload.
    pub viewer: Option<UserId>,
}

/// The file of a message that is there, or an upload of that id.
///
/// # Errors
/// When Postgres fails.
pub async fn shown(connection: &mut PgConnection, id: Uuid) -> Result<Option<Shown>, StoreError> {
    let row = sqlx::query!(
        r#"SELECT f.media::text AS "media!",
                  (SELECT p.user_id FROM conversation_members AS p JOIN users AS u ON u.id = p.user_id
                   WHERE p.conversation_id = c.id AND p.membership = 'joined' AND u.is_nova AND u.deactivated_at IS NULL
                   ORDER BY p.user_id <> m.sender_id, p.joined_at LIMIT 1) AS viewer
           FROM message_media AS f
           JOIN messages AS m ON m.id = f.message_id
           JOIN conversations AS c ON c.id = m.conversation_id AND c.deleted_at IS NULL
           WHERE f.message_id = $1
           UNION ALL
           SELECT media::text, owner_id FROM uploads WHERE id = $1"#,
        id
    )
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(match read(&row.media, id)? {
        Media::File(file) => Some(Shown {
            file: *file,
            viewer: row.viewer.map(UserId),
        }),
        Media::Place(_) => None,
    })
}

/// Keeps a file that somebody brought. One that is there under the same id stays.
///
/// # Errors
/// When Postgres fails.
pub async fn keep_upload(
    connection: &mut PgConnection,
    id: Uuid,
    owner: UserId,
    file: &File,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO uploads (id, owner_id, media, created_at) VALUES ($1, $2, $3::text::json, $4)
         ON CONFLICT (id) DO NOTHING",
        id,
        owner.0,
        serde_json::to_string(&Media::File(Box::new(file.clone())))?,
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A file that `owner` brought.
///
/// # Errors
/// When Postgres fails.
pub async fn upload(connection: &mut PgConnection, id: Uuid, owner: UserId) -> Result<Option<File>, StoreError> {
    let text = sqlx::query_scalar!(
        r#"SELECT media::text AS "media!" FROM uploads WHERE id = $1 AND owner_id = $2"#,
        id,
        owner.0
    )
    .fetch_optional(connection)
    .await?;
    let Some(text) = text else { return Ok(None) };
    Ok(match read(&text, id)? {
        Media::File(file) => Some(*file),
        Media::Place(_) => None,
    })
}

/// Forgets files that were brought before a moment. Messages that carry them are not concerned.
///
/// # Errors
/// When Postgres fails.
pub async fn forget_uploads(connection: &mut PgConnection, before: Timestamp) -> Result<(), StoreError> {
    sqlx::query!("DELETE FROM uploads WHERE created_at < $1", before)
        .execute(connection)
        .await?;
    Ok(())
}

/// A file that was added to a message afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attached {
    /// The message that it was added to.
    pub to: MessageId,
    /// The message that carries it.
    pub message: MessageId,
    /// Where both are.
    pub conversation: ConversationId,
    /// Who added it.
    pub sender: UserId,
    /// When.
    pub at: Timestamp,
    /// The file.
    pub file: File,
}

/// What was added to these messages afterwards, in order.
///
/// # Errors
/// When Postgres fails.
pub async fn attached(connection: &mut PgConnection, to: &[MessageId]) -> Result<Vec<Attached>, StoreError> {
    let ids: Vec<Uuid> = to.iter().map(|id| id.0).collect();
    let rows = sqlx::query!(
        r#"SELECT f.attached_to AS "to!", f.message_id, f.media::text AS "media!", m.conversation_id, m.sender_id, m.created_at
           FROM message_media AS f JOIN messages AS m ON m.id = f.message_id
           WHERE f.attached_to = ANY ($1) ORDER BY m.sequence_number"#,
        &ids
    )
    .fetch_all(connection)
    .await?;
    let mut found = Vec::new();
    for row in rows {
        if let Media::File(file) = read(&row.media, row.message_id)? {
            found.push(Attached {
                to: MessageId(row.to),
                message: MessageId(row.message_id),
                conversation: ConversationId(row.conversation_id),
                sender: UserId(row.sender_id),
                at: row.created_at,
                file: *file,
            });
        }
    }
    Ok(found)
}

fn read(text: &str, row: Uuid) -> Result<Media, StoreError> {
    serde_json::from_str(text).map_err(|_| StoreError::Inconsistent {
        table: "message_media",
        column: "media",
        row: row.to_string(),
    })
}
