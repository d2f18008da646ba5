//! The first step of a transaction from Synapse: what a plan has to know, read under the locks.

use std::collections::BTreeSet;

use ruma::OwnedRoomId;
use sqlx::PgConnection;
use uuid::Uuid;

use super::acts::context::{self as acts, Named};
use super::conversations::{self, kind};
use super::{Session, StoreError, blocks, calls, knocks, management, people, pins, spaces};
use crate::domain::act::Act;
use crate::domain::clock::Timestamp;
use crate::domain::conversation::{Conversation, Kind, pair};
use crate::domain::event::{InboundEvent, Meaning, RawEvent, RoomMembership};
use crate::domain::ghost::Ghosts;
use crate::domain::ids::{ConversationId, MessageId, OutboxId, UserId};
use crate::domain::ingest::{CallRules, Context, CreateJob, Marked, Portal, rtc_id};
use crate::domain::request::DmPermission;

/// Waits for its turn, locks the conversations of the events' rooms, and reads what they may touch.
///
/// # Errors
/// When Postgres fails.
pub async fn enter(
    connection: &mut Session,
    ghosts: Ghosts,
    bots: Vec<String>,
    events: &[RawEvent],
    rules: Rules,
    now: Timestamp,
) -> Result<Context, StoreError> {
    let mut wanted = Wanted::of(events, &ghosts);
    wanted.pairs.extend(rules.two);
    let mut context = Context {
        call_rules: rules.calls,
        ..Context::new(ghosts, bots, now)
    };
    if !wanted.creating.is_empty() {
        creating(connection, &wanted, &mut context).await?;
    }
    rooms(connection, &wanted, &mut context).await?;
    let awaited = known(connection, &wanted, &mut context).await?;
    let strange = || {
        wanted
            .rooms
            .iter()
            .filter(|room| !context.rooms.contains_key(room.as_str()))
    };
    if strange().next().is_some() {
        let strange: Vec<String> = strange().cloned().collect();
        context.management = management::among(connection, &strange).await?;
        context.spaces = spaces::among(connection, &strange).await?;
        if wanted.members {
            context.closing = conversations::closing(connection, &strange).await?;
        }
    }
    if !wanted.markers.is_empty() {
        markers(connection, &wanted, &mut context).await?;
    }
    if wanted.members {
        direct(connection, &wanted, &mut context).await?;
    }
    if !wanted.invited.is_empty() {
        let asks = blocks::asking(connection, &wanted.invited, rules.dm_permission).await?;
        context.doors.asks = asks;
    }
    let blocked = !context.doors.blocks.is_empty();
    if wanted.members || wanted.calls || blocked {
        let ids: Vec<Uuid> = context.conversations.keys().map(|id| id.0).collect();
        let mut interested: BTreeSet<Uuid> = wanted.people.iter().map(|id| id.0).collect();
        for (conversation, user, member) in conversations::members_of(connection, &ids).await? {
            interested.insert(user.0);
            if let Some(state) = context.conversations.get_mut(&conversation) {
                state.members.insert(user, member);
            }
        }
        if wanted.members {
            context.departing = conversations::departing(connection, &ids).await?;
            context.knocks = knocks::of(connection, &ids).await?;
        }
        context.profiles = people::profiles(connection, &interested.into_iter().collect::<Vec<_>>()).await?;
    }
    if wanted.acts || awaited {
        Box::pin(acted(connection, &wanted, awaited, &mut context)).await?;
    }
    if wanted.everybody {
        let ids: Vec<ConversationId> = context.conversations.keys().copied().collect();
        context.needs = pins::needs(connection, &ids).await?;
    }
    if wanted.calls || wanted.ends_calls {
        let of_kind = |kind: Option<Kind>| -> Vec<Uuid> {
            let all = context.conversations.values();
            all.filter(|it| kind.is_none_or(|kind| it.kind == kind))
                .map(|it| it.id.0)
                .collect()
        };
        let (all, direct) = (of_kind(None), of_kind(Some(Kind::Direct)));
        let direct = if wanted.calls { direct } else { Vec::new() };
        let rooms: Vec<String> = wanted.rooms.iter().cloned().collect();
        context.calls = calls::context(connection, &all, &direct, &rooms, &wanted.call_names, now).await?;
    }
    Ok(context)
}

