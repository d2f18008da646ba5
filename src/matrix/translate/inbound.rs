//! Reads the events of a transaction. Whatever arrives, one bad event never spoils another.
//!
//! Types come from the [client-server specification](https://spec.matrix.org/v1.16/client-server-api/#room-events); the
//! contents are read leniently, because what Synapse pushes is what other people's clients wrote.

mod invite;
mod relations;

use std::collections::BTreeMap;

use chrono::DateTime;
use ruma::html::{HtmlSanitizerMode, RemoveReplyFallback, sanitize_html};
use ruma::{OwnedRoomId, OwnedUserId};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::outbound::{MARKER, NOTICE_MARKER};
use super::space::SPACE;
use super::{calls, media};
use crate::domain::clock::Timestamp;
use crate::domain::conversation::Kind;
use crate::domain::event::{InboundEvent, Malformed, Meaning, MemberEvent, RawEvent, RoomMembership};
use crate::domain::ids::{ActId, MessageId, OutboxId};
use crate::domain::message::{MAX_TEXT_BYTES, Style, Text, shortened, storable};
use crate::domain::pin::Needs;

/// The first room version in which creators stand above every power level (MSC4289).
const VERSION_WITH_CREATORS: u32 = 12;

/// The longest id of an event, in bytes.
const MAX_ID_BYTES: usize = 255;

/// The parts of an event that are the same for every type.
#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "type")]
    event_type: String,
    event_id: String,
    room_id: OwnedRoomId,
    sender: OwnedUserId,
    #[serde(default)]
    origin_server_ts: Value,
    state_key: Option<String>,
    #[serde(default)]
    redacts: Value,
    #[serde(default)]
    content: Value,
    #[serde(default)]
    unsigned: Value,
}

/// Reads one event. `now` stands in for a time that cannot be one.
#[must_use]
pub fn read(raw: Box<RawValue>, now: Timestamp) -> RawEvent {
    let decoded = match serde_json::from_str::<Envelope>(raw.get()) {
        Ok(envelope) => event(envelope, now),
        Err(error) => Err(malformed(&raw, &error)),
    };
    RawEvent { raw, decoded }
}

fn malformed(raw: &RawValue, error: &serde_json::Error) -> Malformed {
    let value: Value = serde_json::from_str(raw.get()).unwrap_or_default();
    let text = |key: &str| {
        value
            .get(key)
            .and_then(Value::as_str)
            .filter(|it| !it.contains('\0'))
            .map(str::to_owned)
    };
    let what = match error.classify() {
        serde_json::error::Category::Data => "a field that every event needs is missing or of the wrong type",
        serde_json::error::Category::Io | serde_json::error::Category::Syntax | serde_json::error::Category::Eof => {
            "not a JSON object in valid Unicode"
        }
    };
    Malformed {
        what: what.to_owned(),
        event_id: text("event_id"),
        room: text("room_id"),
    }
}

fn event(envelope: Envelope, now: Timestamp) -> Result<InboundEvent, Malformed> {
    let sent_at = envelope.origin_server_ts.as_i64();
    let at = sent_at.and_then(DateTime::from_timestamp_millis);
    // A redacted event is pushed without its content: there is nothing left to carry.
    let redacted = envelope.unsigned.get("redacted_because").is_some();
    let meaning = match (&envelope.state_key, redacted) {
        (Some(key), _) => {
            let mut meaning = state(&envelope.event_type, key, &envelope.content, &envelope.unsigned);
            if let Meaning::Member(member) = &mut meaning {
                member.shown = invite::shown(member.membership, &envelope).map(Box::new);
            }
            meaning
        }
        (None, true) => Meaning::Nothing,
        (None, false) => {
            let marker = envelope.content.get(MARKER).and_then(Value::as_str);
            let outside = calls::Outside {
                unsigned: &envelope.unsigned,
                sent_at,
                marked: marker.is_some_and(|id| Uuid::parse_str(id).is_ok()),
                now,
            };
            match calls::read(&envelope.event_type, &envelope.content, outside) {
                Some(Ok(meaning)) => meaning,
                Some(Err(what)) => {
                    return Err(Malformed {
                        what: what.to_owned(),
                        event_id: Some(storable(envelope.event_id)),
                        room: Some(envelope.room_id.into()),
                    });
                }
                None => message_like(&envelope),
            }
        }
    };
    Ok(InboundEvent {
        id: storable(envelope.event_id),
        room: envelope.room_id,
        sender: envelope.sender,
        // Postgres and our clients need a year with four digits.
        at: at
            .filter(|at| *at > DateTime::UNIX_EPOCH && *at <= now + chrono::Duration::days(1))
            .unwrap_or(now),
        meaning,
    })
}

