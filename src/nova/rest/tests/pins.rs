//! Pinned messages, at every address.

use serde_json::{Value, json};
use sqlx::PgPool;

use super::{ALICE, App, BOB, CAROL};
use crate::domain::pin::MAX_PINS;

async fn say(app: &App, user: &str, conversation: &str, text: &str) -> String {
    let path = format!("/conversations/{conversation}/messages");
    app.post(user, &path, &json!({ "content": text })).await.id()
}

async fn pinned(app: &App, path: &str) -> Vec<Value> {
    let answer = app.get(BOB, path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    let all = answer.body["messages"].as_array().unwrap();
    all.iter().map(|it| it["content"].clone()).collect()
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_message_is_pinned_and_taken_down_at_every_address(pool: PgPool) {
    let app = App::new(pool).await;
    let direct = app.direct().await;
    let list = format!("/conversations/{direct}/pinned");
    let (one, two) = (
        say(&app, ALICE, &direct, "one").await,
        say(&app, BOB, &direct, "two").await,
    );
    let first = app.post(ALICE, &format!("/messages/{one}/pin"), &json!({})).await;
    assert_eq!(first.status, 200);
    insta::assert_json_snapshot!("pinned", first.body);
    for prefix in ["", "/api/v1", "/api/v2/chat"] {
        for path in [
            format!("{prefix}/messages/{two}/pin"),
            format!("{prefix}/conversations/{direct}/messages/{two}/pin"),
        ] {
            // Without a body too, and twice.
            for _ in 0..2 {
                let answer = app.raw("POST", BOB, &path, axum::body::Body::empty()).await;
                assert_eq!(answer.status, 200, "{path}: {}", answer.body);
            }
            for shown in [
                format!("{prefix}/conversations/{direct}/pinned"),
                format!("{prefix}/conversations/{direct}/messages/pinned"),
            ] {
                assert_eq!(pinned(&app, &shown).await, ["two", "one"], "the last one first");
            }
            for _ in 0..2 {
                let answer = app.delete(ALICE, &path).await;
                assert_eq!((answer.status.as_u16(), answer.body), (200, json!({ "success": true })));
            }
            assert_eq!(pinned(&app, &list).await, ["one"]);
        }
    }
    insta::assert_json_snapshot!("pinned_listed", app.get(BOB, &list).await.body);
    app.delete(ALICE, &format!("/messages/{one}")).await;
    assert!(pinned(&app, &list).await.is_empty());
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn who_may_not_and_what_cannot_be_pinned(pool: PgPool) {
    let app = App::new(pool).await;
    let (direct, group) = (app.direct().await, app.group().await);
    let hello = say(&app, BOB, &group, "hello").await;
    let elsewhere = say(&app, BOB, &direct, "elsewhere").await;
    let recalled = say(&app, ALICE, &group, "oops").await;
    app.post(ALICE, &format!("/messages/{recalled}/recall"), &json!({}))
        .await;
    let before = app.footprint().await;
    for (user, path, status) in [
        (BOB, format!("/messages/{hello}/pin"), 403),
        (CAROL, format!("/messages/{elsewhere}/pin"), 403),
        (ALICE, format!("/conversations/{group}/messages/{elsewhere}/pin"), 404),
        (
            ALICE,
            "/messages/00000000-0000-4000-8000-00000000dead/pin".to_owned(),
            404,
        ),
        (ALICE, "/messages/x/pin".to_owned(), 404),
        (ALICE, format!("/messages/{recalled}/pin"), 410),
    ] {
        let answer = app.post(user, &path, &json!({})).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
    }
    assert_eq!(app.delete(BOB, &format!("/messages/{hello}/pin")).await.status, 403);
    assert_eq!(
        app.get(CAROL, &format!("/conversations/{direct}/pinned")).await.status,
        403
    );
    assert_eq!(app.footprint().await, before);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn there_are_only_so_many(pool: PgPool) {
    let app = App::new(pool).await;
    let direct = app.direct().await;
    sqlx::query(
        "INSERT INTO pins (message_id, conversation_id, pinned_by, pinned_at)
         SELECT gen_random_uuid(), $1::uuid, $2::uuid, now() FROM generate_series(1, $3)",
    )
    .bind(uuid::Uuid::parse_str(&direct).unwrap())
    .bind(uuid::Uuid::parse_str(ALICE).unwrap())
    .bind(i32::try_from(MAX_PINS).unwrap())
    .execute(&app.pool)
    .await
    .unwrap();
    let message = say(&app, ALICE, &direct, "one more").await;
    let answer = app.post(ALICE, &format!("/messages/{message}/pin"), &json!({})).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.body["code"]),
        (400, &json!("INVALID_REQUEST"))
    );
    assert!(
        answer.body["message"].as_str().unwrap().contains("100"),
        "{}",
        answer.body
    );
}
