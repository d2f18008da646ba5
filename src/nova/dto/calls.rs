//! Calls as Nova's clients read and write them: the same JSON over REST and over the WebSocket (nova-api §5).

pub mod body;
pub mod ice;
pub mod request;
pub mod schema;

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use self::ice::IceServer;
use super::Time;
use crate::domain::call::{Call, EndReason, Participant, Phase, Presence, Sdp, Topology};
use crate::domain::clock::Timestamp;
use crate::domain::ids::UserId;
use crate::store::calls::status;

/// A call, with everything that any client reads of one.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CallReply {
    /// Always true.
    #[schema(example = true)]
    success: bool,
    /// Its id.
    #[schema(example = "e1c5a9d0-3b7f-4f0e-9a52-6d8c1b2e4f70")]
    id: Uuid,
    /// The same.
    #[schema(example = "e1c5a9d0-3b7f-4f0e-9a52-6d8c1b2e4f70")]
    call_id: Uuid,
    /// Where it is held.
    #[schema(example = "c7e41a52-0b9d-4f38-8d16-5a3e9c2b7f04")]
    conversation_id: Uuid,
    /// Who called.
    #[schema(example = "3f2b8c1e-9d47-4a06-b1c5-7e0a9f6d2c11")]
    initiator_id: Uuid,
    /// `ringing`, `connected`, `ended`, `missed` or `failed`.
    #[schema(value_type = String, example = "ringing")]
    status: &'static str,
    /// `direct` for two people, `group` for several.
    #[schema(value_type = String, example = "direct")]
    call_type: &'static str,
    /// Whether it began with video.
    is_video: bool,
    /// How many may take part.
    #[schema(example = 2)]
    max_participants: u16,
    /// The reader's own part. A frame `call.answered_elsewhere` with the same one is about this device.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "0b7e5f1c-2a94-4d3c-8e60-91f4b7c2d3a8")]
    participant_id: Option<Uuid>,
    /// When it was placed.
    created_at: Time,
    /// Until when it rings, while it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Time>,
    /// When it was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<Time>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<Time>,
    /// How long it was up, in milliseconds, once it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<i64>,
    /// Why it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "user_hangup")]
    reason: Option<&'static str>,
    /// Who ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_by: Option<Uuid>,
    /// How to get through to the others; in the replies to a call and to an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    ice_servers: Option<Vec<IceServer>>,
}

impl CallReply {
    /// As `viewer` sees it.
    #[must_use]
    pub fn new(call: &Call, viewer: Option<UserId>, now: Timestamp) -> Self {
        let rings = matches!(call.phase, Phase::Preparing | Phase::Ringing);
        let place = viewer.and_then(|viewer| call.participant(viewer));
        Self {
            success: true,
            id: call.id.0,
            call_id: call.id.0,
            conversation_id: call.conversation.0,
            initiator_id: call.initiator.0,
            status: status(call),
            call_type: call.topology.as_str(),
            is_video: call.is_video,
            max_participants: call.max_participants,
            participant_id: place.map(|it| it.id.0),
            created_at: Time(call.created_at),
            expires_at: rings.then_some(Time(call.rings_until)),
            started_at: call.started_at.map(Time),
            ended_at: call.ended_at.map(Time),
            duration_ms: call.started_at.map(|_| call.duration_ms(now)),
            reason: call.reason.map(EndReason::as_str),
            ended_by: call.ended_by.map(|user| user.0),
            ice_servers: None,
        }
    }

    /// With the servers that help to get through.
    #[must_use]
    pub fn with_ice(self, servers: Vec<IceServer>) -> Self {
        Self {
            ice_servers: Some(servers),
            ..self
        }
    }
}

/// Candidates were taken.
#[derive(Debug, Serialize, ToSchema)]
pub struct Received {
    /// Always true.
    #[schema(example = true)]
    success: bool,
    /// Always `received`.
    #[schema(value_type = String, example = "received")]
    status: &'static str,
    /// Of which call.
    call_id: Uuid,
}

impl Received {
    /// Those of a call.
    #[must_use]
    pub const fn of(call: &Call) -> Self {
        Self {
            success: true,
            status: "received",
            call_id: call.id.0,
        }
    }
}

/// A call that is not over, and who is or was in it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ActiveCall {
    #[serde(flatten)]
    call: CallReply,
    /// The caller first; not those for whom it still rings.
    participants: Vec<CallParticipant>,
}

/// Calls that are not over.
#[derive(Debug, Serialize, ToSchema)]
pub struct ActiveCalls {
    /// The oldest first.
    pub calls: Vec<ActiveCall>,
    /// How many.
    pub total: usize,
}

impl ActiveCalls {
    /// As `viewer` sees them.
    #[must_use]
    pub fn new(calls: &[Call], viewer: Option<UserId>, now: Timestamp) -> Self {
        let shown = |call: &Call| ActiveCall {
            call: CallReply::new(call, viewer, now),
            participants: call
                .people
                .iter()
                .filter(|it| it.joined_at.is_some())
                .map(CallParticipant::new)
                .collect(),
        };
        let calls: Vec<ActiveCall> = calls.iter().map(shown).collect();
        Self {
            total: calls.len(),
            calls,
        }
    }
}

