//! How far somebody has read.

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::bridge::receipts::{ReadSoFar, UpTo};
use crate::domain::ids::ConversationId;

/// Says up to where the caller has read: everything, where nothing is said. [`up_to`] reads it.
#[derive(Debug, ToSchema)]
#[schema(example = json!({"message_id": "5d90b7f3-6c2e-4e8b-a1d4-0f7c3b9e8d26"}))]
pub struct MarkRead {
    /// Up to this message. Also as `last_read_message_id`.
    pub message_id: Option<Uuid>,
    /// Up to the message with this number. Also as `last_read_sequence`.
    pub sequence_number: Option<i64>,
}

/// Up to where a request or a frame says that its sender has read.
///
/// # Errors
/// What is wrong with it.
pub fn up_to(fields: &Map<String, Value>) -> Result<UpTo, &'static str> {
    let given = |names: [&str; 2]| {
        let values = names.into_iter().filter_map(|name| fields.get(name));
        values.into_iter().find(|value| !value.is_null() && *value != "")
    };
    if let Some(id) = given(["message_id", "last_read_message_id"]) {
        let id = id.as_str().and_then(|id| id.parse().ok());
        return id.map(UpTo::Message).ok_or("message_id must be a UUID");
    }
    if let Some(sequence) = given(["sequence_number", "last_read_sequence"]) {
        let sequence = sequence.as_i64().filter(|sequence| *sequence >= 0);
        return sequence.map(UpTo::Sequence).ok_or("sequence_number must be a number");
    }
    Ok(UpTo::Newest)
}

/// How far the caller has read.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReadUpTo {
    /// Always true.
    #[schema(example = true)]
    pub success: bool,
    /// Always the same: what the iOS app decodes.
    #[schema(example = "read")]
    pub message: &'static str,
    /// The conversation.
    #[schema(example = "c7e41a52-0b9d-4f38-8d16-5a3e9c2b7f04")]
    pub conversation_id: Uuid,
    /// The newest message that was read; null where nothing was.
    #[schema(example = "5d90b7f3-6c2e-4e8b-a1d4-0f7c3b9e8d26")]
    pub last_read_message_id: Option<Uuid>,
    /// Its number.
    #[schema(example = 42)]
    pub last_read_sequence: i64,
    /// How many messages there are after it.
    #[schema(example = 0)]
    pub unread_count: i64,
}

impl ReadUpTo {
    /// As `read` has it.
    #[must_use]
    pub fn new(conversation: ConversationId, read: ReadSoFar) -> Self {
        Self {
            success: true,
            message: "read",
            conversation_id: conversation.0,
            last_read_message_id: read.message.map(|id| id.0),
            last_read_sequence: read.sequence,
            unread_count: read.unread,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::ids::MessageId;

    fn read(body: &Value) -> Result<UpTo, &'static str> {
        up_to(body.as_object().unwrap())
    }

    #[test]
    fn a_message_a_number_or_everything() {
        let id = Uuid::from_u128(7);
        for body in [
            json!({ "message_id": id }),
            json!({ "last_read_message_id": id.to_string().to_uppercase() }),
            json!({ "message_id": "", "last_read_message_id": id, "sequence_number": 3 }),
        ] {
            assert_eq!(read(&body), Ok(UpTo::Message(MessageId(id))), "{body}");
        }
        assert_eq!(read(&json!({ "sequence_number": 3 })), Ok(UpTo::Sequence(3)));
        assert_eq!(read(&json!({ "last_read_sequence": 3 })), Ok(UpTo::Sequence(3)));
        for body in [
            json!({}),
            json!({ "message_id": null, "sequence_number": null, "x": 1 }),
        ] {
            assert_eq!(read(&body), Ok(UpTo::Newest), "{body}");
        }
    }

    #[test]
    fn what_is_neither_is_refused() {
        for body in [
            json!({ "message_id": 7 }),
            json!({ "message_id": "last" }),
            json!({ "sequence_number": "3" }),
            json!({ "sequence_number": -1 }),
            json!({ "sequence_number": 1.5 }),
        ] {
            assert!(read(&body).is_err(), "{body}");
        }
    }
}
