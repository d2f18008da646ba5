//! Rooms in which somebody talks to the bot.

use std::collections::HashSet;

use ruma::OwnedRoomId;
use sqlx::PgConnection;

use super::StoreError;
use crate::domain::clock::Timestamp;
use crate::domain::ingest::Effects;

/// Which of these rooms are such.
///
/// # Errors
/// When Postgres fails.
pub async fn among(connection: &mut PgConnection, rooms: &[String]) -> Result<HashSet<OwnedRoomId>, StoreError> {
    let found = sqlx::query_scalar!(
        "SELECT matrix_room_id FROM management_rooms WHERE matrix_room_id = ANY ($1)",
        rooms
    )
    .fetch_all(connection)
    .await?;
    Ok(found.into_iter().filter_map(|room| room.try_into().ok()).collect())
}

pub(super) async fn apply(connection: &mut PgConnection, effects: &Effects, now: Timestamp) -> Result<(), StoreError> {
    for (room, user) in &effects.managed {
        sqlx::query!(
            "INSERT INTO management_rooms (matrix_room_id, user_mxid, created_at) VALUES ($1, $2, $3)
             ON CONFLICT (matrix_room_id) DO UPDATE SET user_mxid = excluded.user_mxid",
            room.as_str(),
            user.as_str(),
            now
        )
        .execute(&mut *connection)
        .await?;
    }
    for room in &effects.unmanaged {
        sqlx::query!("DELETE FROM management_rooms WHERE matrix_room_id = $1", room.as_str())
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}
