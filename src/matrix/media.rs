//! Pictures on the homeserver, and what counts as a picture.

use bytes::Bytes;
use ruma::api::client::authenticated_media::get_content_thumbnail;
use ruma::api::client::media::create_content;
use ruma::media::Method;
use ruma::{MxcUri, UserId};

use super::client::Homeserver;
use super::error::HomeserverError;
use super::observer::Endpoint;

/// The largest picture that passes through the bridge.
pub const MEDIA_LIMIT: usize = 5 << 20;

/// A picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// What the bytes themselves say they are, never what a header claimed.
    pub content_type: &'static str,
    /// The picture.
    pub bytes: Bytes,
}

impl Media {
    /// Takes bytes for a picture if they begin like one that every client can show. SVG is not among them: it is a
    /// document with scripts in it.
    pub(super) fn recognise(bytes: Bytes) -> Result<Self, HomeserverError> {
        let content_type = match &*bytes {
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => "image/png",
            [0xff, 0xd8, 0xff, ..] => "image/jpeg",
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => "image/gif",
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "image/webp",
            _ => {
                return Err(HomeserverError::Unsuitable("no png, jpeg, gif or webp image"));
            }
        };
        Ok(Self { content_type, bytes })
    }
}

impl Homeserver {
    /// Uploads, and gives the `mxc://` URI.
    ///
    /// # Errors
    ///
    /// `M_TOO_LARGE` where the homeserver's own limit is lower.
    pub async fn upload(&self, ghost: &UserId, content_type: &str, bytes: Bytes) -> Result<String, HomeserverError> {
        let mut request = create_content::v3::Request::new(bytes.into());
        request.content_type = Some(content_type.to_owned());
        let answer = self.request(Endpoint::Upload, Some(ghost), request).await?;
        Ok(answer.content_uri.to_string())
    }

    /// A picture of the homeserver's, or of one it can reach, cropped to a size near the one asked for.
    ///
    /// # Errors
    ///
    /// [`HomeserverError::TooLarge`] beyond [`MEDIA_LIMIT`], [`HomeserverError::Unsuitable`] for what is no picture.
    pub async fn thumbnail(&self, mxc: &str, width: u16, height: u16) -> Result<Media, HomeserverError> {
        let (server, media_id) = <&MxcUri>::from(mxc).parts().map_err(HomeserverError::request)?;
        let mut request = get_content_thumbnail::v1::Request::new(
            media_id.to_owned(),
            server.to_owned(),
            width.into(),
            height.into(),
        );
        request.method = Some(Method::Crop);
        let answer = self
            .request_within(Endpoint::Thumbnail, None, request, MEDIA_LIMIT)
            .await?;
        Media::recognise(answer.file.into())
    }
}
