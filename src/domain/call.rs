//! A call, from the first ring to its end: a state machine without any effects of its own (architecture §4).
//!
//! [`Call::apply`] takes what happened and the time, and answers with what follows, or why nothing does. All rules of
//! `matrix-voip.md` §4 are here and nowhere else. The driver (`bridge::calls`, and `ingest` for events of a room) locks
//! the conversation, loads the call, applies, saves, and commits the effects; [`Call::deadline`] says when to apply
//! [`Input::Deadline`]. The whole of a call is one row, so a restart loses nothing.

pub mod input;
pub mod media;
pub mod news;
pub mod signal;

mod candidates;
mod change;
mod ending;
mod group;
mod matrix;
mod place;
mod talk;
mod timers;

#[cfg(test)]
mod tests;

pub use input::{Dialect, Effect, Input, Refused};
pub use media::{Candidate, Description, DescriptionKind, Sdp, StreamMetadata};
pub use news::{EndReason, News, Topology};
pub use place::{MatrixInvite, Peer, Place};
pub use signal::{CallAct, CallEvent, HangupReason, Signal, SignalAct, Version};

use ruma::OwnedUserId;
use serde::{Deserialize, Serialize};

use super::clock::Timestamp;
use super::ids::{CallId, ConversationId, ParticipantId, UserId};

/// How many candidates of one person wait for an answer at most.
pub const MAX_EARLY_CANDIDATES: usize = 500;

/// Where a call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Placed without an offer: nobody knows of it yet.
    Preparing,
    /// It rings.
    Ringing,
    /// Somebody took it and has still to say what they send.
    Accepted,
    /// It is up.
    Connected,
    /// It is over. Nothing changes it any more.
    Ended,
}

impl Phase {
    /// The status that Nova's clients know: `ringing`, `connected`, `ended`.
    #[must_use]
    pub const fn status(self) -> &'static str {
        match self {
            Self::Preparing | Self::Ringing => "ringing",
            Self::Accepted | Self::Connected => "connected",
            Self::Ended => "ended",
        }
    }
}

/// Somebody's part in a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Participant {
    /// Who.
    pub user: UserId,
    /// Their part's id.
    pub id: ParticipantId,
    /// How far they are in.
    pub presence: Presence,
    /// How they take part; what their client can do follows from it.
    pub dialect: Dialect,
    /// When they came in.
    pub joined_at: Option<Timestamp>,
    /// When they left.
    pub left_at: Option<Timestamp>,
    /// Whether they can be heard.
    pub audio: bool,
    /// Whether they can be seen.
    pub video: bool,
    /// What they send.
    pub sdp: Option<Sdp>,
    /// What its streams are.
    pub metadata: Option<StreamMetadata>,
    /// The key of the device that took the call before it could say what it sends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<String>,
    /// Ways to reach them that came before the call was up.
    pub candidates: Vec<Candidate>,
    /// Since when they have no socket.
    pub gone_since: Option<Timestamp>,
}

/// How far somebody is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// It rings for them.
    Invited,
    /// They are in it.
    Joined,
    /// They did not want it.
    Rejected,
    /// They were in it, or it stopped ringing.
    Left,
}

/// The side of a direct call that is in Matrix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatrixLeg {
    /// The call's id there. Begins with `~` where it is ours, so that the peer's call wins a glare (`matrix-voip.md` §0.2).
    pub call: String,
    /// Our device.
    pub our_party: String,
    /// The Nova user whose ghost acts.
    pub ghost: UserId,
    /// The peer.
    pub peer: OwnedUserId,
    /// The peer's device, once it is known.
    pub peer_party: Option<String>,
    /// The version that the peer speaks.
    pub version: Version,
    /// Whether the peer can take a new description.
    pub negotiates: bool,
    /// Whether the peer selected our answer, where it had to.
    pub selected: bool,
    /// Candidates of the peer's devices that came before one of them answered, with the device.
    pub early: Vec<(Option<String>, Vec<Candidate>)>,
    /// Candidates that wait for their batch, and when it is due.
    pub outgoing: Vec<Candidate>,
    /// See `outgoing`.
    pub flush_at: Option<Timestamp>,
    /// Until when the peer's invite counts.
    pub lifetime_ends: Option<Timestamp>,
}

