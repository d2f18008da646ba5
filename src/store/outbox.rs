//! Requests towards Matrix, in lanes that are worked off head first.

use sqlx::PgConnection;
use uuid::Uuid;

use super::sealer::{Sealer, What, report};
use super::{Session, StoreError};
use crate::domain::clock::Timestamp;
use crate::domain::ids::{ConversationId, MessageId, OutboxId, UserId};
use crate::domain::job::{Job, NewJob, StoredJob};

/// Adds jobs at the end of their lanes and wakes the lanes that slept.
///
/// # Errors
/// When Postgres fails.
#[expect(clippy::as_conversions, reason = "how sqlx is told that a column may hold NULL")]
pub async fn add(connection: &mut Session, jobs: &[NewJob], now: Timestamp) -> Result<(), StoreError> {
    if jobs.is_empty() {
        return Ok(());
    }
    let sealer = connection.sealer();
    let bodies: Vec<String> = jobs
        .iter()
        .map(|job| sealed(sealer, What::Job, job.id.0, &job.job))
        .collect::<Result<_, _>>()?;
    let lanes: Vec<Uuid> = jobs.iter().map(|job| job.lane.key()).collect();
    sqlx::query!(
        "WITH added AS (
            INSERT INTO outbox (id, lane, conversation_id, actor_id, message_id, job, created_at)
            SELECT id, lane, conversation_id, actor_id, message_id, job::json, $7
            FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::text[])
                 WITH ORDINALITY AS j (id, lane, conversation_id, actor_id, message_id, job, n)
            ORDER BY n)
         INSERT INTO outbox_lanes (lane, due_at, is_urgent)
         SELECT DISTINCT lane, $7, is_urgent FROM unnest($2::uuid[], $8::boolean[]) AS l (lane, is_urgent) ORDER BY lane
         ON CONFLICT (lane) DO UPDATE
         SET version = outbox_lanes.version + 1,
             due_at = CASE WHEN outbox_lanes.due_at = 'infinity' THEN $7 ELSE outbox_lanes.due_at END",
        &jobs.iter().map(|job| job.id.0).collect::<Vec<_>>(),
        &lanes,
        &jobs
            .iter()
            .map(|job| job.lane.conversation().map(|id| id.0))
            .collect::<Vec<_>>() as &[Option<Uuid>],
        &jobs.iter().map(|job| job.actor.0).collect::<Vec<_>>(),
        &jobs.iter().map(|job| job.message.map(|id| id.0)).collect::<Vec<_>>() as &[Option<Uuid>],
        &bodies,
        now,
        &jobs.iter().map(|job| job.lane.is_urgent()).collect::<Vec<_>>(),
    )
    .execute(&mut **connection)
    .await?;
    Ok(())
}

/// A job as it is stored: only those with words of people are sealed, so that what else is done can be looked at.
pub(super) fn sealed(sealer: &Sealer, what: What, id: Uuid, job: &Job) -> Result<String, StoreError> {
    let json = serde_json::to_string(job)?;
    if job.holds_words() {
        sealer.seal_json(what, id, &json)
    } else {
        Ok(json)
    }
}

/// A lane that this node works on now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claimed {
    /// Its key.
    pub lane: Uuid,
    /// Whether the node that had it before died over it: its head may be half done.
    pub abandoned: bool,
    /// Whether it is a call's.
    pub is_urgent: bool,
}

/// For how many more lanes there is somebody to work on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seats {
    /// Of rooms and accounts.
    pub ordinary: i64,
    /// Of calls.
    pub urgent: i64,
}

