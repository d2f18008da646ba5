//! Feed entries as the frames that Nova's clients know (nova-client-protocol §5, nova-api §1): flat, with the nested
//! copies that old decoders read.

mod acts;
mod calls;
mod passing;
mod people;

use std::sync::Arc;

use axum::extract::ws::Utf8Bytes;
use serde::Serialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::bridge::calls::Ringing;
use crate::bridge::live::Seen;
use crate::domain::clock::Timestamp;
use crate::domain::feed::{Change, Cursor, FeedEntry, FeedEvent, UpdatedField};
use crate::domain::ghost::Ghosts;
use crate::domain::ids::{ConversationId, MessageId, UserId};
use crate::domain::media::{Kind, Media};
use crate::domain::mention::addressed;
use crate::domain::message::{Message, Style};
use crate::domain::typing::Typist;
use crate::nova::dto::Time;
use crate::nova::dto::media::{Attachment, Shown};
use crate::nova::media::Links;

/// A moment as every client can read it: whole seconds, `Z`.
#[must_use]
pub fn time(at: Timestamp) -> String {
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The frames of one entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frames {
    /// For every socket, in this order.
    pub all: Vec<Utf8Bytes>,
    /// For client B's sockets, but never for the author's own.
    pub bare: Option<Utf8Bytes>,
    /// Who did it.
    pub author: Option<UserId>,
    /// Who is no longer in the conversation after it.
    pub gone: Option<UserId>,
}

/// How frames are written.
#[derive(Debug, Clone)]
pub struct Ways {
    /// Whether client B's frame is wanted too.
    pub bare: bool,
    /// Links to files.
    pub links: Arc<Links>,
    /// Whose Matrix ids are Nova's own.
    pub ghosts: Ghosts,
}

/// Writes the frames of an entry.
#[must_use]
pub fn of_entry(entry: &FeedEntry, ways: &Ways) -> Frames {
    match &entry.event {
        // Who reads the feed later is not shown what is gone by then; that it went is told behind it.
        FeedEvent::Message(message) if message.gone.is_some() => Frames::default(),
        FeedEvent::Edited { message, .. } if message.gone.is_some() => Frames::default(),
        FeedEvent::Edited { by, message } => Frames {
            all: vec![text(&acts::edited(entry, *by, message, &ways.ghosts))],
            ..Frames::default()
        },
        FeedEvent::Requested { by, message } => Frames {
            all: vec![text(&people::requested(entry, *by, Some(message)))],
            ..Frames::default()
        },
        FeedEvent::Message(message) => Frames {
            all: message_frames(entry, message, ways),
            bare: ways.bare.then(|| text(&bare_message(message))),
            author: Some(message.sender),
            gone: None,
        },
        FeedEvent::Change(change) => Frames {
            all: change_frames(entry, change, &ways.links).iter().map(text).collect(),
            bare: None,
            author: None,
            gone: change.left(),
        },
    }
}

fn text(frame: &impl Serialize) -> Utf8Bytes {
    // Our own structures have text keys only and no failing parts.
    serde_json::to_string(frame).unwrap_or_else(|_| "{}".to_owned()).into()
}

/// `message.new` with everything that any client reads (§5.3).
#[derive(Serialize)]
struct MessageNew<'a> {
    #[serde(rename = "type")]
    frame: &'static str,
    stream_id: String,
    timestamp: &'a str,
    conversation_id: ConversationId,
    user_id: UserId,
    id: MessageId,
    sender_id: UserId,
    sequence_number: i64,
    content: &'a str,
    message_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    style: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    formatted_content: Option<&'a str>,
    created_at: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    matrix_event_id: Option<&'a str>,
    version_number: i64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mentions: Vec<UserId>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    mentions_room: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to_message_id: Option<MessageId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thread_root_event_id: Option<&'a str>,
    #[serde(flatten)]
    shown: Shown,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<Attachment>,
    message: MessageCopy<'a>,
    data: DataCopy<'a>,
}

/// What A2 and W read.
#[derive(Serialize)]
struct MessageCopy<'a> {
    id: MessageId,
    sender_id: UserId,
    sequence_number: i64,
    created_at: &'a str,
    content: &'a str,
    message_type: &'static str,
}

/// What A1 and B look for. Nova's own encryption is not spoken, so its two fields are there and empty.
#[derive(Serialize)]
struct DataCopy<'a> {
    id: MessageId,
    conversation_id: ConversationId,
    sender_id: UserId,
    encrypted_content: &'static str,
    nonce: &'static str,
    message_type: &'static str,
    content: &'a str,
    created_at: &'a str,
}

const TEXT: &str = "text";

