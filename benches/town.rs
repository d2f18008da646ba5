//! Who talks where: Nova users, Matrix users, rooms; and what Synapse pushes about them.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use uuid::Uuid;

use crate::line;

/// The homeserver's name.
pub(crate) const DOMAIN: &str = "bench.example";

/// How many Nova users have the rooms among them; each has one socket.
pub(crate) const USERS: usize = 100;

/// What the homeserver shows the application service.
pub(crate) const HS_TOKEN: &str = "benchmark-hs-token";

/// A Nova user.
pub(crate) fn user(number: usize) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("user {number}").as_bytes())
}

/// Whose room it is.
pub(crate) fn owner(room: usize) -> usize {
    room % USERS
}

/// A room of one Matrix user and one Nova user. All pairs are different.
pub(crate) fn room_id(room: usize) -> String {
    format!("!room{room}:{DOMAIN}")
}

fn partner(room: usize) -> String {
    format!("@matrix{}:{DOMAIN}", room / USERS)
}

/// The invite that makes a conversation of a room.
pub(crate) fn invite(room: usize) -> Value {
    state_of(&room_id(room), &partner(room), user(owner(room)), true)
}

/// The invite of one more Nova user into a group.
pub(crate) fn invite_to_group(room: &str, number: usize) -> Value {
    state_of(room, &format!("@host:{DOMAIN}"), user(number), false)
}

fn state_of(room: &str, sender: &str, user: Uuid, direct: bool) -> Value {
    let mut content = json!({ "membership": "invite" });
    if direct {
        content["is_direct"] = json!(true);
    }
    json!({
        "type": "m.room.member", "event_id": event_id("i"), "room_id": room, "sender": sender, "user_id": sender,
        "state_key": format!("@nova-{user}:{DOMAIN}"), "origin_server_ts": now(), "content": content,
        "unsigned": { "age": 5 }, "age": 5,
    })
}

/// A text of about 100 bytes, in an event as Synapse pushes it.
pub(crate) fn message(room: &str, sender: &str, number: usize) -> Value {
    let body =
        format!("Message number {number:08}: the quick brown fox jumps over the lazy dog, and over the fence, too.");
    json!({
        "type": "m.room.message", "event_id": event_id("m"), "room_id": room, "sender": sender, "user_id": sender,
        "origin_server_ts": now(), "content": { "msgtype": "m.text", "body": body, "m.mentions": {} },
        "unsigned": { "age": 12 }, "age": 12,
    })
}

/// What the Matrix user of a room says about a call.
pub(crate) fn call_event(room: usize, kind: &str, content: &Value) -> Value {
    event(&room_id(room), &partner(room), kind, content)
}

/// What somebody does in a room.
pub(crate) fn event(room: &str, sender: &str, kind: &str, content: &Value) -> Value {
    json!({
        "type": kind, "event_id": event_id("c"), "room_id": room, "sender": sender, "user_id": sender,
        "origin_server_ts": now(), "content": content, "unsigned": { "age": 5 }, "age": 5,
    })
}

/// As long as a real one.
fn event_id(kind: &str) -> String {
    format!("${kind}{}{}", Uuid::new_v4().simple(), "x".repeat(10))
}

#[expect(clippy::disallowed_methods, reason = "Synapse has its own clock")]
fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_millis()
        .try_into()
        .unwrap()
}

/// What goes wrong among the events on purpose.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Flaws {
    /// One event in so many was pushed before.
    pub(crate) duplicate: Option<usize>,
    /// One event in so many is for a room that nobody knows.
    pub(crate) unknown: Option<usize>,
}

/// People talking in rooms, in turn.
pub(crate) struct Talk {
    rooms: usize,
    said: usize,
    transactions: usize,
}

/// Transactions, ready to be sent.
pub(crate) struct Push {
    /// The requests.
    pub(crate) requests: Vec<Vec<u8>>,
    /// How many events they hold.
    pub(crate) events: usize,
    /// How many of these are shown to somebody.
    pub(crate) shown: usize,
}

impl Talk {
    pub(crate) fn new(rooms: usize) -> Self {
        Self {
            rooms,
            said: 0,
            transactions: 0,
        }
    }

    /// So many transactions of so many events, each in another room.
    pub(crate) fn push(&mut self, transactions: usize, events: usize, flaws: Flaws) -> Push {
        let mut push = Push {
            requests: Vec::with_capacity(transactions),
            events: transactions * events,
            shown: 0,
        };
        let mut earlier: Option<Value> = None;
        for _ in 0..transactions {
            let batch = (0..events).map(|_| {
                self.said += 1;
                let hit = |one_in: Option<usize>| one_in.is_some_and(|it| self.said.is_multiple_of(it));
                if hit(flaws.duplicate)
                    && let Some(earlier) = &earlier
                {
                    return earlier.clone();
                }
                let room = (self.said * 7919) % self.rooms;
                if hit(flaws.unknown) {
                    return message(&format!("!nobody{room}:{DOMAIN}"), &partner(room), self.said);
                }
                push.shown += 1;
                let event = message(&room_id(room), &partner(room), self.said);
                earlier = Some(event.clone());
                event
            });
            let events: Vec<Value> = batch.collect();
            self.transactions += 1;
            push.requests.push(transaction(self.transactions, &events));
        }
        push
    }
}

/// A transaction as a request.
pub(crate) fn transaction(number: usize, events: &[Value]) -> Vec<u8> {
    transaction_with(number, events, &[])
}

/// One with something that passes by.
pub(crate) fn transaction_with(number: usize, events: &[Value], ephemeral: &[Value]) -> Vec<u8> {
    let path = format!("/_matrix/app/v1/transactions/{number}");
    let body = json!({ "events": events, "ephemeral": ephemeral });
    line::put(&path, HS_TOKEN, &body.to_string())
}
