//! Files: kept, or only counted where they are large, and given out as streams.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Query, Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, RANGE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use super::api::Server;
use super::entrance::Caller;
use super::world::{Answer, refuse};

/// Files beyond this are not kept.
const KEPT: u64 = 8 << 20;
/// How a file that is made up while it is given out begins: `pattern-` and its size.
const PATTERN: &str = "pattern-";
const CHUNK: u64 = 32 << 10;

/// The byte of a pattern at a place.
pub(crate) fn pattern(at: u64) -> u8 {
    u8::try_from(at % 251).unwrap()
}

/// Bytes of a pattern, a piece at a time.
pub(crate) fn pattern_stream(size: u64) -> impl futures_util::Stream<Item = std::io::Result<Bytes>> {
    stream::iter((0..size.div_ceil(CHUNK)).map(move |piece| {
        let first = piece * CHUNK;
        let last = (first + CHUNK).min(size);
        Ok((first..last).map(pattern).collect())
    }))
}

/// An upload that must not be held in memory.
pub(super) fn is_large(request: &Request) -> bool {
    let size = request
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|it| it.to_str().ok()?.parse::<u64>().ok());
    request.uri().path().ends_with("/upload") && size.is_some_and(|size| size > KEPT)
}

pub(super) async fn config(State(shared): Server, _: Caller) -> Json<Value> {
    Json(json!({ "m.upload.size": shared.lock().options.upload_limit }))
}

pub(super) async fn upload(State(shared): Server, _: Caller, headers: HeaderMap, body: Body) -> Answer<Json<Value>> {
    let header = |name| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    // As Synapse.
    let Some(size) = header(CONTENT_LENGTH).and_then(|size| size.parse::<u64>().ok()) else {
        return refuse(400, "M_UNKNOWN", "Request must specify a Content-Length");
    };
    if size > shared.lock().options.upload_limit {
        return refuse(413, "M_TOO_LARGE", "Upload request body is too large");
    }
    let content_type = header(CONTENT_TYPE).unwrap_or_else(|| "application/octet-stream".to_owned());
    let is_large = size > KEPT;
    let mut body = body.into_data_stream();
    let (mut kept, mut sum, mut read) = (Vec::new(), 0, 0);
    while let Some(bytes) = body.next().await {
        let Ok(bytes) = bytes else {
            return refuse(400, "M_UNKNOWN", "the upload broke off");
        };
        read += u64::try_from(bytes.len()).unwrap();
        sum += bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>();
        if !is_large {
            kept.extend_from_slice(&bytes);
        }
    }
    assert_eq!(read, size, "all that was announced came");
    let uri = shared.change(|world| {
        let uri = world.upload(content_type, kept.into());
        if is_large {
            world.large.insert(uri.clone(), (size, sum));
        }
        uri
    });
    Ok(Json(json!({ "content_uri": uri })))
}

pub(super) async fn thumbnail(
    State(shared): Server,
    _: Caller,
    Path((server, id)): Path<(String, String)>,
    Query(size): Query<std::collections::HashMap<String, String>>,
) -> Answer<Response> {
    assert!(size["width"].parse::<u16>().is_ok());
    give(&shared, &server, &id, &HeaderMap::new())
}

pub(super) async fn download(
    State(shared): Server,
    _: Caller,
    Path((server, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer<Response> {
    give(&shared, &server, &id, &headers)
}

fn give(shared: &Arc<super::Shared>, server: &str, id: &str, headers: &HeaderMap) -> Answer<Response> {
    if let Some(size) = id.strip_prefix(PATTERN) {
        let size: u64 = size.parse().unwrap();
        let body = Body::from_stream(pattern_stream(size));
        return Ok(([(CONTENT_LENGTH, size.to_string())], body).into_response());
    }
    let world = shared.lock();
    let Some((content_type, bytes)) = world.media.get(&format!("mxc://{server}/{id}")) else {
        return refuse(404, "M_NOT_FOUND", "Not found");
    };
    let range = headers.get(RANGE).filter(|_| world.understands_ranges);
    let Some(range) = range.and_then(|range| range.to_str().unwrap().strip_prefix("bytes=")) else {
        return Ok(([(CONTENT_TYPE, content_type.clone())], bytes.clone()).into_response());
    };
    let (first, last) = range.split_once('-').unwrap();
    let first: usize = first.parse().unwrap();
    let last = last.parse().unwrap_or(bytes.len() - 1).min(bytes.len() - 1);
    let part = [
        (CONTENT_TYPE, content_type.clone()),
        (CONTENT_RANGE, format!("bytes {first}-{last}/{}", bytes.len())),
    ];
    Ok((StatusCode::PARTIAL_CONTENT, part, bytes.slice(first..=last)).into_response())
}
