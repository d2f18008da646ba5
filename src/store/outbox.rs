//! Requests towards Matrix, in lanes that are worked off head first.

use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{ConversationId, MessageId, OutboxId, UserId};
use crate::domain::job::{NewJob, StoredJob};

/// Adds jobs at the end of their lanes and wakes the lanes that slept.
///
/// # Errors
/// When Postgres fails.
#[expect(clippy::as_conversions, reason = "how sqlx is told that a column may hold NULL")]
pub async fn add(connection: &mut PgConnection, jobs: &[NewJob], now: Timestamp) -> Result<(), StoreError> {
    if jobs.is_empty() {
        return Ok(());
    }
    let bodies: Vec<String> = jobs
        .iter()
        .map(|job| serde_json::to_string(&job.job))
        .collect::<Result<_, _>>()?;
    let lanes: Vec<Uuid> = jobs.iter().map(|job| job.lane.key()).collect();
    sqlx::query!(
        "WITH added AS (
            INSERT INTO outbox (id, lane, conversation_id, actor_id, message_id, job, created_at)
            SELECT id, lane, conversation_id, actor_id, message_id, job::json, $7
            FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::text[])
                 WITH ORDINALITY AS j (id, lane, conversation_id, actor_id, message_id, job, n)
            ORDER BY n)
         INSERT INTO outbox_lanes (lane, due_at) SELECT DISTINCT lane, $7 FROM unnest($2::uuid[]) AS lane ORDER BY lane
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
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A lane that this node works on now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claimed {
    /// Its key.
    pub lane: Uuid,
    /// Whether the node that had it before died over it: its head may be half done.
    pub abandoned: bool,
}

/// Takes lanes that are due and that no living node works on. `at_work` are those that this node works on: another one
/// that it is said to have was claimed by a request whose answer was lost.
///
/// # Errors
/// When Postgres fails.
pub async fn claim(
    connection: &mut PgConnection,
    node: i32,
    at_work: &[Uuid],
    limit: i64,
    now: Timestamp,
) -> Result<Vec<Claimed>, StoreError> {
    let rows = sqlx::query!(
        r#"WITH alive AS MATERIALIZED (SELECT living_nodes() AS node),
                due AS (
                    SELECT lane, leased_by FROM outbox_lanes
                    WHERE due_at <= $3 AND lane <> ALL ($4)
                      AND (leased_by IS NULL OR leased_by = $1 OR leased_by NOT IN (SELECT node FROM alive))
                    ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED)
           UPDATE outbox_lanes SET leased_by = $1 FROM due WHERE outbox_lanes.lane = due.lane
           RETURNING outbox_lanes.lane, due.leased_by IS NOT NULL AS "abandoned!""#,
        node,
        limit,
        now,
        at_work
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Claimed {
            lane: row.lane,
            abandoned: row.abandoned,
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

/// The head of a lane, and the lane's version when it was read. Where a room is to be made, that comes first, whatever
/// waited before it was decided: all the rest happens in the room.
///
/// # Errors
/// When Postgres fails.
pub async fn head(connection: &mut PgConnection, lane: Uuid) -> Result<(i64, Option<StoredJob>), StoreError> {
    let version = sqlx::query_scalar!("SELECT version FROM outbox_lanes WHERE lane = $1", lane)
        .fetch_optional(&mut *connection)
        .await?
        .unwrap_or_default();
    let row = sqlx::query!(
        r#"SELECT seq, id, conversation_id, actor_id, message_id, job::text AS "job!", attempts, uncertain,
                  first_tried_at, created_at
           FROM outbox WHERE seq = coalesce(
               (SELECT min(seq) FROM outbox WHERE lane = $1 AND job->>'do' = 'create_room'),
               (SELECT min(seq) FROM outbox WHERE lane = $1))"#,
        lane
    )
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok((version, None)) };
    let job = serde_json::from_str(&row.job).map_err(|_| StoreError::Inconsistent {
        table: "outbox",
        column: "job",
        row: row.id.to_string(),
    })?;
    let job = StoredJob {
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
    };
    Ok((version, Some(job)))
}

/// Lets an empty lane sleep. Returns false if something was added to it since `version` was read.
///
/// # Errors
/// When Postgres fails.
pub async fn sleep(connection: &mut PgConnection, lane: Uuid, version: i64) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "UPDATE outbox_lanes SET due_at = 'infinity', leased_by = NULL WHERE lane = $1 AND version = $2",
        lane,
        version
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Notes that the head of a lane failed, and gives the lane back until `due`.
///
/// # Errors
/// When Postgres fails.
pub async fn defer(
    connection: &mut PgConnection,
    lane: Uuid,
    job: OutboxId,
    failure: &Failure<'_>,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query!(
        "WITH failed AS (
            UPDATE outbox SET attempts = attempts + 1, last_error = $3, uncertain = uncertain OR $4,
                              first_tried_at = coalesce(first_tried_at, $5)
            WHERE id = $2)
         UPDATE outbox_lanes SET due_at = $6, told_to_wait = $7, leased_by = NULL WHERE lane = $1",
        lane,
        job.0,
        failure.error,
        failure.uncertain,
        now,
        failure.due,
        failure.told_to_wait
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

/// Gives a lane back as it is, for this or another node to go on with.
///
/// # Errors
/// When Postgres fails.
pub async fn release(connection: &mut PgConnection, lane: Uuid) -> Result<(), StoreError> {
    sqlx::query!("UPDATE outbox_lanes SET leased_by = NULL WHERE lane = $1", lane)
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
