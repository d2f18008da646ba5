//! Messages: edited, deleted, recalled.

use axum::extract::State;
use uuid::Uuid;

use super::extract::{Json, Path};
use super::failures::Failures;
use super::messages::message_id;
use super::read;
use crate::bridge::messages::Which;
use crate::domain::ids::{ConversationId, MessageId};
use crate::nova::NovaState;
use crate::nova::auth::Caller;
use crate::nova::dto::messages::{Message, Recalled};
use crate::nova::dto::requests::EditMessage;
use crate::nova::dto::{Success, Time};
use crate::nova::error::{ApiError, ErrorBody};

/// The message of a path; `conversation` where the path names one.
pub(super) fn which(conversation: Option<Uuid>, message: &str) -> Result<Which, ApiError> {
    Ok(Which {
        message: MessageId(message_id(message)?),
        conversation: conversation.map(ConversationId),
    })
}

/// Gives one of the caller's messages another text, within 24 hours.
#[utoipa::path(put, path = "/messages/{message_id}", tag = "messages", params(("message_id" = Uuid, Path)),
    request_body = EditMessage,
    responses((status = 200, body = Message),
        (status = 410, description = "The message was recalled", body = ErrorBody), Failures))]
pub(super) async fn edit(
    State(state): State<NovaState>,
    caller: Caller,
    Path(id): Path<String>,
    Json(request): Json<EditMessage>,
) -> Result<Json<Message>, ApiError> {
    change(&state, &caller, which(None, &id)?, request).await
}

/// Gives one of the caller's messages another text, within 24 hours.
#[utoipa::path(patch, path = "/conversations/{conversation_id}/messages/{message_id}", tag = "messages",
    params(("conversation_id" = Uuid, Path), ("message_id" = Uuid, Path)), request_body = EditMessage,
    responses((status = 200, body = Message),
        (status = 410, description = "The message was recalled", body = ErrorBody), Failures))]
pub(super) async fn edit_in_conversation(
    State(state): State<NovaState>,
    caller: Caller,
    Path((conversation, id)): Path<(Uuid, String)>,
    Json(request): Json<EditMessage>,
) -> Result<Json<Message>, ApiError> {
    change(&state, &caller, which(Some(conversation), &id)?, request).await
}

async fn change(
    state: &NovaState,
    caller: &Caller,
    which: Which,
    request: EditMessage,
) -> Result<Json<Message>, ApiError> {
    state.sends.check(caller.user).map_err(ApiError::TooMany)?;
    let message = state
        .bridge
        .edit_message(caller.user, which, request.rewrite()?)
        .await?;
    let shown = read::shown(state, caller.user, vec![message]).await?.pop();
    shown.map(Json).ok_or(ApiError::Bug)
}

/// Deletes a message for everybody: the caller's own, or any where the caller is an admin.
#[utoipa::path(delete, path = "/messages/{message_id}", tag = "messages", params(("message_id" = Uuid, Path)),
    responses((status = 200, body = Success), Failures))]
pub(super) async fn delete(
    State(state): State<NovaState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Success>, ApiError> {
    state.bridge.delete_message(caller.user, which(None, &id)?).await?;
    Ok(Json(Success::DONE))
}

/// Takes a message back, within two hours: the caller's own, or any where the caller is an admin. Others see that there
/// was one.
#[utoipa::path(post, path = "/messages/{message_id}/recall", tag = "messages", params(("message_id" = Uuid, Path)),
    responses((status = 200, body = Recalled),
        (status = 410, description = "The message was recalled before", body = ErrorBody), Failures))]
pub(super) async fn recall(
    State(state): State<NovaState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Recalled>, ApiError> {
    take_back(&state, &caller, which(None, &id)?).await
}

/// Takes a message back, within two hours: the caller's own, or any where the caller is an admin. Others see that there
/// was one.
#[utoipa::path(post, path = "/conversations/{conversation_id}/messages/{message_id}/recall", tag = "messages",
    params(("conversation_id" = Uuid, Path), ("message_id" = Uuid, Path)),
    responses((status = 200, body = Recalled),
        (status = 410, description = "The message was recalled before", body = ErrorBody), Failures))]
pub(super) async fn recall_in_conversation(
    State(state): State<NovaState>,
    caller: Caller,
    Path((conversation, id)): Path<(Uuid, String)>,
) -> Result<Json<Recalled>, ApiError> {
    take_back(&state, &caller, which(Some(conversation), &id)?).await
}

async fn take_back(state: &NovaState, caller: &Caller, which: Which) -> Result<Json<Recalled>, ApiError> {
    let at = state.bridge.recall_message(caller.user, which).await?;
    Ok(Json(Recalled {
        message_id: which.message.0,
        recalled_at: Time(at),
        status: "recalled",
    }))
}