/// `message.new`, and beside it `message.audio_sent` for what is heard and `location.shared` for a place: the service sent
/// only those, and clients that read both know a message by its number.
fn message_frames(entry: &FeedEntry, message: &Message, ways: &Ways) -> Vec<Utf8Bytes> {
    let mut all = vec![message_new(entry, message, ways)];
    if let Some(Media::File(file)) = &message.text.media
        && matches!(file.kind, Kind::Audio | Kind::Voice)
    {
        let own = json!({
            "id": message.id, "sequence_number": message.sequence, "duration_ms": file.duration_ms.unwrap_or_default(),
            "audio_codec": file.audio_codec(), "audio_url": ways.links.file(message.id.0),
        });
        all.push(text(&frame(entry, "message.audio_sent", Some(message.sender), own)));
    }
    if let Some(Media::Place(place)) = &message.text.media {
        all.push(text(&people::shared(entry, message, place)));
    }
    all
}

fn message_new(entry: &FeedEntry, message: &Message, ways: &Ways) -> Utf8Bytes {
    let links = &ways.links;
    let media = message.text.media.as_ref();
    let message_type = media.map_or(TEXT, Media::message_type);
    let at = Time(message.created_at);
    let file = media.and_then(Media::file);
    let attachment = file.map(|file| Attachment::new(message.id.0, message.id.0, at, file, links));
    let created_at = time(message.created_at);
    let content = message.text.plain.as_str();
    let (id, sender_id, sequence_number) = (message.id, message.sender, message.sequence);
    text(&MessageNew {
        frame: "message.new",
        stream_id: entry.cursor.to_string(),
        timestamp: &created_at,
        conversation_id: message.conversation,
        user_id: sender_id,
        id,
        sender_id,
        sequence_number,
        content,
        message_type,
        style: style(message.text.style),
        formatted_content: message.text.formatted.as_deref(),
        created_at: &created_at,
        matrix_event_id: message.event_id.as_deref(),
        version_number: message.version,
        mentions: addressed(&message.text, &ways.ghosts),
        mentions_room: message.text.everybody,
        reply_to_message_id: message.reply_to,
        thread_root_event_id: message.thread_root.as_deref(),
        shown: Shown::new(message.id.0, media, links),
        attachments: attachment.into_iter().collect(),
        message: MessageCopy {
            id,
            sender_id,
            sequence_number,
            created_at: &created_at,
            content,
            message_type,
        },
        data: DataCopy {
            id,
            conversation_id: message.conversation,
            sender_id,
            encrypted_content: "",
            nonce: "",
            message_type,
            content,
            created_at: &created_at,
        },
    })
}

/// How a text is meant, where it is not just said.
#[must_use]
pub const fn style(style: Style) -> Option<&'static str> {
    match style {
        Style::Plain => None,
        Style::Notice | Style::Emote => Some(style.as_str()),
    }
}

fn bare_message(message: &Message) -> Value {
    json!({
        "id": message.id,
        "content": message.text.plain,
        "conversation_id": message.conversation,
        "sender_id": message.sender,
        "created_at": time(message.created_at),
    })
}

/// A frame with the fields that all of them have, and some of its own.
fn frame(entry: &FeedEntry, name: &str, by: Option<UserId>, own: Value) -> Value {
    let mut frame = Map::new();
    frame.insert("type".to_owned(), json!(name));
    frame.insert("conversation_id".to_owned(), json!(entry.conversation));
    frame.insert("timestamp".to_owned(), json!(time(entry.at)));
    frame.insert("stream_id".to_owned(), json!(entry.cursor.to_string()));
    if let Some(by) = by {
        frame.insert("user_id".to_owned(), json!(by));
        frame.insert("sender_id".to_owned(), json!(by));
    }
    if let Value::Object(own) = own {
        frame.extend(own);
    }
    Value::Object(frame)
}

