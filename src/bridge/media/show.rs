//! A client looks at a file: it passes through, as it comes from the homeserver.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;
use url::Url;
use uuid::Uuid;

use crate::bridge::{Bridge, CommandError};
use crate::domain::media::{File, Source};
use crate::matrix::HomeserverError;
use crate::matrix::files::{Download, Wanted};
use crate::store::media;

/// How long the address of an object is good for.
const OBJECT_LIFETIME: Duration = Duration::from_mins(10);

/// A file on its way to a client.
#[derive(Debug)]
pub enum Opened {
    /// Its bytes.
    Here(Box<Stream>),
    /// It is not on the homeserver yet, but still where the client put it.
    Elsewhere(Url),
}

/// The bytes of a file, as they come.
#[derive(Debug)]
pub struct Stream {
    download: Download,
    _permit: OwnedSemaphorePermit,
}

impl Stream {
    /// How many bytes come, where that is known.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        self.download.length
    }

    /// First and last byte, and the size of the file, where the homeserver sends a part.
    #[must_use]
    pub fn part(&self) -> Option<(u64, u64, u64)> {
        self.download.part
    }

    /// What the homeserver says that it is.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.download.content_type.as_deref()
    }

    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    /// When the connection breaks, or nothing comes for too long.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, HomeserverError> {
        self.download.chunk().await
    }
}

impl Bridge {
    /// The file of a message or of an upload, as somebody from Nova who is in the conversation sees it.
    ///
    /// # Errors
    /// [`CommandError::NoSuchFile`] where there is none, or nobody may see it any more; or when the homeserver fails.
    pub async fn open_file(&self, id: Uuid, wanted: Wanted) -> Result<(File, Opened), CommandError> {
        let mut connection = self.inner.store.read().await?;
        let shown = media::shown(&mut connection, id)
            .await?
            .ok_or(CommandError::NoSuchFile)?;
        drop(connection);
        let file = shown.file;
        let (mxc, wanted) = match (&file.source, &file.thumbnail, wanted) {
            (Source::Url(url), ..) => {
                let url = Url::parse(url).map_err(|_| CommandError::NoSuchFile)?;
                return Ok((file, Opened::Elsewhere(url)));
            }
            (Source::Object(key), ..) => {
                let bucket = self
                    .inner
                    .settings
                    .media
                    .bucket
                    .as_ref()
                    .ok_or(CommandError::NoSuchFile)?;
                let url = bucket.get(key, OBJECT_LIFETIME);
                return Ok((file, Opened::Elsewhere(url)));
            }
            // What is no picture may have one all the same.
            (Source::Mxc(_), Some(small), Wanted::Thumbnail { .. }) if !file.kind.is_picture() => {
                (small.mxc.as_str(), Wanted::All(None))
            }
            (Source::Mxc(_), None, Wanted::Thumbnail { .. }) if !file.kind.is_picture() => {
                return Err(CommandError::NoSuchFile);
            }
            (Source::Mxc(mxc), _, wanted) => (mxc.as_str(), wanted),
        };
        let viewer = shown.viewer.ok_or(CommandError::NoSuchFile)?;
        let permit = self
            .inner
            .media
            .shown
            .clone()
            .try_acquire_owned()
            .map_err(|_| CommandError::Busy)?;
        let ghost = self.ghost_of(viewer).await?;
        let download = match self.homeserver().open(&ghost, mxc, wanted).await {
            Err(error) if matches!(error.status(), Some(400 | 404)) => return Err(CommandError::NoSuchFile),
            other => other?,
        };
        let stream = Stream {
            download,
            _permit: permit,
        };
        Ok((file, Opened::Here(Box::new(stream))))
    }
}
