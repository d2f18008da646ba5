//! Two writers of one conversation.

use super::*;
use crate::domain::feed::FeedEvent;

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn the_second_writer_waits_and_gets_the_next_number_and_a_later_position(pool: PgPool) {
    let store = open(&pool).await;
    let id = made(&store, Kind::Direct, &[ANNA, alice()]).await;
    let mut first = store.begin().await.unwrap();
    let one = say(&mut first, &store, id, ANNA, "one").await;
    let mut second = store.begin().await.unwrap();
    let waiting = pid(&mut second).await;
    let (two, ()) = tokio::join!(
        async {
            let two = say(&mut second, &store, id, ANNA, "two").await;
            second.commit().await.unwrap();
            two
        },
        async {
            until_blocked(&pool, waiting).await;
            first.commit().await.unwrap();
        }
    );
    assert_eq!((one.sequence, two.sequence), (1, 2));
    assert_eq!(told(&store).await, [one.id, two.id]);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn the_order_of_the_feed_is_that_of_the_locks_even_if_the_later_transaction_began_first(pool: PgPool) {
    let store = open(&pool).await;
    let id = made(&store, Kind::Direct, &[ANNA, alice()]).await;
    let mut early = store.begin().await.unwrap();
    sqlx::query("SELECT 1").execute(&mut **early).await.unwrap();
    let mut late = store.begin().await.unwrap();
    let one = say(&mut late, &store, id, ANNA, "one").await;
    late.commit().await.unwrap();
    let two = say(&mut early, &store, id, ANNA, "two").await;
    early.commit().await.unwrap();
    assert_eq!(told(&store).await, [one.id, two.id]);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_writer_that_gives_up_leaves_no_gap(pool: PgPool) {
    let store = open(&pool).await;
    let id = made(&store, Kind::Direct, &[ANNA, alice()]).await;
    let mut tx = store.begin().await.unwrap();
    say(&mut tx, &store, id, ANNA, "never said").await;
    tx.rollback().await.unwrap();
    let mut tx = store.begin().await.unwrap();
    assert_eq!(say(&mut tx, &store, id, ANNA, "said").await.sequence, 1);
    tx.commit().await.unwrap();
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn two_writers_that_lock_the_same_conversations_never_wait_for_each_other(pool: PgPool) {
    let store = open(&pool).await;
    let ids: Vec<ConversationId> = (0..20).map(|_| ConversationId(Uuid::now_v7())).collect();
    let reversed: Vec<ConversationId> = ids.iter().rev().copied().collect();
    let writer = |ids: Vec<ConversationId>| {
        let store = store.clone();
        async move {
            for _ in 0..50 {
                let mut tx = store.begin().await.unwrap();
                crate::store::conversations::lock(&mut tx, &ids).await.unwrap();
                tx.commit().await.unwrap();
            }
        }
    };
    tokio::join!(writer(ids), writer(reversed));
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn people_are_written_in_one_order_whatever_order_they_come_in(pool: PgPool) {
    let store = open(&pool).await;
    let mut people = [
        matrix_user("@x:example.org", Some("X")),
        matrix_user("@y:example.org", Some("Y")),
    ];
    people.sort_by_key(|person| person.id);
    let [lesser, greater] = people;
    let mut first = store.begin().await.unwrap();
    crate::store::people::know(&mut first, &[], std::slice::from_ref(&lesser), at(1))
        .await
        .unwrap();
    let mut second = store.begin().await.unwrap();
    let waiting = pid(&mut second).await;
    let both = [greater.clone(), lesser];
    let (known, ()) = tokio::join!(crate::store::people::know(&mut second, &[], &both, at(1)), async {
        until_blocked(&pool, waiting).await;
        // The one that waits has not touched the other row, so this does not wait for it.
        crate::store::people::know(&mut first, &[], std::slice::from_ref(&greater), at(1))
            .await
            .unwrap();
        first.commit().await.unwrap();
    });
    known.unwrap();
}

/// The messages of the feed, in its order.
async fn told(store: &Store) -> Vec<MessageId> {
    let mut connection = store.read().await.unwrap();
    let entries = whole_feed(&mut connection).await;
    entries
        .into_iter()
        .filter_map(|entry| match entry.event {
            FeedEvent::Message(message) => Some(message.id),
            FeedEvent::Edited { .. } | FeedEvent::Requested { .. } | FeedEvent::Change(_) => None,
        })
        .collect()
}
