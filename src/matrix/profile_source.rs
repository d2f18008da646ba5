//! Where accounts that the bridge has not met are looked up: `GET {url}/{uuid}` at Nova.

use serde::Deserialize;
use url::Url;

use super::{Homeserver, HomeserverError};
use crate::domain::ids::UserId;

/// A place to look accounts up.
#[derive(Clone)]
pub struct ProfileSource {
    client: Homeserver,
    base: Url,
}

/// What Nova says of an account.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct FoundProfile {
    /// Its handle.
    pub username: String,
    /// What others call it.
    #[serde(default)]
    pub display_name: Option<String>,
    /// Its picture.
    #[serde(default)]
    pub avatar_url: Option<String>,
}

impl ProfileSource {
    /// Looks up below `base`, with the connections of `client` but none of its credentials.
    #[must_use]
    pub const fn new(client: Homeserver, base: Url) -> Self {
        Self { client, base }
    }

    /// One account; `None` where Nova knows none.
    ///
    /// # Errors
    /// When Nova does not answer, or not as it should.
    pub async fn find(&self, user: UserId) -> Result<Option<FoundProfile>, HomeserverError> {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().push(&user.to_string());
        }
        self.client.fetch_json(&url).await
    }
}
