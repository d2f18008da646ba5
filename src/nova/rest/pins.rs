//! Pinned messages.

use axum::extract::State;
use uuid::Uuid;

use super::acts::which;
use super::extract::{Json, Path};
use super::failures::Failures;
use super::read;
use crate::bridge::messages::Which;
use crate::domain::ids::ConversationId;
use crate::nova::NovaState;
use crate::nova::auth::Caller;
use crate::nova::dto::Success;
use crate::nova::dto::messages::{Pinned, PinnedMessages};
use crate::nova::error::{ApiError, ErrorBody};

/// What is pinned in a conversation.
#[utoipa::path(get, path = "/conversations/{conversation_id}/pinned", tag = "messages",
    params(("conversation_id" = Uuid, Path)), responses((status = 200, body = PinnedMessages), Failures))]
pub(super) async fn list(
    State(state): State<NovaState>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Json<PinnedMessages>, ApiError> {
    read::pinned(&state, caller.user, ConversationId(id)).await.map(Json)
}

/// What is pinned in a conversation, by its other name.
#[utoipa::path(get, path = "/conversations/{conversation_id}/messages/pinned", tag = "messages",
    params(("conversation_id" = Uuid, Path)), responses((status = 200, body = PinnedMessages), Failures))]
pub(super) async fn list_among_messages(
    State(state): State<NovaState>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Json<PinnedMessages>, ApiError> {
    read::pinned(&state, caller.user, ConversationId(id)).await.map(Json)
}

/// Pins a message: both in a direct conversation, those whom the room lets in a group, at first its admins.
#[utoipa::path(post, path = "/messages/{message_id}/pin", tag = "messages", params(("message_id" = Uuid, Path)),
    responses((status = 200, body = Pinned),
        (status = 410, description = "The message was recalled", body = ErrorBody), Failures))]
pub(super) async fn pin(
    State(state): State<NovaState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Pinned>, ApiError> {
    set(&state, &caller, which(None, &id)?).await
}

/// Pins a message: both in a direct conversation, those whom the room lets in a group, at first its admins.
#[utoipa::path(post, path = "/conversations/{conversation_id}/messages/{message_id}/pin", tag = "messages",
    params(("conversation_id" = Uuid, Path), ("message_id" = Uuid, Path)),
    responses((status = 200, body = Pinned),
        (status = 410, description = "The message was recalled", body = ErrorBody), Failures))]
pub(super) async fn pin_in_conversation(
    State(state): State<NovaState>,
    caller: Caller,
    Path((conversation, id)): Path<(Uuid, String)>,
) -> Result<Json<Pinned>, ApiError> {
    set(&state, &caller, which(Some(conversation), &id)?).await
}

async fn set(state: &NovaState, caller: &Caller, which: Which) -> Result<Json<Pinned>, ApiError> {
    state.sends.check(caller.user).map_err(ApiError::TooMany)?;
    let (conversation, pin) = state.bridge.pin(caller.user, which).await?;
    Ok(Json(Pinned::new(pin, conversation)))
}

/// Takes a pinned message down. What is not pinned need not be taken down.
#[utoipa::path(delete, path = "/messages/{message_id}/pin", tag = "messages", params(("message_id" = Uuid, Path)),
    responses((status = 200, body = Success), Failures))]
pub(super) async fn unpin(
    State(state): State<NovaState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Success>, ApiError> {
    take_down(&state, &caller, which(None, &id)?).await
}

/// Takes a pinned message down. What is not pinned need not be taken down.
#[utoipa::path(delete, path = "/conversations/{conversation_id}/messages/{message_id}/pin", tag = "messages",
    params(("conversation_id" = Uuid, Path), ("message_id" = Uuid, Path)),
    responses((status = 200, body = Success), Failures))]
pub(super) async fn unpin_in_conversation(
    State(state): State<NovaState>,
    caller: Caller,
    Path((conversation, id)): Path<(Uuid, String)>,
) -> Result<Json<Success>, ApiError> {
    take_down(&state, &caller, which(Some(conversation), &id)?).await
}

async fn take_down(state: &NovaState, caller: &Caller, which: Which) -> Result<Json<Success>, ApiError> {
    state.sends.check(caller.user).map_err(ApiError::TooMany)?;
    state.bridge.unpin(caller.user, which).await?;
    Ok(Json(Success::DONE))
}
