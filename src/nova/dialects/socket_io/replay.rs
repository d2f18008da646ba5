//! What is shown again, because the published clients miss it: an offer that came before they listened, and that there is
//! somebody to call (`call-dialects.md` §1.8).

use std::time::Duration;

use tokio::time::Instant;

use super::session::{End, Session};
use super::telling::media_of_peer;
use super::words;
use crate::domain::call::{Call, DescriptionKind, EndReason, Input, Phase, Presence};
use crate::domain::ids::{CallId, UserId};

/// When an offer is shown again to who has not answered it.
const AGAIN: [Duration; 3] = [Duration::from_secs(2), Duration::from_secs(5), Duration::from_secs(10)];

/// When a caller without an offer is told that there is somebody: some make it only then.
const NUDGE: Duration = Duration::from_secs(2);

/// When a caller without an offer is given up.
const GIVE_UP: Duration = Duration::from_secs(20);

/// Since when a call may be up for its answer to be shown again to a caller who connects.
const FRESH_MS: i64 = 30_000;

/// What has to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Offer,
    Nudge,
    GiveUp,
}

/// Something that has to be done later, if the call still stands as it did.
#[derive(Debug, Clone, Copy)]
pub(super) struct Later {
    pub(super) at: Instant,
    pub(super) call: CallId,
    what: What,
}

impl Session {
    /// Shows a socket that takes part from now on what it needs of the call.
    pub(super) async fn resume(&mut self, call: &Call, user: UserId) -> Result<(), End> {
        let calls = call.initiator == user;
        match call.phase {
            Phase::Preparing if calls => {
                self.plan(call.id, [(NUDGE, What::Nudge), (GIVE_UP, What::GiveUp)]);
            }
            Phase::Accepted if !calls => {
                self.offer(call, user).await?;
                self.plan(call.id, AGAIN.map(|after| (after, What::Offer)));
            }
            Phase::Connected => {
                if calls {
                    self.answer(call, user).await?;
                }
                self.show_missed(call, user).await?;
            }
            Phase::Preparing | Phase::Ringing | Phase::Accepted | Phase::Ended => {}
        }
        Ok(())
    }

    /// Whether the socket has still to be shown the offer: candidates come with it then.
    pub(super) fn waits_for_offer(&self, call: CallId) -> bool {
        self.known.get(&call).is_none_or(|it| !it.offered)
    }

    fn plan<const N: usize>(&mut self, call: CallId, plan: [(Duration, What); N]) {
        let now = Instant::now();
        self.later.retain(|it| it.call != call);
        self.later.extend(plan.map(|(after, what)| Later {
            at: now + after,
            call,
            what,
        }));
    }

    async fn offer(&mut self, call: &Call, user: UserId) -> Result<(), End> {
        let facts = self.know(call, user).await?;
        let caller = call.people.iter().find(|it| it.user == call.initiator);
        let words = caller.map(|caller| words::offer(&facts, user, caller));
        if let Some(known) = self.known.get_mut(&call.id) {
            known.offered = true;
            known.media = media_of_peer(call, user);
        }
        self.show(call.id, words.unwrap_or_default()).await
    }

    /// The answer, for a caller who was away when it came.
    async fn answer(&mut self, call: &Call, user: UserId) -> Result<(), End> {
        let facts = self.know(call, user).await?;
        let fresh = call.duration_ms(self.state.nova.bridge.now()) < FRESH_MS;
        let callee = call.people.iter().find(|it| it.user != user);
        let (true, Some(callee)) = (fresh, callee) else {
            return Ok(());
        };
        let Some(sdp) = &callee.sdp else { return Ok(()) };
        let mut words = Vec::new();
        let told = self
            .known
            .get_mut(&call.id)
            .map(|it| std::mem::replace(&mut it.taken, true));
        if told == Some(false) {
            words = words::taken(&facts, callee.user);
            let answer = DescriptionKind::Answer;
            words.push(words::description(&facts, user, callee.user, answer, sdp));
        }
        self.show(call.id, words).await
    }

    /// Does what is due.
    pub(super) async fn do_later(&mut self) -> Result<(), End> {
        let (now, Some(user)) = (Instant::now(), self.user) else {
            return Ok(());
        };
        let due: Vec<Later> = self.later.iter().filter(|it| it.at <= now).copied().collect();
        self.later.retain(|it| it.at > now);
        for Later { call, what, .. } in due {
            // Where it cannot be read, there is another time.
            let Ok(call) = self.state.nova.bridge.call(call, user).await else {
                continue;
            };
            match (what, call.phase) {
                (What::Offer, Phase::Accepted) => {
                    let in_it = call.participant(user).is_some_and(|it| it.presence == Presence::Joined);
                    if in_it {
                        self.offer(&call, user).await?;
                    }
                }
                (What::Nudge, Phase::Preparing) => {
                    let facts = self.know(&call, user).await?;
                    let nudge = words::joined(&facts.peer(user));
                    self.show(call.id, vec![nudge]).await?;
                }
                (What::GiveUp, Phase::Preparing) => {
                    let reason = EndReason::MediaFailed;
                    let end = Input::End { by: user, reason };
                    if let Err(error) = self.state.nova.bridge.call_input(call.id, user, end).await {
                        tracing::debug!(%error, "a call without an offer goes on");
                    }
                }
                (What::Offer | What::Nudge | What::GiveUp, _) => {}
            }
        }
        Ok(())
    }
}
