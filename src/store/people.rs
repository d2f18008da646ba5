//! People: Nova accounts with their ghosts, and Matrix users.

use std::collections::BTreeMap;

use ruma::OwnedUserId;
use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;
use crate::domain::clock::Timestamp;
use crate::domain::conversation::Person;
use crate::domain::ids::{ConversationId, UserId};

/// People by id.
pub type Profiles = BTreeMap<UserId, Person>;

/// A Nova account, with what the homeserver knows of its ghost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Who it is.
    pub person: Person,
    /// Whether somebody who knows the account said what it is called, so that its tokens need not.
    pub described: bool,
    /// Whether the homeserver knows the ghost.
    pub registered: bool,
    /// The profile that the ghost was last given.
    pub synced_profile: Option<String>,
    /// When it was deactivated.
    pub deactivated_at: Option<Timestamp>,
}

struct Row {
    id: Uuid,
    mxid: String,
    is_nova: bool,
    username: Option<String>,
    display_name: Option<String>,
    avatar_url: Option<String>,
}

impl TryFrom<Row> for Person {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let mxid = OwnedUserId::try_from(row.mxid).map_err(|_| StoreError::Inconsistent {
            table: "users",
            column: "mxid",
            row: row.id.to_string(),
        })?;
        Ok(Self {
            id: UserId(row.id),
            mxid,
            is_nova: row.is_nova,
            username: row.username,
            display_name: row.display_name,
            avatar_url: row.avatar_url,
        })
    }
}

/// Makes Matrix users known: those who were only `met` if they are not yet, the others with the profile that they `show`.
///
/// # Errors
/// When Postgres fails.
pub async fn know(
    connection: &mut PgConnection,
    met: &[Person],
    show: &[Person],
    now: Timestamp,
) -> Result<(), StoreError> {
    // In one order, so that two transactions with the same people cannot wait for each other; stable, so that the last
    // word on somebody counts.
    let met = met.iter().map(|person| (person, false));
    let mut people: Vec<(&Person, bool)> = met.chain(show.iter().map(|person| (person, true))).collect();
    people.sort_by_key(|(person, _)| person.id);
    for (person, shown) in people {
        sqlx::query!(
            "INSERT INTO users (id, mxid, is_nova, display_name, avatar_url, created_at, updated_at)
             VALUES ($1, $2, false, $3, $4, $5, $5)
             ON CONFLICT (id) DO UPDATE SET display_name = $3, avatar_url = $4, updated_at = $5
             WHERE NOT users.is_nova AND $6
               AND (users.display_name, users.avatar_url) IS DISTINCT FROM ($3, $4)",
            person.id.0,
            person.mxid.as_str(),
            person.display_name.as_deref(),
            person.avatar_url.as_deref(),
            now,
            shown,
        )
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// People by id; who is not known is not in the answer.
///
/// # Errors
/// When Postgres fails.
pub async fn profiles(connection: &mut PgConnection, ids: &[Uuid]) -> Result<Profiles, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, mxid, is_nova, username, display_name, avatar_url FROM users WHERE id = ANY ($1)",
        ids
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| Person::try_from(row).map(|person| (person.id, person)))
        .collect()
}

/// Who takes part in a conversation and has a name, or an id, that stands behind an `@` in this text, perhaps as a part of
/// a longer one.
///
/// # Errors
/// When Postgres fails.
pub async fn named_in(
    connection: &mut PgConnection,
    conversation: ConversationId,
    text: &str,
) -> Result<Vec<Person>, StoreError> {
    sqlx::query_as!(
        Row,
        r#"SELECT u.id, u.mxid, u.is_nova, u.username, u.display_name, u.avatar_url
           FROM conversation_members AS m JOIN users AS u ON u.id = m.user_id
           WHERE m.conversation_id = $1 AND m.membership = 'joined'
             AND EXISTS (SELECT FROM unnest(ARRAY[u.username, u.display_name, split_part(substr(u.mxid, 2), ':', 1)]) AS n (name)
                         WHERE name <> '' AND position('@' || lower(name) IN $2) > 0)
           ORDER BY u.id LIMIT 100"#,
        conversation.0,
        text.to_lowercase()
    )
    .fetch_all(connection)
    .await?
    .into_iter()
    .map(Person::try_from)
    .collect()
}

/// One person.
///
/// # Errors
/// When Postgres fails.
pub async fn person(connection: &mut PgConnection, id: UserId) -> Result<Option<Person>, StoreError> {
    Ok(profiles(connection, &[id.0]).await?.remove(&id))
}

/// The Nova accounts that carry this username, the one that was seen last first. Case does not count.
///
/// # Errors
/// When Postgres fails.
pub async fn accounts_by_username(connection: &mut PgConnection, username: &str) -> Result<Vec<Person>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, mxid, is_nova, username, display_name, avatar_url FROM users
         WHERE is_nova AND lower(username) = lower($1) AND deactivated_at IS NULL
         ORDER BY updated_at DESC LIMIT 10",
        username
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(Person::try_from).collect()
}

