//! What a call tells the people in Nova. Stored in the feed, and written as frames by `nova::frames`.

use serde::{Deserialize, Serialize};

use super::media::{Candidate, Description, Sdp, StreamMetadata};
use crate::domain::clock::Timestamp;
use crate::domain::ids::{CallId, ParticipantId, UserId};

/// How many people a call is for. Not whether it has video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Topology {
    /// Two people.
    Direct,
    /// A mesh of Nova users.
    Group,
}

impl Topology {
    /// The name in JSON and in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Group => "group",
        }
    }
}

/// Why a call ended, in the words of nova-api §5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// Somebody hung up.
    UserHangup,
    /// The callee did not want it.
    Declined,
    /// The callee is in another call.
    Busy,
    /// Nobody answered in time.
    NoAnswer,
    /// The caller gave up before anybody answered.
    Cancelled,
    /// A crossing call takes its place.
    Replaced,
    /// The peer handed it over to somebody else.
    Transferred,
    /// The other side lost its connection.
    Lost,
    /// Media never connected, or was lost.
    IceFailed,
    /// No microphone or camera.
    MediaFailed,
    /// Another device of the same person has it, one that the bridge does not see.
    AnsweredElsewhere,
    /// Something went wrong.
    Error,
}

impl EndReason {
    /// The name in JSON, in the database and in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UserHangup => "user_hangup",
            Self::Declined => "declined",
            Self::Busy => "busy",
            Self::NoAnswer => "no_answer",
            Self::Cancelled => "cancelled",
            Self::Replaced => "replaced",
            Self::Transferred => "transferred",
            Self::Lost => "lost",
            Self::IceFailed => "ice_failed",
            Self::MediaFailed => "media_failed",
            Self::AnsweredElsewhere => "answered_elsewhere",
            Self::Error => "error",
        }
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [
            Self::UserHangup,
            Self::Declined,
            Self::Busy,
            Self::NoAnswer,
            Self::Cancelled,
            Self::Replaced,
            Self::Transferred,
            Self::Lost,
            Self::IceFailed,
            Self::MediaFailed,
            Self::AnsweredElsewhere,
            Self::Error,
        ]
        .into_iter()
        .find(|it| it.as_str() == name)
    }
}

/// What happened in a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "news", rename_all = "snake_case")]
pub enum News {
    /// It rings.
    Initiated {
        /// Who calls.
        by: UserId,
        /// Their name.
        name: String,
        /// Their picture, as it is known of them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        avatar: Option<String>,
        /// Two people or several.
        topology: Topology,
        /// Whether it begins with video.
        is_video: bool,
        /// How many may take part.
        max_participants: u16,
        /// Who is called, where it is one person.
        invitee: Option<UserId>,
        /// What the caller sends.
        offer: Option<Sdp>,
        /// What its streams are.
        metadata: Option<StreamMetadata>,
        /// Until when it rings.
        expires_at: Timestamp,
        /// The audience's own call, which this one takes the place of; it is to be answered by itself.
        replaces: Option<CallId>,
    },
    /// Somebody took it.
    Answered {
        /// Who.
        by: UserId,
        /// Their part.
        participant: ParticipantId,
        /// What they send; nothing yet where they only said that they will.
        answer: Option<Sdp>,
        /// What its streams are.
        metadata: Option<StreamMetadata>,
    },
    /// Another device of the audience took it: all but that one stop ringing.
    AnsweredElsewhere {
        /// The part of the device that took it.
        participant: ParticipantId,
    },
    /// Ways to reach somebody. One frame for each.
    Candidates {
        /// Whom.
        by: UserId,
        /// How.
        candidates: Vec<Candidate>,
    },
    /// Somebody changes what they send.
    Negotiate {
        /// Who.
        by: UserId,
        /// To what.
        description: Description,
        /// What its streams are.
        metadata: Option<StreamMetadata>,
    },
    /// Somebody switched microphone or camera.
    MediaState {
        /// Who.
        by: UserId,
        /// Whether they can be heard.
        audio: bool,
        /// Whether they can be seen.
        video: bool,
        /// Stream by stream, where it was said so.
        metadata: Option<StreamMetadata>,
    },
    /// Somebody came into a group call.
    ParticipantJoined {
        /// Who.
        by: UserId,
        /// Their part.
        participant: ParticipantId,
        /// What they send to everybody, where they said it.
        sdp: Option<Sdp>,
    },
    /// Somebody left a group call.
    ParticipantLeft {
        /// Who.
        by: UserId,
        /// Their part.
        participant: ParticipantId,
    },
    /// The end: the callee did not want it, or is busy.
    Rejected {
        /// Who said no.
        by: UserId,
        /// `Declined` or `Busy`.
        reason: EndReason,
    },
    /// The end, for who was called and did not answer.
    Missed {
        /// Who called.
        by: UserId,
        /// Why it ended.
        reason: EndReason,
        /// Whether it began with video.
        is_video: bool,
    },
    /// The end, in every other way.
    Ended {
        /// Who ended it; nobody where it ended by itself.
        by: Option<UserId>,
        /// Why.
        reason: EndReason,
        /// How long it was connected, in milliseconds.
        duration_ms: i64,
        /// More of why, in words for people.
        detail: Option<String>,
    },
}

impl News {
    /// Who did it.
    #[must_use]
    pub const fn by(&self) -> Option<UserId> {
        match self {
            Self::Initiated { by, .. }
            | Self::Answered { by, .. }
            | Self::Candidates { by, .. }
            | Self::Negotiate { by, .. }
            | Self::MediaState { by, .. }
            | Self::ParticipantJoined { by, .. }
            | Self::ParticipantLeft { by, .. }
            | Self::Rejected { by, .. }
            | Self::Missed { by, .. } => Some(*by),
            Self::Ended { by, .. } => *by,
            Self::AnsweredElsewhere { .. } => None,
        }
    }
}
