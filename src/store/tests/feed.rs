//! Reading the feed, acknowledging it, and dropping what is old.

use super::*;
use crate::domain::feed::{Change, Cursor, FeedEvent, UpdatedField};
use crate::store::feed;

fn updated(by: UserId) -> Change {
    Change::Updated {
        by,
        fields: vec![UpdatedField::Name],
    }
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn entries_come_back_as_they_were_written_and_in_their_order(pool: PgPool) {
    let store = open(&pool).await;
    let id = made(&store, Kind::Direct, &[ANNA, alice()]).await;
    let said = message(id, ANNA, 1, "hello");
    let mut effects = saying(vec![said.clone()]);
    effects.feed.push(NewEntry::change(id, updated(ANNA)));
    write(&store, id, &effects).await;
    let mut connection = store.read().await.unwrap();
    let entries = whole_feed(&mut connection).await;
    assert_eq!(entries.len(), 2);
    let (first, second) = (&entries[0], &entries[1]);
    assert!(matches!(&first.event, FeedEvent::Message(it) if it.id == said.id && it.text == said.text));
    assert_eq!(second.event, FeedEvent::Change(updated(ANNA)));
    assert_eq!(
        (first.cursor.position, first.cursor.n, second.cursor.n),
        (second.cursor.position, 0, 1)
    );
    assert_eq!((first.conversation, first.audience, first.at), (id, None, at(1)));
    let rest = feed_after(&mut connection, first.cursor, 10).await;
    assert_eq!(rest.entries, entries[1..]);
    let none = feed_after(&mut connection, second.cursor, 10).await;
    assert_eq!((none.entries.len(), none.last, none.full), (0, None, false));
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_person_reads_what_is_theirs_and_nothing_else(pool: PgPool) {
    let store = open(&pool).await;
    let ours = made(&store, Kind::Direct, &[ANNA, alice()]).await;
    let theirs = made(&store, Kind::Direct, &[BERT, alice()]).await;
    let group = made(&store, Kind::Group, &[ANNA, BERT]).await;
    write(&store, ours, &saying(vec![message(ours, ANNA, 1, "ours")])).await;
    write(&store, theirs, &saying(vec![message(theirs, BERT, 1, "theirs")])).await;
    let private = Effects {
        feed: vec![
            NewEntry::change(group, updated(ANNA)),
            NewEntry::change(group, updated(ANNA)).only_for(ANNA),
            NewEntry::change(group, updated(BERT)).only_for(BERT),
        ],
        ..Effects::default()
    };
    write(&store, group, &private).await;
    let mut connection = store.read().await.unwrap();
    let read = async |connection: &mut Session, user, only, limit| {
        let entries = feed::of_user(connection, user, only, Cursor::default(), i64::MAX, limit)
            .await
            .unwrap()
            .entries;
        entries
            .into_iter()
            .map(|entry| (entry.conversation, entry.cursor.n))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        read(&mut connection, ANNA, None, 10).await,
        [(ours, 0), (group, 0), (group, 1)]
    );
    assert_eq!(
        read(&mut connection, BERT, None, 10).await,
        [(theirs, 0), (group, 0), (group, 2)]
    );
    assert_eq!(
        read(&mut connection, ANNA, Some(group), 10).await,
        [(group, 0), (group, 1)]
    );
    assert_eq!(read(&mut connection, ANNA, Some(theirs), 10).await, []);
    assert_eq!(read(&mut connection, ANNA, None, 1).await, [(ours, 0)]);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn who_is_only_invited_reads_nothing(pool: PgPool) {
    let store = open(&pool).await;
    let invited = place(Role::Member, Membership::Invited);
    let group = conversation(Kind::Group, &[(ANNA, JOINED), (BERT, invited)]);
    write(&store, group.id, &making(&group)).await;
    write(&store, group.id, &saying(vec![message(group.id, ANNA, 1, "x")])).await;
    let mut connection = store.read().await.unwrap();
    let entries = feed::of_user(&mut connection, BERT, None, Cursor::default(), i64::MAX, 10)
        .await
        .unwrap()
        .entries;
    assert!(entries.is_empty());
}

fn cursor(position: i64, n: i32) -> Cursor {
    Cursor { position, n }
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn acknowledgements_count_above_the_floor_and_are_forgotten_below(pool: PgPool) {
    let store = open(&pool).await;
    let mut connection = store.read().await.unwrap();
    feed::acknowledge(&mut connection, ANNA, cursor(20, 0)).await.unwrap();
    let asked = [cursor(5, 0), cursor(20, 0), cursor(20, 1), cursor(30, 0)];
    assert_eq!(
        feed::acknowledged(&mut connection, ANNA, &asked).await.unwrap(),
        [],
        "without a floor there is none"
    );
    assert_eq!(
        feed::floor(&mut connection, ANNA, cursor(10, 3)).await.unwrap(),
        cursor(10, 3)
    );
    assert_eq!(
        feed::floor(&mut connection, ANNA, cursor(99, 0)).await.unwrap(),
        cursor(10, 3),
        "set once"
    );
    for it in [cursor(5, 0), cursor(10, 3), cursor(20, 0), cursor(20, 0), cursor(30, 0)] {
        feed::acknowledge(&mut connection, ANNA, it).await.unwrap();
    }
    let mut acknowledged = feed::acknowledged(&mut connection, ANNA, &asked).await.unwrap();
    acknowledged.sort_unstable();
    assert_eq!(acknowledged, [cursor(20, 0), cursor(30, 0)]);
    assert!(
        feed::acknowledged(&mut connection, BERT, &asked)
            .await
            .unwrap()
            .is_empty()
    );
    feed::raise_floor(&mut connection, ANNA, cursor(20, 5)).await.unwrap();
    assert_eq!(
        feed::acknowledged(&mut connection, ANNA, &asked).await.unwrap(),
        [cursor(30, 0)]
    );
    feed::raise_floor(&mut connection, ANNA, cursor(15, 0)).await.unwrap();
    assert_eq!(
        feed::floor(&mut connection, ANNA, cursor(0, 0)).await.unwrap(),
        cursor(20, 5),
        "it never falls"
    );
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn two_first_connections_at_once_get_the_same_floor(pool: PgPool) {
    let store = open(&pool).await;
    let mut first = store.begin().await.unwrap();
    feed::floor(&mut first, ANNA, cursor(10, 0)).await.unwrap();
    let mut second = store.begin().await.unwrap();
    let waiting = pid(&mut second).await;
    let (floor, ()) = tokio::join!(feed::floor(&mut second, ANNA, cursor(11, 0)), async {
        until_blocked(&pool, waiting).await;
        first.commit().await.unwrap();
    });
    assert_eq!(floor.unwrap(), cursor(10, 0));
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn what_is_old_is_dropped_and_the_feed_says_from_where_on_it_is_whole(pool: PgPool) {
    let store = open(&pool).await;
    let id = made(&store, Kind::Direct, &[ANNA, alice()]).await;
    let mut connection = store.read().await.unwrap();
    assert_eq!(feed::prune(&mut connection, at(0)).await.unwrap(), 0);
    for sequence in 1..=3 {
        let mut tx = store.begin().await.unwrap();
        crate::store::conversations::lock(&mut tx, &[id]).await.unwrap();
        let mut effects = saying(vec![message(id, ANNA, sequence, "x")]);
        effects.processed.push(format!("$event{sequence}"));
        apply(&mut tx, store.clock_base(), &effects, at(sequence * 10))
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }
    let entries = whole_feed(&mut connection).await;
    let cursors: Vec<Cursor> = entries.iter().map(|entry| entry.cursor).collect();
    feed::floor(&mut connection, ANNA, Cursor::default()).await.unwrap();
    for it in &cursors {
        feed::acknowledge(&mut connection, ANNA, *it).await.unwrap();
    }
    assert_eq!(feed::prune(&mut connection, at(25)).await.unwrap(), 2);
    let pruned = feed::pruned(&mut connection).await.unwrap();
    assert_eq!(pruned, cursors[1].position + 1);
    let left = whole_feed(&mut connection).await;
    assert_eq!(left, entries[2..]);
    assert_eq!(
        feed::acknowledged(&mut connection, ANNA, &cursors).await.unwrap(),
        cursors[2..]
    );
    assert_eq!(feed::prune(&mut connection, at(25)).await.unwrap(), 0);
    assert_eq!(feed::pruned(&mut connection).await.unwrap(), pruned);
    let remembered: Vec<String> = sqlx::query_scalar("SELECT event_id FROM processed_events")
        .fetch_all(&mut *connection)
        .await
        .unwrap();
    assert_eq!(remembered, ["$event3"]);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn an_entry_that_cannot_be_read_is_skipped_and_counts_for_the_page(pool: PgPool) {
    let store = open(&pool).await;
    let id = made(&store, Kind::Direct, &[ANNA, alice()]).await;
    for sequence in 1..=3 {
        write(&store, id, &saying(vec![message(id, ANNA, sequence, "x")])).await;
    }
    let spoil =
        "WITH it AS (UPDATE messages SET n = NULL WHERE sequence_number = 2 RETURNING position, conversation_id)
                 INSERT INTO conversation_feed (position, n, conversation_id, payload, created_at)
                 SELECT position, 0, conversation_id, '{\"type\":\"newer\"}', now() FROM it";
    sqlx::query(spoil).execute(&pool).await.unwrap();
    let mut connection = store.read().await.unwrap();
    whole_feed(&mut connection).await;
    let mut cursor = Cursor::default();
    let mut read = Vec::new();
    for (limit, left) in [(2, true), (2, false)] {
        let all = feed_after(&mut connection, cursor, limit).await;
        let own = feed::of_user(&mut connection, ANNA, None, cursor, i64::MAX, limit)
            .await
            .unwrap();
        assert_eq!((&all.entries, all.last, all.full), (&own.entries, own.last, own.full));
        assert_eq!(all.full, left);
        cursor = all.last.unwrap();
        read.extend(all.entries);
    }
    let numbers: Vec<i64> = read
        .iter()
        .map(|entry| match &entry.event {
            FeedEvent::Message(message) => message.sequence,
            FeedEvent::Edited { .. } | FeedEvent::Requested { .. } | FeedEvent::Change(_) => 0,
        })
        .collect();
    assert_eq!(numbers, [1, 3]);
}
