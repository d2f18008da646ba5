//! Who a client is. The dialect itself believes everybody; here a token of Nova has to say so, unless the admin decided
//! otherwise.

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Uri};
use serde_json::Value;

use super::DialectState;
use super::wire;
use crate::domain::ids::UserId;
use crate::nova::NovaState;
use crate::nova::auth::TokenOwner;
use crate::nova::error::ApiError;

/// What a refused client is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Invalid access token")]
pub(super) struct Refused;

/// The token of a connection: of its namespace, its `auth` or its query.
pub(super) fn of_connection(namespace: &str, query: Option<&str>, auth: Option<&Value>) -> Option<String> {
    let in_path = namespace.strip_prefix("/u/").map(str::to_owned);
    let in_auth = || Some(auth?.get("token")?.as_str()?.to_owned());
    in_path.or_else(in_auth).or_else(|| of_query(query))
}

fn of_query(query: Option<&str>) -> Option<String> {
    let mut pairs = url::form_urlencoded::parse(query?.as_bytes());
    pairs
        .find(|(name, _)| name == "token")
        .map(|(_, token)| token.into_owned())
}

/// The token of a request: of its path, its body, its query or its header.
pub(super) fn of_request(path: Option<&str>, body: Option<&Value>, uri: &Uri, headers: &HeaderMap) -> Option<String> {
    let in_header = || {
        headers
            .get(AUTHORIZATION)?
            .to_str()
            .ok()?
            .strip_prefix("Bearer ")
            .map(str::to_owned)
    };
    let in_body = || Some(body?.get("accessToken")?.as_str()?.to_owned());
    path.map(str::to_owned)
        .or_else(in_header)
        .or_else(|| of_query(uri.query()))
        .or_else(in_body)
}

/// Whose token it is. An account that is new is made.
pub(super) async fn owner(state: &NovaState, token: &str) -> Result<UserId, Refused> {
    let verified = async {
        let TokenOwner { user, username } = state.auth.verify(token, state.bridge.now()).await?;
        state.bridge.ensure_account(user, &username).await?;
        Ok::<_, ApiError>(user)
    };
    verified.await.map_err(|error| {
        tracing::debug!(%error, "a token is refused");
        Refused
    })
}

/// Who somebody is who says that they are `claimed`, and shows `token` or has shown one before.
pub(super) async fn believe(
    state: &DialectState,
    proven: Option<UserId>,
    token: Option<&str>,
    claimed: Option<&str>,
) -> Result<UserId, Refused> {
    let named = claimed.map(|claimed| wire::user(state.nova.bridge.ghosts(), claimed).ok_or(Refused));
    let named = named.transpose()?;
    let owner = match (proven, token) {
        (Some(proven), _) => Some(proven),
        (None, Some(token)) if !state.insecure_legacy => Some(owner(&state.nova, token).await?),
        // The published clients send the token of a homeserver here.
        (None, Some(token)) => owner(&state.nova, token).await.ok(),
        (None, None) => None,
    };
    match (owner, named) {
        (Some(owner), None) => Ok(owner),
        (Some(owner), Some(named)) if owner == named => Ok(owner),
        (None, Some(named)) if state.insecure_legacy && exists(state, named).await => Ok(named),
        (Some(_) | None, _) => Err(Refused),
    }
}

async fn exists(state: &DialectState, user: UserId) -> bool {
    let found = state.nova.bridge.find_account(user).await;
    matches!(found, Ok(Some(person)) if person.is_nova)
}
