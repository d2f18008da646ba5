//! How a call begins: placed by a Nova user, or rung by an invite from a room.

use chrono::TimeDelta;
use ruma::OwnedUserId;
use uuid::Uuid;

use super::input::{Dialect, Effect, Input, Refused};
use super::media::{Candidate, Sdp, StreamMetadata};
use super::news::{EndReason, News, Topology};
use super::signal::{CallAct, CallEvent, SignalAct, Version};
use super::{Call, MatrixLeg, Participant, Phase, Presence};
use crate::domain::clock::Timestamp;
use crate::domain::ids::{CallId, ConversationId, ParticipantId, UserId};

/// How much of its life an invite must still have to ring: the time that an answer takes (as js-sdk does).
const LATEST_MS: i64 = 3_000;

/// A Nova user's call.
#[derive(Debug, Clone)]
pub struct Place {
    /// Where.
    pub conversation: ConversationId,
    /// Who calls.
    pub caller: UserId,
    /// Their name.
    pub caller_name: String,
    /// Their picture.
    pub caller_avatar: Option<String>,
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
    /// Their picture.
    pub caller_avatar: Option<String>,
    /// The call's id in Matrix.
    pub call: String,
    /// The caller's device.
    pub party: Option<String>,
    /// The version that the caller speaks.
    pub version: Version,
    /// How old the invite was when it came, in milliseconds.
    pub age_ms: i64,
    /// How long it counts, in milliseconds.
    pub lifetime_ms: i64,
    /// What the caller sends.
    pub offer: Sdp,
    /// What its streams are.
    pub metadata: Option<StreamMetadata>,
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
    pub fn place(now: Timestamp, place: Place, ids: &mut dyn FnMut() -> Uuid) -> Result<(Self, Vec<Effect>), Refused> {
        if place.topology == Topology::Direct
            && let Some(offer) = &place.offer
        {
            offer.playable().map_err(|_| Refused::BadOffer)?;
        }
        let mut caller = Participant::new(place.caller, ids(), place.dialect);
        caller.presence = Presence::Joined;
        caller.joined_at = Some(now);
        let people = std::iter::once(caller)
            .chain(
                place
                    .callees
                    .into_iter()
                    .map(|user| Participant::new(user, ids(), Dialect::Nova)),
            )
            .collect();
        let matrix = place.peer.map(|peer| MatrixLeg {
            call: peer.call,
            our_party: peer.our_party,
            ghost: place.caller,
            peer: peer.mxid,
            peer_party: None,
            version: Version::V1,
            negotiates: true,
            selected: false,
            early: Vec::new(),
            outgoing: Vec::new(),
            flush_at: None,
            lifetime_ends: None,
        });
        let mut call = Self {
            id: CallId(ids()),
            conversation: place.conversation,
            topology: place.topology,
            is_video: place.is_video.unwrap_or(false),
            initiator: place.caller,
            initiator_name: place.caller_name,
            initiator_avatar: place.caller_avatar,
            max_participants: place.max_participants,
            phase: Phase::Preparing,
            created_at: now,
            rings_until: now + TimeDelta::milliseconds(place.ring_ms),
            answer_due: None,
            ring_ms: place.ring_ms,
            grace_ms: place.grace_ms,
            started_at: None,
            ended_at: None,
            reason: None,
            ended_by: None,
            people,
            matrix,
            replaces: None,
        };
        let effects = match (place.offer, place.topology) {
            (Some(offer), _) => {
                call.is_video = place.is_video.unwrap_or_else(|| offer.sends_video());
                call.begin_ringing(now, Some((offer, place.metadata)))
            }
            (None, Topology::Group) => call.begin_ringing(now, None),
            (None, Topology::Direct) => vec![Effect::log(Some(place.caller), "prepared")],
        };
        Ok((call, effects))
    }

    /// Everybody who is called is told so.
    pub(super) fn begin_ringing(
        &mut self,
        now: Timestamp,
        offer: Option<(Sdp, Option<StreamMetadata>)>,
    ) -> Vec<Effect> {
        let initiator = self.initiator;
        if let (Some((offer, metadata)), Some(caller)) = (offer, self.participant_mut(initiator)) {
            caller.describe(offer, metadata);
        }
        self.phase = Phase::Ringing;
        let mut effects = vec![Effect::log(Some(initiator), "rings")];
        effects.extend(self.audience().into_iter().map(|to| Effect::Tell {
            to,
            news: self.initiated(Some(to)),
        }));
        let caller = self.participant(initiator);
        let waiting: Vec<Candidate> = caller.map(|it| it.candidates.clone()).unwrap_or_default();
        let invite = caller.and_then(|it| Some((it.sdp.clone()?, it.told_metadata())));
        let to_matrix = self.matrix.as_ref().filter(|leg| leg.ghost == initiator);
        match (to_matrix, invite) {
            (Some(leg), Some((offer, metadata))) => {
                effects.extend(self.send(SignalAct::Invite {
                    offer,
                    metadata,
                    invitee: leg.peer.clone(),
                    expires_at: self.rings_until,
                    lifetime_ms: self.ring_ms,
                }));
                if let Some(caller) = self.participant_mut(initiator) {
                    caller.candidates.clear();
                }
                effects.extend(self.queue(now, waiting));
            }
            // An offer that came after candidates: they follow it.
            _ if !waiting.is_empty() => {
                let callees = self.audience().into_iter().filter(|user| *user != initiator);
                effects.extend(callees.map(|to| Effect::Tell {
                    to,
                    news: News::Candidates {
                        by: initiator,
                        candidates: waiting.clone(),
                    },
                }));
            }
            _ => {}
        }
        effects
    }

