//! Conversations, members and portals as lists show them.

use ruma::OwnedUserId;
use sqlx::PgConnection;
use uuid::Uuid;

use super::conversations::{kind, member};
use super::sealer::What;
use super::{Session, StoreError};
use crate::domain::clock::Timestamp;
use crate::domain::conversation::{Kind, Member, Person};
use crate::domain::ids::{ConversationId, UserId};

/// A conversation as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Its id.
    pub id: ConversationId,
    /// Two people or a group.
    pub kind: Kind,
    /// A group's name.
    pub name: Option<String>,
    /// A group's description.
    pub description: Option<String>,
    /// A group's picture.
    pub avatar_url: Option<String>,
    /// Who made it.
    pub created_by: UserId,
    /// How many members it has.
    pub member_count: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When something last happened in it.
    pub updated_at: Timestamp,
    /// Its newest message that is not gone.
    pub last_message: Option<LastMessage>,
    /// Its Matrix room.
    pub room: Option<String>,
    /// How many messages of it they have not read.
    pub unread: i64,
    /// Whether they want to hear nothing of it.
    pub is_muted: bool,
    /// Whether they have put it away.
    pub is_archived: bool,
}

/// The newest message of a conversation, as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastMessage {
    /// Its id.
    pub id: Uuid,
    /// What it says.
    pub content: String,
    /// Who said it.
    pub sender: UserId,
    /// When.
    pub created_at: Timestamp,
}

/// Which of somebody's conversations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Those that they have put away, or those that they have not.
    Archived(bool),
    /// This one.
    Only(ConversationId),
}

/// The conversations of somebody, the most lively first; or only the one asked for.
///
/// # Errors
/// When Postgres fails.
pub async fn of_user(
    connection: &mut Session,
    user: UserId,
    which: Which,
    limit: i64,
    offset: i64,
) -> Result<Vec<Summary>, StoreError> {
    let (only, archived) = match which {
        Which::Archived(archived) => (None, Some(archived)),
        Which::Only(id) => (Some(id), None),
    };
    let rows = sqlx::query!(
        r#"SELECT c.id, c.kind, c.name, c.description, c.avatar_url, c.created_by, c.created_at, c.updated_at,
                  (SELECT count(*) FROM conversation_members WHERE conversation_id = c.id) AS "member_count!",
                  r.matrix_room_id AS "room?", m.id AS "message?", m.content AS "content?", m.sender_id AS "sender?",
                  m.created_at AS "said_at?", unread_messages(c.id, member.read_sequence, c.last_sequence) AS "unread!",
                  member.is_muted, member.is_archived
           FROM conversation_members AS member
           JOIN conversations AS c ON c.id = member.conversation_id
           LEFT JOIN LATERAL (
               SELECT id, content, sender_id, created_at FROM messages
               WHERE conversation_id = c.id AND deleted_at IS NULL AND recalled_at IS NULL
               ORDER BY sequence_number DESC LIMIT 1
           ) AS m ON true
           LEFT JOIN matrix_room_mapping AS r ON r.conversation_id = c.id
           WHERE member.user_id = $1 AND member.membership = 'joined' AND c.deleted_at IS NULL
             AND ($2::uuid IS NULL OR c.id = $2) AND ($3::boolean IS NULL OR member.is_archived = $3)
           ORDER BY c.updated_at DESC, c.id LIMIT $4 OFFSET $5"#,
        user.0,
        only.map(|id| id.0),
        archived,
        limit,
        offset
    )
    .fetch_all(&mut **connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let last_message = match (row.message, row.content, row.sender, row.said_at) {
                (Some(id), Some(content), Some(sender), Some(created_at)) => Some(LastMessage {
                    id,
                    content: connection.sealer().shown(What::Content, id, &content),
                    sender: UserId(sender),
                    created_at,
                }),
                _ => None,
            };
            Ok(Summary {
                id: ConversationId(row.id),
                kind: kind(&row.kind, row.id)?,
                name: row.name,
                description: row.description,
                avatar_url: row.avatar_url,
                created_by: UserId(row.created_by),
                member_count: row.member_count,
                created_at: row.created_at,
                updated_at: row.updated_at,
                last_message,
                room: row.room,
                unread: row.unread,
                is_muted: row.is_muted,
                is_archived: row.is_archived,
            })
        })
        .collect()
}

/// How many conversations somebody takes part in, and has put away or has not.
///
/// # Errors
/// When Postgres fails.
pub async fn count_of_user(connection: &mut PgConnection, user: UserId, archived: bool) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM conversation_members AS m JOIN conversations AS c ON c.id = m.conversation_id
           WHERE m.user_id = $1 AND m.membership = 'joined' AND m.is_archived = $2 AND c.deleted_at IS NULL"#,
        user.0,
        archived
    )
    .fetch_one(connection)
    .await?)
}

