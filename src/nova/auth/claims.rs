//! What a token says (nova-client-protocol §2.1), and when that is good.

use serde::Deserialize;

use super::{Denied, TokenOwner};
use crate::domain::clock::Timestamp;

/// How far clocks may differ, in seconds.
const LEEWAY: i64 = 30;
/// How far in the future a token may have been issued, in seconds.
const EARLY: i64 = 300;
/// The longest handle, in bytes.
const MAX_USERNAME: usize = 255;

/// The claims that have to be there, and those that count when they are.
#[derive(Debug, Deserialize)]
pub(super) struct Claims {
    sub: String,
    iat: i64,
    exp: i64,
    token_type: String,
    #[serde(rename = "email")]
    _email: String,
    username: String,
    nbf: Option<i64>,
    jti: Option<String>,
}

impl Claims {
    /// Whose claims they are, if they are good `now`.
    pub(super) fn owner(self, requires_access_token: bool, now: Timestamp) -> Result<TokenOwner, Denied> {
        let now = now.timestamp();
        if self.exp < now.saturating_sub(LEEWAY) {
            return Err(Denied::Bad("the token has expired"));
        }
        if self.nbf.is_some_and(|nbf| nbf > now.saturating_add(LEEWAY)) || self.iat > now.saturating_add(EARLY) {
            return Err(Denied::Bad("the token is not good yet"));
        }
        if self.jti.is_none_or(|jti| jti.trim().is_empty()) {
            return Err(Denied::Bad("the token has no jti"));
        }
        if requires_access_token && self.token_type != "access" {
            return Err(Denied::Bad("the token is no access token"));
        }
        if self.username.trim().is_empty() || self.username.len() > MAX_USERNAME {
            return Err(Denied::Bad("the token's username is empty or too long"));
        }
        let user = self
            .sub
            .parse()
            .map_err(|_| Denied::Bad("the token's sub is no UUID"))?;
        Ok(TokenOwner {
            user,
            username: self.username,
        })
    }
}
