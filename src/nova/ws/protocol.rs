//! What a client may say (nova-client-protocol §4, nova-api §3). Unknown types are ignored, so that newer clients can
//! talk to older bridges.

use serde_json::{Map, Value};

use crate::bridge::messages::Said;
use crate::bridge::receipts::UpTo;
use crate::domain::feed::Cursor;
use crate::domain::ids::{ConversationId, UserId};
use crate::nova::dialects::call_frames::Kind;
use crate::nova::dto::calls::body::Body;
use crate::nova::dto::media::Carrying;
use crate::nova::dto::receipts::up_to;
use crate::nova::dto::requests::SendMessage;

/// A frame from a client.
#[derive(Debug, PartialEq)]
pub(super) enum ClientFrame {
    /// Wants a `pong`.
    Ping,
    /// Has seen an entry.
    Ack(Cursor),
    /// Wants what it has not acknowledged.
    GetUnacked,
    /// Says something.
    Send {
        /// Where.
        conversation: ConversationId,
        /// What.
        said: Box<Said>,
        /// With what.
        carrying: Box<Carrying>,
    },
    /// Types, or no longer does.
    Typing {
        /// Where; in the socket's own conversation if nothing is said.
        conversation: Option<ConversationId>,
        /// Who, if it is said: old clients do.
        user: Option<UserId>,
        /// Whether.
        typing: bool,
    },
    /// Has read something.
    Read {
        /// Where; in the socket's own conversation if nothing is said.
        conversation: Option<ConversationId>,
        /// Up to where.
        up_to: UpTo,
    },
    /// Does something in a call.
    Call(CallFrame, Body),
    /// Does it in the words of another dialect.
    Foreign(Kind, Map<String, Value>),
    /// Nothing that this version knows.
    Unknown,
}

/// What is done in a call. The fields are those of the REST request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CallFrame {
    Initiate,
    Accept,
    Answer,
    Reject,
    Hangup,
    Ice,
    Negotiate,
    Media,
    Join,
    Leave,
}

impl CallFrame {
    const ALL: [Self; 10] = [
        Self::Initiate,
        Self::Accept,
        Self::Answer,
        Self::Reject,
        Self::Hangup,
        Self::Ice,
        Self::Negotiate,
        Self::Media,
        Self::Join,
        Self::Leave,
    ];

    /// The frame's type.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Initiate => "call.initiate",
            Self::Accept => "call.accept",
            Self::Answer => "call.answer",
            Self::Reject => "call.reject",
            Self::Hangup => "call.hangup",
            Self::Ice => "call.ice",
            Self::Negotiate => "call.negotiate",
            Self::Media => "call.media",
            Self::Join => "call.join",
            Self::Leave => "call.leave",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }
}

/// Why a frame was refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) code: &'static str,
    pub(super) detail: String,
}

impl Refused {
    pub(super) fn invalid(detail: impl Into<String>) -> Self {
        Self {
            code: "INVALID_REQUEST",
            detail: detail.into(),
        }
    }
}

/// Reads a frame. The `request_id` comes back even where the rest is refused.
pub(super) fn read(text: &str) -> (Option<Value>, Result<ClientFrame, Refused>) {
    let frame: Map<String, Value> = match serde_json::from_str(text) {
        Ok(frame) => frame,
        Err(_) => return (None, Err(Refused::invalid("a frame is a JSON object"))),
    };
    let request_id = frame
        .get("request_id")
        .filter(|id| id.is_string() || id.is_number())
        .cloned();
    let Some(name) = frame.get("type").and_then(Value::as_str) else {
        return (request_id, Err(Refused::invalid("a frame has a type")));
    };
    let read = match name {
        "ping" => Ok(ClientFrame::Ping),
        "ack" => match frame.get("msg_id").and_then(Value::as_str).map(str::parse) {
            Some(Ok(cursor)) => Ok(ClientFrame::Ack(cursor)),
            Some(Err(_)) | None => Err(Refused::invalid("msg_id is the stream_id of a frame")),
        },
        "get_unacked" | "getUnacked" => Ok(ClientFrame::GetUnacked),
        "message.send" => send(frame),
        "typing" | "typing.start" => Ok(typing(&frame, true)),
        "typing.stop" => Ok(typing(&frame, false)),
        "message.read" => mark_read(&frame),
        name => match (CallFrame::parse(name), Kind::parse(name)) {
            (Some(call), _) => Ok(ClientFrame::Call(call, Body::from(frame))),
            (None, Some(kind)) => Ok(ClientFrame::Foreign(kind, frame)),
            (None, None) => Ok(ClientFrame::Unknown),
        },
    };
    (request_id, read)
}

