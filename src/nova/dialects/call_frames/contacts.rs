//! `GET /zajel/{token}/contacts`: by which codes a client may call whom. Nobody could know them otherwise.

use axum::extract::{Path, State};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;

use crate::domain::ids::{ConversationId, UserId};
use crate::nova::NovaState;
use crate::nova::auth::owner_of;
use crate::nova::error::ApiError;

/// The route.
pub(in crate::nova) fn routes() -> Router<NovaState> {
    Router::new().route("/zajel/{token}/contacts", get(contacts))
}

/// Somebody who may be called.
#[derive(Debug, Serialize)]
struct Shown {
    /// For this user alone.
    code: String,
    name: String,
    user_id: UserId,
    matrix_user_id: String,
    conversation_id: ConversationId,
}

#[derive(Debug, Serialize)]
struct List {
    contacts: Vec<Shown>,
}

async fn contacts(State(state): State<NovaState>, Path(token): Path<String>) -> Result<Json<List>, ApiError> {
    let caller = owner_of(&state, &token).await?;
    let contacts = state.bridge.contacts(caller.user).await?;
    let contacts = contacts.into_iter().map(|it| Shown {
        code: it.code,
        name: it.person.shown_name().to_owned(),
        user_id: it.person.id,
        matrix_user_id: it.person.mxid.to_string(),
        conversation_id: it.conversation,
    });
    Ok(Json(List {
        contacts: contacts.collect(),
    }))
}
