//! `/api/v2/matrix`: which Matrix room belongs to which conversation, of the caller's own (nova-client-protocol §6.5).

use axum::extract::State;
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
        .routes(routes!(rooms))
        .routes(routes!(room))
        .routes(routes!(conversation_of_room))
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
    /// Always false: calls are not carried yet.
    #[schema(example = false)]
    voip_enabled: bool,
}

/// Where the homeserver is, and what works there.
#[utoipa::path(get, path = "/config", tag = "matrix", responses((status = 200, body = Config), Failures))]
async fn config(State(state): State<NovaState>, _caller: Caller) -> Json<Config> {
    let url = state.settings.homeserver_url.as_str();
    Json(Config {
        enabled: true,
        homeserver_url: url.trim_end_matches('/').to_owned(),
        e2ee_enabled: false,
        voip_enabled: false,
    })
}

/// A conversation and its room.
#[derive(Debug, Serialize, ToSchema)]
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