/// The conversation that a frame names, at its top or in its `data`.
fn conversation(frame: &Map<String, Value>) -> Result<Option<ConversationId>, Refused> {
    let data = frame.get("data").and_then(|data| data.get("conversation_id"));
    match frame.get("conversation_id").or(data) {
        None | Some(Value::Null) => Ok(None),
        Some(id) => {
            let id = id.as_str().and_then(|id| id.parse().ok());
            id.map(Some)
                .ok_or_else(|| Refused::invalid("conversation_id must be a UUID"))
        }
    }
}

/// What makes no sense is ignored: it comes with every key that is pressed.
fn typing(frame: &Map<String, Value>, typing: bool) -> ClientFrame {
    let user = match frame.get("user_id") {
        None | Some(Value::Null) => Some(None),
        Some(user) => user.as_str().and_then(|user| user.parse().ok()).map(Some),
    };
    match (conversation(frame), user) {
        (Ok(conversation), Some(user)) => ClientFrame::Typing {
            conversation,
            user,
            typing,
        },
        (Err(_), _) | (_, None) => ClientFrame::Unknown,
    }
}

fn mark_read(frame: &Map<String, Value>) -> Result<ClientFrame, Refused> {
    Ok(ClientFrame::Read {
        conversation: conversation(frame)?,
        up_to: up_to(frame).map_err(Refused::invalid)?,
    })
}

