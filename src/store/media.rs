//! What messages carry, and files that were brought for messages to come.

use sqlx::PgConnection;
use uuid::Uuid;

use super::sealer::{Sealer, What, report};
use super::{Session, StoreError};
use crate::domain::clock::Timestamp;
use crate::domain::ids::{ConversationId, MessageId, UserId};
use crate::domain::ingest::NewMessage;
use crate::domain::media::{File, Media};

/// Keeps what new messages carry.
///
/// # Errors
/// When Postgres fails.
#[expect(clippy::as_conversions, reason = "how sqlx is told that a column may hold NULL")]
pub(super) async fn keep(connection: &mut Session, messages: &[NewMessage]) -> Result<(), StoreError> {
    let mut ids = Vec::new();
    let mut carried = Vec::new();
    let mut attached = Vec::new();
    for message in messages {
        if let Some(media) = &message.text.media {
            ids.push(message.id.0);
            attached.push(match media {
                Media::File(file) => file.attached_to.map(|id| id.0),
                Media::Place(_) => None,
            });
            let media = serde_json::to_string(media)?;
            carried.push(connection.sealer().seal_json(What::Media, message.id, &media)?);
        }
    }
    if ids.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO message_media (message_id, media, attached_to)
         SELECT id, media::json, attached_to
         FROM unnest($1::uuid[], $2::text[], $3::uuid[]) AS m (id, media, attached_to)",
        &ids,
        &carried,
        &attached as &[Option<Uuid>]
    )
    .execute(&mut **connection)
    .await?;
    Ok(())
}

/// Notes where a message's file is from now on, and what else is known of it.
///
/// # Errors
/// When Postgres fails.
pub async fn set(connection: &mut Session, message: MessageId, media: &Media) -> Result<(), StoreError> {
    let sealed = connection
        .sealer()
        .seal_json(What::Media, message, &serde_json::to_string(media)?)?;
    sqlx::query!(
        "UPDATE message_media SET media = $2::text::json WHERE message_id = $1",
        message.0,
        sealed
    )
    .execute(&mut **connection)
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
pub async fn shown(connection: &mut Session, id: Uuid) -> Result<Option<Shown>, StoreError> {
    let row = sqlx::query!(
        r#"SELECT f.media::text AS "media!", true AS "is_said!",
                  (SELECT p.user_id FROM conversation_members AS p JOIN users AS u ON u.id = p.user_id
                   WHERE p.conversation_id = c.id AND p.membership = 'joined' AND u.is_nova AND u.deactivated_at IS NULL
                   ORDER BY p.user_id <> m.sender_id, p.joined_at LIMIT 1) AS viewer
           FROM message_media AS f
           JOIN messages AS m ON m.id = f.message_id
           JOIN conversations AS c ON c.id = m.conversation_id AND c.deleted_at IS NULL
           WHERE f.message_id = $1
           UNION ALL
           SELECT media::text, false, owner_id FROM uploads WHERE id = $1"#,
        id
    )
    .fetch_optional(&mut **connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let what = if row.is_said { What::Media } else { What::Upload };
    Ok(match unsealed(connection.sealer(), what, id, row.media)? {
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
    connection: &mut Session,
    id: Uuid,
    owner: UserId,
    file: &File,
    now: Timestamp,
) -> Result<(), StoreError> {
    let media = serde_json::to_string(&Media::File(Box::new(file.clone())))?;
    let sealed = connection.sealer().seal_json(What::Upload, id, &media)?;
    sqlx::query!(
        "INSERT INTO uploads (id, owner_id, media, created_at) VALUES ($1, $2, $3::text::json, $4)
         ON CONFLICT (id) DO NOTHING",
        id,
        owner.0,
        sealed,
        now
    )
    .execute(&mut **connection)
    .await?;
    Ok(())
}

/// A file that `owner` brought.
///
/// # Errors
/// When Postgres fails.
pub async fn upload(connection: &mut Session, id: Uuid, owner: UserId) -> Result<Option<File>, StoreError> {
    let text = sqlx::query_scalar!(
        r#"SELECT media::text AS "media!" FROM uploads WHERE id = $1 AND owner_id = $2"#,
        id,
        owner.0
    )
    .fetch_optional(&mut **connection)
    .await?;
    let Some(text) = text else { return Ok(None) };
    Ok(match unsealed(connection.sealer(), What::Upload, id, text)? {
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
pub async fn attached(connection: &mut Session, to: &[MessageId]) -> Result<Vec<Attached>, StoreError> {
    let ids: Vec<Uuid> = to.iter().map(|id| id.0).collect();
    let rows = sqlx::query!(
        r#"SELECT f.attached_to AS "to!", f.message_id, f.media::text AS "media!", m.conversation_id, m.sender_id, m.created_at
           FROM message_media AS f JOIN messages AS m ON m.id = f.message_id
           WHERE f.attached_to = ANY ($1) ORDER BY m.sequence_number"#,
        &ids
    )
    .fetch_all(&mut **connection)
    .await?;
    let mut found = Vec::new();
    for row in rows {
        let media = opened(connection.sealer(), row.message_id, Some(row.media))?;
        if let Some(Media::File(file)) = media {
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

/// What a message carries, to be shown among others: what does not open counts as nothing.
pub(super) fn opened(sealer: &Sealer, message: Uuid, stored: Option<String>) -> Result<Option<Media>, StoreError> {
    let Some(stored) = stored else { return Ok(None) };
    match sealer.open_json(What::Media, message, stored) {
        Ok(text) => read(&text, message).map(Some),
        Err(error) => {
            report(What::Media, message, &error);
            Ok(None)
        }
    }
}

/// A file that is asked for by itself.
fn unsealed(sealer: &Sealer, what: What, id: Uuid, stored: String) -> Result<Media, StoreError> {
    let text = sealer.open_json(what, id, stored).map_err(|error| {
        report(what, id, &error);
        inconsistent(id)
    })?;
    read(&text, id)
}

fn read(text: &str, row: Uuid) -> Result<Media, StoreError> {
    serde_json::from_str(text).map_err(|_| inconsistent(row))
}

fn inconsistent(row: Uuid) -> StoreError {
    StoreError::Inconsistent {
        table: "message_media",
        column: "media",
        row: row.to_string(),
    }
}
