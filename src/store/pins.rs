//! What is pinned, and what a room asks of those who pin.

use std::collections::HashMap;

use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;
use super::conversations::kind;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{ConversationId, MessageId, OutboxId, UserId};
use crate::domain::pin::{Needs, Pin, PinAct, Standing};

/// Writes one act. Its conversation is locked.
pub(super) async fn apply(connection: &mut PgConnection, act: &PinAct, now: Timestamp) -> Result<(), StoreError> {
    match act {
        PinAct::Pinned {
            conversation,
            pin,
            told_by,
        } => {
            sqlx::query!(
                "INSERT INTO pins (message_id, conversation_id, pinned_by, pinned_at, told_by) VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (message_id) DO UPDATE
                 SET pinned_by = $3, pinned_at = $4, told_by = $5, removed_at = NULL, place = DEFAULT",
                pin.message.0,
                conversation.0,
                pin.by.0,
                pin.at,
                told_by.map(|id| id.0),
            )
            .execute(connection)
            .await?;
        }
        PinAct::Unpinned {
            message,
            told_by: Some(job),
        } => {
            sqlx::query!(
                "UPDATE pins SET removed_at = $2, told_by = $3 WHERE message_id = $1",
                message.0,
                now,
                job.0
            )
            .execute(connection)
            .await?;
        }
        PinAct::Unpinned { message, told_by: None } => {
            sqlx::query!("DELETE FROM pins WHERE message_id = $1", message.0)
                .execute(connection)
                .await?;
        }
        PinAct::Told(job) => told(connection, *job).await?,
        PinAct::Await {
            conversation,
            by,
            at,
            events,
        } => {
            sqlx::query!(
                "DELETE FROM early_pins WHERE conversation_id = $1 AND event_id <> ALL ($2)",
                conversation.0,
                events
            )
            .execute(&mut *connection)
            .await?;
            sqlx::query!(
                "INSERT INTO early_pins (conversation_id, event_id, pinned_by, pinned_at, came_at)
                 SELECT $1, event_id, $3, $4, $5 FROM unnest($2::text[]) AS event_id
                 ON CONFLICT DO NOTHING",
                conversation.0,
                events,
                by.0,
                at,
                now
            )
            .execute(connection)
            .await?;
        }
        PinAct::Came { conversation, event } => {
            sqlx::query!(
                "DELETE FROM early_pins WHERE conversation_id = $1 AND event_id = $2",
                conversation.0,
                event
            )
            .execute(connection)
            .await?;
        }
    }
    Ok(())
}

async fn told(connection: &mut PgConnection, job: OutboxId) -> Result<(), StoreError> {
    sqlx::query!(
        "WITH gone AS (DELETE FROM pins WHERE told_by = $1 AND removed_at IS NOT NULL)
         UPDATE pins SET told_by = NULL WHERE told_by = $1 AND removed_at IS NULL",
        job.0
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Notes what rooms ask of people who want to do more than talk.
pub(super) async fn ask(connection: &mut PgConnection, needs: &[(ConversationId, Needs)]) -> Result<(), StoreError> {
    for (conversation, needs) in needs {
        sqlx::query!(
            "UPDATE conversations SET pin_level = $2, everybody_level = $3 WHERE id = $1",
            conversation.0,
            needs.pin,
            needs.everybody
        )
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// What is asked in these conversations of people who want to do more than talk.
///
/// # Errors
/// When Postgres fails.
pub async fn needs(
    connection: &mut PgConnection,
    ids: &[ConversationId],
) -> Result<HashMap<ConversationId, Needs>, StoreError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query!(
        "SELECT id, kind, pin_level, everybody_level FROM conversations WHERE id = ANY ($1)",
        &ids
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let usual = Needs::of(kind(&row.kind, row.id)?);
            let needs = Needs {
                pin: row.pin_level.unwrap_or(usual.pin),
                everybody: row.everybody_level.unwrap_or(usual.everybody),
            };
            Ok((ConversationId(row.id), needs))
        })
        .collect()
}

/// What is pinned in a conversation, the last one first.
///
/// # Errors
/// When Postgres fails.
pub async fn list(connection: &mut PgConnection, conversation: ConversationId) -> Result<Vec<Pin>, StoreError> {
    let rows = sqlx::query!(
        "SELECT message_id, pinned_by, pinned_at FROM pins WHERE conversation_id = $1 AND removed_at IS NULL
         ORDER BY place DESC",
        conversation.0
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Pin {
            message: MessageId(row.message_id),
            by: UserId(row.pinned_by),
            at: row.pinned_at,
        })
        .collect())
}

/// The pin of a message, if it is pinned.
///
/// # Errors
/// When Postgres fails.
pub async fn find(connection: &mut PgConnection, message: MessageId) -> Result<Option<Pin>, StoreError> {
    let row = sqlx::query!(
        "SELECT pinned_by, pinned_at FROM pins WHERE message_id = $1 AND removed_at IS NULL",
        message.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| Pin {
        message,
        by: UserId(row.pinned_by),
        at: row.pinned_at,
    }))
}

