//! The ghosts' accounts and profiles.

use http::Method;
use ruma::api::client::account::register::{self, LoginType};
use ruma::api::client::profile::{get_profile, set_profile_field};
use ruma::profile::ProfileFieldValue;
use ruma::{OwnedMxcUri, UserId};
use secrecy::SecretString;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::client::Homeserver;
use super::error::HomeserverError;
use super::observer::Endpoint;
use super::wire::in_path;

/// What a registration found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registered {
    /// The account did not exist before.
    New,
    /// It did.
    Existing,
}

/// What a user shows of themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profile {
    /// The name, where one is set.
    pub display_name: Option<String>,
    /// The picture as `mxc://` URI, where one is set.
    pub avatar_url: Option<String>,
}

impl Homeserver {
    /// Makes the account of a ghost, or finds it made. It gets no device and no access token: it acts through ours.
    ///
    /// # Errors
    ///
    /// `M_EXCLUSIVE` where the localpart is outside our namespace.
    pub async fn register(&self, localpart: &str) -> Result<Registered, HomeserverError> {
        let mut request = register::v3::Request::new();
        request.username = Some(localpart.to_owned());
        request.login_type = Some(LoginType::ApplicationService);
        request.inhibit_login = true;
        match self.request(Endpoint::Register, None, request).await {
            Ok(_) => Ok(Registered::New),
            Err(error) if error.errcode() == Some("M_USER_IN_USE") => Ok(Registered::Existing),
            Err(error) => Err(error),
        }
    }

    /// Sets or removes the ghost's name.
    ///
    /// # Errors
    ///
    /// See [`HomeserverError`].
    pub async fn set_display_name(&self, ghost: &UserId, name: Option<&str>) -> Result<(), HomeserverError> {
        // The empty text is how Synapse removes a name: it has always understood it, and DELETE only of late.
        self.set_profile(
            ghost,
            ProfileFieldValue::DisplayName(name.unwrap_or_default().to_owned()),
        )
        .await
    }

    /// Sets or removes the ghost's picture.
    ///
    /// # Errors
    ///
    /// See [`HomeserverError`].
    pub async fn set_avatar_url(&self, ghost: &UserId, mxc: Option<&str>) -> Result<(), HomeserverError> {
        self.set_profile(
            ghost,
            ProfileFieldValue::AvatarUrl(OwnedMxcUri::from(mxc.unwrap_or_default())),
        )
        .await
    }

    async fn set_profile(&self, ghost: &UserId, value: ProfileFieldValue) -> Result<(), HomeserverError> {
        let request = set_profile_field::v3::Request::new(in_path(ghost)?, value);
        self.request(Endpoint::SetProfile, Some(ghost), request).await?;
        Ok(())
    }

    /// The profile of any user; `None` where the homeserver knows none.
    ///
    /// # Errors
    ///
    /// See [`HomeserverError`].
    pub async fn profile(&self, user: &UserId) -> Result<Option<Profile>, HomeserverError> {
        let request = get_profile::v3::Request::new(in_path(user)?);
        match self.request(Endpoint::Profile, None, request).await {
            Ok(answer) => {
                let text = |field| {
                    answer
                        .get(field)
                        .and_then(Value::as_str)
                        .filter(|text| !text.is_empty())
                };
                Ok(Some(Profile {
                    display_name: text("displayname").map(str::to_owned),
                    avatar_url: text("avatar_url").map(str::to_owned),
                }))
            }
            // Synapse says M_UNKNOWN for users whom it never saw.
            Err(error) if error.status() == Some(404) && error.errcode().is_some() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Logs a device of the ghost's in, for a Matrix client of its owner. A login of the same device before ends.
    ///
    /// # Errors
    ///
    /// See [`HomeserverError`].
    pub async fn log_in(&self, ghost: &UserId, device: &str, name: &str) -> Result<SecretString, HomeserverError> {
        #[derive(Deserialize)]
        struct LoggedIn {
            access_token: SecretString,
        }
        let body = json!({
            "type": "m.login.application_service",
            "identifier": { "type": "m.id.user", "user": ghost },
            "device_id": device,
            "initial_device_display_name": name,
        });
        let path = (Method::POST, "/_matrix/client/v3/login");
        let answer: LoggedIn = self.request_raw(Endpoint::Login, None, path, Some(&body)).await?;
        Ok(answer.access_token)
    }

    /// Closes the ghost's account for good: it leaves its rooms and its id is never free again.
    ///
    /// # Errors
    ///
    /// See [`HomeserverError`].
    pub async fn deactivate(&self, ghost: &UserId) -> Result<(), HomeserverError> {
        let path = (Method::POST, "/_matrix/client/v3/account/deactivate");
        self.request_raw::<IgnoredAny>(
            Endpoint::Deactivate,
            Some(ghost),
            path,
            Some(&json!({ "erase": false })),
        )
        .await?;
        Ok(())
    }
}
