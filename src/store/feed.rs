//! Reading the feed, and what people have acknowledged of it.

use sqlx::PgConnection;
use uuid::Uuid;

use super::sealer::Sealer;
use super::{Session, Store, StoreError, blocks, messages};
use crate::domain::clock::Timestamp;
use crate::domain::feed::{Change, Cursor, FeedEntry, FeedEvent, readers};
use crate::domain::ids::{ConversationId, UserId};

/// Up to where the feed is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Horizon {
    /// Nothing will be committed below this position any more.
    pub position: i64,
    /// Whether a running transaction holds it back, so that it is worth asking again soon.
    pub held: bool,
}

struct Row {
    position: i64,
    n: i32,
    conversation_id: Uuid,
    audience: Option<Uuid>,
    created_at: Timestamp,
    payload: Option<String>,
    message_id: Option<Uuid>,
    sender_id: Option<Uuid>,
    sequence_number: Option<i64>,
    style: Option<String>,
    content: Option<String>,
    formatted: Option<String>,
    version_number: Option<i64>,
    matrix_event_id: Option<String>,
    delivery: Option<String>,
    said_at: Option<Timestamp>,
    edited_at: Option<Timestamp>,
    deleted_at: Option<Timestamp>,
    recalled_at: Option<Timestamp>,
    recalled_by: Option<Uuid>,
    reply_to_id: Option<Uuid>,
    thread_root: Option<String>,
    mentions_room: Option<bool>,
    media: Option<String>,
}

impl Row {
    fn entry(self, sealer: &Sealer) -> Result<FeedEntry, StoreError> {
        let row = self;
        let cursor = Cursor {
            position: row.position,
            n: row.n,
        };
        let wrong = |column| StoreError::Inconsistent {
            table: "conversation_feed",
            column,
            row: cursor.to_string(),
        };
        let change: Option<Change> = match &row.payload {
            Some(payload) => Some(serde_json::from_str(payload).map_err(|_| wrong("payload"))?),
            None => None,
        };
        let message = match (
            row.message_id,
            row.sender_id,
            row.sequence_number,
            row.style,
            row.content,
        ) {
            (Some(id), Some(sender_id), Some(sequence_number), Some(style), Some(content)) => {
                let row = messages::Row {
                    id,
                    conversation_id: row.conversation_id,
                    sender_id,
                    sequence_number,
                    style,
                    content,
                    formatted: row.formatted,
                    version_number: row.version_number.unwrap_or(1),
                    matrix_event_id: row.matrix_event_id,
                    delivery: row.delivery,
                    created_at: row.said_at.unwrap_or(row.created_at),
                    edited_at: row.edited_at,
                    deleted_at: row.deleted_at,
                    recalled_at: row.recalled_at,
                    recalled_by: row.recalled_by,
                    reply_to_id: row.reply_to_id,
                    thread_root: row.thread_root,
                    mentions_room: row.mentions_room.unwrap_or_default(),
                    media: row.media,
                };
                Some(row.message(sealer)?)
            }
            _ => None,
        };
        let event = match (change, message) {
            (Some(Change::Edited { by }), Some(message)) => FeedEvent::Edited { by, message },
            (Some(Change::Requested { by }), Some(message)) => FeedEvent::Requested { by, message },
            (None, Some(message)) => FeedEvent::Message(message),
            (Some(Change::Edited { .. }) | None, _) => return Err(wrong("message_id")),
            (Some(change), _) => FeedEvent::Change(change),
        };
        Ok(FeedEntry {
            cursor,
            conversation: ConversationId(row.conversation_id),
            audience: row.audience.map(UserId),
            at: row.created_at,
            event,
        })
    }
}

/// A part of the feed.
#[derive(Debug, Default)]
pub struct Page {
    /// The entries that can be read, in order.
    pub entries: Vec<FeedEntry>,
    /// The cursor of the last row, readable or not; `None` where there is none.
    pub last: Option<Cursor>,
    /// Whether the limit was reached, so that there may be more.
    pub full: bool,
}

