//! The reference client at `/`: the files of `web/`, part of the binary.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rust_embed::{EmbeddedFile, RustEmbed};

use super::error::ApiError;

/// Nothing but this origin runs or is asked; only pictures of people may live elsewhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     img-src 'self' https: http: data:; media-src 'self' https: http: blob:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

#[derive(RustEmbed)]
#[folder = "web/"]
struct Files;

/// A file of the page. What only its tests need stays out.
fn find(path: &str) -> Option<EmbeddedFile> {
    let path = match path.trim_start_matches('/') {
        "" => "index.html",
        path => path,
    };
    if path.starts_with("test/") || path == "package.json" {
        return None;
    }
    Files::get(path)
}

/// Whatever no route answers: a file of the page, or nothing.
pub(super) async fn fallback(request: Request) -> Response {
    let Some(file) = find(request.uri().path()) else {
        return ApiError::NotFound("no such path").into_response();
    };
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return ApiError::WrongMethod.into_response();
    }
    let tag = format!("\"{}\"", BASE64_URL_SAFE_NO_PAD.encode(file.metadata.sha256_hash()));
    let known = request.headers().get(IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    let unchanged = known.is_some_and(|tags| {
        tags.split(',')
            .any(|known| matches!(known.trim().trim_start_matches("W/"), it if it == tag || it == "*"))
    });
    let mut response = if unchanged {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Body::from(file.data).into_response()
    };
    let mut set = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    };
    set(ETAG, &tag);
    set(CACHE_CONTROL, "no-cache");
    set(CONTENT_SECURITY_POLICY, POLICY);
    if !unchanged {
        set(CONTENT_TYPE, &content_type(file.metadata.mimetype()));
        set(X_CONTENT_TYPE_OPTIONS, "nosniff");
    }
    response
}

fn content_type(mime: &str) -> String {
    if mime.starts_with("text/") {
        format!("{mime}; charset=utf-8")
    } else {
        mime.to_owned()
    }
}
