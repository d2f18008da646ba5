//! Events of calls: what they say depends on what was really sent before, and on the time.

use ruma::UserId;

use super::{Done, JobError};
use crate::bridge::Bridge;
use crate::domain::call::{Input, Signal, SignalAct};
use crate::domain::clock::Timestamp;
use crate::domain::ids::CallId;
use crate::domain::ingest::{Effects, SavedCall};
use crate::domain::job::{Job, StoredJob};
use crate::matrix::translate::calls::{self as translate, Said};
use crate::metrics::{SendKind, SendOutcome};
use crate::store::calls::{self, Facts, Told};
use crate::store::{StoreError, Tx, conversations};

/// How much of an invite's time may have passed for it still to be said as it was meant, in milliseconds.
const LATE: i64 = 3_000;

/// What the room knows once a signal is in it, as far as that matters later.
pub(super) const fn told(signal: &Signal) -> Option<Told> {
    match signal.act {
        SignalAct::Invite { .. } => Some(Told::Invite),
        SignalAct::Answer { .. } => Some(Told::Answer),
        SignalAct::SelectAnswer { .. }
        | SignalAct::Candidates(_)
        | SignalAct::Reject { .. }
        | SignalAct::End(_)
        | SignalAct::Negotiate { .. }
        | SignalAct::Metadata(_) => None,
    }
}

/// Whether a signal is worth nothing once its call is over.
const fn is_for_living(signal: &Signal) -> bool {
    match signal.act {
        SignalAct::Invite { .. }
        | SignalAct::Answer { .. }
        | SignalAct::Candidates(_)
        | SignalAct::Negotiate { .. }
        | SignalAct::Metadata(_) => true,
        SignalAct::SelectAnswer { .. } | SignalAct::Reject { .. } | SignalAct::End(_) => false,
    }
}

/// For how long an invite rings that is sent now; nothing where it is too late. A little late is as it was meant.
fn lifetime(signal: &Signal, now: Timestamp) -> Option<i64> {
    let SignalAct::Invite {
        expires_at,
        lifetime_ms,
        ..
    } = signal.act
    else {
        return Some(0);
    };
    match (expires_at - now).num_milliseconds() {
        ..=0 => None,
        left if left >= lifetime_ms.saturating_sub(LATE) => Some(lifetime_ms),
        left => Some(left),
    }
}

impl Bridge {
    pub(super) async fn send_signal(
        &self,
        job: &StoredJob,
        ghost: &UserId,
        call: CallId,
        signal: &Signal,
    ) -> Result<Done, JobError> {
        let mut connection = self.inner.store.read().await?;
        let Some(facts) = calls::facts(&mut connection, call).await? else {
            return Ok(Done::Yes);
        };
        drop(connection);
        let lifetime_ms = lifetime(signal, self.now());
        if (facts.ended && is_for_living(signal)) || lifetime_ms.is_none() {
            return self.too_late(job, ghost, signal).await;
        }
        let said = said(job, &facts);
        let Some((event_type, content)) = translate::write(signal, said, lifetime_ms.unwrap_or_default()) else {
            return Ok(Done::Yes);
        };
        if told(signal) == Some(Told::Invite) && !self.has_room(job).await? {
            return Err(JobError::NotYet("the conversation's room is not made yet"));
        }
        self.send_event(job, ghost, event_type, content).await
    }

    /// It is not sent any more. An earlier try may have sent it all the same, which the end of the call has to know.
    async fn too_late(&self, job: &StoredJob, ghost: &UserId, signal: &Signal) -> Result<Done, JobError> {
        if job.uncertain && told(signal).is_some() {
            let room = self.room_of(job).await?;
            if let Some(event_id) = self.find_in(job, ghost, &room, &job.id.to_string()).await? {
                return Ok(Done::Sent(event_id));
            }
        }
        Ok(Done::Yes)
    }

    async fn has_room(&self, job: &StoredJob) -> Result<bool, JobError> {
        let Some(id) = job.conversation else { return Ok(false) };
        let mut connection = self.inner.store.read().await?;
        Ok(conversations::room_of(&mut connection, id).await?.is_some())
    }

