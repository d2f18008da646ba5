//! The short way: it writes what the long one does, and nothing where something is not as assumed.

use ruma::server_name;
use serde_json::value::to_raw_value;
use sqlx::postgres::PgPoolOptions;

use super::*;
use crate::domain::act::{Act, EarlyAct, MessageAct};
use crate::domain::event::{InboundEvent, Meaning, RawEvent};
use crate::domain::ghost::Ghosts;
use crate::domain::ingest::{DeadLetter, Plain, plan, plan_plain, reason};
use crate::store::plain::Kept;
use crate::store::server::Server;
use crate::store::{Sealer, context, conversations, messages};

const ROOM: &str = "!one:example.org";
const OTHER_ROOM: &str = "!two:example.org";

fn said(id: &str, room: &str, sender: &str) -> RawEvent {
    RawEvent {
        raw: to_raw_value("x").unwrap(),
        decoded: Ok(InboundEvent {
            id: id.to_owned(),
            room: room.try_into().unwrap(),
            sender: sender.try_into().unwrap(),
            at: at(5),
            meaning: Meaning::Message {
                text: Text::plain(id),
                reply: None,
                marker: None,
                notice: false,
            },
        }),
    }
}

fn ghosts() -> Ghosts {
    Ghosts::new(server_name!("example.org"))
}

fn plain(events: Vec<RawEvent>) -> Plain {
    plan_plain(ghosts(), Vec::new(), at(6), events, &mut Uuid::now_v7).unwrap()
}

/// Goes the short way. Whether it was one.
async fn short(store: &Store, events: Vec<RawEvent>) -> bool {
    let run = store.server().trusted();
    store.say_in_rooms(&plain(events), at(6), run).await.unwrap()
}

async fn long(store: &Store, events: Vec<RawEvent>) {
    let mut tx = store.begin().await.unwrap();
    let context = context::enter(&mut tx, ghosts(), Vec::new(), &events, context::Rules::default(), at(6))
        .await
        .unwrap();
    let (effects, _) = plan(context, events, &mut Uuid::now_v7);
    apply(&mut tx, store.clock_base(), &effects, at(6)).await.unwrap();
    tx.commit().await.unwrap();
}

async fn in_room(store: &Store, room: &str, people: &[UserId]) -> ConversationId {
    let id = made(store, Kind::Group, people).await;
    let effects = Effects {
        portals: vec![(id, room.try_into().unwrap())],
        ..Effects::default()
    };
    write(store, id, &effects).await;
    id
}

/// All rows that a message leaves, without ids that are chance. Conversations are named by their rooms.
async fn rows(pool: &PgPool) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT concat_ws('|', r.matrix_room_id, m.sender_id, m.sequence_number, m.style, m.content, m.formatted,
                          m.version_number, m.matrix_event_id, m.delivery, m.created_at, c.last_sequence, c.updated_at,
                          c.last_message_id = m.id, m.n, m.came_at, dense_rank() OVER (ORDER BY m.position))
         FROM messages AS m JOIN conversations AS c ON c.id = m.conversation_id
         JOIN matrix_room_mapping AS r ON r.conversation_id = c.id
         ORDER BY m.position, m.n",
    )
    .fetch_all(pool)
    .await
    .unwrap()
}

async fn count(pool: &PgPool) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM messages")
        .fetch_one(pool)
        .await
        .unwrap()
}

