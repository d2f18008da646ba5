//! Calls: placed, answered, changed, ended, looked at (nova-api §5).

mod look;

use axum::extract::State;
use axum::http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::extract::{Fields, Json, Path};
use super::failures::Failures;
use crate::domain::ids::{CallId, ConversationId};
use crate::nova::auth::Caller;
use crate::nova::dto::calls::body::Body;
use crate::nova::dto::calls::request::{self, Action, Which};
use crate::nova::dto::calls::schema::{
    AcceptCall, AddCandidate, AnswerCall, InitiateCall, JoinCall, MatrixAnswer, MatrixEnd, Negotiate, Toggle, WhyNot,
};
use crate::nova::dto::calls::{CallReply, JoinReply, Received};
use crate::nova::error::ApiError;
use crate::nova::{NovaState, calls};

pub(super) use look::{old_address, router};

/// The routes that every prefix has.
pub(super) fn shared() -> OpenApiRouter<NovaState> {
    OpenApiRouter::new()
        .routes(routes!(initiate))
        .routes(routes!(accept))
        .routes(routes!(answer))
        .routes(routes!(reject))
        .routes(routes!(end))
        .routes(routes!(add_candidate))
        .routes(routes!(add_candidate_to))
        .routes(routes!(negotiate))
        .routes(routes!(toggle_audio))
        .routes(routes!(toggle_video))
        .routes(routes!(join))
        .routes(routes!(leave))
        .routes(routes!(matrix_initiate))
        .routes(routes!(matrix_answer))
        .routes(routes!(matrix_end))
        .merge(look::shared())
}

async fn place(
    state: &NovaState,
    caller: &Caller,
    conversation: Option<ConversationId>,
    body: &Body,
) -> Result<(StatusCode, Json<CallReply>), ApiError> {
    let wanted = request::place(body, conversation)?;
    let placed = calls::place(state, caller.user, wanted).await?;
    Ok((StatusCode::CREATED, Json(placed)))
}

async fn act(state: &NovaState, caller: &Caller, which: Which, action: Action) -> Result<Json<CallReply>, ApiError> {
    let call = calls::act(state, caller.user, which, None, action).await?;
    Ok(Json(CallReply::new(&call, Some(caller.user), state.bridge.now())))
}

async fn receive(state: &NovaState, caller: &Caller, which: Which, body: &Body) -> Result<Json<Received>, ApiError> {
    let call = calls::act(state, caller.user, which, None, request::candidates(body)?).await?;
    Ok(Json(Received::of(&call)))
}

const fn by_id(id: Uuid) -> Which {
    Which::Call(CallId(id))
}

/// Calls the other one of a direct conversation, or the Nova users of a group.
#[utoipa::path(post, path = "/conversations/{conversation_id}/calls", tag = "calls", request_body = InitiateCall,
    params(("conversation_id" = Uuid, Path)), responses((status = 201, body = CallReply), Failures))]
async fn initiate(
    State(state): State<NovaState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Fields(body): Fields,
) -> Result<(StatusCode, Json<CallReply>), ApiError> {
    place(&state, &caller, Some(ConversationId(id)), &body.into()).await
}

/// Calls, with the conversation in the body.
#[utoipa::path(post, path = "/calls/matrix/initiate", tag = "calls", request_body = InitiateCall,
    responses((status = 201, body = CallReply), Failures))]
async fn matrix_initiate(
    State(state): State<NovaState>,
    caller: Caller,
    Fields(body): Fields,
) -> Result<(StatusCode, Json<CallReply>), ApiError> {
    place(&state, &caller, None, &body.into()).await
}

/// Takes a call. Of several devices the first one has it; the others are told 409.
#[utoipa::path(post, path = "/calls/{call_id}/answer", tag = "calls", request_body = AnswerCall,
    params(("call_id" = Uuid, Path)), responses((status = 200, body = CallReply), Failures))]
async fn answer(
    State(state): State<NovaState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Fields(body): Fields,
) -> Result<Json<CallReply>, ApiError> {
    let action = request::answer(&body.into())?;
    let reply = calls::answer(&state, caller.user, by_id(id), None, action).await?;
    Ok(Json(reply))
}

/// Takes a call before saying what is sent in it, so that no second device of the user begins to connect. The answer has to
/// follow within 20 s, with the same `claim`.
#[utoipa::path(post, path = "/calls/{call_id}/accept", tag = "calls", request_body = AcceptCall,
    params(("call_id" = Uuid, Path)), responses((status = 200, body = CallReply), Failures))]
async fn accept(
    State(state): State<NovaState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Fields(body): Fields,
) -> Result<Json<CallReply>, ApiError> {
    let action = request::accept(&body.into())?;
    let reply = calls::answer(&state, caller.user, by_id(id), None, action).await?;
    Ok(Json(reply))
}

/// Takes a call, with its id in the body.
#[utoipa::path(post, path = "/calls/matrix/answer", tag = "calls", request_body = MatrixAnswer,
    responses((status = 200, body = CallReply), Failures))]
