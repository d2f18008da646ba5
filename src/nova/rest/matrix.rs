//! `/api/v2/matrix`: which Matrix room belongs to which conversation, of the caller's own (nova-client-protocol §6.5).

use axum::extract::State;
use axum::http::StatusCode;
use chrono::TimeDelta;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::extract::{Json, Params, Path};
use super::failures::Failures;
use super::read;
use crate::domain::ids::ConversationId;
use crate::nova::NovaState;
use crate::nova::auth::Caller;
use crate::nova::error::ApiError;
use crate::store::{conversations, lists};

/// The routes.
pub(super) fn router() -> OpenApiRouter<NovaState> {
    OpenApiRouter::new()
        .routes(routes!(config))
        .routes(routes!(rooms, map_room))
        .routes(routes!(room))
        .routes(routes!(conversation_of_room))
        .routes(routes!(token))
}

/// After how long a client that is logged in asks again.
const LOGIN_TERM: TimeDelta = TimeDelta::days(30);

fn homeserver_url(state: &NovaState) -> String {
    state.settings.homeserver_url.as_str().trim_end_matches('/').to_owned()
}

/// What a Matrix client on the caller's account has to know.
#[derive(Debug, Serialize, ToSchema)]
struct Config {
    /// Always true.
    #[schema(example = true)]
    enabled: bool,
    /// Where the homeserver is.
    #[schema(example = "https://matrix.example.org")]
    homeserver_url: String,
    /// Always false: the bridge reads what it carries.
    #[schema(example = false)]
    e2ee_enabled: bool,
    /// Always false: this is about calls that the app makes in Matrix by itself. Those of the bridge are at `/calls`.
    #[schema(example = false)]
    voip_enabled: bool,
}

/// Where the homeserver is, and what works there.
#[utoipa::path(get, path = "/config", tag = "matrix", responses((status = 200, body = Config), Failures))]
async fn config(State(state): State<NovaState>, _caller: Caller) -> Json<Config> {
    Json(Config {
        enabled: true,
        homeserver_url: homeserver_url(&state),
        e2ee_enabled: false,
        voip_enabled: false,
    })
}

/// Which device wants to log in.
#[derive(Debug, Deserialize, ToSchema)]
struct WhichDevice {
    /// The device's own name for itself, the same at each login.
    #[schema(example = "NOVA_IOS_1A2B3C4D")]
    device_id: String,
}

/// A Matrix login.
#[derive(Debug, Serialize, ToSchema)]
struct Login {
    access_token: String,
    #[schema(example = "@nova-3f2b8c1e-7d64-4a90-b5f1-2c8e0d9a6b37:example.org")]
    matrix_user_id: String,
    #[schema(example = "NOVA_IOS_1A2B3C4D")]
    device_id: String,
    #[schema(example = "https://matrix.example.org")]
    homeserver_url: String,
    /// When to ask again, in seconds since 1970. The login itself does not end.
    #[schema(example = 1_767_950_000)]
    expires_at: i64,
}

/// Logs a device in as the caller's own Matrix user.
#[utoipa::path(post, path = "/token", tag = "matrix", request_body = WhichDevice,
    responses((status = 200, body = Login), Failures))]
async fn token(
    State(state): State<NovaState>,
    caller: Caller,
    Json(which): Json<WhichDevice>,
) -> Result<Json<Login>, ApiError> {
    let named = (1..=255).contains(&which.device_id.len()) && which.device_id.chars().all(|it| it.is_ascii_graphic());
    if !named {
        return Err(ApiError::Invalid(
            "device_id must have 1 to 255 visible ASCII characters".to_owned(),
        ));
    }
    let login = state.bridge.log_in(caller.user, &which.device_id).await?;
    let expires = state.bridge.now() + LOGIN_TERM;
    Ok(Json(Login {
        access_token: login.access_token.expose_secret().to_owned(),
        matrix_user_id: login.ghost.to_string(),
        device_id: which.device_id,
        homeserver_url: homeserver_url(&state),
        expires_at: expires.timestamp(),
    }))
}

