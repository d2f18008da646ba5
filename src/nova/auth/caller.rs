//! The token of a request, and the account that it stands for.

use std::borrow::Cow;

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri};

use super::{Denied, TokenOwner};
use crate::domain::ids::UserId;
use crate::nova::NovaState;
use crate::nova::error::ApiError;

/// Whoever makes a request: the owner of a good token, who has an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The account.
    pub user: UserId,
    /// Its handle.
    pub username: String,
}

impl FromRequestParts<NovaState> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &NovaState) -> Result<Self, ApiError> {
        authenticate(state, &parts.uri, &parts.headers).await
    }
}

/// Who makes a request: `?token=` wins, else `Authorization: Bearer`. An account that is new is made.
///
/// # Errors
/// When the token is missing or not good, or the account was deleted.
pub async fn authenticate(state: &NovaState, uri: &Uri, headers: &HeaderMap) -> Result<Caller, ApiError> {
    let token = token(uri, headers).ok_or(Denied::Missing)?;
    owner_of(state, &token).await
}

/// Whose token it is. An account that is new is made.
///
/// # Errors
/// When the token is not good, or the account was deleted.
pub async fn owner_of(state: &NovaState, token: &str) -> Result<Caller, ApiError> {
    let TokenOwner { user, username } = state.auth.verify(token, state.bridge.now()).await?;
    state.bridge.ensure_account(user, &username).await?;
    Ok(Caller { user, username })
}

/// The token that a request carries.
fn token<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<Cow<'a, str>> {
    let query = uri.query().unwrap_or_default();
    let in_query = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "token");
    if let Some((_, token)) = in_query {
        return Some(token);
    }
    let header = headers.get(AUTHORIZATION)?.to_str().ok()?;
    header.strip_prefix("Bearer ").map(Cow::Borrowed)
}