impl Page {
    /// A row that a newer version wrote must not keep everybody from everything else.
    fn read(rows: Vec<Row>, limit: i64, sealer: &Sealer) -> Self {
        let mut page = Self {
            full: i64::try_from(rows.len()).is_ok_and(|read| read >= limit),
            ..Self::default()
        };
        for row in rows {
            let cursor = Cursor {
                position: row.position,
                n: row.n,
            };
            page.last = Some(cursor);
            match row.entry(sealer) {
                Ok(entry) => page.entries.push(entry),
                Err(error) => {
                    tracing::error!(%error, feed.cursor = %cursor, "a feed entry cannot be read and is skipped");
                }
            }
        }
        page
    }
}

impl Store {
    /// Up to where the feed is complete now.
    ///
    /// # Errors
    /// When Postgres fails.
    pub async fn feed_horizon(&self, connection: &mut PgConnection) -> Result<Horizon, StoreError> {
        horizon(connection).await
    }
}

/// In a statement of its own: what is read after it sees every entry below.
async fn horizon(connection: &mut PgConnection) -> Result<Horizon, StoreError> {
    let row = sqlx::query!(r#"SELECT horizon AS "horizon!", held AS "held!" FROM feed_horizon()"#)
        .fetch_one(connection)
        .await?;
    Ok(Horizon {
        position: row.horizon,
        held: row.held,
    })
}

/// Entries of all conversations after a cursor, as far as the feed is complete, and whether a running transaction holds it
/// back.
///
/// # Errors
/// When Postgres fails.
pub async fn after(connection: &mut Session, cursor: Cursor, limit: i64) -> Result<(Page, bool), StoreError> {
    let horizon = horizon(connection).await?;
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT f.position AS "position!", f.n AS "n!", f.conversation_id AS "conversation_id!", f.audience,
                  f.created_at AS "created_at!", f.payload, f.message_id,
                  m.sender_id AS "sender_id?", m.sequence_number AS "sequence_number?", m.style AS "style?",
                  m.content AS "content?", m.formatted, m.version_number AS "version_number?", m.matrix_event_id,
                  m.delivery, m.created_at AS "said_at?", m.edited_at, m.deleted_at, m.recalled_at, m.recalled_by,
                  m.reply_to_id, m.thread_root, m.mentions_room AS "mentions_room?",
                  (SELECT media::text FROM message_media WHERE message_id = m.id) AS media
           FROM (
               (SELECT position, n, conversation_id, audience, created_at, payload::text AS payload, message_id
                FROM conversation_feed
                WHERE (position, n) > ($1, $2) AND position < $4
                ORDER BY position, n LIMIT $3)
               UNION ALL
               (SELECT position, n, conversation_id, NULL, came_at, NULL, id
                FROM messages
                WHERE n IS NOT NULL AND (position, n) > ($1, $2) AND position < $4
                  AND position >= (SELECT pruned FROM feed_clock)
                ORDER BY position, n LIMIT $3)
               ORDER BY position, n LIMIT $3
           ) AS f
           LEFT JOIN messages AS m ON m.id = f.message_id
           ORDER BY f.position, f.n"#,
        cursor.position,
        cursor.n,
        limit,
        horizon.position
    )
    .fetch_all(&mut **connection)
    .await?;
    Ok((Page::read(rows, limit, connection.sealer()), horizon.held))
}

