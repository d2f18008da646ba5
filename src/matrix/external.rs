//! Pictures from anywhere else: avatars that an account names by an ordinary address.
//!
//! The address comes from Nova's accounts, so it is followed with care: http and https only, few redirects, little time,
//! few bytes, and none of our credentials.

use std::time::Duration;

use serde::de::DeserializeOwned;
use url::Url;

use super::client::Homeserver;
use super::error::{HomeserverError, Refusal};
use super::media::{MEDIA_LIMIT, Media};
use super::observer::Endpoint;
use super::wire::{read_body, redirected};

const TIME_LIMIT: Duration = Duration::from_secs(10);
const REDIRECTS: usize = 3;
const JSON_LIMIT: usize = 1 << 20;

impl Homeserver {
    /// Downloads a picture of at most `limit` bytes, and never more than [`MEDIA_LIMIT`].
    ///
    /// # Errors
    ///
    /// [`HomeserverError::Unsuitable`] for addresses and contents that we do not take, and as for any request.
    pub async fn fetch_external(&self, url: &Url, limit: usize) -> Result<Media, HomeserverError> {
        self.observed(Endpoint::External, async {
            tokio::time::timeout(TIME_LIMIT, self.follow(url.clone(), limit.min(MEDIA_LIMIT)))
                .await
                .map_err(|elapsed| HomeserverError::Timeout(Box::new(elapsed)))?
        })
        .await
    }

    /// Reads a JSON document that an admin named: a profile, a key set. `None` where it does not exist.
    ///
    /// # Errors
    ///
    /// As for any request.
    pub async fn fetch_json<A: DeserializeOwned>(&self, url: &Url) -> Result<Option<A>, HomeserverError> {
        self.observed(Endpoint::External, async {
            let response = self
                .plain(url.clone())
                .timeout(TIME_LIMIT)
                .send()
                .await
                .map_err(HomeserverError::from_transport)?;
            let status = response.status();
            if status == http::StatusCode::NOT_FOUND {
                return Ok(None);
            }
            if !status.is_success() {
                return Err(Refusal::read(status.as_u16(), response.headers(), b"{}").into());
            }
            let body = read_body(response, JSON_LIMIT).await?;
            serde_json::from_slice(&body)
                .map(Some)
                .map_err(HomeserverError::unreadable)
        })
        .await
    }

    async fn follow(&self, mut url: Url, limit: usize) -> Result<Media, HomeserverError> {
        for _ in 0..=REDIRECTS {
            if !matches!(url.scheme(), "http" | "https") {
                return Err(HomeserverError::Unsuitable("the address is not http or https"));
            }
            let response = self
                .plain(url.clone())
                .send()
                .await
                .map_err(HomeserverError::from_transport)?;
            if response.status().is_success() {
                return Media::recognise(read_body(response, limit).await?);
            }
            url = redirected(&url, &response)?;
        }
        Err(HomeserverError::Unsuitable("too many redirects"))
    }
}
