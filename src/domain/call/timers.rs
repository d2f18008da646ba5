//! The times at which a call has to be looked at.

use chrono::TimeDelta;

use super::input::Effect;
use super::news::EndReason;
use super::signal::{HangupReason, SignalAct};
use super::{Call, Participant, Phase, Presence};
use crate::domain::clock::Timestamp;
use crate::domain::ids::UserId;

/// How long candidates are gathered before they go into the room, after an invite and after an answer (`matrix-voip.md`
/// §1.3), in milliseconds.
pub(super) const AFTER_INVITE_MS: i64 = 2_000;
pub(super) const AFTER_ANSWER_MS: i64 = 500;

/// How long somebody who took the call may take to say what they send, in milliseconds.
pub(super) const ANSWER_MS: i64 = 20_000;

/// The longest call, in hours: nothing is left behind for ever.
const LONGEST_HOURS: i64 = 24;

/// How much of an invite's life must be left for its caller to be told that it stops ringing here, in milliseconds.
const STILL_RINGS_MS: i64 = 1_000;

impl Call {
    /// When [`super::Input::Deadline`] is to be applied. Every call that has not ended has such a time.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        let phase = match self.phase {
            Phase::Ended => return None,
            Phase::Preparing | Phase::Ringing => Some(self.rings_until),
            Phase::Accepted => self.answer_due,
            // In a group call somebody may still be rung.
            Phase::Connected => self.anybody_rings().then_some(self.rings_until),
        };
        let gone = self.people.iter().filter_map(|it| self.gone_until(it));
        let flush = self.matrix.as_ref().and_then(|leg| leg.flush_at);
        gone.chain(phase).chain(flush).chain([self.longest()]).min()
    }

    fn longest(&self) -> Timestamp {
        self.created_at + TimeDelta::hours(LONGEST_HOURS)
    }

    fn gone_until(&self, person: &Participant) -> Option<Timestamp> {
        person
            .gone_since
            .map(|since| since + TimeDelta::milliseconds(self.grace_ms))
    }

    /// Who has been without a socket for too long.
    pub(super) fn lost(&self, now: Timestamp) -> Vec<UserId> {
        self.people
            .iter()
            .filter(|it| self.gone_until(it).is_some_and(|until| until <= now))
            .map(|it| it.user)
            .collect()
    }

    pub(super) fn anybody_rings(&self) -> bool {
        self.people.iter().any(|it| it.presence == Presence::Invited)
    }

    /// Whether its time is over whatever its people do.
    pub(super) fn too_long(&self, now: Timestamp) -> bool {
        self.longest() <= now
    }

    pub(super) fn direct_deadline(&mut self, now: Timestamp) -> Vec<Effect> {
        if self.phase == Phase::Ended {
            return Vec::new();
        }
        if let Some(who) = self.lost(now).first().copied() {
            let gave_up = self.phase != Phase::Connected && who == self.initiator;
            let (reason, last) = if gave_up {
                (EndReason::Cancelled, HangupReason::UserHangup)
            } else {
                (EndReason::Lost, HangupReason::UnknownError)
            };
            return self.end_with(now, reason, Some(who), Some(SignalAct::End(last)), None);
        }
        let over = self.rings_until <= now;
        match self.phase {
            Phase::Preparing if over => return self.end_with(now, EndReason::Cancelled, None, None, None),
            Phase::Ringing if over => {
                let last = self.unanswered(now);
                return self.end_with(now, EndReason::NoAnswer, None, last, None);
            }
            Phase::Accepted if self.answer_due.is_some_and(|due| due <= now) => {
                let last = SignalAct::End(HangupReason::UnknownError);
                let detail = Some("the call was taken, but no answer followed");
                return self.end_with(now, EndReason::Error, None, Some(last), detail);
            }
            Phase::Connected if self.too_long(now) => {
                let last = SignalAct::End(HangupReason::UserHangup);
                return self.end_with(now, EndReason::Lost, None, Some(last), Some("calls end after a day"));
            }
            Phase::Preparing | Phase::Ringing | Phase::Accepted | Phase::Connected | Phase::Ended => {}
        }
        let due = self
            .matrix
            .as_ref()
            .and_then(|leg| leg.flush_at)
            .is_some_and(|at| at <= now);
        if due { self.flush() } else { Vec::new() }
    }

    /// What a Matrix user is told of a ring that nobody answered: their own client stops by itself when its invite ends,
    /// and only a reject stops it before.
    fn unanswered(&self, now: Timestamp) -> Option<SignalAct> {
        if !self.is_matrix(self.initiator) {
            return Some(SignalAct::End(HangupReason::InviteTimeout));
        }
        let ends = self.matrix.as_ref().and_then(|leg| leg.lifetime_ends)?;
        (ends > now + TimeDelta::milliseconds(STILL_RINGS_MS)).then_some(SignalAct::Reject { busy: false })
    }
}