/// What one person may see after a cursor and below a horizon, in all their conversations or in one: of those that they
/// were only asked to come to, what is for them alone, and of those that they are not asked to any more, that they are not.
///
/// # Errors
/// When Postgres fails.
pub async fn of_user(
    connection: &mut Session,
    user: UserId,
    only: Option<ConversationId>,
    cursor: Cursor,
    below: i64,
    limit: i64,
) -> Result<Page, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT f.position AS "position!", f.n AS "n!", f.conversation_id AS "conversation_id!", f.audience,
                  f.created_at AS "created_at!", f.payload, f.message_id,
                  m.sender_id AS "sender_id?", m.sequence_number AS "sequence_number?", m.style AS "style?",
                  m.content AS "content?", m.formatted, m.version_number AS "version_number?", m.matrix_event_id,
                  m.delivery, m.created_at AS "said_at?", m.edited_at, m.deleted_at, m.recalled_at, m.recalled_by,
                  m.reply_to_id, m.thread_root, m.mentions_room AS "mentions_room?",
                  (SELECT media::text FROM message_media WHERE message_id = m.id) AS media
           FROM (
               (SELECT own.*
                FROM conversation_members AS member
                CROSS JOIN LATERAL (
                    (SELECT position, n, conversation_id, audience, created_at, payload::text AS payload, message_id
                     FROM conversation_feed
                     WHERE conversation_id = member.conversation_id AND (position, n) > ($3, $4) AND position < $5
                       AND (audience = $1 OR audience IS NULL AND member.membership = 'joined')
                     ORDER BY position, n LIMIT $6)
                    UNION ALL
                    (SELECT position, n, conversation_id, NULL, came_at, NULL, id
                     FROM messages
                     WHERE conversation_id = member.conversation_id AND member.membership = 'joined'
                       AND sequence_number > said_until(member.conversation_id, $3, $4)
                       AND (position, n) > ($3, $4) AND position < $5 AND position >= (SELECT pruned FROM feed_clock)
                     ORDER BY sequence_number LIMIT $6)
                    ORDER BY position, n LIMIT $6
                ) AS own
                WHERE member.user_id = $1 AND ($2::uuid IS NULL OR member.conversation_id = $2))
               UNION ALL
               (SELECT position, n, conversation_id, audience, created_at, payload::text, message_id
                FROM conversation_feed AS answer
                WHERE audience = $1 AND payload ->> 'type' = 'answered' AND (position, n) > ($3, $4) AND position < $5
                  AND ($2::uuid IS NULL OR conversation_id = $2)
                  AND NOT EXISTS (SELECT FROM conversation_members
                                  WHERE conversation_id = answer.conversation_id AND user_id = $1)
                ORDER BY position, n LIMIT $6)
               ORDER BY position, n LIMIT $6
           ) AS f
           LEFT JOIN messages AS m ON m.id = f.message_id
           ORDER BY f.position, f.n LIMIT $6"#,
        user.0,
        only.map(|id| id.0),
        cursor.position,
        cursor.n,
        below,
        limit
    )
    .fetch_all(&mut **connection)
    .await?;
    let mut page = Page::read(rows, limit, connection.sealer());
    let readers = readers(&page.entries);
    if !readers.is_empty() {
        let apart = blocks::apart(connection, user, &readers).await?;
        page.entries
            .retain(|entry| !entry.reader().is_some_and(|reader| apart.contains(&reader)));
    }
    Ok(page)
}

/// The newest entry up to which the feed is complete.
///
/// # Errors
/// When Postgres fails.
pub async fn newest(connection: &mut PgConnection) -> Result<Option<Cursor>, StoreError> {
    let horizon = horizon(connection).await?;
    let row = sqlx::query!(
        r#"(SELECT position AS "position!", n AS "n!" FROM conversation_feed
            WHERE position < $1 ORDER BY position DESC, n DESC LIMIT 1)
           UNION ALL
           (SELECT position, n FROM messages
            WHERE n IS NOT NULL AND position < $1 AND position >= (SELECT pruned FROM feed_clock)
            ORDER BY position DESC, n DESC LIMIT 1)
           ORDER BY 1 DESC, 2 DESC LIMIT 1"#,
        horizon.position
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| Cursor {
        position: row.position,
        n: row.n,
    }))
}

/// The position below which entries were dropped because of their age.
///
/// # Errors
/// When Postgres fails.
pub async fn pruned(connection: &mut PgConnection) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar!("SELECT pruned FROM feed_clock")
        .fetch_one(connection)
        .await?)
}