fn message_like(envelope: &Envelope) -> Meaning {
    let content = &envelope.content;
    let marker = content.get(MARKER).and_then(Value::as_str);
    let marker = marker.and_then(|id| Uuid::parse_str(id).ok());
    match envelope.event_type.as_str() {
        "m.room.message" => message(content, marker).unwrap_or_else(|kind| not_yet(&kind, marker)),
        "m.room.encrypted" => Meaning::Encrypted,
        "m.reaction" => relations::reaction(content, marker.map(ActId)).unwrap_or(Meaning::Nothing),
        "m.room.redaction" => {
            relations::redaction(content, &envelope.redacts, marker.map(ActId)).unwrap_or(Meaning::Nothing)
        }
        "m.sticker" => match media::read("m.sticker", content) {
            Some(sticker) => said(content, sticker, marker),
            None => not_yet("m.sticker without url", marker),
        },
        "m.location" => not_yet("m.location", marker),
        _ => Meaning::Nothing,
    }
}

fn not_yet(kind: &str, marker: Option<Uuid>) -> Meaning {
    Meaning::NotYet {
        kind: shortened(storable(kind.to_owned()), 80),
        marker: marker.map(MessageId),
    }
}

/// A message or an edit of one; or what it is that cannot be carried.
fn message(content: &Value, marker: Option<Uuid>) -> Result<Meaning, String> {
    if relations::is_edit(content) {
        return relations::edit(content, marker.map(ActId));
    }
    Ok(said(content, text(content)?, marker))
}

/// Something said, with what it answers.
fn said(content: &Value, mut text: Text, marker: Option<Uuid>) -> Meaning {
    let reply = relations::reply(content);
    if reply.is_some() {
        let quoted = text.plain.len() - relations::without_fallback(&text.plain).len();
        text.plain.drain(..quoted);
    }
    Meaning::Message {
        text,
        reply,
        marker: marker.map(MessageId),
        notice: content.get(NOTICE_MARKER).is_some_and(|it| it == true),
    }
}

/// What a content says; or what it is that cannot be carried.
fn text(content: &Value) -> Result<Text, String> {
    let style = match content.get("msgtype").and_then(Value::as_str) {
        Some("m.text") => Style::Plain,
        Some("m.notice") => Style::Notice,
        Some("m.emote") => Style::Emote,
        Some(other) => return media::read(other, content).ok_or_else(|| other.to_owned()),
        None => return Err("m.room.message without msgtype".to_owned()),
    };
    let Some(body) = content.get("body").and_then(Value::as_str) else {
        return Err("m.room.message without body".to_owned());
    };
    let formatted = html(content);
    let plain = shortened(storable(body.to_owned()), MAX_TEXT_BYTES * 2);
    Ok(Text {
        style,
        plain,
        formatted,
        everybody: addresses_everybody(content),
        media: None,
    })
}

/// Whether somebody wants to address everybody; whether they may, the room decides.
pub(super) fn addresses_everybody(content: &Value) -> bool {
    content
        .get("m.mentions")
        .and_then(|it| it.get("room"))
        .is_some_and(|it| it == true)
}

/// The text of a message as HTML, where it has one.
pub(super) fn html(content: &Value) -> Option<String> {
    let has_one = content.get("format").and_then(Value::as_str) == Some("org.matrix.custom.html");
    let formatted = has_one.then(|| content.get("formatted_body").and_then(Value::as_str));
    formatted.flatten().map(safe_html)
}

/// HTML limited to what the specification allows in a message, so that a client may show it as it is.
#[must_use]
pub fn safe_html(html: &str) -> String {
    storable(sanitize_html(html, HtmlSanitizerMode::Strict, RemoveReplyFallback::Yes))
}

