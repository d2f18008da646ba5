//! The people whom somebody may call, and the codes by which some clients know them.

use sqlx::PgConnection;

use super::StoreError;
use crate::domain::contact_code::ContactCode;
use crate::domain::ids::{ConversationId, UserId};

/// The code of `peer` for `user`.
///
/// # Errors
/// When Postgres fails.
pub async fn code(connection: &mut PgConnection, user: UserId, peer: UserId) -> Result<Option<String>, StoreError> {
    Ok(sqlx::query_scalar!(
        "SELECT code FROM contact_codes WHERE user_id = $1 AND peer_id = $2",
        user.0,
        peer.0
    )
    .fetch_optional(connection)
    .await?)
}

/// Gives `peer` a code, unless they have one or somebody else has it.
///
/// # Errors
/// When Postgres fails, or there is no such person.
pub async fn add(
    connection: &mut PgConnection,
    user: UserId,
    peer: UserId,
    code: &ContactCode,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO contact_codes (user_id, peer_id, code) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        user.0,
        peer.0,
        code.as_str()
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Who has this code for `user`.
///
/// # Errors
/// When Postgres fails.
pub async fn of_code(
    connection: &mut PgConnection,
    user: UserId,
    code: &ContactCode,
) -> Result<Option<UserId>, StoreError> {
    let peer = sqlx::query_scalar!(
        "SELECT peer_id FROM contact_codes WHERE user_id = $1 AND code = $2",
        user.0,
        code.as_str()
    )
    .fetch_optional(connection)
    .await?;
    Ok(peer.map(UserId))
}

/// The other ones of somebody's direct conversations, the most lively first.
///
/// # Errors
/// When Postgres fails.
pub async fn of_user(
    connection: &mut PgConnection,
    user: UserId,
    limit: i64,
) -> Result<Vec<(UserId, ConversationId)>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT CASE WHEN d.lesser_user_id = $1 THEN d.greater_user_id ELSE d.lesser_user_id END AS "peer!",
                  c.id
           FROM conversation_members AS m JOIN direct_conversations AS d ON d.conversation_id = m.conversation_id
                JOIN conversations AS c ON c.id = m.conversation_id
           WHERE m.user_id = $1 AND m.membership = 'joined' AND c.deleted_at IS NULL
           ORDER BY c.updated_at DESC, c.id LIMIT $2"#,
        user.0,
        limit
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (UserId(row.peer), ConversationId(row.id)))
        .collect())
}
