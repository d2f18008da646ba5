//! Answers the homeserver's ping while the bridge does not run, for `doctor`.
//!
//! Knows whether the homeserver showed our token. Everything else is answered 503, so that the homeserver keeps the
//! events which it begins to push as soon as its ping is answered.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Query, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use bytes::Bytes;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use subtle::ConstantTimeEq;
use tokio::net::TcpListener;

/// One ping that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ping {
    /// What the one who asked for it called it.
    pub transaction_id: Option<String>,
    /// Whether it came with our token.
    pub with_our_token: bool,
}

/// A listener that answers pings.
#[derive(Debug)]
pub struct PingResponder {
    listener: TcpListener,
    state: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    hs_token: SecretString,
    heard: Mutex<Vec<Ping>>,
}

impl PingResponder {
    /// Listens where the bridge would.
    ///
    /// # Errors
    /// The address is taken, or is none of this machine.
    pub async fn bind(address: SocketAddr, hs_token: SecretString) -> std::io::Result<Self> {
        Ok(Self {
            listener: TcpListener::bind(address).await?,
            state: Arc::new(Shared {
                hs_token,
                heard: Mutex::default(),
            }),
        })
    }

    /// Answers until `asked` is done, and says what was heard meanwhile.
    pub async fn answer_while<A>(self, asked: impl Future<Output = A>) -> (A, Vec<Ping>) {
        let serving = axum::serve(self.listener, router(Arc::clone(&self.state))).into_future();
        let mut asked = pin!(asked);
        let answer = tokio::select! {
            answer = &mut asked => answer,
            // It does not end by itself; if it did, the homeserver would tell.
            _ = serving => asked.await,
        };
        let heard = self.state.heard.lock().unwrap_or_else(PoisonError::into_inner).clone();
        (answer, heard)
    }
}

fn router(state: Arc<Shared>) -> Router {
    Router::new()
        .route("/_matrix/app/v1/ping", post(ping))
        .fallback(async || refuse(StatusCode::SERVICE_UNAVAILABLE, "M_UNKNOWN", "the bridge does not run"))
        .with_state(state)
}

#[derive(Deserialize)]
struct Legacy {
    access_token: Option<String>,
}

#[derive(Deserialize)]
struct Body {
    transaction_id: Option<String>,
}

async fn ping(
    State(state): State<Arc<Shared>>,
    Query(query): Query<Legacy>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let shown = headers
        .get(AUTHORIZATION)
        .and_then(|header| header.to_str().ok()?.strip_prefix("Bearer "))
        .or(query.access_token.as_deref())
        .unwrap_or_default();
    let with_our_token: bool = shown.as_bytes().ct_eq(state.hs_token.expose_secret().as_bytes()).into();
    let transaction_id = serde_json::from_slice::<Body>(&body)
        .ok()
        .and_then(|body| body.transaction_id);
    state.heard.lock().unwrap_or_else(PoisonError::into_inner).push(Ping {
        transaction_id,
        with_our_token,
    });
    if with_our_token {
        Json(json!({})).into_response()
    } else {
        refuse(StatusCode::FORBIDDEN, "M_FORBIDDEN", "this is not our hs_token")
    }
}

fn refuse(status: StatusCode, errcode: &str, error: &str) -> Response {
    let body: Value = json!({ "errcode": errcode, "error": error });
    (status, Json(body)).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use tower::ServiceExt;

    use super::*;

    async fn answer(method: &str, target: &str, token: Option<&str>) -> (u16, Vec<Ping>) {
        let state = Arc::new(Shared {
            hs_token: "right".to_owned().into(),
            heard: Mutex::default(),
        });
        let mut request = Request::builder().method(method).uri(target);
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(Body::from(r#"{"transaction_id":"doctor-1"}"#)).unwrap();
        let status = router(Arc::clone(&state)).oneshot(request).await.unwrap().status();
        let heard = state.heard.lock().unwrap().clone();
        (status.as_u16(), heard)
    }

    fn heard(with_our_token: bool) -> Vec<Ping> {
        vec![Ping {
            transaction_id: Some("doctor-1".to_owned()),
            with_our_token,
        }]
    }

    #[tokio::test]
    async fn a_ping_is_answered_to_whoever_shows_our_token() {
        let ping = "/_matrix/app/v1/ping";
        assert_eq!(answer("POST", ping, Some("right")).await, (200, heard(true)));
        assert_eq!(
            answer("POST", &format!("{ping}?access_token=right"), None).await,
            (200, heard(true))
        );
        assert_eq!(answer("POST", ping, Some("wrong")).await, (403, heard(false)));
        assert_eq!(answer("POST", ping, None).await, (403, heard(false)));
    }

    #[tokio::test]
    async fn a_transaction_stays_with_the_homeserver() {
        let push = "/_matrix/app/v1/transactions/1";
        assert_eq!(answer("PUT", push, Some("right")).await, (503, vec![]));
    }
}
