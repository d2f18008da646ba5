//! Conversations and their members.

use std::collections::{BTreeMap, HashMap, HashSet};

use ruma::OwnedRoomId;
use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;
use crate::domain::clock::Timestamp;
use crate::domain::conversation::{Conversation, Kind, Member, Membership, pair};
use crate::domain::ids::{ConversationId, UserId};
use crate::domain::power::Role;

pub(super) fn kind(name: &str, row: Uuid) -> Result<Kind, StoreError> {
    Kind::parse(name).ok_or_else(|| StoreError::Inconsistent {
        table: "conversations",
        column: "kind",
        row: row.to_string(),
    })
}

pub(super) fn member(role: &str, membership: &str, row: Uuid) -> Result<Member, StoreError> {
    let wrong = |column| StoreError::Inconsistent {
        table: "conversation_members",
        column,
        row: row.to_string(),
    };
    Ok(Member {
        role: Role::parse(role).ok_or_else(|| wrong("role"))?,
        membership: Membership::parse(membership).ok_or_else(|| wrong("membership"))?,
    })
}

/// Locks conversations against other writers. Before the first write of the transaction.
///
/// # Errors
/// When Postgres fails.
pub async fn lock(connection: &mut PgConnection, ids: &[ConversationId]) -> Result<(), StoreError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    sqlx::query!("SELECT lock_conversations($1)", &ids)
        .execute(connection)
        .await?;
    Ok(())
}

/// Conversations with their members. Deleted ones are not in the answer.
///
/// # Errors
/// When Postgres fails.
pub async fn load(connection: &mut PgConnection, ids: &[ConversationId]) -> Result<Vec<Conversation>, StoreError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query!(
        r#"SELECT c.id, c.kind, c.name, c.description, c.avatar_url, c.created_by, c.has_portal, c.last_sequence,
                  c.created_at, m.matrix_room_id AS "room?"
           FROM conversations AS c LEFT JOIN matrix_room_mapping AS m ON m.conversation_id = c.id
           WHERE c.id = ANY ($1) AND c.deleted_at IS NULL"#,
        &ids
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut members: BTreeMap<ConversationId, BTreeMap<UserId, Member>> = BTreeMap::new();
    for (conversation, user, member) in members_of(connection, &ids).await? {
        members.entry(conversation).or_default().insert(user, member);
    }
    rows.into_iter()
        .map(|row| {
            let id = ConversationId(row.id);
            Ok(Conversation {
                id,
                kind: kind(&row.kind, row.id)?,
                name: row.name,
                description: row.description,
                avatar_url: row.avatar_url,
                created_by: UserId(row.created_by),
                has_portal: row.has_portal,
                room: row.room.and_then(|room| OwnedRoomId::try_from(room).ok()),
                last_sequence: row.last_sequence,
                members: members.remove(&id).unwrap_or_default(),
                created_at: row.created_at,
            })
        })
        .collect()
}

/// One conversation with its members.
///
/// # Errors
/// When Postgres fails.
pub async fn find(connection: &mut PgConnection, id: ConversationId) -> Result<Option<Conversation>, StoreError> {
    Ok(load(connection, &[id]).await?.pop())
}

struct MemberRow {
    conversation_id: Uuid,
    user_id: Uuid,
    role: String,
    membership: String,
}

impl MemberRow {
    fn place(self) -> Result<(ConversationId, UserId, Member), StoreError> {
        let place = member(&self.role, &self.membership, self.conversation_id)?;
        Ok((ConversationId(self.conversation_id), UserId(self.user_id), place))
    }
}

pub(super) async fn members_of(
    connection: &mut PgConnection,
    ids: &[Uuid],
) -> Result<Vec<(ConversationId, UserId, Member)>, StoreError> {
    let rows = sqlx::query_as!(
        MemberRow,
        "SELECT conversation_id, user_id, role, membership FROM conversation_members WHERE conversation_id = ANY ($1)",
        ids
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(MemberRow::place).collect()
}

/// As [`members_of`], only these people.
pub(super) async fn places_of(
    connection: &mut PgConnection,
    ids: &[Uuid],
    people: &[Uuid],
) -> Result<Vec<(ConversationId, UserId, Member)>, StoreError> {
    let rows = sqlx::query_as!(
        MemberRow,
        "SELECT conversation_id, user_id, role, membership FROM conversation_members
         WHERE conversation_id = ANY ($1) AND user_id = ANY ($2)",
        ids,
        people
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(MemberRow::place).collect()
}

/// The one direct conversation of two people.
///
/// # Errors
/// When Postgres fails.
pub async fn direct(
    connection: &mut PgConnection,
    one: UserId,
    other: UserId,
) -> Result<Option<ConversationId>, StoreError> {
    let (lesser, greater) = pair(one, other);
    Ok(sqlx::query_scalar!(
        "SELECT d.conversation_id FROM direct_conversations AS d JOIN conversations AS c ON c.id = d.conversation_id
         WHERE lesser_user_id = $1 AND greater_user_id = $2 AND c.deleted_at IS NULL",
        lesser.0,
        greater.0
    )
    .fetch_optional(connection)
    .await?
    .map(ConversationId))
}

/// Whether somebody takes part in a conversation: `None` where there is no such conversation.
///
/// # Errors
/// When Postgres fails.
pub async fn takes_part(
    connection: &mut PgConnection,
    id: ConversationId,
    user: UserId,
) -> Result<Option<bool>, StoreError> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM conversation_members AS m
                          WHERE m.conversation_id = c.id AND m.user_id = $2 AND membership = 'joined') AS "is!"
           FROM conversations AS c WHERE c.id = $1 AND c.deleted_at IS NULL"#,
        id.0,
        user.0
    )
    .fetch_optional(connection)
    .await?)
}