/// Takes lanes that are due and that no living node works on. `at_work` are those that this node works on: another one
/// that it is said to have was claimed by a request whose answer was lost. `seats` are for how many: those of calls have
/// their own, so that no slow room keeps a telephone waiting.
///
/// # Errors
/// When Postgres fails.
pub async fn claim(
    connection: &mut PgConnection,
    node: i32,
    at_work: &[Uuid],
    seats: Seats,
    now: Timestamp,
) -> Result<Vec<Claimed>, StoreError> {
    let rows = sqlx::query!(
        r#"WITH alive AS MATERIALIZED (SELECT living_nodes() AS node),
                urgent AS (
                    SELECT lane, leased_by FROM outbox_lanes
                    WHERE due_at <= $3 AND due_at < 'infinity' AND is_urgent AND lane <> ALL ($4)
                      AND (leased_by IS NULL OR leased_by = $1 OR leased_by NOT IN (SELECT node FROM alive))
                    ORDER BY due_at LIMIT $5 FOR UPDATE SKIP LOCKED),
                ordinary AS (
                    SELECT lane, leased_by FROM outbox_lanes
                    WHERE due_at <= $3 AND due_at < 'infinity' AND NOT is_urgent AND lane <> ALL ($4)
                      AND (leased_by IS NULL OR leased_by = $1 OR leased_by NOT IN (SELECT node FROM alive))
                    ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED),
                due AS (SELECT * FROM urgent UNION ALL SELECT * FROM ordinary)
           UPDATE outbox_lanes SET leased_by = $1 FROM due WHERE outbox_lanes.lane = due.lane
           RETURNING outbox_lanes.lane, due.leased_by IS NOT NULL AS "abandoned!", is_urgent"#,
        node,
        seats.ordinary,
        now,
        at_work,
        seats.urgent
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Claimed {
            lane: row.lane,
            abandoned: row.abandoned,
            is_urgent: row.is_urgent,
        })
        .collect())
}

/// When the next lane is due, if any waits.
///
/// # Errors
/// When Postgres fails.
pub async fn next_due(connection: &mut PgConnection) -> Result<Option<Timestamp>, StoreError> {
    Ok(
        sqlx::query_scalar!("SELECT min(due_at) FROM outbox_lanes WHERE due_at < 'infinity' AND leased_by IS NULL")
            .fetch_one(connection)
            .await?,
    )
}

/// Where a lane stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// The lane's version when it was read.
    pub version: i64,
    /// The node that has the lane.
    pub leased_by: Option<i32>,
    /// What is to be done next; nothing where the lane is empty.
    pub job: Option<StoredJob>,
}

/// Where a lane stands, and its head. Where a room is to be made, that comes first, whatever
/// waited before it was decided: all the rest happens in the room.
///
/// # Errors
/// When Postgres fails.
pub async fn head(connection: &mut Session, lane: Uuid) -> Result<Head, StoreError> {
    let state = sqlx::query!("SELECT version, leased_by FROM outbox_lanes WHERE lane = $1", lane)
        .fetch_optional(&mut **connection)
        .await?;
    let mut head = Head {
        version: state.as_ref().map_or(0, |state| state.version),
        leased_by: state.and_then(|state| state.leased_by),
        job: None,
    };
    let row = sqlx::query!(
        r#"SELECT seq, id, conversation_id, actor_id, message_id, job::text AS "job!", attempts, uncertain,
                  first_tried_at, created_at
           FROM outbox WHERE seq = coalesce(
               (SELECT min(seq) FROM outbox WHERE lane = $1 AND job->>'do' = 'create_room'),
               (SELECT min(seq) FROM outbox WHERE lane = $1))"#,
        lane
    )
    .fetch_optional(&mut **connection)
    .await?;
    let Some(row) = row else { return Ok(head) };
    let wrong = || StoreError::Inconsistent {
        table: "outbox",
        column: "job",
        row: row.id.to_string(),
    };
    let job = connection.sealer().open_json(What::Job, row.id, row.job);
    let job = job.map_err(|error| report(What::Job, row.id, &error));
    let job = job
        .ok()
        .and_then(|job| serde_json::from_str(&job).ok())
        .ok_or_else(wrong)?;
    head.job = Some(StoredJob {
        seq: row.seq,
        id: OutboxId(row.id),
        conversation: row.conversation_id.map(ConversationId),
        actor: UserId(row.actor_id),
        message: row.message_id.map(MessageId),
        job,
        attempts: row.attempts,
        uncertain: row.uncertain,
        first_tried_at: row.first_tried_at,
        created_at: row.created_at,
    });
    Ok(head)
}

