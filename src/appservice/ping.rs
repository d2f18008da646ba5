//! `POST /_matrix/app/v1/ping`: Synapse shows that it can reach us.

use axum::Json;
use serde_json::{Value, json};

/// Nothing to do: that the request came, with the right token, is the answer.
pub(super) async fn ping() -> Json<Value> {
    Json(json!({}))
}
