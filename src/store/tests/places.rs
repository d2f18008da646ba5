//! Messages carry their own place in the feed.

use super::*;
use crate::domain::feed::{Change, Cursor, FeedEntry, UpdatedField};
use crate::store::feed;

fn changed(id: ConversationId) -> NewEntry {
    let fields = vec![UpdatedField::Name];
    NewEntry::change(id, Change::Updated { by: ANNA, fields })
}

/// A conversation in which messages, changes and both were written, one to three messages at a time.
async fn lively(store: &Store) -> ConversationId {
    let id = made(store, Kind::Direct, &[ANNA, alice()]).await;
    let mut sequence = 0;
    for turn in 0..12 {
        let mut messages = Vec::new();
        for _ in 0..turn % 4 {
            sequence += 1;
            messages.push(message(id, ANNA, sequence, "x"));
        }
        let mut effects = saying(messages);
        let middle = effects.feed.len() / 2;
        effects.feed.insert(middle, changed(id));
        write(store, id, &effects).await;
    }
    id
}

async fn read(connection: &mut Session, only: Option<ConversationId>, after: Cursor, limit: i64) -> Vec<FeedEntry> {
    feed::of_user(connection, ANNA, only, after, i64::MAX, limit)
        .await
        .unwrap()
        .entries
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn they_come_in_order_with_all_else_from_wherever_one_begins(pool: PgPool) {
    let store = open(&pool).await;
    let other = made(&store, Kind::Group, &[ANNA, BERT]).await;
    write(&store, other, &saying(vec![message(other, ANNA, 1, "x")])).await;
    let id = lively(&store).await;
    let mut connection = store.read().await.unwrap();
    let all = whole_feed(&mut connection).await;
    assert_eq!(all.len(), 1 + 18 + 12);
    assert!(all.is_sorted_by_key(|entry| entry.cursor));
    for (place, entry) in all.iter().enumerate() {
        let later = &all[place + 1..];
        let ours: Vec<_> = later.iter().filter(|it| it.conversation == id).cloned().collect();
        assert_eq!(read(&mut connection, None, entry.cursor, 100).await, later);
        assert_eq!(read(&mut connection, Some(id), entry.cursor, 100).await, ours);
        let few = ours.len().min(3);
        assert_eq!(read(&mut connection, Some(id), entry.cursor, 3).await, ours[..few]);
        let page = feed_after(&mut connection, entry.cursor, 3).await;
        assert_eq!(page.entries, later[..later.len().min(3)]);
    }
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn what_was_said_before_they_did_is_still_in_the_feed(pool: PgPool) {
    let store = open(&pool).await;
    let id = lively(&store).await;
    let mut connection = store.read().await.unwrap();
    let all = whole_feed(&mut connection).await;
    // As the migration found them: a place in the table of the feed, none of their own.
    let before = "WITH old AS (
                      INSERT INTO conversation_feed (position, n, conversation_id, message_id, created_at)
                      SELECT position, n, conversation_id, id, came_at FROM messages WHERE sequence_number <= 7
                      RETURNING message_id)
                  UPDATE messages SET position = NULL, n = NULL, came_at = NULL FROM old WHERE id = old.message_id";
    sqlx::query(before).execute(&pool).await.unwrap();
    assert_eq!(whole_feed(&mut connection).await, all);
    for (place, entry) in all.iter().enumerate() {
        assert_eq!(
            read(&mut connection, Some(id), entry.cursor, 100).await,
            all[place + 1..]
        );
    }
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn the_search_for_a_place_ends_at_it(pool: PgPool) {
    let store = open(&pool).await;
    let id = lively(&store).await;
    let places: Vec<(i64, i64, i32)> =
        sqlx::query_as("SELECT sequence_number, position, n FROM messages ORDER BY sequence_number")
            .fetch_all(&pool)
            .await
            .unwrap();
    let until = async |position: i64, n: i32| -> i64 {
        sqlx::query_scalar("SELECT said_until($1, $2, $3)")
            .bind(id.0)
            .bind(position)
            .bind(n)
            .fetch_one(&pool)
            .await
            .unwrap()
    };
    for (sequence, position, n) in places {
        assert_eq!(until(position, n).await, sequence);
        assert_eq!(until(position, n - 1).await, sequence - 1);
    }
    assert_eq!(until(0, 0).await, 0);
    assert_eq!(until(i64::MAX, 0).await, 18);
}
