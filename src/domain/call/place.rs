//! How a call begins: placed by a Nova user, or rung by an invite from a room.

use ruma::OwnedUserId;
use uuid::Uuid;

use super::Call;
use super::input::{Dialect, Effect, Refused};
use super::media::{Sdp, StreamMetadata};
use super::news::Topology;
use super::signal::CallEvent;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{CallId, ConversationId, UserId};

/// A Nova user's call.
#[derive(Debug, Clone)]
pub struct Place {
    /// Where.
    pub conversation: ConversationId,
    /// Who calls.
    pub caller: UserId,
    /// Their name.
    pub caller_name: String,
    /// Two people or several.
    pub topology: Topology,
    /// Who is called: the one other person, or the other Nova users of a group.
    pub callees: Vec<UserId>,
    /// Where the one other person is in Matrix.
    pub peer: Option<Peer>,
    /// What the caller sends; may come later, as [`super::Input::Offer`].
    pub offer: Option<Sdp>,
    /// What its streams are.
    pub metadata: Option<StreamMetadata>,
    /// Whether it begins with video, where the caller says so.
    pub is_video: Option<bool>,
    /// How many may take part in a group.
    pub max_participants: u16,
    /// How the caller takes part.
    pub dialect: Dialect,
    /// How long it rings at most, in milliseconds.
    pub ring_ms: i64,
    /// How long somebody may be without a socket, in milliseconds.
    pub grace_ms: i64,
}

/// A callee in Matrix.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Who.
    pub mxid: OwnedUserId,
    /// The call's id there: `~n.` and random.
    pub call: String,
    /// Our device in it: eight or more random letters and digits.
    pub our_party: String,
}

/// A Matrix user's call.
#[derive(Debug, Clone)]
pub struct MatrixInvite {
    /// Where.
    pub conversation: ConversationId,
    /// Who is called.
    pub callee: UserId,
    /// Who calls, in Matrix.
    pub peer: OwnedUserId,
    /// Who calls, as Nova knows them.
    pub caller: UserId,
    /// Their name.
    pub caller_name: String,
    /// The event, whose act is an invite.
    pub event: CallEvent,
    /// Our device in the call: eight or more random letters and digits.
    pub our_party: String,
    /// Whether the callee is in another call.
    pub busy: bool,
    /// Whether the callee wants no calls.
    pub calls_off: bool,
    /// What came for this call before its invite, in order.
    pub early: Vec<CallEvent>,
    /// The callee's own call, which this one takes the place of.
    pub replaces: Option<CallId>,
    /// How long it rings at most, in milliseconds.
    pub ring_ms: i64,
    /// How long somebody may be without a socket, in milliseconds.
    pub grace_ms: i64,
}

impl Call {
    /// A Nova user calls.
    ///
    /// # Errors
    /// [`Refused::BadOffer`] for an offer that would ring nowhere.
    pub fn place(
        _now: Timestamp,
        _place: Place,
        _ids: &mut dyn FnMut() -> Uuid,
    ) -> Result<(Self, Vec<Effect>), Refused> {
        todo!()
    }

    /// A Matrix user calls. The call may have ended already when it comes: too old, refused, or cancelled before it came.
    pub fn ring(_now: Timestamp, _invite: MatrixInvite, _ids: &mut dyn FnMut() -> Uuid) -> (Self, Vec<Effect>) {
        todo!()
    }

    /// When [`super::Input::Deadline`] is to be applied. Every call that has not ended has such a time.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        todo!()
    }
}