    /// A Matrix user calls. The call may have ended already when it comes: too old, refused, or cancelled before it came.
    pub fn ring(now: Timestamp, invite: MatrixInvite, ids: &mut dyn FnMut() -> Uuid) -> (Self, Vec<Effect>) {
        let left_ms = invite.lifetime_ms.saturating_sub(invite.age_ms).max(0);
        let mut caller = Participant::new(invite.caller, ids(), Dialect::Nova);
        caller.presence = Presence::Joined;
        caller.joined_at = Some(now);
        let nheko = is_nheko(&invite.call, invite.party.as_deref(), invite.metadata.as_ref());
        let is_video = invite.offer.sends_video();
        caller.describe_as_told(invite.offer, invite.metadata);
        let invited = Participant::new(invite.callee, ids(), Dialect::Nova);
        let mut call = Self {
            id: CallId(ids()),
            conversation: invite.conversation,
            topology: Topology::Direct,
            is_video,
            initiator: invite.caller,
            initiator_name: invite.caller_name,
            initiator_avatar: invite.caller_avatar,
            max_participants: 2,
            phase: Phase::Ringing,
            created_at: now,
            rings_until: now + TimeDelta::milliseconds(left_ms.min(invite.ring_ms)),
            answer_due: None,
            ring_ms: invite.ring_ms,
            grace_ms: invite.grace_ms,
            started_at: None,
            ended_at: None,
            reason: None,
            ended_by: None,
            people: vec![caller, invited],
            matrix: Some(MatrixLeg {
                call: invite.call,
                our_party: invite.our_party,
                ghost: invite.callee,
                peer: invite.peer.clone(),
                peer_party: invite.party,
                version: invite.version,
                negotiates: invite.version == Version::V1 && !nheko,
                selected: false,
                early: Vec::new(),
                outgoing: Vec::new(),
                flush_at: None,
                lifetime_ends: Some(now + TimeDelta::milliseconds(left_ms)),
            }),
            replaces: invite.replaces,
        };
        let effects = if invite.age_ms > invite.lifetime_ms.saturating_sub(LATEST_MS) {
            call.never_rang(now, EndReason::NoAnswer, None, true)
        } else if invite.calls_off {
            call.never_rang(now, EndReason::Declined, Some(SignalAct::Reject { busy: false }), false)
        } else if invite.busy {
            call.never_rang(now, EndReason::Busy, Some(SignalAct::Reject { busy: true }), true)
        } else {
            call.ring_with(now, invite.early, &invite.peer)
        };
        (call, effects)
    }

    /// Rings, unless what came before the invite has ended the call.
    fn ring_with(&mut self, now: Timestamp, early: Vec<CallEvent>, peer: &OwnedUserId) -> Vec<Effect> {
        let cancelled = early.iter().any(|event| matches!(event.act, CallAct::Hangup(_)));
        if cancelled {
            return self.never_rang(now, EndReason::Cancelled, None, true);
        }
        let mut effects = self.begin_ringing(now, None);
        for event in early {
            let input = Input::Matrix {
                sender: peer.clone(),
                event,
            };
            effects.extend(self.apply(now, input).unwrap_or_default());
        }
        effects
    }
}

impl Participant {
    fn new(user: UserId, id: Uuid, dialect: Dialect) -> Self {
        Self {
            user,
            id: ParticipantId(id),
            presence: Presence::Invited,
            dialect,
            joined_at: None,
            left_at: None,
            audio: true,
            video: false,
            sdp: None,
            metadata: None,
            claim: None,
            candidates: Vec::new(),
            gone_since: None,
        }
    }

    /// Notes what a Nova client sends, and says exactly what its streams are.
    pub(super) fn describe(&mut self, sdp: Sdp, given: Option<StreamMetadata>) {
        let (audio, video) = given.as_ref().map_or((None, None), StreamMetadata::enabled);
        let sent_video = self.sdp.as_ref().is_some_and(Sdp::sends_video);
        self.audio = audio.unwrap_or(self.audio);
        // A camera that comes with the description is on; one that was there stays as it was switched.
        self.video = sdp.sends_video() && video.unwrap_or(self.video || !sent_video);
        self.metadata = Some(StreamMetadata::exact(given, &sdp, self.audio, self.video));
        self.sdp = Some(sdp);
    }

    /// Notes what a Matrix client sends, in its own words.
    pub(super) fn describe_as_told(&mut self, sdp: Sdp, metadata: Option<StreamMetadata>) {
        let (audio, video) = metadata.as_ref().map_or((None, None), StreamMetadata::enabled);
        self.audio = audio.unwrap_or(self.audio);
        self.video = video.unwrap_or_else(|| sdp.sends_video());
        if metadata.is_some() {
            self.metadata = metadata;
        }
        self.sdp = Some(sdp);
    }

    /// What a Matrix client is told of the streams: nothing by a client that can change nothing later, so that its peer
    /// does not try to (`matrix-voip.md` §0.4).
    pub(super) fn told_metadata(&self) -> Option<StreamMetadata> {
        self.metadata.clone().filter(|_| self.dialect.negotiates())
    }
}

/// Whether a peer looks like Nheko, which hangs up when it is sent a negotiation (`matrix-voip.md` §0.11).
pub(super) fn is_nheko(call: &str, party: Option<&str>, metadata: Option<&StreamMetadata>) -> bool {
    let own_id = call
        .strip_prefix('c')
        .is_some_and(|rest| rest.len() == 13 && rest.bytes().all(|it| it.is_ascii_digit()));
    let foreign_id = call.starts_with('~');
    let short_party = party.is_some_and(|it| it.len() == 8 && it.bytes().all(|it| it.is_ascii_alphanumeric()));
    (own_id || foreign_id) && short_party && metadata.is_none()
}
