//! What can happen to a call, and what follows from it.

use super::media::{Candidate, Description, Sdp, StreamMetadata};
use super::news::{EndReason, News};
use super::signal::{CallEvent, Signal};
use crate::domain::ids::UserId;
use ruma::OwnedUserId;

/// Through which of Nova's protocols somebody takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// Nova's own routes and frames.
    Nova,
    /// Socket.IO with `/api/calls/*` (`call-dialects.md` §1).
    SocketIo,
    /// The `call_*` frames (`call-dialects.md` §2). Such a client can change nothing once a call is up.
    Frames,
}

impl Dialect {
    /// The name in the database and in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nova => "nova",
            Self::SocketIo => "socket_io",
            Self::Frames => "frames",
        }
    }

    /// Whether its clients can change what they send in a call that is up.
    #[must_use]
    pub const fn negotiates(self) -> bool {
        match self {
            Self::Nova | Self::SocketIo => true,
            Self::Frames => false,
        }
    }
}

/// Something that happens to a call that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The caller's offer, where the call was placed without one. Only now does it ring.
    Offer {
        /// Who.
        by: UserId,
        /// What they send.
        offer: Sdp,
        /// What its streams are.
        metadata: Option<StreamMetadata>,
    },
    /// Somebody takes the call and will say later what they send.
    Accept {
        /// Who.
        by: UserId,
        /// How they take part.
        dialect: Dialect,
        /// The device's own key: only who shows it again can say what they send.
        claim: Option<String>,
    },
    /// Somebody takes the call, or says after [`Input::Accept`] what they send.
    Answer {
        /// Who.
        by: UserId,
        /// What they send.
        answer: Sdp,
        /// What its streams are.
        metadata: Option<StreamMetadata>,
        /// How they take part.
        dialect: Dialect,
        /// The key of [`Input::Accept`].
        claim: Option<String>,
    },
    /// Somebody does not want it.
    Reject {
        /// Who.
        by: UserId,
        /// Whether because of another call.
        busy: bool,
    },
    /// Somebody hangs up.
    End {
        /// Who.
        by: UserId,
        /// Why: hung up, or why they cannot go on.
        reason: EndReason,
    },
    /// Ways to reach somebody.
    Candidates {
        /// Whom.
        by: UserId,
        /// For whom, in a group call.
        to: Option<UserId>,
        /// How.
        candidates: Vec<Candidate>,
    },
    /// Somebody changes what they send.
    Negotiate {
        /// Who.
        by: UserId,
        /// For whom, in a group call.
        to: Option<UserId>,
        /// To what.
        description: Description,
        /// What its streams are.
        metadata: Option<StreamMetadata>,
    },
    /// Somebody switches microphone or camera.
    Media {
        /// Who.
        by: UserId,
        /// The microphone.
        audio: Option<bool>,
        /// The camera.
        video: Option<bool>,
    },
    /// Somebody comes into a group call.
    Join {
        /// Who.
        by: UserId,
        /// What they send to everybody, where they say it at once.
        sdp: Option<Sdp>,
        /// How they take part.
        dialect: Dialect,
    },
    /// Somebody leaves a group call.
    Leave {
        /// Who.
        by: UserId,
    },
    /// The last socket of somebody is gone.
    Gone {
        /// Who.
        who: UserId,
    },
    /// Somebody has a socket again.
    Back {
        /// Who.
        who: UserId,
    },
    /// A call event came from the room.
    Matrix {
        /// Who sent it.
        sender: OwnedUserId,
        /// What it says.
        event: CallEvent,
    },
    /// The callee took or refused it with a Matrix client of their own, on the same account.
    Elsewhere {
        /// Whether they took it.
        answered: bool,
    },
    /// Somebody left the conversation, or its room. For a peer in Matrix that is a hangup.
    Left {
        /// Who.
        who: UserId,
    },
    /// The room is no place for the call any more: it was upgraded, or our ghost was put out of it.
    RoomLost,
    /// The homeserver refused our invite or our answer for good.
    Refused {
        /// Why, in words for people.
        detail: String,
    },
    /// Another call takes this one's place.
    Replace,
    /// The time that [`super::Call::deadline`] names has come.
    Deadline,
}

/// What follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Show it to all sockets of a person.
    Tell {
        /// Whom.
        to: UserId,
        /// What.
        news: News,
    },
    /// Send it into the room, in the call's own lane.
    Send {
        /// As whose ghost.
        actor: UserId,
        /// What.
        signal: Signal,
    },
    /// What waits to be sent for this call and was not tried is void, and what follows is due at once.
    Cut,
    /// Keep it in the audit.
    Log {
        /// Who did it.
        by: Option<UserId>,
        /// What, a short name.
        what: &'static str,
    },
}

impl Effect {
    pub(super) const fn log(by: Option<UserId>, what: &'static str) -> Self {
        Self::Log { by, what }
    }
}

/// Why an input changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// They have no part in it.
    #[error("you do not take part in this call")]
    NotYours,
    /// It does not ring for them: it was answered, or is over.
    #[error("the call is not ringing")]
    NotRinging,
    /// It is over.
    #[error("the call has ended")]
    Ended,
    /// It is not up.
    #[error("the call is not connected yet")]
    NotConnected,
    /// The caller has not said yet what they send.
    #[error("the caller has not sent an offer yet")]
    NoOffer,
    /// The offer was made before.
    #[error("the call has an offer already; use negotiate to change it")]
    HasOffer,
    /// The caller's description cannot ring anywhere.
    #[error("the offer sends no track that belongs to a MediaStream")]
    BadOffer,
    /// The callee's description would be heard by nobody.
    #[error("the answer sends tracks that belong to no MediaStream")]
    BadAnswer,
    /// The peer's client cannot change a call that is up.
    #[error("the other side's client cannot renegotiate")]
    CannotNegotiate,
    /// Only for group calls.
    #[error("this is not a group call")]
    NotAGroup,
    /// In a group call candidates and descriptions are for one person.
    #[error("name the participant that it is for")]
    NoTarget,
    /// No place left.
    #[error("the call is full")]
    Full,
    /// They are in it already.
    #[error("you are in this call already")]
    Joined,
    /// Too many candidates before the answer.
    #[error("too many candidates")]
    TooMany,
}
