//! Writes calls, whatever has changed about them, with who is in them and the audit.

use sqlx::PgConnection;
use uuid::Uuid;

use super::rows::{dialect, status};
use crate::domain::call::{EndReason, Participant, Phase, Presence};
use crate::domain::clock::Timestamp;
use crate::domain::ingest::{Effects, SavedCall};
use crate::store::StoreError;

/// Writes the calls of a change. Empty kinds cost nothing.
///
/// # Errors
/// When Postgres fails.
pub async fn save(connection: &mut PgConnection, effects: &Effects, now: Timestamp) -> Result<(), StoreError> {
    if !effects.calls.is_empty() {
        sessions(connection, effects, now).await?;
    }
    if !effects.early.is_empty() {
        early(connection, effects, now).await?;
    }
    if !effects.early_taken.is_empty() {
        let (rooms, calls): (Vec<String>, Vec<String>) = effects
            .early_taken
            .iter()
            .map(|(room, call)| (room.to_string(), call.clone()))
            .unzip();
        sqlx::query!(
            "DELETE FROM early_call_events AS e USING unnest($1::text[], $2::text[]) AS taken (room, call)
             WHERE e.matrix_room_id = taken.room AND e.matrix_call_id = taken.call",
            &rooms,
            &calls
        )
        .execute(&mut *connection)
        .await?;
    }
    if !effects.call_notices.is_empty() {
        let rooms: Vec<String> = effects.call_notices.iter().map(ToString::to_string).collect();
        sqlx::query!(
            "UPDATE matrix_room_mapping SET call_notice_at = $2 WHERE matrix_room_id = ANY ($1)",
            &rooms,
            now
        )
        .execute(connection)
        .await?;
    }
    Ok(())
}

const fn presence(presence: Presence) -> &'static str {
    match presence {
        Presence::Invited => "invited",
        Presence::Joined => "joined",
        Presence::Rejected => "rejected",
        Presence::Left => "left",
    }
}

