//! Reactions as they are shown, and edits and reactions as they are sent.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::domain::act::Reaction;
use crate::domain::ids::{ActId, MessageId, UserId};
use crate::domain::job::Redacted;
use crate::domain::mention::Addressed;
use crate::domain::message::{Style, Text};
use crate::store::messages::formatted;
use crate::store::sealer::What;
use crate::store::{Session, StoreError, media};

/// How many people reacted to a message in the same way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// To which message.
    pub message: MessageId,
    /// What it shows.
    pub emoji: String,
    /// How many people.
    pub count: i64,
    /// Whether the viewer is one of them.
    pub is_own: bool,
}

/// The reactions to messages, as `viewer` sees them: of each message the first one first.
///
/// # Errors
/// When Postgres fails.
pub async fn tallies(
    connection: &mut PgConnection,
    viewer: UserId,
    messages: &[MessageId],
) -> Result<Vec<Tally>, StoreError> {
    let messages: Vec<Uuid> = messages.iter().map(|id| id.0).collect();
    let rows = sqlx::query!(
        r#"SELECT message_id, emoji, count(*) AS "count!", bool_or(user_id = $1) AS "is_own!"
           FROM message_reactions WHERE message_id = ANY ($2) AND removed_at IS NULL
           GROUP BY message_id, emoji ORDER BY message_id, min(created_at), min(id::text)"#,
        viewer.0,
        &messages
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Tally {
            message: MessageId(row.message_id),
            emoji: row.emoji,
            count: row.count,
            is_own: row.is_own,
        })
        .collect())
}

/// Somebody who reacted to a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reactor {
    /// What with.
    pub emoji: String,
    /// Who.
    pub user: UserId,
    /// What others call them.
    pub name: Option<String>,
}

/// Who reacted to a message: of each emoji the first `most` people, the first one first.
///
/// # Errors
/// When Postgres fails.
pub async fn reactors(
    connection: &mut PgConnection,
    message: MessageId,
    most: i64,
) -> Result<Vec<Reactor>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT r.emoji, r.user_id, coalesce(u.display_name, u.username) AS name
           FROM (SELECT id, emoji, user_id, created_at,
                        row_number() OVER (PARTITION BY emoji ORDER BY created_at, id) AS place
                 FROM message_reactions WHERE message_id = $1 AND removed_at IS NULL) AS r
           LEFT JOIN users AS u ON u.id = r.user_id
           WHERE r.place <= $2 ORDER BY r.created_at, r.id"#,
        message.0,
        most
    )
    .fetch_all(connection)
    .await?;
    let reactors = rows.into_iter().map(|row| Reactor {
        emoji: row.emoji,
        user: UserId(row.user_id),
        name: row.name,
    });
    Ok(reactors.collect())
}

/// Somebody's reactions to a message.
///
/// # Errors
/// When Postgres fails.
pub async fn reactions(
    connection: &mut PgConnection,
    message: MessageId,
    user: UserId,
) -> Result<Vec<Reaction>, StoreError> {
    let rows = sqlx::query!(
        "SELECT id, emoji, matrix_event_id, created_at FROM message_reactions
         WHERE message_id = $1 AND user_id = $2 AND removed_at IS NULL ORDER BY created_at, id",
        message.0,
        user.0
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Reaction {
            id: ActId(row.id),
            message,
            user,
            emoji: row.emoji,
            event: row.matrix_event_id,
            at: row.created_at,
        })
        .collect())
}

/// Whether an id is a reaction, or a person.
///
/// # Errors
/// When Postgres fails.
pub async fn is_somebodys(connection: &mut PgConnection, id: Uuid) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM message_reactions WHERE id = $1 AND removed_at IS NULL)
                  OR EXISTS (SELECT FROM users WHERE id = $1) AS "is!""#,
        id
    )
    .fetch_one(connection)
    .await?)
}

/// An edit on its way to Matrix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutgoingEdit {
    /// The event of its message; without one there is nothing to edit in Matrix.
    pub target: Option<String>,
    /// The text.
    pub text: Text,
    /// Whom the message addressed before, in any text of it that went to Matrix.
    pub told: Addressed,
    /// The message that it answers.
    pub reply_to: Option<MessageId>,
    /// The Matrix event that its thread begins with.
    pub thread_root: Option<String>,
    /// Whether it is still what the message says.
    pub is_shown: bool,
}

