//! JSON as the admin reads and writes it.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::bridge::accounts::AccountProfile;
use crate::domain::conversation::{Kind, Person};
use crate::nova::dto::Time;
use crate::store::dead_letters::Listed;
use crate::store::lists::PortalRow;
use crate::store::people;

/// What an account is called. Somebody who writes to the admin API means every field, so unknown ones are mistakes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Profile {
    username: String,
    display_name: Option<String>,
    avatar_url: Option<String>,
    /// Whether calls ring for them; stays as it is where nothing is said.
    pub(super) calls_enabled: Option<bool>,
}

impl From<Profile> for AccountProfile {
    fn from(profile: Profile) -> Self {
        Self {
            username: profile.username,
            display_name: profile.display_name,
            avatar_url: profile.avatar_url,
        }
    }
}

/// An account.
#[derive(Debug, Serialize)]
pub(super) struct Account {
    user_id: Uuid,
    matrix_user_id: String,
    username: Option<String>,
    display_name: Option<String>,
    avatar_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ghost_registered: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_at: Option<Time>,
    /// Whether calls ring for them; only where one account is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    calls_enabled: Option<bool>,
}

impl Account {
    pub(super) fn with_calls(self, enabled: bool) -> Self {
        Self {
            calls_enabled: Some(enabled),
            ..self
        }
    }
}

impl From<Person> for Account {
    fn from(person: Person) -> Self {
        Self {
            user_id: person.id.0,
            matrix_user_id: person.mxid.to_string(),
            username: person.username,
            display_name: person.display_name,
            avatar_url: person.avatar_url,
            ghost_registered: None,
            deleted_at: None,
            calls_enabled: None,
        }
    }
}

impl From<people::Account> for Account {
    fn from(account: people::Account) -> Self {
        Self {
            ghost_registered: Some(account.registered),
            deleted_at: account.deactivated_at.map(Time),
            ..account.person.into()
        }
    }
}

/// A page of accounts. `next` is the `after` of the next page.
#[derive(Debug, Serialize)]
pub(super) struct Accounts {
    pub(super) accounts: Vec<Account>,
    pub(super) next: Option<Uuid>,
}

/// A conversation and its room.
#[derive(Debug, Serialize)]
pub(super) struct Portal {
    pub(super) conversation_id: Uuid,
    room_id: String,
    #[serde(rename = "type")]
    kind: Kind,
    name: Option<String>,
    messages: i64,
    updated_at: Time,
}

impl From<PortalRow> for Portal {
    fn from(row: PortalRow) -> Self {
        Self {
            conversation_id: row.conversation.0,
            room_id: row.room,
            kind: row.kind,
            name: row.name,
            messages: row.messages,
            updated_at: Time(row.updated_at),
        }
    }
}

/// A page of portals. `next` is the `after` of the next page.
#[derive(Debug, Serialize)]
pub(super) struct Portals {
    pub(super) portals: Vec<Portal>,
    pub(super) next: Option<Uuid>,
}

/// What could not be applied or sent.
#[derive(Debug, Serialize)]
pub(super) struct Letter {
    id: Uuid,
    direction: String,
    reason: String,
    detail: String,
    room_id: Option<String>,
    event_id: Option<String>,
    conversation_id: Option<Uuid>,
    user_id: Option<Uuid>,
    message_id: Option<Uuid>,
    created_at: Time,
}

impl From<Listed> for Letter {
    fn from(listed: Listed) -> Self {
        Self {
            id: listed.id,
            direction: listed.direction,
            reason: listed.reason,
            detail: listed.detail,
            room_id: listed.room,
            event_id: listed.event_id,
            conversation_id: listed.conversation,
            user_id: listed.actor,
            message_id: listed.message,
            created_at: Time(listed.created_at),
        }
    }
}

/// A page of dead letters, the oldest first.
#[derive(Debug, Serialize)]
pub(super) struct Letters {
    pub(super) dead_letters: Vec<Letter>,
    pub(super) total: i64,
}

/// A WebSocket.
#[derive(Debug, Clone, Serialize)]
pub struct SessionInfo {
    /// Whose it is.
    #[serde(rename = "user_id")]
    pub user: Uuid,
    /// The one conversation that it is for; all of the user's where there is none.
    #[serde(rename = "conversation_id")]
    pub conversation: Option<Uuid>,
    /// Since when.
    pub connected_at: Time,
    /// The `stream_id` that it has reached.
    pub cursor: Option<String>,
}

/// Who is connected.
#[derive(Debug, Serialize)]
pub(super) struct SessionList {
    pub(super) total: usize,
    pub(super) sessions: Vec<SessionInfo>,
}

/// How the bridge does.
#[derive(Debug, Serialize)]
pub(super) struct Health {
    pub(super) version: &'static str,
    pub(super) time: Time,
    pub(super) sessions: usize,
    pub(super) outbox_waiting: i64,
    pub(super) outbox_oldest_at: Option<Time>,
    pub(super) dead_letters: i64,
    pub(super) database_connections: u32,
    pub(super) database_connections_idle: usize,
}