/// A call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Its id for Nova's clients.
    pub id: CallId,
    /// Where it is held.
    pub conversation: ConversationId,
    /// Two people or several.
    pub topology: Topology,
    /// Whether it began with video.
    pub is_video: bool,
    /// Who called.
    pub initiator: UserId,
    /// Their name.
    pub initiator_name: String,
    /// Their picture, as it was known of them: `mxc://` or any other address.
    #[serde(default)]
    pub initiator_avatar: Option<String>,
    /// How many may take part.
    pub max_participants: u16,
    /// Where it stands.
    pub phase: Phase,
    /// When it was placed.
    pub created_at: Timestamp,
    /// Until when it rings.
    pub rings_until: Timestamp,
    /// Until when an answer has to follow, once somebody has taken it.
    pub answer_due: Option<Timestamp>,
    /// How long it rings at most, in milliseconds.
    pub ring_ms: i64,
    /// How long somebody may be without a socket, in milliseconds.
    pub grace_ms: i64,
    /// When it was answered.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Why it ended.
    pub reason: Option<EndReason>,
    /// Who ended it.
    pub ended_by: Option<UserId>,
    /// Who is called or takes part, the caller first.
    pub people: Vec<Participant>,
    /// The side in Matrix.
    pub matrix: Option<MatrixLeg>,
    /// The own call of its callee that it takes the place of.
    pub replaces: Option<CallId>,
}

impl Call {
    /// Applies what happened. When it is refused, nothing has changed.
    ///
    /// # Errors
    /// Why the input changes nothing.
    pub fn apply(&mut self, now: Timestamp, input: Input) -> Result<Vec<Effect>, Refused> {
        match self.topology {
            Topology::Direct => self.apply_direct(now, input),
            Topology::Group => self.apply_group(now, input),
        }
    }

    /// Somebody's part.
    #[must_use]
    pub fn participant(&self, user: UserId) -> Option<&Participant> {
        self.people.iter().find(|it| it.user == user)
    }

    fn participant_mut(&mut self, user: UserId) -> Option<&mut Participant> {
        self.people.iter_mut().find(|it| it.user == user)
    }

    /// The other person of a direct call.
    #[must_use]
    pub fn peer_of(&self, user: UserId) -> Option<UserId> {
        self.people.iter().map(|it| it.user).find(|it| *it != user)
    }

    /// Whether somebody has their place in Matrix.
    fn is_matrix(&self, user: UserId) -> bool {
        self.matrix.as_ref().is_some_and(|leg| leg.ghost != user)
    }

    /// Whether the person is busy with it: in it, or ringing somebody.
    #[must_use]
    pub fn occupies(&self, user: UserId) -> bool {
        self.phase != Phase::Ended && self.participant(user).is_some_and(|it| it.presence == Presence::Joined)
    }

    /// How long it was up, in milliseconds.
    #[must_use]
    pub fn duration_ms(&self, now: Timestamp) -> i64 {
        let until = self.ended_at.unwrap_or(now);
        self.started_at
            .map_or(0, |started| (until - started).num_milliseconds().max(0))
    }

    /// What a socket that opens now has to be shown: the ring that it missed, with the caller's candidates.
    #[must_use]
    pub fn ring_for(&self, user: UserId) -> Vec<News> {
        let rings = self.phase == Phase::Ringing
            && self
                .participant(user)
                .is_some_and(|it| it.presence == Presence::Invited);
        if !rings {
            return Vec::new();
        }
        let caller = self.participant(self.initiator);
        let candidates = caller.map(|it| it.candidates.clone()).unwrap_or_default();
        let mut news = vec![self.initiated(Some(user))];
        if !candidates.is_empty() {
            news.push(News::Candidates {
                by: self.initiator,
                candidates,
            });
        }
        news
    }

    /// The news that it rings. Only the callee of a glare is told what it replaces.
    fn initiated(&self, to: Option<UserId>) -> News {
        let caller = self.participant(self.initiator);
        News::Initiated {
            by: self.initiator,
            name: self.initiator_name.clone(),
            avatar: self.initiator_avatar.clone(),
            topology: self.topology,
            is_video: self.is_video,
            max_participants: self.max_participants,
            invitee: match self.topology {
                Topology::Direct => self.peer_of(self.initiator),
                Topology::Group => None,
            },
            offer: caller.and_then(|it| it.sdp.clone()),
            metadata: caller.and_then(|it| it.metadata.clone()),
            expires_at: self.rings_until,
            replaces: self.replaces.filter(|_| to != Some(self.initiator)),
        }
    }

    /// The Nova users who take part or are called.
    fn audience(&self) -> Vec<UserId> {
        self.people
            .iter()
            .map(|it| it.user)
            .filter(|user| !self.is_matrix(*user))
            .collect()
    }
}
