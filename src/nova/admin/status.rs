//! How the bridge does: its portals, its sessions, its health.

use axum::extract::State;

use super::AdminState;
use super::accounts::{After, LIMIT};
use super::dto::{Health, Portal, Portals, SessionList};
use crate::domain::ids::ConversationId;
use crate::nova::NovaState;
use crate::nova::dto::Time;
use crate::nova::error::ApiError;
use crate::nova::rest::extract::{Json, Params};
use crate::nova::rest::read;
use crate::store::{dead_letters, lists, outbox};

pub(super) async fn portals(
    State(state): State<NovaState>,
    Params(page): Params<After>,
) -> Result<Json<Portals>, ApiError> {
    let limit = read::limit(page.limit, LIMIT.0, LIMIT.1)?;
    let mut connection = state.bridge.store().read().await?;
    let found = lists::portals(&mut connection, page.after.map(ConversationId), limit).await?;
    let full = i64::try_from(found.len()).is_ok_and(|count| count == limit);
    Ok(Json(Portals {
        next: found.last().filter(|_| full).map(|last| last.conversation.0),
        portals: found.into_iter().map(Portal::from).collect(),
    }))
}

pub(super) async fn sessions(State(state): State<AdminState>) -> Json<SessionList> {
    let sessions = (state.sessions)();
    Json(SessionList {
        total: sessions.len(),
        sessions,
    })
}

pub(super) async fn health(State(state): State<AdminState>) -> Result<Json<Health>, ApiError> {
    let bridge = &state.nova.bridge;
    let mut connection = bridge.store().read().await?;
    let (waiting, oldest) = outbox::depth(&mut connection).await?;
    let dead_letters = dead_letters::count(&mut connection).await?;
    drop(connection);
    let (connections, idle) = bridge.store().pool_use();
    Ok(Json(Health {
        version: env!("CARGO_PKG_VERSION"),
        time: Time(bridge.now()),
        sessions: (state.sessions)().len(),
        outbox_waiting: waiting,
        outbox_oldest_at: oldest.map(Time),
        dead_letters,
        database_connections: connections,
        database_connections_idle: idle,
    }))
}
