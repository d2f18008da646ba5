//! Frames of what is done to messages (nova-client-protocol §5.4).

use serde_json::{Value, json};

use super::{style, time};
use crate::domain::feed::{Change, FeedEntry};
use crate::domain::ghost::Ghosts;
use crate::domain::ids::UserId;
use crate::domain::mention::addressed;
use crate::domain::message::Message;

/// `message.edited`, with what the message says now.
pub(super) fn edited(entry: &FeedEntry, by: UserId, message: &Message, ghosts: &Ghosts) -> Value {
    let mentions = addressed(&message.text, ghosts);
    let mut own = json!({
        "message_id": message.id, "version_number": message.version, "content": message.text.plain,
    });
    let optional = [
        ("formatted_content", message.text.formatted.as_deref().map(Value::from)),
        ("style", style(message.text.style).map(Value::from)),
        ("edited_at", message.edited_at.map(time).map(Value::from)),
        ("mentions", (!mentions.is_empty()).then(|| json!(mentions))),
        ("mentions_room", message.text.everybody.then_some(Value::from(true))),
    ];
    for (key, value) in optional {
        if let (Some(value), Some(own)) = (value, own.as_object_mut()) {
            own.insert(key.to_owned(), value);
        }
    }
    super::frame(entry, "message.edited", Some(by), own)
}

/// The frame of any other act; nothing for what is none.
pub(super) fn frame(entry: &FeedEntry, change: &Change) -> Option<Value> {
    let (name, by, own) = match change {
        Change::MessageDeleted { by, message } => ("message.deleted", by, json!({ "message_id": message })),
        Change::Recalled { by, message } => (
            "message.recalled",
            by,
            json!({ "message_id": message, "recalled_by": by, "recalled_at": time(entry.at) }),
        ),
        Change::Reacted {
            by,
            message,
            reaction,
            emoji,
        } => (
            "reaction.added",
            by,
            json!({ "message_id": message, "emoji": emoji, "reaction_id": reaction }),
        ),
        Change::Unreacted {
            by,
            message,
            reaction,
            emoji,
        } => (
            "reaction.removed",
            by,
            json!({ "message_id": message, "emoji": emoji, "reaction_id": reaction }),
        ),
        Change::UnreactedAll { by, message } => ("reaction.removed_all", by, json!({ "message_id": message })),
        Change::Pinned { by, message } => (
            "message.pinned",
            by,
            json!({ "message_id": message, "pinned_by": by, "pinned_at": time(entry.at) }),
        ),
        Change::Unpinned { by, message } => (
            "message.unpinned",
            by,
            json!({ "message_id": message, "unpinned_by": by }),
        ),
        Change::Created { .. }
        | Change::Updated { .. }
        | Change::Deleted { .. }
        | Change::MemberJoined { .. }
        | Change::MemberLeft { .. }
        | Change::RoleChanged { .. }
        | Change::Knocked { .. }
        | Change::KnockAnswered { .. }
        | Change::Requested { .. }
        | Change::Answered { .. }
        | Change::LocationStopped { .. }
        | Change::Call { .. }
        | Change::Edited { .. }
        | Change::Read { .. }
        | Change::Kept { .. }
        | Change::Delivery { .. } => return None,
    };
    Some(super::frame(entry, name, Some(*by), own))
}
