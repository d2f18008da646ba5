//! Credentials that a TURN server believes because they are signed with its secret: the TURN REST API, as coturn has it
//! with `use-auth-secret`.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret;

use super::{Credential, IceServer, SharedTurn};
use crate::domain::clock::Timestamp;
use crate::domain::ids::UserId;

/// What `user` may use from now on, for as long as the settings say.
pub(super) fn signed(turn: &SharedTurn, user: UserId, now: Timestamp) -> IceServer {
    let seconds = i64::try_from(turn.lifetime.as_secs()).unwrap_or(i64::MAX);
    let username = format!("{}:{user}", now.timestamp().saturating_add(seconds));
    // SHA-1 is what the servers expect.
    let key = hmac::Key::new(
        hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        turn.secret.expose_secret().as_bytes(),
    );
    let password = STANDARD.encode(hmac::sign(&key, username.as_bytes()));
    IceServer {
        urls: turn.uris.clone(),
        username: Some(username),
        credential: Some(Credential::from(password)),
    }
}
