//! The REST API: the same handlers without a prefix and below `/api/v1`, the gateway's shapes below `/api/v2/chat`, and
//! the room mapping below `/api/v2/matrix` (nova-client-protocol §6).

pub mod extract;

mod acts;
mod attachments;
mod audio;
mod calls;
mod conversations;
mod failures;
mod forward;
mod gateway;
mod knocks;
pub(crate) mod layers;
mod locations;
mod matrix;
mod members;
mod messages;
mod people;
mod pins;
mod reactions;
pub(crate) mod read;
mod receipts;
mod search;
#[cfg(test)]
pub(crate) mod tests;
mod threads;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::dialects::call_frames;
use super::error::ApiError;
use super::{NovaState, avatars, media, openapi, pages};

/// Everything that Nova's clients ask for over HTTP, and the page.
pub fn router(state: NovaState) -> Router {
    let (routes, mut api) = routes().split_for_parts();
    let (files, files_api) = files().split_for_parts();
    api.merge(files_api);
    // Written once: axum copies handlers, and the document in its parts is megabytes.
    let api = openapi::written(&openapi::finished(api));
    let routes = routes
        .nest("/api/v1", Router::from(canonical()))
        .merge(call_frames::routes())
        .route(
            "/openapi.json",
            get(async move || ([(CONTENT_TYPE, "application/json")], api)),
        )
        .route("/health", get(async || "OK"))
        .fallback(pages::fallback)
        .method_not_allowed_fallback(wrong_method);
    layers::around(routes, files.method_not_allowed_fallback(wrong_method), &state).with_state(state)
}

/// Files, which are long and take long.
fn files() -> OpenApiRouter<NovaState> {
    media::router().nest("/api/v1", media::router())
}

/// The routes that the OpenAPI document describes.
pub(super) fn routes() -> OpenApiRouter<NovaState> {
    OpenApiRouter::with_openapi(openapi::base())
        .merge(canonical())
        .nest("/api/v2/chat", shared().merge(gateway::router()))
        .nest("/api/v2/matrix", matrix::router())
        .nest("/api/v2", people::router())
        .merge(calls::old_address())
        .routes(routes!(avatars::get))
}

fn canonical() -> OpenApiRouter<NovaState> {
    shared()
        .merge(conversations::router())
        .merge(messages::router())
        .merge(calls::router())
}

/// What does not differ between the prefixes.
fn shared() -> OpenApiRouter<NovaState> {
    conversations::shared()
        .merge(members::shared())
        .merge(knocks::shared())
        .merge(messages::shared())
        .merge(receipts::shared())
        .merge(attachments::shared())
        .merge(audio::shared())
        .merge(search::shared())
        .merge(people::router())
        .merge(locations::shared())
        .merge(calls::shared())
}

async fn wrong_method() -> Response {
    ApiError::WrongMethod.into_response()
}
