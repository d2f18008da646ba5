//! The admin's API: accounts, portals, dead letters, sessions, health. On a listener of its own, with a token of its own.

mod accounts;
mod calls;
mod dead_letters;
mod dto;
mod status;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::AUTHORIZATION;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use super::NovaState;
use super::auth::Denied;
use super::error::{self, ApiError};
use super::rest::layers;

pub use dto::SessionInfo;

/// Who is connected at the moment.
pub type Sessions = Arc<dyn Fn() -> Vec<SessionInfo> + Send + Sync>;

#[derive(Clone)]
struct AdminState {
    nova: NovaState,
    token: Arc<SecretString>,
    sessions: Sessions,
}

impl axum::extract::FromRef<AdminState> for NovaState {
    fn from_ref(state: &AdminState) -> Self {
        state.nova.clone()
    }
}

/// `/admin/v1`, for whoever has `token`.
pub fn router(nova: NovaState, token: SecretString, sessions: Sessions) -> Router {
    let state = AdminState {
        nova: nova.clone(),
        token: Arc::new(token),
        sessions,
    };
    let routes = Router::new()
        .route("/accounts", get(accounts::list))
        .route(
            "/accounts/{id}",
            put(accounts::put).get(accounts::get).delete(accounts::delete),
        )
        .route("/portals", get(status::portals))
        .route("/dead-letters", get(dead_letters::list))
        .route("/dead-letters/{id}", delete(dead_letters::discard))
        .route("/dead-letters/{id}/retry", post(dead_letters::retry))
        .route("/sessions", get(status::sessions))
        .route("/calls/active", get(calls::active))
        .route("/health", get(status::health))
        .method_not_allowed_fallback(async || ApiError::WrongMethod.into_response())
        // Strangers are not told what there is.
        .fallback(async || ApiError::NotFound("no such path").into_response());
    Router::new()
        .nest("/admin/v1", routes)
        .fallback(async || ApiError::NotFound("no such path").into_response())
        .layer(from_fn_with_state(state.clone(), only_the_admin))
        .layer(from_fn(layers::in_time))
        .layer(layers::catch_panic())
        .layer(from_fn_with_state(nova, error::finish))
        .with_state(state)
}

async fn only_the_admin(State(state): State<AdminState>, request: Request, next: Next) -> Response {
    let given = request.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes);
    let Some(given) = given.and_then(|value| value.strip_prefix(b"Bearer ")) else {
        return ApiError::Denied(Denied::Bad("the admin token is missing")).into_response();
    };
    if bool::from(given.ct_eq(state.token.expose_secret().as_bytes())) {
        next.run(request).await
    } else {
        ApiError::Denied(Denied::Bad("the admin token is wrong")).into_response()
    }
}
