//! What happens to every request: log, metrics, limits, CORS, and no answer without a body that clients understand.

use std::any::Any;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, Method};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tower_http::catch_panic::{CatchPanicLayer, ResponseForPanic};
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_http::trace::TraceLayer;
use tracing::Span;

use crate::nova::NovaState;
use crate::nova::error::{self, ApiError};

/// The largest body.
const BODY_LIMIT: usize = 1 << 20;
/// The longest that an answer may take: longer than the wait for a connection to Postgres, shorter than clients wait.
const TIME_LIMIT: Duration = Duration::from_secs(15);
/// How long a browser may remember what CORS allows.
const CORS_AGE: Duration = Duration::from_hours(1);

/// Puts everything around `routes`; around `files` all but the limits of size and time, for which they have their own.
pub(crate) fn around(routes: Router<NovaState>, files: Router<NovaState>, state: &NovaState) -> Router<NovaState> {
    routes
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(from_fn(in_time))
        .merge(files)
        .layer(catch_panic())
        .layer(from_fn_with_state(state.clone(), error::finish))
        .layer(from_fn_with_state(state.clone(), count))
        .layer(cors(&state.settings.cors_origins))
        .layer(
            TraceLayer::new_for_http()
                .make_span_with(span)
                .on_request(())
                .on_failure(()),
        )
}

/// The span of a request. Its query is left out, and a path that begins with a token.
fn span(request: &Request) -> Span {
    let path = request.uri().path();
    let shown = match path {
        _ if path.starts_with("/u/") => "/u/…",
        _ if path.starts_with("/zajel/") => "/zajel/…",
        _ => path,
    };
    tracing::info_span!("nova.request", method = %request.method(), path = shown)
}

/// Gives up on what takes too long.
pub(crate) async fn in_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(TIME_LIMIT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ApiError::TooSlow.into_response(),
    }
}

/// Answers for a handler that panicked.
pub(crate) fn catch_panic() -> CatchPanicLayer<AfterPanic> {
    CatchPanicLayer::custom(AfterPanic)
}

/// What is answered after a panic.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AfterPanic;

impl ResponseForPanic for AfterPanic {
    type ResponseBody = Body;

    /// The panic itself is in the log already, written by the hook.
    fn response_for_panic(&mut self, _panic: Box<dyn Any + Send + 'static>) -> Response {
        ApiError::Bug.into_response()
    }
}

async fn count(State(state): State<NovaState>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    // Paths without a route are the page's files, and whatever strangers try.
    let route = route.as_ref().map_or("(none)", MatchedPath::as_str);
    state.metrics.rest_request(route, response.status().as_u16());
    response
}

pub(crate) fn cors(origins: &[String]) -> CorsLayer {
    let allowed = if origins.iter().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()))
    };
    CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([AUTHORIZATION, CONTENT_TYPE])
        .expose_headers([RETRY_AFTER])
        .max_age(CORS_AGE)
}
