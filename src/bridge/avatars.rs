//! Pictures of Matrix users and rooms, fetched from the homeserver for Nova's clients, which cannot ask it themselves.

use moka::sync::Cache;
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::{Bridge, CommandError};
use crate::matrix::Media;
use crate::store::lists;

/// How much is kept, in bytes: the faces of the people who talk at the moment.
const CACHE_BYTES: u64 = 4 << 20;
/// How many pictures are fetched at once. Anybody may ask for one, without a token.
const AT_ONCE: usize = 8;

/// Pictures that were asked for lately.
pub(super) struct Avatars {
    known: Cache<(String, u16), Media>,
    fetching: Semaphore,
}

impl Avatars {
    pub(super) fn new() -> Self {
        let weight = |key: &(String, u16), picture: &Media| {
            u32::try_from(key.0.len().saturating_add(picture.bytes.len())).unwrap_or(u32::MAX)
        };
        Self {
            known: Cache::builder().max_capacity(CACHE_BYTES).weigher(weight).build(),
            fetching: Semaphore::new(AT_ONCE),
        }
    }
}

impl Bridge {
    /// The `mxc://` address of the picture of a person or a conversation.
    ///
    /// # Errors
    /// When Postgres fails.
    pub async fn avatar(&self, id: Uuid) -> Result<Option<String>, CommandError> {
        let mut connection = self.inner.store.read().await?;
        let avatar = lists::avatar(&mut connection, id).await?;
        Ok(avatar.filter(|url| url.starts_with("mxc://")))
    }

    /// A picture of the homeserver's, in a square of `size` pixels.
    ///
    /// # Errors
    /// When the homeserver does not have it, does not answer, or it is no picture.
    pub async fn thumbnail(&self, mxc: &str, size: u16) -> Result<Media, CommandError> {
        let avatars = &self.inner.avatars;
        let key = (mxc.to_owned(), size);
        if let Some(known) = avatars.known.get(&key) {
            return Ok(known);
        }
        let _permit = avatars.fetching.acquire().await.map_err(|_| CommandError::Busy)?;
        if let Some(known) = avatars.known.get(&key) {
            return Ok(known);
        }
        let picture = self.homeserver().thumbnail(mxc, size, size).await?;
        avatars.known.insert(key, picture.clone());
        Ok(picture)
    }
}
