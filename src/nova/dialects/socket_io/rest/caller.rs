//! A request, and who makes it.

use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::{HeaderMap, Uri};
use serde_json::Value;

use super::{Failure, Id};
use crate::bridge::CommandError;
use crate::domain::ids::{CallId, UserId};
use crate::nova::dialects::socket_io::{DialectState, proof, wire};

/// The largest body, in bytes: the longest SDP, escaped.
const MAX_BODY: usize = 256 * 1024;

/// What a path names.
#[derive(Debug, serde::Deserialize)]
struct Named {
    token: Option<String>,
}

/// A request's body, and its token.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) body: Value,
    token: Option<String>,
    /// The token of the path.
    in_path: Option<String>,
    /// `?userId=`.
    in_query: Option<String>,
}

impl FromRequest<DialectState> for Asked {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &DialectState) -> Result<Self, Failure> {
        let (mut parts, body) = request.into_parts();
        let named = Path::<Named>::from_request_parts(&mut parts, state).await.ok();
        let bytes = axum::body::to_bytes(body, MAX_BODY).await;
        let bytes = bytes.map_err(|_| Failure::Missing("The body is too large"))?;
        let body = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes).map_err(|_| Failure::Missing("The body is no JSON"))?
        };
        let in_path = named.and_then(|Path(named)| named.token);
        Ok(Self::new(body, in_path.as_deref(), &parts.uri, &parts.headers))
    }
}

impl Asked {
    fn new(body: Value, in_path: Option<&str>, uri: &Uri, headers: &HeaderMap) -> Self {
        let query = uri.query().unwrap_or_default();
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        let in_query = pairs.find(|(name, _)| name == "userId").map(|(_, id)| id.into_owned());
        Self {
            token: proof::of_request(in_path, Some(&body), uri, headers),
            body,
            in_path: in_path.map(str::to_owned),
            in_query,
        }
    }

    /// A field that is a text.
    pub(super) fn text(&self, field: &str) -> Option<&str> {
        wire::id(&self.body, field)
    }

    /// Whether all of these are there.
    pub(super) fn needs(&self, fields: &[&str]) -> Result<(), ()> {
        fields.iter().all(|it| self.text(it).is_some()).then_some(()).ok_or(())
    }

    /// Whom the request names.
    pub(super) fn claimed(&self) -> Option<&str> {
        self.text("userId").or(self.in_query.as_deref())
    }

    /// The token of the request's path.
    pub(super) fn in_path(&self) -> Option<&str> {
        self.in_path.as_deref()
    }

    /// The token of the request.
    pub(super) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Who makes the request: whoever the token belongs to, and nobody else.
    pub(super) async fn caller(&self, state: &DialectState) -> Result<UserId, Failure> {
        let caller = proof::believe(state, None, self.token(), self.claimed()).await;
        caller.map_err(|proof::Refused| Failure::Unauthorized)
    }

    /// Who makes the request, and the call that it is for.
    pub(super) async fn caller_and(
        &self,
        state: &DialectState,
        id: Id,
        missing: &'static str,
    ) -> Result<(UserId, CallId), Failure> {
        if self.claimed().is_none() {
            return Err(Failure::Missing(missing));
        }
        let caller = self.caller(state).await?;
        let id = id.0.ok_or(CommandError::UnknownCall)?;
        Ok((caller, id))
    }
}
