//! The rules of rooms: who may do what, and what it does.

use serde_json::{Value, json};

use super::world::{Answer, Room, World, forbid, refuse};

impl World {
    pub(super) fn join(&mut self, room: &str, user: &str) -> Answer<()> {
        let found = self.room(room)?;
        let open = found
            .content("m.room.join_rules", "")
            .is_some_and(|content| content["join_rule"] == "public");
        match found.membership(user) {
            "join" => return Ok(()),
            "ban" => return refuse(403, "M_BAD_STATE", "Cannot join user who was banned"),
            "invite" => {}
            _ if open => {}
            _ => return forbid("You are not invited to this room."),
        }
        self.set_membership(room, user, user, "join", None);
        Ok(())
    }

    pub(super) fn knock(&mut self, room: &str, user: &str, reason: Option<&str>) -> Answer<()> {
        let found = self.room(room)?;
        let rule = found.content("m.room.join_rules", "");
        if rule.is_none_or(|content| content["join_rule"] != "knock") || found.membership(user) == "ban" {
            return forbid("You don't have permission to knock");
        }
        if matches!(found.membership(user), "join" | "invite") {
            return forbid("You cannot knock on a room you are in or invited to");
        }
        self.set_membership(room, user, user, "knock", reason);
        Ok(())
    }

    pub(super) fn leave(&mut self, room: &str, user: &str, reason: Option<&str>) -> Answer<()> {
        if !matches!(self.room(room)?.membership(user), "join" | "invite" | "knock") {
            return forbid(format!("User {user} not in room {room}"));
        }
        self.set_membership(room, user, user, "leave", reason);
        Ok(())
    }

    pub(super) fn invite(
        &mut self,
        room: &str,
        by: &str,
        user: &str,
        reason: Option<&str>,
        direct: bool,
    ) -> Answer<()> {
        self.require_power(room, by, "invite")?;
        match self.room(room)?.membership(user) {
            "join" => return forbid(format!("{user} is already in the room.")),
            "ban" => return forbid(format!("{user} is banned from the room")),
            _ => {}
        }
        let mut content = self.member_content(user, "invite", reason);
        if direct {
            content["is_direct"] = true.into();
        }
        self.append(room, by, "m.room.member", Some(user), content);
        Ok(())
    }

    /// `kick` or `ban`.
    pub(super) fn remove(&mut self, room: &str, by: &str, user: &str, reason: Option<&str>, ban: bool) -> Answer<()> {
        self.require_power(room, by, if ban { "ban" } else { "kick" })?;
        let found = self.room(room)?;
        if power(found, by) <= power(found, user) {
            return forbid("You don't have permission to remove that user");
        }
        if !ban && !matches!(found.membership(user), "join" | "invite" | "knock") {
            return forbid("The target user is not in the room");
        }
        self.set_membership(room, by, user, if ban { "ban" } else { "leave" }, reason);
        Ok(())
    }

    pub(super) fn send(
        &mut self,
        room: &str,
        user: &str,
        event_type: &str,
        key: Option<&str>,
        content: Value,
    ) -> Answer<String> {
        if !content.is_object() {
            return refuse(400, "M_BAD_JSON", "Content must be a JSON object.");
        }
        self.require_joined(room, user)?;
        if event_type == "m.room.member" && (key != Some(user) || content["membership"] != "join") {
            return refuse(
                400,
                "M_UNKNOWN",
                "the fake takes other memberships by their own endpoints",
            );
        }
        let found = self.room(room)?;
        let powers = found.content("m.room.power_levels", "");
        let default = if key.is_some() {
            "state_default"
        } else {
            "events_default"
        };
        let level = |value: &Value| value.as_i64();
        let needed = powers
            .and_then(|powers| level(&powers["events"][event_type]).or_else(|| level(&powers[default])))
            .unwrap_or(0);
        // One's own name and picture need none.
        if event_type != "m.room.member" && power(found, user) < needed {
            return forbid(format!(
                "You don't have permission to post that to the room. user_level < send_level ({needed})"
            ));
        }
        if key.is_some_and(|key| key.starts_with('@') && key != user) {
            return forbid("You are not allowed to set others state");
        }
        let relation = &content["m.relates_to"];
        let again = |event: &&Value| event["sender"] == user && event["content"]["m.relates_to"] == *relation;
        if relation["rel_type"] == "m.annotation" && found.timeline.iter().any(|event| again(&event)) {
            return refuse(400, "M_DUPLICATE_ANNOTATION", "Can't send same reaction twice");
        }
        if let Some(same) = key.and_then(|key| found.state.get(&(event_type.to_owned(), key.to_owned())))
            && same["content"] == content
        {
            return Ok(same["event_id"].as_str().unwrap().to_owned());
        }
        Ok(self.append(room, user, event_type, key, content))
    }

