//! Synapse asks whether a user or an alias of our namespace exists; what can be made is made before the answer.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::extract::InPath;
use super::registration::ALIAS_PREFIX;
use super::{AppserviceState, MatrixError};
use crate::domain::ids::ConversationId;

/// `GET /users/{userId}`: a ghost exists where there is an account; it is registered before the answer.
pub(super) async fn user(
    State(state): State<AppserviceState>,
    InPath(user_id): InPath<String>,
) -> Result<Json<Value>, MatrixError> {
    if user_id == *state.bot || state.bridge.provide_ghost(&user_id).await? {
        return Ok(Json(json!({})));
    }
    Err(MatrixError::not_found("no Nova account has this ghost"))
}

/// `GET /rooms/{roomAlias}`: a group has the alias `#nova_<conversation id>`, pointed at its room before the answer.
pub(super) async fn room(
    State(state): State<AppserviceState>,
    InPath(alias): InPath<String>,
) -> Result<Json<Value>, MatrixError> {
    if let Some(conversation) = conversation_of(&alias, state.bridge.ghosts().server())
        && state.bridge.open_alias(&alias, conversation).await?
    {
        return Ok(Json(json!({})));
    }
    Err(MatrixError::not_found("no Nova group has this alias"))
}

/// The conversation that an alias of ours names.
pub(super) fn conversation_of(alias: &str, server: &str) -> Option<ConversationId> {
    let (localpart, domain) = alias.strip_prefix('#')?.split_once(':')?;
    (domain == server).then_some(())?;
    localpart.strip_prefix(ALIAS_PREFIX)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_names_a_conversation_of_this_server() {
        let id = "c7e41a52-0b9d-4f38-8d16-5a3e9c2b7f04";
        assert_eq!(
            conversation_of(&format!("#nova_{id}:x.org"), "x.org")
                .unwrap()
                .to_string(),
            id
        );
        for alias in [
            format!("#nova_{id}:y.org"),
            format!("#other_{id}:x.org"),
            "#nova_x:x.org".to_owned(),
            String::new(),
        ] {
            assert_eq!(conversation_of(&alias, "x.org"), None, "{alias}");
        }
    }
}
