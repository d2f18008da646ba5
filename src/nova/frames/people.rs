//! Requests, and where people are (nova-client-protocol §5.4, §6.7).

use serde_json::{Value, json};

use super::{frame, time};
use crate::domain::feed::FeedEntry;
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

/// `location.shared`, beside the message that says it.
pub(super) fn shared(entry: &FeedEntry, message: &Message, place: &Place) -> Value {
    let (latitude, longitude) = place.degrees();
    let own = json!({
        "message_id": message.id, "latitude": latitude, "longitude": longitude,
        "accuracy_meters": place.whole_metres(),
    });
    frame(entry, "location.shared", Some(message.sender), own)
}
