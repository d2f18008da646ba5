//! A place as each side shows it.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::Value;

use crate::cast::{Cast, Place};
use crate::plan::Reaction;
use crate::support::nova::id_of;

/// A message as one side has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Heard {
    /// The Matrix id.
    pub(crate) sender: String,
    pub(crate) text: String,
    pub(crate) event: String,
    pub(crate) is_picture: bool,
}

/// One side of a place.
#[derive(Debug, Default)]
pub(crate) struct Side {
    pub(crate) heard: Vec<Heard>,
    pub(crate) reactions: BTreeSet<Reaction>,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// What Element shows of these events: what is redacted is left out, and the newest edit is shown, as Synapse says it.
pub(crate) fn element(place: &Place, events: &[Value]) -> Side {
    let mut side = Side::default();
    let mut markers = HashSet::new();
    for event in events {
        let content = &event["content"];
        if let Some(marker) = content["social.nova.id"].as_str() {
            assert!(
                markers.insert(marker),
                "{}: two events are one thing said: {event}",
                place.name
            );
        }
        let is_edit = content["m.relates_to"]["rel_type"] == "m.replace";
        if event["type"] != "m.room.message" || is_edit || content.get("body").is_none() {
            continue;
        }
        let edit = &event["unsigned"]["m.relations"]["m.replace"]["content"]["m.new_content"];
        let body = edit.get("body").unwrap_or(&content["body"]);
        side.heard.push(Heard {
            sender: text(&event["sender"]),
            text: text(body),
            event: text(&event["event_id"]),
            is_picture: content["msgtype"] == "m.image" && content["url"].is_string(),
        });
    }
    let texts: HashMap<&str, &str> = side.heard.iter().map(|it| (&*it.event, &*it.text)).collect();
    let mut reactions = BTreeSet::new();
    for event in events.iter().filter(|event| event["type"] == "m.reaction") {
        let relation = &event["content"]["m.relates_to"];
        let target = relation["event_id"].as_str();
        if let Some(said) = target.and_then(|target| texts.get(target)) {
            let reaction = ((*said).to_owned(), text(&event["sender"]), text(&relation["key"]));
            assert!(reactions.insert(reaction), "{}: twice: {event}", place.name);
        }
    }
    side.reactions = reactions;
    side
}

/// What Nova's list shows. Who reacted is told by frames alone: see [`reactions_by_frames`].
pub(crate) fn nova(cast: &Cast, place: &Place, list: &[Value]) -> Vec<Heard> {
    let names = names(cast);
    let mut before = 0;
    let mut heard = Vec::new();
    for message in list {
        let number = message["sequence_number"].as_u64().unwrap();
        assert!(number > before, "{}: {message}", place.name);
        before = number;
        let delivery = message.get("delivery_status");
        assert!(
            delivery.is_none_or(|status| status == "sent"),
            "{}: {message}",
            place.name
        );
        heard.push(Heard {
            sender: names[message["sender_id"].as_str().unwrap()].clone(),
            text: text(&message["content"]),
            event: text(&message["matrix_event_id"]),
            is_picture: message["message_type"] == "image" && message["media_url"].is_string(),
        });
    }
    heard
}

/// How many show which emoji, for each message of a list.
pub(crate) fn tallies(list: &[Value]) -> BTreeSet<(String, String, u64)> {
    let tallies = list.iter().flat_map(|message| {
        let of = |tally: &Value| {
            let count = tally["count"].as_u64().unwrap();
            (text(&message["content"]), text(&tally["emoji"]), count)
        };
        message["reactions"].as_array().unwrap().iter().map(of)
    });
    tallies.collect()
}

/// The reactions that a client knows of which has seen these frames, to the messages that are listed.
pub(crate) fn reactions_by_frames<'a>(
    cast: &Cast,
    list: &[Value],
    frames: impl Iterator<Item = &'a Value>,
) -> BTreeSet<Reaction> {
    let names = names(cast);
    let texts: HashMap<String, String> = list.iter().map(|it| (id_of(it), text(&it["content"]))).collect();
    let mut reactions = BTreeSet::new();
    for frame in frames {
        let added = match frame["type"].as_str() {
            Some("reaction.added") => true,
            Some("reaction.removed") => false,
            _ => continue,
        };
        let Some(said) = texts.get(frame["message_id"].as_str().unwrap()) else {
            continue;
        };
        let reaction = (
            said.clone(),
            names[frame["user_id"].as_str().unwrap()].clone(),
            text(&frame["emoji"]),
        );
        let is_news = if added {
            reactions.insert(reaction)
        } else {
            reactions.remove(&reaction)
        };
        assert!(is_news, "told twice: {frame}");
    }
    reactions
}

/// Nova's ids as Matrix ids.
pub(crate) fn names(cast: &Cast) -> HashMap<String, String> {
    let nova = cast
        .nova
        .iter()
        .map(|person| (person.user.id.to_string(), person.user.mxid.clone()));
    let matrix = cast.matrix.iter().map(|user| {
        let id = nova_bridge::domain::ghost::matrix_user_id(&user.id);
        (id.to_string(), user.id.clone())
    });
    nova.chain(matrix).collect()
}
