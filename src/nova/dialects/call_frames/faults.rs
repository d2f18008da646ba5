//! What a client is told of a frame that changed nothing.

use axum::extract::ws::Utf8Bytes;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::words::{self, Facts};
use crate::nova::error::ApiError;

/// The words of the service that these clients know.
const TOO_FAST: &str = "Rate limit exceeded. Please slow down.";

/// Why a frame changed nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::nova) struct Fault {
    pub(in crate::nova) code: &'static str,
    message: String,
    /// Which call the frame was about.
    call: Option<Uuid>,
    /// A call that did not come about, and whether because of another one: its caller would ring on for a minute.
    stillborn: Option<(Facts, bool)>,
}

impl Fault {
    /// A frame that makes no sense.
    pub(in crate::nova) fn invalid(message: impl Into<String>) -> Self {
        Self::of(&ApiError::Invalid(message.into()), None)
    }

    /// Too many frames.
    pub(in crate::nova) fn too_fast() -> Self {
        Self::of(&ApiError::TooMany(std::time::Duration::ZERO), None)
    }

    /// Nobody whom the caller may call.
    pub(super) fn no_peer(target: &str, call: Option<Uuid>) -> Self {
        Self {
            message: format!("Peer not found: {target}"),
            ..Self::of(&ApiError::NotFound("Peer not found"), call)
        }
    }

    /// An error, in a frame about `call`.
    pub(super) fn of(error: &ApiError, call: Option<Uuid>) -> Self {
        Self {
            code: error.code(),
            message: if matches!(error, ApiError::TooMany(_)) {
                TOO_FAST.to_owned()
            } else {
                error.detail()
            },
            call,
            stillborn: None,
        }
    }

    /// A call did not come about by it.
    pub(super) fn ends(self, facts: Facts, busy: bool) -> Self {
        Self {
            stillborn: Some((facts, busy)),
            ..self
        }
    }

    /// Whether there are too many frames.
    pub(in crate::nova) fn is_too_fast(&self) -> bool {
        matches!(self.code, "RATE_LIMITED")
    }

    /// The frames for the client: the error in the words of this dialect and of Nova's, and the end of what it began.
    pub(in crate::nova) fn frames(&self, request_id: Option<&Value>) -> Vec<Utf8Bytes> {
        let mut error = Map::new();
        error.insert("type".to_owned(), json!("error"));
        error.insert("message".to_owned(), json!(self.message));
        error.insert("code".to_owned(), json!(self.code));
        error.insert("detail".to_owned(), json!(self.message));
        if let Some(call) = self.call {
            error.insert("callId".to_owned(), json!(call));
        }
        if let Some(id) = request_id {
            error.insert("request_id".to_owned(), id.clone());
        }
        let end = self.stillborn.as_ref().map(|(facts, busy)| words::reject(facts, *busy));
        std::iter::once(Value::Object(error))
            .chain(end)
            .map(|it| text(&it))
            .collect()
    }
}

/// A frame, as it goes out.
pub(super) fn text(frame: &Value) -> Utf8Bytes {
    frame.to_string().into()
}
