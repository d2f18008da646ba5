//! Calls, as Nova's users hold them. The rules are `domain::call`; here a call is locked, read, changed and saved, and what
//! follows is committed with it.

mod attendance;
mod contacts;
mod look;
mod place;
mod timers;

use std::time::Duration;

use super::{Bridge, CommandError};
use crate::domain::call::{Call, Input, Phase, Refused, Topology};
use crate::domain::clock::Timestamp;
use crate::domain::conversation::Conversation;
use crate::domain::ids::{CallId, UserId};
use crate::domain::ingest::{CallRules, Effects, SavedCall};
use crate::store::{StoreError, Tx, calls};

pub use attendance::Attendance;
pub(super) use attendance::Attendances;
pub use contacts::Contact;
pub use look::Ringing;
pub use place::PlaceCall;
pub(super) use timers::Hint;

/// How calls are held, as an admin decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallSettings {
    /// Whether there are any.
    pub enabled: bool,
    /// How long they ring at most.
    pub ring: Duration,
    /// How long somebody may be without a socket.
    pub grace: Duration,
}

impl Default for CallSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            ring: Duration::from_mins(1),
            grace: Duration::from_secs(30),
        }
    }
}

impl CallSettings {
    pub(super) fn rules(&self) -> CallRules {
        let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        CallRules {
            enabled: self.enabled,
            ring_ms: millis(self.ring),
            grace_ms: millis(self.grace),
        }
    }
}

impl Bridge {
    /// Something that a Nova user does in a call.
    ///
    /// # Errors
    /// When there is no such call, the user takes no part in it, or it is not the time for this.
    pub async fn call_input(&self, id: CallId, by: UserId, input: Input) -> Result<Call, CommandError> {
        let mut tx = self.inner.store.begin().await?;
        let call = calls::enter(&mut tx, id).await?.ok_or(CommandError::UnknownCall)?;
        if call.participant(by).is_none() {
            return Err(Refused::NotYours.into());
        }
        self.apply_input(tx, call, input).await
    }

    /// Something that happens to a call by itself.
    async fn call_event(&self, id: CallId, input: Input) -> Result<(), CommandError> {
        let mut tx = self.inner.store.begin().await?;
        let Some(call) = calls::enter(&mut tx, id).await? else {
            return Ok(());
        };
        let now = self.now();
        let early = input == Input::Deadline && call.deadline().is_none_or(|due| due > now);
        if early || call.phase == Phase::Ended {
            return Ok(());
        }
        self.apply_input(tx, call, input).await?;
        Ok(())
    }

    /// Applies to a call that is locked, and commits.
    async fn apply_input(&self, mut tx: Tx, before: Call, input: Input) -> Result<Call, CommandError> {
        let now = self.now();
        let rings = matches!(input, Input::Offer { .. }) && before.phase == Phase::Preparing;
        let mut call = before.clone();
        let mut followed = call.apply(now, input)?;
        if rings {
            followed.extend(self.refuse_for_busy(&mut tx, &mut call, now).await?);
        }
        if followed.is_empty() && call == before {
            return Ok(call);
        }
        let mut effects = Effects::default();
        let saved = SavedCall {
            call: call.clone(),
            was: Some(before.phase),
            room: None,
            idempotency_key: None,
        };
        effects.call(saved, followed, &mut || self.id(now));
        self.commit(tx, &effects, now).await?;
        Ok(call)
    }

    /// A call that has just begun to ring for a Nova user who is in another one is refused for them.
    async fn refuse_for_busy(
        &self,
        tx: &mut Tx,
        call: &mut Call,
        now: Timestamp,
    ) -> Result<Vec<crate::domain::call::Effect>, CommandError> {
        let callee = call.peer_of(call.initiator);
        let (Topology::Direct, Phase::Ringing, None, Some(callee)) = (call.topology, call.phase, &call.matrix, callee)
        else {
            return Ok(Vec::new());
        };
        let (busy, _) = calls::unavailable(tx, &[callee], call.conversation).await?;
        if busy.is_empty() {
            return Ok(Vec::new());
        }
        Ok(call.apply(now, Input::Reject { by: callee, busy: true })?)
    }

    /// Adds to a change of a conversation, which is locked, what it means for the calls in it that `who` are out of it.
    pub(super) async fn leave_calls(
        &self,
        tx: &mut Tx,
        effects: &mut Effects,
        conversation: &Conversation,
        who: &[UserId],
    ) -> Result<(), StoreError> {
        let now = self.now();
        for before in calls::unfinished(tx, conversation.id).await? {
            let mut call = before.clone();
            let mut followed = Vec::new();
            for who in who {
                followed.extend(call.apply(now, Input::Left { who: *who }).unwrap_or_default());
            }
            if call == before {
                continue;
            }
            let saved = SavedCall {
                call,
                was: Some(before.phase),
                room: None,
                idempotency_key: None,
            };
            effects.call(saved, followed, &mut || self.id(now));
        }
        Ok(())
    }

    fn count_call(&self, saved: &SavedCall) {
        let metrics = &self.inner.metrics;
        let call = &saved.call;
        let since = |from: Timestamp, until: Timestamp| (until - from).to_std().unwrap_or_default();
        let (was, is) = (saved.was, call.phase);
        if was.is_none() {
            metrics.call_begun(calls::dialect(call));
        }
        let rang = |phase: Option<Phase>| matches!(phase, None | Some(Phase::Preparing | Phase::Ringing));
        let stops = rang(was) && !rang(Some(is)) && (was.is_some() || call.started_at.is_some());
        if let (true, Some(until)) = (stops, call.started_at.or(call.ended_at)) {
            metrics.call_rang(since(call.created_at, until));
        }
        if is == Phase::Connected && was != Some(Phase::Connected) {
            let taken = call.people.iter().filter_map(|it| it.joined_at).max();
            if let (Some(taken), Some(up)) = (taken, call.started_at) {
                metrics.call_set_up(since(taken, up));
            }
        }
        if let (Phase::Ended, Some(reason)) = (is, call.reason) {
            metrics.call_ended(reason.as_str());
        }
    }

    /// Counts what was committed, and sees to it that somebody is awake when the calls have to be looked at.
    pub(super) fn calls_saved(&self, effects: &Effects) {
        for saved in &effects.calls {
            if let Some(deadline) = saved.call.deadline() {
                self.inner.calls_hint.look_at(deadline);
            }
            self.count_call(saved);
        }
    }
}
