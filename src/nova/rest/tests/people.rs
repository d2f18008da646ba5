//! Blocks, requests, and where people are.

use serde_json::{Value, json};
use sqlx::PgPool;

use super::{ALICE, App, BOB, CAROL};

const ELENA: &str = "@elena:example.org";

/// Lets nobody in whom `user` has no direct conversation with.
async fn asks(app: &App, user: &str) {
    let wanted = json!({ "dm_permission": "mutuals" });
    let answer = app.put(user, "/settings/dm-permission", &wanted).await;
    assert_eq!((answer.status.as_u16(), answer.body), (200, wanted));
}

async fn requests(app: &App, user: &str) -> Vec<Value> {
    let answer = app.get(user, "/message-requests").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body.as_array().unwrap().clone()
}

async fn conversations(app: &App, user: &str) -> usize {
    let answer = app.get(user, "/conversations").await;
    answer.body["conversations"].as_array().unwrap().len()
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn people_are_blocked_once_and_unblocked_again(pool: PgPool) {
    let app = App::new(pool).await;
    app.group().await;
    let first = json!({ "user_id": BOB.to_uppercase(), "reason": "spam" });
    let done = app.post(ALICE, "/api/v2/blocks", &first).await;
    assert_eq!(done.status, 201);
    insta::assert_json_snapshot!("blocked", done.body);
    let ghost = json!({ "user_id": format!("@nova-{BOB}:example.org") });
    assert_eq!(app.post(ALICE, "/blocks", &ghost).await.status, 200);
    app.wait(1);
    sqlx::query("INSERT INTO users (id, mxid, is_nova, created_at, updated_at) VALUES ($1, $2, false, now(), now())")
        .bind(crate::domain::ghost::matrix_user_id(ELENA).0)
        .bind(ELENA)
        .execute(&app.pool)
        .await
        .unwrap();
    let elena = json!({ "user_id": ELENA, "reason": null });
    assert_eq!(app.post(ALICE, "/api/v1/blocks", &elena).await.status, 201);
    insta::assert_json_snapshot!("blocks", app.get(ALICE, "/api/v2/chat/blocks").await.body);
    assert_eq!(app.get(BOB, "/blocks").await.body, json!([]));

    let gone = app.delete(ALICE, &format!("/blocks/{ELENA}")).await;
    insta::assert_json_snapshot!("unblocked", gone.body);
    let again = app.delete(ALICE, &format!("/api/v2/blocks/{ELENA}")).await;
    assert_eq!(again.status, 404);
    insta::assert_json_snapshot!("not_blocked", again.body);
    assert_eq!(app.delete(ALICE, &format!("/blocks/{BOB}")).await.status, 200);
    assert_eq!(app.get(ALICE, "/blocks").await.body, json!([]));
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn what_makes_no_sense_is_refused_and_changes_nothing(pool: PgPool) {
    let app = App::new(pool).await;
    let direct = app.direct().await;
    let before = app.footprint().await;
    let nobody = "00000000-0000-4000-8000-00000000dead";
    let location = format!("/conversations/{direct}/location");
    for (method, user, path, body, status) in [
        ("POST", ALICE, "/blocks", json!({ "user_id": ALICE }), 400),
        ("POST", ALICE, "/blocks", json!({ "user_id": "bob" }), 400),
        ("POST", ALICE, "/blocks", json!({ "user_id": nobody }), 404),
        (
            "POST",
            ALICE,
            "/blocks",
            json!({ "user_id": BOB, "reason": "x".repeat(256) }),
            400,
        ),
        ("DELETE", ALICE, "/blocks/bob", json!({}), 400),
        ("GET", ALICE, "/relationships/bob", json!({}), 400),
        ("GET", ALICE, &format!("/relationships/{nobody}"), json!({}), 404),
        (
            "PUT",
            ALICE,
            "/settings/privacy",
            json!({ "dm_permission": "nobody" }),
            410,
        ),
        (
            "PUT",
            ALICE,
            "/settings/dm-permission",
            json!({ "dm_permission": "friends" }),
            400,
        ),
        (
            "POST",
            ALICE,
            &format!("/message-requests/{direct}/accept"),
            json!({}),
            404,
        ),
        (
            "POST",
            CAROL,
            &format!("/message-requests/{direct}/accept"),
            json!({}),
            404,
        ),
        (
            "POST",
            ALICE,
            &format!("/message-requests/{direct}/reject"),
            json!({}),
            404,
        ),
        ("POST", ALICE, "/message-requests/x/reject", json!({}), 404),
        ("POST", ALICE, &location, json!({ "latitude": 91, "longitude": 0 }), 400),
        ("POST", ALICE, &location, json!({ "latitude": 1 }), 400),
        ("POST", CAROL, &location, json!({ "latitude": 1, "longitude": 0 }), 403),
        ("DELETE", CAROL, &location, json!({}), 403),
    ] {
        let answer = app.raw(method, user, path, body.to_string().into()).await;
        assert_eq!(answer.status, status, "{method} {path} {body}: {}", answer.body);
    }
    assert_eq!(app.footprint().await, before);
    assert_eq!(app.get(ALICE, "/blocks").await.body, json!([]));
    assert_eq!(
        app.get(ALICE, "/settings/privacy").await.body,
        json!({ "dm_permission": "anyone" })
    );
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_relationship_is_a_direct_conversation_and_blocks(pool: PgPool) {
    let app = App::new(pool).await;
    app.group().await;
    let path = format!("/api/v2/relationships/{BOB}");
    insta::assert_json_snapshot!("strangers", app.get(ALICE, &path).await.body);
    asks(&app, BOB).await;
    app.direct().await;
    let asked = app.get(ALICE, &path).await.body;
    assert_eq!(
        (&asked["is_following"], &asked["is_followed_by"]),
        (&json!(true), &json!(false))
    );
    let id = requests(&app, BOB).await[0]["id"].as_str().unwrap().to_owned();
    app.post(BOB, &format!("/message-requests/{id}/accept"), &json!({}))
        .await;
    app.post(BOB, "/blocks", &json!({ "user_id": ALICE })).await;
    insta::assert_json_snapshot!("mutual_and_blocked", app.get(ALICE, &path).await.body);
    let back = app.get(BOB, &format!("/relationships/{ALICE}")).await.body;
    assert_eq!(
        (&back["is_blocked"], &back["is_blocking"]),
        (&json!(false), &json!(true))
    );
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn whoever_wants_to_be_asked_reads_a_request_and_comes_when_they_accept(pool: PgPool) {
    let app = App::new(pool).await;
    asks(&app, BOB).await;
    let id = app.direct().await;
    assert_eq!(conversations(&app, BOB).await, 0);
    assert_eq!(requests(&app, BOB).await[0]["message_preview"], Value::Null);
    for text in ["Hello, it is me", "from the club"] {
        let said = app
            .post(
                ALICE,
                &format!("/conversations/{id}/messages"),
                &json!({ "content": text }),
            )
            .await;
        assert_eq!(said.status, 200);
    }
    insta::assert_json_snapshot!("requests", app.get(BOB, "/api/v2/message-requests").await.body,
        { "[].id" => "(the conversation)" });
    assert_eq!(requests(&app, ALICE).await, Vec::<Value>::new());
    // Until then they are outside.
    let messages = format!("/conversations/{id}/messages");
    assert_eq!(app.get(BOB, &messages).await.status, 403);
    assert_eq!(app.post(BOB, &messages, &json!({ "content": "x" })).await.status, 403);
    let call = json!({ "conversation_id": id, "initiator_sdp": "v=0" });
    assert_eq!(
        app.post(ALICE, &format!("/conversations/{id}/calls"), &call)
            .await
            .status,
        403
    );

    for _ in 0..2 {
        let accepted = app
            .post(BOB, &format!("/message-requests/{id}/accept"), &json!({}))
            .await;
        assert_eq!(accepted.status, 200);
        insta::assert_json_snapshot!("accepted", accepted.body, { ".conversation_id" => "(the conversation)" });
    }
    assert_eq!(
        (conversations(&app, BOB).await, requests(&app, BOB).await.len()),
        (1, 0)
    );
    let read = app.get(BOB, &messages).await.body;
    assert_eq!(read.as_array().unwrap().len(), 2, "what was said before is there");
    // They know each other now: nothing is asked again.
    app.post(BOB, &format!("/conversations/{id}/leave"), &json!({})).await;
    app.direct().await;
    assert_eq!(requests(&app, BOB).await.len(), 1, "who left is asked");
    let body = json!({ "user_a": ALICE, "user_b": BOB });
    assert_eq!(
        app.post(BOB, "/conversations", &body).await.id(),
        id,
        "opening it is accepting"
    );
    assert_eq!(
        (conversations(&app, BOB).await, requests(&app, BOB).await.len()),
        (1, 0)
    );
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_request_that_is_rejected_is_gone_and_can_be_made_again(pool: PgPool) {
    let app = App::new(pool).await;
    asks(&app, BOB).await;
    let id = app.direct().await;
    let reject = format!("/api/v2/chat/message-requests/{id}/reject");
    let rejected = app.post(BOB, &reject, &json!({})).await;
    insta::assert_json_snapshot!("rejected", rejected.body);
    assert_eq!(app.post(BOB, &reject, &json!({})).await.status, 404);
    assert_eq!(requests(&app, BOB).await.len(), 0);
    assert_eq!(app.direct().await, id);
    assert_eq!(requests(&app, BOB).await.len(), 1);
    app.post(BOB, "/blocks", &json!({ "user_id": ALICE })).await;
    assert_eq!(requests(&app, BOB).await.len(), 0, "a block rejects what was asked");
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn groups_ask_those_who_want_it_and_those_who_block(pool: PgPool) {
    let app = App::new(pool).await;
    asks(&app, BOB).await;
    app.post(CAROL, "/blocks", &json!({ "user_id": ALICE })).await;
    let id = app.group().await;
    let members = format!("/conversations/{id}/members");
    assert_eq!(
        app.post(ALICE, &members, &json!({ "user_ids": [CAROL, BOB] }))
            .await
            .status,
        201
    );
    for user in [BOB, CAROL] {
        let asked = requests(&app, user).await;
        assert_eq!(
            (asked.len(), &asked[0]["name"], &asked[0]["type"]),
            (1, &json!("Tea"), &json!("group"))
        );
        assert_eq!(conversations(&app, user).await, 0);
    }
    let listed = app.get(ALICE, &members).await.body;
    let invited = |it: &&Value| it["membership"] == "invited";
    assert_eq!(listed["members"].as_array().unwrap().iter().filter(invited).count(), 2);
    app.post(BOB, &format!("/message-requests/{id}/accept"), &json!({}))
        .await;
    app.post(CAROL, &format!("/message-requests/{id}/reject"), &json!({}))
        .await;
    assert_eq!(app.get(BOB, &members).await.body["total"], 2);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn who_is_blocked_can_neither_open_nor_write_nor_call_but_who_blocks_can_write(pool: PgPool) {
    let app = App::new(pool).await;
    let id = app.direct().await;
    let messages = format!("/conversations/{id}/messages");
    let own = app.post(ALICE, &messages, &json!({ "content": "before" })).await.id();
    app.post(BOB, "/blocks", &json!({ "user_id": ALICE })).await;
    let call = json!({ "conversation_id": id, "initiator_sdp": "v=0" });
    for (path, body) in [
        ("/conversations", json!({ "user_a": ALICE, "user_b": BOB })),
        (&*messages, json!({ "content": "hello?" })),
        (
            &*format!("/conversations/{id}/location"),
            json!({ "latitude": 1, "longitude": 2 }),
        ),
        (&*format!("/conversations/{id}/calls"), call),
    ] {
        let answer = app.post(ALICE, path, &body).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["code"]),
            (403, &json!("AUTHORIZATION_ERROR")),
            "{path}"
        );
    }
    let no = app.post(BOB, &messages, &json!({ "content": "no" })).await;
    assert_eq!(no.status, 200);
    let react = format!("/messages/{}/reactions", no.id());
    assert_eq!(app.post(ALICE, &react, &json!({ "emoji": "👍" })).await.status, 403);
    let edit = app
        .put(ALICE, &format!("/messages/{own}"), &json!({ "content": "otherwise" }))
        .await;
    assert_eq!(edit.status, 403);
    assert_eq!(
        app.delete(ALICE, &format!("/messages/{own}")).await.status,
        200,
        "taking back is no saying"
    );
    app.delete(BOB, &format!("/blocks/{ALICE}")).await;
    assert_eq!(
        app.post(ALICE, &messages, &json!({ "content": "sorry" })).await.status,
        200
    );
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn where_people_are_is_said_shown_and_stopped(pool: PgPool) {
    let app = App::new(pool).await;
    let path = format!("/conversations/{}/location", app.direct().await);
    let here = json!({ "latitude": 52.3676, "longitude": 4.9041, "accuracy": 12.6, "idempotency_key": "1" });
    let shared = app.post(ALICE, &path, &here).await;
    assert_eq!(shared.status, 200, "{}", shared.body);
    insta::assert_json_snapshot!("location", shared.body, { ".id" => "(id)", ".conversation_id" => "(id)" });
    assert_eq!(
        app.post(ALICE, &path, &here).await.body,
        shared.body,
        "the same key, the same place"
    );
    let near = app.get(BOB, "/api/v1/nearby-users").await.body;
    insta::assert_json_snapshot!("nearby", near, { ".users[].conversation_id" => "(id)" });
    for (user, here) in [(ALICE, 0), (CAROL, 0), (BOB, 1)] {
        let found = app.get(user, "/nearby-users").await.body["users"]
            .as_array()
            .unwrap()
            .len();
        assert_eq!(found, here, "{user}");
    }
    for _ in 0..2 {
        let stopped = app.delete(ALICE, &format!("/api/v1{path}")).await;
        insta::assert_json_snapshot!("stopped", stopped.body);
    }
    assert_eq!(app.get(BOB, "/nearby-users").await.body, json!({ "users": [] }));
    let told = sqlx::query_scalar::<_, i64>(
        "SELECT count(*) FROM conversation_feed WHERE payload->>'type' = 'location_stopped'",
    );
    assert_eq!(
        told.fetch_one(&app.pool).await.unwrap(),
        1,
        "who has stopped stops nothing"
    );
}