    /// Whether a job that failed is not worth another try: its call is over, and nothing of it is in the room. What ends
    /// the call must not wait behind it. The conversation must be locked.
    pub(super) async fn is_void(&self, tx: &mut Tx, job: &StoredJob, uncertain: bool) -> Result<bool, StoreError> {
        let Job::Signal { call, signal } = &job.job else {
            return Ok(false);
        };
        let matters = told(signal).is_some() && (uncertain || job.uncertain);
        if matters || !is_for_living(signal) {
            return Ok(false);
        }
        Ok(calls::facts(tx, *call).await?.is_none_or(|facts| facts.ended))
    }

    /// The homeserver refused an event of a call for good. Without its invite or its answer there is no call; everything
    /// else is not missed. Nothing is kept: there is SDP in it.
    pub(super) async fn give_up_signal(&self, job: &StoredJob, error: &JobError, text: &str) -> Result<(), StoreError> {
        let Job::Signal { call, signal } = &job.job else {
            return Ok(());
        };
        self.inner.metrics.send(SendKind::Call, SendOutcome::Refused);
        tracing::warn!(
            call.id = %call, what = signal.act.name(), error = text,
            "an event of a call was refused for good"
        );
        let now = self.now();
        let mut effects = Effects {
            done_jobs: vec![job.id],
            ..Effects::default()
        };
        let mut tx = self.inner.store.begin().await?;
        if told(signal).is_none() {
            conversations::lock(&mut tx, job.conversation.as_slice()).await?;
        } else if let Some(mut running) = calls::enter(&mut tx, *call).await? {
            let was = running.phase;
            let detail = detail(error, text);
            let followed = running.apply(now, Input::Refused { detail }).unwrap_or_default();
            let saved = SavedCall {
                call: running,
                was: Some(was),
                room: None,
                idempotency_key: None,
            };
            if !followed.is_empty() {
                effects.call(saved, followed, &mut || self.id(now));
            }
        }
        self.commit(tx, &effects, now).await
    }
}

fn said(job: &StoredJob, facts: &Facts) -> Said {
    match (facts.initiator == job.actor, facts.invited, facts.answered) {
        (true, false, _) => Said::NoInvite,
        (false, _, false) => Said::NoAnswer,
        (true, true, _) | (false, _, true) => Said::Everything,
    }
}

/// Why there is no call, in words for its people.
fn detail(error: &JobError, text: &str) -> String {
    let forbidden = match error {
        JobError::Homeserver(error) => error.status() == Some(403),
        JobError::Store(_) | JobError::NotYet(_) | JobError::Storage(_) | JobError::Hopeless(_) => false,
    };
    if forbidden {
        format!("forbidden: the room does not let Nova call ({text})")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};

    use super::*;
    use crate::domain::call::{HangupReason, Sdp, Version};

    fn signal(act: SignalAct) -> Signal {
        Signal {
            call: "c".to_owned(),
            party: "p".to_owned(),
            version: Version::V1,
            act,
        }
    }

    #[test]
    fn an_invite_rings_as_long_as_it_was_meant_to_or_for_what_is_left() {
        let invite = signal(SignalAct::Invite {
            offer: Sdp::read("v=0".to_owned()).unwrap(),
            metadata: None,
            invitee: "@alice:hs".try_into().unwrap(),
            expires_at: DateTime::UNIX_EPOCH + TimeDelta::seconds(60),
            lifetime_ms: 60_000,
        });
        let after = |ms| lifetime(&invite, DateTime::UNIX_EPOCH + TimeDelta::milliseconds(ms));
        assert_eq!((after(0), after(3_000)), (Some(60_000), Some(60_000)));
        assert_eq!((after(3_001), after(59_999)), (Some(56_999), Some(1)));
        assert_eq!((after(60_000), after(99_000)), (None, None));
        let end = signal(SignalAct::End(HangupReason::UserHangup));
        assert!(
            lifetime(&end, DateTime::UNIX_EPOCH + TimeDelta::days(9)).is_some(),
            "an end is never too late"
        );
    }
}