/// What else counts: what the admin decides, and what the caller knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rules {
    /// How calls are held.
    pub calls: CallRules,
    /// Who need not ask those who have not said so themselves.
    pub dm_permission: DmPermission,
    /// Two people whose direct conversation matters, beside those that the events name.
    pub two: Option<(UserId, UserId)>,
}

/// What the events name.
#[derive(Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one thing that may have to be read"
)]
struct Wanted {
    rooms: BTreeSet<String>,
    events: Vec<String>,
    people: BTreeSet<UserId>,
    markers: Vec<Uuid>,
    creating: Vec<Uuid>,
    pairs: BTreeSet<(UserId, UserId)>,
    /// Ghosts that are invited, and by whom.
    invited: BTreeSet<(UserId, UserId)>,
    members: bool,
    /// Whether something of a call happened.
    calls: bool,
    /// Whether something happened that can end calls: somebody came or went, or a room did.
    ends_calls: bool,
    /// The ids in Matrix of calls.
    call_names: Vec<String>,
    /// Whether something is done to events, or one is answered.
    acts: bool,
    /// Which events.
    targets: Vec<String>,
    /// Markers of edits and reactions.
    act_markers: Vec<Uuid>,
    /// Whether somebody addresses everybody.
    everybody: bool,
    /// Rooms of which the list of what is pinned is set.
    lists: BTreeSet<OwnedRoomId>,
}

impl Wanted {
    fn of(events: &[RawEvent], ghosts: &Ghosts) -> Self {
        let mut wanted = Self::default();
        for event in events {
            match &event.decoded {
                Ok(event) => wanted.event(event, ghosts),
                Err(malformed) => wanted.events.extend(malformed.event_id.clone()),
            }
        }
        wanted
    }

    fn event(&mut self, event: &InboundEvent, ghosts: &Ghosts) {
        let sender = ghosts.person(event.sender.as_str());
        self.rooms.insert(event.room.to_string());
        self.events.push(event.id.clone());
        self.people.insert(sender);
        self.members |= event.meaning.concerns_members();
        match &event.meaning {
            Meaning::Message {
                marker, reply, text, ..
            } => {
                self.markers.extend(marker.map(|id| id.0));
                self.acts |= reply.is_some() || text.everybody;
                self.everybody |= text.everybody;
                self.targets.extend(reply.as_ref().map(|reply| reply.target.clone()));
            }
            Meaning::NotYet { marker, .. } => self.markers.extend(marker.map(|id| id.0)),
            Meaning::Act { target, marker, act } => {
                self.acts = true;
                self.everybody |= matches!(act, Act::Edit { text } if text.everybody);
                self.targets.push(target.clone());
                self.act_markers.extend(marker.map(|id| id.0));
            }
            Meaning::Member(member) => {
                self.ends_calls = true;
                let target = ghosts.person(member.target.as_str());
                self.people.insert(target);
                self.events.extend(member.replaces.clone());
                if member.membership == RoomMembership::Invite && ghosts.nova_user(member.target.as_str()).is_some() {
                    self.invited.insert((target, sender));
                }
                if member.membership == RoomMembership::Invite && member.is_direct {
                    self.pairs.insert(pair(sender, target));
                }
            }
            Meaning::Create { marker, .. } => self.creating.extend(marker.map(|id| id.0)),
            Meaning::Tombstone { replacement } => {
                self.ends_calls = true;
                self.rooms.insert(replacement.to_string());
            }
            // What we sent ourselves needs nothing.
            Meaning::Call { marked: true, .. } if ghosts.nova_user(event.sender.as_str()).is_some() => {}
            Meaning::Call { event, .. } => {
                self.calls = true;
                self.call_names.push(event.call.clone());
            }
            Meaning::RtcRing { session, .. } => {
                self.calls = true;
                self.call_names.push(rtc_id(session.as_deref(), &event.id));
            }
            Meaning::Pinned { events, .. } => {
                self.acts = true;
                self.targets.extend(events.iter().cloned());
                self.lists.insert(event.room.clone());
            }
            Meaning::Encrypted
            | Meaning::Name(_)
            | Meaning::Topic(_)
            | Meaning::Avatar(_)
            | Meaning::PowerLevels { .. }
            | Meaning::Nothing => {}
        }
    }
}

