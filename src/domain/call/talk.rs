//! What the two people of a direct call do, as far as they are in Nova.

use chrono::TimeDelta;

use super::input::{Dialect, Effect, Input, Refused};
use super::media::{Sdp, StreamMetadata};
use super::news::{EndReason, News};
use super::signal::{HangupReason, Signal, SignalAct};
use super::timers::ANSWER_MS;
use super::{Call, Participant, Phase, Presence};
use crate::domain::clock::Timestamp;
use crate::domain::ids::UserId;

/// What the callee sends.
struct Described {
    answer: Sdp,
    metadata: Option<StreamMetadata>,
}

/// Before this, a failure of the connection means that it never was there.
const FIRST_CONNECTION_MS: i64 = 30_000;

impl Call {
    pub(super) fn apply_direct(&mut self, now: Timestamp, input: Input) -> Result<Vec<Effect>, Refused> {
        match input {
            Input::Offer { by, offer, metadata } => self.offered(now, by, offer, metadata),
            Input::Accept { by, dialect, claim } => self.accepted(now, by, dialect, claim),
            Input::Answer {
                by,
                answer,
                metadata,
                dialect,
                claim,
            } => self.answered(now, by, Described { answer, metadata }, dialect, claim.as_ref()),
            Input::Reject { by, busy } => self.rejected(now, by, busy),
            Input::End { by, reason } => self.hung_up(now, by, reason),
            Input::Candidates { by, candidates, .. } => self.reachable(now, by, candidates),
            Input::Negotiate {
                by,
                description,
                metadata,
                ..
            } => self.negotiated(by, description, metadata),
            Input::Media { by, audio, video } => self.switched(by, audio, video),
            Input::Join { .. } | Input::Leave { .. } => Err(Refused::NotAGroup),
            Input::Gone { who } => Ok(self.gone(now, who)),
            Input::Back { who } => Ok(self.back(who)),
            Input::Matrix { sender, event } => Ok(self.heard(now, &sender, event)),
            Input::Elsewhere { answered } => Ok(self.taken_elsewhere(now, answered)),
            Input::Left { who } => Ok(self.left(now, who)),
            Input::RoomLost => Ok(self.end_with(now, EndReason::Error, None, None, Some("the room is gone"))),
            Input::Refused { detail } => {
                let last = SignalAct::End(HangupReason::UnknownError);
                Ok(self.end_with(now, EndReason::Error, None, Some(last), Some(&detail)))
            }
            Input::Replace => {
                let last = SignalAct::End(HangupReason::UserHangup);
                Ok(self.end_with(now, EndReason::Replaced, None, Some(last), None))
            }
            Input::Deadline => Ok(self.direct_deadline(now)),
        }
    }

    fn offered(
        &mut self,
        now: Timestamp,
        by: UserId,
        offer: Sdp,
        metadata: Option<StreamMetadata>,
    ) -> Result<Vec<Effect>, Refused> {
        let caller = self.nova(by)?;
        if caller.sdp.as_ref() == Some(&offer) {
            return Ok(Vec::new());
        }
        match self.phase {
            _ if by != self.initiator => Err(Refused::NotYours),
            Phase::Ended => Err(Refused::Ended),
            Phase::Preparing => {
                offer.playable().map_err(|_| Refused::BadOffer)?;
                self.is_video |= offer.sends_video();
                Ok(self.begin_ringing(now, Some((offer, metadata))))
            }
            Phase::Ringing | Phase::Accepted | Phase::Connected => Err(Refused::HasOffer),
        }
    }

    /// The callee's part, if it still rings for them.
    fn rung(&self, by: UserId) -> Result<&Participant, Refused> {
        let callee = self.nova(by)?;
        let rings = self.phase == Phase::Ringing && callee.presence == Presence::Invited;
        if rings { Ok(callee) } else { Err(Refused::NotRinging) }
    }

    fn accepted(
        &mut self,
        now: Timestamp,
        by: UserId,
        dialect: Dialect,
        claim: Option<String>,
    ) -> Result<Vec<Effect>, Refused> {
        if claim.is_some() && self.claimed_with(by, claim.as_ref()) {
            // The same claim again: its reply was lost.
            return Ok(Vec::new());
        }
        self.rung(by)?;
        let effects = self.take(now, by, dialect);
        if let Some(callee) = self.participant_mut(by) {
            callee.claim = claim;
        }
        self.phase = Phase::Accepted;
        self.answer_due = Some(now + TimeDelta::milliseconds(ANSWER_MS));
        Ok(effects)
    }

