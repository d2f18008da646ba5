//! Who is let in, and how the others are told.

use axum::body::Body;
use axum::http::Request;
use sqlx::PgPool;

use super::{ALICE, App, BOB};
use crate::domain::ids::UserId;
use crate::nova::auth::tests::token;

async fn ask(app: &App, path: &str, header: Option<&str>) -> (u16, serde_json::Value) {
    let mut request = Request::get(path);
    if let Some(header) = header {
        request = request.header("authorization", header);
    }
    let answer = app.send(request.body(Body::empty()).unwrap()).await;
    (answer.status.as_u16(), answer.body)
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_token_travels_in_the_header_or_in_the_query_and_the_query_wins(pool: PgPool) {
    let app = App::new(pool).await;
    let good = token(ALICE, "alice");
    let in_query = format!("/conversations?token={good}");
    let bad_query = "/conversations?token=bad";
    for (path, header, status) in [
        ("/conversations", Some(format!("Bearer {good}")), 200),
        (&*in_query, None, 200),
        (&*in_query, Some("Bearer bad".to_owned()), 200),
        (bad_query, Some(format!("Bearer {good}")), 401),
        ("/conversations", Some(format!("bearer {good}")), 401),
        ("/conversations", Some(format!("Bearer  {good}")), 401),
        ("/conversations", Some(good.clone()), 401),
        ("/conversations", None, 401),
    ] {
        assert_eq!(ask(&app, path, header.as_deref()).await.0, status, "{path} {header:?}");
    }
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_refusal_has_the_body_that_the_service_had(pool: PgPool) {
    let app = App::new(pool).await;
    insta::assert_json_snapshot!(ask(&app, "/conversations", None).await.1);
    let answer = app.get(BOB, "/conversations?limit=0").await;
    insta::assert_json_snapshot!(answer.body);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn an_account_that_was_deleted_is_forbidden_and_not_unauthorized(pool: PgPool) {
    let app = App::new(pool).await;
    let alice: UserId = ALICE.parse().unwrap();
    app.state.bridge.delete_account(alice).await.unwrap();
    let answer = app.get(ALICE, "/conversations").await;
    assert_eq!(answer.status, 403);
    insta::assert_json_snapshot!(answer.body);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_database_that_is_away_is_503_and_says_nothing_about_it(pool: PgPool) {
    let app = App::new(pool).await;
    app.pool.close().await;
    let answer = app.get(ALICE, "/conversations").await;
    assert_eq!(answer.status, 503);
    insta::assert_json_snapshot!(answer.body);
}
