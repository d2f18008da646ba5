//! Making rooms.

use serde_json::{Value, json};

use super::rooms::{merge, texts};
use super::world::{Answer, Room, World};

impl World {
    /// Makes a room in the order that Synapse does.
    pub(super) fn create_room(&mut self, creator: &str, body: &Value) -> Answer<String> {
        let version = body["room_version"]
            .as_str()
            .unwrap_or(&self.options.room_version)
            .to_owned();
        let number = self.count();
        let id = if version == "12" {
            format!("!r{number}")
        } else {
            format!("!r{number}:{}", self.options.server_name)
        };
        let room = Room {
            id: id.clone(),
            version: version.clone(),
            ..Room::default()
        };
        let public = body["preset"] == "public_chat" || (body["preset"].is_null() && body["visibility"] == "public");
        let trusted = body["preset"] == "trusted_private_chat";
        let invited: Vec<String> = texts(&body["invite"]);
        let mut create = object(&body["creation_content"]);
        create["room_version"] = version.as_str().into();
        if trusted && version == "12" {
            create["additional_creators"] = json!(invited);
        }
        let powers = initial_powers(creator, body, &version);
        let initial = body["initial_state"].as_array().cloned().unwrap_or_default();

        self.rooms.insert(id.clone(), room);
        self.append(&id, creator, "m.room.create", Some(""), create);
        self.set_membership(&id, creator, creator, "join", None);
        self.append(&id, creator, "m.room.power_levels", Some(""), powers);
        let given = |event_type: &str| initial.iter().any(|event| event["type"] == event_type);
        if !given("m.room.join_rules") {
            let rule = if public { "public" } else { "invite" };
            self.append(
                &id,
                creator,
                "m.room.join_rules",
                Some(""),
                json!({ "join_rule": rule }),
            );
        }
        if !given("m.room.history_visibility") {
            self.append(
                &id,
                creator,
                "m.room.history_visibility",
                Some(""),
                json!({ "history_visibility": "shared" }),
            );
        }
        for event in &initial {
            let key = event["state_key"].as_str().unwrap_or_default();
            self.append(
                &id,
                creator,
                event["type"].as_str().unwrap_or_default(),
                Some(key),
                event["content"].clone(),
            );
        }
        for (field, event_type) in [("name", "m.room.name"), ("topic", "m.room.topic")] {
            if let Some(text) = body[field].as_str() {
                self.append(&id, creator, event_type, Some(""), json!({ field: text }));
            }
        }
        for user in &invited {
            self.invite(&id, creator, user, None, body["is_direct"] == true)?;
        }
        Ok(id)
    }
}

/// The power levels of a new room.
fn initial_powers(creator: &str, body: &Value, version: &str) -> Value {
    let mut powers = json!({
        "users": {}, "users_default": 0, "events": { "m.room.power_levels": 100, "m.room.tombstone": 100, "m.room.name": 50 },
        "events_default": 0, "state_default": 50, "invite": 0, "kick": 50, "ban": 50, "redact": 50,
    });
    if version != "12" {
        powers["users"][creator] = 100.into();
        for user in texts(&body["invite"])
            .iter()
            .filter(|_| body["preset"] == "trusted_private_chat")
        {
            powers["users"][user] = 100.into();
        }
    }
    merge(&mut powers, &body["power_level_content_override"]);
    powers
}

fn object(value: &Value) -> Value {
    if value.is_object() { value.clone() } else { json!({}) }
}
