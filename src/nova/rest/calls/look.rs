//! Calls, looked at, and the servers that help to get through.

use axum::extract::State;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::domain::ids::CallId;
use crate::nova::NovaState;
use crate::nova::auth::Caller;
use crate::nova::dto::calls::ice::IceConfig;
use crate::nova::dto::calls::{ActiveCalls, CallParticipants, CallReply, PastCall};
use crate::nova::error::ApiError;
use crate::nova::rest::extract::{Json, Params, Path};
use crate::nova::rest::failures::Failures;
use crate::nova::rest::read;

/// How much of the history is shown where nothing else is asked for, and the most.
const HISTORY: (i64, i64) = (50, 200);

/// The routes that every prefix has.
pub(super) fn shared() -> OpenApiRouter<NovaState> {
    OpenApiRouter::new()
        .routes(routes!(status))
        .routes(routes!(participants))
        .routes(routes!(active))
        .routes(routes!(ice_servers))
        .routes(routes!(ice_config))
}

/// The routes in the shape of the first service.
pub(in crate::nova::rest) fn router() -> OpenApiRouter<NovaState> {
    OpenApiRouter::new().routes(routes!(history))
}

/// The address under which old web clients ask for servers.
pub(in crate::nova::rest) fn old_address() -> OpenApiRouter<NovaState> {
    OpenApiRouter::new().routes(routes!(old_ice_servers))
}

/// One call of the caller's.
#[utoipa::path(get, path = "/calls/{call_id}/status", tag = "calls",
    params(("call_id" = Uuid, Path)), responses((status = 200, body = CallReply), Failures))]
async fn status(
    State(state): State<NovaState>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Json<CallReply>, ApiError> {
    let call = state.bridge.call(CallId(id), caller.user).await?;
    Ok(Json(CallReply::new(&call, Some(caller.user), state.bridge.now())))
}

/// Who takes part in a call, is called, or took part.
#[utoipa::path(get, path = "/calls/{call_id}/participants", tag = "calls",
    params(("call_id" = Uuid, Path)), responses((status = 200, body = CallParticipants), Failures))]
async fn participants(
    State(state): State<NovaState>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Json<CallParticipants>, ApiError> {
    let call = state.bridge.call(CallId(id), caller.user).await?;
    Ok(Json(CallParticipants::new(&call)))
}

/// The caller's calls that are not over, the oldest first.
#[utoipa::path(get, path = "/calls/active", tag = "calls", responses((status = 200, body = ActiveCalls), Failures))]
async fn active(State(state): State<NovaState>, caller: Caller) -> Result<Json<ActiveCalls>, ApiError> {
    let calls = state.bridge.active_calls(caller.user).await?;
    Ok(Json(ActiveCalls::new(&calls, Some(caller.user), state.bridge.now())))
}

/// How much of the history, and from when.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct HistoryPage {
    /// How many; 50 where nothing is said, at most 200.
    limit: Option<i64>,
    /// Only calls that were placed before this moment, in RFC 3339.
    before: Option<String>,
}

/// The caller's calls, the newest first.
#[utoipa::path(get, path = "/calls/history", tag = "calls", params(HistoryPage),
    responses((status = 200, body = Vec<PastCall>), Failures))]
async fn history(
    State(state): State<NovaState>,
    caller: Caller,
    Params(page): Params<HistoryPage>,
) -> Result<Json<Vec<PastCall>>, ApiError> {
    let limit = read::limit(page.limit, HISTORY.0, HISTORY.1)?;
    let before = page.before.filter(|text| !text.is_empty());
    let before = before
        .map(|text| {
            text.parse()
                .map_err(|_| ApiError::Invalid("before must be a time such as 2026-01-08T09:15:30Z".to_owned()))
        })
        .transpose()?;
    let calls = state.bridge.call_history(caller.user, before, limit).await?;
    let now = state.bridge.now();
    Ok(Json(
        calls.iter().map(|call| PastCall::new(call, caller.user, now)).collect(),
    ))
}

async fn servers(state: &NovaState, caller: &Caller) -> Json<IceConfig> {
    Json(IceConfig::new(&Box::pin(state.bridge.ice_servers(caller.user)).await))
}

/// The STUN and TURN servers for the caller, in both spellings.
#[utoipa::path(get, path = "/calls/ice-servers", tag = "calls", responses((status = 200, body = IceConfig), Failures))]
async fn ice_servers(State(state): State<NovaState>, caller: Caller) -> Json<IceConfig> {
    servers(&state, &caller).await
}

/// The same, at the first service's address.
#[utoipa::path(get, path = "/rtc/ice-config", tag = "calls", responses((status = 200, body = IceConfig), Failures))]
async fn ice_config(State(state): State<NovaState>, caller: Caller) -> Json<IceConfig> {
    servers(&state, &caller).await
}

/// The same, at the first web client's address.
#[utoipa::path(get, path = "/api/calls/ice-servers", tag = "calls",
    responses((status = 200, body = IceConfig), Failures))]
async fn old_ice_servers(State(state): State<NovaState>, caller: Caller) -> Json<IceConfig> {
    servers(&state, &caller).await
}
