//! Searching messages.

use axum::extract::State;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::extract::{Json, Params, Path};
use super::failures::Failures;
use super::read;
use crate::domain::ids::ConversationId;
use crate::domain::search::query;
use crate::nova::NovaState;
use crate::nova::auth::Caller;
use crate::nova::dto::messages::Message;
use crate::nova::error::ApiError;
use crate::store::search;

/// How many are found where nothing else is asked for, and the most of them.
const FOUND: (i64, i64) = (20, 100);

/// How far down a list of what was found goes.
const DEEPEST: i64 = 10_000;

/// The longest search, in bytes.
const LONGEST: usize = 1000;

/// The routes that every prefix has.
pub(super) fn shared() -> OpenApiRouter<NovaState> {
    OpenApiRouter::new()
        .routes(routes!(in_conversation))
        .routes(routes!(everywhere))
}

/// What is searched for.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// Words. A message has to have all of them; the last one may be the beginning of a longer one.
    #[param(max_length = 1000)]
    q: String,
    /// How many: 20 where nothing is said, at most 100.
    limit: Option<i64>,
    /// How many of the newest to leave out: at most 10,000.
    offset: Option<i64>,
}

/// Messages of a conversation that have all the words, the newest first. What was said within the last second may be missing.
#[utoipa::path(get, path = "/conversations/{conversation_id}/messages/search", tag = "messages",
    params(("conversation_id" = Uuid, Path), Asked), responses((status = 200, body = Vec<Message>), Failures))]
async fn in_conversation(
    State(state): State<NovaState>,
    caller: Caller,
    Path(id): Path<Uuid>,
    Params(asked): Params<Asked>,
) -> Result<Json<Vec<Message>>, ApiError> {
    let conversation = ConversationId(id);
    read::takes_part(&state, conversation, caller.user).await?;
    found(&state, &caller, Some(conversation), &asked).await
}

/// Messages of all the caller's conversations that have all the words, the newest first.
#[utoipa::path(get, path = "/messages/search", tag = "messages",
    params(Asked), responses((status = 200, body = Vec<Message>), Failures))]
async fn everywhere(
    State(state): State<NovaState>,
    caller: Caller,
    Params(asked): Params<Asked>,
) -> Result<Json<Vec<Message>>, ApiError> {
    found(&state, &caller, None, &asked).await
}

async fn found(
    state: &NovaState,
    caller: &Caller,
    only: Option<ConversationId>,
    asked: &Asked,
) -> Result<Json<Vec<Message>>, ApiError> {
    let (limit, offset) = (read::limit(asked.limit, FOUND.0, FOUND.1)?, read::offset(asked.offset)?);
    if asked.q.len() > LONGEST {
        return Err(ApiError::Invalid(format!("q must be at most {LONGEST} bytes")));
    }
    if offset > DEEPEST {
        return Err(ApiError::Invalid(format!("offset must be at most {DEEPEST}")));
    }
    let query = query(&asked.q).ok_or_else(|| ApiError::Invalid("q has no word in it".to_owned()))?;
    let mut connection = state.bridge.store().read().await?;
    let places = match only {
        Some(conversation) => vec![conversation],
        None => search::places(&mut connection, caller.user).await?,
    };
    let found = search::find(&mut connection, &places, &query, limit, offset).await?;
    drop(connection);
    Ok(Json(read::shown(state, caller.user, found).await?))
}
