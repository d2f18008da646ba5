//! The last step of every change: effects → multi-row statements. Empty kinds cost nothing.

use std::collections::{BTreeMap, HashMap};

use ruma::OwnedRoomId;
use sqlx::PgConnection;
use uuid::Uuid;

use super::sealer::What;
use super::{
    Session, StoreError, acts, calls, dead_letters, knocks, locations, management, media, outbox, people, pins,
    receipts, requests, spaces,
};
use crate::domain::clock::Timestamp;
use crate::domain::conversation::{Conversation, pair};
use crate::domain::ids::{ConversationId, MessageId, UserId};
use crate::domain::ingest::{ConversationEdit, Effects, MemberEdit, NewEntry, NewMessage};
use crate::domain::message::Delivery;
use crate::domain::receipt::{Read, Reads};

/// Writes everything that was decided. The conversations must be locked.
///
/// # Errors
/// When Postgres fails or refuses; the transaction is of no use then.
pub async fn apply(
    connection: &mut Session,
    clock_base: i64,
    effects: &Effects,
    now: Timestamp,
) -> Result<(), StoreError> {
    people::know(connection, &effects.met, &effects.people, now).await?;
    conversations(connection, &effects.conversations, now).await?;
    // A pair whose conversation became a group may have got a new one at once.
    made_direct(connection, &effects.made_direct).await?;
    regrouped(connection, &effects.regrouped).await?;
    pairs(connection, &effects.pairs).await?;
    // The room of a conversation that is dissolved is free for another one at once.
    spaces::apply(connection, effects, now).await?;
    for (conversation, room) in &effects.portals {
        let from = effects.split_off.iter().find(|(group, _)| group == conversation);
        let from = from.map(|(_, direct)| *direct);
        portal(connection, *conversation, room.as_str(), from, now).await?;
    }
    for (room, event) in &effects.begins {
        sqlx::query!(
            "UPDATE matrix_room_mapping SET begins_with = $2 WHERE matrix_room_id = $1",
            room.as_str(),
            event
        )
        .execute(&mut **connection)
        .await?;
    }
    let moved: Vec<Uuid> = effects.moved.iter().map(|id| id.0).collect();
    if !moved.is_empty() {
        sqlx::query!("UPDATE conversations SET has_moved = true WHERE id = ANY ($1)", &moved)
            .execute(&mut **connection)
            .await?;
    }
    former(connection, &effects.former, now).await?;
    for id in &effects.wants_portal {
        sqlx::query!("UPDATE conversations SET has_portal = true WHERE id = $1", id.0)
            .execute(&mut **connection)
            .await?;
    }
    for (room, creators) in &effects.creators {
        sqlx::query!(
            "UPDATE matrix_room_mapping SET creators = $2 WHERE matrix_room_id = $1",
            room.as_str(),
            creators
        )
        .execute(&mut **connection)
        .await?;
    }
    encrypted(connection, effects, now).await?;
    members(connection, &effects.members, now).await?;
    requests::ask(connection, &effects.requests).await?;
    knocks::apply(connection, effects).await?;
    departures(connection, effects).await?;
    edits(connection, &effects.edits, now).await?;
    pins::ask(connection, &effects.needs).await?;
    echoes(connection, &effects.echoes).await?;
    calls::save(connection, effects, now).await?;
    management::apply(connection, effects, now).await?;
    media::keep(connection, &effects.messages).await?;
    said(connection, clock_base, &effects.messages, &effects.feed, now).await?;
    locations::share(connection, &effects.shares, now).await?;
    acts::apply(connection, &effects.acts, now).await?;
    if !effects.reads.is_empty() {
        let newest: Vec<Read> = effects.reads.iter().copied().collect::<Reads>().newest().collect();
        receipts::advance(connection, &newest).await?;
    }
    outbox::remove(connection, &effects.done_jobs).await?;
    calls::cut(connection, &effects.cuts, now).await?;
    outbox::add(connection, &effects.jobs, now).await?;
    dead_letters::keep(connection, &effects.dead_letters, now).await?;
    processed(connection, &effects.processed, now).await
}

