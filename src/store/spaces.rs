//! Rooms that are spaces, and the spaces of accounts.

use std::collections::HashSet;

use ruma::OwnedRoomId;
use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{ConversationId, OutboxId, UserId};
use crate::domain::ingest::Effects;
use crate::domain::job::Lane;
use crate::domain::space::{Child, Concerned};

/// Which of these rooms are known to be spaces.
pub(super) async fn among(connection: &mut PgConnection, rooms: &[String]) -> Result<HashSet<OwnedRoomId>, StoreError> {
    let found = sqlx::query_scalar!(
        "SELECT matrix_room_id FROM space_rooms WHERE matrix_room_id = ANY ($1)",
        rooms
    )
    .fetch_all(connection)
    .await?;
    Ok(found.into_iter().filter_map(|room| room.try_into().ok()).collect())
}

pub(super) async fn apply(connection: &mut PgConnection, effects: &Effects, now: Timestamp) -> Result<(), StoreError> {
    for room in &effects.no_spaces {
        sqlx::query!("DELETE FROM space_rooms WHERE matrix_room_id = $1", room.as_str())
            .execute(&mut *connection)
            .await?;
    }
    for room in &effects.spaces {
        note(connection, room.as_str(), now).await?;
    }
    for id in &effects.dissolved {
        super::conversations::delete(connection, *id, now).await?;
    }
    Ok(())
}

async fn note(connection: &mut PgConnection, room: &str, now: Timestamp) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO space_rooms (matrix_room_id, seen_at) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        room,
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// How far the making of an account's space has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Space {
    /// Nobody has tried.
    None,
    /// Somebody has tried, and may have made it.
    Begun,
    /// There it is.
    Made(OwnedRoomId),
}

/// How far the making of an account's space has come.
///
/// # Errors
/// When Postgres fails.
pub async fn of(connection: &mut PgConnection, user: UserId) -> Result<Space, StoreError> {
    let row = sqlx::query_scalar!("SELECT matrix_room_id FROM account_spaces WHERE user_id = $1", user.0)
        .fetch_optional(connection)
        .await?;
    match row {
        None => Ok(Space::None),
        Some(None) => Ok(Space::Begun),
        Some(Some(room)) => Ok(Space::Made(OwnedRoomId::try_from(room).map_err(|_| {
            StoreError::Inconsistent {
                table: "account_spaces",
                column: "matrix_room_id",
                row: user.to_string(),
            }
        })?)),
    }
}

/// Notes that an account's space is about to be made. To be committed before it is.
///
/// # Errors
/// When Postgres fails.
pub async fn begin(connection: &mut PgConnection, user: UserId, now: Timestamp) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO account_spaces (user_id, begun_at) VALUES ($1, $2)
         ON CONFLICT (user_id) DO UPDATE SET begun_at = $2",
        user.0,
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Notes which room an account's space is.
///
/// # Errors
/// When Postgres fails.
pub async fn made(connection: &mut PgConnection, user: UserId, room: &str, now: Timestamp) -> Result<(), StoreError> {
    note(connection, room, now).await?;
    sqlx::query!(
        "UPDATE account_spaces SET matrix_room_id = $2 WHERE user_id = $1",
        user.0,
        room
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Whether an account has no space, nobody is about to make one, and nobody has tried since `since`.
///
/// # Errors
/// When Postgres fails.
pub async fn is_missing(connection: &mut PgConnection, user: UserId, since: Timestamp) -> Result<bool, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT NOT EXISTS (SELECT FROM account_spaces
                              WHERE user_id = $1 AND (matrix_room_id IS NOT NULL OR begun_at > $2))
              AND NOT EXISTS (SELECT FROM outbox WHERE lane = $3) AS "missing!""#,
        user.0,
        since,
        Lane::Space(user).key()
    )
    .fetch_one(connection)
    .await?)
}

/// What an account's space should hold: the rooms of the conversations that it takes part in, the oldest first.
///
/// # Errors
/// When Postgres fails.
pub async fn children(connection: &mut PgConnection, user: UserId) -> Result<Vec<Child>, StoreError> {
    let rows = sqlx::query!(
        "SELECT c.id, m.matrix_room_id FROM conversation_members AS member
         JOIN conversations AS c ON c.id = member.conversation_id AND c.deleted_at IS NULL
         JOIN matrix_room_mapping AS m ON m.conversation_id = c.id
         WHERE member.user_id = $1 AND member.membership = 'joined'
         ORDER BY c.id",
        user.0
    )
    .fetch_all(connection)
    .await?;
    let child = |id: Uuid, room: String| {
        Some(Child {
            conversation: ConversationId(id),
            room: OwnedRoomId::try_from(room).ok()?,
        })
    };
    Ok(rows
        .into_iter()
        .filter_map(|row| child(row.id, row.matrix_room_id))
        .collect())
}

/// The Nova accounts whose spaces a change concerns, once it is written: conversations without a room concern none.
///
/// # Errors
/// When Postgres fails.
pub async fn owners(connection: &mut PgConnection, concerned: &Concerned) -> Result<Vec<UserId>, StoreError> {
    let (places, members): (Vec<Uuid>, Vec<Uuid>) = concerned.members.iter().map(|(id, user)| (id.0, user.0)).unzip();
    let conversations: Vec<Uuid> = concerned.conversations.iter().map(|id| id.0).collect();
    let found = sqlx::query_scalar!(
        r#"SELECT u.id FROM users AS u JOIN (
               SELECT user_id FROM unnest($1::uuid[], $2::uuid[]) AS p (conversation_id, user_id)
               JOIN matrix_room_mapping USING (conversation_id)
               UNION SELECT user_id FROM conversation_members
               WHERE conversation_id = ANY ($3) AND membership = 'joined'
           ) AS concerned ON concerned.user_id = u.id
           WHERE u.is_nova AND u.deactivated_at IS NULL
           ORDER BY u.id"#,
        &places,
        &members,
        &conversations
    )
    .fetch_all(connection)
    .await?;
    Ok(found.into_iter().map(UserId).collect())
}

/// The jobs that wait for an account's space. One that reads what the space should hold after this does the work of all.
///
/// # Errors
/// When Postgres fails.
pub async fn waiting(connection: &mut PgConnection, user: UserId) -> Result<Vec<OutboxId>, StoreError> {
    let lane = Lane::Space(user).key();
    let found = sqlx::query_scalar!("SELECT id FROM outbox WHERE lane = $1", lane)
        .fetch_all(connection)
        .await?;
    Ok(found.into_iter().map(OutboxId).collect())
}
