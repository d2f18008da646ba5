//! What the events of a transaction do something to.

use std::collections::HashMap;

use sqlx::PgConnection;
use uuid::Uuid;

use crate::domain::act::{EarlyAct, Reaction, Version};
use crate::domain::ids::{ActId, ConversationId, MessageId, UserId};
use crate::domain::ingest::{Acts, Subject, Target};
use crate::store::sealer::{What, report};
use crate::store::{Session, StoreError, pins};

/// What the events of a transaction name.
#[derive(Debug, Default)]
pub struct Named {
    /// Events to which something is done.
    pub targets: Vec<String>,
    /// Who does it.
    pub senders: Vec<Uuid>,
    /// Markers of our edits and reactions.
    pub acts: Vec<Uuid>,
    /// Our messages, by their markers, and all that is done to events of this transaction.
    pub messages: Vec<Uuid>,
    /// Conversations of which the whole list of what is pinned is set.
    pub lists: Vec<Uuid>,
}

/// What waits for these events, and for what waits for them, in the order of its coming.
///
/// # Errors
/// When Postgres fails.
pub async fn early(connection: &mut Session, events: &[String]) -> Result<Vec<EarlyAct>, StoreError> {
    let rows = sqlx::query!(
        r#"WITH RECURSIVE waiting AS (
               SELECT event_id, seq, act::text AS act FROM early_acts WHERE target_event_id = ANY ($1)
               UNION
               SELECT e.event_id, e.seq, e.act::text FROM waiting AS w JOIN early_acts AS e ON e.target_event_id = w.event_id)
           SELECT event_id AS "event!", act AS "act!" FROM waiting ORDER BY seq"#,
        events
    )
    .fetch_all(&mut **connection)
    .await?;
    let sealer = connection.sealer();
    // What a newer version wrote and nobody here can read is not worth a transaction, nor what does not open.
    let acts = rows.into_iter().filter_map(|row| {
        let act = sealer.open_json(What::Act, &row.event, row.act);
        let act = act.map_err(|error| report(What::Act, &row.event, &error)).ok()?;
        serde_json::from_str(&act).ok()
    });
    Ok(acts.collect())
}

/// What is known of the events and messages that are named.
///
/// # Errors
/// When Postgres fails.
pub async fn read(connection: &mut PgConnection, named: &Named, early: Vec<EarlyAct>) -> Result<Acts, StoreError> {
    let mut acts = Acts::default();
    let mut senders = named.senders.clone();
    for act in early {
        senders.push(act.sender.0);
        acts.early.entry(act.target.clone()).or_default().push(act);
    }
    targets(connection, named, &mut acts).await?;
    let of_targets = acts.targets.values().chain(acts.own.values());
    let messages: Vec<Uuid> = of_targets
        .map(|target| target.message().0)
        .chain(named.messages.iter().copied())
        .collect();
    acts.pins = pins::standing(connection, &named.lists, &messages).await?;
    if messages.is_empty() {
        return Ok(acts);
    }
    let rows = sqlx::query!(
        r#"SELECT id, conversation_id, sender_id,
                  (deleted_at IS NOT NULL OR recalled_at IS NOT NULL) AS "is_gone!"
           FROM messages WHERE id = ANY ($1)"#,
        &messages
    )
    .fetch_all(&mut *connection)
    .await?;
    let subjects = rows.into_iter().map(|row| {
        let subject = Subject {
            conversation: ConversationId(row.conversation_id),
            sender: UserId(row.sender_id),
            is_gone: row.is_gone,
            versions: Vec::new(),
            reactions: Vec::new(),
        };
        (MessageId(row.id), subject)
    });
    acts.subjects = subjects.collect();
    versions(connection, &messages, &mut acts.subjects).await?;
    reactions(connection, (&messages, &senders, &named.targets), &mut acts.subjects).await?;
    Ok(acts)
}

async fn targets(connection: &mut PgConnection, named: &Named, acts: &mut Acts) -> Result<(), StoreError> {
    let rows = sqlx::query!(
        r#"SELECT 'message' AS "what!", matrix_event_id AS event, id AS "message!", id AS "act!"
           FROM messages WHERE matrix_event_id = ANY ($1)
           UNION ALL SELECT 'edit', matrix_event_id, message_id, id
           FROM message_versions WHERE matrix_event_id = ANY ($1)
           UNION ALL SELECT 'reaction', matrix_event_id, message_id, id
           FROM message_reactions WHERE matrix_event_id = ANY ($1)
           UNION ALL SELECT 'edit', NULL, message_id, id FROM message_versions WHERE id = ANY ($2)
           UNION ALL SELECT 'reaction', NULL, message_id, id FROM message_reactions WHERE id = ANY ($2)"#,
        &named.targets,
        &named.acts,
    )
    .fetch_all(connection)
    .await?;
    for row in rows {
        let (message, id) = (MessageId(row.message), ActId(row.act));
        let target = match row.what.as_str() {
            "edit" => Target::Edit { message, id },
            "reaction" => Target::Reaction { message, id },
            _ => Target::Message(message),
        };
        match row.event {
            Some(event) => drop(acts.targets.insert(event, target)),
            None => drop(acts.own.insert(id, target)),
        }
    }
    Ok(())
}

async fn versions(
    connection: &mut PgConnection,
    messages: &[Uuid],
    subjects: &mut HashMap<MessageId, Subject>,
) -> Result<(), StoreError> {
    let rows = sqlx::query!(
        "SELECT id, message_id, matrix_event_id, written_at FROM message_versions
         WHERE message_id = ANY ($1) AND id <> message_id",
        messages
    )
    .fetch_all(connection)
    .await?;
    for row in rows {
        if let Some(subject) = subjects.get_mut(&MessageId(row.message_id)) {
            subject.versions.push(Version {
                at: row.written_at,
                event: row.matrix_event_id,
                id: ActId(row.id),
            });
        }
    }
    Ok(())
}

/// Of a message with thousands of reactions only those that matter now.
async fn reactions(
    connection: &mut PgConnection,
    (messages, senders, events): (&[Uuid], &[Uuid], &[String]),
    subjects: &mut HashMap<MessageId, Subject>,
) -> Result<(), StoreError> {
    let rows = sqlx::query!(
        "SELECT id, message_id, user_id, emoji, matrix_event_id, created_at FROM message_reactions
         WHERE message_id = ANY ($1) AND (user_id = ANY ($2) OR matrix_event_id = ANY ($3)) AND removed_at IS NULL",
        messages,
        senders,
        events
    )
    .fetch_all(connection)
    .await?;
    for row in rows {
        let message = MessageId(row.message_id);
        if let Some(subject) = subjects.get_mut(&message) {
            subject.reactions.push(Reaction {
                id: ActId(row.id),
                message,
                user: UserId(row.user_id),
                emoji: row.emoji,
                event: row.matrix_event_id,
                at: row.created_at,
            });
        }
    }
    Ok(())
}
