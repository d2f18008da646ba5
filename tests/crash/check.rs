//! What must hold once everything has come to rest.

use std::collections::{HashMap, HashSet};

use reqwest::Method;
use serde_json::Value;

use crate::burst::Ledger;
use crate::cast::{Cast, Place};
use crate::support::api::Api;
use crate::support::sync::Room;
use crate::support::wait::until;

/// A message as one side has it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Heard {
    /// The Matrix id.
    sender: String,
    text: String,
}

/// How often the bridge has looked into the rooms, since it was started.
pub(crate) async fn catch_ups(cast: &Cast) -> u64 {
    let metrics = Api::new(cast.world.env.get("METRICS_URL"), "").get("/metrics").await;
    let mut lines = metrics.as_str().unwrap().lines();
    let value = lines.find_map(|line| line.strip_prefix("nova_bridge_catch_ups_total "));
    value.unwrap().parse().unwrap()
}

/// Waits until the bridge has noticed the blow, however short it was, and looked for what Synapse may have lost by it.
pub(crate) async fn caught_up(cast: &Cast, before: u64) {
    until("the rooms are looked into", async || {
        (catch_ups(cast).await > before).then_some(())
    })
    .await;
}

/// Waits until nothing is on its way any more. The last message of the round is what everybody has to see.
pub(crate) async fn drained(cast: &Cast, round: usize, ledger: &mut Ledger) {
    until("the outbox is empty", async || {
        let health = cast.world.bridge_admin.attempt(Method::GET, "/health", None).await;
        let (200, health) = health.ok()? else { return None };
        (health["outbox_waiting"] == 0).then_some(())
    })
    .await;
    // Synapse pushes in the order of its stream, so what was before this one has been pushed.
    let (place, sender) = (&cast.places[0], &cast.matrix[0]);
    let end = format!("the end of round {round}");
    sender.say(&place.room, &end).await;
    ledger.entry((0, sender.id.clone())).or_default().push(end.clone());
    for person in &cast.nova {
        person.client.hears(&end).await;
    }
}

/// Everything that was ever said, on both sides and on every socket.
pub(crate) async fn all_is_there(cast: &Cast, ledger: &Ledger) {
    for (n, place) in cast.places.iter().enumerate() {
        let events = cast.reader(place).history(&place.room).await;
        let messages: Vec<&Value> = events
            .iter()
            .filter(|event| event["type"] == "m.room.message")
            .collect();
        let in_element: Vec<Heard> = messages
            .iter()
            .map(|event| heard(&event["sender"], &event["content"]["body"]))
            .collect();
        no_marker_twice(place, &messages);

        let person = &cast.nova[place.nova[0]];
        let list = person.user.history(&place.conversation).await;
        let names = names(cast);
        let sender = |message: &Value| &names[message["sender_id"].as_str().unwrap()];
        let in_nova: Vec<Heard> = list
            .iter()
            .map(|message| heard(sender(message), &message["content"]))
            .collect();
        for (index, message) in list.iter().enumerate() {
            assert_eq!(message["sequence_number"], index + 1, "{}: {message}", place.name);
            let delivery = message.get("delivery_status");
            assert!(
                delivery.is_none_or(|status| status == "sent"),
                "{}: {message}",
                place.name
            );
            assert!(message["matrix_event_id"].is_string(), "{}: {message}", place.name);
        }
        in_step_with(ledger, n, place, "Element", &in_element);
        in_step_with(ledger, n, place, "Nova", &in_nova);
        let pushed = in_stream_order(cast, place, in_element.len()).await;
        let from_matrix = |side: &[Heard]| -> Vec<Heard> {
            side.iter()
                .filter(|heard| !heard.sender.starts_with("@nova-"))
                .cloned()
                .collect()
        };
        assert_eq!(
            from_matrix(&pushed),
            from_matrix(&in_nova),
            "{}: the order of Synapse",
            place.name
        );
        on_the_sockets(cast, place, &list);
    }
    let rooms: Vec<&str> = cast.places.iter().map(|place| place.room.as_str()).collect();
    assert_eq!(
        cast.world.dead_letters(&rooms).await,
        Vec::<Value>::new(),
        "dead letters"
    );
}

