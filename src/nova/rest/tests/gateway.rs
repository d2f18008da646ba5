//! The gateway's shapes, and the room mapping.

use serde_json::{Value, json};
use sqlx::PgPool;

use super::{ALICE, App, BOB, CAROL};

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn conversations_have_no_members_and_lists_are_bare(pool: PgPool) {
    let app = App::new(pool).await;
    let direct = app.direct().await;
    app.group().await;
    let list = app
        .get(ALICE, "/api/v2/chat/conversations?limit=50&offset=0&archived=false")
        .await
        .body;
    assert_eq!(list.as_array().map(Vec::len), Some(2));
    assert!(
        list.as_array().unwrap().iter().all(|it| it["members"] == json!([])),
        "{list}"
    );
    insta::assert_json_snapshot!(
        app.get(ALICE, &format!("/api/v2/chat/conversations/{direct}"))
            .await
            .body
    );
    assert_eq!(
        app.get(CAROL, &format!("/api/v2/chat/conversations/{direct}"))
            .await
            .status,
        403
    );
    assert_eq!(
        app.get(ALICE, "/api/v2/chat/conversations?archived=true").await.body,
        json!([])
    );
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn messages_are_wrapped_and_the_newest_comes_first(pool: PgPool) {
    let app = App::new(pool).await;
    let direct = app.direct().await;
    let body = |content: &str| {
        json!({
            "conversation_id": direct, "content": content, "message_type": 0, "media_url": "", "reply_to_message_id": "",
        })
    };
    let sent = app.post(ALICE, "/api/v2/chat/messages", &body("1")).await;
    assert_eq!(sent.status, 200);
    insta::assert_json_snapshot!("gateway_sent", sent.body);
    for content in ["2", "3"] {
        app.post(BOB, "/api/v2/chat/messages", &body(content)).await;
    }
    let path = format!("/api/v2/chat/messages?conversation_id={}", direct.to_uppercase());
    let contents = |answer: &Value| -> Vec<String> {
        let messages = answer["messages"].as_array().unwrap().iter();
        messages.map(|it| it["content"].as_str().unwrap().to_owned()).collect()
    };
    let page = app.get(ALICE, &format!("{path}&limit=2")).await.body;
    insta::assert_json_snapshot!("gateway_list", page);
    assert_eq!(
        (contents(&page), &page["has_more"]),
        (vec!["3".to_owned(), "2".to_owned()], &json!(true))
    );
    let last = page["messages"][1]["id"].as_str().unwrap();
    let rest = app
        .get(ALICE, &format!("{path}&limit=2&before_message_id={last}"))
        .await
        .body;
    assert_eq!(
        (contents(&rest), &rest["has_more"]),
        (vec!["1".to_owned()], &json!(false))
    );
    for (field, value) in [
        ("message_type", json!(1)),
        ("media_url", json!("https://example.org/x.png")),
        ("reply_to_message_id", json!("x")),
        ("content", json!("")),
        ("conversation_id", json!("x")),
    ] {
        let mut bad = body("4");
        bad[field] = value;
        assert_eq!(
            app.post(ALICE, "/api/v2/chat/messages", &bad).await.status,
            400,
            "{bad}"
        );
    }
    assert_eq!(app.get(ALICE, "/api/v2/chat/messages").await.status, 400);
    assert_eq!(app.get(CAROL, &path).await.status, 403);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn the_room_mapping_is_that_of_the_callers_own_conversations(pool: PgPool) {
    let app = App::new(pool).await;
    let (direct, group) = (app.direct().await, app.group().await);
    let map = "INSERT INTO matrix_room_mapping (conversation_id, matrix_room_id, created_at, updated_at)
               VALUES ($1::uuid, '!room:example.org', now(), now())";
    sqlx::query(map)
        .bind(direct.parse::<uuid::Uuid>().unwrap())
        .execute(&app.pool)
        .await
        .unwrap();
    insta::assert_json_snapshot!("matrix_config", app.get(ALICE, "/api/v2/matrix/config").await.body);
    let mapping = json!({ "conversation_id": direct, "room_id": "!room:example.org" });
    assert_eq!(
        app.get(ALICE, "/api/v2/matrix/rooms").await.body,
        json!({ "mappings": [mapping] })
    );
    assert_eq!(
        app.get(CAROL, "/api/v2/matrix/rooms").await.body,
        json!({ "mappings": [] })
    );
    for (user, path, body) in [
        (
            BOB,
            format!("rooms/{direct}"),
            json!({ "room_id": "!room:example.org" }),
        ),
        (BOB, format!("rooms/{group}"), json!({ "room_id": null })),
        (
            BOB,
            "conversations?room_id=!room:example.org".to_owned(),
            json!({ "conversation_id": direct }),
        ),
        (
            CAROL,
            "conversations?room_id=!room:example.org".to_owned(),
            json!({ "conversation_id": null }),
        ),
        (
            BOB,
            "conversations?room_id=!other:example.org".to_owned(),
            json!({ "conversation_id": null }),
        ),
    ] {
        assert_eq!(
            app.get(user, &format!("/api/v2/matrix/{path}")).await.body,
            body,
            "{path}"
        );
    }
    assert_eq!(
        app.get(CAROL, &format!("/api/v2/matrix/rooms/{direct}")).await.status,
        403
    );
    assert_eq!(
        app.get(BOB, "/api/v2/matrix/conversations?room_id=%00").await.status,
        400
    );
    assert_eq!(app.get(BOB, "/api/v2/matrix/conversations").await.status, 400);
    let shown = app.get(ALICE, &format!("/conversations/{direct}")).await.body;
    assert_eq!(shown["matrix_room_id"], "!room:example.org");
}