/// The fields are those of the REST request.
fn send(frame: Map<String, Value>) -> Result<ClientFrame, Refused> {
    let conversation = frame.get("conversation_id").and_then(Value::as_str);
    let conversation = conversation
        .and_then(|id| id.parse().ok())
        .ok_or_else(|| Refused::invalid("conversation_id must be a UUID"))?;
    let request = serde_json::from_value::<SendMessage>(Value::Object(frame));
    let request = request.map_err(|error| Refused::invalid(error.to_string()))?;
    let (said, carrying) = request.said().map_err(|error| Refused::invalid(error.detail()))?;
    Ok(ClientFrame::Send {
        conversation,
        said: Box::new(said),
        carrying: Box::new(carrying),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::domain::ids::MessageId;
    use crate::domain::message::Text;

    fn read_json(frame: &Value) -> Result<ClientFrame, Refused> {
        read(&frame.to_string()).1
    }

    #[test]
    fn each_known_frame_is_read() {
        let id = Uuid::from_u128(1).to_string().to_uppercase();
        assert_eq!(read_json(&json!({ "type": "ping" })), Ok(ClientFrame::Ping));
        assert_eq!(
            read_json(&json!({ "type": "get_unacked" })),
            Ok(ClientFrame::GetUnacked)
        );
        assert_eq!(
            read_json(&json!({ "type": "ack", "msg_id": "5-1", "conversation_id": id })),
            Ok(ClientFrame::Ack(Cursor { position: 5, n: 1 }))
        );
        let send = json!({ "type": "message.send", "conversation_id": id, "content": "hi", "request_id": 7,
            "reply_to_message_id": id, "thread_root_message_id": id });
        assert_eq!(
            read(&send.to_string()),
            (
                Some(json!(7)),
                Ok(ClientFrame::Send {
                    conversation: ConversationId(Uuid::from_u128(1)),
                    said: Box::new(Said {
                        text: Text::plain("hi"),
                        idempotency_key: None,
                        reply_to: Some(MessageId(Uuid::from_u128(1))),
                        thread: Some(MessageId(Uuid::from_u128(1))),
                    }),
                    carrying: Box::default(),
                })
            )
        );
    }

    #[test]
    fn a_file_needs_no_words() {
        let id = Uuid::from_u128(1);
        let frame = json!({ "type": "message.send", "conversation_id": id, "media_id": id, "message_type": "voice" });
        let read = read_json(&frame);
        assert!(
            matches!(&read, Ok(ClientFrame::Send { said, carrying, .. })
                if said.text.plain.is_empty() && carrying.media_id == Some(id)),
            "{read:?}"
        );
    }

    #[test]
    fn frames_about_calls_are_told_apart() {
        for frame in CallFrame::ALL {
            let read = read_json(&json!({ "type": frame.name(), "call_id": 5 }));
            assert!(
                matches!(read, Ok(ClientFrame::Call(found, _)) if found == frame),
                "{frame:?}"
            );
        }
        assert_eq!(read_json(&json!({ "type": "call.park" })), Ok(ClientFrame::Unknown));
    }

    #[test]
    fn frames_of_old_clients_that_mean_nothing_yet_are_ignored() {
        for name in ["request_room_keys", "from.the.future"] {
            assert_eq!(read_json(&json!({ "type": name })), Ok(ClientFrame::Unknown));
        }
    }

    #[test]
    fn typing_is_read_as_every_client_says_it() {
        let (here, me) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let said = |user: Option<Uuid>, typing| {
            Ok(ClientFrame::Typing {
                conversation: Some(ConversationId(here)),
                user: user.map(UserId),
                typing,
            })
        };
        let upper = |id: Uuid| id.to_string().to_uppercase();
        let old = json!({ "type": "typing", "conversation_id": upper(here), "user_id": upper(me) });
        assert_eq!(read_json(&old), said(Some(me), true));
        for (name, typing) in [("typing.start", true), ("typing.stop", false)] {
            let nested = json!({ "type": name, "data": { "conversation_id": here } });
            assert_eq!(read_json(&nested), said(None, typing));
            let flat = json!({ "type": name, "conversation_id": here });
            assert_eq!(read_json(&flat), said(None, typing));
        }
        for frame in [
            json!({ "type": "typing", "conversation_id": 7 }),
            json!({ "type": "typing", "conversation_id": here, "user_id": "me" }),
            json!({ "type": "typing.start", "data": { "conversation_id": "here" } }),
        ] {
            assert_eq!(read_json(&frame), Ok(ClientFrame::Unknown), "{frame}");
        }
    }

    #[test]
    fn what_was_read_is_said_by_message_number_or_not_at_all() {
        let id = Uuid::from_u128(1);
        let read = |up_to| {
            Ok(ClientFrame::Read {
                conversation: Some(ConversationId(id)),
                up_to,
            })
        };
        let frame = json!({ "type": "message.read", "conversation_id": id, "message_id": id });
        assert_eq!(read_json(&frame), read(UpTo::Message(id.into())));
        let frame = json!({ "type": "message.read", "data": { "conversation_id": id } });
        assert_eq!(read_json(&frame), read(UpTo::Newest));
        assert!(read_json(&json!({ "type": "message.read", "conversation_id": "x" })).is_err());
        assert!(read_json(&json!({ "type": "message.read", "sequence_number": "x" })).is_err());
    }

    #[test]
    fn a_frame_with_a_wrong_field_is_refused() {
        let id = Uuid::from_u128(1);
        for frame in [
            json!(7),
            json!({}),
            json!({ "type": 3 }),
            json!({ "type": "ack" }),
            json!({ "type": "ack", "msg_id": 5 }),
            json!({ "type": "message.send", "content": "x" }),
            json!({ "type": "message.send", "conversation_id": "x", "content": "x" }),
            json!({ "type": "message.send", "conversation_id": id }),
            json!({ "type": "message.send", "conversation_id": id, "content": 5 }),
            json!({ "type": "message.send", "conversation_id": id, "content": "x", "style": "loud" }),
            json!({ "type": "message.send", "conversation_id": id, "content": "x", "idempotency_key": 5 }),
            json!({ "type": "message.send", "conversation_id": id, "content": "x", "reply_to_message_id": "x" }),
            json!({ "type": "message.send", "conversation_id": id, "content": "x", "thread_root_message_id": "x" }),
            json!({ "type": "message.send", "conversation_id": id, "content": "x", "media_id": "x" }),
            json!({ "type": "message.send", "conversation_id": id, "content": "x", "width": -1 }),
        ] {
            assert!(read_json(&frame).is_err(), "{frame}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text: String) {
            drop(read(&text));
        }
    }
}
