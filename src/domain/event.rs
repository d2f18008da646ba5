//! What a Matrix event means to the bridge, once it is read. The reading itself is `matrix::translate::inbound`.

use std::collections::BTreeMap;

use ruma::{OwnedRoomId, OwnedUserId};
use serde_json::value::RawValue;

use super::act::Act;
use super::call::CallEvent;
use super::clock::Timestamp;
use super::ids::{ActId, MessageId, OutboxId};
use super::message::Text;
use super::pin::Needs;

/// An event of a transaction: as it came, and as far as it could be understood.
#[derive(Debug)]
pub struct RawEvent {
    /// The bytes that Synapse sent.
    pub raw: Box<RawValue>,
    /// What they mean.
    pub decoded: Result<InboundEvent, Malformed>,
}

/// Why an event could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Malformed {
    /// What is wrong, without anything of the content.
    pub what: String,
    /// The event's id, when at least that could be read.
    pub event_id: Option<String>,
    /// The event's room, when at least that could be read.
    pub room: Option<String>,
}

/// An event that could be read.
#[derive(Debug, Clone, PartialEq)]
pub struct InboundEvent {
    /// Its id.
    pub id: String,
    /// Where it happened.
    pub room: OwnedRoomId,
    /// Who did it.
    pub sender: OwnedUserId,
    /// When, by the sender's server.
    pub at: Timestamp,
    /// What happened.
    pub meaning: Meaning,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Meaning {
    /// Something was said.
    Message {
        /// What.
        text: Text,
        /// What it answers.
        reply: Option<Reply>,
        /// Our marker, which counts only from a ghost.
        marker: Option<MessageId>,
        /// Whether it is marked as a notice of the bridge itself, nobody's message. Counts only from one of our users.
        notice: bool,
    },
    /// Something was done to an event.
    Act {
        /// To which.
        target: String,
        /// What.
        act: Act,
        /// Our marker, which counts only from a ghost.
        marker: Option<ActId>,
    },
    /// Something was said or done that the bridge cannot carry yet. Kept, so that a later version can.
    NotYet {
        /// Its kind, such as `m.image`.
        kind: String,
        /// Our marker, which counts only from a ghost.
        marker: Option<MessageId>,
    },
    /// Something was said that the bridge cannot read.
    Encrypted,
    /// Somebody's membership or profile in the room.
    Member(MemberEvent),
    /// The room was made.
    Create {
        /// Our marker, which counts only from a ghost.
        marker: Option<OutboxId>,
        /// Further people whose power has no number (room version 12 and later).
        creators: Vec<OwnedUserId>,
        /// Whether the sender's power has none either.
        sender_is_creator: bool,
        /// Whether it is a space: it holds rooms, and is no conversation.
        is_space: bool,
    },
    /// The room's name.
    Name(Option<String>),
    /// The room's topic.
    Topic(Option<String>),
    /// The room's picture, an mxc address.
    Avatar(Option<String>),
    /// Who may do what.
    PowerLevels {
        /// The level of each person who has one.
        users: BTreeMap<OwnedUserId, i64>,
        /// The level of everybody else.
        default: i64,
        /// What they are needed for.
        needs: Needs,
    },
    /// What is pinned in the room: the whole list.
    Pinned {
        /// The events, in order.
        events: Vec<String>,
        /// Our marker, which counts only from a ghost.
        marker: Option<OutboxId>,
    },
    /// The room was upgraded.
    Tombstone {
        /// Where it goes on.
        replacement: OwnedRoomId,
    },
    /// Something happened in a call.
    Call {
        /// What.
        event: CallEvent,
        /// Whether it carries our marker, which counts only from a ghost.
        marked: bool,
    },
    /// A call of the kind that no Nova client can take (`MatrixRTC`) rings.
    RtcRing {
        /// The event that says who is in it, the same for every ring of one call.
        session: Option<String>,
        /// How old the ring was when it came, in milliseconds, never negative.
        age_ms: i64,
        /// How long it rings, in milliseconds.
        lifetime_ms: i64,
        /// Whether it begins with video.
        is_video: bool,
    },
    /// Nothing that concerns the bridge.
    Nothing,
}

/// What a message answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The event that it answers.
    pub target: String,
    /// The event that the thread begins with in which it does.
    pub thread: Option<String>,
}

/// The content of `m.room.member`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberEvent {
    /// Whose membership.
    pub target: OwnedUserId,
    /// Which.
    pub membership: RoomMembership,
    /// Their name in the room.
    pub display_name: Option<String>,
    /// Their picture, an mxc address.
    pub avatar_url: Option<String>,
    /// Whether an invite is to a direct chat.
    pub is_direct: bool,
    /// What an invite shows of the room.
    pub shown: Option<Box<Shown>>,
    /// Whether an invite says that the room is a space. Somebody else's homeserver says so.
    pub to_space: bool,
    /// Why, in their words, or in those of who did it.
    pub reason: Option<String>,
    /// The event that this one takes the place of: it is older, whenever it comes.
    pub replaces: Option<String>,
}

impl MemberEvent {
    /// One that says no more than that.
    #[must_use]
    pub const fn new(target: OwnedUserId, membership: RoomMembership) -> Self {
        Self {
            target,
            membership,
            display_name: None,
            avatar_url: None,
            is_direct: false,
            shown: None,
            to_space: false,
            reason: None,
            replaces: None,
        }
    }
}

/// What an invite shows of a room to whoever is not in it: stripped state, as the inviter's server tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shown {
    /// The room's name.
    pub name: Option<String>,
    /// Its topic.
    pub topic: Option<String>,
    /// Its picture, an mxc address.
    pub avatar_url: Option<String>,
    /// The inviter's own place in it, with their profile.
    pub inviter: Option<MemberEvent>,
}

/// A membership in a Matrix room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoomMembership {
    /// Asked to come.
    Invite,
    /// There.
    Join,
    /// Asks to come.
    Knock,
    /// Gone, on their own or not.
    Leave,
    /// Gone for good.
    Ban,
}

impl Meaning {
    /// Whether the event is something of a call that we did not send ourselves.
    #[must_use]
    pub const fn concerns_calls(&self) -> bool {
        matches!(self, Self::Call { marked: false, .. } | Self::RtcRing { .. })
    }

    /// Whether the event does something to another one.
    #[must_use]
    pub const fn is_act(&self) -> bool {
        matches!(self, Self::Act { .. })
    }

    /// Whether the event is read for its conversation's members, names and roles as well, not only for its number.
    #[must_use]
    pub const fn concerns_members(&self) -> bool {
        match self {
            Self::Message { .. }
            | Self::Act { .. }
            | Self::NotYet { .. }
            | Self::Call { .. }
            | Self::RtcRing { .. }
            | Self::Nothing => false,
            Self::Encrypted
            | Self::Member(_)
            | Self::Create { .. }
            | Self::Name(_)
            | Self::Topic(_)
            | Self::Avatar(_)
            | Self::PowerLevels { .. }
            | Self::Pinned { .. }
            | Self::Tombstone { .. } => true,
        }
    }
}
