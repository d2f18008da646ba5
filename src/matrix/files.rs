//! Files of any size, to the homeserver and from it: as streams, of which no more than a few buffers are held.
//!
//! Authenticated media, <https://spec.matrix.org/v1.13/client-server-api/#content-repository> (MSC3916).

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, RANGE};
use http::{HeaderMap, HeaderValue, StatusCode};
use ruma::api::client::authenticated_media::{get_content, get_content_thumbnail, get_media_config};
use ruma::api::client::media::create_content;
use ruma::media::Method;
use ruma::{MxcUri, UserId};
use serde::Deserialize;
use tokio::fs::File;
use tokio_util::io::ReaderStream;

use super::client::Homeserver;
use super::error::HomeserverError;
use super::observer::Endpoint;
use super::wire::read_body;

/// How long nothing may come before a stream counts as broken.
pub(super) const SILENCE: Duration = Duration::from_secs(30);
/// How long a whole download may take: whoever watches a film may pause.
const LONGEST_DOWNLOAD: Duration = Duration::from_hours(6);
/// How long a whole upload may take.
const LONGEST_UPLOAD: Duration = Duration::from_mins(15);
/// The buffers that an upload is read in.
const BUFFER: usize = 64 << 10;
/// The answer to an upload is an address.
const ANSWER_LIMIT: usize = 64 << 10;

/// Which bytes are wanted: from the first one to the last one, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first.
    pub first: u64,
    /// The last, or all that there are.
    pub last: Option<u64>,
}

/// What is wanted of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// The file, or a part of it.
    All(Option<Span>),
    /// A picture of about this size, as large as the file allows.
    Thumbnail {
        /// In pixels.
        width: u16,
        /// In pixels.
        height: u16,
    },
}

/// A file that has begun to come.
#[derive(Debug)]
pub struct Download {
    response: reqwest::Response,
    /// How many bytes come, where that is known.
    pub length: Option<u64>,
    /// Where a part that was asked for lies, and in how large a file; absent where the whole comes.
    pub part: Option<(u64, u64, u64)>,
    /// What the server says that it is.
    pub content_type: Option<String>,
}

impl Download {
    pub(super) fn new(response: reqwest::Response) -> Self {
        let headers = response.headers();
        let partial = response.status() == StatusCode::PARTIAL_CONTENT;
        Self {
            length: number(headers),
            part: partial.then(|| content_range(headers)).flatten(),
            content_type: headers
                .get(CONTENT_TYPE)
                .and_then(|it| it.to_str().ok())
                .map(str::to_owned),
            response,
        }
    }

    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    ///
    /// When the connection breaks, or nothing comes for too long.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, HomeserverError> {
        let next = tokio::time::timeout(SILENCE, self.response.chunk()).await;
        let next = next.map_err(|elapsed| HomeserverError::Timeout(Box::new(elapsed)))?;
        next.map_err(HomeserverError::from_transport)
    }
}

fn number(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// `bytes 5-9/100`.
fn content_range(headers: &HeaderMap) -> Option<(u64, u64, u64)> {
    let text = headers.get(CONTENT_RANGE)?.to_str().ok()?.strip_prefix("bytes ")?;
    let (span, total) = text.split_once('/')?;
    let (first, last) = span.split_once('-')?;
    let (first, last, total) = (first.parse().ok()?, last.parse().ok()?, total.parse().ok()?);
    (first <= last && last < total).then_some((first, last, total))
}

impl Homeserver {
    /// Begins to download a file of the homeserver's, or of one that it can reach.
    ///
    /// A span is passed on, but Synapse may send the whole file: look at [`Download::part`].
    ///
    /// # Errors
    ///
    /// `M_NOT_FOUND` where there is none; 416 where the span is not in it.
    pub async fn open(&self, ghost: &UserId, mxc: &str, wanted: Wanted) -> Result<Download, HomeserverError> {
        let (server, media_id) = <&MxcUri>::from(mxc).parts().map_err(HomeserverError::request)?;
        let (server, media_id) = (server.to_owned(), media_id.to_owned());
        let (endpoint, request) = match wanted {
            Wanted::All(span) => {
                let request = get_content::v1::Request::new(media_id, server);
                let mut request = self.prepared(Some(ghost), request)?;
                if let Some(Span { first, last }) = span {
                    let last = last.map(|last| last.to_string()).unwrap_or_default();
                    let range = HeaderValue::try_from(format!("bytes={first}-{last}"));
                    request
                        .headers_mut()
                        .insert(RANGE, range.map_err(HomeserverError::request)?);
                }
                (Endpoint::Download, request)
            }
            Wanted::Thumbnail { width, height } => {
                let mut request =
                    get_content_thumbnail::v1::Request::new(media_id, server, width.into(), height.into());
                request.method = Some(Method::Scale);
                (Endpoint::Thumbnail, self.prepared(Some(ghost), request)?)
            }
        };
        let response = self
            .observed(endpoint, self.begin(request, None, LONGEST_DOWNLOAD))
            .await?;
        Ok(Download::new(response))
    }

    /// Uploads a file of `size` bytes from where it is read, and gives the `mxc://` address.
    ///
    /// # Errors
    ///
    /// `M_TOO_LARGE` where the homeserver's own limit is lower.
    pub async fn upload_file(
        &self,
        ghost: &UserId,
        content_type: &str,
        file: File,
        size: u64,
    ) -> Result<String, HomeserverError> {
        #[derive(Deserialize)]
        struct Answer {
            content_uri: String,
        }
        let mut request = create_content::v3::Request::new(Vec::new());
        request.content_type = Some(content_type.to_owned());
        let mut request = self.prepared(Some(ghost), request)?;
        // Synapse wants to know the size before it begins.
        request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(size));
        let body = reqwest::Body::wrap_stream(ReaderStream::with_capacity(file, BUFFER));
        self.observed(Endpoint::Upload, async {
            let response = self.begin(request, Some(body), LONGEST_UPLOAD).await?;
            let answer = read_body(response, ANSWER_LIMIT).await?;
            let answer: Answer = serde_json::from_slice(&answer).map_err(HomeserverError::unreadable)?;
            Ok(answer.content_uri)
        })
        .await
    }

    /// The largest file that the homeserver takes, in bytes, where it says so.
    ///
    /// # Errors
    ///
    /// As for any request.
    pub async fn upload_limit(&self, ghost: &UserId) -> Result<u64, HomeserverError> {
        let request = get_media_config::v1::Request::new();
        let answer = self.request(Endpoint::MediaConfig, Some(ghost), request).await?;
        Ok(answer.upload_size.into())
    }
}
