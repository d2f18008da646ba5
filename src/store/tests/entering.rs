//! The first step of a transaction from Synapse: what the plan is told.

use ruma::server_name;
use serde_json::value::to_raw_value;

use super::*;
use crate::domain::event::{InboundEvent, Meaning, MemberEvent, RawEvent, RoomMembership};
use crate::domain::ghost::Ghosts;
use crate::domain::ids::OutboxId;
use crate::domain::ingest::{Context, DeadLetter, reason};
use crate::domain::job::{Job, Lane, NewJob};
use crate::domain::message::Delivery;
use crate::store::context::enter;
use crate::store::{conversations, messages, outbox};

fn event(id: &str, room: &str, sender: &str, meaning: Meaning) -> RawEvent {
    RawEvent {
        raw: to_raw_value("x").unwrap(),
        decoded: Ok(InboundEvent {
            id: id.to_owned(),
            room: room.try_into().unwrap(),
            sender: sender.try_into().unwrap(),
            at: at(0),
            meaning,
        }),
    }
}

fn text(marker: Option<MessageId>) -> Meaning {
    Meaning::Message {
        text: Text::plain("x"),
        reply: None,
        marker,
        notice: false,
    }
}

fn invite(target: UserId) -> Meaning {
    Meaning::Member(MemberEvent {
        is_direct: true,
        ..MemberEvent::new(
            format!("@nova-{target}:example.org").try_into().unwrap(),
            RoomMembership::Invite,
        )
    })
}

async fn entered(tx: &mut Tx, events: &[RawEvent]) -> Context {
    enter(
        tx,
        Ghosts::new(server_name!("example.org")),
        Vec::new(),
        events,
        crate::store::context::Rules::default(),
        at(0),
    )
    .await
    .unwrap()
}

async fn in_room(store: &Store, room: &str) -> ConversationId {
    let id = made(store, Kind::Direct, &[ANNA, alice()]).await;
    becomes(store, id, room).await;
    id
}

async fn becomes(store: &Store, id: ConversationId, room: &str) {
    let effects = Effects {
        portals: vec![(id, room.try_into().unwrap())],
        ..Effects::default()
    };
    write(store, id, &effects).await;
}