/// Drops what is older than `before`: entries, acknowledgements of them, and the ids of events seen back then.
///
/// # Errors
/// When Postgres fails.
pub async fn prune(connection: &mut PgConnection, before: Timestamp) -> Result<u64, StoreError> {
    let dropped = sqlx::query_scalar!(
        // Messages stay: the feed begins behind the last one of those that are too old.
        r#"WITH dropped AS (DELETE FROM conversation_feed WHERE created_at < $1 RETURNING position),
                said AS (SELECT max(position) AS position, count(*) AS messages FROM messages
                         WHERE n IS NOT NULL AND position >= (SELECT pruned FROM feed_clock)
                           AND position < coalesce((SELECT position FROM messages
                                                    WHERE n IS NOT NULL AND came_at >= $1
                                                      AND position >= (SELECT pruned FROM feed_clock)
                                                    ORDER BY position, n LIMIT 1), 9223372036854775807)),
                clock AS (UPDATE feed_clock
                          SET pruned = greatest(pruned, (SELECT max(position) + 1 FROM dropped), (SELECT position + 1 FROM said))
                          RETURNING pruned)
           SELECT (SELECT count(*) FROM dropped) + messages AS "count!" FROM said"#,
        before
    )
    .fetch_one(&mut *connection)
    .await?;
    sqlx::query!("DELETE FROM feed_acks WHERE position < (SELECT pruned FROM feed_clock)")
        .execute(&mut *connection)
        .await?;
    sqlx::query!("DELETE FROM processed_events WHERE processed_at < $1", before)
        .execute(connection)
        .await?;
    Ok(u64::try_from(dropped).unwrap_or_default())
}

/// Where somebody's acknowledgements start: everything up to here is acknowledged. Set at the first connection.
///
/// # Errors
/// When Postgres fails.
pub async fn floor(connection: &mut PgConnection, user: UserId, first: Cursor) -> Result<Cursor, StoreError> {
    // Two connections can be the first at the same time: the one that comes second waits, and takes what is there.
    let row = sqlx::query!(
        "INSERT INTO feed_floors (user_id, position, n) VALUES ($1, $2, $3)
         ON CONFLICT (user_id) DO UPDATE SET position = feed_floors.position
         RETURNING position, n",
        user.0,
        first.position,
        first.n
    )
    .fetch_one(connection)
    .await?;
    Ok(Cursor {
        position: row.position,
        n: row.n,
    })
}

/// Acknowledges one entry for one person.
///
/// # Errors
/// When Postgres fails.
pub async fn acknowledge(connection: &mut PgConnection, user: UserId, cursor: Cursor) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO feed_acks (user_id, position, n)
         SELECT $1, $2, $3 FROM feed_floors WHERE user_id = $1 AND (position, n) < ($2, $3)
         ON CONFLICT DO NOTHING",
        user.0,
        cursor.position,
        cursor.n
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Of these cursors, those that are acknowledged.
///
/// # Errors
/// When Postgres fails.
pub async fn acknowledged(
    connection: &mut PgConnection,
    user: UserId,
    cursors: &[Cursor],
) -> Result<Vec<Cursor>, StoreError> {
    let (positions, ns): (Vec<i64>, Vec<i32>) = cursors.iter().map(|cursor| (cursor.position, cursor.n)).unzip();
    let rows = sqlx::query!(
        "SELECT position, n FROM feed_acks JOIN unnest($2::bigint[], $3::integer[]) AS asked (position, n)
         USING (position, n) WHERE user_id = $1",
        user.0,
        &positions,
        &ns
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Cursor {
            position: row.position,
            n: row.n,
        })
        .collect())
}

/// Moves somebody's floor up, and forgets the single acknowledgements below it.
///
/// # Errors
/// When Postgres fails.
pub async fn raise_floor(connection: &mut PgConnection, user: UserId, cursor: Cursor) -> Result<(), StoreError> {
    sqlx::query!(
        "WITH raised AS (UPDATE feed_floors SET position = $2, n = $3
                         WHERE user_id = $1 AND (position, n) < ($2, $3))
         DELETE FROM feed_acks WHERE user_id = $1 AND (position, n) <= ($2, $3)",
        user.0,
        cursor.position,
        cursor.n
    )
    .execute(connection)
    .await?;
    Ok(())
}