/// One Nova account.
///
/// # Errors
/// When Postgres fails.
pub async fn account(connection: &mut PgConnection, id: UserId) -> Result<Option<Account>, StoreError> {
    let row = sqlx::query!(
        r#"SELECT id, mxid, is_nova, username, display_name, avatar_url, synced_profile, deactivated_at, is_described,
                  registered_at IS NOT NULL AS "registered!"
           FROM users WHERE id = $1 AND is_nova"#,
        id.0
    )
    .fetch_optional(connection)
    .await?;
    row.map(|row| {
        Ok(Account {
            described: row.is_described,
            registered: row.registered,
            synced_profile: row.synced_profile,
            deactivated_at: row.deactivated_at,
            person: Person::try_from(Row {
                id: row.id,
                mxid: row.mxid,
                is_nova: row.is_nova,
                username: row.username,
                display_name: row.display_name,
                avatar_url: row.avatar_url,
            })?,
        })
    })
    .transpose()
}

/// Nova accounts in the order of their ids, after `after`.
///
/// # Errors
/// When Postgres fails.
pub async fn accounts(
    connection: &mut PgConnection,
    after: Option<UserId>,
    limit: i64,
) -> Result<Vec<Person>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, mxid, is_nova, username, display_name, avatar_url FROM users
         WHERE is_nova AND deactivated_at IS NULL AND ($1::uuid IS NULL OR id > $1) ORDER BY id LIMIT $2",
        after.map(|id| id.0),
        limit
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(Person::try_from).collect()
}

/// Writes a Nova account. Returns whether its username, name or picture is news.
///
/// Once an account was `described` by somebody who knows it (the admin, the profile source), nothing else changes it.
///
/// # Errors
/// When Postgres fails.
pub async fn put_account(
    connection: &mut PgConnection,
    person: &Person,
    described: bool,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let changed = sqlx::query_scalar!(
        "INSERT INTO users (id, mxid, is_nova, username, display_name, avatar_url, created_at, updated_at)
         VALUES ($1, $2, true, $3, $4, $5, $6, $6)
         ON CONFLICT (id) DO UPDATE
         SET username = $3, display_name = $4, avatar_url = $5, updated_at = $6, deactivated_at = NULL
         WHERE ((users.username, users.display_name, users.avatar_url) IS DISTINCT FROM ($3, $4, $5)
                OR users.deactivated_at IS NOT NULL)
           AND ($7 OR NOT users.is_described)
         RETURNING id",
        person.id.0,
        person.mxid.as_str(),
        person.username.as_deref(),
        person.display_name.as_deref(),
        person.avatar_url.as_deref(),
        now,
        described,
    )
    .fetch_optional(&mut *connection)
    .await?;
    if described {
        sqlx::query!(
            "UPDATE users SET is_described = true WHERE id = $1 AND NOT is_described",
            person.id.0
        )
        .execute(connection)
        .await?;
    }
    Ok(changed.is_some())
}

/// Notes that the homeserver knows a ghost, and with which profile.
///
/// # Errors
/// When Postgres fails.
pub async fn ghost_provisioned(
    connection: &mut PgConnection,
    id: UserId,
    profile: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE users SET registered_at = coalesce(registered_at, $2), synced_profile = $3 WHERE id = $1",
        id.0,
        now,
        profile
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Notes that an account is gone.
///
/// # Errors
/// When Postgres fails.
pub async fn deactivate(connection: &mut PgConnection, id: UserId, now: Timestamp) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE users SET deactivated_at = $2 WHERE id = $1 AND is_nova",
        id.0,
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The mxc address that an external picture was uploaded to before.
///
/// # Errors
/// When Postgres fails.
pub async fn cached_avatar(
    connection: &mut PgConnection,
    id: UserId,
    url_hash: &str,
) -> Result<Option<String>, StoreError> {
    Ok(sqlx::query_scalar!(
        "SELECT mxc_url FROM matrix_avatar_cache WHERE user_id = $1 AND avatar_url_hash = $2",
        id.0,
        url_hash
    )
    .fetch_optional(connection)
    .await?)
}

/// Remembers where an external picture was uploaded to.
///
/// # Errors
/// When Postgres fails.
pub async fn cache_avatar(
    connection: &mut PgConnection,
    id: UserId,
    url_hash: &str,
    mxc: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO matrix_avatar_cache (user_id, avatar_url_hash, mxc_url, created_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (user_id, avatar_url_hash) DO UPDATE SET mxc_url = $3",
        id.0,
        url_hash,
        mxc,
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Of these people, those who share a conversation with somebody.
///
/// # Errors
/// When Postgres fails.
pub async fn acquainted(
    connection: &mut PgConnection,
    user: UserId,
    among: &[UserId],
) -> Result<Vec<UserId>, StoreError> {
    let among: Vec<Uuid> = among.iter().map(|user| user.0).collect();
    Ok(sqlx::query_scalar!(
        "SELECT DISTINCT other.user_id
         FROM conversation_members AS own
         JOIN conversations AS c ON c.id = own.conversation_id AND c.deleted_at IS NULL
         JOIN conversation_members AS other ON other.conversation_id = own.conversation_id
         WHERE own.user_id = $1 AND own.membership = 'joined' AND other.membership = 'joined'
           AND other.user_id = ANY ($2) AND other.user_id <> $1
           AND NOT EXISTS (SELECT FROM blocks WHERE blocker_id = $1 AND blocked_id = other.user_id)
           AND NOT EXISTS (SELECT FROM blocks WHERE blocker_id = other.user_id AND blocked_id = $1)",
        user.0,
        &among
    )
    .fetch_all(connection)
    .await?
    .into_iter()
    .map(UserId)
    .collect())
}