async fn rooms(connection: &mut PgConnection, wanted: &Wanted, context: &mut Context) -> Result<(), StoreError> {
    let rooms: Vec<String> = wanted.rooms.iter().cloned().collect();
    let rows = sqlx::query!(
        r#"SELECT room AS "room!", is_current AS "is_current!", encrypted AS "encrypted!", creators AS "creators!", state_version AS "state_version!",
                  conversation_id AS "conversation_id!", kind AS "kind!", name, description, avatar_url,
                  created_by AS "created_by!", last_sequence AS "last_sequence!", created_at AS "created_at!",
                  current_room
           FROM enter_rooms($1)"#,
        &rooms
    )
    .fetch_all(connection)
    .await?;
    for row in rows {
        let id = ConversationId(row.conversation_id);
        let Ok(room) = OwnedRoomId::try_from(row.room) else {
            continue;
        };
        let portal = Portal {
            conversation: id,
            current: row.is_current,
            encrypted: row.encrypted,
            creators: row.creators,
            state_version: row.state_version,
        };
        context.rooms.insert(room, portal);
        let conversation = Conversation {
            id,
            kind: kind(&row.kind, row.conversation_id)?,
            name: row.name,
            description: row.description,
            avatar_url: row.avatar_url,
            created_by: UserId(row.created_by),
            has_portal: true,
            room: row.current_room.and_then(|room| OwnedRoomId::try_from(room).ok()),
            last_sequence: row.last_sequence,
            members: std::collections::BTreeMap::new(),
            created_at: row.created_at,
        };
        context.conversations.insert(id, conversation);
    }
    Ok(())
}

/// Which events were seen, which people are known and who blocks them, in one round trip. Returns whether something waits for the events.
async fn known(connection: &mut PgConnection, wanted: &Wanted, context: &mut Context) -> Result<bool, StoreError> {
    let people: Vec<Uuid> = wanted.people.iter().map(|id| id.0).collect();
    let rows = sqlx::query!(
        r#"SELECT matrix_event_id AS event, NULL::uuid AS person, NULL::uuid AS blocker
           FROM messages WHERE matrix_event_id = ANY ($1)
           UNION ALL SELECT event_id, NULL, NULL FROM processed_events WHERE event_id = ANY ($1)
           UNION ALL SELECT event_id, NULL, NULL FROM dead_letters WHERE event_id = ANY ($1)
           UNION ALL SELECT NULL, id, NULL FROM users WHERE id = ANY ($2) AND deactivated_at IS NULL
           UNION ALL SELECT NULL, blocked_id, blocker_id FROM blocks WHERE blocked_id = ANY ($2)
           UNION ALL SELECT NULL, NULL, NULL WHERE EXISTS (SELECT FROM early_acts WHERE target_event_id = ANY ($1))
                                                OR EXISTS (SELECT FROM early_pins WHERE event_id = ANY ($1))"#,
        &wanted.events,
        &people
    )
    .fetch_all(connection)
    .await?;
    let mut awaited = false;
    for row in rows {
        awaited |= row.event.is_none() && row.person.is_none();
        context.seen.extend(row.event);
        match row.blocker {
            Some(blocker) => context
                .doors
                .blocks
                .extend(row.person.map(|blocked| (UserId(blocker), UserId(blocked)))),
            None => context.people.extend(row.person.map(UserId)),
        }
    }
    Ok(awaited)
}

/// What the events do something to, what waits for them, and the places of those who act.
async fn acted(
    connection: &mut Session,
    wanted: &Wanted,
    awaited: bool,
    context: &mut Context,
) -> Result<(), StoreError> {
    let early = if awaited {
        acts::early(connection, &wanted.events).await?
    } else {
        Vec::new()
    };
    let named = Named {
        targets: wanted.targets.clone(),
        senders: wanted.people.iter().map(|id| id.0).collect(),
        acts: wanted.act_markers.clone(),
        messages: wanted.markers.clone(),
        lists: wanted
            .lists
            .iter()
            .filter_map(|room| context.rooms.get(room))
            .map(|it| it.conversation.0)
            .collect(),
    };
    context.acts = acts::read(connection, &named, early).await?;
    if awaited {
        context.acts.early_pins = pins::early(connection, &wanted.events).await?;
    }
    if wanted.members || wanted.calls || !context.doors.blocks.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = context.conversations.keys().map(|id| id.0).collect();
    for (conversation, user, member) in conversations::places_of(connection, &ids, &named.senders).await? {
        if let Some(state) = context.conversations.get_mut(&conversation) {
            state.members.insert(user, member);
        }
    }
    Ok(())
}