/// Of these people those who take part in a conversation, with their handles. Not those whom the other one of a direct
/// conversation blocks.
///
/// # Errors
/// When Postgres fails.
pub async fn joined_among(
    connection: &mut PgConnection,
    conversation: ConversationId,
    users: &[Uuid],
) -> Result<Vec<(UserId, String)>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT m.user_id, CASE WHEN u.is_nova THEN coalesce(u.username, u.mxid) ELSE u.mxid END AS "handle!"
           FROM conversation_members AS m JOIN users AS u ON u.id = m.user_id
           WHERE m.conversation_id = $1 AND m.membership = 'joined' AND m.user_id = ANY ($2)
             AND NOT EXISTS (
                 SELECT FROM blocks AS b
                 JOIN conversation_members AS other
                   ON other.conversation_id = m.conversation_id AND other.user_id = b.blocker_id
                 JOIN conversations AS c ON c.id = m.conversation_id AND c.kind = 'direct'
                 WHERE b.blocked_id = m.user_id)"#,
        conversation.0,
        users
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (UserId(row.user_id), row.handle)).collect())
}

/// Keeps a conversation for one member muted or put away, or not; what is not given stays. Returns how it is kept, if that
/// is otherwise than before.
///
/// # Errors
/// When Postgres fails.
pub async fn keep(
    connection: &mut PgConnection,
    id: ConversationId,
    user: UserId,
    muted: Option<bool>,
    archived: Option<bool>,
) -> Result<Option<(bool, bool)>, StoreError> {
    let kept = sqlx::query!(
        "UPDATE conversation_members SET is_muted = coalesce($3, is_muted), is_archived = coalesce($4, is_archived)
         WHERE conversation_id = $1 AND user_id = $2 AND membership = 'joined'
           AND (is_muted, is_archived) IS DISTINCT FROM (coalesce($3, is_muted), coalesce($4, is_archived))
         RETURNING is_muted, is_archived",
        id.0,
        user.0,
        muted,
        archived
    )
    .fetch_optional(connection)
    .await?;
    Ok(kept.map(|row| (row.is_muted, row.is_archived)))
}

/// What a sender needs to know of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Whether the sender takes part.
    pub takes_part: bool,
    /// Whether it is a direct conversation with somebody who blocks the sender.
    pub is_blocked: bool,
    /// Who was asked by the sender to come to it, a direct conversation, and has neither answered nor been told anything.
    pub asked: Option<UserId>,
    /// Whether it has or shall have a room.
    pub has_portal: bool,
    /// The number of its newest message.
    pub last_sequence: i64,
}

/// A conversation from a sender's point of view: `None` where there is none.
///
/// # Errors
/// When Postgres fails.
pub async fn place(
    connection: &mut PgConnection,
    id: ConversationId,
    user: UserId,
) -> Result<Option<Place>, StoreError> {
    let row = sqlx::query!(
        r#"SELECT EXISTS (SELECT FROM conversation_members AS m
                          WHERE m.conversation_id = c.id AND m.user_id = $2 AND membership = 'joined')
                      AS "takes_part!",
                  c.kind = 'direct' AND EXISTS (
                      SELECT FROM conversation_members AS m JOIN blocks AS b ON b.blocker_id = m.user_id
                      WHERE m.conversation_id = c.id AND b.blocked_id = $2) AS "is_blocked!",
                  (SELECT m.user_id FROM conversation_members AS m
                   WHERE m.conversation_id = c.id AND m.membership = 'invited' AND m.requested_by = $2
                     AND c.kind = 'direct' AND NOT EXISTS (
                         SELECT FROM messages AS said
                         WHERE said.conversation_id = c.id AND said.sender_id = $2 AND said.created_at >= m.joined_at)
                   LIMIT 1) AS asked,
                  has_portal, last_sequence
           FROM conversations AS c WHERE c.id = $1 AND c.deleted_at IS NULL"#,
        id.0,
        user.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| Place {
        takes_part: row.takes_part,
        is_blocked: row.is_blocked,
        asked: row.asked.map(UserId),
        has_portal: row.has_portal,
        last_sequence: row.last_sequence,
    }))
}

