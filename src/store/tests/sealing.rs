//! Texts are sealed in the database and open above it; keys are registered, changed and forgotten.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::*;
use crate::domain::ids::OutboxId;
use crate::domain::ingest::{DeadLetter, reason};
use crate::domain::job::{Job, Lane, NewJob};
use crate::domain::random::SystemRandom;
use crate::seal::{Key, Keyring, fresh};
use crate::store::connect::ConnectError;
use crate::store::messages::{self, Page};
use crate::store::nodes::Presence;
use crate::store::reseal::{Column, Step, step};
use crate::store::{Sealer, dead_letters, keys, outbox};

/// Keys, each made of its own byte.
fn sealer(ids: &[(&str, u8)]) -> Sealer {
    let key = |(id, byte): &(&str, u8)| Key::parse(id, &fresh([*byte; 32])).unwrap();
    Sealer::new(
        Keyring::new(ids.iter().map(key).collect()).unwrap(),
        Arc::new(SystemRandom),
    )
}

async fn stored(pool: &PgPool, id: MessageId) -> String {
    let content = sqlx::query_scalar("SELECT content FROM messages WHERE id = $1").bind(id.0);
    content.fetch_one(pool).await.unwrap()
}

async fn texts(store: &Store, id: ConversationId) -> Vec<String> {
    let mut connection = store.read().await.unwrap();
    let page = messages::page(&mut connection, id, Page::Newest { offset: 0 }, false, 99).await;
    page.unwrap().into_iter().map(|message| message.text.plain).collect()
}

