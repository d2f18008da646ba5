//! Follows `/sync` as a Matrix client does, and shows what it has seen.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::sleep;

use super::api::{Api, enc};

/// What a client knows.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) rooms: HashMap<String, Room>,
    /// Whether others are there.
    pub(crate) presence: HashMap<String, String>,
    /// Rooms that the user is invited to, with the stripped state.
    pub(crate) invites: HashMap<String, Vec<Value>>,
}

/// A joined room.
#[derive(Debug, Default)]
pub(crate) struct Room {
    state: HashMap<(String, String), Value>,
    /// The newest receipt of each user, by kind.
    receipts: HashMap<(String, String), String>,
    /// Who types.
    pub(crate) typing: Vec<String>,
    /// All its events, in the order in which the homeserver shows them.
    pub(crate) timeline: Vec<Value>,
    known: HashSet<String>,
}

impl Room {
    /// The content of a piece of state.
    pub(crate) fn content(&self, event_type: &str, key: &str) -> Option<&Value> {
        self.state
            .get(&(event_type.to_owned(), key.to_owned()))
            .map(|event| &event["content"])
    }

    /// Up to which event somebody has read.
    pub(crate) fn receipt(&self, kind: &str, user: &str) -> Option<&str> {
        self.receipts
            .get(&(kind.to_owned(), user.to_owned()))
            .map(String::as_str)
    }

    pub(crate) fn membership(&self, user: &str) -> Option<&str> {
        self.content("m.room.member", user)?["membership"].as_str()
    }

    /// What was said, in order: who, and what.
    pub(crate) fn said(&self) -> Vec<(&str, &str)> {
        let messages = self.timeline.iter().filter(|event| event["type"] == "m.room.message");
        messages
            .filter_map(|event| Some((event["sender"].as_str()?, event["content"]["body"].as_str()?)))
            .collect()
    }

    /// The message with this text.
    pub(crate) fn message(&self, text: &str) -> Option<&Value> {
        self.timeline
            .iter()
            .find(|event| event["type"] == "m.room.message" && event["content"]["body"] == text)
    }

    fn hear(&mut self, event: &Value) {
        match event["type"].as_str() {
            Some("m.typing") => {
                let users = event["content"]["user_ids"].as_array().unwrap().iter();
                self.typing = users.map(|user| user.as_str().unwrap().to_owned()).collect();
            }
            Some("m.receipt") => {
                for (id, kinds) in event["content"].as_object().unwrap() {
                    for (kind, users) in kinds.as_object().unwrap() {
                        for user in users.as_object().unwrap().keys() {
                            self.receipts.insert((kind.clone(), user.clone()), id.clone());
                        }
                    }
                }
            }
            _ => {}
        }
    }

    fn add(&mut self, event: &Value, in_timeline: bool) {
        if let Some(key) = event["state_key"].as_str() {
            self.state.insert(
                (event["type"].as_str().unwrap().to_owned(), key.to_owned()),
                event.clone(),
            );
        }
        if in_timeline && self.known.insert(event["event_id"].as_str().unwrap().to_owned()) {
            self.timeline.push(event.clone());
        }
    }
}

/// Syncs for ever. What the homeserver leaves out of a long timeline is fetched.
pub(crate) async fn follow(api: Api, seen: watch::Sender<Seen>) {
    let filter = enc(&json!({ "room": { "timeline": { "limit": 100 } } }).to_string());
    let mut since = String::new();
    loop {
        let from = if since.is_empty() {
            String::new()
        } else {
            format!("&since={}", enc(&since))
        };
        // A sync would say that its user is there, each time anew; tests say so themselves.
        let path = format!("/_matrix/client/v3/sync?timeout=20000&set_presence=offline&filter={filter}{from}");
        let Ok((200, mut answer)) = api.attempt(Method::GET, &path, None).await else {
            sleep(Duration::from_millis(200)).await;
            continue;
        };
        let mut whole = true;
        for (room, update) in answer["rooms"]["join"].as_object_mut().into_iter().flatten() {
            whole &= fill_gap(&api, room, &since, update).await;
        }
        if !whole {
            // Once this is passed, nobody says again what was left out: it is asked for anew.
            sleep(Duration::from_millis(200)).await;
            continue;
        }
        seen.send_modify(|seen| apply(seen, &answer));
        answer["next_batch"].as_str().unwrap().clone_into(&mut since);
    }
}

/// Whether nothing is missing.
async fn fill_gap(api: &Api, room: &str, since: &str, update: &mut Value) -> bool {
    if since.is_empty() || update["timeline"]["limited"] != true {
        return true;
    }
    let (Some(from), room) = (update["timeline"]["prev_batch"].as_str(), enc(room)) else {
        return true;
    };
    let path = format!(
        "/_matrix/client/v3/rooms/{room}/messages?dir=b&limit=1000&from={}&to={}",
        enc(from),
        enc(since)
    );
    let Ok((200, page)) = api.attempt(Method::GET, &path, None).await else {
        return false;
    };
    let mut events: Vec<Value> = page["chunk"].as_array().unwrap().iter().rev().cloned().collect();
    events.extend(update["timeline"]["events"].as_array().unwrap().iter().cloned());
    update["timeline"]["events"] = Value::Array(events);
    true
}

fn apply(seen: &mut Seen, answer: &Value) {
    let section = |name: &str| answer["rooms"][name].as_object().into_iter().flatten();
    let events = |update: &Value, part: &str| update[part]["events"].as_array().cloned().unwrap_or_default();
    for (room, update) in section("join") {
        seen.invites.remove(room);
        let known = seen.rooms.entry(room.clone()).or_default();
        for event in events(update, "state") {
            known.add(&event, false);
        }
        for event in events(update, "timeline") {
            known.add(&event, true);
        }
        for event in events(update, "ephemeral") {
            known.hear(&event);
        }
    }
    for event in answer["presence"]["events"].as_array().into_iter().flatten() {
        let presence = event["content"]["presence"].as_str().unwrap();
        seen.presence
            .insert(event["sender"].as_str().unwrap().to_owned(), presence.to_owned());
    }
    for (room, update) in section("invite") {
        seen.invites.insert(room.clone(), events(update, "invite_state"));
    }
    for (room, update) in section("leave") {
        seen.invites.remove(room);
        if let Some(known) = seen.rooms.get_mut(room) {
            for event in events(update, "timeline") {
                known.add(&event, true);
            }
        }
    }
}