async fn conversations(connection: &mut PgConnection, made: &[Conversation], now: Timestamp) -> Result<(), StoreError> {
    for conversation in made {
        sqlx::query!(
            "INSERT INTO conversations
                (id, kind, name, description, avatar_url, created_by, has_portal, created_at, updated_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            conversation.id.0,
            conversation.kind.as_str(),
            conversation.name.as_deref(),
            conversation.description.as_deref(),
            conversation.avatar_url.as_deref(),
            conversation.created_by.0,
            conversation.has_portal,
            conversation.created_at,
            now,
        )
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// Claims the pairs of new direct conversations. A pair that somebody else has just claimed is a conflict, which sends
/// the caller back to the start, where it then finds their conversation.
async fn pairs(connection: &mut PgConnection, claims: &[(UserId, UserId, ConversationId)]) -> Result<(), StoreError> {
    for (one, other, conversation) in claims {
        let (lesser, greater) = pair(*one, *other);
        sqlx::query!(
            "INSERT INTO direct_conversations (lesser_user_id, greater_user_id, conversation_id) VALUES ($1, $2, $3)",
            lesser.0,
            greater.0,
            conversation.0,
        )
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

async fn made_direct(connection: &mut PgConnection, made: &[ConversationId]) -> Result<(), StoreError> {
    for id in made {
        sqlx::query!("UPDATE conversations SET kind = 'direct' WHERE id = $1", id.0)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

async fn regrouped(connection: &mut PgConnection, grown: &[ConversationId]) -> Result<(), StoreError> {
    for id in grown {
        sqlx::query!("UPDATE conversations SET kind = 'group' WHERE id = $1", id.0)
            .execute(&mut *connection)
            .await?;
        sqlx::query!("DELETE FROM direct_conversations WHERE conversation_id = $1", id.0)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Makes `room` the current room of a conversation, and the one before it a former one. A group that was split off from a
/// direct conversation takes the room from it, with what is known of the room.
async fn portal(
    connection: &mut PgConnection,
    conversation: ConversationId,
    room: &str,
    from: Option<ConversationId>,
    now: Timestamp,
) -> Result<(), StoreError> {
    if let Some(direct) = from {
        let taken = sqlx::query!(
            "UPDATE matrix_room_mapping SET conversation_id = $1, updated_at = $4
             WHERE matrix_room_id = $2 AND conversation_id = $3",
            conversation.0,
            room,
            direct.0,
            now,
        )
        .execute(&mut *connection)
        .await?;
        if taken.rows_affected() > 0 {
            return Ok(());
        }
    }
    // The room of a deleted conversation is free for a new one.
    sqlx::query!(
        "DELETE FROM matrix_room_mapping AS m USING conversations AS c
         WHERE m.matrix_room_id = $1 AND c.id = m.conversation_id AND c.deleted_at IS NOT NULL",
        room
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "INSERT INTO former_rooms (matrix_room_id, conversation_id, replaced_at)
         SELECT matrix_room_id, conversation_id, $3 FROM matrix_room_mapping
         WHERE conversation_id = $1 AND matrix_room_id <> $2
         ON CONFLICT (matrix_room_id) DO NOTHING",
        conversation.0,
        room,
        now,
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!("DELETE FROM former_rooms WHERE matrix_room_id = $1", room)
        .execute(&mut *connection)
        .await?;
    sqlx::query!(
        "INSERT INTO matrix_room_mapping (conversation_id, matrix_room_id, created_at, updated_at)
         VALUES ($1, $2, $3, $3)
         ON CONFLICT (conversation_id) DO UPDATE
         SET matrix_room_id = $2, encrypted_at = NULL, creators = '{}', updated_at = $3,
             looked_into = newest_outage(), begins_with = NULL",
        conversation.0,
        room,
        now,
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "UPDATE conversations SET has_portal = true WHERE id = $1",
        conversation.0
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn former(
    connection: &mut PgConnection,
    rooms: &[(ConversationId, OwnedRoomId)],
    now: Timestamp,
) -> Result<(), StoreError> {
    for (conversation, room) in rooms {
        sqlx::query!(
            "INSERT INTO former_rooms (matrix_room_id, conversation_id, replaced_at) VALUES ($1, $2, $3)
             ON CONFLICT (matrix_room_id) DO NOTHING",
            room.as_str(),
            conversation.0,
            now
        )
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

async fn encrypted(connection: &mut PgConnection, effects: &Effects, now: Timestamp) -> Result<(), StoreError> {
    for room in &effects.encrypted {
        sqlx::query!(
            "UPDATE matrix_room_mapping SET encrypted_at = $2 WHERE matrix_room_id = $1",
            room.as_str(),
            now
        )
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

async fn members(connection: &mut PgConnection, edits: &[MemberEdit], now: Timestamp) -> Result<(), StoreError> {
    // The last word on each place counts; one statement must not write a row twice.
    let last: BTreeMap<(ConversationId, UserId), &MemberEdit> = edits
        .iter()
        .map(|edit| ((edit.conversation, edit.user), edit))
        .collect();
    for edit in last.values() {
        match edit.member {
            Some(member) => {
                sqlx::query!(
                    // What was said before somebody came is not new to them.
                    "INSERT INTO conversation_members
                         (conversation_id, user_id, role, membership, joined_at, read_sequence)
                     VALUES ($1, $2, $3, $4, $5, (SELECT last_sequence FROM conversations WHERE id = $1))
                     ON CONFLICT (conversation_id, user_id) DO UPDATE SET role = $3, membership = $4",
                    edit.conversation.0,
                    edit.user.0,
                    member.role.as_str(),
                    member.membership.as_str(),
                    now,
                )
                .execute(&mut *connection)
                .await?;
            }
            None => {
                sqlx::query!(
                    "DELETE FROM conversation_members WHERE conversation_id = $1 AND user_id = $2",
                    edit.conversation.0,
                    edit.user.0,
                )
                .execute(&mut *connection)
                .await?;
            }
        }
    }
    Ok(())
}

async fn departures(connection: &mut PgConnection, effects: &Effects) -> Result<(), StoreError> {
    for (conversation, user) in &effects.departures {
        sqlx::query!(
            "INSERT INTO departures (conversation_id, user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            conversation.0,
            user.0
        )
        .execute(&mut *connection)
        .await?;
    }
    for (conversation, user) in &effects.departed {
        sqlx::query!(
            "DELETE FROM departures WHERE conversation_id = $1 AND user_id = $2",
            conversation.0,
            user.0
        )
        .execute(&mut *connection)
        .await?;
    }
    if !effects.touched.is_empty() {
        let rooms: Vec<String> = effects.touched.iter().map(ToString::to_string).collect();
        sqlx::query!(
            "UPDATE matrix_room_mapping SET state_version = state_version + 1 WHERE matrix_room_id = ANY ($1)",
            &rooms
        )
        .execute(connection)
        .await?;
    }
    Ok(())
}

async fn edits(connection: &mut PgConnection, edits: &[ConversationEdit], now: Timestamp) -> Result<(), StoreError> {
    for edit in edits {
        sqlx::query!(
            "UPDATE conversations SET name = $2, description = $3, avatar_url = $4, updated_at = $5 WHERE id = $1",
            edit.conversation.0,
            edit.name.as_deref(),
            edit.description.as_deref(),
            edit.avatar_url.as_deref(),
            now,
        )
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

async fn echoes(connection: &mut PgConnection, echoes: &[(MessageId, String)]) -> Result<(), StoreError> {
    if echoes.is_empty() {
        return Ok(());
    }
    let (ids, events): (Vec<Uuid>, Vec<String>) = echoes.iter().map(|(id, event)| (id.0, event.clone())).unzip();
    sqlx::query!(
        "WITH echoed AS (SELECT * FROM unnest($1::uuid[], $2::text[]) AS e (id, event_id)),
              done AS (DELETE FROM outbox USING echoed WHERE outbox.message_id = echoed.id)
         UPDATE messages SET matrix_event_id = echoed.event_id, delivery = 'sent'
         FROM echoed WHERE messages.id = echoed.id",
        &ids,
        &events,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Who is where in the order of the feed.
struct Places<'a> {
    /// Messages; none where it is not shown.
    of: HashMap<MessageId, Option<i32>>,
    /// Everything else.
    entries: Vec<(i32, &'a NewEntry)>,
}

/// Sorts out which entries are the messages themselves.
fn places<'a>(messages: &[NewMessage], feed: &'a [NewEntry]) -> Places<'a> {
    let mut places: HashMap<MessageId, Option<i32>> = messages.iter().map(|it| (it.id, None)).collect();
    let mut entries: Vec<(i32, &NewEntry)> = (0..).zip(feed).collect();
    entries.retain(|(n, entry)| match entry.message.and_then(|id| places.get_mut(&id)) {
        Some(place) if entry.is_the_message() => {
            *place = Some(*n);
            false
        }
        Some(_) | None => true,
    });
    Places { of: places, entries }
}

/// Messages, counters and feed in one statement. `n` follows the order of `feed`; what shows a message as it was said is
/// the message itself.
#[expect(clippy::as_conversions, reason = "how sqlx is told that a column may hold NULL")]
async fn said(
    connection: &mut Session,
    clock_base: i64,
    messages: &[NewMessage],
    feed: &[NewEntry],
    now: Timestamp,
) -> Result<(), StoreError> {
    if messages.is_empty() && feed.is_empty() {
        return Ok(());
    }
    let newest: BTreeMap<ConversationId, &NewMessage> =
        messages.iter().map(|message| (message.conversation, message)).collect();
    let Places { of: places, entries } = places(messages, feed);
    let payloads: Vec<Option<String>> = entries
        .iter()
        .map(|(_, entry)| entry.change.as_ref().map(serde_json::to_string).transpose())
        .collect::<Result<_, _>>()?;
    let sealer = connection.sealer();
    let contents: Vec<String> = messages
        .iter()
        .map(|it| sealer.seal(What::Content, it.id, &it.text.plain))
        .collect::<Result<_, _>>()?;
    let formatted: Vec<Option<String>> = messages
        .iter()
        .map(|it| sealer.seal_some(What::Formatted, it.id, it.text.formatted.as_deref()))
        .collect::<Result<_, _>>()?;
    let column = |get: fn(&NewMessage) -> Option<String>| messages.iter().map(get).collect::<Vec<_>>();
    sqlx::query!(
        "WITH said AS (
            INSERT INTO messages (id, conversation_id, sender_id, sequence_number, style, content, formatted,
                                  matrix_event_id, idempotency_key, delivery, created_at, reply_to_id, thread_root, n,
                                  mentions_room, position, came_at)
            SELECT m.*, $16 + pg_current_xact_id()::text::bigint, $15
            FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[],
                        $9::text[], $10::text[], $11::timestamptz[], $21::uuid[], $22::text[], $23::integer[],
                        $25::boolean[]) AS m
         ), counted AS (
            UPDATE conversations AS c SET last_sequence = m.sequence, last_message_id = m.id, updated_at = $15
            FROM unnest($12::uuid[], $13::bigint[], $14::uuid[]) AS m (conversation_id, sequence, id)
            WHERE c.id = m.conversation_id
         )
         INSERT INTO conversation_feed (position, n, conversation_id, message_id, payload, audience, created_at)
         SELECT $16 + pg_current_xact_id()::text::bigint, f.n, f.conversation_id, f.message_id, f.payload::json,
                f.audience, $15
         FROM unnest($17::uuid[], $18::uuid[], $19::text[], $20::uuid[], $24::integer[])
              AS f (conversation_id, message_id, payload, audience, n)",
        &messages.iter().map(|it| it.id.0).collect::<Vec<_>>(),
        &messages.iter().map(|it| it.conversation.0).collect::<Vec<_>>(),
        &messages.iter().map(|it| it.sender.0).collect::<Vec<_>>(),
        &messages.iter().map(|it| it.sequence).collect::<Vec<_>>(),
        &messages
            .iter()
            .map(|it| it.text.style.as_str().to_owned())
            .collect::<Vec<_>>(),
        &contents,
        &formatted as &[Option<String>],
        &column(|it| it.event_id.clone()) as &[Option<String>],
        &column(|it| it.idempotency_key.clone()) as &[Option<String>],
        &column(|it| it.delivery.map(Delivery::as_str).map(str::to_owned)) as &[Option<String>],
        &messages.iter().map(|it| it.created_at).collect::<Vec<_>>(),
        &newest.keys().map(|id| id.0).collect::<Vec<_>>(),
        &newest.values().map(|it| it.sequence).collect::<Vec<_>>(),
        &newest.values().map(|it| it.id.0).collect::<Vec<_>>(),
        now,
        clock_base,
        &entries.iter().map(|(_, it)| it.conversation.0).collect::<Vec<_>>(),
        &entries.iter().map(|(_, it)| it.message.map(|id| id.0)).collect::<Vec<_>>() as &[Option<Uuid>],
        &payloads as &[Option<String>],
        &entries.iter().map(|(_, it)| it.audience.map(|id| id.0)).collect::<Vec<_>>() as &[Option<Uuid>],
        &messages.iter().map(|it| it.reply_to.map(|id| id.0)).collect::<Vec<_>>() as &[Option<Uuid>],
        &column(|it| it.thread_root.clone()) as &[Option<String>],
        &messages.iter().map(|it| places.get(&it.id).copied().flatten()).collect::<Vec<_>>() as &[Option<i32>],
        &entries.iter().map(|(n, _)| *n).collect::<Vec<_>>(),
        &messages.iter().map(|it| it.text.everybody).collect::<Vec<_>>(),
    )
    .execute(&mut **connection)
    .await?;
    Ok(())
}

async fn processed(connection: &mut PgConnection, ids: &[String], now: Timestamp) -> Result<(), StoreError> {
    if ids.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO processed_events (event_id, processed_at) SELECT id, $2 FROM unnest($1::text[]) AS id
         ON CONFLICT DO NOTHING",
        ids,
        now,
    )
    .execute(connection)
    .await?;
    Ok(())
}
