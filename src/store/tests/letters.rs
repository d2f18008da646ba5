//! Dead letters: whatever Synapse or a homeserver can send is kept as it is.

use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};

use super::*;
use crate::domain::ids::OutboxId;
use crate::domain::ingest::{DeadLetter, reason};
use crate::domain::job::{Job, StoredJob};
use crate::store::dead_letters::{self, Listed};

fn letter(event_id: Option<&str>, room: &str, payload: &str) -> DeadLetter {
    DeadLetter {
        reason: reason::UNKNOWN_ROOM,
        detail: "no conversation has this room".to_owned(),
        room: Some(room.to_owned()),
        event_id: event_id.map(str::to_owned),
        conversation: None,
        payload: RawValue::from_string(payload.to_owned()).unwrap(),
    }
}

fn ids(letters: &[Listed]) -> Vec<Option<&str>> {
    letters.iter().map(|letter| letter.event_id.as_deref()).collect()
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn letters_of_one_transaction_keep_their_order(pool: PgPool) {
    let store = open(&pool).await;
    let mut connection = store.read().await.unwrap();
    let names: Vec<String> = (0..20).map(|n| format!("$event{n}")).collect();
    let letters: Vec<_> = names.iter().map(|name| letter(Some(name), "!r:x", "{}")).collect();
    dead_letters::keep(&mut connection, &letters, at(0)).await.unwrap();
    dead_letters::keep(&mut connection, &letters[..3], at(1)).await.unwrap();
    assert_eq!(dead_letters::count(&mut connection).await.unwrap(), 20, "each once");
    let listed = dead_letters::list(&mut connection, 100, 0).await.unwrap();
    assert_eq!(
        ids(&listed),
        names.iter().map(|name| Some(name.as_str())).collect::<Vec<_>>()
    );
    assert_eq!(
        ids(&dead_letters::list(&mut connection, 1, 4).await.unwrap()),
        [Some("$event4")]
    );
    let first = dead_letters::of_room(&mut connection, "!r:x", 0, 12).await.unwrap();
    let rest = dead_letters::of_room(&mut connection, "!r:x", first[11].0, 12)
        .await
        .unwrap();
    let found: Vec<Uuid> = first.iter().chain(&rest).map(|(_, id)| *id).collect();
    assert_eq!(found, listed.iter().map(|it| it.id).collect::<Vec<_>>());
    assert!(
        dead_letters::of_room(&mut connection, "!other:x", 0, 12)
            .await
            .unwrap()
            .is_empty()
    );
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn an_event_with_nul_escapes_comes_back_byte_for_byte(pool: PgPool) {
    let store = open(&pool).await;
    let mut connection = store.read().await.unwrap();
    let payload = r#"{ "type":"m.room.message",  "content": {"body": "a\u0000b \ud800", "x": 1.0, "x": 2} }"#;
    let letters = [letter(None, "!r:x", payload), letter(None, "!r:x", payload)];
    dead_letters::keep(&mut connection, &letters, at(0)).await.unwrap();
    let listed = dead_letters::list(&mut connection, 10, 0).await.unwrap();
    assert_eq!(listed.len(), 1, "without an id, the same bytes are the same letter");
    let kept = dead_letters::peek_event(&mut connection, listed[0].id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(kept.get(), payload);
    assert!(dead_letters::discard(&mut connection, listed[0].id).await.unwrap());
    assert!(!dead_letters::discard(&mut connection, listed[0].id).await.unwrap());
    assert!(
        dead_letters::peek_event(&mut connection, listed[0].id)
            .await
            .unwrap()
            .is_none()
    );
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn json_nested_deeper_than_postgres_reads_is_refused_as_data_and_fits_as_a_string(pool: PgPool) {
    let store = open(&pool).await;
    let mut connection = store.read().await.unwrap();
    let nested = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let mut deep = letter(Some("$deep"), "!r:x", "{}");
    deep.payload = serde_json::from_str(&format!("\"{nested}\"")).unwrap();
    let quoted = letter(Some("$quoted"), "!r:x", deep.payload.get());
    dead_letters::keep(&mut connection, &[quoted], at(0)).await.unwrap();
    let refused = sqlx::query("SELECT $1::text::json")
        .bind(&nested)
        .execute(&mut *connection)
        .await
        .unwrap_err();
    assert!(crate::store::StoreError::from(refused).refuses_data());
    assert_eq!(dead_letters::count(&mut connection).await.unwrap(), 1);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_nul_in_a_column_is_refused_as_data(pool: PgPool) {
    let store = open(&pool).await;
    let mut connection = store.read().await.unwrap();
    let bad = letter(Some("$a\0b"), "!r:x", "{}");
    let error = dead_letters::keep(&mut connection, &[bad], at(0)).await.unwrap_err();
    assert!(error.refuses_data() && error.conflict().is_none());
}

fn refused(job: Job, conversation: Option<ConversationId>) -> StoredJob {
    StoredJob {
        seq: 1,
        id: OutboxId(Uuid::from_u128(77)),
        conversation,
        actor: ANNA,
        message: Some(MessageId(Uuid::from_u128(78))),
        job,
        attempts: 3,
        uncertain: true,
        first_tried_at: Some(at(0)),
        created_at: at(0),
    }
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_refused_job_is_kept_and_taken_out_once(pool: PgPool) {
    let store = open(&pool).await;
    let mut connection = store.read().await.unwrap();
    let conversation = ConversationId(Uuid::from_u128(79));
    let job = Job::SendEvent {
        event_type: "m.room.message".to_owned(),
        content: json!({ "body": "a\0b" }),
        answers: None,
    };
    let stored = refused(job.clone(), Some(conversation));
    dead_letters::keep_job(&mut connection, &stored, "M_FORBIDDEN", at(5))
        .await
        .unwrap();
    dead_letters::keep_job(&mut connection, &stored, "M_FORBIDDEN", at(6))
        .await
        .unwrap();
    let id = stored.id.0;
    let listed = dead_letters::list(&mut connection, 10, 0).await.unwrap();
    assert_eq!(listed.len(), 1);
    let listed = &listed[0];
    assert_eq!(
        (listed.direction.as_str(), listed.reason.as_str()),
        ("to_matrix", reason::REFUSED)
    );
    assert_eq!(
        (listed.detail.as_str(), listed.created_at),
        ("M_FORBIDDEN", at(5)),
        "the first refusal stays"
    );
    assert_eq!(
        (listed.actor, listed.conversation),
        (Some(ANNA.0), Some(conversation.0))
    );
    assert!(
        dead_letters::peek_event(&mut connection, id).await.unwrap().is_none(),
        "it is no event"
    );
    assert_eq!(
        dead_letters::conversation_of(&mut connection, id).await.unwrap(),
        Some(Some(conversation))
    );
    assert_eq!(
        dead_letters::conversation_of(&mut connection, Uuid::nil())
            .await
            .unwrap(),
        None
    );
    let taken = dead_letters::take_job(&mut connection, id).await.unwrap().unwrap();
    assert_eq!(
        (taken.job, taken.actor, taken.conversation),
        (job, ANNA, Some(conversation))
    );
    assert!(dead_letters::take_job(&mut connection, id).await.unwrap().is_none());
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn an_event_is_no_job(pool: PgPool) {
    let store = open(&pool).await;
    let mut connection = store.read().await.unwrap();
    let payload = to_raw_value(&json!({})).unwrap();
    dead_letters::keep(&mut connection, &[letter(Some("$1"), "!r:x", payload.get())], at(0))
        .await
        .unwrap();
    let id = dead_letters::list(&mut connection, 1, 0).await.unwrap()[0].id;
    assert!(dead_letters::take_job(&mut connection, id).await.unwrap().is_none());
    assert_eq!(
        dead_letters::conversation_of(&mut connection, id).await.unwrap(),
        Some(None)
    );
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn rooms_are_forgotten_when_they_are_portals_and_something_is_still_put_aside(pool: PgPool) {
    let store = open(&pool).await;
    let mut connection = store.read().await.unwrap();
    let letters = ["!now:x", "!before:x", "!never:x", "!deleted:x"].map(|room| letter(Some(room), room, "{}"));
    dead_letters::keep(&mut connection, &letters, at(0)).await.unwrap();
    assert!(dead_letters::forgotten_rooms(&mut connection).await.unwrap().is_empty());
    for rooms in [["!before:x", "!now:x"].as_slice(), &["!deleted:x"]] {
        let group = made(&store, Kind::Group, &[ANNA]).await;
        for room in rooms {
            let effects = Effects {
                portals: vec![(group, (*room).try_into().unwrap())],
                ..Effects::default()
            };
            write(&store, group, &effects).await;
        }
        if rooms.len() == 1 {
            crate::store::conversations::delete(&mut connection, group, at(9))
                .await
                .unwrap();
        }
    }
    let mut rooms = dead_letters::forgotten_rooms(&mut connection).await.unwrap();
    rooms.sort_unstable();
    assert_eq!(rooms, ["!before:x", "!now:x"]);
}
