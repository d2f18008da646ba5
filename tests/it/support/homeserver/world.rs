//! Everything that the homeserver knows, and how an event comes to be.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use axum::http::StatusCode;
use bytes::Bytes;
use nova_bridge::domain::clock::{Clock, SystemClock};
use nova_bridge::domain::ghost::Ghosts;
use ruma::ServerName;
use serde_json::{Map, Value, json};

use super::Options;
use super::faults::Faults;

/// A Matrix error.
#[derive(Debug, Clone)]
pub(crate) struct MatrixError {
    pub(crate) status: StatusCode,
    pub(crate) errcode: &'static str,
    pub(crate) error: String,
}

pub(crate) type Answer<A> = Result<A, MatrixError>;

pub(super) fn refuse<A>(status: u16, errcode: &'static str, error: impl Into<String>) -> Answer<A> {
    Err(MatrixError {
        status: StatusCode::from_u16(status).unwrap(),
        errcode,
        error: error.into(),
    })
}

pub(super) fn forbid<A>(error: impl Into<String>) -> Answer<A> {
    refuse(403, "M_FORBIDDEN", error)
}

/// A request that came in.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    pub(crate) method: String,
    /// Path and query, as sent.
    pub(crate) target: String,
    /// The ghost that it was made as.
    pub(crate) user_id: Option<String>,
    pub(crate) content_type: Option<String>,
    pub(crate) body: Bytes,
}

