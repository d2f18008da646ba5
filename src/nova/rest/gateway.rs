//! `/api/v2/chat`: the gateway's shapes, for the iOS app (nova-client-protocol §6.3 and §6.6).

use axum::extract::State;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::conversations::{self, Page};
use super::extract::{Json, Params, Path};
use super::failures::Failures;
use super::messages;
use super::read::{self, MessagesAsked};
use crate::domain::ids::ConversationId;
use crate::nova::NovaState;
use crate::nova::auth::Caller;
use crate::nova::dto::Success;
use crate::nova::dto::conversations::Conversation;
use crate::nova::dto::messages::{GatewayMessages, GatewaySent};
use crate::nova::dto::requests::{CreateGroup, GatewaySend, OpenConversation, Settings};
use crate::nova::error::ApiError;
use crate::store::lists::Which;

/// The routes whose answers differ from the first service's.
pub(super) fn router() -> OpenApiRouter<NovaState> {
    OpenApiRouter::new()
        .routes(routes!(list_conversations, open_conversation))
        .routes(routes!(get_conversation, update_conversation, delete_conversation))
        .routes(routes!(create_group_of_gateway))
        .routes(routes!(list_messages, send_message))
}

/// The caller's conversations, the most lively first, as a bare array.
#[utoipa::path(get, path = "/conversations", tag = "gateway", params(Page),
    responses((status = 200, body = Vec<Conversation>), Failures))]
async fn list_conversations(
    State(state): State<NovaState>,
    caller: Caller,
    Params(page): Params<Page>,
) -> Result<Json<Vec<Conversation>>, ApiError> {
    let (limit, offset) = page.place()?;
    let which = Which::Archived(page.archived());
    let found = read::conversations(&state, caller.user, which, limit, offset).await?;
    let shown = found.into_iter().map(|it| it.for_gateway(caller.user.0));
    Ok(Json(shown.collect()))
}

/// Opens a conversation. The answer has no members, because the iOS app cannot decode any.
#[utoipa::path(post, path = "/conversations", tag = "gateway", request_body = OpenConversation,
    responses((status = 200, body = Conversation), Failures))]
async fn open_conversation(
    State(state): State<NovaState>,
    caller: Caller,
    Json(request): Json<OpenConversation>,
) -> Result<Json<Conversation>, ApiError> {
    let conversation = conversations::open_any(&state, &caller, request).await?;
    Ok(Json(conversation.for_gateway(caller.user.0)))
}

/// One conversation, without its members.
#[utoipa::path(get, path = "/conversations/{conversation_id}", tag = "gateway",
    params(("conversation_id" = Uuid, Path)), responses((status = 200, body = Conversation), Failures))]
async fn get_conversation(
    State(state): State<NovaState>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Json<Conversation>, ApiError> {
    let conversation = read::conversation(&state, caller.user, ConversationId(id)).await?;
    Ok(Json(conversation.for_gateway(caller.user.0)))
}

/// Changes a group's name, description or picture, which only admins may, or mutes or archives a conversation for the caller.
#[utoipa::path(put, path = "/conversations/{conversation_id}", tag = "gateway", request_body = Settings,
    params(("conversation_id" = Uuid, Path)), responses((status = 200, body = Success), Failures))]
async fn update_conversation(
    State(state): State<NovaState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Json(settings): Json<Settings>,
) -> Result<Json<Success>, ApiError> {
    conversations::change(&state, &caller, id, settings).await
}

/// Deletes a group for everybody. Owners only.
#[utoipa::path(delete, path = "/conversations/{conversation_id}", tag = "gateway",
    params(("conversation_id" = Uuid, Path)), responses((status = 200, body = Success), Failures))]
async fn delete_conversation(
    state: State<NovaState>,
    caller: Caller,
    path: Path<Uuid>,
) -> Result<Json<Success>, ApiError> {
    conversations::delete(state, caller, path).await
}

/// Makes a group.
#[utoipa::path(post, path = "/groups/create", tag = "gateway", request_body = CreateGroup,
    responses((status = 200, body = Conversation), Failures))]
async fn create_group_of_gateway(
    State(state): State<NovaState>,
    caller: Caller,
    Json(request): Json<CreateGroup>,
) -> Result<Json<Conversation>, ApiError> {
    let made = conversations::make_group(&state, &caller, request).await?;
    Ok(Json(made.for_gateway(caller.user.0)))
}

/// Where to look for messages.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct Where {
    /// The conversation.
    conversation_id: Uuid,
}

/// Messages of a conversation, the newest first.
#[utoipa::path(get, path = "/messages", tag = "gateway", params(Where, MessagesAsked),
    responses((status = 200, body = GatewayMessages), Failures))]
async fn list_messages(
    State(state): State<NovaState>,
    caller: Caller,
    Params(place): Params<Where>,
    Params(asked): Params<MessagesAsked>,
) -> Result<Json<GatewayMessages>, ApiError> {
    let id = ConversationId(place.conversation_id);
    let (mut found, has_more) = read::messages(&state, caller.user, id, &asked).await?;
    found.reverse();
    Ok(Json(GatewayMessages {
        messages: found.into_iter().map(Into::into).collect(),
        has_more,
    }))
}

/// Says something.
#[utoipa::path(post, path = "/messages", tag = "gateway", request_body = GatewaySend,
    responses((status = 200, body = GatewaySent), Failures))]
async fn send_message(
    State(state): State<NovaState>,
    caller: Caller,
    Json(request): Json<GatewaySend>,
) -> Result<Json<GatewaySent>, ApiError> {
    let conversation = request.conversation_id;
    let message = messages::say(&state, &caller, conversation, request.message).await?;
    Ok(Json(GatewaySent {
        message: message.into(),
    }))
}
