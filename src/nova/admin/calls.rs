//! Calls that are not over, of everybody.

use axum::extract::State;

use crate::nova::NovaState;
use crate::nova::dto::calls::ActiveCalls;
use crate::nova::error::ApiError;
use crate::nova::rest::extract::Json;

pub(super) async fn active(State(state): State<NovaState>) -> Result<Json<ActiveCalls>, ApiError> {
    let calls = state.bridge.all_active_calls().await?;
    Ok(Json(ActiveCalls::new(&calls, None, state.bridge.now())))
}
