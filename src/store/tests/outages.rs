//! Which rooms are in doubt, and which events are known for how long.

use super::*;
use crate::store::{conversations, outages};

async fn in_room(store: &Store, room: &str, people: &[UserId], now: Timestamp) -> ConversationId {
    let id = made(store, Kind::Group, people).await;
    let effects = Effects {
        portals: vec![(id, room.try_into().unwrap())],
        ..Effects::default()
    };
    let mut tx = store.begin().await.unwrap();
    conversations::lock(&mut tx, &[id]).await.unwrap();
    apply(&mut tx, store.clock_base(), &effects, now).await.unwrap();
    tx.commit().await.unwrap();
    id
}

async fn doubted(store: &Store, limit: i64) -> Vec<String> {
    let mut connection = store.read().await.unwrap();
    let rooms = outages::doubted(&mut connection, None, &[], limit).await.unwrap();
    rooms.into_iter().map(|it| it.room).collect()
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_room_is_in_doubt_since_the_first_outage_that_it_was_not_looked_into_after(pool: PgPool) {
    let store = open(&pool).await;
    in_room(&store, "!one:example.org", &[ANNA, alice()], at(1)).await;
    assert_eq!(doubted(&store, 9).await, [""; 0], "nothing was away");
    let mut connection = store.read().await.unwrap();
    assert_eq!(outages::note(&mut connection, at(10)).await.unwrap(), 1);
    assert_eq!(outages::note(&mut connection, at(20)).await.unwrap(), 2);
    in_room(&store, "!two:example.org", &[ANNA], at(30)).await;
    assert_eq!(
        doubted(&store, 9).await,
        ["!one:example.org"],
        "a new room lacks nothing"
    );
    let only = ["!one:example.org".to_owned(), "!other:example.org".to_owned()];
    let found = outages::doubted(&mut connection, Some(&only), &[], 9).await.unwrap();
    assert_eq!((found[0].since, found[0].outage), (at(10), 2));
    assert_eq!(found[0].readers, [ANNA], "Alice is not ours");
    assert_eq!(outages::doubted(&mut connection, None, &only, 9).await.unwrap(), []);

    // Somebody looked, and meanwhile something was away again.
    assert_eq!(outages::note(&mut connection, at(40)).await.unwrap(), 3);
    outages::looked_into(&mut connection, "!one:example.org", 2)
        .await
        .unwrap();
    let mut found = outages::doubted(&mut connection, None, &[], 9).await.unwrap();
    found.sort_by(|one, other| one.room.cmp(&other.room));
    assert_eq!(found.iter().map(|it| it.since).collect::<Vec<_>>(), [at(40); 2]);
    for room in found {
        outages::looked_into(&mut connection, &room.room, room.outage)
            .await
            .unwrap();
        outages::looked_into(&mut connection, &room.room, 1).await.unwrap();
    }
    outages::forget(&mut connection, 3).await.unwrap();
    assert_eq!(doubted(&store, 9).await, [""; 0]);
    assert_eq!(
        outages::note(&mut connection, at(50)).await.unwrap(),
        4,
        "no number twice"
    );
    assert_eq!(doubted(&store, 9).await.len(), 2);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_queue_of_many_rooms_survives_whoever_works_on_it(pool: PgPool) {
    let store = open(&pool).await;
    let make = "WITH made AS (
                    INSERT INTO conversations (id, kind, created_by, has_portal, created_at, updated_at)
                    SELECT gen_random_uuid(), 'group', $1, true, now(), now() - n * interval '1 minute'
                    FROM generate_series(1, 1500) AS n RETURNING id
                ), there AS (
                    INSERT INTO conversation_members (conversation_id, user_id, joined_at)
                    SELECT id, $1, now() FROM made
                )
                INSERT INTO matrix_room_mapping (conversation_id, matrix_room_id, created_at, updated_at)
                SELECT id, '!' || id || ':example.org', now(), now() FROM made";
    sqlx::query(make).bind(ANNA.0).execute(&pool).await.unwrap();
    let mut connection = store.read().await.unwrap();
    outages::note(&mut connection, at(10)).await.unwrap();
    drop(connection);
    let mut all = std::collections::BTreeSet::new();
    for turn in 0..15 {
        // Each time somebody else, who knows nothing but the database.
        let store = Store::open(pool.clone()).await.unwrap();
        let rooms = doubted(&store, 100).await;
        assert_eq!(rooms.len(), 100, "{turn}");
        let mut connection = store.read().await.unwrap();
        for room in rooms {
            outages::looked_into(&mut connection, &room, 1).await.unwrap();
            assert!(all.insert(room));
        }
    }
    assert_eq!(all.len(), 1500);
    assert_eq!(doubted(&store, 100).await, [""; 0]);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn an_event_counts_by_the_time_of_our_applying_it(pool: PgPool) {
    let store = open(&pool).await;
    let id = made(&store, Kind::Group, &[ANNA, alice()]).await;
    let stamped = |mut message: NewMessage, event: &str, applied: Timestamp| {
        let millis = u64::try_from(applied.timestamp_millis()).unwrap();
        message.id = MessageId(uuid::Builder::from_unix_timestamp_millis(millis, &[7; 10]).into_uuid());
        message.event_id = Some(event.to_owned());
        // As if its sender's clock were years ahead.
        message.created_at = applied + TimeDelta::days(4000);
        message
    };
    let mut ours = stamped(message(id, ANNA, 3, "ours"), "$ours", at(2));
    ours.delivery = Some(crate::domain::message::Delivery::Sent);
    let effects = Effects {
        messages: vec![
            stamped(message(id, alice(), 1, "early"), "$early", at(0)),
            stamped(message(id, alice(), 2, "late"), "$late", at(100)),
            ours,
        ],
        processed: vec!["$state".to_owned()],
        ..Effects::default()
    };
    let mut tx = store.begin().await.unwrap();
    conversations::lock(&mut tx, &[id]).await.unwrap();
    apply(&mut tx, store.clock_base(), &effects, at(60)).await.unwrap();
    tx.commit().await.unwrap();
    let events = ["$early", "$late", "$ours", "$state", "$never"].map(str::to_owned);
    let known = async |before| {
        let mut connection = store.read().await.unwrap();
        let known = outages::known(&mut connection, &events, before).await.unwrap();
        events.each_ref().map(|event| known.get(event).copied())
    };
    let (yes, no) = (Some(true), Some(false));
    assert_eq!(known(at(50)).await, [yes, no, no, no, None]);
    assert_eq!(known(at(90)).await, [yes, no, no, yes, None]);
    // A message of ours may have waited; its echo tells.
    assert_eq!(known(at(90_000)).await, [yes, yes, yes, yes, None]);
    sqlx::query("INSERT INTO processed_events VALUES ('$ours', $1)")
        .bind(at(3))
        .execute(&pool)
        .await
        .unwrap();
    assert_eq!(known(at(50)).await, [yes, no, yes, no, None]);
}
