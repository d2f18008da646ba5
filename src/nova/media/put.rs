//! The way in: a file as the body of a request, from which it is read as it comes.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use serde::Deserialize;
use uuid::Uuid;

use super::links::Signed;
use crate::bridge::media::{BrokenOff, Claims};
use crate::domain::ids::UserId;
use crate::nova::NovaState;
use crate::nova::auth::Caller;
use crate::nova::dto::media::{Carried, KindName, Upload};
use crate::nova::error::{ApiError, ErrorBody};
use crate::nova::rest::extract::{Json, Params, Path};

/// How long a client may send nothing.
const SILENCE: Duration = Duration::from_secs(30);

/// What is said of a file besides its content.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct About {
    /// Its name, without a path.
    file_name: Option<String>,
    /// What it shall be shown as: `image`, `video`, `audio`, `voice`, `file`; what it is, where nothing is said.
    kind: Option<String>,
}

/// Brings a file, for a message to come. The body is the file itself, `Content-Type` its type.
#[utoipa::path(post, path = "/media", tag = "media", params(About),
    request_body(content = Vec<u8>, content_type = "*/*"),
    responses(
        (status = 201, description = "It is there", body = Upload),
        (status = 400, description = "The request makes no sense, or broke off", body = ErrorBody),
        (status = 401, description = "The token is missing or not good", body = ErrorBody),
        (status = 413, description = "The file is too large", body = ErrorBody),
        (status = 415, description = "The file is not what it is said to be", body = ErrorBody),
        (status = 429, description = "Too many", body = ErrorBody),
        (status = 503, description = "The homeserver or the database cannot be reached", body = ErrorBody),
    ))]
pub(crate) async fn post(
    State(state): State<NovaState>,
    caller: Caller,
    Params(about): Params<About>,
    request: Request,
) -> Result<(StatusCode, Json<Upload>), ApiError> {
    state.sends.check(caller.user).map_err(ApiError::TooMany)?;
    let kind = about.kind.map(|name| KindName::Name(name).kind()).transpose()?;
    let claims = Claims {
        name: about.file_name,
        kind: kind.flatten().and_then(Carried::file),
        ..claims(request.headers())
    };
    let (id, file) = state
        .bridge
        .bring(caller.user, None, claims, coming(request.into_body()))
        .await?;
    Ok((StatusCode::CREATED, Json(Upload::new(id, &file, &state.links))))
}

/// The name that a link to an upload is for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Named {
    /// The file's name.
    name: String,
}

/// Brings a file to a link that was given out for it. Needs no token.
#[utoipa::path(put, path = "/media/upload/{owner}/{id}", tag = "media", security(()),
    params(("owner" = Uuid, Path), ("id" = Uuid, Path), Named, Signed),
    request_body(content = Vec<u8>, content_type = "*/*"),
    responses(
        (status = 200, description = "It is there", body = Upload),
        (status = 400, description = "The request makes no sense, or broke off", body = ErrorBody),
        (status = 403, description = "The link is not good any more", body = ErrorBody),
        (status = 413, description = "The file is too large", body = ErrorBody),
        (status = 415, description = "The file is not what it is said to be", body = ErrorBody),
    ))]
pub(crate) async fn put(
    State(state): State<NovaState>,
    Path((owner, id)): Path<(Uuid, Uuid)>,
    Params(named): Params<Named>,
    Params(signed): Params<Signed>,
    request: Request,
) -> Result<Json<Upload>, ApiError> {
    let owner = UserId(owner);
    if !state.links.takes(owner, id, &named.name, &signed) {
        return Err(ApiError::Gone);
    }
    state.sends.check(owner).map_err(ApiError::TooMany)?;
    let claims = Claims {
        name: Some(named.name),
        ..claims(request.headers())
    };
    let (id, file) = state
        .bridge
        .bring(owner, Some(id), claims, coming(request.into_body()))
        .await?;
    Ok(Json(Upload::new(id, &file, &state.links)))
}

fn claims(headers: &HeaderMap) -> Claims {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    Claims {
        mime: text(CONTENT_TYPE).map(str::to_owned),
        size: text(CONTENT_LENGTH).and_then(|size| size.parse().ok()),
        ..Claims::default()
    }
}

/// The body as it comes. A client that sends nothing for long is gone.
fn coming(body: Body) -> impl Stream<Item = Result<Bytes, BrokenOff>> + Unpin {
    let bytes = body.into_data_stream();
    Box::pin(stream::unfold(bytes, async |mut bytes| {
        let next = tokio::time::timeout(SILENCE, bytes.next()).await;
        match next {
            Ok(Some(Ok(next))) => Some((Ok(next), bytes)),
            Ok(None) => None,
            Ok(Some(Err(_))) | Err(_) => Some((Err(BrokenOff), bytes)),
        }
    }))
}
