//! Ways to reach each other: they follow their author's description, and go into a room in batches.

use chrono::TimeDelta;

use super::input::{Effect, Refused};
use super::media::Candidate;
use super::news::News;
use super::signal::SignalAct;
use super::timers::{AFTER_ANSWER_MS, AFTER_INVITE_MS};
use super::{Call, MAX_EARLY_CANDIDATES, Phase};
use crate::domain::clock::Timestamp;
use crate::domain::ids::UserId;

/// How many candidates are sent in one event at most.
const BATCH: usize = 50;

impl Call {
    pub(super) fn reachable(
        &mut self,
        now: Timestamp,
        by: UserId,
        new: Vec<Candidate>,
    ) -> Result<Vec<Effect>, Refused> {
        let kept = self.nova(by)?.candidates.len();
        if self.phase == Phase::Ended {
            return Err(Refused::Ended);
        }
        let Some(peer) = self.peer_of(by) else {
            return Err(Refused::NotYours);
        };
        // They follow their author's description, never go before it.
        let described = match self.phase {
            Phase::Preparing | Phase::Ended => false,
            Phase::Ringing | Phase::Accepted => by == self.initiator,
            Phase::Connected => true,
        };
        let to_matrix = self.is_matrix(peer);
        // A callee who opens a socket while it rings, or takes the call and is told then, needs them again.
        let keep = !described || (self.phase != Phase::Connected && !to_matrix);
        if keep {
            if kept + new.len() > MAX_EARLY_CANDIDATES {
                return Err(Refused::TooMany);
            }
            if let Some(author) = self.participant_mut(by) {
                author.candidates.extend(new.iter().cloned());
            }
        }
        Ok(match (described, to_matrix) {
            (false, _) => Vec::new(),
            (true, true) => self.queue(now, new),
            (true, false) => vec![Effect::Tell {
                to: peer,
                news: News::Candidates { by, candidates: new },
            }],
        })
    }

    /// Puts candidates into the batch for Matrix, which goes out soon, or at once when it is full or complete.
    pub(super) fn queue(&mut self, now: Timestamp, new: Vec<Candidate>) -> Vec<Effect> {
        let wait = if self.phase == Phase::Connected {
            AFTER_ANSWER_MS
        } else {
            AFTER_INVITE_MS
        };
        let Some(leg) = self.matrix.as_mut() else {
            return Vec::new();
        };
        if new.is_empty() {
            return Vec::new();
        }
        let complete = new.last().is_some_and(Candidate::is_end);
        leg.outgoing.extend(new);
        leg.flush_at = leg.flush_at.or(Some(now + TimeDelta::milliseconds(wait)));
        if complete || leg.outgoing.len() >= BATCH {
            return self.flush();
        }
        Vec::new()
    }

    /// Sends the batch.
    pub(super) fn flush(&mut self) -> Vec<Effect> {
        let Some(leg) = self.matrix.as_mut() else {
            return Vec::new();
        };
        leg.flush_at = None;
        let mut batches = Vec::new();
        while !leg.outgoing.is_empty() {
            let rest = leg.outgoing.split_off(leg.outgoing.len().min(BATCH));
            batches.push(std::mem::replace(&mut leg.outgoing, rest));
        }
        batches
            .into_iter()
            .filter_map(|batch| self.send(SignalAct::Candidates(batch)))
            .collect()
    }
}
