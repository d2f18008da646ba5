//! What must hold once everything has come to rest.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use reqwest::Method;
use serde_json::Value;

use crate::cast::{Cast, Place};
use crate::plan::Ledger;
use crate::sides::{self, Heard};
use crate::support::api::Api;
use crate::support::socket::Log;
use crate::support::sync::Room;
use crate::support::wait::until;

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
    ledger.says(0, &sender.id, &end);
    for person in &cast.nova {
        person.client.hears(&end).await;
    }
}

/// Everything that was ever said and done, on both sides and on every socket.
pub(crate) async fn all_is_there(cast: &Cast, ledger: &Ledger) {
    for (n, place) in cast.places.iter().enumerate() {
        let events = cast.reader(place).history(&place.room).await;
        let in_element = sides::element(place, &events);
        let person = &cast.nova[place.nova[0]];
        let list = person.user.history(&place.conversation).await;
        let in_nova = sides::nova(cast, place, &list);
        for (side, heard) in [("Element", &in_element.heard), ("Nova", &in_nova)] {
            in_step_with(ledger, n, place, side, heard);
            for it in heard {
                let wanted = ledger.pictures.contains(&(n, it.text.clone()));
                assert_eq!(it.is_picture, wanted, "{side}, {}: a picture: {it:?}", place.name);
            }
        }
        in_the_order_of_synapse(cast, place, &in_nova).await;

        let wanted = ledger.reactions.get(&n).cloned().unwrap_or_default();
        assert_eq!(
            in_element.reactions, wanted,
            "Element, {}: the reactions, and those that should be there",
            place.name
        );
        let mut tallies: BTreeMap<(String, String), u64> = BTreeMap::new();
        for (text, _, emoji) in wanted.iter().cloned() {
            *tallies.entry((text, emoji)).or_default() += 1;
        }
        let tallies: BTreeSet<(String, String, u64)> = tallies
            .into_iter()
            .map(|((text, emoji), count)| (text, emoji, count))
            .collect();
        assert_eq!(sides::tallies(&list), tallies, "Nova, {}: the reactions", place.name);
        for person in place.nova.iter().map(|n| &cast.nova[*n]) {
            let (name, log) = (&person.user.username, person.client.log());
            on_a_socket(place, &list, name, &log);
            let seen = sides::reactions_by_frames(cast, &list, log.frames.iter());
            assert_eq!(seen, wanted, "the socket of {name} in {}: the reactions", place.name);
        }
    }
    let rooms: Vec<&str> = cast.places.iter().map(|place| place.room.as_str()).collect();
    assert_eq!(
        cast.world.dead_letters(&rooms).await,
        Vec::<Value>::new(),
        "dead letters"
    );
}

/// How far Nova users have read is known in Matrix. What is read in Element while the bridge is away Synapse never pushes: it
/// keeps the events of a transaction that fails, and nothing else of it.
pub(crate) async fn all_is_read(cast: &Cast, ledger: &Ledger) {
    let names = sides::names(cast);
    for ((n, who), sequence) in &ledger.read {
        let place = &cast.places[*n];
        let list = cast.nova[place.nova[0]].user.history(&place.conversation).await;
        let newest = list.iter().find(|it| it["sequence_number"] == *sequence);
        // Whoever says something has read what was there, as everybody knows without being told.
        let by_others = |it: &&Value| names[it["sender_id"].as_str().unwrap()] != *who;
        let Some(message) = newest.filter(by_others) else {
            continue;
        };
        let what = format!("that {who} has read {} in {}", message["content"], place.name);
        let read = |room: &Room| {
            let at = |id: &str| room.timeline.iter().position(|event| event["event_id"] == id);
            let read = at(room.receipt("m.read", who)?)?;
            (read >= at(message["matrix_event_id"].as_str()?)?).then_some(())
        };
        cast.reader(place).sees_in(&place.room, &what, read).await;
    }
}

