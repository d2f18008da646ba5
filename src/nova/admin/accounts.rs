//! Nova's accounts, as the admin keeps them.

use axum::extract::State;
use serde::Deserialize;
use uuid::Uuid;

use super::dto::{Account, Accounts, Profile};
use crate::bridge::CommandError;
use crate::domain::ids::UserId;
use crate::nova::NovaState;
use crate::nova::dto::Success;
use crate::nova::error::ApiError;
use crate::nova::rest::extract::{Json, Params, Path};
use crate::nova::rest::read;
use crate::store::people;

/// The size of a page where nothing else is asked for, and the most.
pub(super) const LIMIT: (i64, i64) = (100, 1000);

/// A page that goes on after an id.
#[derive(Debug, Deserialize)]
pub(super) struct After {
    pub(super) limit: Option<i64>,
    pub(super) after: Option<Uuid>,
}

pub(super) async fn list(
    State(state): State<NovaState>,
    Params(page): Params<After>,
) -> Result<Json<Accounts>, ApiError> {
    let limit = read::limit(page.limit, LIMIT.0, LIMIT.1)?;
    let mut connection = state.bridge.store().read().await?;
    let found = people::accounts(&mut connection, page.after.map(UserId), limit).await?;
    let full = i64::try_from(found.len()).is_ok_and(|count| count == limit);
    Ok(Json(Accounts {
        next: found.last().filter(|_| full).map(|last| last.id.0),
        accounts: found.into_iter().map(Account::from).collect(),
    }))
}

async fn account(state: &NovaState, id: UserId) -> Result<Json<Account>, ApiError> {
    let mut connection = state.bridge.store().read().await?;
    let found = people::account(&mut connection, id).await?;
    drop(connection);
    let found = found.ok_or_else(|| CommandError::NoSuchUser(id.to_string()))?;
    let calls_enabled = state.bridge.calls_enabled(id).await?;
    Ok(Json(Account::from(found).with_calls(calls_enabled)))
}

pub(super) async fn get(State(state): State<NovaState>, Path(id): Path<Uuid>) -> Result<Json<Account>, ApiError> {
    account(&state, UserId(id)).await
}

pub(super) async fn put(
    State(state): State<NovaState>,
    Path(id): Path<Uuid>,
    Json(profile): Json<Profile>,
) -> Result<Json<Account>, ApiError> {
    let calls_enabled = profile.calls_enabled;
    state.bridge.put_account(UserId(id), profile.into()).await?;
    if let Some(enabled) = calls_enabled {
        state.bridge.set_calls_enabled(UserId(id), enabled).await?;
    }
    account(&state, UserId(id)).await
}

pub(super) async fn delete(State(state): State<NovaState>, Path(id): Path<Uuid>) -> Result<Json<Success>, ApiError> {
    state.bridge.delete_account(UserId(id)).await?;
    Ok(Json(Success::DONE))
}