/// A conversation and its room.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct Mapping {
    #[schema(example = "c7e41a52-0b9d-4f38-8d16-5a3e9c2b7f04")]
    conversation_id: Uuid,
    #[schema(example = "!room:example.org")]
    room_id: String,
}

/// Conversations and their rooms.
#[derive(Debug, Serialize, ToSchema)]
struct Mappings {
    mappings: Vec<Mapping>,
}

/// The rooms of all of the caller's conversations.
#[utoipa::path(get, path = "/rooms", tag = "matrix", responses((status = 200, body = Mappings), Failures))]
async fn rooms(State(state): State<NovaState>, caller: Caller) -> Result<Json<Mappings>, ApiError> {
    let mut connection = state.bridge.store().read().await?;
    let found = lists::rooms_of_user(&mut connection, caller.user).await?;
    let mapping = |(id, room_id): (ConversationId, String)| Mapping {
        conversation_id: id.0,
        room_id,
    };
    Ok(Json(Mappings {
        mappings: found.into_iter().map(mapping).collect(),
    }))
}

/// Says which room is that of a conversation which has none: the caller made it with their own Matrix login. Everybody in
/// it must be a member of the conversation; who is missing is invited. A group's admins only.
#[utoipa::path(post, path = "/rooms", tag = "matrix", request_body = Mapping,
    responses((status = 201, body = Saved), Failures))]
async fn map_room(
    State(state): State<NovaState>,
    caller: Caller,
    Json(mapping): Json<Mapping>,
) -> Result<(StatusCode, Json<Saved>), ApiError> {
    let id = ConversationId(mapping.conversation_id);
    state.bridge.map_room(caller.user, id, &mapping.room_id).await?;
    let message = "Room mapping saved successfully";
    Ok((StatusCode::CREATED, Json(Saved { message })))
}

/// Done.
#[derive(Debug, Serialize, ToSchema)]
struct Saved {
    #[schema(example = "Room mapping saved successfully")]
    message: &'static str,
}

/// A room, if there is one.
#[derive(Debug, Serialize, ToSchema)]
struct Room {
    #[schema(example = "!room:example.org")]
    room_id: Option<String>,
}

/// The room of a conversation; null while it has none.
#[utoipa::path(get, path = "/rooms/{conversation_id}", tag = "matrix", params(("conversation_id" = Uuid, Path)),
    responses((status = 200, body = Room), Failures))]
async fn room(State(state): State<NovaState>, caller: Caller, Path(id): Path<Uuid>) -> Result<Json<Room>, ApiError> {
    let id = ConversationId(id);
    read::takes_part(&state, id, caller.user).await?;
    let mut connection = state.bridge.store().read().await?;
    let room_id = conversations::room_of(&mut connection, id).await?;
    Ok(Json(Room { room_id }))
}

/// Which room.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct WhichRoom {
    /// The room's id.
    room_id: String,
}

/// A conversation, if there is one.
#[derive(Debug, Serialize, ToSchema)]
struct ConversationOfRoom {
    #[schema(example = "c7e41a52-0b9d-4f38-8d16-5a3e9c2b7f04")]
    conversation_id: Option<Uuid>,
}

/// The conversation of a room; null where it is none of the caller's.
#[utoipa::path(get, path = "/conversations", tag = "matrix", params(WhichRoom),
    responses((status = 200, body = ConversationOfRoom), Failures))]
async fn conversation_of_room(
    State(state): State<NovaState>,
    caller: Caller,
    Params(which): Params<WhichRoom>,
) -> Result<Json<ConversationOfRoom>, ApiError> {
    if which.room_id.contains('\0') {
        return Err(ApiError::Invalid("not a room id".to_owned()));
    }
    let mut connection = state.bridge.store().read().await?;
    let mut found = conversations::of_room(&mut connection, &which.room_id).await?;
    if let Some(id) = found
        && conversations::takes_part(&mut connection, id, caller.user).await? != Some(true)
    {
        found = None;
    }
    Ok(Json(ConversationOfRoom {
        conversation_id: found.map(|id| id.0),
    }))
}
