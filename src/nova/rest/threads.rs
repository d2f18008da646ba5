//! What was said in a thread.

use axum::extract::State;
use serde::Deserialize;

use super::extract::{Json, Params, Path};
use super::failures::Failures;
use super::messages::message_id;
use super::read;
use crate::domain::ids::ConversationId;
use crate::nova::NovaState;
use crate::nova::auth::Caller;
use crate::nova::dto::messages::Thread;
use crate::nova::error::ApiError;
use crate::store::threads;

/// Which of its messages.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// How many: 50 where nothing is said, at most 200.
    limit: Option<i64>,
    /// Those after this number: the last one of the page before.
    after_sequence: Option<i64>,
    /// Whether those that were recalled are wanted too, with an empty content.
    include_recalled: Option<bool>,
}

/// The thread that begins with a message, or that it was said in: the oldest answer first.
#[utoipa::path(get, path = "/messages/{message_id}/thread", tag = "messages",
    params(("message_id" = Uuid, Path), Asked), responses((status = 200, body = Thread), Failures))]
pub(super) async fn get(
    State(state): State<NovaState>,
    caller: Caller,
    Path(id): Path<String>,
    Params(asked): Params<Asked>,
) -> Result<Json<Thread>, ApiError> {
    let limit = read::limit(asked.limit, read::MESSAGES.0, read::MESSAGES.1)?;
    let message = read::message(&state, caller.user, None, message_id(&id)?).await?;
    let conversation = ConversationId(message.conversation_id);
    let root = message
        .thread_root_event_id
        .clone()
        .or_else(|| message.matrix_event_id.clone());
    let Some(root) = root else {
        return Ok(Json(Thread::nothing_to(message)));
    };
    let mut connection = state.bridge.store().read().await?;
    let first = threads::root(&mut connection, conversation, &root).await?;
    let with_recalled = asked.include_recalled.unwrap_or_default();
    let after = asked.after_sequence.unwrap_or_default();
    // One more than wanted tells whether there are more.
    let most = limit.saturating_add(1);
    let mut found = threads::page(&mut connection, (conversation, &root), after, with_recalled, most).await?;
    drop(connection);
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = found.len() > wanted;
    found.truncate(wanted);
    let first = read::shown(&state, caller.user, first.into_iter().collect())
        .await?
        .pop();
    let messages = read::shown(&state, caller.user, found).await?;
    Ok(Json(Thread {
        root_event_id: Some(root),
        root: first,
        messages,
        has_more,
    }))
}
