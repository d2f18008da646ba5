//! The admin's API, through its router.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use secrecy::SecretString;
use serde_json::{Value, json};
use sqlx::PgPool;
use tower::ServiceExt;
use uuid::Uuid;

use super::*;
use crate::nova::auth::tests::now;
use crate::nova::dto::Time;
use crate::nova::rest::tests::{ALICE, App, BOB};

async fn admin(pool: PgPool) -> (App, Router) {
    let app = App::new(pool).await;
    let session = SessionInfo {
        user: ALICE.parse().unwrap(),
        conversation: None,
        connected_at: Time(now()),
        cursor: Some("1767863730123-0".to_owned()),
    };
    let sessions: Sessions = Arc::new(move || vec![session.clone()]);
    let router = router(app.state.clone(), SecretString::from("secret"), sessions);
    (app, router)
}

async fn ask(router: &Router, method: &str, path: &str, body: Value) -> (u16, Value) {
    let request = Request::builder()
        .method(method)
        .uri(format!("/admin/v1{path}"))
        .header("authorization", "Bearer secret")
        .body(Body::from(if body.is_null() {
            String::new()
        } else {
            body.to_string()
        }))
        .unwrap();
    let answer = router.clone().oneshot(request).await.unwrap();
    let status = answer.status().as_u16();
    let body = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn nobody_else_is_let_in(pool: PgPool) {
    let (_app, router) = admin(pool).await;
    for header in [
        "",
        "Bearer ",
        "Bearer secre",
        "Bearer secrets",
        "bearer secret",
        "secret",
    ] {
        for path in ["/admin/v1/accounts", "/admin/v1/nothing", "/"] {
            let request = Request::get(path)
                .header("authorization", header)
                .body(Body::empty())
                .unwrap();
            assert_eq!(
                router.clone().oneshot(request).await.unwrap().status(),
                401,
                "{header:?} {path}"
            );
        }
    }
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn accounts_are_written_read_listed_and_deleted(pool: PgPool) {
    let (app, router) = admin(pool).await;
    let path = "/accounts/00000000-0000-4000-8000-0000000000DA";
    assert_eq!(ask(&router, "GET", path, Value::Null).await.0, 404);
    let profile = json!({ "username": "dave", "display_name": "Dave", "avatar_url": "https://example.org/dave.png" });
    let put = ask(&router, "PUT", path, profile.clone()).await;
    assert_eq!(put.0, 200);
    insta::assert_json_snapshot!("account", put.1);
    assert_eq!(ask(&router, "PUT", path, profile).await, put);
    assert_eq!(ask(&router, "GET", path, Value::Null).await, put);
    for bad in [
        json!({}),
        json!({ "username": "" }),
        json!({ "username": "x", "avatar_url": "x" }),
        json!({ "username": "x", "nick": "y" }),
    ] {
        assert_eq!(ask(&router, "PUT", path, bad.clone()).await.0, 400, "{bad}");
    }
    insta::assert_json_snapshot!(
        "accounts",
        ask(&router, "GET", "/accounts?limit=2", Value::Null).await.1
    );
    let rest = ask(&router, "GET", &format!("/accounts?limit=9&after={BOB}"), Value::Null)
        .await
        .1;
    assert_eq!(
        (rest["accounts"].as_array().unwrap().len(), &rest["next"]),
        (1, &Value::Null)
    );
    assert_eq!(
        ask(&router, "DELETE", path, Value::Null).await,
        (200, json!({ "success": true }))
    );
    assert!(ask(&router, "GET", path, Value::Null).await.1["deleted_at"].is_string());
    assert_eq!(
        ask(
            &router,
            "DELETE",
            "/accounts/00000000-0000-4000-8000-00000000dead",
            Value::Null
        )
        .await
        .0,
        404
    );
    assert_eq!(ask(&router, "GET", "/accounts/x", Value::Null).await.0, 400);
    assert_eq!(app.get(ALICE, "/conversations").await.status, 200);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn dead_letters_are_listed_retried_and_dropped(pool: PgPool) {
    let (app, router) = admin(pool).await;
    let direct = app.direct().await;
    app.post(
        ALICE,
        &format!("/conversations/{direct}/messages"),
        &json!({ "content": "Hello" }),
    )
    .await;
    let bury = "WITH job AS (DELETE FROM outbox WHERE message_id IS NOT NULL RETURNING *)
                INSERT INTO dead_letters
                    (id, direction, reason, detail, conversation_id, actor_id, message_id, payload, created_at)
                SELECT id, 'to_matrix', 'refused', 'M_FORBIDDEN', conversation_id, actor_id, message_id, job, created_at
                FROM job RETURNING id";
    let id: Uuid = sqlx::query_scalar(bury).fetch_one(&app.pool).await.unwrap();
    insta::assert_json_snapshot!(
        "dead_letters",
        ask(&router, "GET", "/dead-letters", Value::Null).await.1
    );
    let page = ask(&router, "GET", "/dead-letters?offset=1", Value::Null).await.1;
    assert_eq!(page, json!({ "dead_letters": [], "total": 1 }));
    let retry = format!("/dead-letters/{id}/retry");
    assert_eq!(
        ask(&router, "POST", &retry, Value::Null).await,
        (200, json!({ "success": true }))
    );
    assert_eq!(ask(&router, "POST", &retry, Value::Null).await.0, 404);
    let id: Uuid = sqlx::query_scalar(bury).fetch_one(&app.pool).await.unwrap();
    let letter = format!("/dead-letters/{id}");
    assert_eq!(ask(&router, "DELETE", &letter, Value::Null).await.0, 200);
    assert_eq!(ask(&router, "DELETE", &letter, Value::Null).await.0, 404);
    assert_eq!(ask(&router, "GET", &letter, Value::Null).await.0, 405);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn portals_sessions_and_health_are_shown(pool: PgPool) {
    let (app, router) = admin(pool).await;
    let group = app.group().await;
    let map = "INSERT INTO matrix_room_mapping (conversation_id, matrix_room_id, created_at, updated_at)
               VALUES ($1::uuid, '!room:example.org', now(), now())";
    sqlx::query(map)
        .bind(group.parse::<Uuid>().unwrap())
        .execute(&app.pool)
        .await
        .unwrap();
    insta::assert_json_snapshot!("portals", ask(&router, "GET", "/portals?limit=1", Value::Null).await.1);
    insta::assert_json_snapshot!("sessions", ask(&router, "GET", "/sessions", Value::Null).await.1);
    insta::assert_json_snapshot!("health", ask(&router, "GET", "/health", Value::Null).await.1, {
        ".version" => "(the version)", ".database_connections" => 1, ".database_connections_idle" => 1,
    });
    assert_eq!(ask(&router, "GET", "/nothing", Value::Null).await.0, 404);
}