    /// Whether the call was taken by the device with this key, and waits for what it sends.
    fn claimed_with(&self, by: UserId, claim: Option<&String>) -> bool {
        let holds = |it: &Participant| it.presence == Presence::Joined && it.claim.as_ref() == claim;
        self.phase == Phase::Accepted && by != self.initiator && self.nova(by).is_ok_and(holds)
    }

    /// The call is taken: by this device, and so by no other.
    fn take(&mut self, now: Timestamp, by: UserId, dialect: Dialect) -> Vec<Effect> {
        let Some(callee) = self.participant_mut(by) else {
            return Vec::new();
        };
        callee.presence = Presence::Joined;
        callee.joined_at = Some(now);
        callee.dialect = dialect;
        let participant = callee.id;
        let mut effects = vec![
            Effect::log(Some(by), "accepted"),
            Effect::Tell {
                to: by,
                news: News::AnsweredElsewhere { participant },
            },
        ];
        if !self.is_matrix(self.initiator) {
            effects.push(Effect::Tell {
                to: self.initiator,
                news: News::Answered {
                    by,
                    participant,
                    answer: None,
                    metadata: None,
                },
            });
        }
        effects
    }

    fn answered(
        &mut self,
        now: Timestamp,
        by: UserId,
        Described { answer, metadata }: Described,
        dialect: Dialect,
        claim: Option<&String>,
    ) -> Result<Vec<Effect>, Refused> {
        let callee = self.nova(by)?;
        if by != self.initiator && self.phase == Phase::Connected && callee.sdp.as_ref() == Some(&answer) {
            // The same answer again: its reply was lost.
            return Ok(Vec::new());
        }
        let taken = self.claimed_with(by, claim);
        if !taken {
            self.rung(by)?;
        }
        if answer.is_silent() {
            return Err(Refused::BadAnswer);
        }
        let mut effects = if taken { Vec::new() } else { self.take(now, by, dialect) };
        self.phase = Phase::Connected;
        self.started_at = Some(now);
        self.answer_due = None;
        effects.push(Effect::log(Some(by), "answered"));
        let Some(callee) = self.participant_mut(by) else {
            return Ok(effects);
        };
        callee.describe(answer.clone(), metadata);
        let waiting = std::mem::take(&mut callee.candidates);
        let (participant, exact, told) = (callee.id, callee.metadata.clone(), callee.told_metadata());
        if self.is_matrix(self.initiator) {
            effects.extend(self.send(SignalAct::Answer { answer, metadata: told }));
            effects.extend(self.queue(now, waiting));
        } else {
            let initiator = self.initiator;
            // The caller first: media waits for it. The callee's other sockets see who is in the call.
            effects.extend([initiator, by].map(|to| Effect::Tell {
                to,
                news: News::Answered {
                    by,
                    participant,
                    answer: Some(answer.clone()),
                    metadata: exact.clone(),
                },
            }));
            if !waiting.is_empty() {
                effects.push(Effect::Tell {
                    to: initiator,
                    news: News::Candidates {
                        by,
                        candidates: waiting,
                    },
                });
            }
        }
        if let Some(caller) = self.participant_mut(self.initiator) {
            caller.candidates.clear();
        }
        Ok(effects)
    }

    fn rejected(&mut self, now: Timestamp, by: UserId, busy: bool) -> Result<Vec<Effect>, Refused> {
        self.rung(by)?;
        let reason = if busy { EndReason::Busy } else { EndReason::Declined };
        Ok(self.end_with(now, reason, Some(by), Some(SignalAct::Reject { busy }), None))
    }

    fn hung_up(&mut self, now: Timestamp, by: UserId, reason: EndReason) -> Result<Vec<Effect>, Refused> {
        let presence = self.nova(by)?.presence;
        let (reason, last) = match (self.phase, presence) {
            (Phase::Ended, _) => return Ok(Vec::new()),
            (Phase::Ringing, Presence::Invited) => (EndReason::Declined, SignalAct::Reject { busy: false }),
            (Phase::Connected, _) => (said(reason, EndReason::UserHangup), self.end_as(now, reason)),
            (Phase::Preparing | Phase::Ringing | Phase::Accepted, _) => {
                let reason = said(reason, EndReason::Cancelled);
                (reason, self.end_as(now, reason))
            }
        };
        Ok(self.end_with(now, reason, Some(by), Some(last), None))
    }

