//! What failed, for a second look.

use axum::extract::State;
use serde::Deserialize;
use uuid::Uuid;

use super::accounts::LIMIT;
use super::dto::{Letter, Letters};
use crate::nova::NovaState;
use crate::nova::dto::Success;
use crate::nova::error::ApiError;
use crate::nova::rest::extract::{Json, Params, Path};
use crate::nova::rest::read;
use crate::store::dead_letters;

#[derive(Debug, Deserialize)]
pub(super) struct Page {
    limit: Option<i64>,
    offset: Option<i64>,
}

pub(super) async fn list(
    State(state): State<NovaState>,
    Params(page): Params<Page>,
) -> Result<Json<Letters>, ApiError> {
    let limit = read::limit(page.limit, LIMIT.0, LIMIT.1)?;
    let offset = read::offset(page.offset)?;
    let mut connection = state.bridge.store().read().await?;
    let found = dead_letters::list(&mut connection, limit, offset).await?;
    let total = dead_letters::count(&mut connection).await?;
    Ok(Json(Letters {
        dead_letters: found.into_iter().map(Letter::from).collect(),
        total,
    }))
}

pub(super) async fn retry(State(state): State<NovaState>, Path(id): Path<Uuid>) -> Result<Json<Success>, ApiError> {
    state.bridge.retry_dead_letter(id).await?;
    Ok(Json(Success::DONE))
}

pub(super) async fn discard(State(state): State<NovaState>, Path(id): Path<Uuid>) -> Result<Json<Success>, ApiError> {
    state.bridge.drop_dead_letter(id).await?;
    Ok(Json(Success::DONE))
}
