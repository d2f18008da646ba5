//! What the homeserver is, who it takes us for, and whether it reaches us.

use std::time::Duration;

use ruma::api::client::account::whoami;
use ruma::api::client::appservice::request_ping;
use ruma::{OwnedUserId, UserId};
use serde::Deserialize;

use super::client::Homeserver;
use super::error::HomeserverError;
use super::observer::Endpoint;
use super::wire::in_path;

impl Homeserver {
    /// The versions of the client API that the homeserver speaks.
    ///
    /// # Errors
    ///
    /// See [`HomeserverError`].
    pub async fn versions(&self) -> Result<Vec<String>, HomeserverError> {
        #[derive(Deserialize)]
        struct Answer {
            versions: Vec<String>,
        }
        // Without our token: Synapse refuses the question when it does not know the token, and then we could not tell
        // that from something else that answers there.
        let answer: Answer = self
            .request_open(Endpoint::Versions, "/_matrix/client/versions")
            .await?;
        Ok(answer.versions)
    }

    /// Who the homeserver takes us for, by ourselves or masquerading as `as_user`.
    ///
    /// # Errors
    ///
    /// `M_UNKNOWN_TOKEN` where our token is wrong, `M_FORBIDDEN` where the user is not ours.
    pub async fn whoami(&self, as_user: Option<&UserId>) -> Result<OwnedUserId, HomeserverError> {
        let answer = self
            .request(Endpoint::Whoami, as_user, whoami::v3::Request::new())
            .await?;
        Ok(answer.user_id)
    }

    /// Asks the homeserver to call our ping endpoint, and says how long that took it. A success also ends Synapse's
    /// back-off towards us.
    ///
    /// # Errors
    ///
    /// `M_CONNECTION_FAILED`, `M_CONNECTION_TIMEOUT`, `M_BAD_STATUS` where the homeserver does not reach us.
    pub async fn ping(&self, appservice_id: &str, transaction_id: &str) -> Result<Duration, HomeserverError> {
        let mut request = request_ping::v1::Request::new(in_path(appservice_id)?);
        request.transaction_id = Some(transaction_id.into());
        let answer = self.request(Endpoint::Ping, None, request).await?;
        Ok(answer.duration)
    }
}
