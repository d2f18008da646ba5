//! Edits, deletions and reactions: written, and read for whoever carries them out.

pub mod context;
mod reading;

pub use reading::{
    OutgoingEdit, OutgoingReaction, Reactor, Tally, event_of, is_somebodys, outgoing_edit, outgoing_reaction,
    reactions, reactors, tallies,
};

use sqlx::PgConnection;

use super::sealer::What;
use super::{Session, StoreError, pins};
use crate::domain::act::{EarlyAct, MessageAct, Reaction, Version};
use crate::domain::clock::Timestamp;
use crate::domain::ids::{ActId, MessageId};
use crate::domain::message::{Gone, Text};

/// Writes acts, one after the other. Their messages are there, and their conversations locked.
///
/// # Errors
/// When Postgres fails.
pub(super) async fn apply(connection: &mut Session, acts: &[MessageAct], now: Timestamp) -> Result<(), StoreError> {
    for act in acts {
        match act {
            MessageAct::Wrote {
                message,
                version,
                text,
                is_shown,
            } => write(connection, *message, version, text, *is_shown).await?,
            MessageAct::Unwrote {
                message,
                edit,
                was_shown,
            } => unwrite(connection, *message, *edit, *was_shown).await?,
            MessageAct::Gone { message, how } => take_away(connection, *message, *how, now).await?,
            MessageAct::Reacted(reaction) => react(connection, reaction).await?,
            MessageAct::Unreacted(id) => {
                sqlx::query!("DELETE FROM message_reactions WHERE id = $1", id.0)
                    .execute(&mut **connection)
                    .await?;
            }
            MessageAct::TookBack(id) => {
                sqlx::query!("UPDATE message_reactions SET removed_at = $2 WHERE id = $1", id.0, now)
                    .execute(&mut **connection)
                    .await?;
            }
            MessageAct::Carried(id, event) => carried(connection, *id, event).await?,
            MessageAct::Answers { message, target } => {
                sqlx::query!(
                    "UPDATE messages SET reply_to_id = $2 WHERE id = $1",
                    message.0,
                    target.0
                )
                .execute(&mut **connection)
                .await?;
            }
            MessageAct::Pin(act) => pins::apply(connection, act, now).await?,
            MessageAct::Waits(early) => wait(connection, early, now).await?,
            MessageAct::Waited(event) => {
                sqlx::query!("DELETE FROM early_acts WHERE event_id = $1", event)
                    .execute(&mut **connection)
                    .await?;
            }
        }
    }
    Ok(())
}

async fn write(
    connection: &mut Session,
    message: MessageId,
    version: &Version,
    text: &Text,
    is_shown: bool,
) -> Result<(), StoreError> {
    let sealer = connection.sealer();
    let content = sealer.seal(What::Content, message, &text.plain)?;
    let formatted = sealer.seal_some(What::Formatted, message, text.formatted.as_deref())?;
    // The first text is kept by the message's own id, for the case that all edits are taken back.
    sqlx::query!(
        "INSERT INTO message_versions (id, message_id, style, content, formatted, mentions_room, written_at)
         SELECT id, id, style, content, formatted, mentions_room, created_at FROM messages WHERE id = $1
         ON CONFLICT DO NOTHING",
        message.0
    )
    .execute(&mut **connection)
    .await?;
    sqlx::query!(
        "INSERT INTO message_versions (id, message_id, matrix_event_id, style, content, formatted, mentions_room, written_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        version.id.0,
        message.0,
        version.event.as_deref(),
        text.style.as_str(),
        content,
        formatted,
        text.everybody,
        version.at,
    )
    .execute(&mut **connection)
    .await?;
    if is_shown {
        show_newest(connection, message).await?;
    }
    Ok(())
}

async fn unwrite(
    connection: &mut PgConnection,
    message: MessageId,
    edit: ActId,
    was_shown: bool,
) -> Result<(), StoreError> {
    sqlx::query!("DELETE FROM message_versions WHERE id = $1", edit.0)
        .execute(&mut *connection)
        .await?;
    if was_shown {
        show_newest(connection, message).await?;
    }
    Ok(())
}

