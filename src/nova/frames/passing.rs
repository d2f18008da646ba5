//! Who has read what, as clients know it (nova-client-protocol §5.4, §5.5).

use serde_json::{Value, json};

use super::frame;
use crate::domain::feed::FeedEntry;
use crate::domain::ids::{MessageId, UserId};

/// `read_receipt` for those who know that name, `message.read` for the others.
pub(super) fn read(entry: &FeedEntry, by: UserId, message: MessageId, sequence: i64) -> Vec<Value> {
    let fields = json!({
        "message_id": message, "last_read_message_id": message, "last_read_sequence": sequence,
        "data": { "conversation_id": entry.conversation, "user_id": by, "last_read_message_id": message },
    });
    ["read_receipt", "message.read"]
        .map(|name| frame(entry, name, Some(by), fields.clone()))
        .to_vec()
}
