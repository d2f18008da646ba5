//! What every request passes: it is written down, goes wrong where a test wants it, and must be one of our ghosts'.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{FromRequestParts, Query, Request, State};
use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::faults::Fault;
use super::world::{Answer, MatrixError, Recorded, forbid, refuse};
use super::{Shared, files};

impl IntoResponse for MatrixError {
    fn into_response(self) -> Response {
        (
            self.status,
            Json(json!({ "errcode": self.errcode, "error": self.error })),
        )
            .into_response()
    }
}

/// Writes every request down, and lets it go wrong where a test wants it.
pub(super) async fn intercept(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    if files::is_large(&request) {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, usize::MAX).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let recorded = Recorded {
        method: parts.method.to_string(),
        target: parts.uri.to_string(),
        user_id: masked(&parts),
        content_type: parts
            .headers
            .get(CONTENT_TYPE)
            .map(|value| value.to_str().unwrap().to_owned()),
        body: body.clone(),
    };
    let fault = shared.change(|world| {
        world.requests.push(recorded);
        world.faults.take(parts.uri.path())
    });
    let request = Request::from_parts(parts, Body::from(body));
    match fault {
        None => next.run(request).await,
        Some(Fault::Status(status, errcode, wait)) => {
            let mut body = json!({ "errcode": errcode, "error": "made to fail" });
            if let Some(wait) = wait {
                body["retry_after_ms"] = wait.into();
            }
            (StatusCode::from_u16(status).unwrap(), Json(body)).into_response()
        }
        Some(Fault::Body(status, content_type, body)) => (
            StatusCode::from_u16(status).unwrap(),
            [(CONTENT_TYPE, content_type)],
            body,
        )
            .into_response(),
        Some(Fault::LoseAnswer) => {
            next.run(request).await;
            end_connection()
        }
        Some(Fault::Drop) => end_connection(),
        Some(Fault::Hang(gate)) => {
            gate.pass().await;
            next.run(request).await
        }
        Some(Fault::Slow(time)) => {
            let answer = next.run(request).await;
            tokio::time::sleep(time).await;
            answer
        }
    }
}

/// Unwinds through the task of the connection, which closes it; without the noise of a panic.
fn end_connection() -> ! {
    std::panic::resume_unwind(Box::new("the connection ends here"))
}

fn masked(parts: &Parts) -> Option<String> {
    let Query(query) = Query::<HashMap<String, String>>::try_from_uri(&parts.uri).ok()?;
    query.get("user_id").cloned()
}

/// The user that a request is made as.
pub(super) struct Caller(pub(super) String);

impl FromRequestParts<Arc<Shared>> for Caller {
    type Rejection = MatrixError;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Answer<Self> {
        let world = shared.lock();
        let Some(header) = parts.headers.get(AUTHORIZATION) else {
            return refuse(401, "M_MISSING_TOKEN", "Missing access token");
        };
        if header.to_str().ok().and_then(|header| header.strip_prefix("Bearer ")) != Some(&world.options.as_token) {
            return refuse(401, "M_UNKNOWN_TOKEN", "Unrecognised access token");
        }
        let user = masked(parts).unwrap_or_else(|| world.sender());
        if !world.in_namespace(&user) {
            return forbid(format!("Application service cannot masquerade as this user ({user})."));
        }
        match world.accounts.get(&user) {
            None if user != world.sender() => {
                forbid(format!("Application service has not registered this user ({user})"))
            }
            _ => Ok(Self(user)),
        }
    }
}