fn state(event_type: &str, key: &str, content: &Value, unsigned: &Value) -> Meaning {
    let text = |field: &str| {
        content
            .get(field)
            .and_then(Value::as_str)
            .map(|it| shortened(storable(it.to_owned()), 1000))
            .filter(|it| !it.trim().is_empty())
    };
    match (event_type, key) {
        ("m.room.member", target) => {
            let Ok(target) = OwnedUserId::try_from(target) else {
                return Meaning::Nothing;
            };
            let membership = match content.get("membership").and_then(Value::as_str) {
                Some("invite") => RoomMembership::Invite,
                Some("join") => RoomMembership::Join,
                Some("knock") => RoomMembership::Knock,
                Some("leave") => RoomMembership::Leave,
                Some("ban") => RoomMembership::Ban,
                _ => return Meaning::Nothing,
            };
            let replaced = unsigned.get("replaces_state").and_then(Value::as_str);
            Meaning::Member(MemberEvent {
                target,
                membership,
                display_name: text("displayname"),
                avatar_url: text("avatar_url").filter(|url| url.starts_with("mxc://")),
                is_direct: content.get("is_direct").is_some_and(|it| it == true),
                shown: None,
                to_space: membership == RoomMembership::Invite && shows_space(unsigned),
                reason: text("reason"),
                replaces: replaced.map(|id| storable(id.to_owned())),
            })
        }
        ("m.room.create", "") => {
            let version = content
                .get("room_version")
                .and_then(Value::as_str)
                .and_then(|it| it.parse::<u32>().ok());
            let additional = content.get("additional_creators").and_then(Value::as_array);
            let creators = match version {
                Some(VERSION_WITH_CREATORS..) => additional
                    .into_iter()
                    .flatten()
                    .filter_map(|id| OwnedUserId::try_from(id.as_str()?).ok())
                    .collect(),
                _ => Vec::new(),
            };
            let marker = content
                .get(MARKER)
                .and_then(Value::as_str)
                .and_then(|id| Uuid::parse_str(id).ok());
            Meaning::Create {
                marker: marker.map(OutboxId),
                creators,
                sender_is_creator: matches!(version, Some(VERSION_WITH_CREATORS..)),
                is_space: is_space(content),
            }
        }
        ("m.room.name", "") => Meaning::Name(text("name")),
        ("m.room.topic", "") => Meaning::Topic(text("topic")),
        ("m.room.avatar", "") => Meaning::Avatar(text("url").filter(|url| url.starts_with("mxc://"))),
        ("m.room.power_levels", "") => power_levels(content),
        ("m.room.pinned_events", "") => pinned(content),
        ("m.room.tombstone", "") => {
            match content
                .get("replacement_room")
                .and_then(Value::as_str)
                .map(OwnedRoomId::try_from)
            {
                Some(Ok(replacement)) => Meaning::Tombstone { replacement },
                Some(Err(_)) | None => Meaning::Nothing,
            }
        }
        _ => Meaning::Nothing,
    }
}

/// Whether this is the content of `m.room.create` of a space.
fn is_space(create: &Value) -> bool {
    create.get("type").and_then(Value::as_str) == Some(SPACE)
}

/// Whether what an invite shows of its room is a space.
fn shows_space(unsigned: &Value) -> bool {
    let shown = unsigned.get("invite_room_state").and_then(Value::as_array);
    shown.into_iter().flatten().any(|event| {
        event.get("type").and_then(Value::as_str) == Some("m.room.create") && event.get("content").is_some_and(is_space)
    })
}

/// A power level is an integer, or a string of one in old rooms.
fn level(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

fn power_levels(content: &Value) -> Meaning {
    let users: BTreeMap<OwnedUserId, i64> = content
        .get("users")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(id, value)| Some((OwnedUserId::try_from(id.as_str()).ok()?, level(value)?)))
        .collect();
    let usual = Needs::of(Kind::Group);
    let within = |map: &str, field: &str| content.get(map).and_then(|it| it.get(field)).and_then(level);
    Meaning::PowerLevels {
        users,
        default: content.get("users_default").and_then(level).unwrap_or(0),
        needs: Needs {
            pin: within("events", "m.room.pinned_events")
                .or_else(|| content.get("state_default").and_then(level))
                .unwrap_or(usual.pin),
            everybody: within("notifications", "room").unwrap_or(usual.everybody),
        },
    }
}

/// A list that cannot be read is none; without one nothing is pinned.
fn pinned(content: &Value) -> Meaning {
    let events: Vec<String> = match content.get("pinned") {
        None => Vec::new(),
        Some(Value::Array(events)) => events
            .iter()
            .filter_map(Value::as_str)
            .filter(|id| id.len() <= MAX_ID_BYTES && !id.contains('\0'))
            .map(str::to_owned)
            .collect(),
        Some(_) => return Meaning::Nothing,
    };
    let marker = content.get(MARKER).and_then(Value::as_str);
    Meaning::Pinned {
        events,
        marker: marker.and_then(|id| Uuid::parse_str(id).ok()).map(OutboxId),
    }
}

#[cfg(test)]
mod tests;