async fn matrix_answer(
    State(state): State<NovaState>,
    caller: Caller,
    Fields(body): Fields,
) -> Result<Json<CallReply>, ApiError> {
    let body = body.into();
    let (which, action) = (Which::read(&body)?, request::answer(&body)?);
    let reply = calls::answer(&state, caller.user, which, None, action).await?;
    Ok(Json(reply))
}

/// Declines a call that rings.
#[utoipa::path(post, path = "/calls/{call_id}/reject", tag = "calls", request_body = WhyNot,
    params(("call_id" = Uuid, Path)), responses((status = 200, body = CallReply), Failures))]
async fn reject(
    State(state): State<NovaState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Fields(body): Fields,
) -> Result<Json<CallReply>, ApiError> {
    act(&state, &caller, by_id(id), request::reject(&body.into())?).await
}

/// Hangs up, or takes a call back. A call that has ended is ended.
#[utoipa::path(post, path = "/calls/{call_id}/end", tag = "calls", request_body = WhyNot,
    params(("call_id" = Uuid, Path)), responses((status = 200, body = CallReply), Failures))]
async fn end(
    State(state): State<NovaState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Fields(body): Fields,
) -> Result<Json<CallReply>, ApiError> {
    act(&state, &caller, by_id(id), request::end(&body.into())?).await
}

/// Hangs up, with the call's id in the body.
#[utoipa::path(post, path = "/calls/matrix/end", tag = "calls", request_body = MatrixEnd,
    responses((status = 200, body = CallReply), Failures))]
async fn matrix_end(
    State(state): State<NovaState>,
    caller: Caller,
    Fields(body): Fields,
) -> Result<Json<CallReply>, ApiError> {
    let body = body.into();
    act(&state, &caller, Which::read(&body)?, request::end(&body)?).await
}

/// Tells the other side how to get through.
#[utoipa::path(post, path = "/calls/{call_id}/ice-candidate", tag = "calls", request_body = AddCandidate,
    params(("call_id" = Uuid, Path)), responses((status = 200, body = Received), Failures))]
async fn add_candidate_to(
    State(state): State<NovaState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Fields(body): Fields,
) -> Result<Json<Received>, ApiError> {
    calls::count_candidates(&state, caller.user)?;
    receive(&state, &caller, by_id(id), &body.into()).await
}

/// Tells the other side how to get through, with the call's id in the body.
#[utoipa::path(post, path = "/calls/ice-candidate", tag = "calls", request_body = AddCandidate,
    responses((status = 200, body = Received), Failures))]
async fn add_candidate(
    State(state): State<NovaState>,
    caller: Caller,
    Fields(body): Fields,
) -> Result<Json<Received>, ApiError> {
    calls::count_candidates(&state, caller.user)?;
    let body = body.into();
    receive(&state, &caller, Which::read(&body)?, &body).await
}

/// Changes what the caller sends, or answers such a change.
#[utoipa::path(post, path = "/calls/{call_id}/negotiate", tag = "calls", request_body = Negotiate,
    params(("call_id" = Uuid, Path)), responses((status = 200, body = CallReply), Failures))]
async fn negotiate(
    State(state): State<NovaState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Fields(body): Fields,
) -> Result<Json<CallReply>, ApiError> {
    act(&state, &caller, by_id(id), request::negotiate(&body.into())?).await
}

/// Tells the others whether the caller can be heard.
#[utoipa::path(post, path = "/calls/{call_id}/toggle-audio", tag = "calls", request_body = Toggle,
    params(("call_id" = Uuid, Path)), responses((status = 200, body = CallReply), Failures))]
async fn toggle_audio(
    State(state): State<NovaState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Fields(body): Fields,
) -> Result<Json<CallReply>, ApiError> {
    let audio = Some(request::enabled(&body.into())?);
    act(&state, &caller, by_id(id), Action::Media { audio, video: None }).await
}

/// Tells the others whether the caller can be seen.
#[utoipa::path(post, path = "/calls/{call_id}/toggle-video", tag = "calls", request_body = Toggle,
    params(("call_id" = Uuid, Path)), responses((status = 200, body = CallReply), Failures))]
async fn toggle_video(
    State(state): State<NovaState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Fields(body): Fields,
) -> Result<Json<CallReply>, ApiError> {
    let video = Some(request::enabled(&body.into())?);
    act(&state, &caller, by_id(id), Action::Media { audio: None, video }).await
}

/// Comes into a group call.
#[utoipa::path(post, path = "/calls/{call_id}/join", tag = "calls", request_body = JoinCall,
    params(("call_id" = Uuid, Path)), responses((status = 200, body = JoinReply), Failures))]
async fn join(
    State(state): State<NovaState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Fields(body): Fields,
) -> Result<Json<JoinReply>, ApiError> {
    let action = request::join(&body.into())?;
    let reply = calls::join(&state, caller.user, by_id(id), None, action).await?;
    Ok(Json(reply))
}

/// Leaves a group call.
#[utoipa::path(post, path = "/calls/{call_id}/leave", tag = "calls",
    params(("call_id" = Uuid, Path)), responses((status = 200, body = CallReply), Failures))]
async fn leave(
    State(state): State<NovaState>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Json<CallReply>, ApiError> {
    act(&state, &caller, by_id(id), Action::Leave).await
}
