//! Writes what the bridge sends: messages, rooms and their state. Pure, and pinned by snapshots.

use std::collections::BTreeMap;

use ruma::UserId;
use serde_json::{Map, Value, json};

use super::media;
use crate::domain::conversation::{Conversation, Kind};
use crate::domain::ids::{ActId, ConversationId, MessageId, OutboxId};
use crate::domain::mention::Addressed;
use crate::domain::message::{Style, Text, shortened};
use crate::domain::pin::Needs;
use crate::domain::power::Role;
use crate::matrix::Profile;

/// The key under which every event that the bridge sends carries its Nova id (architecture §2).
pub const MARKER: &str = "social.nova.id";

/// The key that marks a notice of the bridge itself, which is nobody's message.
pub const NOTICE_MARKER: &str = "social.nova.notice";

/// The key of what an event has to do with another one.
const RELATION: &str = "m.relates_to";

/// The key of whom an event addresses.
const MENTIONS: &str = "m.mentions";

/// How much of an edited text is repeated for clients that know of no edits, in bytes.
const FALLBACK_BYTES: usize = 1000;

/// The room version of portals. In 12 and later the invited user of a `trusted_private_chat` stands above every power
/// level, and Element would offer Element Call, which no Nova client can answer, in place of the ordinary call.
pub(super) const ROOM_VERSION: &str = "11";

/// The content of `m.room.message` for what a Nova user says. A file that it carries is on the homeserver.
#[must_use]
pub fn message(id: MessageId, text: &Text) -> Value {
    with(said(text), MARKER, json!(id))
}

/// A message's content that answers the message of another event, in a thread where it is said in one. Its author is told,
/// unless they answer themselves, or it answers no more than the thread.
#[must_use]
pub fn answering(mut content: Value, target: &str, thread: Option<&str>, author: Option<&UserId>) -> Value {
    if let Some(author) = author.filter(|_| tells_author(target, thread))
        && let Some(mentions) = content.get_mut(MENTIONS).and_then(Value::as_object_mut)
        && let Some(people) = mentions.entry("user_ids").or_insert_with(|| json!([])).as_array_mut()
        && !people.iter().any(|it| it == author.as_str())
    {
        people.push(json!(author));
    }
    let answered = json!({ "event_id": target });
    let relation = match thread {
        Some(root) => json!({
            "rel_type": "m.thread", "event_id": root, "is_falling_back": !tells_author(target, thread), "m.in_reply_to": answered,
        }),
        None => json!({ "m.in_reply_to": answered }),
    };
    with(content, RELATION, relation)
}

/// Whether an answer tells the author of what it answers, besides whom its text addresses.
#[must_use]
pub fn tells_author(target: &str, thread: Option<&str>) -> bool {
    thread != Some(target)
}

/// The content of `m.room.message` that gives the message of another event a new text. It tells those whom it addresses
/// and who were not told before
/// ([mentions in edits](https://spec.matrix.org/v1.16/client-server-api/#user-and-room-mentions)). `answered` is the author
/// of what the message answers: they were told by that.
#[must_use]
pub fn edit(id: ActId, target: &str, text: &Text, told: &Addressed, answered: Option<&UserId>) -> Value {
    // For clients that know of no edits. Short, because the new text has to fit into the event as well.
    let short = |text: &str| format!("* {}", shortened(text.to_owned(), FALLBACK_BYTES));
    let html = text.formatted.as_deref().filter(|html| html.len() <= FALLBACK_BYTES);
    let content = said(&Text {
        plain: short(&text.plain),
        formatted: html.map(short),
        ..text.clone()
    });
    let answered = Addressed {
        people: answered.map(ToOwned::to_owned).into_iter().collect(),
        everybody: false,
    };
    let addressed = Addressed::by(text.formatted.as_deref(), text.everybody).and(answered.clone());
    let new = with(said(text), MENTIONS, mentions_of(&addressed));
    let newly = addressed.without(told).without(&answered);
    let content = with(content, MENTIONS, mentions_of(&newly));
    let content = with(content, "m.new_content", new);
    let relation = json!({ "rel_type": "m.replace", "event_id": target });
    with(with(content, RELATION, relation), MARKER, json!(id))
}