/// Calls, their people and the audit in one statement.
#[expect(clippy::as_conversions, reason = "how sqlx is told that a column may hold NULL")]
#[expect(clippy::too_many_lines, reason = "one statement, and a line for each column")]
async fn sessions(connection: &mut PgConnection, effects: &Effects, now: Timestamp) -> Result<(), StoreError> {
    let calls = &effects.calls;
    let machines: Vec<String> = calls
        .iter()
        .map(|it| serde_json::to_string(&it.call))
        .collect::<Result<_, _>>()?;
    let people: Vec<(&SavedCall, &Participant)> = calls
        .iter()
        .flat_map(|it| it.call.people.iter().map(move |person| (it, person)))
        .collect();
    let time = |get: fn(&SavedCall) -> Option<Timestamp>| calls.iter().map(get).collect::<Vec<_>>();
    let text = |get: fn(&SavedCall) -> Option<String>| calls.iter().map(get).collect::<Vec<_>>();
    sqlx::query!(
        "WITH saved AS (
            INSERT INTO call_sessions (id, conversation_id, initiator_id, call_type, is_video, status, end_reason, created_at,
                                       started_at, ended_at, duration_ms, max_participants, idempotency_key, dialect,
                                       matrix_call_id, matrix_room_id, deadline, machine)
            SELECT id, conversation_id, initiator_id, call_type, is_video, status, end_reason, created_at, started_at,
                   ended_at, duration_ms, max_participants, idempotency_key, dialect, matrix_call_id, matrix_room_id,
                   deadline, machine::json
            FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::boolean[], $6::text[], $7::text[],
                        $8::timestamptz[], $9::timestamptz[], $10::timestamptz[], $11::bigint[], $12::integer[],
                        $13::text[], $14::text[], $15::text[], $16::text[], $17::timestamptz[], $18::text[])
                 AS s (id, conversation_id, initiator_id, call_type, is_video, status, end_reason, created_at, started_at,
                       ended_at, duration_ms, max_participants, idempotency_key, dialect, matrix_call_id, matrix_room_id,
                       deadline, machine)
            ON CONFLICT (id) DO UPDATE
            SET is_video = excluded.is_video, status = excluded.status, end_reason = excluded.end_reason,
                started_at = excluded.started_at, ended_at = excluded.ended_at, duration_ms = excluded.duration_ms,
                deadline = excluded.deadline, machine = excluded.machine
         ), audited AS (
            INSERT INTO call_events (call_id, at, user_id, what)
            SELECT call_id, $19, user_id, what
            FROM unnest($20::uuid[], $21::uuid[], $22::text[]) WITH ORDINALITY AS l (call_id, user_id, what, n)
            ORDER BY n
         )
         INSERT INTO call_participants AS p (call_id, user_id, participant_id, presence, dialect, joined_at, left_at, audio,
                                             video, gone_since, is_active, created_at)
         SELECT * FROM unnest($23::uuid[], $24::uuid[], $25::uuid[], $26::text[], $27::text[], $28::timestamptz[],
                              $29::timestamptz[], $30::boolean[], $31::boolean[], $32::timestamptz[], $33::boolean[],
                              $34::timestamptz[])
         ON CONFLICT (call_id, user_id) DO UPDATE
         SET participant_id = excluded.participant_id, presence = excluded.presence, dialect = excluded.dialect,
             joined_at = excluded.joined_at, left_at = excluded.left_at, audio = excluded.audio, video = excluded.video,
             gone_since = excluded.gone_since, is_active = excluded.is_active
         WHERE (p.participant_id, p.presence, p.dialect, p.joined_at, p.left_at, p.audio, p.video, p.gone_since, p.is_active)
               IS DISTINCT FROM (excluded.participant_id, excluded.presence, excluded.dialect, excluded.joined_at,
                                 excluded.left_at, excluded.audio, excluded.video, excluded.gone_since,
                                 excluded.is_active)",
        &calls.iter().map(|it| it.call.id.0).collect::<Vec<_>>(),
        &calls.iter().map(|it| it.call.conversation.0).collect::<Vec<_>>(),
        &calls.iter().map(|it| it.call.initiator.0).collect::<Vec<_>>(),
        &calls
            .iter()
            .map(|it| it.call.topology.as_str().to_owned())
            .collect::<Vec<_>>(),
        &calls.iter().map(|it| it.call.is_video).collect::<Vec<_>>(),
        &calls.iter().map(|it| status(&it.call).to_owned()).collect::<Vec<_>>(),
        &text(|it| it.call.reason.map(EndReason::as_str).map(str::to_owned)) as &[Option<String>],
        &calls.iter().map(|it| it.call.created_at).collect::<Vec<_>>(),
        &time(|it| it.call.started_at) as &[Option<Timestamp>],
        &time(|it| it.call.ended_at) as &[Option<Timestamp>],
        &calls
            .iter()
            .map(|it| it.call.ended_at.map(|ended| it.call.duration_ms(ended)))
            .collect::<Vec<_>>() as &[Option<i64>],
        &calls
            .iter()
            .map(|it| i32::from(it.call.max_participants))
            .collect::<Vec<_>>(),
        &text(|it| it.idempotency_key.clone()) as &[Option<String>],
        &calls.iter().map(|it| dialect(&it.call).to_owned()).collect::<Vec<_>>(),
        &text(|it| it.call.matrix.as_ref().map(|leg| leg.call.clone())) as &[Option<String>],
        &text(|it| it.room.as_ref().map(ToString::to_string)) as &[Option<String>],
        &time(|it| it.call.deadline()) as &[Option<Timestamp>],
        &machines,
        now,
        &effects.call_log.iter().map(|it| it.call.0).collect::<Vec<_>>(),
        &effects.call_log.iter().map(|it| it.by.map(|by| by.0)).collect::<Vec<_>>() as &[Option<Uuid>],
        &effects
            .call_log
            .iter()
            .map(|it| it.what.to_owned())
            .collect::<Vec<_>>(),
        &people.iter().map(|(it, _)| it.call.id.0).collect::<Vec<_>>(),
        &people.iter().map(|(_, person)| person.user.0).collect::<Vec<_>>(),
        &people.iter().map(|(_, person)| person.id.0).collect::<Vec<_>>(),
        &people
            .iter()
            .map(|(_, person)| presence(person.presence).to_owned())
            .collect::<Vec<_>>(),
        &people
            .iter()
            .map(|(_, person)| person.dialect.as_str().to_owned())
            .collect::<Vec<_>>(),
        &people.iter().map(|(_, person)| person.joined_at).collect::<Vec<_>>() as &[Option<Timestamp>],
        &people.iter().map(|(_, person)| person.left_at).collect::<Vec<_>>() as &[Option<Timestamp>],
        &people.iter().map(|(_, person)| person.audio).collect::<Vec<_>>(),
        &people.iter().map(|(_, person)| person.video).collect::<Vec<_>>(),
        &people.iter().map(|(_, person)| person.gone_since).collect::<Vec<_>>() as &[Option<Timestamp>],
        &people
            .iter()
            .map(|(it, _)| it.call.phase != Phase::Ended)
            .collect::<Vec<_>>(),
        &people.iter().map(|(it, _)| it.call.created_at).collect::<Vec<_>>(),
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn early(connection: &mut PgConnection, effects: &Effects, now: Timestamp) -> Result<(), StoreError> {
    let events: Vec<String> = effects
        .early
        .iter()
        .map(|it| serde_json::to_string(&it.event))
        .collect::<Result<_, _>>()?;
    sqlx::query!(
        "INSERT INTO early_call_events (matrix_room_id, matrix_call_id, event, came_at)
         SELECT room, call, event::json, $4
         FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS e (room, call, event, n) ORDER BY n",
        &effects.early.iter().map(|it| it.room.to_string()).collect::<Vec<_>>(),
        &effects.early.iter().map(|it| it.event.call.clone()).collect::<Vec<_>>(),
        &events,
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}
