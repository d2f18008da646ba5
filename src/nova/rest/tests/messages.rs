//! Messages: said once, listed in pages, looked at.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::PgPool;

use super::{ALICE, App, BOB, CAROL};
use crate::nova::limit::SendLimiter;

async fn say(app: &App, user: &str, conversation: &str, body: &Value) -> super::Answer {
    app.post(user, &format!("/conversations/{conversation}/messages"), body)
        .await
}

fn numbers(list: &Value) -> Vec<i64> {
    let messages = list.as_array().expect("an array").iter();
    messages.map(|it| it["sequence_number"].as_i64().unwrap()).collect()
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_message_is_said_in_every_old_shape(pool: PgPool) {
    let app = App::new(pool).await;
    let direct = app.direct().await;
    let styled = json!({ "content": "waves", "style": "emote", "formatted_content": "<b>waves</b><script>1</script>" });
    let first = say(&app, ALICE, &direct, &styled).await;
    assert_eq!(first.status, 200);
    insta::assert_json_snapshot!("said", first.body);
    let old = json!({ "plaintext": "Hi", "sender_id": BOB, "idempotency_key": "k" });
    let there = json!({ "conversation_id": direct.to_uppercase(), "plaintext": "Hi", "message_type": "text" });
    for (path, body) in [
        (format!("/api/v1/conversations/{direct}/messages"), old),
        ("/messages".to_owned(), there.clone()),
        ("/api/v1/messages".to_owned(), there),
    ] {
        let answer = app.post(ALICE, &path, &body).await;
        assert_eq!(answer.status, 200, "{path} {body}: {}", answer.body);
        assert_eq!(
            (&answer.body["content"], &answer.body["sender_id"]),
            (&json!("Hi"), &json!(ALICE))
        );
    }
    insta::assert_json_snapshot!(
        "of_others",
        app.get(BOB, &format!("/conversations/{direct}/messages")).await.body
    );
    insta::assert_json_snapshot!(
        "own",
        app.get(ALICE, &format!("/conversations/{direct}/messages?limit=3"))
            .await
            .body
    );
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn under_the_same_key_a_message_is_said_once(pool: PgPool) {
    let app = App::new(pool).await;
    let direct = app.direct().await;
    let body = json!({ "content": "Hello", "idempotency_key": "k" });
    let first = say(&app, ALICE, &direct, &body).await;
    let before = app.footprint().await;
    let again = json!({ "content": "Hello again", "idempotency_key": "k" });
    let second = say(&app, ALICE, &direct, &again).await;
    assert_eq!((second.status.as_u16(), &second.body), (200, &first.body));
    assert_eq!(app.footprint().await, before);
    let other = json!({ "content": "Hello", "idempotency_key": "other" });
    let (one, two) = tokio::join!(say(&app, ALICE, &direct, &other), say(&app, ALICE, &direct, &other));
    assert_eq!(one.id(), two.id());
    let theirs = say(&app, BOB, &direct, &body).await;
    assert_ne!(theirs.id(), first.id());
    let elsewhere = app.group().await;
    assert_eq!(say(&app, ALICE, &elsewhere, &body).await.status, 400);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn what_makes_no_sense_is_refused_and_changes_nothing(pool: PgPool) {
    let app = App::new(pool).await;
    let direct = app.direct().await;
    let before = app.footprint().await;
    for body in [
        json!({}),
        json!("Hello"),
        json!({ "content": "" }),
        json!({ "content": " \n" }),
        json!({ "content": 1 }),
        json!({ "content": "x".repeat(40_000) }),
        json!({ "content": "x", "style": "loud" }),
        json!({ "content": "x", "idempotency_key": "" }),
        json!({ "content": "x", "idempotency_key": "a\0b" }),
        json!({ "content": "x", "idempotency_key": "k".repeat(256) }),
        json!({ "content": "x", "reply_to_message_id": direct }),
        json!({ "encrypted_content": "x", "nonce": "y" }),
    ] {
        let answer = say(&app, ALICE, &direct, &body).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["code"]),
            (400, &json!("INVALID_REQUEST")),
            "{body}"
        );
    }
    let path = format!("/conversations/{direct}/messages");
    for (body, status) in [("", 400), ("{", 400), ("\u{feff}{}", 400), ("content=x", 400)] {
        assert_eq!(
            app.raw("POST", ALICE, &path, body.into()).await.status,
            status,
            "{body}"
        );
    }
    let huge = json!({ "content": "x".repeat(1 << 20) });
    let answer = app.post(ALICE, &path, &huge).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.body["code"]),
        (413, &json!("PAYLOAD_TOO_LARGE"))
    );
    assert_eq!(
        app.post(ALICE, "/messages", &json!({ "content": "x" })).await.status,
        400
    );
    assert_eq!(
        app.post(
            CAROL,
            "/messages",
            &json!({ "conversation_id": direct, "content": "x" })
        )
        .await
        .status,
        403
    );
    assert_eq!(app.footprint().await, before);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn any_text_comes_back_as_it_was(pool: PgPool) {
    let app = App::new(pool).await;
    let direct = app.direct().await;
    for text in ["  two\n\tlines ", "👩‍👩‍👧 e\u{301} \u{202e}abc", "<b>&amp;\"\\", "a\0b"] {
        let answer = say(&app, ALICE, &direct, &json!({ "content": text })).await;
        assert_eq!(answer.body["content"], json!(text.replace('\0', "\u{fffd}")), "{text}");
    }
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_list_is_paged_by_offset_message_or_number(pool: PgPool) {
    let app = App::new(pool).await;
    let direct = app.direct().await;
    let mut ids = Vec::new();
    for n in 1..=5 {
        ids.push(
            say(&app, ALICE, &direct, &json!({ "content": n.to_string() }))
                .await
                .id(),
        );
    }
    let path = format!("/conversations/{direct}/messages");
    let third = &ids[2];
    for (query, expected) in [
        (String::new(), vec![1, 2, 3, 4, 5]),
        ("limit=2".into(), vec![4, 5]),
        ("limit=9999".into(), vec![1, 2, 3, 4, 5]),
        ("limit=2&offset=1".into(), vec![3, 4]),
        ("offset=5".into(), vec![]),
        (format!("before_message_id={third}"), vec![1, 2]),
        (format!("before={}&limit=1&offset=0", third.to_uppercase()), vec![2]),
        ("before_message_id=&limit=1".into(), vec![5]),
        ("before_sequence=3".into(), vec![1, 2]),
        ("after_sequence=3".into(), vec![4, 5]),
        ("after_sequence=1&limit=2".into(), vec![2, 3]),
        ("before_sequence=-9223372036854775808".into(), vec![]),
        ("after_sequence=9223372036854775807".into(), vec![]),
    ] {
        let answer = app.get(BOB, &format!("{path}?{query}")).await;
        assert_eq!(numbers(&answer.body), expected, "{query}");
    }
    let elsewhere = app.group().await;
    let other = say(&app, ALICE, &elsewhere, &json!({ "content": "x" })).await.id();
    for (query, status) in [
        ("limit=0".to_owned(), 400),
        ("limit=x".to_owned(), 400),
        ("offset=-1".to_owned(), 400),
        ("before=x".to_owned(), 400),
        ("before_sequence=2&after_sequence=1".to_owned(), 400),
        ("before_sequence=2&offset=1".to_owned(), 400),
        (format!("before={other}"), 404),
    ] {
        assert_eq!(app.get(BOB, &format!("{path}?{query}")).await.status, status, "{query}");
    }
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn one_message_is_shown_to_members_only(pool: PgPool) {
    let app = App::new(pool).await;
    let (direct, group) = (app.direct().await, app.group().await);
    let id = say(&app, ALICE, &direct, &json!({ "content": "Hello" })).await.id();
    let unknown = "00000000-0000-4000-8000-00000000dead";
    for (user, path, status) in [
        (BOB, format!("/messages/{id}"), 200),
        (BOB, format!("/api/v1/messages/{}", id.to_uppercase()), 200),
        (BOB, format!("/conversations/{direct}/messages/{id}"), 200),
        (BOB, format!("/conversations/{group}/messages/{id}"), 404),
        (CAROL, format!("/messages/{id}"), 403),
        (CAROL, format!("/conversations/{direct}/messages/{id}"), 403),
        (BOB, format!("/messages/{unknown}"), 404),
        (BOB, "/messages/pinned".to_owned(), 404),
    ] {
        let answer = app.get(user, &path).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        assert!(status != 200 || answer.body["id"] == json!(id));
    }
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn the_author_learns_why_a_message_does_not_get_through(pool: PgPool) {
    let app = App::new(pool).await;
    let direct = app.direct().await;
    let id = say(&app, ALICE, &direct, &json!({ "content": "Hello" })).await.id();
    let fail =
        "WITH letter AS (INSERT INTO dead_letters (id, direction, reason, detail, message_id, payload, created_at)
                    SELECT gen_random_uuid(), 'to_matrix', 'refused', 'M_FORBIDDEN: no', id, '{}', now() FROM messages)
                UPDATE messages SET delivery = 'failed'";
    sqlx::query(fail).execute(&app.pool).await.unwrap();
    let own = app.get(ALICE, &format!("/messages/{id}")).await.body;
    assert_eq!(
        (&own["delivery_status"], &own["delivery_detail"]),
        (&json!("failed"), &json!("M_FORBIDDEN: no"))
    );
    let theirs = app.get(BOB, &format!("/messages/{id}")).await.body;
    assert!(theirs.get("delivery_status").is_none() && theirs.get("delivery_detail").is_none());
    sqlx::query("UPDATE messages SET delivery = 'retrying'")
        .execute(&app.pool)
        .await
        .unwrap();
    let own = app.get(ALICE, &format!("/messages/{id}")).await.body;
    assert_eq!(own["delivery_detail"], "the homeserver cannot be reached or is busy");
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn whoever_sends_too_fast_is_told_how_long_to_wait(pool: PgPool) {
    let app = App::with(pool, SendLimiter::with_clock(1, 2, Arc::new(|| Duration::ZERO))).await;
    let direct = app.direct().await;
    let hello = json!({ "content": "Hello" });
    for _ in 0..2 {
        assert_eq!(say(&app, ALICE, &direct, &hello).await.status, 200);
    }
    let answer = say(&app, ALICE, &direct, &hello).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.headers["retry-after"]),
        (429, &"1".parse().unwrap())
    );
    insta::assert_json_snapshot!(answer.body);
    assert_eq!(say(&app, BOB, &direct, &hello).await.status, 200);
    assert_eq!(
        app.get(ALICE, &format!("/conversations/{direct}/messages"))
            .await
            .status,
        200
    );
}
