//! Who blocks whom, and who wants to be asked first.

use std::collections::{BTreeSet, HashSet};

use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{ConversationId, UserId};
use crate::domain::request::{DmPermission, Doors};

/// Somebody who is blocked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Who.
    pub user: UserId,
    /// Their Matrix id; a Nova user's is that of their ghost.
    pub mxid: String,
    /// Why, in the words of who blocks them.
    pub reason: Option<String>,
    /// Since when.
    pub since: Timestamp,
}

/// Blocks somebody. Returns whether that is news; the reason stays the first one.
///
/// # Errors
/// When Postgres fails, or does not know one of the two.
pub async fn block(
    connection: &mut PgConnection,
    by: UserId,
    user: UserId,
    reason: Option<&str>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "INSERT INTO blocks (blocker_id, blocked_id, reason, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        by.0,
        user.0,
        reason,
        now
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Blocks somebody no more. Returns whether they were blocked.
///
/// # Errors
/// When Postgres fails.
pub async fn unblock(connection: &mut PgConnection, by: UserId, user: UserId) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "DELETE FROM blocks WHERE blocker_id = $1 AND blocked_id = $2",
        by.0,
        user.0
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Whom somebody blocks, the newest first.
///
/// # Errors
/// When Postgres fails.
pub async fn list(connection: &mut PgConnection, by: UserId) -> Result<Vec<Block>, StoreError> {
    let rows = sqlx::query!(
        "SELECT b.blocked_id, u.mxid, b.reason, b.created_at FROM blocks AS b JOIN users AS u ON u.id = b.blocked_id
         WHERE b.blocker_id = $1 ORDER BY b.created_at DESC, b.blocked_id",
        by.0
    )
    .fetch_all(connection)
    .await?;
    let blocks = rows.into_iter().map(|row| Block {
        user: UserId(row.blocked_id),
        mxid: row.mxid,
        reason: row.reason,
        since: row.created_at,
    });
    Ok(blocks.collect())
}

/// Of these people those who block `user`.
///
/// # Errors
/// When Postgres fails.
pub async fn blockers(
    connection: &mut PgConnection,
    user: UserId,
    people: &[Uuid],
) -> Result<HashSet<UserId>, StoreError> {
    let rows = sqlx::query_scalar!(
        "SELECT blocker_id FROM blocks WHERE blocked_id = $1 AND blocker_id = ANY ($2)",
        user.0,
        people
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(UserId).collect())
}

/// Of these people those who block `user` or whom `user` blocks.
///
/// # Errors
/// When Postgres fails.
pub async fn apart(connection: &mut PgConnection, user: UserId, among: &[Uuid]) -> Result<HashSet<UserId>, StoreError> {
    let rows = sqlx::query_scalar!(
        r#"SELECT blocker_id AS "id!" FROM blocks WHERE blocked_id = $1 AND blocker_id = ANY ($2)
           UNION SELECT blocked_id FROM blocks WHERE blocker_id = $1 AND blocked_id = ANY ($2)"#,
        user.0,
        among
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(UserId).collect())
}

/// Who blocks whom of whoever blocks one of these people, or is blocked by one: each pair both ways round.
///
/// # Errors
/// When Postgres fails.
pub async fn all_apart(
    connection: &mut PgConnection,
    people: &[Uuid],
) -> Result<HashSet<(UserId, UserId)>, StoreError> {
    let rows = sqlx::query!(
        "SELECT blocker_id, blocked_id FROM blocks WHERE blocker_id = ANY ($1) OR blocked_id = ANY ($1)",
        people
    )
    .fetch_all(connection)
    .await?;
    let pairs = rows
        .into_iter()
        .map(|row| (UserId(row.blocker_id), UserId(row.blocked_id)));
    Ok(pairs.flat_map(|(one, other)| [(one, other), (other, one)]).collect())
}

/// Of these places of people those in direct conversations where one of the two blocks the other: neither is shown what
/// the other one reads, nor that they type.
///
/// # Errors
/// When Postgres fails.
pub async fn hushed(
    connection: &mut PgConnection,
    places: &[(ConversationId, UserId)],
) -> Result<HashSet<(ConversationId, UserId)>, StoreError> {
    let (conversations, users): (Vec<Uuid>, Vec<Uuid>) = places.iter().map(|(place, user)| (place.0, user.0)).unzip();
    let rows = sqlx::query!(
        r#"SELECT DISTINCT p.conversation_id AS "conversation_id!", p.user_id AS "user_id!"
           FROM unnest($1::uuid[], $2::uuid[]) AS p (conversation_id, user_id)
           JOIN conversations AS c ON c.id = p.conversation_id AND c.kind = 'direct'
           JOIN conversation_members AS other ON other.conversation_id = c.id AND other.user_id <> p.user_id
           WHERE EXISTS (SELECT FROM blocks WHERE blocker_id = p.user_id AND blocked_id = other.user_id)
              OR EXISTS (SELECT FROM blocks WHERE blocker_id = other.user_id AND blocked_id = p.user_id)"#,
        &conversations,
        &users
    )
    .fetch_all(connection)
    .await?;
    let places = rows.into_iter();
    Ok(places
        .map(|row| (ConversationId(row.conversation_id), UserId(row.user_id)))
        .collect())
}

/// Of these pairs of somebody and who wants to bring them in, those in which the first wants to be asked. Whoever has not
/// said so themselves is taken to want `usual`.
///
/// # Errors
/// When Postgres fails.
pub async fn asking(
    connection: &mut PgConnection,
    pairs: &BTreeSet<(UserId, UserId)>,
    usual: DmPermission,
) -> Result<HashSet<(UserId, UserId)>, StoreError> {
    let (asked, by): (Vec<Uuid>, Vec<Uuid>) = pairs.iter().map(|(asked, by)| (asked.0, by.0)).unzip();
    let rows = sqlx::query!(
        r#"SELECT p.asked AS "asked!", p.by AS "by!", u.dm_permission,
                  EXISTS (SELECT FROM direct_conversations AS d
                          JOIN conversation_members AS m
                            ON m.conversation_id = d.conversation_id AND m.user_id = p.asked AND m.membership = 'joined'
                          WHERE d.lesser_user_id = least(p.asked, p.by) AND d.greater_user_id = greatest(p.asked, p.by))
                      AS "acquainted!"
           FROM unnest($1::uuid[], $2::uuid[]) AS p (asked, by) JOIN users AS u ON u.id = p.asked"#,
        &asked,
        &by
    )
    .fetch_all(connection)
    .await?;
    let asks = rows.into_iter().filter_map(|row| {
        let permission = row
            .dm_permission
            .as_deref()
            .and_then(DmPermission::parse)
            .unwrap_or(usual);
        let asks = !permission.admits(row.acquainted);
        asks.then_some((UserId(row.asked), UserId(row.by)))
    });
    Ok(asks.collect())
}

/// Whether these people are shut to `by`.
///
/// # Errors
/// When Postgres fails.
pub async fn doors(
    connection: &mut PgConnection,
    by: UserId,
    people: &[UserId],
    usual: DmPermission,
) -> Result<Doors, StoreError> {
    let ids: Vec<Uuid> = people.iter().map(|user| user.0).collect();
    let blockers = blockers(connection, by, &ids).await?;
    let pairs = people.iter().map(|user| (*user, by)).collect();
    Ok(Doors {
        blocks: blockers.into_iter().map(|user| (user, by)).collect(),
        asks: asking(connection, &pairs, usual).await?,
    })
}

/// Whom somebody lets in without asking; `None` where they have not said so.
///
/// # Errors
/// When Postgres fails.
pub async fn permission(connection: &mut PgConnection, user: UserId) -> Result<Option<DmPermission>, StoreError> {
    let name = sqlx::query_scalar!("SELECT dm_permission FROM users WHERE id = $1", user.0)
        .fetch_optional(connection)
        .await?;
    Ok(name.flatten().as_deref().and_then(DmPermission::parse))
}

/// Notes whom somebody lets in without asking.
///
/// # Errors
/// When Postgres fails.
pub async fn set_permission(
    connection: &mut PgConnection,
    user: UserId,
    permission: DmPermission,
) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE users SET dm_permission = $2 WHERE id = $1",
        user.0,
        permission.as_str()
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// What two people are to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "they do not depend on each other")]
pub struct Relation {
    /// Whether the first takes part in a direct conversation with the second.
    pub follows: bool,
    /// Whether the second does.
    pub followed: bool,
    /// Whether the first blocks the second.
    pub blocks: bool,
    /// Whether the second blocks the first.
    pub blocked: bool,
}

/// What two people are to each other.
///
/// # Errors
/// When Postgres fails.
pub async fn relation(connection: &mut PgConnection, one: UserId, other: UserId) -> Result<Relation, StoreError> {
    let relation = sqlx::query_as!(
        Relation,
        r#"SELECT coalesce(bool_or(m.user_id = $1), false) AS "follows!",
                  coalesce(bool_or(m.user_id = $2), false) AS "followed!",
                  EXISTS (SELECT FROM blocks WHERE blocker_id = $1 AND blocked_id = $2) AS "blocks!",
                  EXISTS (SELECT FROM blocks WHERE blocker_id = $2 AND blocked_id = $1) AS "blocked!"
           FROM direct_conversations AS d
           JOIN conversation_members AS m ON m.conversation_id = d.conversation_id AND m.membership = 'joined'
           WHERE d.lesser_user_id = least($1::uuid, $2::uuid) AND d.greater_user_id = greatest($1::uuid, $2::uuid)"#,
        one.0,
        other.0
    )
    .fetch_one(connection)
    .await?;
    Ok(relation)
}
