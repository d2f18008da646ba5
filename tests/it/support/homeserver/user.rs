//! An ordinary Matrix user, as Element would act for them. What they may not do fails the test.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Shared;
use super::rooms::merge;
use super::world::{Answer, World};

/// A Matrix user of this or any other server.
#[derive(Clone)]
pub(crate) struct User {
    shared: Arc<Shared>,
    id: String,
}

impl User {
    pub(super) fn new(shared: Arc<Shared>, id: &str) -> Self {
        Self {
            shared,
            id: id.to_owned(),
        }
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Does anything as the user; fails the test where the rules forbid it.
    fn act<A>(&self, what: &str, act: impl FnOnce(&mut World, &str) -> Answer<A>) -> A {
        let result = self.shared.change(|world| act(world, &self.id));
        result.unwrap_or_else(|error| panic!("{} may not {what}: {} {}", self.id, error.errcode, error.error))
    }

    /// A direct chat with `other`, as Element makes one.
    pub(crate) fn create_dm(&self, other: &str) -> String {
        self.create_room(&json!({ "preset": "trusted_private_chat", "is_direct": true, "invite": [other] }))
    }

    /// A room by the body of `createRoom`.
    pub(crate) fn create_room(&self, body: &Value) -> String {
        self.act("create a room", |world, id| world.create_room(id, body))
    }

    pub(crate) fn invite(&self, room: &str, other: &str) {
        self.act("invite", |world, id| world.invite(room, id, other, None, false));
    }

    pub(crate) fn knock(&self, room: &str, reason: &str) {
        self.act("knock", |world, id| world.knock(room, id, Some(reason)));
    }

    pub(crate) fn join(&self, room: &str) {
        self.act("join", |world, id| world.join(room, id));
    }

    pub(crate) fn leave(&self, room: &str) {
        self.act("leave", |world, id| world.leave(room, id, None));
    }

    pub(crate) fn kick(&self, room: &str, other: &str) {
        self.act("kick", |world, id| world.remove(room, id, other, None, false));
    }

    pub(crate) fn ban(&self, room: &str, other: &str) {
        self.act("ban", |world, id| world.remove(room, id, other, None, true));
    }

    /// Sends a text message; gives the event id.
    pub(crate) fn send_text(&self, room: &str, text: &str) -> String {
        self.send(room, "m.room.message", json!({ "msgtype": "m.text", "body": text }))
    }

    pub(crate) fn send(&self, room: &str, event_type: &str, content: Value) -> String {
        self.act("send", |world, id| world.send(room, id, event_type, None, content))
    }

    pub(crate) fn send_state(&self, room: &str, event_type: &str, state_key: &str, content: Value) -> String {
        self.act("set state", |world, id| {
            world.send(room, id, event_type, Some(state_key), content)
        })
    }

    pub(crate) fn redact(&self, room: &str, event_id: &str) -> String {
        self.act("redact", |world, id| world.redact(room, id, event_id, None))
    }

    /// Changes the user's name, also in every room they are in.
    pub(crate) fn set_name(&self, name: &str) {
        self.act("set a name", |world, id| {
            world.set_profile(id, "displayname", &json!({ "displayname": name }))
        });
    }

    pub(crate) fn set_avatar(&self, mxc: &str) {
        self.act("set an avatar", |world, id| {
            world.set_profile(id, "avatar_url", &json!({ "avatar_url": mxc }))
        });
    }

    pub(crate) fn set_room_name(&self, room: &str, name: &str) {
        self.send_state(room, "m.room.name", "", json!({ "name": name }));
    }

    /// Lays `changes` over the room's power levels.
    pub(crate) fn set_power_levels(&self, room: &str, changes: &Value) {
        self.act("set power levels", |world, id| {
            let mut powers = world
                .room(room)?
                .content("m.room.power_levels", "")
                .cloned()
                .unwrap_or_else(|| json!({}));
            merge(&mut powers, changes);
            world.send(room, id, "m.room.power_levels", Some(""), powers)
        });
    }

    /// Makes the room's successor and points from one to the other; nobody is invited. Gives the new room.
    pub(crate) fn upgrade_room(&self, room: &str) -> String {
        self.act("upgrade", |world, id| {
            let name = world
                .room(room)?
                .content("m.room.name", "")
                .map(|content| content["name"].clone());
            let mut body =
                json!({ "preset": "private_chat", "creation_content": { "predecessor": { "room_id": room } } });
            if let Some(name) = name {
                body["name"] = name;
            }
            let new = world.create_room(id, &body)?;
            let tombstone = json!({ "body": "This room has been replaced", "replacement_room": new });
            world.send(room, id, "m.room.tombstone", Some(""), tombstone)?;
            Ok(new)
        })
    }

    /// Starts or stops typing.
    pub(crate) fn set_typing(&self, room: &str, typing: bool) {
        self.act("type", |world, id| world.set_typing(room, id, typing));
    }

    /// Says that everything up to this event was read.
    pub(crate) fn read_up_to(&self, room: &str, event_id: &str) {
        self.act("read", |world, id| world.receipt(room, id, "m.read", event_id));
    }

    /// Is there, or not.
    pub(crate) fn set_presence(&self, presence: &str, currently_active: bool) {
        self.shared
            .change(|world| world.set_presence(&self.id, presence, currently_active));
    }
}
