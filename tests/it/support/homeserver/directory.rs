//! Accounts, profiles, aliases and media.

use bytes::Bytes;
use serde_json::Value;

use super::world::{Answer, World, refuse};

impl World {
    pub(super) fn register(&mut self, localpart: &str) -> Answer<String> {
        let mxid = format!("@{localpart}:{}", self.options.server_name);
        if !self.in_namespace(&mxid) {
            return refuse(
                400,
                "M_EXCLUSIVE",
                "Invalid user localpart for this application service.",
            );
        }
        if self.accounts.contains_key(&mxid) {
            return refuse(400, "M_USER_IN_USE", "User ID already taken.");
        }
        self.ensure_user(&mxid);
        Ok(mxid)
    }

    /// `displayname` or `avatar_url`; also told to every room that the user is in.
    pub(super) fn set_profile(&mut self, user: &str, field: &str, value: &Value) -> Answer<()> {
        let Some(text) = value[field].as_str() else {
            return refuse(400, "M_MISSING_PARAM", format!("Missing key '{field}'"));
        };
        let value = (!text.is_empty()).then(|| text.to_owned());
        let account = self.accounts.entry(user.to_owned()).or_default();
        let place = if field == "displayname" {
            &mut account.display_name
        } else {
            &mut account.avatar_url
        };
        *place = value;
        if field == "avatar_url" && self.loses_pictures {
            return Ok(());
        }
        for room in self.joined_rooms(user) {
            self.set_membership(&room, user, user, "join", None);
        }
        Ok(())
    }

    pub(super) fn joined_rooms(&self, user: &str) -> Vec<String> {
        self.rooms
            .values()
            .filter(|room| room.membership(user) == "join")
            .map(|room| room.id.clone())
            .collect()
    }

    pub(super) fn deactivate(&mut self, user: &str) {
        self.accounts.entry(user.to_owned()).or_default().deactivated = true;
        for room in self.joined_rooms(user) {
            self.set_membership(&room, user, user, "leave", None);
        }
    }

    pub(super) fn create_alias(&mut self, user: &str, alias: &str, room: &str) -> Answer<()> {
        self.require_joined(room, user)?;
        if !alias.starts_with(&self.options.alias_prefix) {
            let error = "This application service has not reserved this kind of alias.";
            return refuse(400, "M_EXCLUSIVE", error);
        }
        if self.aliases.contains_key(alias) {
            return refuse(409, "M_UNKNOWN", format!("Room alias {alias} already exists"));
        }
        self.aliases.insert(alias.to_owned(), room.to_owned());
        Ok(())
    }

    pub(super) fn upload(&mut self, content_type: String, bytes: Bytes) -> String {
        let number = self.count();
        let uri = format!("mxc://{}/m{number}", self.options.server_name);
        self.media.insert(uri.clone(), (content_type, bytes));
        uri
    }
}