/// A transaction that was pushed, or tried to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delivery {
    pub(crate) txn_id: u64,
    pub(crate) event_ids: Vec<String>,
    pub(crate) ephemeral: usize,
    /// 0 where no answer came.
    pub(crate) status: u16,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Account {
    pub(crate) display_name: Option<String>,
    pub(crate) avatar_url: Option<String>,
    pub(crate) deactivated: bool,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Room {
    pub(crate) id: String,
    pub(crate) version: String,
    /// The current state: the whole event by type and state key.
    pub(crate) state: BTreeMap<(String, String), Value>,
    /// Every event, oldest first.
    pub(crate) timeline: Vec<Value>,
}

impl Room {
    /// The content of a state event.
    pub(crate) fn content(&self, event_type: &str, state_key: &str) -> Option<&Value> {
        self.state
            .get(&(event_type.to_owned(), state_key.to_owned()))
            .map(|event| &event["content"])
    }

    /// `join`, `invite`, `leave`, `ban`; `leave` for who never was there.
    pub(crate) fn membership(&self, user: &str) -> &str {
        self.content("m.room.member", user)
            .and_then(|content| content["membership"].as_str())
            .unwrap_or("leave")
    }

    /// Who is in the room.
    pub(crate) fn joined(&self) -> Vec<&str> {
        let members = self
            .state
            .keys()
            .filter(|(event_type, _)| event_type == "m.room.member");
        members
            .map(|(_, user)| user.as_str())
            .filter(|user| self.membership(user) == "join")
            .collect()
    }

    /// The bodies of the room's messages, oldest first.
    pub(crate) fn texts(&self) -> Vec<String> {
        let messages = self.timeline.iter().filter(|event| event["type"] == "m.room.message");
        messages
            .filter_map(|event| event["content"]["body"].as_str())
            .map(str::to_owned)
            .collect()
    }
}

/// What the homeserver knows. Looked at by tests, changed through [`super::FakeHomeserver`] and [`super::User`].
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that goes otherwise")]
pub(crate) struct World {
    pub(super) options: Options,
    pub(super) ghosts: Ghosts,
    pub(crate) accounts: BTreeMap<String, Account>,
    pub(crate) rooms: BTreeMap<String, Room>,
    pub(crate) aliases: BTreeMap<String, String>,
    pub(crate) media: BTreeMap<String, (String, Bytes)>,
    /// Files that were too large to be kept: their size, and the sum of their bytes.
    pub(crate) large: BTreeMap<String, (u64, u64)>,
    pub(super) understands_ranges: bool,
    pub(super) loses_pictures: bool,
    /// What a send answered, by path: the user is no part of the key, as in Synapse.
    pub(super) answered: HashMap<String, Value>,
    pub(super) faults: Faults,
    pub(crate) requests: Vec<Recorded>,
    pub(super) appservice: Option<String>,
    pub(super) push_paused: bool,
    /// How wrong the clocks of those are who send.
    pub(super) clock_is_off_by_ms: i64,
    pub(super) pushing: bool,
    pub(super) next_push: u64,
    pub(super) queue: VecDeque<Value>,
    pub(super) ephemeral: VecDeque<Value>,
    /// The newest receipt by room, user and kind.
    pub(crate) receipts: BTreeMap<(String, String, String), String>,
    pub(crate) typing: BTreeMap<String, BTreeSet<String>>,
    pub(crate) presence: BTreeMap<String, String>,
    pub(super) asked_for: BTreeSet<String>,
    pub(crate) deliveries: Vec<Delivery>,
    counter: u64,
}

impl World {
    pub(super) fn new(options: Options) -> Self {
        Self {
            ghosts: Ghosts::new(<&ServerName>::try_from(options.server_name.as_str()).unwrap()),
            options,
            accounts: BTreeMap::new(),
            rooms: BTreeMap::new(),
            aliases: BTreeMap::new(),
            media: BTreeMap::new(),
            large: BTreeMap::new(),
            understands_ranges: false,
            loses_pictures: false,
            answered: HashMap::new(),
            faults: Faults::default(),
            requests: Vec::new(),
            appservice: None,
            clock_is_off_by_ms: 0,
            push_paused: false,
            pushing: false,
            next_push: 1,
            queue: VecDeque::new(),
            ephemeral: VecDeque::new(),
            receipts: BTreeMap::new(),
            typing: BTreeMap::new(),
            presence: BTreeMap::new(),
            asked_for: BTreeSet::new(),
            deliveries: Vec::new(),
            counter: 0,
        }
    }

    pub(super) fn restart(&mut self) {
        self.answered.clear();
        self.ephemeral.clear();
        self.typing.clear();
    }

    pub(super) fn take_push_id(&mut self) -> u64 {
        let id = self.next_push;
        self.next_push += 1;
        id
    }

    pub(super) fn count(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    /// The sender of the registration.
    pub(super) fn sender(&self) -> String {
        format!("@{}:{}", self.options.sender_localpart, self.options.server_name)
    }

    /// Whether the id is in the application service's namespace.
    pub(super) fn in_namespace(&self, mxid: &str) -> bool {
        (self.options.covers_ghosts && self.ghosts.nova_user(mxid).is_some()) || mxid == self.sender()
    }

    pub(super) fn ensure_user(&mut self, mxid: &str) {
        self.accounts.entry(mxid.to_owned()).or_default();
    }

    pub(super) fn room(&self, id: &str) -> Answer<&Room> {
        self.rooms
            .get(id)
            .map_or_else(|| refuse(404, "M_NOT_FOUND", "Unknown room"), Ok)
    }

    /// Puts an event into a room, without asking whether it may be there.
    pub(super) fn append(
        &mut self,
        room: &str,
        sender: &str,
        event_type: &str,
        key: Option<&str>,
        content: impl Into<Value>,
    ) -> String {
        self.append_with(room, sender, event_type, key, &content.into(), Map::new())
    }

    pub(super) fn append_with(
        &mut self,
        room_id: &str,
        sender: &str,
        event_type: &str,
        key: Option<&str>,
        content: &Value,
        more: Map<String, Value>,
    ) -> String {
        let server = sender.split_once(':').map_or("", |(_, server)| server);
        let id = format!("$e{}:{server}", self.count());
        let mut event = json!({
            "type": event_type, "room_id": room_id, "sender": sender, "event_id": id, "content": content,
            "origin_server_ts": SystemClock.now().timestamp_millis() + self.clock_is_off_by_ms, "unsigned": { "age": 1 },
        });
        event.as_object_mut().unwrap().extend(more);
        let room = self.rooms.get_mut(room_id).unwrap();
        if let Some(key) = key {
            event["state_key"] = key.into();
            if event_type == "m.room.member" && event["content"]["membership"] == "invite" {
                event["unsigned"]["invite_room_state"] = stripped(room, sender);
            }
            if let Some(old) = room
                .state
                .insert((event_type.to_owned(), key.to_owned()), event.clone())
            {
                event["unsigned"]["prev_content"] = old["content"].clone();
                event["unsigned"]["replaces_state"] = old["event_id"].clone();
            }
        }
        room.timeline.push(event.clone());
        if self.is_pushed(room_id, &event) {
            self.queue.push_back(event);
        }
        id
    }

    /// Whether the application service is told of an event: Synapse's rule, aliases aside.
    fn is_pushed(&self, room: &str, event: &Value) -> bool {
        let is_ghost = |value: &Value| value.as_str().is_some_and(|user| self.in_namespace(user));
        is_ghost(&event["sender"])
            || (event["type"] == "m.room.member" && is_ghost(&event["state_key"]))
            || self.has_ghost(room)
    }

    fn has_ghost(&self, room: &str) -> bool {
        let is_there = |room: &Room| {
            let mut members = room.state.keys().filter(|(kind, _)| kind == "m.room.member");
            members.any(|(_, user)| self.in_namespace(user) && room.membership(user) == "join")
        };
        self.room(room).is_ok_and(is_there)
    }

    /// Somebody has been in a room for long, and the application service was not told.
    pub(super) fn was_there(&mut self, room: &str, user: &str) {
        self.ensure_user(user);
        let event = json!({
            "type": "m.room.member", "room_id": room, "sender": user, "state_key": user, "content": { "membership": "join" },
            "event_id": format!("$e{}:there", self.count()), "origin_server_ts": 1_700_000_000_000_u64,
        });
        let room = self.rooms.get_mut(room).unwrap();
        room.state.insert(("m.room.member".to_owned(), user.to_owned()), event);
    }

    /// Somebody has read a room up to an event. As in Synapse, the application service is told, of its own users too.
    pub(super) fn receipt(&mut self, room: &str, user: &str, kind: &str, event: &str) -> Answer<()> {
        self.require_joined(room, user)?;
        if !self.room(room)?.timeline.iter().any(|it| it["event_id"] == event) {
            return refuse(404, "M_NOT_FOUND", "Unknown event");
        }
        self.receipts
            .insert((room.to_owned(), user.to_owned(), kind.to_owned()), event.to_owned());
        let content = json!({ event: { kind: { user: { "ts": 1_700_000_000_000_u64 } } } });
        self.ephemeral(room, "m.receipt", &content);
        Ok(())
    }

    /// Somebody begins or ends to type. Everybody who types is told at once, and only what is new.
    pub(super) fn set_typing(&mut self, room: &str, user: &str, typing: bool) -> Answer<()> {
        self.require_joined(room, user)?;
        let typists = self.typing.entry(room.to_owned()).or_default();
        let news = if typing {
            typists.insert(user.to_owned())
        } else {
            typists.remove(user)
        };
        if news {
            let content = json!({ "user_ids": typists });
            self.ephemeral(room, "m.typing", &content);
        }
        Ok(())
    }

    /// Somebody is there, or not.
    pub(super) fn set_presence(&mut self, user: &str, presence: &str, currently_active: bool) {
        self.presence.insert(user.to_owned(), presence.to_owned());
        let content = json!({ "presence": presence, "currently_active": currently_active, "last_active_ago": 0 });
        self.ephemeral
            .push_back(json!({ "type": "m.presence", "sender": user, "content": content }));
    }

    /// Puts an ephemeral event into a room; nobody keeps it.
    pub(super) fn ephemeral(&mut self, room: &str, event_type: &str, content: &Value) {
        if self.has_ghost(room) {
            self.ephemeral
                .push_back(json!({ "type": event_type, "room_id": room, "content": content }));
        }
    }

    /// For the message of a test that waited in vain.
    pub(super) fn summary(&self) -> String {
        let rooms = self.rooms.values().map(|room| {
            let last = room
                .timeline
                .iter()
                .rev()
                .take(8)
                .map(|event| format!("\n    {} {} {}", event["type"], event["sender"], event["content"]));
            format!("\n  {} (newest first):{}", room.id, last.collect::<String>())
        });
        let last = self
            .requests
            .iter()
            .rev()
            .take(8)
            .map(|request| format!("\n  {} {}", request.method, request.target));
        format!(
            "{} events to push, last deliveries {:?}, rooms:{}\nlast requests (newest first):{}",
            self.queue.len(),
            self.deliveries.iter().rev().take(3).collect::<Vec<_>>(),
            rooms.collect::<String>(),
            last.collect::<String>()
        )
    }
}

/// What an invite shows of the room, and of who invites.
fn stripped(room: &Room, inviter: &str) -> Value {
    let shown = [
        "m.room.create",
        "m.room.name",
        "m.room.avatar",
        "m.room.topic",
        "m.room.join_rules",
        "m.room.canonical_alias",
        "m.room.encryption",
    ];
    let events = room.state.values().filter(|event| {
        shown.iter().any(|shown| event["type"] == *shown)
            || (event["type"] == "m.room.member" && event["state_key"] == inviter)
    });
    events
        .map(|event| json!({ "type": event["type"], "state_key": event["state_key"], "sender": event["sender"], "content": event["content"] }))
        .collect()
}
