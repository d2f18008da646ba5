//! A Nova user's own Matrix client: Nova's newest app speaks Matrix as the ghost (nova-client-protocol §6.5).

use ruma::OwnedUserId;
use secrecy::SecretString;

use super::accounts::ProvisionError;
use super::{Bridge, CommandError};
use crate::domain::ids::UserId;

/// A device of a ghost's that is logged in.
#[derive(Debug)]
pub struct GhostLogin {
    /// The ghost.
    pub ghost: OwnedUserId,
    /// What the device acts with. It does not expire by itself.
    pub access_token: SecretString,
}

impl Bridge {
    /// Logs a device in as an account's ghost; an earlier login of the same device ends.
    ///
    /// # Errors
    /// When there is no such account, or the homeserver cannot do it.
    pub async fn log_in(&self, user: UserId, device: &str) -> Result<GhostLogin, CommandError> {
        let mxid = self.ghosts().mxid(user);
        let ghost = OwnedUserId::try_from(mxid.as_str()).map_err(|_| CommandError::NoSuchUser(mxid))?;
        self.ensure_ghost(user).await.map_err(|error| match error {
            ProvisionError::NoAccount => CommandError::NoSuchUser(user.to_string()),
            ProvisionError::Store(error) => error.into(),
            ProvisionError::Homeserver(error) => error.into(),
        })?;
        let access_token = self.homeserver().log_in(&ghost, device, "Nova").await?;
        Ok(GhostLogin { ghost, access_token })
    }
}
