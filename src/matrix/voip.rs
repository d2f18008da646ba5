//! TURN servers that the homeserver gives out.

use http::Method;
use ruma::UserId;
use secrecy::SecretString;
use serde::Deserialize;

use super::client::Homeserver;
use super::error::HomeserverError;
use super::observer::Endpoint;

/// What the homeserver gives to one of its users. One without TURN servers answers with an empty object.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct TurnServer {
    /// The addresses.
    pub uris: Vec<String>,
    /// The name.
    pub username: Option<String>,
    /// The password.
    pub password: Option<SecretString>,
    /// How long they can be used, in seconds.
    pub ttl: u64,
}

impl Homeserver {
    /// The TURN servers for a ghost, or for the application service itself.
    ///
    /// # Errors
    ///
    /// See [`HomeserverError`].
    pub async fn turn_server(&self, ghost: Option<&UserId>) -> Result<TurnServer, HomeserverError> {
        let path = (Method::GET, "/_matrix/client/v3/voip/turnServer");
        self.request_raw(Endpoint::TurnServer, ghost, path, None::<&()>).await
    }
}
