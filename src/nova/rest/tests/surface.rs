//! What there is at all: the document, unknown paths, wrong methods, other origins.

use std::collections::BTreeSet;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::routing::get;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{ALICE, App};
use crate::metrics;
use crate::nova::rest::layers;

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn the_document_describes_every_route(pool: PgPool) {
    let app = App::new(pool).await;
    let request = Request::get("/openapi.json").body(Body::empty()).unwrap();
    let document = app.send(request).await.body;
    insta::assert_json_snapshot!("openapi", document, { ".info.version" => "(the version)" });
    let mut names = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap().iter().filter(|(name, _)| *name != "servers") {
            let name = operation["operationId"].as_str().unwrap().to_owned();
            assert!(names.insert(name.clone()), "{method} {path}: {name} is there twice");
            assert!(operation["summary"].is_string(), "{method} {path} has no summary");
        }
    }
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn every_described_route_answers_below_each_of_its_addresses(pool: PgPool) {
    let app = App::new(pool).await;
    let request = Request::get("/openapi.json").body(Body::empty()).unwrap();
    let document = app.send(request).await.body;
    for (path, item) in document["paths"].as_object().unwrap() {
        let prefixes: Vec<&str> = match item["servers"].as_array() {
            Some(servers) => servers
                .iter()
                .map(|it| it["url"].as_str().unwrap().trim_end_matches('/'))
                .collect(),
            None => vec![""],
        };
        for prefix in prefixes {
            let path = format!("{prefix}{}", path.replace(['{', '}'], ""));
            for (method, operation) in item.as_object().unwrap().iter().filter(|(name, _)| *name != "servers") {
                let method = method.to_uppercase();
                let open = operation["security"] == json!([{}]) || path.starts_with("/avatars/");
                let request = Request::builder()
                    .method(&*method)
                    .uri(&path)
                    .body(Body::empty())
                    .unwrap();
                let status = app.send(request).await.status;
                // Whoever has the address needs no token there; this one is none.
                let expected = if open { 400 } else { 401 };
                assert_eq!(status, expected, "{method} {path}");
            }
        }
    }
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn what_comes_later_is_not_there_yet(pool: PgPool) {
    let app = App::new(pool).await;
    let id = app.direct().await;
    let unknown = |answer: &super::Answer| answer.body["message"] == json!("no such path");
    for (method, path) in [
        ("GET", format!("/conversations/{id}/encryption-key")),
        ("GET", "/api/v1/nothing".to_owned()),
        ("GET", "/api/v2/chat".to_owned()),
    ] {
        let answer = app.raw(method, ALICE, &path, Body::empty()).await;
        assert!(answer.status == 404 && unknown(&answer), "{method} {path}: {answer:?}");
    }
    let answer = app.raw("PATCH", ALICE, &format!("/messages/{id}"), Body::empty()).await;
    assert_eq!(answer.status, 405);
    insta::assert_json_snapshot!("wrong_method", answer.body);
    let answer = app.raw("DELETE", ALICE, "/api/v2/chat/messages", Body::empty()).await;
    assert_eq!((answer.status.as_u16(), &answer.body["status"]), (405, &json!(405)));
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn other_origins_may_call_where_the_admin_says_so(pool: PgPool) {
    let app = App::new(pool).await;
    for (origin, allowed) in [("https://web.example.org", true), ("https://evil.example.org", false)] {
        let request = Request::builder()
            .method("OPTIONS")
            .uri("/conversations")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,content-type")
            .body(Body::empty())
            .unwrap();
        let answer = app.send(request).await;
        let allows = answer
            .headers
            .get("access-control-allow-origin")
            .is_some_and(|it| it == origin);
        assert_eq!(allows, allowed, "{origin}");
        // A refusal must be readable too.
        let request = Request::get("/conversations")
            .header("origin", origin)
            .body(Body::empty())
            .unwrap();
        let answer = app.send(request).await;
        assert_eq!(answer.status, 401);
        assert_eq!(answer.headers.contains_key("access-control-allow-origin"), allowed);
    }
    let health = app.send(Request::get("/health").body(Body::empty()).unwrap()).await;
    assert_eq!((health.status.as_u16(), health.body), (200, Value::from("OK")));
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_panic_is_an_error_of_ours_and_the_metrics_know_routes_but_no_paths(pool: PgPool) {
    let mut app = App::new(pool).await;
    let panics = Router::new().route(
        "/panic/{id}",
        get(async || -> &'static str { unreachable!("but it is") }),
    );
    app.router = layers::around(panics, Router::new(), &app.state).with_state(app.state.clone());
    let answer = app.get(ALICE, "/panic/1").await;
    assert_eq!(answer.status, 500);
    insta::assert_json_snapshot!("panic", answer.body);
    assert_eq!(app.get(ALICE, "/no/such/path").await.status, 404);
    let text = metrics::encode(&app.registry).unwrap();
    let counted = |line: &str| text.lines().any(|it| it.contains("rest_requests") && it.contains(line));
    assert!(
        counted(r#"route="/panic/{id}",status="500""#) && counted(r#"route="(none)",status="404""#),
        "{text}"
    );
    assert!(!text.contains("/no/such/path"));
}
