//! Conversations: opened in every old shape, listed, changed, left, deleted.

use serde_json::{Value, json};
use sqlx::PgPool;

use super::{ALICE, App, BOB, CAROL};

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn every_shape_opens_the_same_direct_conversation(pool: PgPool) {
    let app = App::new(pool).await;
    let first = app
        .post(ALICE, "/conversations", &json!({ "user_a": ALICE, "user_b": BOB }))
        .await;
    assert_eq!(first.status, 200);
    insta::assert_json_snapshot!("direct", first.body);
    let ghost = format!("@nova-{BOB}:example.org");
    for (path, body) in [
        (
            "/conversations",
            json!({ "user_a": BOB.to_uppercase(), "user_b": ALICE.to_uppercase() }),
        ),
        ("/conversations", json!({ "user_a": ALICE, "user_b": ghost })),
        (
            "/api/v1/conversations",
            json!({ "conv_type": "direct", "name": null, "participant_ids": [BOB] }),
        ),
        (
            "/api/v1/conversations",
            json!({ "type": "direct", "participant_ids": [ALICE, BOB] }),
        ),
        (
            "/api/v2/chat/conversations",
            json!({ "conversation_type": 0, "participant_ids": [BOB], "name": null, "is_encrypted": false }),
        ),
        (
            "/api/v2/chat/conversations",
            json!({ "conversation_type": "direct", "participant_ids": [BOB, BOB] }),
        ),
    ] {
        let answer = app.post(ALICE, path, &body).await;
        assert_eq!(
            (answer.status.as_u16(), answer.id()),
            (200, first.id()),
            "{path} {body}"
        );
    }
    let theirs = app
        .post(BOB, "/conversations", &json!({ "user_a": BOB, "user_b": ALICE }))
        .await;
    assert_eq!(theirs.id(), first.id());
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn groups_are_made_at_every_address(pool: PgPool) {
    let app = App::new(pool).await;
    let group = json!({ "name": "Tea", "description": "At five", "member_ids": [BOB, "@alice:example.org", ALICE] });
    let made = app.post(ALICE, "/conversations/groups", &group).await;
    assert_eq!(made.status, 201);
    insta::assert_json_snapshot!("group", made.body);
    for (path, body, status) in [
        ("/groups", group.clone(), 201),
        ("/api/v1/conversations/groups", group.clone(), 201),
        (
            "/conversations",
            json!({ "type": "group", "name": "Tea", "participant_ids": [BOB] }),
            200,
        ),
        (
            "/conversations",
            json!({ "conv_type": "group", "name": "Tea", "participant_ids": [] }),
            200,
        ),
        (
            "/api/v2/chat/conversations",
            json!({ "conversation_type": 1, "name": "Tea", "participant_ids": [BOB] }),
            200,
        ),
        ("/api/v2/chat/groups/create", group, 200),
    ] {
        let answer = app.post(ALICE, path, &body).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["type"]),
            (status, &json!("group")),
            "{path} {body}"
        );
        assert_eq!(answer.body["name"], "Tea");
    }
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_chat_with_a_matrix_user_is_made_once_and_then_found(pool: PgPool) {
    let app = App::new(pool).await;
    let mxid = json!({ "mxid": "@alice:example.org" });
    let made = app.post(ALICE, "/conversations/matrix", &mxid).await;
    assert_eq!(made.status, 201);
    insta::assert_json_snapshot!("matrix", made.body);
    let found = app.post(ALICE, "/conversations/matrix", &mxid).await;
    assert_eq!((found.status.as_u16(), found.id()), (200, made.id()));
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn what_makes_no_sense_is_refused_and_changes_nothing(pool: PgPool) {
    let app = App::new(pool).await;
    let before = app.footprint().await;
    let open = "/conversations";
    for (path, body, status) in [
        (open, json!({}), 400),
        (open, json!([]), 400),
        (open, json!({ "user_a": ALICE }), 400),
        (open, json!({ "user_a": ALICE, "user_b": "bob" }), 400),
        (open, json!({ "user_a": ALICE, "user_b": ALICE }), 400),
        (open, json!({ "user_a": BOB, "user_b": CAROL }), 403),
        (
            open,
            json!({ "user_a": ALICE, "user_b": "00000000-0000-4000-8000-00000000dead" }),
            404,
        ),
        (open, json!({ "participant_ids": [BOB] }), 400),
        (open, json!({ "type": "crowd", "participant_ids": [BOB] }), 400),
        (open, json!({ "conversation_type": 2, "participant_ids": [BOB] }), 400),
        (open, json!({ "type": "direct", "participant_ids": [] }), 400),
        (open, json!({ "type": "direct", "participant_ids": [BOB, CAROL] }), 400),
        (open, json!({ "type": "direct", "participant_ids": "BOB" }), 400),
        (open, json!({ "type": "group", "participant_ids": [BOB] }), 400),
        (
            open,
            json!({ "type": "direct", "participant_ids": [BOB], "is_encrypted": true }),
            400,
        ),
        ("/conversations/matrix", json!({ "mxid": BOB }), 400),
        ("/conversations/matrix", json!({ "mxid": "@" }), 400),
        ("/conversations/matrix", json!({ "mxid": "@a\0b:example.org" }), 400),
        ("/conversations/matrix", json!({ "mxid": "@nova:example.org" }), 400),
        ("/conversations/matrix", json!({}), 400),
        ("/conversations/groups", json!({ "member_ids": [BOB] }), 400),
        (
            "/conversations/groups",
            json!({ "name": " ", "member_ids": [BOB] }),
            400,
        ),
        (
            "/conversations/groups",
            json!({ "name": "x".repeat(256), "member_ids": [BOB] }),
            400,
        ),
        (
            "/conversations/groups",
            json!({ "name": "Tea", "description": "x".repeat(1001) }),
            400,
        ),
        (
            "/conversations/groups",
            json!({ "name": "Tea", "member_ids": ["nobody"] }),
            400,
        ),
    ] {
        let answer = app.post(ALICE, path, &body).await;
        assert_eq!(answer.status, status, "{path} {body}: {}", answer.body);
        assert_eq!(answer.body["status"], status);
    }
    assert_eq!(app.footprint().await, before);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_list_shows_the_liveliest_first_in_pages(pool: PgPool) {
    let app = App::new(pool).await;
    let (direct, group) = (app.direct().await, app.group().await);
    app.wait(60);
    let said = json!({ "content": "Hello" });
    app.post(BOB, &format!("/conversations/{direct}/messages"), &said).await;
    let all = app.get(ALICE, "/conversations").await;
    insta::assert_json_snapshot!("list", all.body);
    let second = app.get(ALICE, "/api/v1/conversations?limit=1&offset=1").await;
    assert_eq!(second.body["conversations"][0]["id"], json!(group));
    assert_eq!((&second.body["total"], &second.body["limit"]), (&json!(2), &json!(1)));
    assert_eq!(
        app.get(ALICE, "/conversations?archived=true").await.body["conversations"],
        json!([])
    );
    assert_eq!(app.get(CAROL, "/conversations").await.body["conversations"], json!([]));
    for bad in ["limit=0", "limit=x", "offset=-1", "archived=perhaps"] {
        assert_eq!(
            app.get(ALICE, &format!("/conversations?{bad}")).await.status,
            400,
            "{bad}"
        );
    }
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn strangers_are_403_and_what_is_unknown_is_404(pool: PgPool) {
    let app = App::new(pool).await;
    let group = app.group().await;
    let before = app.footprint().await;
    let unknown = "00000000-0000-4000-8000-00000000dead";
    for (id, status) in [(&*group, 403), (unknown, 404), ("x", 400)] {
        for (method, rest, body) in [
            ("GET", "", Value::Null),
            ("PUT", "", json!({ "name": "x" })),
            ("PUT", "/settings", json!({ "name": "x" })),
            ("PATCH", "/settings", json!({ "name": "x" })),
            ("DELETE", "", Value::Null),
            ("POST", "/leave", json!({})),
            ("GET", "/members", Value::Null),
            ("POST", "/members", json!({ "user_id": CAROL })),
            ("DELETE", &*format!("/members/{BOB}"), Value::Null),
            ("PUT", &*format!("/members/{BOB}"), json!({ "role": "admin" })),
            ("PUT", &*format!("/members/{BOB}/role"), json!({ "role": "admin" })),
            ("GET", "/messages", Value::Null),
            ("POST", "/messages", json!({ "content": "x" })),
            ("GET", "/messages/00000000-0000-4000-8000-00000000dead", Value::Null),
        ] {
            let path = format!("/conversations/{id}{rest}");
            let answer = app.raw(method, CAROL, &path, body.to_string().into()).await;
            assert_eq!(answer.status, status, "{method} {path}: {}", answer.body);
        }
    }
    assert_eq!(app.footprint().await, before);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn admins_change_a_group_and_owners_delete_it(pool: PgPool) {
    let app = App::new(pool).await;
    let group = app.group().await;
    let path = format!("/conversations/{group}");
    let changed = app.put(ALICE, &path, &json!({ "name": "Coffee" })).await;
    assert_eq!(
        (changed.status.as_u16(), changed.body),
        (200, json!({ "success": true }))
    );
    let patch = json!({ "description": "At ten", "avatar_url": "mxc://example.org/cup" });
    let settings = format!("/api/v2/chat/conversations/{group}/settings");
    assert_eq!(
        app.raw("PATCH", ALICE, &settings, patch.to_string().into())
            .await
            .status,
        200
    );
    let now = app
        .get(BOB, &path.to_uppercase().replace("CONVERSATIONS", "conversations"))
        .await
        .body;
    assert_eq!(
        (&now["name"], &now["description"]),
        (&json!("Coffee"), &json!("At ten"))
    );
    let picture = now["avatar_url"].as_str().unwrap();
    assert!(
        picture.starts_with(&format!("https://nova.example.org/avatars/{group}?v=")),
        "{picture}"
    );
    assert_eq!(app.put(BOB, &path, &json!({ "name": "Beer" })).await.status, 403);
    assert_eq!(app.put(ALICE, &path, &json!({ "name": "" })).await.status, 400);
    assert_eq!(app.delete(BOB, &path).await.status, 403);
    assert_eq!(app.delete(ALICE, &path).await.body, json!({ "success": true }));
    assert_eq!(app.get(ALICE, &path).await.status, 404);
    assert_eq!(app.delete(ALICE, &path).await.status, 404);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_member_leaves_but_not_the_last_owner(pool: PgPool) {
    let app = App::new(pool).await;
    let group = app.group().await;
    let leave = format!("/conversations/{group}/leave");
    assert_eq!(app.post(ALICE, &leave, &json!({})).await.status, 400);
    let left = app.raw("POST", BOB, &leave, axum::body::Body::empty()).await;
    assert_eq!((left.status.as_u16(), left.body), (200, json!({ "success": true })));
    assert_eq!(app.get(BOB, &format!("/conversations/{group}")).await.status, 403);
    assert_eq!(app.post(ALICE, &leave, &json!({})).await.status, 200);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn two_people_who_open_at_once_get_one_conversation(pool: PgPool) {
    let app = App::new(pool).await;
    let (to_bob, to_alice) = (
        json!({ "user_a": ALICE, "user_b": BOB }),
        json!({ "user_a": BOB, "user_b": ALICE }),
    );
    let (one, other) = tokio::join!(
        app.post(ALICE, "/conversations", &to_bob),
        app.post(BOB, "/conversations", &to_alice),
    );
    assert_eq!((one.status.as_u16(), one.id()), (200, other.id()));
}