/// The content of `m.reaction`.
#[must_use]
pub fn reaction(id: ActId, target: &str, emoji: &str) -> Value {
    json!({ RELATION: { "rel_type": "m.annotation", "event_id": target, "key": emoji }, MARKER: id })
}

/// Whom a text addresses, as `m.mentions`.
pub(super) fn mentions(text: &Text) -> Value {
    mentions_of(&Addressed::by(text.formatted.as_deref(), text.everybody))
}

fn mentions_of(addressed: &Addressed) -> Value {
    let mut mentions = Map::new();
    if !addressed.people.is_empty() {
        mentions.insert("user_ids".to_owned(), json!(addressed.people));
    }
    if addressed.everybody {
        mentions.insert("room".to_owned(), json!(true));
    }
    Value::Object(mentions)
}

fn said(text: &Text) -> Value {
    if let Some(content) = media::content(text) {
        return Value::Object(content);
    }
    let msgtype = match text.style {
        Style::Plain => "m.text",
        Style::Notice => "m.notice",
        Style::Emote => "m.emote",
    };
    let content = json!({ "msgtype": msgtype, "body": text.plain, "m.mentions": mentions(text) });
    match &text.formatted {
        Some(html) => with(
            with(content, "format", json!("org.matrix.custom.html")),
            "formatted_body",
            json!(html),
        ),
        None => content,
    }
}

fn with(mut content: Value, key: &str, value: Value) -> Value {
    if let Some(map) = content.as_object_mut() {
        map.insert(key.to_owned(), value);
    }
    content
}

/// The content of `m.room.member` of somebody who is in a room, with their profile.
#[must_use]
pub fn member(profile: &Profile) -> Value {
    let mut content = json!({ "membership": "join" });
    for (key, value) in [
        ("displayname", &profile.display_name),
        ("avatar_url", &profile.avatar_url),
    ] {
        if let Some(value) = value {
            content = with(content, key, json!(value));
        }
    }
    content
}

/// The content of a notice of the bridge itself.
#[must_use]
pub fn notice(text: &str) -> Value {
    json!({ "msgtype": "m.notice", "body": text, "m.mentions": {}, NOTICE_MARKER: true })
}

/// The body of `POST /createRoom` for a conversation.
///
/// `people` are the Matrix ids of everybody but the creator, with their roles; all are invited. The room's marker is
/// the id of the outbox row, so that a creation whose answer was lost is recognised.
#[must_use]
pub fn create_room(
    conversation: &Conversation,
    job: OutboxId,
    creator: &str,
    people: &BTreeMap<String, Role>,
    bot: &str,
    avatar_mxc: Option<&str>,
) -> Value {
    let mut body = Map::new();
    let mut state = bridge_info(conversation, creator, bot);
    let mut users = Map::from_iter([(creator.to_owned(), json!(100))]);
    match conversation.kind {
        Kind::Direct => {
            body.insert("is_direct".to_owned(), json!(true));
            body.insert("preset".to_owned(), json!("trusted_private_chat"));
        }
        Kind::Group => {
            body.insert("preset".to_owned(), json!("private_chat"));
            if let Some(name) = &conversation.name {
                body.insert("name".to_owned(), json!(name));
            }
            if let Some(topic) = &conversation.description {
                body.insert("topic".to_owned(), json!(topic));
            }
            if let Some(mxc) = avatar_mxc {
                state.push(json!({ "type": "m.room.avatar", "state_key": "", "content": { "url": mxc } }));
            }
            let with_power = people.iter().filter(|(_, role)| **role > Role::Member);
            users.extend(with_power.map(|(mxid, role)| (mxid.clone(), json!(role.power()))));
        }
    }
    body.insert("visibility".to_owned(), json!("private"));
    body.insert("room_version".to_owned(), json!(ROOM_VERSION));
    body.insert("creation_content".to_owned(), json!({ MARKER: job }));
    body.insert("invite".to_owned(), json!(people.keys().collect::<Vec<_>>()));
    body.insert("initial_state".to_owned(), Value::Array(state));
    let levels = power_levels(&users, conversation.kind);
    body.insert("power_level_content_override".to_owned(), levels);
    Value::Object(body)
}

