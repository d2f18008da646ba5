//! The listener for machines that watch the bridge: `/metrics`, `/health/live`, `/health/ready`.
//!
//! Live means that the process answers. Ready means that every condition that the caller's check names is met, and that
//! the bridge is not stopping.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use futures_util::future::BoxFuture;
use prometheus_client::registry::Registry;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

/// A probe must get its answer before whoever asks gives up.
const TIME_LIMIT: Duration = Duration::from_secs(4);

/// One thing that has to be true before the bridge can serve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Condition {
    /// Its name, such as `database`.
    pub name: &'static str,
    /// Whether it is true.
    pub ready: bool,
    /// What is wrong, in words that hold no secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl Condition {
    /// A condition that is met.
    #[must_use]
    pub fn met(name: &'static str) -> Self {
        Self {
            name,
            ready: true,
            detail: None,
        }
    }

    /// A condition that is not met.
    #[must_use]
    pub fn unmet(name: &'static str, detail: impl Into<String>) -> Self {
        Self {
            name,
            ready: false,
            detail: Some(detail.into()),
        }
    }
}

/// Looks at every condition now.
pub type Check = Arc<dyn Fn() -> BoxFuture<'static, Vec<Condition>> + Send + Sync>;

/// What the probes show.
#[derive(Clone)]
pub struct Health {
    /// The metrics.
    pub registry: Arc<Registry>,
    /// The readiness.
    pub check: Check,
    /// Cancelled once the bridge stops.
    pub stopping: CancellationToken,
}

/// The routes of the metrics listener.
pub fn router(health: Health) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/health/live", get(async || "OK"))
        .route("/health/ready", get(ready))
        .with_state(health)
}

#[derive(Serialize)]
struct Readiness {
    ready: bool,
    conditions: Vec<Condition>,
}

async fn ready(State(health): State<Health>) -> Response {
    let conditions = conditions(&health, TIME_LIMIT).await;
    let ready = conditions.iter().all(|condition| condition.ready);
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(Readiness { ready, conditions })).into_response()
}

async fn conditions(health: &Health, limit: Duration) -> Vec<Condition> {
    if health.stopping.is_cancelled() {
        return vec![Condition::unmet("running", "the bridge is stopping")];
    }
    let late = || {
        vec![Condition::unmet(
            "check",
            "the conditions could not be looked at in time",
        )]
    };
    tokio::time::timeout(limit, (health.check)())
        .await
        .unwrap_or_else(|_| late())
}

async fn metrics(State(health): State<Health>) -> Response {
    match crate::metrics::encode(&health.registry) {
        Ok(text) => {
            let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, content_type)], text).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "the metrics could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use futures_util::FutureExt;
    use tower::ServiceExt;

    use super::*;

    async fn get(conditions: Vec<Condition>, stopping: bool, path: &str) -> (StatusCode, String) {
        let health = Health {
            registry: Arc::new(crate::metrics::new().1),
            check: Arc::new(move || std::future::ready(conditions.clone()).boxed()),
            stopping: CancellationToken::new(),
        };
        if stopping {
            health.stopping.cancel();
        }
        let request = Request::get(path).body(Body::empty()).unwrap();
        let answer = router(health).oneshot(request).await.unwrap();
        let status = answer.status();
        (
            status,
            String::from_utf8(to_bytes(answer.into_body(), 1 << 20).await.unwrap().to_vec()).unwrap(),
        )
    }

    #[tokio::test]
    async fn ready_when_every_condition_is_met() {
        let (status, body) = get(
            vec![Condition::met("database"), Condition::met("homeserver")],
            false,
            "/health/ready",
        )
        .await;
        assert_eq!(status, 200);
        insta::assert_snapshot!(body, @r#"{"ready":true,"conditions":[{"name":"database","ready":true},{"name":"homeserver","ready":true}]}"#);
    }

    #[tokio::test]
    async fn names_what_is_not_ready() {
        let conditions = vec![
            Condition::met("homeserver"),
            Condition::unmet("database", "no connection"),
        ];
        let (status, body) = get(conditions, false, "/health/ready").await;
        assert_eq!(status, 503);
        insta::assert_snapshot!(body, @r#"{"ready":false,"conditions":[{"name":"homeserver","ready":true},{"name":"database","ready":false,"detail":"no connection"}]}"#);
    }

    #[tokio::test]
    async fn live_but_not_ready_while_stopping() {
        assert_eq!(
            get(vec![Condition::met("database")], true, "/health/ready").await.0,
            503
        );
        assert_eq!(
            get(vec![], true, "/health/live").await,
            (StatusCode::OK, "OK".to_owned())
        );
    }

    #[tokio::test]
    async fn a_check_that_hangs_is_not_ready() {
        let health = Health {
            registry: Arc::new(crate::metrics::new().1),
            check: Arc::new(|| std::future::pending().boxed()),
            stopping: CancellationToken::new(),
        };
        let conditions = conditions(&health, Duration::from_millis(1)).await;
        assert!(
            conditions.iter().all(|condition| !condition.ready) && conditions.len() == 1,
            "{conditions:?}"
        );
    }

    #[tokio::test]
    async fn the_metrics_are_open_metrics() {
        let (status, body) = get(vec![], false, "/metrics").await;
        assert!(status == 200 && body.ends_with("# EOF\n"), "{body}");
    }
}
