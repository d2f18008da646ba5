//! Errors as Nova's clients know them (nova-client-protocol §6.8), and the only place where they get a status.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CONTENT_LENGTH, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::NovaState;
use super::auth::Denied;
use super::dto::Time;
use crate::bridge::CommandError;
use crate::bridge::ingest::error_chain;
use crate::bridge::media::Refused as File;
use crate::domain::act;
use crate::domain::call::Refused;
use crate::store::StoreError;

/// Why a request is not answered with what it asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// The request makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// Nobody is let in with this token.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The caller may not do this.
    #[error("{0}")]
    Forbidden(&'static str),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(&'static str),
    /// There is such a path, but not for this method.
    #[error("this path does not know this method")]
    WrongMethod,
    /// The body is larger than we are willing to read.
    #[error("the body is too large")]
    TooLarge,
    /// A link that is not good, or no more.
    #[error("the link is not good any more; please load the message again")]
    Gone,
    /// It is not to be had here any more.
    #[error("{0}")]
    Moved(&'static str),
    /// Too many of them.
    #[error("too many messages; please wait")]
    TooMany(Duration),
    /// The answer took too long.
    #[error("the request took too long")]
    TooSlow,
    /// A bug.
    #[error("internal error")]
    Bug,
    /// The use case says no.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// Postgres failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The name, the type and the code of an error.
type Kind = (StatusCode, &'static str, &'static str);

const INVALID: Kind = (StatusCode::BAD_REQUEST, "validation_error", "INVALID_REQUEST");
const FORBIDDEN: Kind = (StatusCode::FORBIDDEN, "authorization_error", "AUTHORIZATION_ERROR");
// The code that the old service gave to everything that it did not find.
const NOT_FOUND: Kind = (StatusCode::NOT_FOUND, "not_found_error", "MESSAGE_NOT_FOUND");
const BAD_OFFER: Kind = (StatusCode::BAD_REQUEST, "validation_error", "BAD_OFFER");
const BAD_ANSWER: Kind = (StatusCode::BAD_REQUEST, "validation_error", "BAD_ANSWER");
const VERSION_CONFLICT: Kind = (StatusCode::CONFLICT, "conflict_error", "VERSION_CONFLICT");
const CALL_NOT_FOUND: Kind = (StatusCode::NOT_FOUND, "not_found_error", "CALL_NOT_FOUND");
const CONFLICT: Kind = (StatusCode::CONFLICT, "conflict_error", "CONFLICT");
const CALL_CONFLICT: Kind = (StatusCode::CONFLICT, "conflict_error", "CALL_CONFLICT");
const UNAVAILABLE: Kind = (StatusCode::SERVICE_UNAVAILABLE, "server_error", "SERVICE_UNAVAILABLE");
const TOO_LARGE: Kind = (StatusCode::PAYLOAD_TOO_LARGE, "validation_error", "PAYLOAD_TOO_LARGE");
const UNSUITABLE: Kind = (
    StatusCode::UNSUPPORTED_MEDIA_TYPE,
    "validation_error",
    "UNSUITABLE_FILE",
);
const BUG: Kind = (
    StatusCode::INTERNAL_SERVER_ERROR,
    "server_error",
    "INTERNAL_SERVER_ERROR",
);

impl ApiError {
    fn kind(&self) -> Kind {
        match self {
            Self::Invalid(_) => INVALID,
            Self::Denied(Denied::NoKeys(_)) | Self::TooSlow => UNAVAILABLE,
            Self::Denied(_) => (StatusCode::UNAUTHORIZED, "authentication_error", "INVALID_CREDENTIALS"),
            Self::Forbidden(_) => FORBIDDEN,
            Self::NotFound(_) => NOT_FOUND,
            Self::WrongMethod => (StatusCode::METHOD_NOT_ALLOWED, "validation_error", "METHOD_NOT_ALLOWED"),
            Self::TooLarge => TOO_LARGE,
            Self::Moved(_) => (StatusCode::GONE, "conflict_error", "GONE"),
            Self::Gone => (StatusCode::FORBIDDEN, "authorization_error", "LINK_EXPIRED"),
            Self::TooMany(_) => (StatusCode::TOO_MANY_REQUESTS, "rate_limit_error", "RATE_LIMITED"),
            Self::Bug => BUG,
            Self::Command(error) => Self::kind_of_command(error),
            Self::Store(error) => Self::kind_of_store(error),
        }
    }

    fn kind_of_command(error: &CommandError) -> Kind {
        match error {
            CommandError::NoSuchConversation
            | CommandError::NoSuchMessage
            | CommandError::NoSuchRequest
            | CommandError::NoSuchKnock
            | CommandError::NoSuchFile
            | CommandError::NoSuchDeadLetter
            | CommandError::NoSuchUser(_) => NOT_FOUND,
            CommandError::File(refused) => Self::kind_of_file(refused),
            CommandError::UnknownCall => CALL_NOT_FOUND,
            CommandError::InCall { .. } => CALL_CONFLICT,
            CommandError::Call(refused) => Self::kind_of_refusal(*refused),
            CommandError::Message(refused) => Self::kind_of_act(*refused),
            CommandError::NotMember | CommandError::Forbidden(_) | CommandError::CallsOff => FORBIDDEN,
            CommandError::Invalid(_) => INVALID,
            CommandError::Busy => VERSION_CONFLICT,
            CommandError::Conflict(_) => CONFLICT,
            CommandError::Store(error) => Self::kind_of_store(error),
            CommandError::Homeserver(_) => UNAVAILABLE,
        }
    }

    const fn kind_of_act(refused: act::Refused) -> Kind {
        match refused {
            act::Refused::NotYours => FORBIDDEN,
            act::Refused::Outdated { .. } => VERSION_CONFLICT,
            act::Refused::EditWindowOver => (StatusCode::FORBIDDEN, "authorization_error", "EDIT_WINDOW_EXPIRED"),
            act::Refused::RecallWindowOver => (StatusCode::FORBIDDEN, "authorization_error", "RECALL_WINDOW_EXPIRED"),
            act::Refused::Recalled => (StatusCode::GONE, "conflict_error", "MESSAGE_ALREADY_RECALLED"),
        }
    }

    fn kind_of_file(refused: &File) -> Kind {
        match refused {
            File::TooLarge { .. } => TOO_LARGE,
            File::WrongType { .. } | File::Scriptable | File::TooManyPixels { .. } => UNSUITABLE,
            File::Disk(_) => UNAVAILABLE,
            File::Empty | File::Path | File::BrokenOff => INVALID,
        }
    }

    fn kind_of_refusal(refused: Refused) -> Kind {
        match refused {
            Refused::NotYours => FORBIDDEN,
            Refused::BadOffer => BAD_OFFER,
            Refused::BadAnswer => BAD_ANSWER,
            Refused::NotAGroup | Refused::NoTarget | Refused::TooMany => INVALID,
            Refused::NotRinging
            | Refused::Ended
            | Refused::NotConnected
            | Refused::NoOffer
            | Refused::HasOffer
            | Refused::CannotNegotiate
            | Refused::Full
            | Refused::Joined => CALL_CONFLICT,
        }
    }

    fn kind_of_store(error: &StoreError) -> Kind {
        if error.unavailable() {
            UNAVAILABLE
        } else {
            (StatusCode::INTERNAL_SERVER_ERROR, "server_error", "DATABASE_ERROR")
        }
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.kind().0
    }

    /// The code, for programs; also in error frames of the WebSocket.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.kind().2
    }

    /// What is wrong, for people. Of our own failures it tells no more than that there was one.
    #[must_use]
    pub fn detail(&self) -> String {
        match self.status() {
            StatusCode::SERVICE_UNAVAILABLE => "the service is not available at the moment".to_owned(),
            status if status.is_server_error() => "internal error".to_owned(),
            _ => self.to_string(),
        }
    }

    /// How long to wait before another try.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        if let Self::TooMany(wait) = self {
            Some(*wait)
        } else {
            None
        }
    }

    /// Says it in the log, once.
    pub fn log(&self, method: &str, route: &str) {
        let error: &(dyn StdError + 'static) = self;
        if self.status().is_server_error() {
            tracing::error!(error = %error_chain(error), method, route, "a request failed");
        } else {
            tracing::debug!(error = %error_chain(error), method, route, "a request was refused");
        }
    }
}

