//! Messages: said, listed, looked at.

use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::extract::{Json, Params, Path};
use super::failures::Failures;
use super::read::{self, MessagesAsked};
use super::{acts, forward, pins, reactions, threads};
use crate::bridge::CommandError;
use crate::domain::ids::ConversationId;
use crate::nova::NovaState;
use crate::nova::auth::Caller;
use crate::nova::dto::messages::Message;
use crate::nova::dto::requests::{SendMessage, SendMessageTo};
use crate::nova::error::ApiError;
use crate::nova::messages;

/// The routes that every prefix has.
pub(super) fn shared() -> OpenApiRouter<NovaState> {
    OpenApiRouter::new()
        .routes(routes!(list, send))
        .routes(routes!(get_in_conversation, acts::edit_in_conversation))
        .routes(routes!(get, acts::edit, acts::delete))
        .routes(routes!(acts::recall_in_conversation))
        .routes(routes!(acts::recall))
        .routes(routes!(forward::forward))
        .routes(routes!(reactions::list, reactions::add))
        .routes(routes!(reactions::remove))
        .routes(routes!(pins::list))
        .routes(routes!(pins::list_among_messages))
        .routes(routes!(pins::pin, pins::unpin))
        .routes(routes!(pins::pin_in_conversation, pins::unpin_in_conversation))
        .routes(routes!(threads::get))
}

/// The routes in the shape of the first service.
pub(super) fn router() -> OpenApiRouter<NovaState> {
    OpenApiRouter::new().routes(routes!(send_to))
}

/// Says something, within the caller's rate.
pub(super) async fn say(
    state: &NovaState,
    caller: &Caller,
    conversation: Uuid,
    request: SendMessage,
) -> Result<Message, ApiError> {
    let (said, carrying) = request.said()?;
    let key = said.idempotency_key.clone();
    let said = messages::say(state, caller.user, ConversationId(conversation), said, carrying).await?;
    let mut message = Message::new(said, caller.user, None, &state.links, state.bridge.ghosts());
    message.idempotency_key = key;
    Ok(message)
}

/// Says something. Under an `idempotency_key` that the caller has used before, the first message is the answer.
#[utoipa::path(post, path = "/conversations/{conversation_id}/messages", tag = "messages",
    request_body = SendMessage, params(("conversation_id" = Uuid, Path)),
    responses((status = 200, body = Message), Failures))]
async fn send(
    State(state): State<NovaState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Json(request): Json<SendMessage>,
) -> Result<Json<Message>, ApiError> {
    say(&state, &caller, id, request).await.map(Json)
}

/// Says something, with the conversation in the body.
#[utoipa::path(post, path = "/messages", tag = "messages", request_body = SendMessageTo,
    responses((status = 200, body = Message), Failures))]
async fn send_to(
    State(state): State<NovaState>,
    caller: Caller,
    Json(request): Json<SendMessageTo>,
) -> Result<Json<Message>, ApiError> {
    say(&state, &caller, request.conversation_id, request.message)
        .await
        .map(Json)
}

/// Messages of a conversation in the order in which they were said: the newest, or those before or after one.
#[utoipa::path(get, path = "/conversations/{conversation_id}/messages", tag = "messages",
    params(("conversation_id" = Uuid, Path), MessagesAsked),
    responses((status = 200, body = Vec<Message>), Failures))]
async fn list(
    State(state): State<NovaState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Params(asked): Params<MessagesAsked>,
) -> Result<Json<Vec<Message>>, ApiError> {
    let (messages, _) = read::messages(&state, caller.user, ConversationId(id), &asked).await?;
    Ok(Json(messages))
}

/// One message of a conversation.
#[utoipa::path(get, path = "/conversations/{conversation_id}/messages/{message_id}", tag = "messages",
    params(("conversation_id" = Uuid, Path), ("message_id" = Uuid, Path)),
    responses((status = 200, body = Message), Failures))]
async fn get_in_conversation(
    State(state): State<NovaState>,
    caller: Caller,
    Path((conversation, id)): Path<(Uuid, String)>,
) -> Result<Json<Message>, ApiError> {
    let id = message_id(&id)?;
    read::message(&state, caller.user, Some(conversation), id)
        .await
        .map(Json)
}

/// What is no id names no message.
pub(super) fn message_id(text: &str) -> Result<Uuid, ApiError> {
    Uuid::parse_str(text).map_err(|_| CommandError::NoSuchMessage.into())
}

/// One message.
#[utoipa::path(get, path = "/messages/{message_id}", tag = "messages", params(("message_id" = Uuid, Path)),
    responses((status = 200, body = Message), Failures))]
async fn get(
    State(state): State<NovaState>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Message>, ApiError> {
    read::message(&state, caller.user, None, message_id(&id)?)
        .await
        .map(Json)
}
