//! Reads what Synapse tells in passing beside the events of a transaction. What cannot be read is left out: it is never
//! told again, and soon it is worth nothing.

use std::collections::BTreeMap;

use ruma::{OwnedRoomId, OwnedUserId};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::domain::ephemeral::{Ephemeral, MatrixPresence, Receipt};
use crate::domain::presence::Status;

#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "type")]
    event_type: String,
    room_id: Option<OwnedRoomId>,
    sender: Option<OwnedUserId>,
    #[serde(default)]
    content: Value,
}

/// Reads one; `None` where it means nothing to the bridge, or cannot be read.
#[must_use]
pub fn read(raw: &RawValue) -> Option<Ephemeral> {
    let Envelope {
        event_type,
        room_id,
        sender,
        content,
    } = serde_json::from_str(raw.get()).ok()?;
    match event_type.as_str() {
        "m.receipt" => Some(Ephemeral::Receipts {
            room: room_id.filter(|room| storable(room.as_str()))?,
            receipts: receipts(content)?,
        }),
        "m.typing" => Some(Ephemeral::Typing {
            room: room_id.filter(|room| storable(room.as_str()))?,
            users: typing(&content)?,
        }),
        "m.presence" => presence(sender?, &content).map(Ephemeral::Presence),
        _ => None,
    }
}

/// `{event: {type: {user: {ts, thread_id?}}}}`. Private receipts are nobody's business, and a receipt of another thread than
/// the main one says nothing about the conversation.
fn receipts(content: Value) -> Option<Vec<Receipt>> {
    let events: BTreeMap<String, Value> = serde_json::from_value(content).ok()?;
    let mut found = Vec::new();
    for (event, mut kinds) in events {
        let Some(Value::Object(readers)) = kinds.get_mut("m.read").map(Value::take) else {
            continue;
        };
        if !storable(&event) {
            continue;
        }
        for (user, told) in readers {
            let thread = told.get("thread_id").and_then(Value::as_str);
            if let (None | Some("main"), Ok(user)) = (thread, OwnedUserId::try_from(user)) {
                let event = event.clone();
                found.push(Receipt { user, event });
            }
        }
    }
    Some(found)
}

fn typing(content: &Value) -> Option<Vec<OwnedUserId>> {
    let users = content.get("user_ids")?.as_array()?.iter();
    let users = users.filter_map(Value::as_str);
    Some(users.filter_map(|user| OwnedUserId::try_from(user).ok()).collect())
}

fn presence(user: OwnedUserId, content: &Value) -> Option<MatrixPresence> {
    let status = Status::parse(content.get("presence")?.as_str()?)?;
    Some(MatrixPresence {
        user,
        status,
        last_active_ago_ms: content
            .get("last_active_ago")
            .and_then(Value::as_i64)
            .filter(|ago| *ago >= 0),
        currently_active: content
            .get("currently_active")
            .and_then(Value::as_bool)
            .unwrap_or_default(),
    })
}

/// Postgres holds no NUL, so nothing with one can be known.
fn storable(id: &str) -> bool {
    !id.contains('\0')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read_json(event: &Value) -> Option<Ephemeral> {
        read(&serde_json::value::to_raw_value(event).unwrap())
    }

    #[test]
    fn receipts_of_the_main_timeline_are_found() {
        let told = json!({ "type": "m.receipt", "room_id": "!r:x.org", "content": {
            "$a": { "m.read": {
                "@main:x.org": { "ts": 1, "thread_id": "main" },
                "@all:x.org": { "ts": "whenever" },
                "@odd:x.org": null,
                "@thread:x.org": { "ts": 1, "thread_id": "$root" },
                "nobody": { "ts": 1 },
            }, "m.read.private": { "@secret:x.org": { "ts": 1 } } },
            "$b": { "m.read": { "@all:x.org": { "ts": 2 } }, "m.fully_read": {} },
            "$c": null, "$d": { "m.read": [] }, "$\u{0}": { "m.read": { "@all:x.org": {} } },
        }});
        insta::assert_debug_snapshot!(read_json(&told));
    }

    #[test]
    fn typing_and_presence_are_read() {
        let typing =
            json!({ "type": "m.typing", "room_id": "!r:x.org", "content": { "user_ids": ["@a:x.org", 7, "b"] } });
        let there = json!({ "type": "m.presence", "sender": "@a:x.org", "content": {
            "presence": "unavailable", "last_active_ago": 5000, "currently_active": false, "status_msg": "away" } });
        let busy = json!({ "type": "m.presence", "sender": "@a:x.org", "content": {
            "presence": "busy", "last_active_ago": -1, "currently_active": 7 } });
        insta::assert_debug_snapshot!([&typing, &there, &busy].map(read_json));
    }

    #[test]
    fn what_makes_no_sense_is_left_out() {
        for bad in [
            json!(null),
            json!({ "type": "m.typing" }),
            json!({ "type": "m.typing", "room_id": "!r:x.org", "content": { "user_ids": "@a:x.org" } }),
            json!({ "type": "m.typing", "room_id": 7, "content": { "user_ids": [] } }),
            json!({ "type": "m.receipt", "room_id": "!r:x.org", "content": [] }),
            json!({ "type": "m.receipt", "content": {} }),
            json!({ "type": "m.presence", "sender": null, "content": { "presence": "online" } }),
            json!({ "type": "m.presence", "sender": "@a:x.org", "content": { "presence": 7 } }),
            json!({ "type": "m.presence", "sender": "@a:x.org", "content": { "presence": "asleep" } }),
            json!({ "type": "org.example.new", "content": {} }),
        ] {
            assert_eq!(read_json(&bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(event_type in "m\\.(receipt|typing|presence)", content in "[\\[{\"a-z:,}\\] ]{0,30}") {
            if let Ok(content) = serde_json::from_str::<Value>(&content) {
                read_json(&json!({ "type": event_type, "room_id": "!r:x.org", "sender": "@a:x.org", "content": content }));
            }
        }
    }
}