/// Transactions of messages of several people in several rooms, with repetitions inside.
fn talk() -> Vec<Vec<RawEvent>> {
    vec![
        vec![said("$1", ROOM, ALICE)],
        vec![
            said("$2", ROOM, BOB),
            said("$3", OTHER_ROOM, BOB),
            said("$4", ROOM, ALICE),
            said("$4", ROOM, ALICE),
            said("$5", OTHER_ROOM, BOB),
        ],
        vec![said("$6", OTHER_ROOM, ALICE), said("$7", ROOM, BOB)],
    ]
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn it_leaves_the_rows_that_the_long_way_leaves(pool: PgPool) {
    let store = open(&pool).await;
    in_room(&store, ROOM, &[ANNA, alice()]).await;
    in_room(&store, OTHER_ROOM, &[BERT, alice()]).await;
    for events in talk() {
        assert!(short(&store, events).await);
    }
    let by_the_short_way = rows(&pool).await;
    sqlx::query("DELETE FROM messages").execute(&pool).await.unwrap();
    sqlx::query("UPDATE conversations SET last_sequence = 0, last_message_id = NULL")
        .execute(&pool)
        .await
        .unwrap();
    for events in talk() {
        long(&store, events).await;
    }
    assert_eq!(by_the_short_way.len(), 7);
    assert_eq!(by_the_short_way, rows(&pool).await);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn of_many_one_part_can_be_written_and_the_other_not_and_then_each_is_there_once(pool: PgPool) {
    let store = open(&pool).await;
    in_room(&store, ROOM, &[ANNA, alice()]).await;
    let room = |n: usize| if n.is_multiple_of(2) { ROOM } else { OTHER_ROOM };
    let many = || {
        (0..40)
            .map(|n| said(&format!("${n}"), room(n), ALICE))
            .collect::<Vec<_>>()
    };
    assert_eq!(plain(many()).parts.len(), 2);
    assert!(!short(&store, many()).await, "nobody knows the other room");
    assert_eq!(count(&pool).await, 20);
    in_room(&store, OTHER_ROOM, &[BERT, alice()]).await;
    long(&store, many()).await;
    for (first, of) in [(0, ROOM), (1, OTHER_ROOM)] {
        let said: Vec<(String, i64)> = sqlx::query_as(
            "SELECT m.matrix_event_id, m.sequence_number FROM messages AS m
             JOIN matrix_room_mapping AS r ON r.conversation_id = m.conversation_id
             WHERE r.matrix_room_id = $1 ORDER BY m.sequence_number",
        )
        .bind(of)
        .fetch_all(&pool)
        .await
        .unwrap();
        let expected: Vec<(String, i64)> = (first..40).step_by(2).map(|n| format!("${n}")).zip(1..).collect();
        assert_eq!(said, expected, "{of}");
    }
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn its_connections_are_there_for_others_when_there_are_no_more(pool: PgPool) {
    let two = PgPoolOptions::new()
        .max_connections(2)
        .acquire_timeout(std::time::Duration::from_secs(10))
        .connect_with((*pool.connect_options()).clone())
        .await
        .unwrap();
    let store = open(&two).await;
    in_room(&store, ROOM, &[ANNA, alice()]).await;
    for n in 0..20 {
        let reads = async || drop(store.read().await.unwrap());
        let said = vec![said(&format!("${n}"), ROOM, ALICE)];
        let (is_said, (), ()) = tokio::join!(short(&store, said), reads(), reads());
        assert!(is_said);
        let (_one, _other) = (store.read().await.unwrap(), store.read().await.unwrap());
    }
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn an_event_that_was_seen_in_any_way_is_not_for_it(pool: PgPool) {
    let store = open(&pool).await;
    let id = in_room(&store, ROOM, &[ANNA, alice()]).await;
    assert!(short(&store, vec![said("$said", ROOM, ALICE)]).await);
    let letter = DeadLetter {
        reason: reason::MALFORMED,
        detail: "x".to_owned(),
        room: None,
        event_id: Some("$letter".to_owned()),
        conversation: None,
        payload: to_raw_value("x").unwrap(),
    };
    let effects = Effects {
        processed: vec!["$processed".to_owned()],
        dead_letters: vec![letter],
        ..Effects::default()
    };
    write(&store, id, &effects).await;
    for seen in ["$said", "$letter", "$processed"] {
        assert!(
            !short(&store, vec![said("$new", ROOM, ALICE), said(seen, ROOM, ALICE)]).await,
            "{seen}"
        );
    }
    assert_eq!(count(&pool).await, 1);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_room_that_is_no_current_portal_is_not_for_it(pool: PgPool) {
    let store = open(&pool).await;
    let id = in_room(&store, ROOM, &[ANNA, alice()]).await;
    let both = || vec![said("$1", ROOM, ALICE), said("$2", OTHER_ROOM, ALICE)];
    assert!(!short(&store, both()).await, "unknown");
    let effects = Effects {
        portals: vec![(id, OTHER_ROOM.try_into().unwrap())],
        ..Effects::default()
    };
    write(&store, id, &effects).await;
    assert!(!short(&store, both()).await, "left behind");
    sqlx::query("UPDATE conversations SET deleted_at = now()")
        .execute(&pool)
        .await
        .unwrap();
    assert!(!short(&store, vec![said("$2", OTHER_ROOM, ALICE)]).await, "deleted");
    assert_eq!(count(&pool).await, 0);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_sender_who_is_not_known_is_not_for_it(pool: PgPool) {
    let store = open(&pool).await;
    in_room(&store, ROOM, &[ANNA, alice()]).await;
    assert!(!short(&store, vec![said("$1", ROOM, "@carol:example.org")]).await);
    assert_eq!(count(&pool).await, 0);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn it_waits_for_a_writer_and_counts_on_from_there(pool: PgPool) {
    let store = open(&pool).await;
    let id = in_room(&store, ROOM, &[ANNA, alice()]).await;
    let mut tx = store.begin().await.unwrap();
    let first = say(&mut tx, &store, id, ANNA, "first").await;
    let (done, ()) = tokio::join!(short(&store, vec![said("$1", ROOM, ALICE)]), async {
        until_somebody_waits(&pool).await;
        tx.commit().await.unwrap();
    });
    assert!(done);
    let mut connection = store.read().await.unwrap();
    let page = messages::page(&mut connection, id, messages::Page::After(0), false, 10)
        .await
        .unwrap();
    assert_eq!(page.iter().map(|it| it.sequence).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(page.first().map(|it| it.id), Some(first.id));
    let positions: Vec<bool> = sqlx::query_scalar(
        "SELECT position > lag(position, 1, 0::bigint) OVER (ORDER BY sequence_number) FROM messages",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    assert_eq!(positions, [true, true], "later in the feed, too");
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_room_that_moves_on_while_it_waits_is_noticed(pool: PgPool) {
    let store = open(&pool).await;
    let id = in_room(&store, ROOM, &[ANNA, alice()]).await;
    let mut tx = store.begin().await.unwrap();
    conversations::lock(&mut tx, &[id]).await.unwrap();
    let effects = Effects {
        portals: vec![(id, OTHER_ROOM.try_into().unwrap())],
        ..Effects::default()
    };
    apply(&mut tx, store.clock_base(), &effects, at(2)).await.unwrap();
    let (done, ()) = tokio::join!(short(&store, vec![said("$1", ROOM, ALICE)]), async {
        until_somebody_waits(&pool).await;
        tx.commit().await.unwrap();
    });
    assert!(!done);
    assert_eq!(count(&pool).await, 0);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn what_a_sender_notes_meanwhile_is_noticed_and_nothing_is_written(pool: PgPool) {
    let store = open(&pool).await;
    let id = in_room(&store, ROOM, &[ANNA, alice()]).await;
    let mut tx = store.begin().await.unwrap();
    say(&mut tx, &store, id, ANNA, "mine").await;
    tx.commit().await.unwrap();
    let mut tx = store.begin().await.unwrap();
    sqlx::query("UPDATE messages SET matrix_event_id = '$1'")
        .execute(&mut **tx)
        .await
        .unwrap();
    let (done, ()) = tokio::join!(short(&store, vec![said("$1", ROOM, ALICE)]), async {
        until_somebody_waits(&pool).await;
        tx.commit().await.unwrap();
    });
    assert!(!done);
    assert_eq!(count(&pool).await, 1);
    let number: i64 = sqlx::query_scalar("SELECT last_sequence FROM conversations WHERE id = $1")
        .bind(id.0)
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(number, 1, "no number is lost");
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_connection_that_died_while_it_was_kept_is_replaced_and_the_pool_can_be_closed(pool: PgPool) {
    let store = open(&pool).await;
    in_room(&store, ROOM, &[ANNA, alice()]).await;
    assert!(short(&store, vec![said("$1", ROOM, ALICE)]).await);
    let killed = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
                  WHERE datname = current_database() AND query LIKE 'SELECT say_in_rooms(%'";
    assert_eq!(sqlx::query(killed).execute(&pool).await.unwrap().rows_affected(), 1);
    let again = plain(vec![said("$2", ROOM, ALICE)]);
    let run = store.server().trusted();
    // It was not kept at all where this is slow; otherwise Synapse comes again.
    if let Err(lost) = store.say_in_rooms(&again, at(6), run).await {
        assert!(lost.unavailable() && !lost.refuses_data());
        assert!(store.say_in_rooms(&again, at(6), run).await.unwrap());
    }
    assert_eq!(count(&pool).await, 2);
    // Waits for whatever is kept.
    store.close().await;
}

#[tokio::test]
async fn a_server_that_never_answers_is_waited_for_as_long_as_by_the_pool() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgres://nobody@{}/none", silent.local_addr().unwrap());
    let pool = PgPoolOptions::new()
        .acquire_timeout(std::time::Duration::from_millis(50))
        .connect_lazy(&url)
        .unwrap();
    let store = Store {
        pool,
        server: Server::default(),
        clock_base: 0,
        plain: Kept::default(),
        sealer: Sealer::default(),
    };
    let said = plain(vec![said("$1", ROOM, ALICE)]);
    let lost = store.say_in_rooms(&said, at(6), store.server().trusted());
    let lost = tokio::time::timeout(std::time::Duration::from_secs(20), lost).await;
    assert!(lost.expect("it gives up").unwrap_err().unavailable());
}

/// Asks again until a backend of this database waits for another one.
async fn until_somebody_waits(pool: &PgPool) {
    let mut connection = pool.acquire().await.unwrap();
    loop {
        let waiting: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM pg_stat_activity
                            WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0)",
        )
        .fetch_one(&mut *connection)
        .await
        .unwrap();
        if waiting {
            return;
        }
    }
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn what_somebody_waits_for_is_not_for_it(pool: PgPool) {
    let store = open(&pool).await;
    let id = in_room(&store, ROOM, &[ANNA, alice()]).await;
    let waits = MessageAct::Waits(EarlyAct {
        event: "$reaction".to_owned(),
        target: "$awaited".to_owned(),
        conversation: id,
        sender: alice(),
        at: at(1),
        act: Act::Redact,
    });
    let effects = Effects {
        acts: vec![waits],
        ..Effects::default()
    };
    write(&store, id, &effects).await;
    let both = || vec![said("$1", ROOM, ALICE), said("$awaited", ROOM, ALICE)];
    assert!(!short(&store, both()).await);
    assert_eq!(count(&pool).await, 0);
    assert!(short(&store, vec![said("$1", ROOM, ALICE)]).await);
}
