//! What the events of rooms have to know of calls, and what they leave behind.

use chrono::TimeDelta;
use ruma::OwnedRoomId;
use sqlx::PgConnection;
use uuid::Uuid;

use super::rows::call;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{CallId, ConversationId, UserId};
use crate::domain::ingest::Calls;
use crate::store::StoreError;

/// How long an event waits for its call.
const EARLY: TimeDelta = TimeDelta::minutes(2);

/// How often a room is told where calls work.
const NOTICE: TimeDelta = TimeDelta::minutes(10);

/// How long a call rings that nobody can take: it is told once in this time.
const RUNG: TimeDelta = TimeDelta::seconds(30);

/// What of calls the events of a transaction may touch: `conversations` are theirs, of which `direct` are between two
/// people, `names` the ids in Matrix that the events name. The conversations must be locked. One round trip.
///
/// # Errors
/// When Postgres fails.
pub async fn context(
    connection: &mut PgConnection,
    conversations: &[Uuid],
    direct: &[Uuid],
    rooms: &[String],
    names: &[String],
    now: Timestamp,
) -> Result<Calls, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT 'call' AS "what!", id, conversation_id AS conversation, NULL::uuid AS person, NULL::text AS room,
                  NULL::text AS name, machine::text AS body, 0::bigint AS seq
           FROM call_sessions WHERE conversation_id = ANY ($1) AND deadline IS NOT NULL
           UNION ALL
           SELECT 'known', NULL, conversation_id, NULL, NULL, matrix_call_id, NULL, 0
           FROM call_sessions WHERE conversation_id = ANY ($1) AND matrix_call_id = ANY ($4)
           UNION ALL
           SELECT 'early', NULL, NULL, NULL, matrix_room_id, matrix_call_id, event::text, seq
           FROM early_call_events WHERE matrix_room_id = ANY ($3) AND matrix_call_id = ANY ($4) AND came_at > $5
           UNION ALL
           SELECT 'busy', p.call_id, NULL, p.user_id, NULL, NULL, NULL, 0
           FROM conversation_members AS m JOIN call_participants AS p ON p.user_id = m.user_id
           WHERE m.conversation_id = ANY ($2) AND p.is_active AND p.presence = 'joined'
           UNION ALL
           SELECT 'off', NULL, NULL, u.id, NULL, NULL, NULL, 0
           FROM conversation_members AS m JOIN users AS u ON u.id = m.user_id
           WHERE m.conversation_id = ANY ($2) AND NOT u.calls_enabled
           UNION ALL
           SELECT 'noticed', NULL, NULL, NULL, matrix_room_id, NULL, NULL, 0
           FROM matrix_room_mapping WHERE matrix_room_id = ANY ($3) AND call_notice_at > $6
           UNION ALL
           SELECT 'rung', NULL, conversation_id, NULL, NULL, NULL, NULL, 0
           FROM call_sessions WHERE conversation_id = ANY ($2) AND created_at > $7 AND dialect = 'rtc'
           ORDER BY 8"#,
        conversations,
        direct,
        rooms,
        names,
        now - EARLY,
        now - NOTICE,
        now - RUNG
    )
    .fetch_all(connection)
    .await?;
    let mut calls = Calls::default();
    for row in rows {
        let room = row.room.and_then(|room| OwnedRoomId::try_from(room).ok());
        let conversation = row.conversation.map(ConversationId);
        match (row.what.as_str(), row.id, row.person) {
            ("call", Some(id), _) => {
                let call = call(id, &row.body.unwrap_or_default())?;
                calls.unfinished.insert(call.id, call);
            }
            ("known", ..) => calls.known.extend(conversation.zip(row.name)),
            ("early", ..) => {
                // What an older version wrote and nobody can read any more is not worth a call.
                let event = row.body.and_then(|body| serde_json::from_str(&body).ok());
                if let (Some(key), Some(event)) = (room.zip(row.name), event) {
                    calls.early.entry(key).or_default().push(event);
                }
            }
            ("busy", Some(id), Some(person)) => drop(calls.busy.insert((UserId(person), CallId(id)))),
            ("off", _, Some(person)) => drop(calls.off.insert(UserId(person))),
            ("noticed", ..) => calls.noticed.extend(room),
            ("rung", ..) => calls.rung.extend(conversation),
            _ => {}
        }
    }
    Ok(calls)
}

/// Drops what has waited too long for its call. Returns how much.
///
/// # Errors
/// When Postgres fails.
pub async fn prune_early(connection: &mut PgConnection, now: Timestamp) -> Result<u64, StoreError> {
    let done = sqlx::query!("DELETE FROM early_call_events WHERE came_at <= $1", now - EARLY)
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}

/// Drops what is older from the audit. Returns how much.
///
/// # Errors
/// When Postgres fails.
pub async fn prune_log(connection: &mut PgConnection, before: Timestamp) -> Result<u64, StoreError> {
    let done = sqlx::query!("DELETE FROM call_events WHERE at < $1", before)
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}
