//! `/api/calls/*`, also below `/u/{token}`. Every failure is `{"error": …}`.

mod caller;
mod look;

use axum::Json;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::acts::{self, Act};
use super::{DialectState, wire};
use crate::bridge::CommandError;
use crate::bridge::calls::PlaceCall;
use crate::domain::call::{Call, DescriptionKind, Dialect, Refused, Topology};
use crate::domain::conversation::Kind;
use crate::domain::ids::{CallId, ConversationId, UserId};
use crate::nova::dto::calls::ice::IceServer;
use crate::nova::error::ApiError;
use crate::nova::rest::layers;
use crate::store::conversations;

use caller::Asked;

/// Why a request is not answered with what it asked for.
#[derive(Debug)]
pub(super) enum Failure {
    Missing(&'static str),
    Unauthorized,
    NotRinging,
    Api(ApiError),
}

impl<E: Into<ApiError>> From<E> for Failure {
    fn from(error: E) -> Self {
        let error = error.into();
        if let ApiError::Command(CommandError::Call(Refused::NotRinging | Refused::Ended)) = error {
            return Self::NotRinging;
        }
        Self::Api(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, text) = match self {
            Self::Missing(text) => (StatusCode::BAD_REQUEST, text.to_owned()),
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "Invalid access token".to_owned()),
            Self::NotRinging => (StatusCode::BAD_REQUEST, "Call is not in ringing state".to_owned()),
            Self::Api(ApiError::Command(CommandError::UnknownCall)) => {
                (StatusCode::NOT_FOUND, "Call not found".to_owned())
            }
            Self::Api(error) => {
                let status = error.status();
                if status.is_server_error() {
                    tracing::error!(%error, "a request of the Socket.IO dialect failed");
                    (status, "Internal Server Error".to_owned())
                } else {
                    (status, error.to_string())
                }
            }
        };
        (status, Json(json!({ "error": text }))).into_response()
    }
}

type Answer = Result<Json<Value>, Failure>;

/// The routes.
pub(super) fn router(state: DialectState) -> Router {
    let routes = Router::new()
        .route("/call-config.json", get(look::config))
        .route("/api/calls/initiate", post(initiate))
        .route("/api/calls/active", get(look::active))
        .route("/api/calls/{id}/status", get(look::status))
        .route("/api/calls/{id}/answer", post(answer))
        .route("/api/calls/{id}/reject", post(reject))
        .route("/api/calls/{id}/end", post(end))
        .route("/api/calls/{id}/offer", post(offer))
        .route("/api/calls/{id}/answer-sdp", post(answer_sdp))
        .route("/api/calls/{id}/ice-candidate", post(candidate))
        .route("/api/calls/{id}/toggle-audio", post(toggle_audio))
        .route("/api/calls/{id}/toggle-video", post(toggle_video));
    let nova = state.nova.clone();
    let both = Router::new().nest("/u/{token}", routes.clone()).merge(routes);
    layers::around(both.with_state(state), Router::new(), &nova).with_state(nova)
}

async fn servers(state: &DialectState, user: UserId) -> Vec<IceServer> {
    IceServer::list(&Box::pin(state.nova.bridge.ice_servers(user)).await)
}

/// The room of a call, or its conversation where there is none.
async fn room(state: &DialectState, call: &Call) -> Result<String, Failure> {
    let mut connection = state.nova.bridge.store().read().await?;
    let room = conversations::room_of(&mut connection, call.conversation).await?;
    Ok(room.unwrap_or_else(|| call.conversation.to_string()))
}

/// The conversation that a client means by a room.
async fn conversation(state: &DialectState, room: &str) -> Result<ConversationId, Failure> {
    let mut connection = state.nova.bridge.store().read().await?;
    let id = match room.parse() {
        Ok(id) => Some(id),
        Err(_) => conversations::of_room(&mut connection, room).await?,
    };
    let unknown = || Failure::from(CommandError::NoSuchConversation);
    let id = id.ok_or_else(unknown)?;
    let found = conversations::find(&mut connection, id).await?.ok_or_else(unknown)?;
    match found.kind {
        Kind::Direct => Ok(id),
        Kind::Group => Err(Failure::Missing("Group calls are not supported")),
    }
}

