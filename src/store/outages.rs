//! Times after which something may be missing, which rooms were looked into since, and which of their events are known.

use std::collections::HashMap;

use chrono::TimeDelta;
use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;
use crate::domain::clock::Timestamp;
use crate::domain::ids::UserId;

/// How long a message of ours may wait before it is sent and still count by the time when it was said. Its echo counts by
/// its own time, but is forgotten together with the feed.
const UNSENT: TimeDelta = TimeDelta::days(1);

/// A room in which something may be missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubted {
    /// Which.
    pub room: String,
    /// When the first outage was noticed after which it was not looked into.
    pub since: Timestamp,
    /// The newest outage.
    pub outage: i64,
    /// The event before which nothing is taken from the room.
    pub begins_with: Option<String>,
    /// Nova users who are in it, whoever came first first.
    pub readers: Vec<UserId>,
}

/// Notes that something may be missing in every room. Returns the outage's number.
///
/// # Errors
/// When Postgres fails.
pub async fn note(connection: &mut PgConnection, noticed: Timestamp) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar!(r#"SELECT note_outage($1) AS "outage!""#, noticed)
        .fetch_one(connection)
        .await?)
}

/// The number of the newest outage.
///
/// # Errors
/// When Postgres fails.
pub async fn newest(connection: &mut PgConnection) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar!(r#"SELECT newest_outage() AS "newest!""#)
        .fetch_one(connection)
        .await?)
}

/// Rooms that were not looked into since the newest outage: of these alone, if any are given, and none of `except`. The
/// most lively first.
///
/// # Errors
/// When Postgres fails.
pub async fn doubted(
    connection: &mut PgConnection,
    only: Option<&[String]>,
    except: &[String],
    limit: i64,
) -> Result<Vec<Doubted>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT r.matrix_room_id, newest.id AS "outage!", since.at AS "since!", r.begins_with, readers.ids AS "readers!"
           FROM (SELECT newest_outage() AS id) AS newest
           JOIN matrix_room_mapping AS r ON r.looked_into < newest.id
           JOIN conversations AS c ON c.id = r.conversation_id AND c.deleted_at IS NULL
           JOIN LATERAL (SELECT min(noticed_at) AS at FROM outages WHERE id > r.looked_into) AS since ON true
           JOIN LATERAL (
               SELECT array_agg(first.user_id ORDER BY first.joined_at, first.user_id) AS ids
               FROM (SELECT m.user_id, m.joined_at
                     FROM conversation_members AS m JOIN users AS u ON u.id = m.user_id
                     WHERE m.conversation_id = c.id AND m.membership = 'joined' AND u.is_nova
                       AND u.deactivated_at IS NULL
                     ORDER BY m.joined_at, m.user_id LIMIT 3) AS first
           ) AS readers ON readers.ids IS NOT NULL
           WHERE ($1::text[] IS NULL OR r.matrix_room_id = ANY ($1)) AND r.matrix_room_id <> ALL ($2)
           ORDER BY c.updated_at DESC, c.id LIMIT $3"#,
        only,
        except,
        limit
    )
    .fetch_all(connection)
    .await?;
    let doubted = rows.into_iter().map(|row| Doubted {
        room: row.matrix_room_id,
        since: row.since,
        outage: row.outage,
        begins_with: row.begins_with,
        readers: row.readers.into_iter().map(UserId).collect(),
    });
    Ok(doubted.collect())
}

/// Notes that a room was looked into after `outage`.
///
/// # Errors
/// When Postgres fails.
pub async fn looked_into(connection: &mut PgConnection, room: &str, outage: i64) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE matrix_room_mapping SET looked_into = greatest(looked_into, $2) WHERE matrix_room_id = $1",
        room,
        outage
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Drops outages after which every room was looked into: all but the newest.
///
/// # Errors
/// When Postgres fails.
pub async fn forget(connection: &mut PgConnection, newest: i64) -> Result<(), StoreError> {
    sqlx::query!("DELETE FROM outages WHERE id < $1", newest)
        .execute(connection)
        .await?;
    Ok(())
}

/// Which of the events are known, and of each whether the room had pushed it to us before `before`, by our own clock: the
/// id of a message is as old as its row, whatever its sender's clock says.
///
/// # Errors
/// When Postgres fails.
pub async fn known(
    connection: &mut PgConnection,
    events: &[String],
    before: Timestamp,
) -> Result<HashMap<String, bool>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT matrix_event_id AS "event!",
                  id < CASE WHEN delivery IS NULL THEN $2::uuid ELSE $3::uuid END AS "long!"
           FROM messages WHERE matrix_event_id = ANY ($1)
           UNION ALL SELECT matrix_event_id, false FROM message_versions WHERE matrix_event_id = ANY ($1)
           UNION ALL SELECT matrix_event_id, false FROM message_reactions WHERE matrix_event_id = ANY ($1)
           UNION ALL SELECT event_id, false FROM early_acts WHERE event_id = ANY ($1)
           UNION ALL SELECT event_id, processed_at < $4 FROM processed_events WHERE event_id = ANY ($1)
           UNION ALL SELECT event_id, created_at < $4 FROM dead_letters WHERE event_id = ANY ($1)"#,
        events,
        first_id(before),
        first_id(before - UNSENT),
        before
    )
    .fetch_all(connection)
    .await?;
    let mut known = HashMap::new();
    for row in rows {
        *known.entry(row.event).or_default() |= row.long;
    }
    Ok(known)
}

/// The least id of `at`.
fn first_id(at: Timestamp) -> Uuid {
    let millis = u64::try_from(at.timestamp_millis()).unwrap_or_default();
    uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid()
}

/// Whether a room is or was that of a conversation, be it a deleted one.
///
/// # Errors
/// When Postgres fails.
pub async fn was_ours(connection: &mut PgConnection, room: &str) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM matrix_room_mapping WHERE matrix_room_id = $1)
               OR EXISTS (SELECT FROM former_rooms WHERE matrix_room_id = $1) AS "was!""#,
        room
    )
    .fetch_one(connection)
    .await?)
}

/// Nova accounts in the order of their ids, after `last`.
///
/// # Errors
/// When Postgres fails.
pub async fn accounts_after(
    connection: &mut PgConnection,
    last: Option<UserId>,
    limit: i64,
) -> Result<Vec<UserId>, StoreError> {
    let rows = sqlx::query_scalar!(
        "SELECT id FROM users WHERE is_nova AND deactivated_at IS NULL AND ($1::uuid IS NULL OR id > $1)
         ORDER BY id LIMIT $2",
        last.map(|id| id.0),
        limit
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(UserId).collect())
}
