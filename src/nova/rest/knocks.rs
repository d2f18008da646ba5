//! People who ask to be let into a group.

use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::extract::{Json, Path};
use super::failures::Failures;
use super::members::person;
use crate::domain::ids::ConversationId;
use crate::nova::NovaState;
use crate::nova::auth::Caller;
use crate::nova::dto::Success;
use crate::nova::dto::members::{Knock, Knocks};
use crate::nova::error::ApiError;

/// The routes that every prefix has.
pub(super) fn shared() -> OpenApiRouter<NovaState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(accept))
        .routes(routes!(decline))
}

/// Who knocks on the group's room in Matrix, the first one first. For its admins and owners.
#[utoipa::path(get, path = "/conversations/{conversation_id}/knocks", tag = "members",
    params(("conversation_id" = Uuid, Path)), responses((status = 200, body = Knocks), Failures))]
async fn list(State(state): State<NovaState>, caller: Caller, Path(id): Path<Uuid>) -> Result<Json<Knocks>, ApiError> {
    let knockers = state.bridge.knocks(caller.user, ConversationId(id)).await?;
    let shown = |knocker| Knock::new(knocker, &state.settings.public_url);
    let knocks = knockers.into_iter().map(shown).collect();
    Ok(Json(Knocks { knocks }))
}

/// Lets somebody in who knocks: a Nova user is in at once, a Matrix user is invited. For admins and owners. Once more does no
/// harm.
#[utoipa::path(post, path = "/conversations/{conversation_id}/knocks/{user_id}/accept", tag = "members",
    params(("conversation_id" = Uuid, Path), ("user_id" = String, Path, description = "Nova's id or a Matrix id")),
    responses((status = 200, body = Success), Failures))]
async fn accept(
    State(state): State<NovaState>,
    caller: Caller,
    Path((id, user)): Path<(Uuid, String)>,
) -> Result<Json<Success>, ApiError> {
    let target = person(&state, &user)?;
    state
        .bridge
        .accept_knock(caller.user, ConversationId(id), target)
        .await?;
    Ok(Json(Success::DONE))
}

/// Sends somebody away who knocks; they may knock again. For admins and owners.
#[utoipa::path(post, path = "/conversations/{conversation_id}/knocks/{user_id}/decline", tag = "members",
    params(("conversation_id" = Uuid, Path), ("user_id" = String, Path, description = "Nova's id or a Matrix id")),
    responses((status = 200, body = Success), Failures))]
async fn decline(
    State(state): State<NovaState>,
    caller: Caller,
    Path((id, user)): Path<(Uuid, String)>,
) -> Result<Json<Success>, ApiError> {
    let target = person(&state, &user)?;
    state
        .bridge
        .decline_knock(caller.user, ConversationId(id), target)
        .await?;
    Ok(Json(Success::DONE))
}
