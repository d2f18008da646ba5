//! What a ghost tells in passing: what it has read, that it types, that it is there.

use std::time::Duration;

use ruma::api::client::presence::set_presence;
use ruma::api::client::receipt::create_receipt::{self, v3::ReceiptType};
use ruma::api::client::typing::create_typing_event::{self, v3::Typing, v3::TypingInfo};
use ruma::presence::PresenceState;
use ruma::{RoomId, UserId};

use super::client::Homeserver;
use super::error::HomeserverError;
use super::observer::Endpoint;
use super::wire::in_path;
use crate::domain::presence::Status;

impl Homeserver {
    /// The ghost has read the room up to an event, in all its threads; with `is_private` only its own clients are told.
    /// Telling the same again changes nothing.
    ///
    /// # Errors
    ///
    /// `M_FORBIDDEN` where the ghost is not in the room, 400 or 404 where the event is not.
    pub async fn send_receipt(
        &self,
        ghost: &UserId,
        room: &RoomId,
        event_id: &str,
        is_private: bool,
    ) -> Result<(), HomeserverError> {
        let kind = if is_private {
            ReceiptType::ReadPrivate
        } else {
            ReceiptType::Read
        };
        let request = create_receipt::v3::Request::new(in_path(room)?, kind, in_path(event_id)?);
        self.request(Endpoint::Receipt, Some(ghost), request).await?;
        Ok(())
    }

    /// The ghost types for so long, or with `None` no longer.
    ///
    /// # Errors
    ///
    /// `M_FORBIDDEN` where the ghost is not in the room.
    pub async fn set_typing(
        &self,
        ghost: &UserId,
        room: &RoomId,
        lasts: Option<Duration>,
    ) -> Result<(), HomeserverError> {
        let state = lasts.map_or(Typing::No, |lasts| Typing::Yes(TypingInfo::new(lasts)));
        let request = create_typing_event::v3::Request::new(in_path(ghost)?, in_path(room)?, state);
        self.request(Endpoint::Typing, Some(ghost), request).await?;
        Ok(())
    }

    /// Whether the ghost is there. A homeserver with presence switched off takes it and does nothing.
    ///
    /// # Errors
    ///
    /// See [`HomeserverError`].
    pub async fn set_presence(&self, ghost: &UserId, status: Status) -> Result<(), HomeserverError> {
        let state = match status {
            Status::Online => PresenceState::Online,
            Status::Unavailable => PresenceState::Unavailable,
            Status::Offline => PresenceState::Offline,
        };
        let request = set_presence::v3::Request::new(in_path(ghost)?, state);
        self.request(Endpoint::Presence, Some(ghost), request).await?;
        Ok(())
    }
}
