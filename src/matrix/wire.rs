//! Small steps between ruma, HTTP and the client: bodies within limits, ids within paths, who a request is made as.

use std::error::Error as StdError;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::LOCATION;
use ruma::UserId;
use ruma::api::AppserviceUserIdentity;
use url::Url;

use super::error::{HomeserverError, Refusal};

/// An error says what it has to say in less.
const ERROR_LIMIT: usize = 64 << 10;

/// The status alone decides; a body that is too large or breaks off adds nothing to it.
pub(super) async fn read_refusal(status: u16, headers: &HeaderMap, response: reqwest::Response) -> Refusal {
    let body = read_body(response, ERROR_LIMIT).await.unwrap_or_default();
    Refusal::read(status, headers, &body)
}

/// Reads a body of at most `limit` bytes, whatever its header says.
pub(super) async fn read_body(mut response: reqwest::Response, limit: usize) -> Result<Bytes, HomeserverError> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(HomeserverError::from_transport)? {
        if body.len() + chunk.len() > limit {
            return Err(HomeserverError::TooLarge { limit });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// Where an answer that is no success leads to instead.
///
/// # Errors
///
/// The refusal that it is where it leads nowhere else, and [`HomeserverError::Unsuitable`] for what is no address.
pub(super) fn redirected(from: &Url, response: &reqwest::Response) -> Result<Url, HomeserverError> {
    let status = response.status();
    let target = response.headers().get(LOCATION).filter(|_| status.is_redirection());
    let Some(target) = target else {
        return Err(Refusal::read(status.as_u16(), response.headers(), b"{}").into());
    };
    let target = target.to_str().ok().and_then(|target| from.join(target).ok());
    target.ok_or(HomeserverError::Unsuitable("the redirect leads nowhere"))
}

/// Whom a request is made as: the ghost, or the application service itself.
pub(super) fn identity(ghost: Option<&UserId>) -> AppserviceUserIdentity<'_> {
    ghost.map_or_else(AppserviceUserIdentity::default, AppserviceUserIdentity::new)
}

/// An id or a name as ruma must be given it for a path. ruma escapes whatever would end a path segment but leaves `%`
/// alone, so that `!a%41` would reach the homeserver as `!aA`: another room.
pub(super) fn in_path<T>(text: impl AsRef<str>) -> Result<T, HomeserverError>
where
    T: TryFrom<String, Error: StdError + Send + Sync + 'static>,
{
    let text = text.as_ref();
    if matches!(text, "." | "..") {
        // Any URL parser on the way takes these for steps, escaped or not.
        return Err(HomeserverError::request("dots cannot be part of a path"));
    }
    T::try_from(text.replace('%', "%25")).map_err(HomeserverError::request)
}
