//! Conversations: listed, opened, changed, left, deleted.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::extract::{Json, Params, Path};
use super::failures::Failures;
use super::read;
use crate::bridge::conversations::Looks;
use crate::bridge::media::Origin;
use crate::domain::ids::ConversationId;
use crate::nova::NovaState;
use crate::nova::auth::Caller;
use crate::nova::dto::Success;
use crate::nova::dto::conversations::{Conversation, Conversations};
use crate::nova::dto::media::origin_of_url;
use crate::nova::dto::requests::{CreateGroup, OpenConversation, OpenMatrix, Settings, Wanted};
use crate::nova::error::ApiError;
use crate::store::lists::{self, Which};

/// As many conversations as anybody has, in one page.
const LIMIT: i64 = 1000;

/// The routes that every prefix has.
pub(super) fn shared() -> OpenApiRouter<NovaState> {
    OpenApiRouter::new()
        .routes(routes!(change_settings))
        .routes(routes!(leave))
}

/// The routes in the shape of the first service.
pub(super) fn router() -> OpenApiRouter<NovaState> {
    OpenApiRouter::new()
        .routes(routes!(list, open))
        .routes(routes!(get, update, delete))
        .routes(routes!(open_matrix))
        .routes(routes!(create_group))
        .routes(routes!(create_group_short))
}

/// Which conversations.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Page {
    /// How many; all, up to 1000, where nothing is said.
    pub(super) limit: Option<i64>,
    /// How many to leave out.
    pub(super) offset: Option<i64>,
    /// `true` asks for those that the caller has archived; otherwise they are left out.
    pub(super) archived: Option<bool>,
}

impl Page {
    /// The page, if anything can be on it.
    pub(super) fn place(&self) -> Result<(i64, i64), ApiError> {
        Ok((read::limit(self.limit, LIMIT, LIMIT)?, read::offset(self.offset)?))
    }

    /// Whether those are asked for that were put away.
    pub(super) fn archived(&self) -> bool {
        self.archived.unwrap_or_default()
    }
}

/// The caller's conversations, the most lively first.
#[utoipa::path(get, path = "/conversations", tag = "conversations", params(Page),
    responses((status = 200, body = Conversations), Failures))]
async fn list(
    State(state): State<NovaState>,
    caller: Caller,
    Params(page): Params<Page>,
) -> Result<Json<Conversations>, ApiError> {
    let (limit, offset) = page.place()?;
    let archived = page.archived();
    let conversations = read::conversations(&state, caller.user, Which::Archived(archived), limit, offset).await?;
    let mut connection = state.bridge.store().read().await?;
    let total = lists::count_of_user(&mut connection, caller.user, archived).await?;
    Ok(Json(Conversations {
        conversations,
        total,
        limit,
        offset,
    }))
}

/// Opens what a client asks for in any of the old shapes.
pub(super) async fn open_any(
    state: &NovaState,
    caller: &Caller,
    request: OpenConversation,
) -> Result<Conversation, ApiError> {
    let ghosts = state.bridge.ghosts();
    let is_caller = |id: &str| match id.strip_prefix('@') {
        Some(_) => ghosts.nova_user_asked_for(id) == Some(caller.user),
        None => id.parse() == Ok(caller.user),
    };
    let id = match request.wanted(is_caller)? {
        Wanted::Direct(other) => state.bridge.open_direct(caller.user, &other).await?.0,
        Wanted::Group(mut looks, members) => {
            looks.avatar_url = picture(state, caller, looks.avatar_url).await?;
            state.bridge.create_group(caller.user, looks, &members).await?
        }
    };
    read::conversation(state, caller.user, id).await
}

/// Opens a conversation: the direct one of two people, found or made, or a new group.
#[utoipa::path(post, path = "/conversations", tag = "conversations", request_body = OpenConversation,
    responses((status = 200, body = Conversation), Failures))]
async fn open(
    State(state): State<NovaState>,
    caller: Caller,
    Json(request): Json<OpenConversation>,
) -> Result<Json<Conversation>, ApiError> {
    open_any(&state, &caller, request).await.map(Json)
}

/// One conversation.
#[utoipa::path(get, path = "/conversations/{conversation_id}", tag = "conversations",
    params(("conversation_id" = Uuid, Path)), responses((status = 200, body = Conversation), Failures))]
async fn get(
    State(state): State<NovaState>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Json<Conversation>, ApiError> {
    let conversation = read::conversation(&state, caller.user, ConversationId(id)).await?;
    Ok(Json(conversation))
}

/// Starts a chat with any Matrix user: found (200) or made (201).
#[utoipa::path(post, path = "/conversations/matrix", tag = "conversations", request_body = OpenMatrix,
    responses((status = 200, body = Conversation), (status = 201, body = Conversation), Failures))]