async fn markers(connection: &mut PgConnection, wanted: &Wanted, context: &mut Context) -> Result<(), StoreError> {
    let rows = sqlx::query!(
        r#"SELECT id, conversation_id, sender_id, sequence_number, matrix_event_id IS NOT NULL AS "delivered!"
           FROM messages WHERE id = ANY ($1)"#,
        &wanted.markers
    )
    .fetch_all(connection)
    .await?;
    context.marked.extend(rows.into_iter().map(|row| {
        let conversation = ConversationId(row.conversation_id);
        (
            MessageId(row.id),
            Marked {
                conversation,
                sender: UserId(row.sender_id),
                sequence: row.sequence_number,
                delivered: row.delivered,
            },
        )
    }));
    Ok(())
}

/// Room creations of ours that the events name. Read before the rooms: one that is done by now, and so not found here, has
/// its room among them.
async fn creating(connection: &mut PgConnection, wanted: &Wanted, context: &mut Context) -> Result<(), StoreError> {
    let rows = sqlx::query!(
        r#"SELECT id, conversation_id AS "conversation_id!", actor_id FROM outbox
           WHERE id = ANY ($1) AND conversation_id IS NOT NULL"#,
        &wanted.creating
    )
    .fetch_all(connection)
    .await?;
    context.creating.extend(rows.into_iter().map(|row| {
        let job = CreateJob {
            conversation: ConversationId(row.conversation_id),
            actor: UserId(row.actor_id),
        };
        (OutboxId(row.id), job)
    }));
    Ok(())
}

/// The pairs of direct conversations, and conversations that the events name in other ways than by their rooms: by pairs,
/// and by room creations of ours. They are locked like the others, still before the first write.
async fn direct(connection: &mut PgConnection, wanted: &Wanted, context: &mut Context) -> Result<(), StoreError> {
    let (lesser, greater): (Vec<Uuid>, Vec<Uuid>) = wanted.pairs.iter().map(|(one, two)| (one.0, two.0)).unzip();
    let created = context.creating.values().map(|job| job.conversation);
    let named: Vec<Uuid> = context
        .conversations
        .keys()
        .copied()
        .chain(created)
        .map(|id| id.0)
        .collect();
    let pairs = sqlx::query!(
        r#"SELECT d.lesser_user_id AS "lesser!", d.greater_user_id AS "greater!", c.id AS "id!", c.has_moved AS "has_moved!"
           FROM (SELECT * FROM direct_conversations WHERE conversation_id = ANY ($3)
                 UNION SELECT direct_conversations.* FROM direct_conversations
                       JOIN unnest($1::uuid[], $2::uuid[]) AS wanted (lesser, greater)
                         ON lesser_user_id = lesser AND greater_user_id = greater) AS d
           JOIN conversations AS c ON c.id = d.conversation_id"#,
        &lesser,
        &greater,
        &named
    )
    .fetch_all(&mut *connection)
    .await?;
    let ids: BTreeSet<ConversationId> = pairs
        .iter()
        .map(|row| ConversationId(row.id))
        .chain(context.creating.values().map(|job| job.conversation))
        .filter(|id| !context.conversations.contains_key(id))
        .collect();
    if !ids.is_empty() {
        let ids: Vec<ConversationId> = ids.into_iter().collect();
        conversations::lock(connection, &ids).await?;
        for conversation in conversations::load(connection, &ids).await? {
            context.conversations.insert(conversation.id, conversation);
        }
    }
    for row in pairs {
        let id = ConversationId(row.id);
        context.direct.insert((UserId(row.lesser), UserId(row.greater)), id);
        if row.has_moved {
            context.moved.insert(id);
        }
    }
    Ok(())
}
