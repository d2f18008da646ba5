//! The way through: `/media/v1/{id}`, as a stream from the homeserver to the client.
//!
//! What a file claims to be is only repeated where no browser runs it; everything else is for saving.

use std::fmt::Write as _;
use std::io;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, ETAG, IF_NONE_MATCH, IF_RANGE, LOCATION, RANGE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;
use uuid::Uuid;

use super::links::Signed;
use super::range::{Asked, Cut, asked};
use crate::bridge::CommandError;
use crate::bridge::media::{Opened, Stream, Wanted};
use crate::domain::media::File;
use crate::nova::NovaState;
use crate::nova::error::{ApiError, ErrorBody};
use crate::nova::rest::extract::{Params, Path};

/// Types that a browser shows and does not run.
const SHOWN: [&str; 20] = [
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "image/avif",
    "image/heif",
    "image/heic",
    "video/mp4",
    "video/webm",
    "video/ogg",
    "video/quicktime",
    "audio/mpeg",
    "audio/mp4",
    "audio/aac",
    "audio/ogg",
    "audio/webm",
    "audio/wav",
    "audio/flac",
    "audio/x-flac",
    "text/plain",
];
const OTHER: &str = "application/octet-stream";

/// Even what is shown may do nothing.
const POLICY: &str = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; media-src 'self'";

/// The usual edge of a small picture, and the largest one, in pixels.
const SMALL: (u16, u16) = (320, 800);

/// A file, by a link of a message. Understands `Range`.
#[utoipa::path(
    get, path = "/media/v1/{id}", tag = "media", security(()),
    params(("id" = Uuid, Path, description = "The message, or the upload"), Signed),
    responses(
        (status = 200, description = "The file", content_type = "*/*"),
        (status = 206, description = "A part of it", content_type = "*/*"),
        (status = 400, description = "It is no link to a file", body = ErrorBody),
        (status = 307, description = "It is not in Matrix yet, but still where it was put"),
        (status = 403, description = "The link is not good any more", body = ErrorBody),
        (status = 404, description = "There is none", body = ErrorBody),
        (status = 416, description = "It has no such part"),
    )
)]
pub(crate) async fn file(
    State(state): State<NovaState>,
    Path(id): Path<Uuid>,
    Params(signed): Params<Signed>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    if !state.links.opens(id, &signed) {
        return Err(ApiError::Gone);
    }
    let tag = format!("\"{id}\"");
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if text(IF_NONE_MATCH).is_some_and(|known| known.contains(&tag)) {
        return Ok((StatusCode::NOT_MODIFIED, [(ETAG, tag)]).into_response());
    }
    let range = text(RANGE).and_then(asked);
    let range = range.filter(|_| text(IF_RANGE).is_none_or(|known| known == tag));
    let span = match range {
        Some(Asked::Span(span)) => Some(span),
        Some(Asked::Last(_)) | None => None,
    };
    let (file, opened) = match state.bridge.open_file(id, Wanted::All(span)).await {
        Err(CommandError::Homeserver(error)) if error.status() == Some(416) => return Ok(no_such_part(None)),
        other => other?,
    };
    let stream = match opened {
        Opened::Here(stream) => *stream,
        Opened::Elsewhere(url) => {
            return Ok((StatusCode::TEMPORARY_REDIRECT, [(LOCATION, url.to_string())]).into_response());
        }
    };
    let mut response = answer(stream, range);
    let shown = file.mime.as_deref().filter(|mime| SHOWN.contains(mime));
    let set = response.headers_mut();
    set.insert(CONTENT_TYPE, HeaderValue::from_static(known(shown)));
    insert(set, CONTENT_DISPOSITION, &disposition(&file, shown.is_some()));
    insert(set, ETAG, &tag);
    protect(set, state.links.rest(&signed));
    Ok(response)
}

/// A small picture of a file.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Small {
    /// The longer edge, in pixels: 320 where nothing is said, at most 800.
    size: Option<u16>,
}

