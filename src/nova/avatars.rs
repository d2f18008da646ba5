//! Pictures that only Matrix has, at an address that Nova's clients can open: `/avatars/{id}`.

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as URL_SAFE_NO_PAD;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use url::Url;
use uuid::Uuid;

use super::NovaState;
use super::error::{ApiError, ErrorBody};
use super::rest::extract::{Params, Path};

/// The sizes that there are, in pixels.
const SIZES: std::ops::RangeInclusive<u16> = 96..=512;

/// A picture as Nova's clients are shown it: an `mxc://` address becomes a link to us, anything else stays.
///
/// The link changes with the picture, so that it can be cached for good.
#[must_use]
pub fn shown(public_url: &Url, owner: Uuid, avatar: Option<&str>) -> Option<String> {
    below(public_url.as_str().trim_end_matches('/'), owner, avatar)
}

/// The same, with links below an address that ends without a slash.
pub(super) fn below(base: &str, owner: Uuid, avatar: Option<&str>) -> Option<String> {
    let avatar = avatar.filter(|avatar| !avatar.is_empty())?;
    if !avatar.starts_with("mxc://") {
        return Some(avatar.to_owned());
    }
    Some(format!("{base}/avatars/{owner}?v={}", version(avatar)))
}

fn version(avatar: &str) -> String {
    let mut hash = URL_SAFE_NO_PAD.encode(Sha256::digest(avatar.as_bytes()));
    hash.truncate(8);
    hash
}

/// Which picture.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// The edge of the square, in pixels: 96 to 512, and 96 where nothing is said.
    size: Option<u16>,
    /// The version that the link names. With it, the answer may be kept for good.
    v: Option<String>,
}

/// The picture of a Matrix user or of a conversation. Needs no token, because pages show it with `<img>`.
#[utoipa::path(
    get, path = "/avatars/{id}", tag = "avatars", security(()),
    params(("id" = Uuid, Path, description = "The user or the conversation"), Which),
    responses(
        (status = 200, description = "The picture", content_type = "image/*"),
        (status = 400, description = "The id or the size makes no sense", body = ErrorBody),
        (status = 404, description = "There is none", body = ErrorBody),
    )
)]
pub(super) async fn get(
    State(state): State<NovaState>,
    Path(id): Path<Uuid>,
    Params(which): Params<Which>,
) -> Result<Response, ApiError> {
    let none = || ApiError::NotFound("no such picture");
    let mxc = state.bridge.avatar(id).await?.ok_or_else(none)?;
    let size = which.size.unwrap_or(*SIZES.start()).clamp(*SIZES.start(), *SIZES.end());
    let picture = state.bridge.thumbnail(&mxc, size).await.map_err(|error| {
        tracing::info!(%error, "a picture cannot be had from the homeserver");
        none()
    })?;
    // Whoever asks without naming the version must ask again soon.
    let cache = if which.v.is_some_and(|wanted| wanted == version(&mxc)) {
        "public, max-age=86400, immutable"
    } else {
        "public, max-age=300"
    };
    let headers = [
        (CONTENT_TYPE, picture.content_type),
        (CACHE_CONTROL, cache),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((headers, picture.bytes).into_response())
}
