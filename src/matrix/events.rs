//! Events out, and history in. Contents pass through byte for byte.

use ruma::api::Direction;
use ruma::api::client::message::{get_message_events, send_message_event};
use ruma::api::client::redact::redact_event;
use ruma::api::client::state::send_state_event;
use ruma::serde::Raw;
use ruma::{OwnedEventId, RoomId, UserId};
use serde_json::value::RawValue;

use super::client::Homeserver;
use super::error::HomeserverError;
use super::observer::Endpoint;
use super::wire::in_path;

/// One page of a room's history, newest event first.
#[derive(Debug)]
pub struct MessagesPage {
    /// Whole events, as the homeserver has them.
    pub events: Vec<Box<RawValue>>,
    /// Where the next older page begins; `None` at the room's beginning. Synapse says so only on an empty page.
    pub end: Option<String>,
}

impl Homeserver {
    /// Sends an event. The same `txn_id` gives the same event again, as long as the homeserver remembers it; no two
    /// ghosts may share one, because Synapse's memory does not tell ghosts apart.
    ///
    /// # Errors
    ///
    /// `M_FORBIDDEN` where the ghost is not in the room or may not send this.
    pub async fn send_event(
        &self,
        ghost: &UserId,
        room: &RoomId,
        event_type: &str,
        txn_id: &str,
        content: &RawValue,
    ) -> Result<OwnedEventId, HomeserverError> {
        let request = send_message_event::v3::Request::new_raw(
            in_path(room)?,
            in_path(txn_id)?,
            in_path(event_type)?,
            Raw::from_json(content.to_owned()),
        );
        Ok(self.request(Endpoint::SendEvent, Some(ghost), request).await?.event_id)
    }

    /// Redacts an event. The same `txn_id` gives the same redaction again, as with [`Self::send_event`].
    ///
    /// # Errors
    ///
    /// `M_FORBIDDEN` where the ghost is not in the room or may not redact this, `M_NOT_FOUND` where there is no such event.
    pub async fn redact(
        &self,
        ghost: &UserId,
        room: &RoomId,
        event: &str,
        txn_id: &str,
    ) -> Result<OwnedEventId, HomeserverError> {
        let request = redact_event::v3::Request::new(in_path(room)?, in_path(event)?, in_path(txn_id)?);
        Ok(self.request(Endpoint::Redact, Some(ghost), request).await?.event_id)
    }

    /// Sets a piece of the room's state. Setting what is already there gives the event that set it.
    ///
    /// # Errors
    ///
    /// `M_FORBIDDEN` where the ghost is not in the room or may not set this.
    pub async fn send_state(
        &self,
        ghost: &UserId,
        room: &RoomId,
        event_type: &str,
        state_key: &str,
        content: &RawValue,
    ) -> Result<OwnedEventId, HomeserverError> {
        let request = send_state_event::v3::Request::new_raw(
            in_path(room)?,
            in_path(event_type)?,
            in_path(state_key)?,
            Raw::from_json(content.to_owned()),
        );
        Ok(self.request(Endpoint::SendState, Some(ghost), request).await?.event_id)
    }

    /// History backwards: from the newest event, or from a page's [`MessagesPage::end`].
    ///
    /// # Errors
    ///
    /// `M_FORBIDDEN` where the ghost may not read the room.
    pub async fn messages(
        &self,
        ghost: &UserId,
        room: &RoomId,
        from: Option<&str>,
        limit: u16,
    ) -> Result<MessagesPage, HomeserverError> {
        let mut request = get_message_events::v3::Request::new(in_path(room)?, Direction::Backward);
        request.from = from.map(str::to_owned);
        request.limit = limit.into();
        let answer = self.request(Endpoint::Messages, Some(ghost), request).await?;
        Ok(MessagesPage {
            events: answer.chunk.into_iter().map(Raw::into_json).collect(),
            end: answer.end,
        })
    }
}
