//! Who has read what, types, and is there, as clients know it (nova-client-protocol §5.4, §5.5).

use serde_json::{Value, json};

use super::{frame, time};
use crate::bridge::live::Seen;
use crate::domain::clock::Timestamp;
use crate::domain::feed::FeedEntry;
use crate::domain::ids::{MessageId, UserId};
use crate::domain::typing::Typist;

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

/// `typing.started` and `typing.stopped` for those who know the documents, `typing` for the first clients, which know no end
/// of it, and `typing.indicator` for the iOS app.
pub(super) fn typing(typist: &Typist, at: Timestamp) -> Vec<Value> {
    let (conversation, user) = (typist.conversation, typist.user);
    let name = if typist.typing {
        "typing.started"
    } else {
        "typing.stopped"
    };
    let frame = |name: &str| {
        json!({
            "type": name, "conversation_id": conversation, "timestamp": time(at), "user_id": user, "sender_id": user,
            "username": typist.name, "is_typing": typist.typing,
        })
    };
    let mut frames = vec![frame(name)];
    if typist.typing {
        frames.push(frame("typing"));
    }
    let mut indicator = frame("typing.indicator");
    if let Some(fields) = indicator.as_object_mut() {
        let data = json!({
            "conversation_id": conversation, "user_id": user, "username": typist.name, "is_typing": typist.typing,
        });
        fields.insert("data".to_owned(), data);
    }
    frames.push(indicator);
    frames
}

/// `presence`, which no old client knows.
pub(super) fn presence(seen: &Seen, at: Timestamp) -> Value {
    let mut frame = json!({
        "type": "presence", "timestamp": time(at), "user_id": seen.user, "presence": seen.status,
        "currently_active": seen.currently_active,
    });
    if let (Some(last), Some(fields)) = (seen.last_active, frame.as_object_mut()) {
        fields.insert("last_active_at".to_owned(), json!(time(last)));
    }
    frame
}

/// `relationship.updated`, which no old client knows.
pub(super) fn block(user: UserId, blocks: bool, at: Timestamp) -> Value {
    json!({ "type": "relationship.updated", "timestamp": time(at), "user_id": user, "is_blocking": blocks })
}

#[cfg(test)]
mod tests {
    use chrono::{TimeZone, Utc};
    use uuid::Uuid;

    use super::*;
    use crate::domain::feed::{Change, Cursor, FeedEvent};
    use crate::domain::ids::ConversationId;
    use crate::domain::presence::Status;

    const ALICE: UserId = UserId(Uuid::from_u128(0xA11CE));
    const HERE: ConversationId = ConversationId(Uuid::from_u128(0xC0));

    fn at(seconds: u32) -> Timestamp {
        Utc.with_ymd_and_hms(2026, 1, 8, 9, 15, seconds).unwrap()
    }

    #[test]
    fn what_is_told_in_passing_leaves_the_process_as_pinned() {
        let message = MessageId(Uuid::from_u128(0x3E5));
        let entry = FeedEntry {
            cursor: Cursor {
                position: 1_767_863_730_123,
                n: 2,
            },
            conversation: HERE,
            audience: None,
            at: at(30),
            event: FeedEvent::Change(Change::Read {
                by: ALICE,
                message,
                sequence: 42,
            }),
        };
        let typist = |typing| Typist {
            conversation: HERE,
            user: ALICE,
            name: "@alice:example.org".into(),
            typing,
        };
        let seen = Seen {
            user: ALICE,
            status: Status::Unavailable,
            currently_active: false,
            last_active: Some(at(20)),
        };
        insta::assert_json_snapshot!(json!({
            "read": read(&entry, ALICE, message, 42),
            "blocks": block(ALICE, true, at(32)),
            "begins": typing(&typist(true), at(31)),
            "ends": typing(&typist(false), at(32)),
            "presence": presence(&seen, at(33)),
        }));
    }
}
