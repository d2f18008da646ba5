//! Requests: the places of Nova users in conversations that they have not come to yet.

use sqlx::PgConnection;
use uuid::Uuid;

use super::sealer::What;
use super::{Session, StoreError};
use crate::domain::clock::Timestamp;
use crate::domain::conversation::Membership;
use crate::domain::ids::{ConversationId, UserId};
use crate::domain::ingest::NewRequest;

/// Somebody is asked to come to a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Where; a person is asked once in each conversation, so it is the request's id too.
    pub conversation: ConversationId,
    /// Two people or a group, by the name in the database.
    pub kind: String,
    /// A group's name.
    pub name: Option<String>,
    /// Its description.
    pub description: Option<String>,
    /// Its picture.
    pub avatar_url: Option<String>,
    /// By whom.
    pub by: UserId,
    /// What those are called.
    pub username: Option<String>,
    /// The same.
    pub display_name: Option<String>,
    /// Their picture.
    pub picture: Option<String>,
    /// Their Matrix id.
    pub mxid: String,
    /// What they said, in a direct conversation.
    pub said: Option<String>,
    /// Since when.
    pub since: Timestamp,
}

/// What waits for somebody's answer, the newest first.
///
/// # Errors
/// When Postgres fails.
pub async fn list(connection: &mut Session, user: UserId) -> Result<Vec<Request>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT m.conversation_id, c.kind, c.name, c.description, c.avatar_url, u.id AS "by!", u.username,
                  u.display_name, u.avatar_url AS picture, u.mxid AS "mxid!", m.joined_at,
                  said.id AS "message?", said.content AS "said?"
           FROM conversation_members AS m
           JOIN conversations AS c ON c.id = m.conversation_id AND c.deleted_at IS NULL
           JOIN users AS u ON u.id = coalesce(m.requested_by, c.created_by)
           LEFT JOIN LATERAL (
               SELECT id, content FROM messages
               WHERE conversation_id = c.id AND sender_id = u.id AND created_at >= m.joined_at AND deleted_at IS NULL
                 AND recalled_at IS NULL AND c.kind = 'direct'
               ORDER BY sequence_number LIMIT 1
           ) AS said ON true
           WHERE m.user_id = $1 AND m.membership = 'invited'
           ORDER BY m.joined_at DESC, m.conversation_id"#,
        user.0
    )
    .fetch_all(&mut **connection)
    .await?;
    let shown = |(id, said): (Uuid, String)| connection.sealer().shown(What::Content, id, &said);
    let requests = rows.into_iter().map(|row| Request {
        conversation: ConversationId(row.conversation_id),
        kind: row.kind,
        name: row.name,
        description: row.description,
        avatar_url: row.avatar_url,
        by: UserId(row.by),
        username: row.username,
        display_name: row.display_name,
        picture: row.picture,
        mxid: row.mxid,
        said: row.message.zip(row.said).map(shown),
        since: row.joined_at,
    });
    Ok(requests.collect())
}

/// Who asked somebody into a conversation, and whether they have come by now. `None` where nobody asked.
///
/// # Errors
/// When Postgres fails.
pub async fn asked(
    connection: &mut PgConnection,
    conversation: ConversationId,
    user: UserId,
) -> Result<Option<(UserId, Membership)>, StoreError> {
    let row = sqlx::query!(
        "SELECT coalesce(m.requested_by, c.created_by) AS \"by!\", m.requested_by IS NULL AS \"unasked!\", m.membership
         FROM conversation_members AS m JOIN conversations AS c ON c.id = m.conversation_id AND c.deleted_at IS NULL
         WHERE m.conversation_id = $1 AND m.user_id = $2",
        conversation.0,
        user.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.and_then(|row| {
        let membership = Membership::parse(&row.membership)?;
        (membership == Membership::Invited || !row.unasked).then_some((UserId(row.by), membership))
    }))
}

/// The conversations to which `by` has asked `user`.
///
/// # Errors
/// When Postgres fails.
pub async fn between(
    connection: &mut PgConnection,
    user: UserId,
    by: UserId,
) -> Result<Vec<ConversationId>, StoreError> {
    let ids = sqlx::query_scalar!(
        "SELECT conversation_id FROM conversation_members
         WHERE user_id = $1 AND membership = 'invited' AND requested_by = $2",
        user.0,
        by.0
    )
    .fetch_all(connection)
    .await?;
    Ok(ids.into_iter().map(ConversationId).collect())
}

/// Notes who asks.
pub(super) async fn ask(connection: &mut PgConnection, requests: &[NewRequest]) -> Result<(), StoreError> {
    if requests.is_empty() {
        return Ok(());
    }
    let column = |get: fn(&NewRequest) -> Uuid| requests.iter().map(get).collect::<Vec<_>>();
    sqlx::query!(
        "UPDATE conversation_members AS m SET requested_by = r.by
         FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS r (conversation_id, user_id, by)
         WHERE m.conversation_id = r.conversation_id AND m.user_id = r.user_id",
        &column(|it| it.conversation.0),
        &column(|it| it.user.0),
        &column(|it| it.by.0),
    )
    .execute(connection)
    .await?;
    Ok(())
}