/// What came from Matrix has in Nova the order that Synapse gives it. It has two: it pushes and syncs in the order of its
/// stream, and `/messages`, from which the bridge takes what was not pushed, sorts what was said at the same moment by depth.
/// Where they agree, there is only one.
async fn in_the_order_of_synapse(cast: &Cast, place: &Place, in_nova: &[Heard]) {
    let theirs: Vec<&str> = in_nova
        .iter()
        .filter(|heard| !heard.sender.starts_with("@nova-"))
        .map(|heard| heard.event.as_str())
        .collect();
    let known: HashSet<&str> = theirs.iter().copied().collect();
    let in_sync = |room: &Room| {
        let ids = room.timeline.iter().filter_map(|event| event["event_id"].as_str());
        let ids: Vec<String> = ids.filter(|id| known.contains(id)).map(str::to_owned).collect();
        (ids.len() == theirs.len()).then_some(ids)
    };
    let reader = cast.reader(place);
    let pushed = reader.sees_in(&place.room, "everything", in_sync).await;
    if pushed == theirs {
        return;
    }
    let history = reader.history(&place.room).await;
    let in_history = history.iter().filter_map(|event| event["event_id"].as_str());
    let in_sync: HashMap<&str, usize> = pushed.iter().map(String::as_str).zip(0..).collect();
    let in_history: HashMap<&str, usize> = in_history.zip(0..).collect();
    for (n, late) in theirs.iter().enumerate() {
        for early in &theirs[..n] {
            assert!(
                in_sync[early] < in_sync[late] || in_history[early] < in_history[late],
                "{}: {early} stands before {late}, and never does in Synapse",
                place.name
            );
        }
    }
}

/// Each sender's messages: all, once, in the order in which they were said.
fn in_step_with(ledger: &Ledger, n: usize, place: &Place, side: &str, all: &[Heard]) {
    let mut said = 0;
    for ((_, sender), wanted) in ledger.said.iter().filter(|((place, _), _)| *place == n) {
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

/// A socket of a member, over all its connections, saw each message once and in order, and how it was left. The client keeps
/// its cursor together with what it has seen, so nothing may come twice either.
fn on_a_socket(place: &Place, list: &[Value], name: &str, log: &Log) {
    let mut texts: HashMap<&str, &Value> = HashMap::new();
    let mut seen: Vec<&str> = Vec::new();
    let here = |frame: &&Value| frame["conversation_id"] == place.conversation.as_str();
    for frame in log.frames.iter().filter(here) {
        match frame["type"].as_str().unwrap() {
            "message.new" => {
                let id = frame["id"].as_str().unwrap();
                assert!(
                    texts.insert(id, &frame["content"]).is_none(),
                    "{name} saw it twice: {frame}"
                );
                seen.push(id);
            }
            "message.edited" => {
                let id = frame["message_id"].as_str().unwrap();
                assert!(
                    texts.insert(id, &frame["content"]).is_some(),
                    "{name} did not see it: {frame}"
                );
            }
            "message.deleted" => {
                let id = frame["message_id"].as_str().unwrap();
                texts.remove(id);
                seen.retain(|it| *it != id);
            }
            _ => {}
        }
    }
    let wanted: Vec<&str> = list.iter().map(|message| message["id"].as_str().unwrap()).collect();
    let at = seen.iter().zip(&wanted).position(|(one, other)| one != other);
    let missing: Vec<&Value> = list
        .iter()
        .filter(|message| !seen.contains(&message["id"].as_str().unwrap()))
        .map(|it| &it["content"])
        .collect();
    assert!(
        seen == wanted,
        "the socket of {name} in {}: saw {} of {}, missing {missing:?}, out of order at {at:?}",
        place.name,
        seen.len(),
        wanted.len()
    );
    for message in list {
        let shown = texts[message["id"].as_str().unwrap()];
        assert_eq!(
            *shown, message["content"],
            "the socket of {name} in {}: as it was left",
            place.name
        );
    }
}