/// What a job has to tell the room, as long as it does: the conversation, the pin, and whether it still is one.
///
/// # Errors
/// When Postgres fails.
pub async fn told_by(
    connection: &mut PgConnection,
    job: OutboxId,
) -> Result<Option<(ConversationId, Pin, bool)>, StoreError> {
    let row = sqlx::query!(
        r#"SELECT conversation_id, message_id, pinned_by, pinned_at, removed_at IS NULL AS "is_pinned!"
           FROM pins WHERE told_by = $1"#,
        job.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| {
        let pin = Pin {
            message: MessageId(row.message_id),
            by: UserId(row.pinned_by),
            at: row.pinned_at,
        };
        (ConversationId(row.conversation_id), pin, row.is_pinned)
    }))
}

/// All that is pinned in these conversations, or was until just now, and of these messages.
pub(super) async fn standing(
    connection: &mut PgConnection,
    conversations: &[Uuid],
    messages: &[Uuid],
) -> Result<HashMap<ConversationId, Vec<Standing>>, StoreError> {
    let mut found: HashMap<ConversationId, Vec<Standing>> = HashMap::new();
    if conversations.is_empty() && messages.is_empty() {
        return Ok(found);
    }
    let rows = sqlx::query!(
        r#"SELECT p.conversation_id AS "conversation_id!", p.message_id AS "message_id!",
                  p.removed_at IS NULL AS "is_pinned!", p.told_by,
                  m.matrix_event_id AS "event?"
           FROM pins AS p LEFT JOIN messages AS m ON m.id = p.message_id
           WHERE p.conversation_id = ANY ($1) OR p.message_id = ANY ($2)"#,
        conversations,
        messages
    )
    .fetch_all(connection)
    .await?;
    for row in rows {
        found
            .entry(ConversationId(row.conversation_id))
            .or_default()
            .push(Standing {
                message: MessageId(row.message_id),
                event: row.event,
                is_pinned: row.is_pinned,
                told_by: row.told_by.map(OutboxId),
            });
    }
    Ok(found)
}

/// Which of these events their rooms had pinned before they came: by whom, and when.
pub(super) async fn early(
    connection: &mut PgConnection,
    events: &[String],
) -> Result<HashMap<(ConversationId, String), (UserId, Timestamp)>, StoreError> {
    let rows = sqlx::query!(
        "SELECT conversation_id, event_id, pinned_by, pinned_at FROM early_pins WHERE event_id = ANY ($1)",
        events
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let key = (ConversationId(row.conversation_id), row.event_id);
            (key, (UserId(row.pinned_by), row.pinned_at))
        })
        .collect())
}

/// Whether a message is pinned, and the event that carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The event.
    pub event: Option<String>,
    /// Whether it is pinned.
    pub is_pinned: bool,
    /// Whether it was deleted or recalled.
    pub is_gone: bool,
}

/// What the room has to be told of a message: `None` where there is no such message.
///
/// # Errors
/// When Postgres fails.
pub async fn outgoing(connection: &mut PgConnection, message: MessageId) -> Result<Option<Outgoing>, StoreError> {
    let row = sqlx::query!(
        r#"SELECT matrix_event_id AS event, deleted_at IS NOT NULL OR recalled_at IS NOT NULL AS "is_gone!",
                  EXISTS (SELECT FROM pins WHERE message_id = $1 AND removed_at IS NULL) AS "is_pinned!"
           FROM messages WHERE id = $1"#,
        message.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| Outgoing {
        event: row.event,
        is_pinned: row.is_pinned,
        is_gone: row.is_gone,
    }))
}

/// Drops what was pinned before then and never came, and believes rooms again that never told back what they were told.
/// Returns how much.
pub(super) async fn prune(connection: &mut PgConnection, before: Timestamp) -> Result<u64, StoreError> {
    let early = sqlx::query!("DELETE FROM early_pins WHERE came_at < $1", before)
        .execute(&mut *connection)
        .await?;
    let removed = sqlx::query!("DELETE FROM pins WHERE removed_at < $1", before)
        .execute(&mut *connection)
        .await?;
    sqlx::query!(
        "UPDATE pins SET told_by = NULL WHERE told_by IS NOT NULL AND removed_at IS NULL AND pinned_at < $1",
        before
    )
    .execute(connection)
    .await?;
    Ok(early.rows_affected() + removed.rows_affected())
}
