//! Messages: said again elsewhere.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::acts::which;
use super::extract::{Json, Path};
use super::failures::Failures;
use crate::domain::ids::ConversationId;
use crate::nova::NovaState;
use crate::nova::auth::Caller;
use crate::nova::dto::Time;
use crate::nova::error::ApiError;

/// Says a message again elsewhere.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct Forward {
    /// Where.
    target_conversation_id: Uuid,
    /// What is said before it.
    #[schema(example = "Have you seen this?")]
    custom_note: Option<String>,
}

/// A message that was said again.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Forwarded {
    /// Its new id.
    #[serde(rename = "forwarded_message_id")]
    message: Uuid,
    /// Where it is.
    target_conversation_id: Uuid,
    /// When it was said.
    #[serde(rename = "forwarded_at")]
    at: Time,
}

/// Says a message again in another conversation, as the caller's own and with its file.
#[utoipa::path(post, path = "/conversations/{conversation_id}/messages/{message_id}/forward", tag = "messages",
    params(("conversation_id" = Uuid, Path), ("message_id" = Uuid, Path)), request_body = Forward,
    responses((status = 200, body = Forwarded), Failures))]
pub(super) async fn forward(
    State(state): State<NovaState>,
    caller: Caller,
    Path((conversation, id)): Path<(Uuid, String)>,
    Json(request): Json<Forward>,
) -> Result<Json<Forwarded>, ApiError> {
    state.sends.check(caller.user).map_err(ApiError::TooMany)?;
    let target = ConversationId(request.target_conversation_id);
    let which = which(Some(conversation), &id)?;
    let said = state
        .bridge
        .forward_message(caller.user, which, target, request.custom_note)
        .await?;
    Ok(Json(Forwarded {
        message: said.id.0,
        target_conversation_id: said.conversation.0,
        at: Time(said.created_at),
    }))
}