/// An edit to be sent; nothing where its message is gone.
///
/// # Errors
/// When Postgres fails.
pub async fn outgoing_edit(connection: &mut Session, id: ActId) -> Result<Option<OutgoingEdit>, StoreError> {
    let row = sqlx::query!(
        r#"SELECT m.id AS message, m.matrix_event_id, m.reply_to_id, m.thread_root,
                  v.style, v.content, v.formatted, v.mentions_room,
                  (m.edited_at IS NOT DISTINCT FROM v.written_at) AS "is_shown!",
                  (SELECT media::text FROM message_media WHERE message_id = m.id) AS media
           FROM message_versions AS v JOIN messages AS m ON m.id = v.message_id WHERE v.id = $1"#,
        id.0
    )
    .fetch_optional(&mut **connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let told = told(connection, row.message, id).await?;
    let sealer = connection.sealer();
    let wrong = |table, column| StoreError::Inconsistent {
        table,
        column,
        row: id.to_string(),
    };
    let style = Style::parse(&row.style).ok_or_else(|| wrong("message_versions", "style"))?;
    let message = row.message;
    Ok(Some(OutgoingEdit {
        target: row.matrix_event_id,
        text: Text {
            style,
            plain: sealer
                .open(What::Content, message, &row.content)
                .map_err(|_| wrong("message_versions", "content"))?,
            formatted: formatted(sealer, message, row.formatted.as_deref()),
            everybody: row.mentions_room,
            media: media::opened(sealer, message, row.media)?,
        },
        told,
        reply_to: row.reply_to_id.map(MessageId),
        thread_root: row.thread_root,
        is_shown: row.is_shown,
    }))
}

/// Whom the texts of a message addressed that went to Matrix before an edit: the first one, and edits that have an event.
async fn told(connection: &mut Session, message: Uuid, edit: ActId) -> Result<Addressed, StoreError> {
    let rows = sqlx::query!(
        "SELECT formatted, mentions_room FROM message_versions
         WHERE message_id = $1 AND id <> $2 AND (id = message_id OR matrix_event_id IS NOT NULL)",
        message,
        edit.0
    )
    .fetch_all(&mut **connection)
    .await?;
    let sealer = connection.sealer();
    let texts = rows.into_iter().map(|row| {
        let html = formatted(sealer, message, row.formatted.as_deref());
        Addressed::by(html.as_deref(), row.mentions_room)
    });
    Ok(texts.fold(Addressed::default(), Addressed::and))
}

/// A reaction on its way to Matrix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutgoingReaction {
    /// The event of its message; without one there is nothing to react to in Matrix.
    pub target: Option<String>,
    /// What it shows.
    pub emoji: String,
}

/// A reaction to be sent; nothing where it was taken back.
///
/// # Errors
/// When Postgres fails.
pub async fn outgoing_reaction(
    connection: &mut PgConnection,
    id: ActId,
) -> Result<Option<OutgoingReaction>, StoreError> {
    Ok(sqlx::query_as!(
        OutgoingReaction,
        r#"SELECT m.matrix_event_id AS target, r.emoji
           FROM message_reactions AS r JOIN messages AS m ON m.id = r.message_id
           WHERE r.id = $1 AND r.removed_at IS NULL"#,
        id.0
    )
    .fetch_optional(connection)
    .await?)
}

/// The event of something that is to be redacted, if it has one.
///
/// # Errors
/// When Postgres fails.
pub async fn event_of(connection: &mut PgConnection, of: Redacted) -> Result<Option<String>, StoreError> {
    let found = match of {
        Redacted::Message(id) => {
            sqlx::query_scalar!("SELECT matrix_event_id FROM messages WHERE id = $1", id.0)
                .fetch_optional(connection)
                .await?
        }
        Redacted::Reaction(id) => {
            sqlx::query_scalar!("SELECT matrix_event_id FROM message_reactions WHERE id = $1", id.0)
                .fetch_optional(connection)
                .await?
        }
    };
    Ok(found.flatten())
}
