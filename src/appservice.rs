//! What Synapse calls: the application service API, whole
//! (<https://spec.matrix.org/v1.16/application-service-api/>).
//!
//! Owns authentication, paths (legacy ones too), limits and Matrix's error bodies. What an event means is the business of
//! [`crate::bridge`]; here a transaction is only taken apart.

mod auth;
mod error;
mod extract;
mod numbers;
mod ping;
pub mod ping_responder;
mod queries;
pub mod registration;
mod thirdparty;
mod transactions;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post, put};
use secrecy::SecretString;
use tower_http::catch_panic::CatchPanicLayer;

use crate::bridge::Bridge;
use crate::metrics::Metrics;

pub use error::MatrixError;
pub use numbers::Numbers;

/// The largest transaction: 100 events and 100 ephemeral ones of up to 64 KiB, and room to spare. Synapse repeats what
/// is refused for its size for ever, and nothing behind it comes through.
pub const BODY_LIMIT: usize = 32 * 1024 * 1024;

/// Everything that handlers need. Cheap to clone.
#[derive(Clone)]
pub struct AppserviceState {
    /// The use cases.
    pub bridge: Bridge,
    /// The token that Synapse shows.
    pub hs_token: Arc<SecretString>,
    /// The Matrix id of the bot that people talk to.
    pub bot: Arc<str>,
    /// Counters.
    pub metrics: Metrics,
    /// Set while transactions are turned away because the database is down, so that Synapse can be called back after it.
    pub turned_away: Arc<AtomicBool>,
    /// What is known of Synapse's count of transactions.
    pub numbers: Arc<Numbers>,
    /// Set from when the homeserver was found away until its rooms were looked into: what it pushes then has to wait.
    pub away: Arc<AtomicBool>,
}

/// The routes of the listener that Synapse reaches.
pub fn router(state: AppserviceState) -> Router {
    let transactions = put(transactions::push);
    let user = get(queries::user);
    let room = get(queries::room);
    let thirdparty = Router::new()
        .route("/protocol/{protocol}", get(thirdparty::protocol))
        .route("/user", get(thirdparty::user_by_id))
        .route("/user/{protocol}", get(thirdparty::users))
        .route("/location", get(thirdparty::location_by_alias))
        .route("/location/{protocol}", get(thirdparty::locations));
    Router::new()
        .route("/_matrix/app/v1/transactions/{txn_id}", transactions.clone())
        .route("/transactions/{txn_id}", transactions)
        .route("/_matrix/app/v1/users/{user_id}", user.clone())
        .route("/users/{user_id}", user)
        .route("/_matrix/app/v1/rooms/{alias}", room.clone())
        .route("/rooms/{alias}", room)
        .route("/_matrix/app/v1/ping", post(ping::ping))
        .nest("/_matrix/app/v1/thirdparty", thirdparty.clone())
        .nest("/_matrix/app/unstable/thirdparty", thirdparty)
        .method_not_allowed_fallback(async || MatrixError::wrong_method())
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(from_fn_with_state(state.clone(), auth::require_token))
        .fallback(async || MatrixError::unknown_path())
        .layer(CatchPanicLayer::custom(|_| MatrixError::internal()))
        .with_state(state)
}
