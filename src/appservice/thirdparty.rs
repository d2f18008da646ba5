//! Third-party lookups: how Element finds a Nova user by username
//! (<https://spec.matrix.org/v1.16/application-service-api/#third-party-networks>).

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::extract::{InPath, InQuery};
use super::queries::conversation_of;
use super::registration::ALIAS_PREFIX;
use super::{AppserviceState, MatrixError};
use crate::domain::conversation::Person;
use crate::domain::ids::ConversationId;

/// The one protocol that we speak.
const PROTOCOL: &str = "nova";

/// `GET /thirdparty/protocol/{protocol}`
pub(super) async fn protocol(InPath(protocol): InPath<String>) -> Result<Json<Value>, MatrixError> {
    known(&protocol)?;
    Ok(Json(json!({
        "user_fields": ["username"],
        "location_fields": ["conversation_id"],
        "icon": "",
        "field_types": {
            "username": { "regexp": ".{1,255}", "placeholder": "ana" },
            "conversation_id": {
                "regexp": "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
                "placeholder": "c7e41a52-0b9d-4f38-8d16-5a3e9c2b7f04",
            },
        },
        "instances": [{ "desc": "Nova", "network_id": PROTOCOL, "fields": {} }],
    })))
}

/// The fields that a lookup can give; any other is ignored.
#[derive(Deserialize)]
pub(super) struct Fields {
    username: Option<String>,
    conversation_id: Option<String>,
    userid: Option<String>,
    alias: Option<String>,
}

/// `GET /thirdparty/user/{protocol}?username=`
pub(super) async fn users(
    State(state): State<AppserviceState>,
    InPath(protocol): InPath<String>,
    InQuery(fields): InQuery<Fields>,
) -> Result<Json<Value>, MatrixError> {
    known(&protocol)?;
    // Postgres knows no NUL, and nobody is called so.
    let Some(username) = fields.username.filter(|name| !name.contains('\0')) else {
        return Ok(Json(json!([])));
    };
    let people = state
        .bridge
        .accounts_called(username.trim().trim_start_matches('@'))
        .await?;
    Ok(Json(people.iter().map(user).collect()))
}

/// `GET /thirdparty/user?userid=`
pub(super) async fn user_by_id(
    State(state): State<AppserviceState>,
    InQuery(fields): InQuery<Fields>,
) -> Result<Json<Value>, MatrixError> {
    let ghost = fields
        .userid
        .and_then(|id| state.bridge.ghosts().nova_user_asked_for(&id));
    let person = match ghost {
        Some(user) => state.bridge.find_account(user).await?,
        None => None,
    };
    Ok(Json(person.iter().map(user).collect()))
}

fn user(person: &Person) -> Value {
    json!({
        "userid": person.mxid,
        "protocol": PROTOCOL,
        "fields": { "username": person.username, "display_name": person.shown_name() },
    })
}

/// `GET /thirdparty/location/{protocol}?conversation_id=`
pub(super) async fn locations(
    State(state): State<AppserviceState>,
    InPath(protocol): InPath<String>,
    InQuery(fields): InQuery<Fields>,
) -> Result<Json<Value>, MatrixError> {
    known(&protocol)?;
    let conversation = fields.conversation_id.and_then(|id| id.parse().ok());
    location(&state, conversation).await
}

/// `GET /thirdparty/location?alias=`
pub(super) async fn location_by_alias(
    State(state): State<AppserviceState>,
    InQuery(fields): InQuery<Fields>,
) -> Result<Json<Value>, MatrixError> {
    let conversation = fields
        .alias
        .and_then(|alias| conversation_of(&alias, state.bridge.ghosts().server()));
    location(&state, conversation).await
}

async fn location(state: &AppserviceState, id: Option<ConversationId>) -> Result<Json<Value>, MatrixError> {
    let Some(id) = id else { return Ok(Json(json!([]))) };
    if !state.bridge.has_group(id).await? {
        return Ok(Json(json!([])));
    }
    let server = state.bridge.ghosts().server();
    Ok(Json(json!([{
        "alias": format!("#{ALIAS_PREFIX}{id}:{server}"),
        "protocol": PROTOCOL,
        "fields": { "conversation_id": id },
    }])))
}

fn known(protocol: &str) -> Result<(), MatrixError> {
    if protocol == PROTOCOL {
        Ok(())
    } else {
        Err(MatrixError::not_found("this bridge speaks nova only"))
    }
}