/// The rooms of the conversations that somebody takes part in.
///
/// # Errors
/// When Postgres fails.
pub async fn rooms_of_user(
    connection: &mut PgConnection,
    user: UserId,
) -> Result<Vec<(ConversationId, String)>, StoreError> {
    let rows = sqlx::query!(
        "SELECT c.id, r.matrix_room_id FROM conversation_members AS m
         JOIN conversations AS c ON c.id = m.conversation_id
         JOIN matrix_room_mapping AS r ON r.conversation_id = c.id
         WHERE m.user_id = $1 AND m.membership = 'joined' AND c.deleted_at IS NULL ORDER BY c.id",
        user.0
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (ConversationId(row.id), row.matrix_room_id))
        .collect())
}

/// The picture of a person or a conversation, whatever the id belongs to.
///
/// # Errors
/// When Postgres fails.
pub async fn avatar(connection: &mut PgConnection, id: Uuid) -> Result<Option<String>, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT avatar_url AS "url!" FROM users WHERE id = $1 AND avatar_url IS NOT NULL
           UNION ALL
           SELECT avatar_url FROM conversations WHERE id = $1 AND avatar_url IS NOT NULL AND deleted_at IS NULL"#,
        id
    )
    .fetch_optional(connection)
    .await?)
}

/// A member as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedMember {
    /// In which conversation.
    pub conversation: ConversationId,
    /// Who.
    pub person: Person,
    /// Their place.
    pub member: Member,
    /// Since when.
    pub joined_at: Timestamp,
    /// The number of the newest message that they have read.
    pub read: i64,
}

/// Members of conversations, at most `limit` of each after `offset`, in the order of their coming.
///
/// # Errors
/// When Postgres fails.
pub async fn list_members(
    connection: &mut PgConnection,
    ids: &[ConversationId],
    limit: i64,
    offset: i64,
) -> Result<Vec<ListedMember>, StoreError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query!(
        r#"SELECT m.conversation_id AS "conversation_id!", m.user_id AS "user_id!", m.role AS "role!",
                  m.membership AS "membership!", m.joined_at AS "joined_at!",
                  m.read_sequence AS "read!", u.mxid, u.is_nova, u.username,
                  u.display_name, u.avatar_url
           FROM unnest($1::uuid[]) AS wanted (id)
           CROSS JOIN LATERAL (
               SELECT * FROM conversation_members WHERE conversation_id = wanted.id
               ORDER BY joined_at, user_id LIMIT $2 OFFSET $3
           ) AS m
           JOIN users AS u ON u.id = m.user_id
           ORDER BY m.conversation_id, m.joined_at, m.user_id"#,
        &ids,
        limit,
        offset
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let person = Person {
                id: UserId(row.user_id),
                mxid: OwnedUserId::try_from(row.mxid).map_err(|_| StoreError::Inconsistent {
                    table: "users",
                    column: "mxid",
                    row: row.user_id.to_string(),
                })?,
                is_nova: row.is_nova,
                username: row.username,
                display_name: row.display_name,
                avatar_url: row.avatar_url,
            };
            Ok(ListedMember {
                conversation: ConversationId(row.conversation_id),
                person,
                member: member(&row.role, &row.membership, row.conversation_id)?,
                joined_at: row.joined_at,
                read: row.read,
            })
        })
        .collect()
}

/// How many members a conversation has.
///
/// # Errors
/// When Postgres fails.
pub async fn count_members(connection: &mut PgConnection, id: ConversationId) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM conversation_members WHERE conversation_id = $1"#,
        id.0
    )
    .fetch_one(connection)
    .await?)
}

/// A mapped room, for the admin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortalRow {
    /// The conversation.
    pub conversation: ConversationId,
    /// Its room.
    pub room: String,
    /// Two people or a group.
    pub kind: Kind,
    /// A group's name.
    pub name: Option<String>,
    /// The number of messages.
    pub messages: i64,
    /// When something last happened.
    pub updated_at: Timestamp,
}

/// Portals in the order of their conversations' ids, after `after`.
///
/// # Errors
/// When Postgres fails.
pub async fn portals(
    connection: &mut PgConnection,
    after: Option<ConversationId>,
    limit: i64,
) -> Result<Vec<PortalRow>, StoreError> {
    let rows = sqlx::query!(
        "SELECT c.id, c.kind, c.name, c.last_sequence, c.updated_at, m.matrix_room_id
         FROM matrix_room_mapping AS m JOIN conversations AS c ON c.id = m.conversation_id
         WHERE $1::uuid IS NULL OR c.id > $1 ORDER BY c.id LIMIT $2",
        after.map(|id| id.0),
        limit
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(PortalRow {
                conversation: ConversationId(row.id),
                room: row.matrix_room_id,
                kind: kind(&row.kind, row.id)?,
                name: row.name,
                messages: row.last_sequence,
                updated_at: row.updated_at,
            })
        })
        .collect()
}
