//! The end of a call: once, final, and told to each person in one piece of news (nova-api §5).

use super::input::Effect;
use super::news::{EndReason, News};
use super::signal::SignalAct;
use super::{Call, Phase, Presence, Topology};
use crate::domain::clock::Timestamp;
use crate::domain::ids::UserId;

impl Call {
    /// Ends the call. `last` is what the peer in Matrix is told; nothing where they know it already.
    pub(super) fn end_with(
        &mut self,
        now: Timestamp,
        reason: EndReason,
        by: Option<UserId>,
        last: Option<SignalAct>,
        detail: Option<&str>,
    ) -> Vec<Effect> {
        if self.phase == Phase::Ended {
            return Vec::new();
        }
        let was = self.phase;
        let mut effects = self.last_words(last);
        effects.push(Effect::log(by, "ended"));
        let told = self.audience();
        let endings = told.into_iter().filter_map(|to| {
            let news = self.ending(now, to, was, reason, by, detail)?;
            Some(Effect::Tell { to, news })
        });
        effects.extend(endings.collect::<Vec<_>>());
        self.close(now, reason, by);
        effects
    }

    /// Ends a call that never rang; `missed` says whether its callee hears of it.
    pub(super) fn never_rang(
        &mut self,
        now: Timestamp,
        reason: EndReason,
        last: Option<SignalAct>,
        missed: bool,
    ) -> Vec<Effect> {
        let mut effects = self.last_words(last);
        effects.push(Effect::log(None, "never_rang"));
        if missed {
            effects.extend(self.audience().into_iter().map(|to| Effect::Tell {
                to,
                news: self.missed(reason),
            }));
        }
        self.close(now, reason, None);
        effects
    }

    fn last_words(&self, last: Option<SignalAct>) -> Vec<Effect> {
        if self.matrix.is_none() {
            return Vec::new();
        }
        std::iter::once(Effect::Cut)
            .chain(last.and_then(|act| self.send(act)))
            .collect()
    }

    pub(super) fn missed(&self, reason: EndReason) -> News {
        News::Missed {
            by: self.initiator,
            reason,
            is_video: self.is_video,
        }
    }

    /// What one person is told of the end.
    fn ending(
        &self,
        now: Timestamp,
        to: UserId,
        was: Phase,
        reason: EndReason,
        by: Option<UserId>,
        detail: Option<&str>,
    ) -> Option<News> {
        let ended = || News::Ended {
            by,
            reason,
            duration_ms: self.duration_ms(now),
            detail: detail.map(str::to_owned),
        };
        let place = self.participant(to)?;
        let refused = matches!(reason, EndReason::Declined | EndReason::Busy) && self.topology == Topology::Direct;
        match (place.presence, was) {
            // They left a group call that went on, and could have come back.
            (Presence::Left, _) if place.joined_at.is_some() => Some(ended()),
            // They do not know of it yet, or are out of it already.
            (Presence::Invited, Phase::Preparing) | (Presence::Left | Presence::Rejected, _) => None,
            (Presence::Joined, Phase::Connected | Phase::Accepted) => Some(ended()),
            (Presence::Joined | Presence::Invited, _) if refused => Some(News::Rejected {
                by: by.unwrap_or(self.initiator),
                reason,
            }),
            (Presence::Invited, _) if reason != EndReason::AnsweredElsewhere => Some(self.missed(reason)),
            (Presence::Joined | Presence::Invited, _) => Some(ended()),
        }
    }

    /// Notes the end, and forgets what only a running call needs.
    fn close(&mut self, now: Timestamp, reason: EndReason, by: Option<UserId>) {
        self.phase = Phase::Ended;
        self.ended_at = Some(now);
        self.reason = Some(reason);
        self.ended_by = by;
        self.answer_due = None;
        for person in &mut self.people {
            match person.presence {
                Presence::Joined => {
                    person.presence = Presence::Left;
                    person.left_at = Some(now);
                }
                Presence::Invited if reason == EndReason::Declined || reason == EndReason::Busy => {
                    person.presence = Presence::Rejected;
                }
                Presence::Invited => person.presence = Presence::Left,
                Presence::Left | Presence::Rejected => {}
            }
            person.sdp = None;
            person.metadata = None;
            person.candidates = Vec::new();
            person.gone_since = None;
        }
        if let Some(leg) = self.matrix.as_mut() {
            leg.early = Vec::new();
            leg.outgoing = Vec::new();
            leg.flush_at = None;
        }
    }
}
