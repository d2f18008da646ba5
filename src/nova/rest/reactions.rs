//! Reactions to messages.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use uuid::Uuid;

use super::acts::which;
use super::extract::{Json, Params, Path};
use super::failures::Failures;
use super::messages::message_id;
use super::read;
use crate::bridge::messages::Taken;
use crate::domain::ids::{ActId, MessageId};
use crate::nova::NovaState;
use crate::nova::auth::Caller;
use crate::nova::dto::Success;
use crate::nova::dto::messages::{Reaction, Reactions};
use crate::nova::dto::requests::React;
use crate::nova::error::{ApiError, ErrorBody};
use crate::store::acts;

/// The most people who are named of those who reacted in the same way.
const NAMED: i64 = 50;

/// The reactions to a message, and who made them.
#[utoipa::path(get, path = "/messages/{message_id}/reactions", tag = "messages", params(("message_id" = Uuid, Path)),
    responses((status = 200, body = Reactions), Failures))]
pub(super) async fn list(
    State(state): State<NovaState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Reactions>, ApiError> {
    let message = read::message(&state, caller.user, None, message_id(&id)?).await?;
    let mut connection = state.bridge.store().read().await?;
    let reactors = acts::reactors(&mut connection, MessageId(message.id), NAMED).await?;
    Ok(Json(Reactions::new(message, reactors)))
}

/// Reacts to a message. The same reaction again changes nothing.
#[utoipa::path(post, path = "/messages/{message_id}/reactions", tag = "messages", params(("message_id" = Uuid, Path)),
    request_body = React,
    responses((status = 201, body = Reaction),
        (status = 410, description = "The message was recalled", body = ErrorBody), Failures))]
pub(super) async fn add(
    State(state): State<NovaState>,
    caller: Caller,
    Path(id): Path<String>,
    Json(request): Json<React>,
) -> Result<(StatusCode, Json<Reaction>), ApiError> {
    state.sends.check(caller.user).map_err(ApiError::TooMany)?;
    let which = which(None, &id)?;
    let reaction = state.bridge.react(caller.user, which, request.emoji).await?;
    Ok((StatusCode::CREATED, Json(reaction.into())))
}

/// Which of the caller's reactions.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Removed {
    /// Only the one that shows this. Only beside the caller's own id.
    emoji: Option<String>,
}

/// Takes the caller's reactions back: all of them, or that with an emoji, beside the caller's own id; or one by its id.
#[utoipa::path(delete, path = "/messages/{message_id}/reactions/{user_or_reaction_id}", tag = "messages",
    params(("message_id" = Uuid, Path), ("user_or_reaction_id" = Uuid, Path), Removed),
    responses((status = 200, body = Success), Failures))]
pub(super) async fn remove(
    State(state): State<NovaState>,
    caller: Caller,
    Path((message, id)): Path<(String, Uuid)>,
    Params(removed): Params<Removed>,
) -> Result<Json<Success>, ApiError> {
    let taken = match removed.emoji.filter(|emoji| !emoji.is_empty()) {
        Some(emoji) if id == caller.user.0 => Taken::Emoji(emoji),
        None if id == caller.user.0 => Taken::All,
        Some(_) | None => Taken::One(ActId(id)),
    };
    let which = which(None, &message)?;
    state.bridge.unreact(caller.user, which, &taken).await?;
    Ok(Json(Success::DONE))
}
