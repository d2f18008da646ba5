//! What a homeserver tells in passing and never again: who has read what, who types, who is there. The reading itself is
//! `matrix::translate::ephemeral`.

use ruma::{OwnedRoomId, OwnedUserId};

use super::presence::Status;

/// Something told in passing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ephemeral {
    /// Receipts in a room.
    Receipts {
        /// Which room.
        room: OwnedRoomId,
        /// Who has read up to which event.
        receipts: Vec<Receipt>,
    },
    /// Everybody who types in a room now.
    Typing {
        /// Which room.
        room: OwnedRoomId,
        /// Who.
        users: Vec<OwnedUserId>,
    },
    /// Whether somebody is there.
    Presence(MatrixPresence),
}

/// Somebody has read a room up to an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Who.
    pub user: OwnedUserId,
    /// Up to where.
    pub event: String,
}

/// Whether a Matrix user is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatrixPresence {
    /// Who.
    pub user: OwnedUserId,
    /// Whether.
    pub status: Status,
    /// How long ago they last did something, in milliseconds.
    pub last_active_ago_ms: Option<i64>,
    /// Whether they do something right now.
    pub currently_active: bool,
}
