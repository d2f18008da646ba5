//! What the sender of a call's events has to know, and what it leaves behind.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::domain::clock::Timestamp;
use crate::domain::ids::{CallId, UserId};
use crate::store::StoreError;

/// What is known of a call whose event is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Who called.
    pub initiator: UserId,
    /// Whether it is over.
    pub ended: bool,
    /// Whether our invite is in the room.
    pub invited: bool,
    /// Whether our answer is in the room.
    pub answered: bool,
}

/// What the sender knows of a call: `None` where there is no such call.
///
/// # Errors
/// When Postgres fails.
pub async fn facts(connection: &mut PgConnection, id: CallId) -> Result<Option<Facts>, StoreError> {
    let row = sqlx::query!(
        r#"SELECT initiator_id, ended_at IS NOT NULL AS "ended!", invite_event_id IS NOT NULL AS "invited!",
                  answer_event_id IS NOT NULL AS "answered!"
           FROM call_sessions WHERE id = $1"#,
        id.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| Facts {
        initiator: UserId(row.initiator_id),
        ended: row.ended,
        invited: row.invited,
        answered: row.answered,
    }))
}

/// What the room was told of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// That it rings.
    Invite,
    /// That it is taken.
    Answer,
}

/// Notes that our invite or our answer is in the room.
///
/// # Errors
/// When Postgres fails.
pub async fn told(connection: &mut PgConnection, id: CallId, what: Told, event_id: &str) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE call_sessions SET invite_event_id = CASE WHEN $2 THEN $3 ELSE invite_event_id END,
                                  answer_event_id = CASE WHEN $2 THEN answer_event_id ELSE $3 END
         WHERE id = $1",
        id.0,
        what == Told::Invite,
        event_id
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Voids what waits to be sent for calls, and makes the rest of it due at once, whatever the homeserver said.
///
/// What a worker has in its hands stays, and an invite or an answer that may be in the room: the end has to follow it.
///
/// # Errors
/// When Postgres fails.
pub async fn cut(connection: &mut PgConnection, calls: &[CallId], now: Timestamp) -> Result<(), StoreError> {
    if calls.is_empty() {
        return Ok(());
    }
    let lanes: Vec<Uuid> = calls.iter().map(|id| id.0).collect();
    sqlx::query!(
        "WITH cut AS (
            UPDATE outbox_lanes
            SET due_at = CASE WHEN due_at < 'infinity' THEN least(due_at, $2) ELSE due_at END, told_to_wait = false
            WHERE lane = ANY ($1) RETURNING lane, leased_by)
         DELETE FROM outbox AS o USING cut
         WHERE o.lane = cut.lane
           AND NOT (o.uncertain AND (o.job->'signal'->'act'->'Invite' IS NOT NULL
                                     OR o.job->'signal'->'act'->'Answer' IS NOT NULL))
           AND (cut.leased_by IS NULL OR o.seq <> (SELECT min(h.seq) FROM outbox AS h WHERE h.lane = cut.lane))",
        &lanes,
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}