/// Gives a message the text of its newest version. The first one is older than any edit, whatever the clocks say.
async fn show_newest(connection: &mut PgConnection, message: MessageId) -> Result<(), StoreError> {
    sqlx::query!(
        r#"UPDATE messages AS m
           SET style = v.style, content = v.content, formatted = v.formatted, mentions_room = v.mentions_room,
               version_number = m.version_number + 1,
               edited_at = CASE WHEN v.id <> m.id THEN v.written_at END
           FROM (SELECT * FROM message_versions WHERE message_id = $1
                 ORDER BY id = message_id, written_at DESC, coalesce(matrix_event_id, '') COLLATE "C" DESC, id DESC
                 LIMIT 1) AS v
           WHERE m.id = $1"#,
        message.0
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Nothing that was said is left, wherever it was kept.
async fn take_away(
    connection: &mut PgConnection,
    message: MessageId,
    how: Gone,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (deleted_at, recalled) = match how {
        Gone::Deleted => (Some(now), None),
        Gone::Recalled { by, at } => (None, Some((by, at))),
    };
    sqlx::query!(
        "WITH versions AS (DELETE FROM message_versions WHERE message_id = $1),
              reactions AS (DELETE FROM message_reactions WHERE message_id = $1),
              pins AS (DELETE FROM pins WHERE message_id = $1),
              letters AS (DELETE FROM dead_letters WHERE message_id = $1),
              media AS (DELETE FROM message_media WHERE message_id = $1 OR attached_to = $1)
         UPDATE messages
         SET content = '', formatted = NULL, deleted_at = coalesce(deleted_at, $2),
             recalled_at = coalesce(recalled_at, $3), recalled_by = coalesce(recalled_by, $4)
         WHERE id = $1",
        message.0,
        deleted_at,
        recalled.map(|(_, at)| at),
        recalled.map(|(by, _)| by.0),
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn react(connection: &mut PgConnection, reaction: &Reaction) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO message_reactions (id, message_id, user_id, emoji, matrix_event_id, created_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        reaction.id.0,
        reaction.message.0,
        reaction.user.0,
        reaction.emoji,
        reaction.event.as_deref(),
        reaction.at,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Notes the event of an edit or a reaction of ours.
///
/// # Errors
/// When Postgres fails.
pub async fn carried(connection: &mut PgConnection, id: ActId, event: &str) -> Result<(), StoreError> {
    sqlx::query!(
        "WITH edit AS (UPDATE message_versions SET matrix_event_id = $2 WHERE id = $1 AND matrix_event_id IS NULL)
         UPDATE message_reactions SET matrix_event_id = $2 WHERE id = $1 AND matrix_event_id IS NULL",
        id.0,
        event
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn wait(connection: &mut Session, early: &EarlyAct, now: Timestamp) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO early_acts (event_id, target_event_id, act, came_at) VALUES ($1, $2, $3::text::json, $4)
         ON CONFLICT DO NOTHING",
        early.event,
        early.target,
        connection
            .sealer()
            .seal_json(What::Act, &early.event, &serde_json::to_string(early)?)?,
        now,
    )
    .execute(&mut **connection)
    .await?;
    Ok(())
}

/// Drops what has waited for its target since before then, and reactions and pins taken back that never came to us again.
/// Returns how much.
///
/// # Errors
/// When Postgres fails.
pub async fn prune(connection: &mut PgConnection, before: Timestamp) -> Result<u64, StoreError> {
    let early = sqlx::query!("DELETE FROM early_acts WHERE came_at < $1", before)
        .execute(&mut *connection)
        .await?;
    let taken_back = sqlx::query!("DELETE FROM message_reactions WHERE removed_at < $1", before)
        .execute(&mut *connection)
        .await?;
    let pins = pins::prune(connection, before).await?;
    Ok(early.rows_affected() + taken_back.rows_affected() + pins)
}