/// The role of somebody who takes part in a conversation: `None` where there is none, `Some(None)` where they do not.
///
/// # Errors
/// When Postgres fails.
pub async fn role_in(
    connection: &mut PgConnection,
    id: ConversationId,
    user: UserId,
) -> Result<Option<Option<Role>>, StoreError> {
    let row = sqlx::query!(
        r#"SELECT m.role AS "role?", m.membership AS "membership?" FROM conversations AS c
           LEFT JOIN conversation_members AS m
             ON m.conversation_id = c.id AND m.user_id = $2 AND m.membership = 'joined'
           WHERE c.id = $1 AND c.deleted_at IS NULL"#,
        id.0,
        user.0
    )
    .fetch_optional(connection)
    .await?;
    row.map(|row| match (row.role, row.membership) {
        (Some(role), Some(membership)) => Ok(Some(member(&role, &membership, id.0)?.role)),
        _ => Ok(None),
    })
    .transpose()
}

/// The Nova accounts that take part in conversations.
///
/// # Errors
/// When Postgres fails.
pub async fn audience(
    connection: &mut PgConnection,
    ids: &[ConversationId],
) -> Result<Vec<(ConversationId, UserId)>, StoreError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query!(
        "SELECT m.conversation_id, m.user_id FROM conversation_members AS m JOIN users AS u ON u.id = m.user_id
         WHERE m.conversation_id = ANY ($1) AND m.membership = 'joined' AND u.is_nova",
        &ids
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (ConversationId(row.conversation_id), UserId(row.user_id)))
        .collect())
}

/// Takes a conversation away from everybody.
///
/// # Errors
/// When Postgres fails.
pub async fn delete(connection: &mut PgConnection, id: ConversationId, now: Timestamp) -> Result<(), StoreError> {
    sqlx::query!("UPDATE conversations SET deleted_at = $2 WHERE id = $1", id.0, now)
        .execute(&mut *connection)
        .await?;
    sqlx::query!("DELETE FROM direct_conversations WHERE conversation_id = $1", id.0)
        .execute(connection)
        .await?;
    Ok(())
}

/// The conversation of a room.
///
/// # Errors
/// When Postgres fails.
pub async fn of_room(connection: &mut PgConnection, room: &str) -> Result<Option<ConversationId>, StoreError> {
    Ok(sqlx::query_scalar!(
        "SELECT conversation_id FROM matrix_room_mapping WHERE matrix_room_id = $1",
        room
    )
    .fetch_optional(connection)
    .await?
    .map(ConversationId))
}

/// The current room of a conversation.
///
/// # Errors
/// When Postgres fails.
pub async fn room_of(connection: &mut PgConnection, id: ConversationId) -> Result<Option<String>, StoreError> {
    Ok(sqlx::query_scalar!(
        "SELECT matrix_room_id FROM matrix_room_mapping WHERE conversation_id = $1",
        id.0
    )
    .fetch_optional(connection)
    .await?)
}

/// People whom Nova took out of these conversations, and whose rooms have not said so yet.
pub(super) async fn departing(
    connection: &mut PgConnection,
    ids: &[Uuid],
) -> Result<HashSet<(ConversationId, UserId)>, StoreError> {
    let rows = sqlx::query!(
        "SELECT conversation_id, user_id FROM departures WHERE conversation_id = ANY ($1)",
        ids
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (ConversationId(row.conversation_id), UserId(row.user_id)))
        .collect())
}

/// The ghosts that have yet to leave those of these rooms whose conversation was deleted, and that conversation.
pub(super) async fn closing(
    connection: &mut PgConnection,
    rooms: &[String],
) -> Result<HashMap<(OwnedRoomId, UserId), ConversationId>, StoreError> {
    let rows = sqlx::query!(
        "SELECT m.matrix_room_id, d.user_id, d.conversation_id FROM matrix_room_mapping AS m
         JOIN conversations AS c ON c.id = m.conversation_id AND c.deleted_at IS NOT NULL
         JOIN departures AS d ON d.conversation_id = c.id
         WHERE m.matrix_room_id = ANY ($1)",
        rooms
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| {
            let room = OwnedRoomId::try_from(row.matrix_room_id).ok()?;
            Some(((room, UserId(row.user_id)), ConversationId(row.conversation_id)))
        })
        .collect())
}

/// How many transactions with state of this room there were: `None` where it is no current room.
///
/// # Errors
/// When Postgres fails.
pub async fn state_version(connection: &mut PgConnection, room: &str) -> Result<Option<i64>, StoreError> {
    Ok(sqlx::query_scalar!(
        "SELECT state_version FROM matrix_room_mapping WHERE matrix_room_id = $1",
        room
    )
    .fetch_optional(connection)
    .await?)
}
