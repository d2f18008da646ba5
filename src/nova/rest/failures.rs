//! The failures of routes, as the OpenAPI document names them.

use utoipa::IntoResponses;

use crate::nova::error::ErrorBody;

/// What may go wrong with any request that needs a token.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only described, never made")]
pub(super) enum Failures {
    /// The request makes no sense
    #[response(status = 400)]
    Invalid(ErrorBody),
    /// The token is missing or not good
    #[response(status = 401)]
    Denied(ErrorBody),
    /// The caller may not do this
    #[response(status = 403)]
    Forbidden(ErrorBody),
    /// There is no such thing
    #[response(status = 404)]
    NotFound(ErrorBody),
    /// The request collided with others
    #[response(status = 409)]
    Conflict(ErrorBody),
    /// The body is larger than 1 MiB
    #[response(status = 413)]
    TooLarge(ErrorBody),
    /// Too many messages; `Retry-After` says how long to wait
    #[response(status = 429)]
    TooMany(ErrorBody),
    /// A bug
    #[response(status = 500)]
    Bug(ErrorBody),
    /// The database cannot be reached at the moment
    #[response(status = 503)]
    Unavailable(ErrorBody),
}