/// Whether somebody else holds the lock of a conversation.
async fn is_locked(pool: &PgPool, id: ConversationId) -> bool {
    let mut tx = pool.begin().await.unwrap();
    !sqlx::query_scalar::<_, bool>("SELECT pg_try_advisory_xact_lock(20261120, hashtext($1))")
        .bind(id.to_string())
        .fetch_one(&mut *tx)
        .await
        .unwrap()
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_message_needs_its_room_and_the_last_number_and_no_members(pool: PgPool) {
    let store = open(&pool).await;
    let id = in_room(&store, "!one:x").await;
    let said = message(id, ANNA, 1, "before");
    write(&store, id, &saying(vec![said.clone()])).await;
    let mut tx = store.begin().await.unwrap();
    let events = [
        event("$1", "!one:x", ALICE, text(Some(said.id))),
        event("$2", "!none:x", "@new:example.org", text(None)),
    ];
    let context = entered(&mut tx, &events).await;
    let state = &context.conversations[&id];
    assert_eq!(
        (state.last_sequence, state.members.len(), context.conversations.len()),
        (1, 0, 1)
    );
    assert_eq!(context.people.iter().collect::<Vec<_>>(), [&alice()]);
    assert!(context.rooms.len() == 1 && context.profiles.is_empty() && context.seen.is_empty());
    let marked = context.marked[&said.id];
    assert_eq!(
        (marked.conversation, marked.sender, marked.sequence, marked.delivered),
        (id, ANNA, 1, false)
    );
    assert!(is_locked(&pool, id).await);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn what_was_applied_or_put_aside_before_is_seen(pool: PgPool) {
    let store = open(&pool).await;
    let id = in_room(&store, "!one:x").await;
    let mut effects = saying(vec![message(id, alice(), 1, "x")]);
    effects.messages[0].event_id = Some("$said".to_owned());
    effects.processed = vec!["$state".to_owned(), "$state".to_owned()];
    effects.dead_letters.push(DeadLetter {
        reason: reason::MALFORMED,
        detail: String::new(),
        room: None,
        event_id: Some("$dead".to_owned()),
        conversation: None,
        payload: to_raw_value("x").unwrap(),
    });
    write(&store, id, &effects).await;
    let ids = ["$said", "$state", "$dead", "$new"];
    let events = ids.map(|name| event(name, "!one:x", ALICE, text(None)));
    let mut tx = store.begin().await.unwrap();
    let mut seen: Vec<String> = entered(&mut tx, &events).await.seen.into_iter().collect();
    seen.sort_unstable();
    assert_eq!(seen, ["$dead", "$said", "$state"]);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn state_is_read_with_members_names_pairs_and_room_creations_of_ours(pool: PgPool) {
    let store = open(&pool).await;
    let id = in_room(&store, "!one:x").await;
    let making = made(&store, Kind::Group, &[BERT]).await;
    let create = NewJob {
        id: OutboxId(Uuid::now_v7()),
        lane: Lane::Conversation(making),
        actor: BERT,
        message: None,
        job: Job::CreateRoom,
    };
    let job = create.id;
    let mut connection = store.read().await.unwrap();
    outbox::add(&mut connection, &[create], at(0)).await.unwrap();
    let created = Meaning::Create {
        marker: Some(job),
        creators: Vec::new(),
        sender_is_creator: false,
        is_space: false,
    };
    let events = [
        event("$1", "!new:x", ALICE, invite(ANNA)),
        event("$2", "!made:x", BOB, created),
    ];
    let mut tx = store.begin().await.unwrap();
    let context = entered(&mut tx, &events).await;
    assert!(context.rooms.is_empty());
    assert_eq!(context.direct.values().collect::<Vec<_>>(), [&id]);
    assert_eq!(
        (context.creating[&job].conversation, context.creating[&job].actor),
        (making, BERT)
    );
    assert_eq!(context.conversations[&id].members.len(), 2);
    assert!(
        [ANNA, BERT, alice()]
            .iter()
            .all(|user| context.profiles.contains_key(user))
    );
    assert!(is_locked(&pool, id).await && is_locked(&pool, making).await);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn whose_a_direct_conversation_is_and_whether_it_moved_is_told_with_its_room(pool: PgPool) {
    let store = open(&pool).await;
    let id = in_room(&store, "!one:x").await;
    let events = [event("$1", "!one:x", BOB, invite(BERT))];
    let mut tx = store.begin().await.unwrap();
    let context = entered(&mut tx, &events).await;
    assert!(context.direct.values().eq([&id]) && context.moved.is_empty());
    drop(tx);
    let moves = Effects {
        moved: vec![id],
        ..Effects::default()
    };
    write(&store, id, &moves).await;
    let mut tx = store.begin().await.unwrap();
    assert!(entered(&mut tx, &events).await.moved.iter().eq([&id]));
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_room_that_was_left_behind_still_leads_to_its_conversation_and_a_deleted_one_does_not(pool: PgPool) {
    let store = open(&pool).await;
    let id = in_room(&store, "!one:x").await;
    let more = Effects {
        encrypted: vec!["!one:x".try_into().unwrap()],
        creators: vec![("!one:x".try_into().unwrap(), vec![ALICE.to_owned()])],
        ..Effects::default()
    };
    write(&store, id, &more).await;
    let rooms = ["!one:x", "!two:x"];
    let events = rooms.map(|room| event(room, room, ALICE, text(None)));
    let mut tx = store.begin().await.unwrap();
    let portal = &entered(&mut tx, &events).await.rooms[&ruma::OwnedRoomId::try_from("!one:x").unwrap()];
    assert!(portal.current && portal.encrypted && portal.creators == [ALICE]);
    drop(tx);
    becomes(&store, id, "!two:x").await;
    let mut tx = store.begin().await.unwrap();
    let context = entered(&mut tx, &events).await;
    let current = rooms.map(|room| context.rooms[&ruma::OwnedRoomId::try_from(room).unwrap()].current);
    assert_eq!(current, [false, true]);
    assert_eq!(context.conversations[&id].room.as_ref().unwrap(), "!two:x");
    conversations::delete(&mut tx, id, at(1)).await.unwrap();
    assert!(entered(&mut tx, &events).await.rooms.is_empty());
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_room_that_becomes_a_portal_while_we_wait_is_locked_too(pool: PgPool) {
    let store = open(&pool).await;
    let busy = in_room(&store, "!busy:x").await;
    let quiet = made(&store, Kind::Group, &[BERT]).await;
    let mut holder = store.begin().await.unwrap();
    conversations::lock(&mut holder, &[busy]).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    let waiting = pid(&mut tx).await;
    let events = ["!busy:x", "!new:x"].map(|room| event(room, room, ALICE, text(None)));
    let (context, ()) = tokio::join!(entered(&mut tx, &events), async {
        until_blocked(&pool, waiting).await;
        becomes(&store, quiet, "!new:x").await;
        holder.commit().await.unwrap();
    });
    assert_eq!(context.rooms.len(), 2);
    assert!(
        is_locked(&pool, quiet).await,
        "who is told of a conversation holds its lock"
    );
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn an_echo_completes_the_message_and_takes_its_job_along(pool: PgPool) {
    let store = open(&pool).await;
    let id = in_room(&store, "!one:x").await;
    let mut said = message(id, ANNA, 1, "x");
    said.delivery = Some(Delivery::Pending);
    let mut effects = saying(vec![said.clone()]);
    let job = NewJob {
        id: OutboxId(Uuid::now_v7()),
        lane: Lane::Conversation(id),
        actor: ANNA,
        message: Some(said.id),
        job: Job::ProvisionGhost,
    };
    effects.jobs.push(job.clone());
    write(&store, id, &effects).await;
    let echo = Effects {
        echoes: vec![(said.id, "$echo".to_owned())],
        ..Effects::default()
    };
    write(&store, id, &echo).await;
    let mut connection = store.read().await.unwrap();
    assert!(!outbox::waits(&mut connection, job.id).await.unwrap());
    let found = messages::find(&mut connection, said.id).await.unwrap().unwrap();
    assert_eq!(
        (found.delivery, found.event_id.as_deref()),
        (Some(Delivery::Sent), Some("$echo"))
    );
}