async fn open_matrix(
    State(state): State<NovaState>,
    caller: Caller,
    Json(request): Json<OpenMatrix>,
) -> Result<(StatusCode, Json<Conversation>), ApiError> {
    if !request.mxid.starts_with('@') {
        return Err(ApiError::Invalid("mxid must be a Matrix id, @name:server".to_owned()));
    }
    let (id, made) = state.bridge.open_direct(caller.user, &request.mxid).await?;
    let conversation = read::conversation(&state, caller.user, id).await?;
    let status = if made { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(conversation)))
}

/// Makes a group and reads it back.
pub(super) async fn make_group(
    state: &NovaState,
    caller: &Caller,
    request: CreateGroup,
) -> Result<Conversation, ApiError> {
    let looks = Looks {
        name: Some(request.name),
        description: request.description,
        avatar_url: picture(state, caller, request.avatar_url).await?,
    };
    let id = state
        .bridge
        .create_group(caller.user, looks, &request.member_ids)
        .await?;
    read::conversation(state, caller.user, id).await
}

/// Makes a group. Nova users are in at once, Matrix users are invited.
#[utoipa::path(post, path = "/conversations/groups", tag = "conversations", request_body = CreateGroup,
    responses((status = 201, body = Conversation), Failures))]
async fn create_group(
    State(state): State<NovaState>,
    caller: Caller,
    Json(request): Json<CreateGroup>,
) -> Result<(StatusCode, Json<Conversation>), ApiError> {
    let made = make_group(&state, &caller, request).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// Makes a group, at the second service's address.
#[utoipa::path(post, path = "/groups", tag = "conversations", request_body = CreateGroup,
    responses((status = 201, body = Conversation), Failures))]
async fn create_group_short(
    state: State<NovaState>,
    caller: Caller,
    request: Json<CreateGroup>,
) -> Result<(StatusCode, Json<Conversation>), ApiError> {
    create_group(state, caller, request).await
}

/// A picture as everybody can have it: links to an upload of the caller's end after a while, its place in Matrix does not.
async fn picture(state: &NovaState, caller: &Caller, avatar_url: Option<String>) -> Result<Option<String>, ApiError> {
    let origin = avatar_url
        .as_deref()
        .map(|url| origin_of_url(url, &state.links, &state.bridge));
    match origin {
        Some(Ok(Origin::Upload(id))) => Ok(Some(state.bridge.brought_picture(id, caller.user).await?)),
        // Whatever else it is, the bridge checks it.
        Some(Ok(Origin::Url(_) | Origin::Object(_)) | Err(_)) | None => Ok(avatar_url),
    }
}

/// Changes a group, and how the caller keeps it.
pub(super) async fn change(
    state: &NovaState,
    caller: &Caller,
    id: Uuid,
    settings: Settings,
) -> Result<Json<Success>, ApiError> {
    let id = ConversationId(id);
    let keeping = settings.keeping();
    if let Some(mut looks) = settings.looks() {
        looks.avatar_url = picture(state, caller, looks.avatar_url).await?;
        state.bridge.update_conversation(caller.user, id, looks).await?;
    }
    if let Some(keeping) = keeping {
        state.bridge.keep_conversation(caller.user, id, keeping).await?;
    }
    Ok(Json(Success::DONE))
}

/// Changes a group's name, description or picture, which only admins may, or mutes or archives a conversation for the caller.
#[utoipa::path(put, path = "/conversations/{conversation_id}", tag = "conversations", request_body = Settings,
    params(("conversation_id" = Uuid, Path)), responses((status = 200, body = Success), Failures))]
pub(super) async fn update(
    State(state): State<NovaState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Json(settings): Json<Settings>,
) -> Result<Json<Success>, ApiError> {
    change(&state, &caller, id, settings).await
}

/// Changes a group's name, description or picture, which only admins may, or mutes or archives a conversation for the caller.
#[utoipa::path(method(put, patch), path = "/conversations/{conversation_id}/settings", tag = "conversations",
    request_body = Settings, params(("conversation_id" = Uuid, Path)),
    responses((status = 200, body = Success), Failures))]
async fn change_settings(
    State(state): State<NovaState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Json(settings): Json<Settings>,
) -> Result<Json<Success>, ApiError> {
    change(&state, &caller, id, settings).await
}

/// Leaves a conversation. The last owner of a group cannot, while others stay.
#[utoipa::path(post, path = "/conversations/{conversation_id}/leave", tag = "conversations",
    params(("conversation_id" = Uuid, Path)), responses((status = 200, body = Success), Failures))]
async fn leave(
    State(state): State<NovaState>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Json<Success>, ApiError> {
    state.bridge.leave(caller.user, ConversationId(id)).await?;
    Ok(Json(Success::DONE))
}

/// Deletes a group for everybody. Owners only.
#[utoipa::path(delete, path = "/conversations/{conversation_id}", tag = "conversations",
    params(("conversation_id" = Uuid, Path)), responses((status = 200, body = Success), Failures))]
pub(super) async fn delete(
    State(state): State<NovaState>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Json<Success>, ApiError> {
    state.bridge.delete_group(caller.user, ConversationId(id)).await?;
    Ok(Json(Success::DONE))
}
