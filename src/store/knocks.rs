//! People who knock on the rooms of groups.

use std::collections::HashMap;

use ruma::OwnedUserId;
use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;
use crate::domain::clock::Timestamp;
use crate::domain::conversation::Person;
use crate::domain::ids::{ConversationId, UserId};
use crate::domain::ingest::Effects;

/// Somebody who knocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Knocker {
    /// Who.
    pub person: Person,
    /// Why, in their words.
    pub reason: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// Who knocks on the room that each of these conversations has now, and why.
pub(super) async fn of(
    connection: &mut PgConnection,
    ids: &[Uuid],
) -> Result<HashMap<(ConversationId, UserId), Option<String>>, StoreError> {
    let rows = sqlx::query!(
        "SELECT k.conversation_id, k.user_id, k.reason
         FROM knocks AS k JOIN matrix_room_mapping AS m USING (conversation_id, matrix_room_id)
         WHERE k.conversation_id = ANY ($1)",
        ids
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| ((ConversationId(row.conversation_id), UserId(row.user_id)), row.reason))
        .collect())
}

/// Who knocks on a conversation's room, the first one first: all, or only one person.
///
/// # Errors
/// When Postgres fails.
pub async fn list(
    connection: &mut PgConnection,
    id: ConversationId,
    only: Option<UserId>,
    limit: i64,
) -> Result<Vec<Knocker>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT u.id, u.mxid, u.is_nova, u.username, u.display_name, u.avatar_url, k.reason, k.knocked_at
           FROM knocks AS k
           JOIN matrix_room_mapping AS m USING (conversation_id, matrix_room_id)
           JOIN users AS u ON u.id = k.user_id
           WHERE k.conversation_id = $1 AND ($2::uuid IS NULL OR k.user_id = $2)
           ORDER BY k.knocked_at, k.user_id LIMIT $3"#,
        id.0,
        only.map(|user| user.0),
        limit
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let mxid = OwnedUserId::try_from(row.mxid).map_err(|_| StoreError::Inconsistent {
                table: "users",
                column: "mxid",
                row: row.id.to_string(),
            })?;
            let person = Person {
                id: UserId(row.id),
                mxid,
                is_nova: row.is_nova,
                username: row.username,
                display_name: row.display_name,
                avatar_url: row.avatar_url,
            };
            Ok(Knocker {
                person,
                reason: row.reason,
                at: row.knocked_at,
            })
        })
        .collect()
}

pub(super) async fn apply(connection: &mut PgConnection, effects: &Effects) -> Result<(), StoreError> {
    for (conversation, user) in &effects.unknocked {
        sqlx::query!(
            "DELETE FROM knocks WHERE conversation_id = $1 AND user_id = $2",
            conversation.0,
            user.0
        )
        .execute(&mut *connection)
        .await?;
    }
    for knock in &effects.knocks {
        sqlx::query!(
            "INSERT INTO knocks (conversation_id, user_id, matrix_room_id, reason, knocked_at)
             VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (conversation_id, user_id)
             DO UPDATE SET matrix_room_id = $3, reason = $4, knocked_at = $5",
            knock.conversation.0,
            knock.user.0,
            knock.room.as_str(),
            knock.reason,
            knock.at
        )
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}