async fn initiate(State(state): State<DialectState>, asked: Asked) -> Result<(StatusCode, Json<Value>), Failure> {
    let needed = asked.needs(&["roomId", "callType", "userId"]);
    needed.map_err(|()| Failure::Missing("Missing required fields: roomId, callType, accessToken, userId"))?;
    let is_video = match asked.text("callType") {
        Some("video") => true,
        Some("voice") => false,
        Some(_) | None => return Err(Failure::Missing("callType must be voice or video")),
    };
    let user = asked.caller(&state).await?;
    state.nova.sends.check(user).map_err(ApiError::TooMany)?;
    let conversation = conversation(&state, asked.text("roomId").unwrap_or_default()).await?;
    let wanted = PlaceCall {
        conversation,
        topology: Topology::Direct,
        offer: None,
        metadata: None,
        is_video: Some(is_video),
        max_participants: 2,
        idempotency_key: None,
        dialect: Dialect::SocketIo,
    };
    let call = state.nova.bridge.place_call(user, wanted).await?;
    let body = json!({
        "callId": wire::shown_id(call.id),
        "roomId": asked.text("roomId"),
        "callType": wire::call_type(is_video),
        "status": "ringing",
        "iceServers": servers(&state, user).await,
    });
    Ok((StatusCode::CREATED, Json(body)))
}

async fn answer(State(state): State<DialectState>, id: Id, asked: Asked) -> Answer {
    let (user, id) = asked
        .caller_and(&state, id, "Missing required fields: userId, accessToken")
        .await?;
    let call = acts::accept(&state.nova, user, id).await?;
    Ok(Json(json!({
        "callId": wire::shown_id(call.id),
        "status": "active",
        "roomId": room(&state, &call).await?,
        "callType": wire::call_type(call.is_video),
        "iceServers": servers(&state, user).await,
    })))
}

async fn reject(State(state): State<DialectState>, id: Id, asked: Asked) -> Answer {
    let (user, id) = asked
        .caller_and(&state, id, "Missing required fields: userId, accessToken")
        .await?;
    acts::reject(&state.nova, user, id).await?;
    Ok(Json(json!({ "callId": wire::shown_id(id), "status": "rejected" })))
}

async fn end(State(state): State<DialectState>, id: Id, asked: Asked) -> Answer {
    let (user, id) = asked.caller_and(&state, id, "Missing required field: userId").await?;
    acts::act(&state.nova, user, id, Act::End).await?;
    Ok(Json(json!({ "callId": wire::shown_id(id), "status": "ended" })))
}

async fn act(state: &DialectState, id: Id, asked: &Asked, act: Option<Act>, missing: &'static str) -> Answer {
    let (user, id) = asked.caller_and(state, id, missing).await?;
    acts::act(&state.nova, user, id, act.ok_or(Failure::Missing(missing))?).await?;
    Ok(Json(json!({ "success": true })))
}

async fn offer(State(state): State<DialectState>, id: Id, asked: Asked) -> Answer {
    let sdp = acts::description(&asked.body, DescriptionKind::Offer).map(Act::Offer);
    act(&state, id, &asked, sdp, "Missing required fields: userId, offer").await
}

async fn answer_sdp(State(state): State<DialectState>, id: Id, asked: Asked) -> Answer {
    let sdp = acts::description(&asked.body, DescriptionKind::Answer).map(|sdp| Act::Answer(sdp, false));
    act(&state, id, &asked, sdp, "Missing required fields: userId, answer").await
}

async fn candidate(State(state): State<DialectState>, id: Id, asked: Asked) -> Answer {
    let candidate = asked
        .body
        .get("candidate")
        .and_then(wire::candidate)
        .map(Act::Candidate);
    act(
        &state,
        id,
        &asked,
        candidate,
        "Missing required fields: userId, candidate",
    )
    .await
}

async fn toggle_audio(State(state): State<DialectState>, id: Id, asked: Asked) -> Answer {
    let audio = asked.body.get("enabled").and_then(Value::as_bool);
    let media = audio.map(|_| Act::Media { audio, video: None });
    drop(act(&state, id, &asked, media, "Missing required fields: userId, enabled").await?);
    Ok(Json(json!({ "success": true, "audioEnabled": audio })))
}

async fn toggle_video(State(state): State<DialectState>, id: Id, asked: Asked) -> Answer {
    let video = asked.body.get("enabled").and_then(Value::as_bool);
    let media = video.map(|_| Act::Media { audio: None, video });
    drop(act(&state, id, &asked, media, "Missing required fields: userId, enabled").await?);
    Ok(Json(json!({ "success": true, "videoEnabled": video })))
}

/// What a path names: its call, and its token below `/u/{token}`.
#[derive(Debug, serde::Deserialize)]
struct Named {
    id: String,
}

/// The call of a path.
#[derive(Debug)]
pub(super) struct Id(Option<CallId>);

impl<S: Send + Sync> axum::extract::FromRequestParts<S> for Id {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, std::convert::Infallible> {
        let named = Path::<Named>::from_request_parts(parts, state).await;
        Ok(Self(named.ok().and_then(|Path(named)| wire::call_id(&named.id))))
    }
}
