//! Messages: pages, keys, and their way to Matrix.

use super::*;
use crate::domain::ids::OutboxId;
use crate::domain::job::{Job, Lane, NewJob};
use crate::domain::message::{Delivery, Style};
use crate::store::messages::{self, Page};

async fn said(store: &Store, count: i64) -> (ConversationId, Vec<NewMessage>) {
    let id = made(store, Kind::Direct, &[ANNA, alice()]).await;
    let all: Vec<NewMessage> = (1..=count)
        .map(|n| message(id, ANNA, n, &format!("message {n}")))
        .collect();
    write(store, id, &saying(all.clone())).await;
    (id, all)
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn pages_are_in_the_order_of_saying_from_wherever_they_start(pool: PgPool) {
    let store = open(&pool).await;
    let (id, _) = said(&store, 5).await;
    let mut connection = store.read().await.unwrap();
    for (page, expected) in [
        (Page::Newest { offset: 0 }, vec![4, 5]),
        (Page::Newest { offset: 3 }, vec![1, 2]),
        (Page::Newest { offset: 9 }, vec![]),
        (Page::Before(3), vec![1, 2]),
        (Page::Before(1), vec![]),
        (Page::After(3), vec![4, 5]),
        (Page::After(5), vec![]),
    ] {
        let numbers: Vec<i64> = messages::page(&mut connection, id, page, false, 2)
            .await
            .unwrap()
            .iter()
            .map(|message| message.sequence)
            .collect();
        assert_eq!(numbers, expected, "{page:?}");
    }
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_message_comes_back_whole(pool: PgPool) {
    let store = open(&pool).await;
    let id = made(&store, Kind::Direct, &[ANNA, alice()]).await;
    let written = NewMessage {
        text: Text {
            style: Style::Emote,
            plain: "wäves 👋\nand more".to_owned(),
            formatted: Some("<b>wäves</b>".to_owned()),
            everybody: false,
            media: None,
        },
        event_id: Some("$event".to_owned()),
        idempotency_key: Some("key".to_owned()),
        delivery: Some(Delivery::Pending),
        ..message(id, ANNA, 1, "")
    };
    write(&store, id, &saying(vec![written.clone()])).await;
    let mut connection = store.read().await.unwrap();
    let found = messages::find(&mut connection, written.id).await.unwrap().unwrap();
    assert_eq!((&found.text, found.sequence, found.version), (&written.text, 1, 1));
    assert_eq!(
        (found.event_id.as_deref(), found.delivery),
        (Some("$event"), Some(Delivery::Pending))
    );
    assert_eq!((found.sender, found.created_at), (ANNA, written.created_at));
    let by_key = messages::by_idempotency_key(&mut connection, ANNA, "key")
        .await
        .unwrap();
    assert_eq!(by_key, Some(found));
    assert_eq!(
        messages::by_idempotency_key(&mut connection, BERT, "key")
            .await
            .unwrap(),
        None
    );
    assert_eq!(
        messages::find(&mut connection, MessageId(Uuid::nil())).await.unwrap(),
        None
    );
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn keys_events_and_numbers_are_used_once(pool: PgPool) {
    let store = open(&pool).await;
    let id = made(&store, Kind::Direct, &[ANNA, alice()]).await;
    let first = NewMessage {
        event_id: Some("$event".to_owned()),
        idempotency_key: Some("key".to_owned()),
        ..message(id, ANNA, 1, "first")
    };
    write(&store, id, &saying(vec![first])).await;
    let again = message(id, ANNA, 2, "again");
    let event_id = Some("$event".to_owned());
    let idempotency_key = Some("key".to_owned());
    for (other, key) in [
        (
            NewMessage {
                event_id,
                ..again.clone()
            },
            "messages_by_event",
        ),
        (
            NewMessage {
                idempotency_key,
                ..again.clone()
            },
            "messages_by_idempotency_key",
        ),
        (
            NewMessage { sequence: 1, ..again },
            "messages_conversation_id_sequence_number_key",
        ),
    ] {
        let mut tx = store.begin().await.unwrap();
        let error = apply(&mut tx, store.clock_base(), &saying(vec![other]), at(0))
            .await
            .unwrap_err();
        assert_eq!(error.conflict(), Some(key));
    }
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn delivery_goes_on_until_the_message_is_in_the_room(pool: PgPool) {
    let store = open(&pool).await;
    let (_, all) = said(&store, 1).await;
    let id = all[0].id;
    let mut connection = store.read().await.unwrap();
    for (delivery, event, news) in [
        (Delivery::Pending, None, true),
        (Delivery::Retrying, None, true),
        (Delivery::Retrying, None, false),
        (Delivery::Failed, None, true),
        (Delivery::Pending, None, true),
        (Delivery::Sent, Some("$1"), true),
        (Delivery::Sent, Some("$2"), false),
        (Delivery::Failed, None, false),
    ] {
        assert_eq!(
            messages::set_delivery(&mut connection, id, delivery, event)
                .await
                .unwrap(),
            news,
            "{delivery:?}"
        );
    }
    let found = messages::find(&mut connection, id).await.unwrap().unwrap();
    assert_eq!(
        (found.delivery, found.event_id.as_deref()),
        (Some(Delivery::Sent), Some("$1"))
    );
    let nobody = MessageId(Uuid::nil());
    assert!(
        !messages::set_delivery(&mut connection, nobody, Delivery::Sent, None)
            .await
            .unwrap()
    );
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn everything_that_waits_in_a_lane_is_delayed_once(pool: PgPool) {
    let store = open(&pool).await;
    let id = made(&store, Kind::Direct, &[ANNA, alice()]).await;
    let mut all: Vec<NewMessage> = (1..=3).map(|n| message(id, ANNA, n, "x")).collect();
    for waiting in &mut all {
        waiting.delivery = Some(Delivery::Pending);
    }
    let mut effects = saying(all.clone());
    let lane = Lane::Conversation(id);
    effects.jobs = [None, Some(all[0].id), Some(all[1].id)]
        .map(|message| NewJob {
            id: OutboxId(Uuid::now_v7()),
            lane,
            actor: ANNA,
            message,
            job: Job::CreateRoom,
        })
        .into();
    write(&store, id, &effects).await;
    let mut connection = store.read().await.unwrap();
    let delayed = messages::delayed(&mut connection, lane.key()).await.unwrap();
    assert_eq!(delayed, [(all[0].id, ANNA), (all[1].id, ANNA)]);
    assert!(messages::delayed(&mut connection, lane.key()).await.unwrap().is_empty());
}
