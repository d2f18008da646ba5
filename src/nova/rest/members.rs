//! Members of groups.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::extract::{Json, Params, Path};
use super::failures::Failures;
use super::read;
use crate::domain::ghost::parse_mxid;
use crate::domain::ids::{ConversationId, UserId};
use crate::domain::power::Role;
use crate::nova::NovaState;
use crate::nova::auth::Caller;
use crate::nova::dto::Success;
use crate::nova::dto::members::Members;
use crate::nova::dto::requests::{AddMembers, SetRole};
use crate::nova::error::ApiError;
use crate::store::lists;

/// The members of a page where nothing else is asked for, and the most of them.
const LIMIT: (i64, i64) = (50, 200);
/// The most people that one request adds.
const MAX_ADDED: usize = 100;

/// The routes that every prefix has.
pub(super) fn shared() -> OpenApiRouter<NovaState> {
    OpenApiRouter::new()
        .routes(routes!(list, add))
        .routes(routes!(set_role, remove))
        .routes(routes!(set_role_long))
}

/// Which members.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct Page {
    /// How many: 50 where nothing is said, at most 200.
    limit: Option<i64>,
    /// How many to leave out.
    offset: Option<i64>,
}

/// The members of a conversation, in the order of their coming.
#[utoipa::path(get, path = "/conversations/{conversation_id}/members", tag = "members",
    params(("conversation_id" = Uuid, Path), Page), responses((status = 200, body = Members), Failures))]
async fn list(
    State(state): State<NovaState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Params(page): Params<Page>,
) -> Result<Json<Members>, ApiError> {
    let limit = read::limit(page.limit, LIMIT.0, LIMIT.1)?;
    let offset = read::offset(page.offset)?;
    let id = ConversationId(id);
    read::takes_part(&state, id, caller.user).await?;
    let mut connection = state.bridge.store().read().await?;
    let listed = lists::list_members(&mut connection, &[id], limit, offset).await?;
    let total = lists::count_members(&mut connection, id).await?;
    let unseen = read::Unseen::among(&mut connection, caller.user, &listed).await?;
    let members = listed
        .iter()
        .map(|member| read::shown_member(&state, &unseen, member))
        .collect();
    Ok(Json(Members { members, total }))
}

/// Adds people to a group. Nova users are in at once, Matrix users are invited; who is there already stays.
#[utoipa::path(post, path = "/conversations/{conversation_id}/members", tag = "members", request_body = AddMembers,
    params(("conversation_id" = Uuid, Path)), responses((status = 201, body = Success), Failures))]
async fn add(
    State(state): State<NovaState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Json(request): Json<AddMembers>,
) -> Result<(StatusCode, Json<Success>), ApiError> {
    let role = request.role.as_deref().map(role).transpose()?.unwrap_or_default();
    let mut who = request.user_ids;
    who.extend(request.user_id);
    if who.is_empty() || who.len() > MAX_ADDED {
        let complaint = format!("user_id or user_ids must name 1 to {MAX_ADDED} people");
        return Err(ApiError::Invalid(complaint));
    }
    let id = ConversationId(id);
    // Before anybody is looked up: outsiders learn nothing of who is there.
    read::takes_part(&state, id, caller.user).await?;
    state.bridge.add_members(caller.user, id, &who, role).await?;
    Ok((StatusCode::CREATED, Json(Success::DONE)))
}

fn role(name: &str) -> Result<Role, ApiError> {
    let complaint = || ApiError::Invalid("role must be member, moderator, admin or owner".to_owned());
    Role::parse(name).ok_or_else(complaint)
}

/// Whom a path means: Nova's id, or a Matrix id.
pub(super) fn person(state: &NovaState, text: &str) -> Result<UserId, ApiError> {
    if text.starts_with('@') {
        let mxid = parse_mxid(text).ok_or_else(|| ApiError::Invalid("not a Matrix id".to_owned()))?;
        let ghosts = state.bridge.ghosts();
        return Ok(ghosts
            .nova_user_asked_for(mxid.as_str())
            .unwrap_or_else(|| ghosts.person(mxid.as_str())));
    }
    text.parse()
        .map_err(|_| ApiError::Invalid("the user is neither a UUID nor a Matrix id".to_owned()))
}

/// Gives a member another role: only below the caller's own, to members below it. Owners also make owners.
#[utoipa::path(put, path = "/conversations/{conversation_id}/members/{user_id}", tag = "members",
    request_body = SetRole,
    params(("conversation_id" = Uuid, Path), ("user_id" = String, Path, description = "Nova's id or a Matrix id")),
    responses((status = 200, body = Success), Failures))]
async fn set_role(
    State(state): State<NovaState>,
    caller: Caller,
    Path((id, user)): Path<(Uuid, String)>,
    Json(request): Json<SetRole>,
) -> Result<Json<Success>, ApiError> {
    let (target, role) = (person(&state, &user)?, role(&request.role)?);
    let id = ConversationId(id);
    state.bridge.set_role(caller.user, id, target, role).await?;
    Ok(Json(Success::DONE))
}

/// Gives a member another role, at the second service's address.
#[utoipa::path(put, path = "/conversations/{conversation_id}/members/{user_id}/role", tag = "members",
    request_body = SetRole,
    params(("conversation_id" = Uuid, Path), ("user_id" = String, Path, description = "Nova's id or a Matrix id")),
    responses((status = 200, body = Success), Failures))]
async fn set_role_long(
    state: State<NovaState>,
    caller: Caller,
    path: Path<(Uuid, String)>,
    request: Json<SetRole>,
) -> Result<Json<Success>, ApiError> {
    set_role(state, caller, path, request).await
}

/// Removes somebody below the caller's own role from a group. Naming oneself is leaving.
#[utoipa::path(delete, path = "/conversations/{conversation_id}/members/{user_id}", tag = "members",
    params(("conversation_id" = Uuid, Path), ("user_id" = String, Path, description = "Nova's id or a Matrix id")),
    responses((status = 200, body = Success), Failures))]
async fn remove(
    State(state): State<NovaState>,
    caller: Caller,
    Path((id, user)): Path<(Uuid, String)>,
) -> Result<Json<Success>, ApiError> {
    let target = person(&state, &user)?;
    let id = ConversationId(id);
    state.bridge.remove_member(caller.user, id, target).await?;
    Ok(Json(Success::DONE))
}
