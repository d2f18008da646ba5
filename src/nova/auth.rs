//! Tokens of Nova's users: RS256 and nothing else, whatever a token says of itself (nova-client-protocol §2).
//!
//! The time is a parameter, and the key set of a JWKS address comes through a function, because HTTP lives in
//! [`crate::matrix`].

mod caller;
mod claims;
mod keys;
#[cfg(test)]
pub(crate) mod tests;

use std::error::Error as StdError;

use jsonwebtoken::{Algorithm, DecodingKey, Validation};

use crate::domain::clock::Timestamp;
use crate::domain::ids::UserId;

pub use caller::{Caller, authenticate, owner_of};
pub use keys::{FetchKeys, KeyError};

use claims::Claims;
use keys::Keys;

/// Why somebody is not let in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Denied {
    /// There is no token.
    #[error("a token is missing: send `Authorization: Bearer <token>` or `?token=<token>`")]
    Missing,
    /// The token is not good.
    #[error("{0}")]
    Bad(&'static str),
    /// The keys cannot be had, so that nothing can be said of the token.
    #[error("the keys of Nova's tokens cannot be read")]
    NoKeys(#[source] Box<dyn StdError + Send + Sync>),
}

/// Who a token belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenOwner {
    /// The account.
    pub user: UserId,
    /// Its handle.
    pub username: String,
}

/// Checks tokens.
#[derive(Debug)]
pub struct Authenticator {
    keys: Keys,
    validation: Validation,
    requires_access_token: bool,
}

impl Authenticator {
    /// Checks with RSA public keys in PEM form. A token is good when one of them fits.
    ///
    /// # Errors
    /// When one of them is no RSA public key.
    pub fn from_pem<'a>(keys: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, KeyError> {
        Ok(Self::new(Keys::from_pem(keys)?))
    }

    /// Checks with the keys of a JWKS document.
    #[must_use]
    pub fn from_key_set(fetch: FetchKeys) -> Self {
        Self::new(Keys::from_key_set(fetch))
    }

    fn new(keys: Keys) -> Self {
        let mut validation = Validation::new(Algorithm::RS256);
        // The times are compared with our own clock, in `claims`; audience and issuer Nova never checked.
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = false;
        Self {
            keys,
            validation,
            requires_access_token: false,
        }
    }

    /// Whether a token has to say `token_type: access`.
    #[must_use]
    pub fn requiring_access_token(self, requires_access_token: bool) -> Self {
        Self {
            requires_access_token,
            ..self
        }
    }

    /// Whose token it is.
    ///
    /// # Errors
    /// When it is not good, or when that cannot be found out.
    pub async fn verify(&self, token: &str, now: Timestamp) -> Result<TokenOwner, Denied> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| Denied::Bad("the token is no JWT"))?;
        if header.alg != Algorithm::RS256 {
            return Err(Denied::Bad("the token is not signed with RS256"));
        }
        let keys = self.keys.candidates(header.kid.as_deref(), now).await?;
        let fits = |key: &DecodingKey| jsonwebtoken::decode::<serde_json::Value>(token, key, &self.validation).ok();
        let claims = keys
            .iter()
            .find_map(fits)
            .ok_or(Denied::Bad("the token's signature is not good"))?
            .claims;
        let claims: Claims =
            serde_json::from_value(claims).map_err(|_| Denied::Bad("the token lacks a claim, or one is malformed"))?;
        claims.owner(self.requires_access_token, now)
    }
}