/// The body of every error.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorBody {
    /// The status in words.
    #[schema(value_type = String, example = "Forbidden")]
    error: &'static str,
    /// What is wrong, for people.
    #[schema(example = "you are not a member of this conversation")]
    message: String,
    /// The status.
    #[schema(example = 403)]
    status: u16,
    /// What kind of error it is.
    #[schema(value_type = String, example = "authorization_error")]
    error_type: &'static str,
    /// What is wrong, for programs.
    #[schema(value_type = String, example = "AUTHORIZATION_ERROR")]
    code: &'static str,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<Time>,
}

/// An error on its way to the middleware that knows the time and the route.
#[derive(Clone)]
struct Failure(Arc<ApiError>);

fn answer(error: &ApiError, timestamp: Option<Time>) -> Response {
    let (status, error_type, code) = error.kind();
    let detail = error.detail();
    let body = ErrorBody {
        error: status.canonical_reason().unwrap_or_default(),
        // The old service begins so.
        message: if code == INVALID.2 {
            format!("bad request: {detail}")
        } else {
            detail
        },
        status: status.as_u16(),
        error_type,
        code,
        timestamp,
    };
    let mut response = (status, Json(body)).into_response();
    if let Some(wait) = error.retry_after() {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if status == StatusCode::UNAUTHORIZED {
        let bearer = HeaderValue::from_static("Bearer");
        response.headers_mut().insert(WWW_AUTHENTICATE, bearer);
    }
    response
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = answer(&self, None);
        response.extensions_mut().insert(Failure(Arc::new(self)));
        response
    }
}

/// Middleware: gives an error its time, and logs it.
pub async fn finish(State(state): State<NovaState>, request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let mut response = next.run(request).await;
    let Some(Failure(error)) = response.extensions_mut().remove::<Failure>() else {
        return response;
    };
    error.log(method.as_str(), route.as_ref().map_or("(none)", MatchedPath::as_str));
    let timed = answer(&error, Some(Time(state.bridge.now())));
    response.headers_mut().remove(CONTENT_LENGTH);
    *response.body_mut() = timed.into_body();
    response
}