/// Seals all of a column, in one round.
async fn reseal(store: &Store, column: Column) -> Step {
    let mut connection = store.read().await.unwrap();
    let mut all = step(&mut connection, column, None).await.unwrap();
    while let Some(last) = all.last.take() {
        let next = step(&mut connection, column, Some(&last)).await.unwrap();
        all.last = next.last;
        all.sealed += next.sealed;
        all.left += next.left;
        all.damaged.extend(next.damaged);
    }
    all
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn what_is_plain_and_what_is_sealed_stand_side_by_side(pool: PgPool) {
    let plain = open(&pool).await;
    let store = plain.clone().sealed_by(sealer(&[("a", 1)]));
    let id = made(&plain, Kind::Group, &[ANNA]).await;
    let marked = "\u{1}a:it only looks sealed";
    let [one, two, three] = [(1, "one"), (2, marked), (3, "")].map(|(n, text)| message(id, ANNA, n, text));
    write(&plain, id, &saying(vec![one.clone(), two, three])).await;
    let four = message(id, ANNA, 4, "four");
    write(&store, id, &saying(vec![four.clone()])).await;
    assert_eq!(texts(&store, id).await, ["one", marked, "", "four"]);
    assert_eq!(
        texts(&plain, id).await,
        ["one", marked, "", ""],
        "without the key it is empty"
    );
    assert_eq!(stored(&pool, one.id).await, "one");
    assert!(stored(&pool, four.id).await.starts_with("\u{1}a:"));

    let newer = plain.clone().sealed_by(sealer(&[("b", 2), ("a", 1)]));
    let done = reseal(&newer, Column::Content).await;
    assert_eq!((done.sealed, done.left, done.damaged.len()), (3, 0, 0));
    assert_eq!(reseal(&newer, Column::Content).await, Step::default());
    let newest = plain.clone().sealed_by(sealer(&[("b", 2)]));
    assert_eq!(texts(&newest, id).await, ["one", marked, "", "four"]);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn resealing_waits_for_nobody(pool: PgPool) {
    let plain = open(&pool).await;
    let id = made(&plain, Kind::Group, &[ANNA]).await;
    // More than a step takes.
    let said: Vec<NewMessage> = (1..=450).map(|n| message(id, ANNA, n, &format!("text {n}"))).collect();
    write(&plain, id, &saying(said.clone())).await;
    let store = plain.clone().sealed_by(sealer(&[("a", 1)]));
    let mut writer = store.begin().await.unwrap();
    let held = sqlx::query("UPDATE messages SET delivery = 'sent' WHERE id = $1").bind(said[300].id.0);
    held.execute(&mut **writer).await.unwrap();
    let done = reseal(&store, Column::Content).await;
    assert_eq!((done.sealed, done.left), (449, 1));
    writer.commit().await.unwrap();
    assert_eq!(reseal(&store, Column::Content).await.sealed, 1);
    let texts = texts(&store, id).await;
    assert_eq!((texts.len(), texts.last().unwrap().as_str()), (99, "text 450"));
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn json_is_sealed_where_it_holds_words_and_comes_back_as_it_was(pool: PgPool) {
    let plain = open(&pool).await;
    let store = plain.clone().sealed_by(sealer(&[("a", 1)]));
    let lane = Lane::Account(ANNA);
    let job = |job| NewJob {
        id: OutboxId(Uuid::now_v7()),
        lane,
        actor: ANNA,
        message: None,
        job,
    };
    let send = Job::SendEvent {
        event_type: "m.room.message".to_owned(),
        content: serde_json::json!({ "body": "hello" }),
        answers: None,
    };
    let jobs = [job(send.clone()), job(Job::CreateRoom)];
    let mut connection = plain.read().await.unwrap();
    outbox::add(&mut connection, &jobs, at(0)).await.unwrap();
    // As it came, to the last byte.
    let payload = r#"{ "body":"hello\u0000" }"#;
    let letter = DeadLetter {
        reason: reason::UNKNOWN_ROOM,
        detail: String::new(),
        room: None,
        event_id: Some("$1".to_owned()),
        conversation: None,
        payload: RawValue::from_string(payload.to_owned()).unwrap(),
    };
    dead_letters::keep(&mut connection, &[letter], at(0)).await.unwrap();
    for column in [Column::Job, Column::Letter] {
        assert_eq!(reseal(&store, column).await.sealed, 1, "{column:?}");
        assert_eq!(reseal(&store, column).await, Step::default());
    }
    let open: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM (SELECT job::text AS it FROM outbox UNION ALL SELECT payload::text FROM dead_letters) AS j
         WHERE it LIKE '%hello%'",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(open, 0);
    let mut connection = store.read().await.unwrap();
    let head = outbox::head(&mut connection, lane.key()).await.unwrap().job.unwrap();
    assert_eq!(head.job, Job::CreateRoom, "found by what it does");
    outbox::remove(&mut connection, &[head.id]).await.unwrap();
    let head = outbox::head(&mut connection, lane.key()).await.unwrap().job.unwrap();
    assert_eq!(head.job, send);
    let listed = dead_letters::list(&mut connection, 9, 0).await.unwrap();
    let found = dead_letters::peek_event(&mut connection, listed[0].id).await.unwrap();
    assert_eq!(found.unwrap().get(), payload);
    let mut connection = plain.read().await.unwrap();
    assert!(dead_letters::peek_event(&mut connection, listed[0].id).await.is_err());
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_key_that_is_in_use_is_asked_for_until_it_is_forgotten(pool: PgPool) {
    let store = open(&pool).await.sealed_by(sealer(&[("a", 1)]));
    keys::check(&pool, store.sealer()).await.unwrap();
    keys::register(&pool, store.sealer()).await.unwrap();
    keys::register(&pool, store.sealer()).await.unwrap();
    keys::check(&pool, store.sealer()).await.unwrap();
    let missing = ConnectError::KeysMissing {
        missing: vec!["a".to_owned()],
    };
    for lacking in [Sealer::default(), sealer(&[("b", 1)])] {
        assert_eq!(keys::check(&pool, &lacking).await, Err(missing.clone()));
    }
    let other = ConnectError::OtherKey { id: "a".to_owned() };
    assert_eq!(keys::check(&pool, &sealer(&[("b", 1), ("a", 2)])).await, Err(other));

    let newer = store.clone().sealed_by(sealer(&[("b", 2), ("a", 1)]));
    keys::register(&pool, newer.sealer()).await.unwrap();
    let node = Presence::hold(&store, 7).await.unwrap().unwrap();
    let retiring = keys::retire(&newer).await.unwrap();
    assert_eq!(
        (retiring.idle.len(), retiring.busy.as_slice()),
        (0, &["a".to_owned()][..])
    );
    assert_eq!(retiring.forget().await.unwrap(), [""; 0]);
    keys::check(&pool, newer.sealer()).await.unwrap();
    drop(node);
    // The lock goes with the connection, whose end Postgres sees a moment later.
    let retiring = loop {
        let retiring = keys::retire(&newer).await.unwrap();
        if retiring.busy.is_empty() && !retiring.unsealed {
            break retiring;
        }
    };
    // A node with the old configuration starts meanwhile: it waits, and then its key is asked for again.
    let (late, forgotten) = tokio::join!(Presence::hold(&store, 8), async {
        until_a_lock_is_awaited(&pool).await;
        retiring.forget().await.unwrap()
    });
    assert_eq!(forgotten, ["a"]);
    drop(late.unwrap().unwrap());
    let missing = keys::check(&pool, &sealer(&[("b", 2)])).await;
    assert_eq!(
        missing,
        Err(ConnectError::KeysMissing {
            missing: vec!["a".to_owned()]
        })
    );
}

async fn until_a_lock_is_awaited(pool: &PgPool) {
    let waits = "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = 20261123 AND NOT granted
                 AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))";
    while !sqlx::query_scalar::<_, bool>(waits).fetch_one(pool).await.unwrap() {}
}
