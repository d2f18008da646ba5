//! What a client may say (nova-client-protocol §4, nova-api §3). Unknown types are ignored, so that newer clients can
//! talk to older bridges.

use serde_json::{Map, Value};

use crate::domain::feed::Cursor;
use crate::domain::ids::ConversationId;
use crate::domain::message::{Style, Text};
use crate::nova::dialects::call_frames::Kind;
use crate::nova::dto::calls::body::Body;

/// A frame from a client.
#[derive(Debug, PartialEq, Eq)]
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
        text: Text,
        /// The client's own key for it.
        idempotency_key: Option<String>,
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
        "message.send" => send(&frame),
        name => match (CallFrame::parse(name), Kind::parse(name)) {
            (Some(call), _) => Ok(ClientFrame::Call(call, Body::from(frame))),
            (None, Some(kind)) => Ok(ClientFrame::Foreign(kind, frame)),
            (None, None) => Ok(ClientFrame::Unknown),
        },
    };
    (request_id, read)
}

fn send(frame: &Map<String, Value>) -> Result<ClientFrame, Refused> {
    let text = |key: &str| match frame.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Refused::invalid(format!("{key} must be a text"))),
    };
    let conversation = text("conversation_id")?
        .and_then(|id| id.parse().ok())
        .ok_or_else(|| Refused::invalid("conversation_id must be a UUID"))?;
    let plain = match text("content")? {
        Some(content) => content,
        None => text("plaintext")?.ok_or_else(|| Refused::invalid("content is missing"))?,
    };
    let style = match text("style")? {
        Some(name) => Style::parse(&name).ok_or_else(|| Refused::invalid("style is plain, notice or emote"))?,
        None => Style::Plain,
    };
    let formatted = text("formatted_content")?;
    Ok(ClientFrame::Send {
        conversation,
        text: Text {
            style,
            plain,
            formatted,
            media: None,
        },
        idempotency_key: text("idempotency_key")?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

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
        let send = json!({ "type": "message.send", "conversation_id": id, "content": "hi", "request_id": 7 });
        assert_eq!(
            read(&send.to_string()),
            (
                Some(json!(7)),
                Ok(ClientFrame::Send {
                    conversation: ConversationId(Uuid::from_u128(1)),
                    text: Text::plain("hi"),
                    idempotency_key: None,
                })
            )
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
        for name in [
            "typing",
            "typing.start",
            "typing.stop",
            "request_room_keys",
            "from.the.future",
        ] {
            assert_eq!(read_json(&json!({ "type": name })), Ok(ClientFrame::Unknown));
        }
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