    pub(super) fn redact(&mut self, room: &str, user: &str, target: &str, reason: Option<&str>) -> Answer<String> {
        self.require_joined(room, user)?;
        let found = self.room(room)?;
        let Some(author) = found.timeline.iter().find(|event| event["event_id"] == target) else {
            return refuse(404, "M_NOT_FOUND", format!("Could not find event {target}"));
        };
        if author["sender"] != user && power(found, user) < 50 {
            return forbid("You don't have permission to redact events");
        }
        let mut content = json!({ "redacts": target });
        if let Some(reason) = reason {
            content["reason"] = reason.into();
        }
        let more = [("redacts".to_owned(), target.into())].into_iter().collect();
        let id = self.append_with(room, user, "m.room.redaction", None, &content, more);
        let events = &mut self.rooms.get_mut(room).unwrap().timeline;
        if let Some(event) = events.iter_mut().find(|event| event["event_id"] == target) {
            event["content"] = json!({});
            event["unsigned"] = json!({ "redacted_because": { "event_id": id } });
        }
        Ok(id)
    }

    /// History backwards: a page, newest first, and where the next begins. As with Synapse, only a page that is
    /// empty has no next.
    pub(super) fn messages(
        &self,
        room: &str,
        user: &str,
        from: Option<&str>,
        limit: usize,
    ) -> Answer<(Vec<Value>, Option<String>)> {
        self.require_joined(room, user)?;
        let events = &self.room(room)?.timeline;
        let end = match from {
            None => events.len(),
            Some(token) => match token.strip_prefix('t').and_then(|index| index.parse::<usize>().ok()) {
                Some(index) => index.min(events.len()),
                None => return refuse(400, "M_INVALID_PARAM", "Invalid stream token"),
            },
        };
        let start = end.saturating_sub(limit);
        let page = events[start..end].iter().rev().cloned().collect();
        Ok((page, (start < end).then(|| format!("t{start}"))))
    }

    pub(super) fn require_joined(&self, room: &str, user: &str) -> Answer<()> {
        match self.room(room) {
            Ok(found) if found.membership(user) == "join" => Ok(()),
            _ => forbid(format!("User {user} not in room {room}")),
        }
    }

    fn require_power(&self, room: &str, user: &str, action: &str) -> Answer<()> {
        self.require_joined(room, user)?;
        let found = self.room(room)?;
        let needed = found
            .content("m.room.power_levels", "")
            .and_then(|powers| powers[action].as_i64())
            .unwrap_or(0);
        if power(found, user) < needed {
            forbid(format!("You don't have permission to {action}"))
        } else {
            Ok(())
        }
    }

    pub(super) fn set_membership(&mut self, room: &str, by: &str, user: &str, membership: &str, reason: Option<&str>) {
        let content = self.member_content(user, membership, reason);
        self.append(room, by, "m.room.member", Some(user), content);
    }

    fn member_content(&self, user: &str, membership: &str, reason: Option<&str>) -> Value {
        let mut content = json!({ "membership": membership });
        if let Some(account) = self
            .accounts
            .get(user)
            .filter(|_| matches!(membership, "join" | "invite" | "knock"))
        {
            if let Some(name) = &account.display_name {
                content["displayname"] = name.as_str().into();
            }
            if let Some(url) = &account.avatar_url {
                content["avatar_url"] = url.as_str().into();
            }
        }
        if let Some(reason) = reason {
            content["reason"] = reason.into();
        }
        content
    }
}

/// A user's power; creators of a version 12 room stand above all numbers.
fn power(room: &Room, user: &str) -> i64 {
    let create = room.state.get(&("m.room.create".to_owned(), String::new()));
    let created = create.is_some_and(|create| {
        create["sender"] == user
            || texts(&create["content"]["additional_creators"])
                .iter()
                .any(|creator| creator == user)
    });
    if created && room.version == "12" {
        return i64::MAX;
    }
    let powers = room.content("m.room.power_levels", "");
    powers
        .and_then(|powers| {
            powers["users"][user]
                .as_i64()
                .or_else(|| powers["users_default"].as_i64())
        })
        .unwrap_or(0)
}

/// Lays `over` over `base`: whole fields, objects one level deep.
pub(super) fn merge(base: &mut Value, over: &Value) {
    for (field, value) in over.as_object().into_iter().flatten() {
        match (base[field].as_object_mut(), value.as_object()) {
            (Some(inner), Some(more)) => inner.extend(more.clone()),
            _ => base[field] = value.clone(),
        }
    }
}

/// The texts of an array.
pub(super) fn texts(value: &Value) -> Vec<String> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}
