//! Calls as Matrix speaks of them: what comes from a room, and what is sent into one.
//!
//! The JSON of both is `matrix::translate::calls`
//! ([`m.call.*`](https://spec.matrix.org/v1.16/client-server-api/#voice-over-ip)).

use ruma::OwnedUserId;
use serde::{Deserialize, Serialize};

use super::media::{Candidate, Description, Sdp, StreamMetadata};
use crate::domain::clock::Timestamp;

/// The version of the protocol that a call is held in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Version {
    /// The integer 0: no parties, no reject, no choice between answers, no negotiation.
    V0,
    /// Everything else.
    V1,
}

/// Why a call ended, in the words of the specification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HangupReason {
    /// Media never connected.
    IceFailed,
    /// Media was lost.
    IceTimeout,
    /// Nobody answered.
    InviteTimeout,
    /// Somebody hung up.
    UserHangup,
    /// No microphone or camera.
    UserMediaFailed,
    /// In another call.
    UserBusy,
    /// Something else.
    UnknownError,
    /// Another call takes its place. Only ever received.
    Replaced,
    /// Another device took it. Only ever received.
    AnsweredElsewhere,
}

impl HangupReason {
    /// Reads a reason; anything unknown is [`Self::UnknownError`], nothing is [`Self::UserHangup`].
    #[must_use]
    pub fn read(text: Option<&str>) -> Self {
        match text {
            None | Some("" | "user_hangup" | "userHangup") => Self::UserHangup,
            Some("ice_failed") => Self::IceFailed,
            Some("ice_timeout") => Self::IceTimeout,
            Some("invite_timeout") => Self::InviteTimeout,
            Some("user_media_failed" | "no_user_media") => Self::UserMediaFailed,
            Some("user_busy") => Self::UserBusy,
            Some("replaced" | "new_session") => Self::Replaced,
            Some("answered_elsewhere") => Self::AnsweredElsewhere,
            Some(_) => Self::UnknownError,
        }
    }

    /// The reason as it is sent: only the seven of the specification, because Element Android cannot read an event with
    /// any other (`matrix-voip.md` §1.4).
    #[must_use]
    pub const fn as_sent(self) -> &'static str {
        match self {
            Self::IceFailed => "ice_failed",
            Self::IceTimeout => "ice_timeout",
            Self::InviteTimeout => "invite_timeout",
            Self::UserHangup | Self::Replaced | Self::AnsweredElsewhere => "user_hangup",
            Self::UserMediaFailed => "user_media_failed",
            Self::UserBusy => "user_busy",
            Self::UnknownError => "unknown_error",
        }
    }
}

/// A call event of a room, once it is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallEvent {
    /// The call's id on the Matrix side.
    pub call: String,
    /// The sender's device, where it says so.
    pub party: Option<String>,
    /// The version that the sender speaks.
    pub version: Version,
    /// How old the event was when it came, in milliseconds, never negative.
    pub age_ms: i64,
    /// What it says.
    pub act: CallAct,
}

/// What a call event says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CallAct {
    /// Rings.
    Invite {
        /// What the caller sends.
        offer: Sdp,
        /// What its streams are.
        metadata: Option<StreamMetadata>,
        /// How long it rings, in milliseconds.
        lifetime_ms: i64,
        /// Whom it is for, if it says so.
        invitee: Option<OwnedUserId>,
    },
    /// Takes the call.
    Answer {
        /// What the callee sends.
        answer: Sdp,
        /// What its streams are.
        metadata: Option<StreamMetadata>,
    },
    /// Says whose answer counts.
    SelectAnswer {
        /// The device that is in the call.
        party: String,
    },
    /// Ways to reach the sender.
    Candidates(Vec<Candidate>),
    /// Does not take the call.
    Reject {
        /// Whether because of another call.
        busy: bool,
    },
    /// Ends the call.
    Hangup(HangupReason),
    /// Changes what is sent.
    Negotiate {
        /// The new description.
        description: Description,
        /// What its streams are.
        metadata: Option<StreamMetadata>,
        /// How long it counts, in milliseconds.
        lifetime_ms: i64,
    },
    /// Says what is muted.
    Metadata(StreamMetadata),
    /// Hands the call over to somebody else, which no Nova client can follow.
    Replaces,
}

/// A call event of ours, on its way into the room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signal {
    /// The call's id on the Matrix side.
    pub call: String,
    /// Our device in the call: the same in all of its events (`matrix-voip.md` §0.9).
    pub party: String,
    /// The version to speak.
    pub version: Version,
    /// What to say.
    pub act: SignalAct,
}

/// What we say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SignalAct {
    /// Rings. Not sent any more once it would be too late.
    Invite {
        /// What the caller sends.
        offer: Sdp,
        /// What its streams are; `None` for a client that can change nothing later.
        metadata: Option<StreamMetadata>,
        /// Whom it is for.
        invitee: OwnedUserId,
        /// Until when it rings.
        expires_at: Timestamp,
        /// For how long it was meant to ring, in milliseconds.
        lifetime_ms: i64,
    },
    /// Takes the call.
    Answer {
        /// What the callee sends.
        answer: Sdp,
        /// As for the invite.
        metadata: Option<StreamMetadata>,
    },
    /// Says whose answer counts.
    SelectAnswer {
        /// The chosen device.
        party: String,
    },
    /// Ways to reach us.
    Candidates(Vec<Candidate>),
    /// Does not take the call. For a version 0 call it is sent as a hangup.
    Reject {
        /// Whether because of another call.
        busy: bool,
    },
    /// Ends the call, in the way that the peer understands by what was really sent before: nothing where our invite never
    /// went out, a reject where our answer never did (Element ignores a hangup while it rings), or else a hangup.
    End(HangupReason),
    /// Changes what is sent.
    Negotiate {
        /// The new description.
        description: Description,
        /// What its streams are.
        metadata: StreamMetadata,
    },
    /// Says what is muted.
    Metadata(StreamMetadata),
}

impl SignalAct {
    /// A short name for logs and the audit.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Invite { .. } => "invite",
            Self::Answer { .. } => "answer",
            Self::SelectAnswer { .. } => "select_answer",
            Self::Candidates(_) => "candidates",
            Self::Reject { .. } => "reject",
            Self::End(_) => "end",
            Self::Negotiate { .. } => "negotiate",
            Self::Metadata(_) => "metadata",
        }
    }
}
