//! What the caller has read.

use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::extract::{Fields, Json, Path};
use super::failures::Failures;
use crate::domain::ids::ConversationId;
use crate::nova::NovaState;
use crate::nova::auth::Caller;
use crate::nova::dto::receipts::{MarkRead, ReadUpTo, up_to};
use crate::nova::error::ApiError;

/// The routes that every prefix has.
pub(super) fn shared() -> OpenApiRouter<NovaState> {
    OpenApiRouter::new().routes(routes!(mark_read))
}

/// The caller has read the conversation, or has read it up to a message. Nobody reads backwards.
#[utoipa::path(post, path = "/conversations/{conversation_id}/read", tag = "messages",
    request_body = Option<MarkRead>, params(("conversation_id" = Uuid, Path)),
    responses((status = 200, body = ReadUpTo), Failures))]
async fn mark_read(
    State(state): State<NovaState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Fields(fields): Fields,
) -> Result<Json<ReadUpTo>, ApiError> {
    let up_to = up_to(&fields).map_err(|what| ApiError::Invalid(what.to_owned()))?;
    let id = ConversationId(id);
    let read = state.bridge.mark_read(caller.user, id, up_to).await?;
    Ok(Json(ReadUpTo::new(id, read)))
}
