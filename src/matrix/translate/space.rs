//! Spaces ([the specification](https://spec.matrix.org/v1.16/client-server-api/#spaces)): the room that is one, and what
//! its state says of the rooms in it.

use ruma::UserId as MatrixId;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use uuid::Uuid;

use super::outbound::{MARKER, ROOM_VERSION};
use crate::domain::ids::{ConversationId, UserId};
use crate::domain::space::Listed;

/// The type of a room that is a space.
pub(super) const SPACE: &str = "m.space";

/// The type of the state events that name what is in it, by the rooms as their keys.
pub const CHILD: &str = "m.space.child";

/// The marker of an account's space: one account has one.
#[must_use]
pub fn marker(user: UserId) -> String {
    user.to_string()
}

/// The body of `POST /createRoom` for an account's space. Nobody else is in it, and nobody talks in it.
#[must_use]
pub fn create_space(user: UserId, ghost: &MatrixId) -> Value {
    json!({
        "name": "Nova",
        "topic": "Your conversations in Nova.",
        "preset": "private_chat",
        "visibility": "private",
        "room_version": ROOM_VERSION,
        "creation_content": { "type": SPACE, MARKER: marker(user) },
        "power_level_content_override": { "users": { ghost.as_str(): 100 }, "events_default": 100, "invite": 50 },
    })
}

/// The content that puts a conversation's room into a space. Conversations' ids rise with time, so that clients show the
/// oldest first, in an order that stays. `server` is one that is in the room.
#[must_use]
pub fn child(conversation: ConversationId, server: &str) -> Value {
    json!({ "via": [server], "order": conversation.0.simple().to_string(), MARKER: conversation })
}

/// The content that takes a room out.
#[must_use]
pub fn no_child() -> Value {
    json!({})
}

/// What the state of a space says of the rooms in it.
#[must_use]
pub fn listed(state: &[Box<RawValue>]) -> Vec<Listed> {
    #[derive(Deserialize)]
    struct Event {
        #[serde(rename = "type")]
        kind: String,
        state_key: String,
        #[serde(default)]
        content: Value,
    }
    let children = state
        .iter()
        .filter_map(|raw| serde_json::from_str::<Event>(raw.get()).ok())
        .filter(|event| event.kind == CHILD);
    children
        .map(|event| Listed {
            room: event.state_key,
            // By the specification: without `via` it is none.
            is_child: event
                .content
                .get("via")
                .and_then(Value::as_array)
                .is_some_and(|via| !via.is_empty()),
            ours: event
                .content
                .get(MARKER)
                .and_then(Value::as_str)
                .and_then(|id| Uuid::parse_str(id).ok())
                .map(ConversationId),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use ruma::user_id;

    use super::*;

    #[test]
    fn a_space_and_a_child() {
        let user = UserId(Uuid::from_u128(1));
        let ghost = user_id!("@nova-00000000-0000-0000-0000-000000000001:example.org");
        insta::assert_json_snapshot!([
            create_space(user, ghost),
            child(ConversationId(Uuid::from_u128(0xc7)), "example.org"),
            no_child(),
        ]);
    }

    #[test]
    fn children_are_read_from_whatever_is_there() {
        let id = ConversationId(Uuid::from_u128(0xc7));
        let event = |key: &str, content: Value| json!({ "type": CHILD, "state_key": key, "content": content, "sender": "@a:x" });
        let state = [
            json!({ "type": "m.room.name", "state_key": "", "content": { "name": "Nova" } }),
            event("!ours:x", child(id, "x")),
            event("!gone:x", no_child()),
            event("!theirs:x", json!({ "via": ["x"], MARKER: 7 })),
            event("!odd:x", json!({ "via": "x" })),
            json!({ "type": CHILD, "content": {} }),
            json!([]),
        ];
        let state: Vec<_> = state
            .iter()
            .map(|it| serde_json::value::to_raw_value(it).unwrap())
            .collect();
        let listed = listed(&state);
        let listed: Vec<_> = listed
            .iter()
            .map(|it| (it.room.as_str(), it.is_child, it.ours))
            .collect();
        let expected = [
            ("!ours:x", true, Some(id)),
            ("!gone:x", false, None),
            ("!theirs:x", true, None),
            ("!odd:x", false, None),
        ];
        assert_eq!(listed, expected);
    }
}