fn change_frames(entry: &FeedEntry, change: &Change, links: &Links) -> Vec<Value> {
    match change {
        Change::Created { by, kind, name } => {
            let own = json!({ "conversation": { "id": entry.conversation, "kind": kind, "type": kind, "name": name } });
            vec![frame(entry, "conversation.created", Some(*by), own)]
        }
        Change::Updated { by, fields } => {
            let fields: Vec<&str> = fields.iter().copied().map(UpdatedField::as_str).collect();
            vec![frame(
                entry,
                "conversation.updated",
                Some(*by),
                json!({ "updated_fields": fields }),
            )]
        }
        Change::Deleted { by } => vec![frame(entry, "group_deleted", Some(*by), json!({}))],
        // In the membership frames `user_id` is who came or left (§5.4); who did it is `sender_id`.
        Change::MemberJoined {
            by,
            user,
            username,
            display_name,
            role,
            membership,
        } => vec![frame(
            entry,
            "member.joined",
            Some(*by),
            json!({
                "user_id": user, "username": username, "display_name": display_name, "role": role,
                "membership": membership,
            }),
        )],
        Change::MemberLeft { by, user } => ["member.left", "member_left"]
            .map(|name| frame(entry, name, Some(*by), json!({ "user_id": user })))
            .to_vec(),
        Change::Knocked { .. } | Change::KnockAnswered { .. } => people::knock(entry, change).into_iter().collect(),
        Change::Requested { by } => vec![people::requested(entry, *by, None)],
        Change::Answered { answer } => vec![people::answered(entry, *answer)],
        Change::LocationStopped { by } => vec![frame(entry, "location.stopped", Some(*by), json!({}))],
        Change::RoleChanged { by, user, old, new } => vec![frame(
            entry,
            "member.role_changed",
            Some(*by),
            json!({ "user_id": user, "old_role": old, "new_role": new }),
        )],
        Change::Call { call, news } => calls::frames(entry, *call, news, links),
        Change::Kept { muted, archived } => vec![frame(
            entry,
            "conversation.updated",
            entry.audience,
            json!({ "updated_fields": ["is_muted", "is_archived"], "is_muted": muted, "is_archived": archived }),
        )],
        Change::Read { by, message, sequence } => passing::read(entry, *by, *message, *sequence),
        Change::Edited { .. }
        | Change::MessageDeleted { .. }
        | Change::Recalled { .. }
        | Change::Reacted { .. }
        | Change::Unreacted { .. }
        | Change::UnreactedAll { .. }
        | Change::Pinned { .. }
        | Change::Unpinned { .. } => acts::frame(entry, change).into_iter().collect(),
        Change::Delivery {
            message,
            state,
            detail,
            event_id,
        } => {
            let mut own = json!({ "message_id": message, "status": state });
            if let (Some(detail), Some(own)) = (detail, own.as_object_mut()) {
                own.insert("detail".to_owned(), json!(detail));
            }
            if let (Some(event_id), Some(own)) = (event_id, own.as_object_mut()) {
                own.insert("matrix_event_id".to_owned(), json!(event_id));
            }
            vec![frame(entry, "message.delivery", entry.audience, own)]
        }
    }
}

/// Somebody types, or no longer does. Without a `stream_id`: nothing of it is kept.
#[must_use]
pub fn typing(typist: &Typist, at: Timestamp) -> Vec<Utf8Bytes> {
    passing::typing(typist, at).iter().map(text).collect()
}

/// Somebody is there, or not. Without a `stream_id`: nothing of it is kept.
#[must_use]
pub fn presence(seen: &Seen, at: Timestamp) -> Utf8Bytes {
    text(&passing::presence(seen, at))
}

/// The reader blocks somebody, or no longer does. Without a `stream_id`: whoever was away reads the list.
#[must_use]
pub fn block(user: UserId, blocks: bool, at: Timestamp) -> Utf8Bytes {
    text(&passing::block(user, blocks, at))
}

/// `connection.established`, for who wants to be greeted.
#[must_use]
pub fn greeting(user: UserId, connection: Uuid) -> Utf8Bytes {
    text(&json!({ "type": "connection.established", "data": { "user_id": user, "connection_id": connection } }))
}

/// What a socket that opens is shown of a call that rings: as if it happened at the place that the socket is at.
#[must_use]
pub fn ringing(ringing: Ringing, user: UserId, cursor: Cursor, links: &Links) -> Vec<Utf8Bytes> {
    let entry = FeedEntry {
        cursor,
        conversation: ringing.conversation,
        audience: Some(user),
        at: ringing.at,
        event: FeedEvent::Change(Change::Call {
            call: ringing.call,
            news: ringing.news,
        }),
    };
    match &entry.event {
        FeedEvent::Change(change) => change_frames(&entry, change, links).iter().map(text).collect(),
        FeedEvent::Message(_) | FeedEvent::Edited { .. } | FeedEvent::Requested { .. } => Vec::new(),
    }
}

/// The answer to a frame that was refused.
#[must_use]
pub fn error(request_id: Option<&Value>, code: &str, detail: &str) -> Utf8Bytes {
    answer("error", request_id, json!({ "code": code, "detail": detail }))
}

/// The answer to a frame that was carried out.
#[must_use]
pub fn ack(request_id: Option<&Value>, fields: Value) -> Utf8Bytes {
    answer("ack", request_id, fields)
}

fn answer(name: &str, request_id: Option<&Value>, fields: Value) -> Utf8Bytes {
    let mut frame = Map::new();
    frame.insert("type".to_owned(), json!(name));
    if let Value::Object(fields) = fields {
        frame.extend(fields);
    }
    if let Some(id) = request_id {
        frame.insert("request_id".to_owned(), id.clone());
    }
    text(&Value::Object(frame))
}
