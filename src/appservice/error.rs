//! Errors as Matrix writes them: `{"errcode", "error"}`.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::bridge::CommandError;
use crate::bridge::ingest::NotTaken;
use crate::store::StoreError;

/// An answer that is not a success.
#[derive(Debug)]
pub struct MatrixError {
    status: StatusCode,
    errcode: &'static str,
    error: &'static str,
}

#[derive(Serialize)]
struct Body {
    errcode: &'static str,
    error: &'static str,
}

impl MatrixError {
    const fn new(status: StatusCode, errcode: &'static str, error: &'static str) -> Self {
        Self { status, errcode, error }
    }

    pub(super) const fn missing_token() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "M_MISSING_TOKEN", "no access token was given")
    }

    pub(super) const fn wrong_token() -> Self {
        Self::new(StatusCode::FORBIDDEN, "M_FORBIDDEN", "the access token is not ours")
    }

    pub(super) const fn unknown_path() -> Self {
        Self::new(StatusCode::NOT_FOUND, "M_UNRECOGNIZED", "no such endpoint")
    }

    pub(super) const fn wrong_method() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "M_UNRECOGNIZED",
            "this endpoint does not take that method",
        )
    }

    pub(super) const fn not_json() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "M_NOT_JSON", "the body is not JSON")
    }

    pub(super) const fn bad_json() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "M_BAD_JSON", "the body is not a transaction")
    }

    pub(super) const fn bad_parameter() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "M_INVALID_PARAM",
            "the path or the query cannot be read",
        )
    }

    pub(super) const fn too_large() -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "M_TOO_LARGE",
            "the body is larger than 32 MiB",
        )
    }

    pub(super) const fn not_found(what: &'static str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "M_NOT_FOUND", what)
    }

    /// Synapse keeps what it wanted to tell us, and tries again.
    pub(super) const fn try_again() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "M_UNKNOWN",
            "the bridge's database cannot be reached",
        )
    }

    /// Synapse starts over with the oldest transaction that it has for us.
    pub(super) const fn out_of_turn() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "M_UNKNOWN",
            "a transaction before this one is missing",
        )
    }

    pub(super) fn internal() -> Response {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "M_UNKNOWN", "the bridge failed").into_response()
    }

    #[cfg(test)]
    pub(super) const fn status(&self) -> StatusCode {
        self.status
    }
}

impl From<StoreError> for MatrixError {
    fn from(error: StoreError) -> Self {
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        tracing::error!(%error, cause, "a request of the homeserver is turned away");
        Self::try_again()
    }
}

impl From<NotTaken> for MatrixError {
    fn from(error: NotTaken) -> Self {
        match error {
            NotTaken::Store(error) => error.into(),
            NotTaken::NotYet => Self::out_of_turn(),
        }
    }
}

impl From<CommandError> for MatrixError {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::Store(error) => error.into(),
            CommandError::NoSuchConversation
            | CommandError::NoSuchMessage
            | CommandError::NoSuchRequest
            | CommandError::NoSuchKnock
            | CommandError::NoSuchFile
            | CommandError::File(_)
            | CommandError::NoSuchDeadLetter
            | CommandError::NoSuchUser(_)
            | CommandError::NotMember
            | CommandError::Forbidden(_)
            | CommandError::Invalid(_)
            | CommandError::UnknownCall
            | CommandError::CallsOff
            | CommandError::InCall { .. }
            | CommandError::Message(_)
            | CommandError::Call(_)
            | CommandError::Busy
            | CommandError::Conflict(_)
            | CommandError::Homeserver(_) => {
                tracing::error!(%error, "a request of the homeserver failed");
                Self::new(StatusCode::BAD_GATEWAY, "M_UNKNOWN", "the bridge could not find out")
            }
        }
    }
}

impl IntoResponse for MatrixError {
    fn into_response(self) -> Response {
        (
            self.status,
            Json(Body {
                errcode: self.errcode,
                error: self.error,
            }),
        )
            .into_response()
    }
}