/// A small picture of a file, by a link of a message.
#[utoipa::path(
    get, path = "/media/v1/{id}/thumbnail", tag = "media", security(()),
    params(("id" = Uuid, Path, description = "The message, or the upload"), Signed, Small),
    responses(
        (status = 200, description = "The picture", content_type = "image/*"),
        (status = 400, description = "It is no link to a file", body = ErrorBody),
        (status = 403, description = "The link is not good any more", body = ErrorBody),
        (status = 404, description = "There is none", body = ErrorBody),
    )
)]
pub(crate) async fn thumbnail(
    State(state): State<NovaState>,
    Path(id): Path<Uuid>,
    Params(signed): Params<Signed>,
    Params(small): Params<Small>,
) -> Result<Response, ApiError> {
    if !state.links.opens(id, &signed) {
        return Err(ApiError::Gone);
    }
    let edge = small.size.unwrap_or(SMALL.0).clamp(32, SMALL.1);
    let wanted = Wanted::Thumbnail {
        width: edge,
        height: edge,
    };
    let (_, opened) = state.bridge.open_file(id, wanted).await?;
    let Opened::Here(stream) = opened else {
        return Err(CommandError::NoSuchFile.into());
    };
    let picture = |mime: &&str| mime.starts_with("image/") && SHOWN.contains(mime);
    let Some(mime) = stream.content_type().map(str::to_owned) else {
        return Err(CommandError::NoSuchFile.into());
    };
    let Some(mime) = Some(mime.as_str()).filter(picture) else {
        return Err(CommandError::NoSuchFile.into());
    };
    let mut response = answer(*stream, None);
    let set = response.headers_mut();
    set.insert(CONTENT_TYPE, HeaderValue::from_static(known(Some(mime))));
    protect(set, state.links.rest(&signed));
    Ok(response)
}

/// One of our own words for a type.
fn known(mime: Option<&str>) -> &'static str {
    mime.and_then(|mime| SHOWN.into_iter().find(|shown| *shown == mime))
        .unwrap_or(OTHER)
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name, value);
    }
}

fn protect(headers: &mut HeaderMap, rest: i64) {
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let anywhere = HeaderName::from_static("cross-origin-resource-policy");
    headers.insert(anywhere, HeaderValue::from_static("cross-origin"));
    insert(headers, CACHE_CONTROL, &format!("private, max-age={rest}, immutable"));
}

/// `inline; filename="a.png"; filename*=UTF-8''a%20b.png` (RFC 6266).
fn disposition(file: &File, shown: bool) -> String {
    let ascii: String = file
        .name
        .chars()
        .map(|c| {
            if c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '%' | ';') {
                c
            } else {
                '_'
            }
        })
        .collect();
    let mut encoded = String::new();
    for byte in file.name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _never_fails = write!(encoded, "%{byte:02X}");
        }
    }
    let how = if shown { "inline" } else { "attachment" };
    format!("{how}; filename=\"{ascii}\"; filename*=UTF-8''{encoded}")
}

fn no_such_part(size: Option<u64>) -> Response {
    let size = size.map_or_else(|| "*".to_owned(), |size| size.to_string());
    (
        StatusCode::RANGE_NOT_SATISFIABLE,
        [(CONTENT_RANGE, format!("bytes */{size}"))],
    )
        .into_response()
}

/// The whole file, or the part that is asked for: the homeserver's, or else cut out while it passes.
fn answer(stream: Stream, range: Option<Asked>) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let mut cut = None;
    let part = match (stream.part(), range, stream.length()) {
        (Some(part), Some(_), _) => Some(part),
        (None, Some(range), Some(size)) => {
            let Some((first, last)) = range.within(size) else {
                return no_such_part(Some(size));
            };
            cut = Some(Cut::new(first, last));
            Some((first, last, size))
        }
        _ => None,
    };
    let (status, length) = if let Some((first, last, size)) = part {
        insert(&mut headers, CONTENT_RANGE, &format!("bytes {first}-{last}/{size}"));
        (StatusCode::PARTIAL_CONTENT, Some(last - first + 1))
    } else {
        (StatusCode::OK, stream.length())
    };
    if let Some(length) = length {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    (status, headers, body(stream, cut)).into_response()
}

fn body(stream: Stream, cut: Option<Cut>) -> Body {
    Body::from_stream(stream::try_unfold((stream, cut), async |(mut stream, mut cut)| {
        loop {
            if cut.is_some_and(|cut| cut.is_done()) {
                return Ok(None);
            }
            let Some(bytes) = stream.chunk().await.map_err(io::Error::other)? else {
                return Ok::<_, io::Error>(None);
            };
            let bytes = match &mut cut {
                Some(cut) => cut.of(bytes),
                None => bytes,
            };
            if !bytes.is_empty() {
                return Ok(Some((bytes, (stream, cut))));
            }
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::media::{Kind, Source};

    #[test]
    fn names_are_quoted() {
        let file = File::new(Kind::Image, Source::Mxc(String::new()), "a \"b\";\r\n é.png");
        assert_eq!(
            disposition(&file, true),
            "inline; filename=\"a__b____.png\"; filename*=UTF-8''a%20_b_%3B%20%C3%A9.png"
        );
        assert!(disposition(&file, false).starts_with("attachment;"));
    }

    #[test]
    fn only_harmless_types_are_repeated() {
        for (mime, shown) in [
            (Some("image/png"), "image/png"),
            (Some("image/svg+xml"), OTHER),
            (Some("text/html"), OTHER),
            (Some("application/pdf"), OTHER),
            (None, OTHER),
        ] {
            assert_eq!(known(mime), shown);
        }
    }
}
