//! Requests, and where people are (nova-client-protocol §5.4, §6.7).

use serde_json::{Value, json};

use super::{frame, time};
use crate::domain::feed::{Change, FeedEntry};
use crate::domain::ids::UserId;
use crate::domain::media::Place;
use crate::domain::message::Message;
use crate::domain::request::{Answer, preview};

/// `message_request.created`, which no old client knows: the fields of `GET /message-requests`. It comes again with the
/// first message, where that came later.
pub(super) fn requested(entry: &FeedEntry, by: UserId, message: Option<&Message>) -> Value {
    let said = message.filter(|message| message.gone.is_none());
    let own = json!({
        "id": entry.conversation, "requester_id": by, "created_at": time(entry.at),
        "message_preview": said.map(|message| preview(&message.text.plain)),
    });
    frame(entry, "message_request.created", Some(by), own)
}

/// `message_request.answered`: it is no longer in the list.
pub(super) fn answered(entry: &FeedEntry, answer: Answer) -> Value {
    let own = json!({ "id": entry.conversation, "status": answer.as_str() });
    frame(entry, "message_request.answered", entry.audience, own)
}

/// `member.knocked` and `member.knock_answered`, for those who may let somebody in; nothing for what is neither. As in the
/// other frames of members, `user_id` is who knocks, and `sender_id` who did it.
pub(super) fn knock(entry: &FeedEntry, change: &Change) -> Option<Value> {
    if let Change::Knocked {
        user,
        username,
        display_name,
        reason,
    } = change
    {
        let own = json!({ "username": username, "display_name": display_name, "reason": reason });
        return Some(frame(entry, "member.knocked", Some(*user), own));
    }
    if let Change::KnockAnswered { by, user, answer } = change {
        let own = json!({ "user_id": user, "status": answer.as_str() });
        return Some(frame(entry, "member.knock_answered", Some(*by), own));
    }
    None
}

/// `location.shared`, beside the message that says it.
pub(super) fn shared(entry: &FeedEntry, message: &Message, place: &Place) -> Value {
    let (latitude, longitude) = place.degrees();
    let own = json!({
        "message_id": message.id, "latitude": latitude, "longitude": longitude,
        "accuracy_meters": place.whole_metres(),
    });
    frame(entry, "location.shared", Some(message.sender), own)
}

#[cfg(test)]
mod tests {
    use chrono::{TimeZone, Utc};
    use uuid::Uuid;

    use super::super::change_frames;
    use super::*;
    use crate::domain::clock::SystemClock;
    use crate::domain::feed::{Cursor, FeedEvent};
    use crate::domain::ids::{ConversationId, MessageId};
    use crate::domain::media::Media;
    use crate::domain::message::Text;
    use crate::nova::media::Links;

    const ALICE: UserId = UserId(Uuid::from_u128(0xA11CE));
    const BOB: UserId = UserId(Uuid::from_u128(0xB0B));

    fn entry() -> FeedEntry {
        FeedEntry {
            cursor: Cursor {
                position: 1_767_863_730_123,
                n: 2,
            },
            conversation: ConversationId(Uuid::from_u128(0xC0)),
            audience: Some(BOB),
            at: Utc.with_ymd_and_hms(2026, 1, 8, 9, 15, 30).unwrap(),
            event: FeedEvent::Change(Change::Requested { by: ALICE }),
        }
    }

    fn message(text: Text) -> Message {
        Message {
            id: MessageId(Uuid::from_u128(0xE5)),
            conversation: ConversationId(Uuid::from_u128(0xC0)),
            sender: ALICE,
            sequence: 1,
            text,
            version: 1,
            edited_at: None,
            gone: None,
            reply_to: None,
            thread_root: None,
            event_id: None,
            delivery: None,
            created_at: entry().at,
        }
    }

    #[test]
    fn requests_and_places_are_told() {
        let place = Place::new(52.3676, 4.9041, Some(12.6)).unwrap();
        let here = message(Text::carrying(Media::Place(place.clone()), "Here"));
        let said = message(Text::plain("Hello"));
        let gone = Message {
            gone: Some(crate::domain::message::Gone::Deleted),
            ..said.clone()
        };
        let preview = |message| requested(&entry(), ALICE, Some(message))["message_preview"].clone();
        assert_eq!(preview(&gone), Value::Null, "what was taken back is not shown");
        insta::assert_json_snapshot!([
            requested(&entry(), ALICE, None),
            requested(&entry(), ALICE, Some(&said)),
            answered(&entry(), Answer::Withdrawn),
            shared(&entry(), &here, &place),
        ]);
    }

    #[test]
    fn who_knocks_is_told() {
        let url = "https://nova.example.org/".parse().unwrap();
        let day = std::time::Duration::from_hours(24);
        let links = Links::new(&url, b"secret", day, std::sync::Arc::new(SystemClock));
        let knocked = Change::Knocked {
            user: ALICE,
            username: "@alice:example.org".to_owned(),
            display_name: "Alice".to_owned(),
            reason: Some("May I?".to_owned()),
        };
        let let_in = Change::KnockAnswered {
            by: BOB,
            user: ALICE,
            answer: Answer::Accepted,
        };
        insta::assert_json_snapshot!([knocked, let_in].map(|change| change_frames(&entry(), &change, &links)));
    }
}
