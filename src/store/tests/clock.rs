//! The feed's clock: stable while the database is the same, never backwards.

use super::*;
use crate::store::feed;

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn the_clock_is_the_same_after_opening_again(pool: PgPool) {
    let store = open(&pool).await;
    let id = made(&store, Kind::Direct, &[ANNA, alice()]).await;
    let mut tx = store.begin().await.unwrap();
    say(&mut tx, &store, id, ANNA, "something").await;
    tx.commit().await.unwrap();
    for _ in 0..3 {
        assert_eq!(
            Store::open(pool.clone()).await.unwrap().clock_base(),
            store.clock_base()
        );
    }
}

/// Moves what was written ahead of the cluster's transaction counter, as in a database that was restored elsewhere, and
/// says how far ahead the next entry then is.
async fn restored(pool: &PgPool, ahead: &str) -> i64 {
    let store = open(pool).await;
    let id = made(&store, Kind::Direct, &[ANNA, alice()]).await;
    let mut tx = store.begin().await.unwrap();
    say(&mut tx, &store, id, ANNA, "before").await;
    tx.commit().await.unwrap();
    sqlx::query(sqlx::AssertSqlSafe(ahead.to_owned()))
        .execute(pool)
        .await
        .unwrap();
    let again = Store::open(pool.clone()).await.unwrap();
    let mut tx = again.begin().await.unwrap();
    say(&mut tx, &again, id, ANNA, "after").await;
    tx.commit().await.unwrap();
    let newest: i64 = sqlx::query_scalar("SELECT position FROM messages WHERE content = 'after'")
        .fetch_one(pool)
        .await
        .unwrap();
    newest - store.clock_base()
}

const FAR: i64 = 1_000_000_000;

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn entries_ahead_of_the_counter_move_the_clock_forward(pool: PgPool) {
    let position = restored(
        &pool,
        "INSERT INTO conversation_feed (position, n, conversation_id, payload, created_at)
         SELECT position + 1000000000, n, conversation_id, '{}', came_at FROM messages",
    )
    .await;
    assert!(position > FAR);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn messages_ahead_of_the_counter_move_the_clock_as_well(pool: PgPool) {
    let position = restored(&pool, "UPDATE messages SET position = position + 1000000000").await;
    assert!(position > FAR);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn entries_that_were_pruned_move_the_clock_as_well(pool: PgPool) {
    let pruned = "UPDATE feed_clock SET pruned = base + 1000000000 + pg_current_xact_id()::text::bigint";
    let position = restored(&pool, pruned).await;
    assert!(position > FAR);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn what_was_acknowledged_moves_the_clock_as_well(pool: PgPool) {
    let floor =
        "INSERT INTO feed_floors SELECT gen_random_uuid(), base + 1000000000 + pg_current_xact_id()::text::bigint, 0
                 FROM feed_clock";
    let position = restored(&pool, floor).await;
    assert!(position > FAR);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn the_database_answers_and_lacks_no_step(pool: PgPool) {
    crate::store::ping(&pool).await.unwrap();
    crate::store::migrate(&pool).await.unwrap();
    let store = open(&pool).await;
    assert!(store.pool_use().0 >= 1);
    let mut connection = store.read().await.unwrap();
    assert_eq!(feed::pruned(&mut connection).await.unwrap(), 0);
    drop(connection);
    store.close().await;
    assert!(store.begin().await.is_err());
}