    /// How the peer in Matrix is told of an end.
    fn end_as(&self, now: Timestamp, reason: EndReason) -> SignalAct {
        SignalAct::End(match reason {
            EndReason::IceFailed if self.duration_ms(now) > FIRST_CONNECTION_MS => HangupReason::IceTimeout,
            EndReason::IceFailed => HangupReason::IceFailed,
            EndReason::MediaFailed => HangupReason::UserMediaFailed,
            EndReason::Error | EndReason::Lost => HangupReason::UnknownError,
            EndReason::UserHangup
            | EndReason::Declined
            | EndReason::Busy
            | EndReason::NoAnswer
            | EndReason::Cancelled
            | EndReason::Replaced
            | EndReason::Transferred
            | EndReason::AnsweredElsewhere => HangupReason::UserHangup,
        })
    }

    pub(super) fn gone(&mut self, now: Timestamp, who: UserId) -> Vec<Effect> {
        let ended = self.phase == Phase::Ended;
        match self.participant_mut(who) {
            Some(it) if !ended && it.presence == Presence::Joined && it.gone_since.is_none() => {
                it.gone_since = Some(now);
                vec![Effect::log(Some(who), "gone")]
            }
            Some(_) | None => Vec::new(),
        }
    }

    pub(super) fn back(&mut self, who: UserId) -> Vec<Effect> {
        match self.participant_mut(who) {
            Some(it) if it.gone_since.is_some() => {
                it.gone_since = None;
                vec![Effect::log(Some(who), "back")]
            }
            Some(_) | None => Vec::new(),
        }
    }

    fn taken_elsewhere(&mut self, now: Timestamp, answered: bool) -> Vec<Effect> {
        let Some(callee) = self.peer_of(self.initiator) else {
            return Vec::new();
        };
        if self.phase != Phase::Ringing || self.is_matrix(callee) {
            return Vec::new();
        }
        let reason = if answered {
            EndReason::AnsweredElsewhere
        } else {
            EndReason::Declined
        };
        self.end_with(now, reason, Some(callee), None, None)
    }

    fn left(&mut self, now: Timestamp, who: UserId) -> Vec<Effect> {
        if self.participant(who).is_none() || self.phase == Phase::Ended {
            return Vec::new();
        }
        if self.is_matrix(who) {
            let up = self.phase == Phase::Connected;
            let reason = if up {
                EndReason::UserHangup
            } else if who == self.initiator {
                EndReason::Cancelled
            } else {
                EndReason::Declined
            };
            return self.end_with(now, reason, Some(who), None, None);
        }
        self.hung_up(now, who, EndReason::UserHangup).unwrap_or_default()
    }

    /// The part of somebody who speaks through Nova.
    pub(super) fn nova(&self, user: UserId) -> Result<&Participant, Refused> {
        self.participant(user)
            .filter(|_| !self.is_matrix(user))
            .ok_or(Refused::NotYours)
    }

    /// An event of ours, where there is a side in Matrix.
    pub(super) fn send(&self, act: SignalAct) -> Option<Effect> {
        let leg = self.matrix.as_ref()?;
        Some(Effect::Send {
            actor: leg.ghost,
            signal: Signal {
                call: leg.call.clone(),
                party: leg.our_party.clone(),
                version: leg.version,
                act,
            },
        })
    }
}

/// Only failures are told as they are; everything else that a client may say is an ordinary end.
const fn said(reason: EndReason, ordinary: EndReason) -> EndReason {
    match reason {
        EndReason::IceFailed | EndReason::MediaFailed | EndReason::Error => reason,
        EndReason::UserHangup
        | EndReason::Declined
        | EndReason::Busy
        | EndReason::NoAnswer
        | EndReason::Cancelled
        | EndReason::Replaced
        | EndReason::Transferred
        | EndReason::Lost
        | EndReason::AnsweredElsewhere => ordinary,
    }
}