/// Lets an empty lane sleep; that of a call goes. Returns false if something was added to it since `version` was read, or if it is no longer
/// this node's.
///
/// # Errors
/// When Postgres fails.
pub async fn sleep(connection: &mut PgConnection, lane: Uuid, node: i32, version: i64) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"WITH gone AS (DELETE FROM outbox_lanes
                         WHERE lane = $1 AND version = $2 AND leased_by = $3 AND is_urgent RETURNING lane),
                asleep AS (UPDATE outbox_lanes SET due_at = 'infinity', leased_by = NULL
                           WHERE lane = $1 AND version = $2 AND leased_by = $3 AND NOT is_urgent RETURNING lane)
           SELECT EXISTS (SELECT FROM gone) OR EXISTS (SELECT FROM asleep) AS "done!""#,
        lane,
        version,
        node
    )
    .fetch_one(connection)
    .await?)
}

/// Notes that the head of a lane failed, and gives the lane back until `due`, if it is still this node's.
///
/// # Errors
/// When Postgres fails.
pub async fn defer(
    connection: &mut PgConnection,
    lane: Uuid,
    node: i32,
    job: OutboxId,
    failure: &Failure<'_>,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query!(
        "WITH failed AS (
            UPDATE outbox SET attempts = attempts + 1, last_error = $3, uncertain = uncertain OR $4,
                              first_tried_at = coalesce(first_tried_at, $5)
            WHERE id = $2)
         UPDATE outbox_lanes SET due_at = $6, told_to_wait = $7, leased_by = NULL
         WHERE lane = $1 AND leased_by = $8",
        lane,
        job.0,
        failure.error,
        failure.uncertain,
        now,
        failure.due,
        failure.told_to_wait,
        node
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// How a job failed that will be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure<'a> {
    /// Why, for the admin.
    pub error: &'a str,
    /// Whether it may have taken effect without our knowing.
    pub uncertain: bool,
    /// When to try again.
    pub due: Timestamp,
    /// Whether the homeserver itself named that time.
    pub told_to_wait: bool,
}

/// Makes every lane due that waits for its back-off to end. Those that the homeserver told to wait are not touched.
/// Returns how many.
///
/// # Errors
/// When Postgres fails.
pub async fn hurry(connection: &mut PgConnection, now: Timestamp) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        "UPDATE outbox_lanes SET due_at = $1
         WHERE due_at > $1 AND due_at < 'infinity' AND leased_by IS NULL AND NOT told_to_wait",
        now
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// Gives a lane of this node back as it is, for this or another node to go on with.
///
/// # Errors
/// When Postgres fails.
pub async fn release(connection: &mut PgConnection, lane: Uuid, node: i32) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE outbox_lanes SET leased_by = NULL WHERE lane = $1 AND leased_by = $2",
        lane,
        node
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes jobs that are done. What is gone already is no error: an echo may have been faster.
///
/// # Errors
/// When Postgres fails.
pub async fn remove(connection: &mut PgConnection, jobs: &[OutboxId]) -> Result<(), StoreError> {
    if jobs.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = jobs.iter().map(|id| id.0).collect();
    sqlx::query!("DELETE FROM outbox WHERE id = ANY ($1)", &ids)
        .execute(connection)
        .await?;
    Ok(())
}

/// How many jobs wait, and since when the oldest does.
///
/// # Errors
/// When Postgres fails.
pub async fn depth(connection: &mut PgConnection) -> Result<(i64, Option<Timestamp>), StoreError> {
    let row = sqlx::query!(r#"SELECT count(*) AS "count!", min(created_at) AS oldest FROM outbox"#)
        .fetch_one(connection)
        .await?;
    Ok((row.count, row.oldest))
}

/// Whether a job still waits.
///
/// # Errors
/// When Postgres fails.
pub async fn waits(connection: &mut PgConnection, id: OutboxId) -> Result<bool, StoreError> {
    Ok(
        sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM outbox WHERE id = $1) AS "waits!""#, id.0)
            .fetch_one(connection)
            .await?,
    )
}
