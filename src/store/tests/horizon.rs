//! How far the feed is complete, while others write.

use std::collections::BTreeSet;

use super::*;
use crate::domain::feed::{Cursor, FeedEvent};
use crate::store::feed;

async fn position(tx: &mut Tx, store: &Store) -> i64 {
    let xid: i64 = sqlx::query_scalar("SELECT pg_current_xact_id()::text::bigint")
        .fetch_one(&mut ***tx)
        .await
        .unwrap();
    store.clock_base() + xid
}

/// Asks again until the feed is complete beyond a position: other tests' transactions may hold it back for a moment.
async fn until_beyond(store: &Store, position: i64) {
    let mut connection = store.read().await.unwrap();
    while store.feed_horizon(&mut connection).await.unwrap().position <= position {}
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn an_open_writer_holds_the_feed_back_until_it_ends(pool: PgPool) {
    let store = open(&pool).await;
    let id = made(&store, Kind::Direct, &[ANNA, alice()]).await;
    let mut tx = store.begin().await.unwrap();
    say(&mut tx, &store, id, ANNA, "soon").await;
    let open = position(&mut tx, &store).await;
    let other = made(&store, Kind::Direct, &[BERT, alice()]).await;
    let mut later = store.begin().await.unwrap();
    say(&mut later, &store, other, BERT, "sooner").await;
    let committed = position(&mut later, &store).await;
    later.commit().await.unwrap();
    let mut connection = store.read().await.unwrap();
    let horizon = store.feed_horizon(&mut connection).await.unwrap();
    assert!(horizon.held && horizon.position <= open && open < committed);
    let (seen, held) = feed::after(&mut connection, Cursor::default(), 10).await.unwrap();
    assert!(
        held && seen.entries.is_empty(),
        "what was committed above the open one waits for it"
    );
    drop(connection);
    tx.commit().await.unwrap();
    until_beyond(&store, committed).await;
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_long_transaction_of_somebody_else_does_not_hold_the_feed_back(pool: PgPool) {
    let store = open(&pool).await;
    let id = made(&store, Kind::Direct, &[ANNA, alice()]).await;
    let mut foreign = store.begin().await.unwrap();
    sqlx::query("CREATE TABLE foreign_work (n integer)")
        .execute(&mut **foreign)
        .await
        .unwrap();
    let before = position(&mut foreign, &store).await;
    let mut tx = store.begin().await.unwrap();
    say(&mut tx, &store, id, ANNA, "now").await;
    let said = position(&mut tx, &store).await;
    tx.commit().await.unwrap();
    assert!(before < said);
    until_beyond(&store, said).await;
    foreign.rollback().await.unwrap();
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_writer_that_has_only_locked_yet_holds_nothing_back_and_writes_above_the_horizon(pool: PgPool) {
    let store = open(&pool).await;
    let id = made(&store, Kind::Direct, &[ANNA, alice()]).await;
    let mut tx = store.begin().await.unwrap();
    crate::store::conversations::lock(&mut tx, &[id]).await.unwrap();
    let mut connection = store.read().await.unwrap();
    let horizon = store.feed_horizon(&mut connection).await.unwrap();
    say(&mut tx, &store, id, ANNA, "later").await;
    assert!(position(&mut tx, &store).await >= horizon.position);
}

/// A small generator, so that a run can be repeated.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

const WRITERS: usize = 3;
const ROUNDS: i64 = 40;

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_tail_records_everything_once_and_in_order_while_writers_commit_in_any_order(pool: PgPool) {
    let store = open(&pool).await;
    let mut ids = Vec::new();
    for users in [[ANNA, alice()], [BERT, alice()], [ANNA, BERT]] {
        ids.push(made(&store, Kind::Direct, &users).await);
    }
    let writer = |seed: u64| {
        let (store, ids) = (store.clone(), ids.clone());
        async move {
            let mut dice = Dice(seed);
            for _ in 0..ROUNDS {
                let index = usize::try_from(dice.below(3)).unwrap();
                let sender = [ANNA, BERT, ANNA][index];
                let mut tx = store.begin().await.unwrap();
                say(&mut tx, &store, ids[index], sender, "x").await;
                for _ in 0..dice.below(4) {
                    // Others get their turn while this one is open.
                    sqlx::query("SELECT 1").execute(&mut **tx).await.unwrap();
                    tokio::task::yield_now().await;
                }
                if dice.below(5) == 0 {
                    tx.rollback().await.unwrap();
                } else {
                    tx.commit().await.unwrap();
                }
            }
        }
    };
    let done = tokio_util::sync::CancellationToken::new();
    let tail = async {
        let mut record: Vec<(Cursor, ConversationId, i64)> = Vec::new();
        let mut cursor = Cursor::default();
        loop {
            // Asked before reading: when all had ended by then, what is read now is all there is.
            let finished = done.is_cancelled();
            let mut connection = store.read().await.unwrap();
            let (page, _) = feed::after(&mut connection, cursor, 7).await.unwrap();
            for entry in page.entries {
                cursor = entry.cursor;
                if let FeedEvent::Message(message) = entry.event {
                    record.push((cursor, entry.conversation, message.sequence));
                }
            }
            let said: i64 = sqlx::query_scalar("SELECT count(*) FROM messages")
                .fetch_one(&mut *connection)
                .await
                .unwrap();
            if finished && i64::try_from(record.len()).unwrap() == said {
                return record;
            }
        }
    };
    let writers = async {
        let seeds: [u64; WRITERS] = [3, 5, 7];
        futures_util::future::join_all(seeds.map(writer)).await;
        done.cancel();
    };
    let (record, ()) = tokio::join!(tail, writers);
    assert!(record.is_sorted_by(|one, two| one.0 < two.0), "each once, in order");
    for id in ids {
        let numbers: Vec<i64> = record.iter().filter(|it| it.1 == id).map(|it| it.2).collect();
        let all = 1..=i64::try_from(numbers.len()).unwrap();
        assert_eq!(
            numbers,
            all.collect::<Vec<_>>(),
            "each conversation in its own order, without a gap"
        );
    }
    let cursors: BTreeSet<Cursor> = record.iter().map(|it| it.0).collect();
    assert_eq!(cursors.len(), record.len());
}