/// A call of the reader's, looked back on.
#[derive(Debug, Serialize, ToSchema)]
pub struct PastCall {
    #[serde(flatten)]
    call: CallReply,
    /// How many were in it.
    #[schema(example = 2)]
    participant_count: usize,
    /// `outgoing` where the reader called, or else `incoming`.
    #[schema(value_type = String, example = "incoming")]
    direction: &'static str,
    /// Whether the reader was called and did not come.
    missed: bool,
    /// The other one, of two people.
    peer: Option<Uuid>,
}

impl PastCall {
    /// As `viewer` sees it.
    #[must_use]
    pub fn new(call: &Call, viewer: UserId, now: Timestamp) -> Self {
        let outgoing = call.initiator == viewer;
        let came = call.participant(viewer).is_some_and(|it| it.joined_at.is_some());
        let declined = call
            .participant(viewer)
            .is_some_and(|it| it.presence == Presence::Rejected)
            && call.reason != Some(EndReason::Busy);
        Self {
            call: CallReply::new(call, Some(viewer), now),
            participant_count: call.people.iter().filter(|it| it.joined_at.is_some()).count(),
            direction: if outgoing { "outgoing" } else { "incoming" },
            missed: !outgoing && !came && !declined && call.phase == Phase::Ended,
            peer: match call.topology {
                Topology::Direct => call.peer_of(viewer).map(|user| user.0),
                Topology::Group => None,
            },
        }
    }
}

/// Somebody's part in a call.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CallParticipant {
    /// The part's id.
    id: Uuid,
    /// The same.
    participant_id: Uuid,
    /// Whose it is.
    user_id: Uuid,
    /// When they came.
    joined_at: Option<Time>,
    /// When they left.
    left_at: Option<Time>,
    /// `new` while it rings for them, `connected`, `disconnected` while they have no socket, or `closed`.
    #[schema(value_type = String, example = "connected")]
    connection_state: &'static str,
    /// Whether they can be heard.
    has_audio: bool,
    /// Whether they can be seen.
    has_video: bool,
    /// What they send to everybody, where they said it.
    #[serde(skip_serializing_if = "Option::is_none")]
    sdp: Option<String>,
}

impl CallParticipant {
    /// Without what they send.
    #[must_use]
    pub fn new(it: &Participant) -> Self {
        Self {
            id: it.id.0,
            participant_id: it.id.0,
            user_id: it.user.0,
            joined_at: it.joined_at.map(Time),
            left_at: it.left_at.map(Time),
            connection_state: match it.presence {
                Presence::Invited => "new",
                Presence::Joined if it.gone_since.is_some() => "disconnected",
                Presence::Joined => "connected",
                Presence::Rejected | Presence::Left => "closed",
            },
            has_audio: it.presence == Presence::Joined && it.audio,
            has_video: it.presence == Presence::Joined && it.video,
            sdp: None,
        }
    }

    fn with_sdp(it: &Participant) -> Self {
        Self {
            sdp: it.sdp.as_ref().map(|sdp| Sdp::as_str(sdp).to_owned()),
            ..Self::new(it)
        }
    }
}

/// Who takes part, is called, or took part.
#[derive(Debug, Serialize, ToSchema)]
pub struct CallParticipants {
    call_id: Uuid,
    /// The caller first.
    participants: Vec<CallParticipant>,
}

impl CallParticipants {
    /// Of a call.
    #[must_use]
    pub fn new(call: &Call) -> Self {
        Self {
            call_id: call.id.0,
            participants: call.people.iter().map(CallParticipant::new).collect(),
        }
    }
}

/// A group call that the reader has come into.
#[derive(Debug, Serialize, ToSchema)]
pub struct JoinReply {
    #[serde(flatten)]
    call: CallReply,
    /// Who is in it besides the reader, with what they send.
    participants: Vec<CallParticipant>,
    /// How many are in it.
    #[schema(example = 3)]
    current_participant_count: usize,
}

impl JoinReply {
    /// As `viewer`, who has just come, sees it.
    #[must_use]
    pub fn new(call: &Call, viewer: UserId, now: Timestamp) -> Self {
        let present = || call.people.iter().filter(|it| it.presence == Presence::Joined);
        Self {
            call: CallReply::new(call, Some(viewer), now),
            participants: present()
                .filter(|it| it.user != viewer)
                .map(CallParticipant::with_sdp)
                .collect(),
            current_participant_count: present().count(),
        }
    }

    /// With the servers that help to get through.
    #[must_use]
    pub fn with_ice(self, servers: Vec<IceServer>) -> Self {
        Self {
            call: self.call.with_ice(servers),
            ..self
        }
    }
}