fn heard(sender: &Value, text: &Value) -> Heard {
    Heard {
        sender: sender.as_str().unwrap().to_owned(),
        text: text.as_str().unwrap().to_owned(),
    }
}

/// What a syncing client has seen. Synapse pushes and syncs in the order of its stream; `/messages` sorts what was said at
/// the same moment by depth instead.
async fn in_stream_order(cast: &Cast, place: &Place, count: usize) -> Vec<Heard> {
    let said = |room: &Room| {
        let heard = |(sender, text): (&str, &str)| Heard {
            sender: sender.to_owned(),
            text: text.to_owned(),
        };
        let said: Vec<Heard> = room.said().into_iter().map(heard).collect();
        (said.len() >= count).then_some(said)
    };
    cast.reader(place).sees_in(&place.room, "everything", said).await
}

/// Nova's ids as Matrix ids.
fn names(cast: &Cast) -> HashMap<String, Value> {
    let nova = cast
        .nova
        .iter()
        .map(|person| (person.user.id.to_string(), Value::from(person.user.mxid.as_str())));
    let matrix = cast.matrix.iter().map(|user| {
        let id = nova_bridge::domain::ghost::matrix_user_id(&user.id);
        (id.to_string(), Value::from(user.id.as_str()))
    });
    nova.chain(matrix).collect()
}

/// Each sender's messages: all, once, in the order in which they were said.
fn in_step_with(ledger: &Ledger, n: usize, place: &Place, side: &str, all: &[Heard]) {
    let mut said = 0;
    for ((_, sender), wanted) in ledger.iter().filter(|((place, _), _)| *place == n) {
        let theirs: Vec<&str> = all
            .iter()
            .filter(|heard| heard.sender == *sender)
            .map(|heard| heard.text.as_str())
            .collect();
        if theirs != *wanted {
            let missing: Vec<&String> = wanted.iter().filter(|text| !theirs.contains(&text.as_str())).collect();
            let mut once = HashSet::new();
            let twice: Vec<&&str> = theirs.iter().filter(|text| !once.insert(**text)).collect();
            let at = theirs.iter().zip(wanted).position(|(one, other)| one != other);
            panic!(
                "{side}, {}, {sender}: missing {missing:?}, twice {twice:?}, out of order at {at:?}",
                place.name
            );
        }
        said += wanted.len();
    }
    assert_eq!(all.len(), said, "{side}, {}: nothing else was said", place.name);
}

fn no_marker_twice(place: &Place, messages: &[&Value]) {
    let mut markers = HashSet::new();
    for event in messages {
        if let Some(marker) = event["content"]["social.nova.id"].as_str() {
            assert!(
                markers.insert(marker),
                "{}: two events are one message: {event}",
                place.name
            );
        }
    }
}

/// Every socket of a member, over all its connections, saw each message once and in order. The client keeps its cursor
/// together with what it has seen, so nothing may come twice either.
fn on_the_sockets(cast: &Cast, place: &Place, list: &[Value]) {
    for person in place.nova.iter().map(|n| &cast.nova[*n]) {
        let log = person.client.log();
        let seen: Vec<&Value> = log.messages(&place.conversation).map(|frame| &frame["id"]).collect();
        let wanted: Vec<&Value> = list.iter().map(|message| &message["id"]).collect();
        if seen != wanted {
            let missing: Vec<&Value> = list
                .iter()
                .filter(|message| !seen.contains(&&message["id"]))
                .map(|it| &it["content"])
                .collect();
            let at = seen.iter().zip(&wanted).position(|(one, other)| one != other);
            panic!(
                "the socket of {} in {}: saw {} of {}, missing {missing:?}, out of order at {at:?}",
                person.user.username,
                place.name,
                seen.len(),
                wanted.len()
            );
        }
    }
}