/// Synapse replaces the whole of `events` by an override, so its defaults are repeated here. The last two make Element
/// offer the ordinary call (`matrix-voip.md` §3). Between two people each pins; in a group those who change its name.
fn power_levels(users: &Map<String, Value>, kind: Kind) -> Value {
    json!({
        "users": users,
        "events": {
            "m.room.pinned_events": Needs::of(kind).pin,
            "m.room.name": 50,
            "m.room.avatar": 50,
            "m.room.canonical_alias": 50,
            "m.room.power_levels": 100,
            "m.room.history_visibility": 100,
            "m.room.server_acl": 100,
            "m.room.encryption": 100,
            "m.room.tombstone": 100,
            "org.matrix.msc3401.call.member": 100,
            "m.call.member": 100,
        },
    })
}

/// `m.bridge` and its older name ([MSC2346](https://github.com/matrix-org/matrix-spec-proposals/pull/2346)).
fn bridge_info(conversation: &Conversation, creator: &str, bot: &str) -> Vec<Value> {
    let content = json!({
        "bridgebot": bot,
        "creator": creator,
        "protocol": { "id": "nova", "displayname": "Nova" },
        "channel": { "id": conversation.id, "displayname": conversation.name },
    });
    ["m.bridge", "uk.half-shot.bridge"]
        .map(|event_type| json!({ "type": event_type, "state_key": bridge_key(conversation.id), "content": content }))
        .to_vec()
}

fn bridge_key(conversation: ConversationId) -> String {
    format!("social.nova://nova/{conversation}")
}

/// The power levels of a room after giving `target` a level, from the event that is there now.
#[must_use]
pub fn with_power(mut levels: Value, target: &str, level: i64) -> Value {
    if !levels.is_object() {
        levels = json!({});
    }
    let default = levels.get("users_default").and_then(Value::as_i64).unwrap_or(0);
    if let Some(map) = levels.as_object_mut() {
        let users = map.entry("users").or_insert_with(|| json!({}));
        if let Some(users) = users.as_object_mut() {
            if level == default {
                users.remove(target);
            } else {
                users.insert(target.to_owned(), json!(level));
            }
        }
    }
    levels
}

