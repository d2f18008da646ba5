//! What people really do: of twenty things twelve are texts, three reactions, two edits, two receipts, and one is typing.

use serde_json::{Value, json};

use crate::runs::{Bench, drive, tell};
use crate::town::{self, DOMAIN, Push, USERS};

/// Rooms with one Nova user and two Matrix users each.
const ROOMS: usize = USERS;

/// Twenties in a transaction.
const TWENTIES: usize = 5;

/// Acts on what was said in the transaction before.
const REACTIONS: usize = 3;
const EDITS: usize = 2;
const RECEIPTS: usize = 2;
const TEXTS: usize = 12;

fn room(number: usize) -> String {
    format!("!mixed{number}:{DOMAIN}")
}

fn host() -> String {
    format!("@host:{DOMAIN}")
}

fn reader() -> String {
    format!("@reader:{DOMAIN}")
}

/// Who comes to a room, in this order.
fn opening(number: usize) -> [Value; 2] {
    let mut came = town::event(
        &room(number),
        &reader(),
        "m.room.member",
        &json!({ "membership": "join" }),
    );
    came["state_key"] = json!(reader());
    [town::invite_to_group(&room(number), number), came]
}

/// People who talk, and what they said last.
#[derive(Default)]
struct Crowd {
    said: usize,
    /// Room and event of each text of the transaction before.
    last: Vec<(String, String)>,
}

impl Crowd {
    fn push(&mut self, first: usize, transactions: usize) -> Push {
        let mut push = Push {
            requests: Vec::with_capacity(transactions),
            events: 0,
            shown: 0,
        };
        for number in first..first + transactions {
            let (events, ephemeral, shown) = self.transaction();
            push.events += events.len() + ephemeral.len();
            push.shown += shown;
            push.requests.push(town::transaction_with(number, &events, &ephemeral));
        }
        push
    }

    /// The events, what passes by, and how much of it is shown and counted.
    fn transaction(&mut self) -> (Vec<Value>, Vec<Value>, usize) {
        let (mut events, mut ephemeral) = (Vec::new(), Vec::new());
        let before = std::mem::take(&mut self.last);
        let mut shown = 0;
        for twenty in 0..TWENTIES {
            for _ in 0..TEXTS {
                self.said += 1;
                let room = room(self.said * 37 % ROOMS);
                let text = town::message(&room, &host(), self.said);
                self.last.push((room, text["event_id"].as_str().unwrap().to_owned()));
                events.push(text);
            }
            shown += TEXTS;
            let mut targets = before.iter().skip(twenty * TEXTS);
            for (room, target) in targets.by_ref().take(REACTIONS) {
                let about = json!({ "rel_type": "m.annotation", "event_id": target, "key": "👍" });
                let content = json!({ "m.relates_to": about });
                events.push(town::event(room, &reader(), "m.reaction", &content));
                shown += 1;
            }
            for (room, target) in targets.by_ref().take(EDITS) {
                let text = json!({ "msgtype": "m.text", "body": "What was meant is something else." });
                let content = json!({
                    "msgtype": "m.text", "body": "* What was meant is something else.", "m.new_content": text,
                    "m.relates_to": { "rel_type": "m.replace", "event_id": target },
                });
                events.push(town::event(room, &host(), "m.room.message", &content));
                shown += 1;
            }
            for (room, target) in targets.by_ref().take(RECEIPTS) {
                let read = json!({ target: { "m.read": { reader(): { "ts": 1 } } } });
                ephemeral.push(json!({ "type": "m.receipt", "room_id": room, "content": read }));
                shown += 1;
            }
            // Who types is told in passing, and not counted.
            let people = [host(), reader()];
            let typing = json!({ "user_ids": people[self.said / TEXTS % 2..][..1] });
            ephemeral.push(json!({ "type": "m.typing", "room_id": room(self.said % ROOMS), "content": typing }));
        }
        (events, ephemeral, shown)
    }
}

impl Bench {
    /// Mixed traffic from Synapse: how much of it is taken and shown, and what memory it takes.
    pub(crate) async fn mixed(&mut self) {
        tell("mixed traffic");
        self.people(self.sizes.rooms[0]).await;
        for number in 0..ROOMS {
            self.send_events(&opening(number));
        }
        self.homeserver.settle().await;
        let listeners = self.listeners().await;
        let mut crowd = Crowd::default();
        for round in 0..=self.sizes.rounds {
            let transactions = self.sizes.mixed;
            let push = crowd.push(self.take_numbers(transactions), transactions);
            let (used, count) = (self.bridge.process.processor(), push.events);
            let run = drive(self.bridge.appservice, &listeners, push).await;
            let used = self.bridge.process.processor() - used;
            self.measure_floor(self.sizes.rooms[0]).await;
            if round > 0 {
                let name = "mixed, 100 a transaction, bridge";
                run.tell(&mut self.results, name);
                self.results.add(
                    format!("{name}, processor s per 10k events"),
                    used / count as f64 * 10_000.0,
                );
                let resident = self.bridge.process.resident() / 1e6;
                self.results.add("mixed, resident MB", resident);
            }
        }
        listeners.leave().await;
    }
}
