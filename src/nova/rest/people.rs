//! Blocks, who need not ask, and what was asked (nova-client-protocol §6.7).

use axum::extract::State;
use axum::http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::extract::{Json, Path};
use super::failures::Failures;
use super::members::person;
use crate::bridge::CommandError;
use crate::domain::ids::ConversationId;
use crate::domain::request::DmPermission;
use crate::nova::NovaState;
use crate::nova::auth::Caller;
use crate::nova::dto::people::{
    Accepted, BlockUser, Blocked, MessageRequest, Outcome, Privacy, Relationship, SetDmPermission,
};
use crate::nova::error::{ApiError, ErrorBody};

/// The routes.
pub(super) fn router() -> OpenApiRouter<NovaState> {
    OpenApiRouter::new()
        .routes(routes!(list_blocks, block))
        .routes(routes!(unblock))
        .routes(routes!(relationship))
        .routes(routes!(privacy, set_privacy))
        .routes(routes!(set_dm_permission))
        .routes(routes!(list_requests))
        .routes(routes!(accept))
        .routes(routes!(reject))
}

/// Whom the caller blocks, the newest first.
#[utoipa::path(get, path = "/blocks", tag = "people", responses((status = 200, body = Vec<Blocked>), Failures))]
async fn list_blocks(State(state): State<NovaState>, caller: Caller) -> Result<Json<Vec<Blocked>>, ApiError> {
    let blocks = state.bridge.blocks(caller.user).await?;
    Ok(Json(blocks.into_iter().map(Blocked::from).collect()))
}

/// Blocks somebody: 201, or 200 where they are blocked already. They cannot open a chat with the caller, write or call in the
/// one they have, and what they ask is rejected.
#[utoipa::path(post, path = "/blocks", tag = "people", request_body = BlockUser,
    responses((status = 200, body = Outcome), (status = 201, body = Outcome), Failures))]
async fn block(
    State(state): State<NovaState>,
    caller: Caller,
    Json(request): Json<BlockUser>,
) -> Result<(StatusCode, Json<Outcome>), ApiError> {
    let news = state
        .bridge
        .block(caller.user, &request.user_id, request.reason)
        .await?;
    let status = if news { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, done("User blocked")))
}

/// Blocks somebody no more.
#[utoipa::path(delete, path = "/blocks/{user_id}", tag = "people",
    params(("user_id" = String, Path, description = "Nova's id or a Matrix id")),
    responses((status = 200, body = Outcome), (status = 404, body = Outcome, description = "They were not blocked"),
        (status = 400, body = ErrorBody, description = "The request makes no sense"),
        (status = 401, body = ErrorBody, description = "The token is missing or not good"),
        (status = 403, body = ErrorBody, description = "The caller may not do this"),
        (status = 500, body = ErrorBody, description = "A bug"),
        (status = 503, body = ErrorBody, description = "The database cannot be reached at the moment")))]
async fn unblock(
    State(state): State<NovaState>,
    caller: Caller,
    Path(user): Path<String>,
) -> Result<(StatusCode, Json<Outcome>), ApiError> {
    let other = person(&state, &user)?;
    if state.bridge.unblock(caller.user, other).await? {
        return Ok((StatusCode::OK, done("User unblocked")));
    }
    let outcome = Outcome {
        success: false,
        message: "User was not blocked",
    };
    Ok((StatusCode::NOT_FOUND, Json(outcome)))
}

const fn done(message: &'static str) -> Json<Outcome> {
    Json(Outcome { success: true, message })
}

/// What somebody is to the caller.
#[utoipa::path(get, path = "/relationships/{user_id}", tag = "people",
    params(("user_id" = String, Path, description = "Nova's id or a Matrix id")),
    responses((status = 200, body = Relationship), Failures))]
async fn relationship(
    State(state): State<NovaState>,
    caller: Caller,
    Path(user): Path<String>,
) -> Result<Json<Relationship>, ApiError> {
    let other = person(&state, &user)?;
    let relation = state.bridge.relation(caller.user, other).await?;
    Ok(Json(relation.into()))
}

/// Who may open a chat with the caller, or add them to a group, without asking.
#[utoipa::path(get, path = "/settings/privacy", tag = "people", responses((status = 200, body = Privacy), Failures))]
async fn privacy(State(state): State<NovaState>, caller: Caller) -> Result<Json<Privacy>, ApiError> {
    let permission = state.bridge.dm_permission(caller.user).await?;
    Ok(Json(permission.into()))
}

/// Not here any more: `PUT /settings/dm-permission`.
#[utoipa::path(put, path = "/settings/privacy", tag = "people",
    responses((status = 410, body = ErrorBody, description = "Always"), Failures))]
async fn set_privacy(_caller: Caller) -> ApiError {
    ApiError::Moved("this is set at PUT /settings/dm-permission")
}

/// Decides who may open a chat with the caller, or add them to a group, without asking.
#[utoipa::path(put, path = "/settings/dm-permission", tag = "people", request_body = SetDmPermission,
    responses((status = 200, body = Privacy), Failures))]
async fn set_dm_permission(
    State(state): State<NovaState>,
    caller: Caller,
    Json(request): Json<SetDmPermission>,
) -> Result<Json<Privacy>, ApiError> {
    let complaint = || ApiError::Invalid("dm_permission must be anyone, followers, mutuals or nobody".to_owned());
    let permission = DmPermission::parse(&request.dm_permission).ok_or_else(complaint)?;
    state.bridge.set_dm_permission(caller.user, permission).await?;
    Ok(Json(permission.into()))
}

/// Who asks the caller to come to a conversation, the newest first.
#[utoipa::path(get, path = "/message-requests", tag = "people",
    responses((status = 200, body = Vec<MessageRequest>), Failures))]
async fn list_requests(State(state): State<NovaState>, caller: Caller) -> Result<Json<Vec<MessageRequest>>, ApiError> {
    let requests = state.bridge.requests(caller.user).await?;
    let public_url = &state.settings.public_url;
    let shown = requests.into_iter().map(|it| MessageRequest::new(it, public_url));
    Ok(Json(shown.collect()))
}

/// What is no id names no request.
fn request_id(text: &str) -> Result<ConversationId, ApiError> {
    let id = Uuid::parse_str(text).map_err(|_| CommandError::NoSuchRequest)?;
    Ok(ConversationId(id))
}

/// Comes to the conversation. Once more does no harm.
#[utoipa::path(post, path = "/message-requests/{request_id}/accept", tag = "people",
    params(("request_id" = Uuid, Path)), responses((status = 200, body = Accepted), Failures))]
async fn accept(
    State(state): State<NovaState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Accepted>, ApiError> {
    let id = request_id(&id)?;
    let by = state.bridge.accept_request(caller.user, id).await?;
    Ok(Json(Accepted {
        success: true,
        requester_id: by.0,
        conversation_id: id.0,
    }))
}

/// Does not come to the conversation. Who asked may ask again, unless they are blocked.
#[utoipa::path(post, path = "/message-requests/{request_id}/reject", tag = "people",
    params(("request_id" = Uuid, Path)), responses((status = 200, body = Outcome), Failures))]
async fn reject(
    State(state): State<NovaState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Outcome>, ApiError> {
    state.bridge.reject_request(caller.user, request_id(&id)?).await?;
    Ok(done("Request rejected"))
}