/// The list of what is pinned in a room with an event on it or without, from the list that is there now; `None` where it
/// is so already. Everything else on it stays as it is.
#[must_use]
pub fn with_pin(list: Option<&Value>, event: &str, is_pinned: bool, marker: OutboxId) -> Option<Value> {
    let there = list.and_then(|content| content.get("pinned")).and_then(Value::as_array);
    let mut pinned: Vec<Value> = there.cloned().unwrap_or_default();
    if pinned.iter().any(|it| it == event) == is_pinned {
        return None;
    }
    if is_pinned {
        pinned.push(json!(event));
    } else {
        pinned.retain(|it| it != event);
    }
    Some(json!({ "pinned": pinned, MARKER: marker }))
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use uuid::Uuid;

    use super::*;
    use ruma::user_id;

    fn conversation(kind: Kind) -> Conversation {
        Conversation {
            id: ConversationId(Uuid::from_u128(0xc7)),
            kind,
            name: (kind == Kind::Group).then(|| "Hiking".to_owned()),
            description: (kind == Kind::Group).then(|| "Where to next?".to_owned()),
            avatar_url: None,
            created_by: Uuid::from_u128(1).into(),
            has_portal: true,
            room: None,
            last_sequence: 0,
            members: BTreeMap::new(),
            created_at: DateTime::UNIX_EPOCH,
        }
    }

    fn created(kind: Kind) -> Value {
        let people = [
            ("@alice:example.org".to_owned(), Role::Admin),
            ("@bob:example.org".to_owned(), Role::Member),
        ];
        let job = OutboxId(Uuid::from_u128(7));
        let creator = "@nova-00000000-0000-0000-0000-000000000001:example.org";
        create_room(
            &conversation(kind),
            job,
            creator,
            &people.into(),
            "@novabot:example.org",
            Some("mxc://example.org/hill"),
        )
    }

    #[test]
    fn a_direct_room() {
        insta::assert_json_snapshot!(created(Kind::Direct));
    }

    #[test]
    fn a_group_room() {
        insta::assert_json_snapshot!(created(Kind::Group));
    }

    #[test]
    fn messages_of_each_style() {
        let id = MessageId(Uuid::from_u128(9));
        let texts = [Style::Plain, Style::Notice, Style::Emote].map(|style| {
            let formatted = (style == Style::Plain).then(|| "<b>hi</b>".to_owned());
            message(
                id,
                &Text {
                    style,
                    plain: "hi\nthere 👋".to_owned(),
                    formatted,
                    everybody: false,
                    media: None,
                },
            )
        });
        insta::assert_json_snapshot!(texts);
        insta::assert_json_snapshot!(notice("Nova cannot read this."));
    }

    #[test]
    fn answers_edits_and_reactions() {
        let text = Text {
            style: Style::Plain,
            plain: "right".to_owned(),
            formatted: Some("<b>right</b>".to_owned()),
            everybody: false,
            media: None,
        };
        let id = ActId(Uuid::from_u128(10));
        let said = message(MessageId(Uuid::from_u128(9)), &Text::plain("yes"));
        insta::assert_json_snapshot!([
            answering(said.clone(), "$question", None, None),
            answering(said, "$question", Some("$root"), Some(user_id!("@elena:example.org"))),
            edit(id, "$wrong", &text, &Addressed::default(), None),
            reaction(id, "$funny", "👍"),
        ]);
    }

    #[test]
    fn the_longest_edit_fits_into_an_event() {
        let text = Text {
            style: Style::Plain,
            plain: "\\".repeat(20_000),
            formatted: Some("x".repeat(20_000)),
            everybody: false,
            media: None,
        };
        let content = edit(ActId(Uuid::nil()), "$e", &text, &Addressed::default(), None);
        assert!(content.to_string().len() < 64_000);
        assert_eq!(content["m.new_content"]["body"], json!(text.plain));
    }

    #[test]
    fn a_pin_is_set_and_taken_down_without_touching_the_others() {
        let job = OutboxId(Uuid::nil());
        let list = |events: &[&str]| json!({ "pinned": events, MARKER: job });
        let there = list(&["$unknown", "$a"]);
        assert_eq!(with_pin(None, "$a", true, job), Some(list(&["$a"])));
        assert_eq!(
            with_pin(Some(&there), "$b", true, job),
            Some(list(&["$unknown", "$a", "$b"]))
        );
        assert_eq!(with_pin(Some(&there), "$a", false, job), Some(list(&["$unknown"])));
        for (event, is_pinned) in [("$a", true), ("$b", false)] {
            assert_eq!(with_pin(Some(&there), event, is_pinned, job), None);
        }
        for nonsense in [json!({}), json!({ "pinned": "$a" }), json!(null)] {
            assert_eq!(with_pin(Some(&nonsense), "$a", true, job), Some(list(&["$a"])));
        }
    }

    #[test]
    fn power_is_given_and_taken_without_touching_the_rest() {
        let levels = json!({ "users": { "@a:x": 100 }, "ban": 50 });
        let given = with_power(levels.clone(), "@b:x", 50);
        assert_eq!(given, json!({ "users": { "@a:x": 100, "@b:x": 50 }, "ban": 50 }));
        assert_eq!(with_power(given, "@b:x", 0), levels);
    }
}
