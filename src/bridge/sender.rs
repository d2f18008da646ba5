//! Works off the outbox: many lanes side by side, each lane head first, as the ghosts.
//!
//! A lane belongs to the node that claimed it, for as long as that node lives (`store::nodes`). A job is done when its
//! row is gone; a row that was tried without a clear answer is first looked for in the room (`find`).

mod acts;
mod bot;
mod find;
mod jobs;
mod kinds;
mod media;
mod pins;
mod rooms;
mod signals;
mod space;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use ruma::OwnedRoomId;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::Bridge;
use super::accounts::ProvisionError;
use super::dead_letters::delivery;
use super::ingest::error_chain;
use crate::domain::act::MessageAct;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{OutboxId, UserId};
use crate::domain::ingest::Effects;
use crate::domain::job::{Job, Lane, NewJob, StoredJob, retry_delay_ms};
use crate::domain::message::{Delivery, storable};
use crate::domain::pin::PinAct;
use crate::matrix::{HomeserverError, Retry};
use crate::metrics::{SendKind, SendOutcome};
use crate::store::nodes::Presence;
use crate::store::{StoreError, Tx, calls, conversations, dead_letters, messages, outbox};

/// How many lanes are worked on at once: of rooms and accounts, and beside them of calls.
const LANES: usize = 32;
const CALL_LANES: usize = 32;

/// How often the outbox is looked at without being told to.
const POLL: Duration = Duration::from_secs(1);

/// How long something of a call waits for its next try at most, in milliseconds: soon it is worth nothing any more.
const LONGEST_URGENT: i64 = 3_000;

/// How long to wait for what has to be done before.
const NOT_YET: Duration = Duration::from_millis(300);

/// How many failures of a job its author is not told about: a restart of the homeserver is no news.
const QUIET_FAILURES: i32 = 2;

/// How a job ended.
#[derive(Debug)]
pub(super) enum Done {
    /// It is done.
    Yes,
    /// It was done already: the room may have told of it long ago.
    Already,
    /// An event is in the room.
    Sent(String),
    /// It is done, and with it what these were to do.
    WithOthers(Vec<OutboxId>),
    /// The conversation's room is made.
    Room(OwnedRoomId),
}

/// Why a job did not end.
#[derive(Debug, thiserror::Error)]
pub(super) enum JobError {
    #[error(transparent)]
    Homeserver(#[from] HomeserverError),
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It cannot be done yet, because something else has to be done before.
    #[error("{0}")]
    NotYet(&'static str),
    /// Nova's storage did not give a file; it may, later.
    #[error("{0}")]
    Storage(String),
    /// It can never be done.
    #[error("{0}")]
    Hopeless(String),
}

impl From<ProvisionError> for JobError {
    fn from(error: ProvisionError) -> Self {
        match error {
            ProvisionError::NoAccount => Self::Hopeless("the account does not exist".to_owned()),
            ProvisionError::Store(error) => Self::Store(error),
            ProvisionError::Homeserver(error) => Self::Homeserver(error),
        }
    }
}

/// The lanes that this node works on.
#[derive(Default)]
struct Crew {
    /// With whether it is a call's.
    lanes: Mutex<HashMap<Uuid, bool>>,
    freed: Notify,
}

impl Crew {
    fn lanes(&self) -> MutexGuard<'_, HashMap<Uuid, bool>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn at_work(&self) -> Vec<Uuid> {
        self.lanes().keys().copied().collect()
    }

    /// For how many more lanes there is somebody.
    fn seats(&self) -> outbox::Seats {
        let lanes = self.lanes();
        let urgent = lanes.values().filter(|is_urgent| **is_urgent).count();
        let free = |of: usize, taken: usize| i64::try_from(of.saturating_sub(taken)).unwrap_or_default();
        outbox::Seats {
            ordinary: free(LANES, lanes.len() - urgent),
            urgent: free(CALL_LANES, urgent),
        }
    }

    fn starts(self: &Arc<Self>, lane: outbox::Claimed) -> Shift {
        self.lanes().insert(lane.lane, lane.is_urgent);
        Shift {
            crew: Arc::clone(self),
            lane: lane.lane,
        }
    }
}

/// Somebody works on a lane until this is dropped.
struct Shift {
    crew: Arc<Crew>,
    lane: Uuid,
}

impl Drop for Shift {
    fn drop(&mut self) {
        self.crew.lanes().remove(&self.lane);
        self.crew.freed.notify_one();
    }
}

impl Bridge {
    /// Works off the outbox until `stop`; then the requests in hand are finished. While the database is away, it waits.
    pub async fn send_outbox(&self, mut presence: Presence, stop: CancellationToken) {
        let workers = TaskTracker::new();
        let crew = Arc::new(Crew::default());
        loop {
            let wait = match self.claim_lanes(&mut presence, &crew, &workers, &stop).await {
                Ok(next_due) => next_due.unwrap_or(POLL).min(POLL),
                Err(error) => {
                    tracing::warn!(error = %error_chain(&error), "the outbox cannot be read, trying again");
                    POLL
                }
            };
            let next = Instant::now() + wait;
            tokio::select! {
                () = stop.cancelled() => break,
                () = crew.freed.notified() => {}
                _ = timeout_at(next, self.inner.sender_wake.notified()) => {}
            }
        }
        workers.close();
        workers.wait().await;
    }

    /// Sends at once what waits for its back-off to end: the homeserver is back. What it told to wait goes on waiting.
    ///
    /// # Errors
    /// When Postgres cannot work.
    pub async fn hurry_outbox(&self) -> Result<(), StoreError> {
        let mut connection = self.inner.store.read().await?;
        let lanes = outbox::hurry(&mut connection, self.now()).await?;
        tracing::info!(lanes, "the homeserver is back, what waited is sent now");
        self.inner.sender_wake.notify_one();
        Ok(())
    }

    /// Starts a worker for each lane that is due, as far as there are seats. Returns when the next one is due.
    async fn claim_lanes(
        &self,
        presence: &mut Presence,
        crew: &Arc<Crew>,
        workers: &TaskTracker,
        stop: &CancellationToken,
    ) -> Result<Option<Duration>, StoreError> {
        if !presence.check(&self.inner.store).await? {
            tracing::warn!("this node does not count as alive yet, its outbox waits");
            return Ok(None);
        }
        let mut connection = self.inner.store.read().await?;
        loop {
            let at_work = crew.at_work();
            let seats = crew.seats();
            if seats.ordinary == 0 && seats.urgent == 0 {
                return Ok(None);
            }
            let claimed = outbox::claim(&mut connection, presence.node(), &at_work, seats, self.now()).await?;
            let taken = |is_urgent| {
                let of_kind = claimed.iter().filter(|lane| lane.is_urgent == is_urgent);
                i64::try_from(of_kind.count()).unwrap_or(i64::MAX)
            };
            // A kind without a seat is looked at again when somebody is free.
            let filled = |seats: i64, taken: i64| seats > 0 && taken >= seats;
            let some_left = filled(seats.ordinary, taken(false)) || filled(seats.urgent, taken(true));
            for lane in claimed {
                let shift = crew.starts(lane);
                let (bridge, stop, node) = (self.clone(), stop.clone(), presence.node());
                workers.spawn(async move {
                    bridge.work(lane, node, &stop).await;
                    drop(shift);
                });
            }
            if !some_left {
                break;
            }
        }
        let due = outbox::next_due(&mut connection).await?;
        Ok(due.map(|due| (due - self.now()).to_std().unwrap_or(Duration::ZERO)))
    }

    /// Works on one lane until it is empty, fails, or `stop`.
    async fn work(&self, claimed: outbox::Claimed, node: i32, stop: &CancellationToken) {
        let mut abandoned = claimed.abandoned;
        loop {
            match self.work_once((claimed.lane, node), abandoned, stop).await {
                Ok(true) => abandoned = false,
                Ok(false) => return,
                Err(error) => {
                    // The lease stays: nobody else may think that the lane was left in order. It ends with our presence,
                    // or here, once the database is back.
                    tracing::warn!(error = %error_chain(&error), "a lane waits for the database");
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = tokio::time::sleep(POLL) => abandoned = true,
                    }
                }
            }
        }
    }

    /// Does the head of a lane that is leased by a node. Returns whether there may be more to do.
    async fn work_once(
        &self,
        lease: (Uuid, i32),
        abandoned: bool,
        stop: &CancellationToken,
    ) -> Result<bool, StoreError> {
        let (lane, node) = lease;
        let mut connection = self.inner.store.read().await?;
        if stop.is_cancelled() {
            outbox::release(&mut connection, lane, node).await?;
            return Ok(false);
        }
        let head = outbox::head(&mut connection, lane).await?;
        if head.leased_by != Some(node) {
            tracing::warn!(outbox.lane = %lane, "another node took a lane over, because this one looked dead");
            return Ok(false);
        }
        let Some(mut job) = head.job else {
            return Ok(!outbox::sleep(&mut connection, lane, node, head.version).await?);
        };
        drop(connection);
        job.uncertain |= abandoned;
        let kind = kinds::of(&job);
        match self.perform(&job).await {
            Ok(done) => match self.finish(&job, done).await {
                Ok(()) => {
                    self.inner.metrics.send(kind, SendOutcome::Sent);
                    Ok(true)
                }
                // What Postgres refuses today it refuses tomorrow: such a job must not hold up its lane for ever.
                Err(error) if error.refuses_data() => self.failed(lease, &job, JobError::Store(error), kind).await,
                Err(error) => Err(error),
            },
            Err(JobError::Store(error)) if !error.refuses_data() => Err(error),
            Err(error) => self.failed(lease, &job, error, kind).await,
        }
    }

    /// Records a done job, and what belongs to it, in one commit.
    async fn finish(&self, job: &StoredJob, done: Done) -> Result<(), StoreError> {
        let now = self.now();
        let mut effects = Effects::default();
        let mut tx = self.inner.store.begin().await?;
        conversations::lock(&mut tx, job.conversation.as_slice()).await?;
        match done {
            Done::Yes if matches!(job.job, Job::Pin { .. }) => {
                effects.acts.push(MessageAct::Pin(PinAct::Told(job.id)));
            }
            Done::Yes => {}
            Done::Already => {
                if let (Some(conversation), Some(user)) = (job.conversation, self.departing(job)) {
                    effects.departed.push((conversation, user));
                }
            }
            Done::WithOthers(jobs) => effects.done_jobs = jobs,
            Done::Room(room) => effects = self.settle(&mut tx, job, room).await?,
            Done::Sent(event_id) => {
                if let Job::Signal { call, signal } = &job.job
                    && let Some(what) = signals::told(signal)
                {
                    calls::told(&mut tx, *call, what, &event_id).await?;
                }
                if let Job::Edit { edit: id } | Job::React { reaction: id } = &job.job {
                    effects.acts.push(MessageAct::Carried(*id, event_id.clone()));
                }
                if let (Some(message), Some(conversation)) = (job.message, job.conversation)
                    && messages::set_delivery(&mut tx, message, Delivery::Sent, Some(&event_id)).await?
                {
                    let told = delivery(conversation, job.actor, message, Delivery::Sent, None, Some(event_id));
                    effects.feed.push(told);
                }
            }
        }
        effects.done_jobs.push(job.id);
        self.commit(tx, &effects, now).await
    }

    /// A new room becomes the conversation's, unless a Matrix user opened one in the meantime: then ours is left.
    async fn settle(&self, tx: &mut Tx, job: &StoredJob, room: OwnedRoomId) -> Result<Effects, StoreError> {
        let mut effects = Effects::default();
        let Some(conversation) = job.conversation else {
            return Ok(effects);
        };
        match conversations::room_of(tx, conversation).await? {
            None => effects.portals.push((conversation, room)),
            Some(current) if current == room.as_str() => {}
            Some(_) => {
                // What is said in ours until it is left belongs to the conversation all the same.
                effects.former.push((conversation, room.clone()));
                effects.jobs.push(NewJob {
                    id: self.id(self.now()).into(),
                    lane: Lane::Conversation(conversation),
                    actor: job.actor,
                    message: None,
                    job: Job::Leave {
                        room: Some(room.into()),
                        notice: None,
                    },
                });
            }
        }
        Ok(effects)
    }

    async fn failed(
        &self,
        lease: (Uuid, i32),
        job: &StoredJob,
        error: JobError,
        kind: SendKind,
    ) -> Result<bool, StoreError> {
        let text = storable(error_chain(&error));
        let (retry, uncertain) = match &error {
            JobError::Homeserver(error) => (error.retry(), error.outcome_unknown()),
            JobError::NotYet(_) => (Retry::After(NOT_YET), false),
            JobError::Storage(_) => (Retry::Backoff, false),
            JobError::Store(_) | JobError::Hopeless(_) => (Retry::Never, false),
        };
        let (wait, told_to_wait) = match retry {
            Retry::Never if matches!(job.job, Job::Signal { .. }) => {
                self.give_up_signal(job, &error, &text).await?;
                return Ok(true);
            }
            Retry::Never => {
                tracing::error!(outbox.id = %job.id, job = job.job.name(), error = text, "a request was refused for good");
                self.inner.metrics.send(kind, SendOutcome::DeadLetter);
                self.give_up(job, &text).await?;
                return Ok(true);
            }
            Retry::After(wait) => (TimeDelta::from_std(wait).unwrap_or(TimeDelta::minutes(1)), true),
            Retry::Backoff => {
                let wait = retry_delay_ms(job.attempts + 1, self.inner.random.number());
                let wait = if job.job.is_urgent() {
                    wait.min(LONGEST_URGENT)
                } else {
                    wait
                };
                (TimeDelta::milliseconds(wait), false)
            }
        };
        let retry_in_ms = wait.num_milliseconds();
        if matches!(error, JobError::NotYet(_)) {
            tracing::debug!(outbox.id = %job.id, job = job.job.name(), retry_in_ms, error = text, "a request waits");
        } else {
            tracing::warn!(outbox.id = %job.id, job = job.job.name(), retry_in_ms, error = text, "a request failed");
        }
        self.inner.metrics.send(kind, SendOutcome::Retried);
        let now = self.now();
        let failure = outbox::Failure {
            error: &text,
            uncertain,
            due: now + wait,
            told_to_wait,
        };
        self.defer(lease, job, &failure, now).await
    }

    /// Puts a job off. Returns whether it was dropped instead, so that there may be more to do in the lane at once.
    async fn defer(
        &self,
        (lane, node): (Uuid, i32),
        job: &StoredJob,
        failure: &outbox::Failure<'_>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut effects = Effects::default();
        let mut tx = self.inner.store.begin().await?;
        // Also where there is nothing to tell: an echo that comes now locks the same rows in another order.
        conversations::lock(&mut tx, job.conversation.as_slice()).await?;
        if self.is_void(&mut tx, job, failure.uncertain).await? {
            effects.done_jobs.push(job.id);
            self.commit(tx, &effects, now).await?;
            return Ok(true);
        }
        if let Some(conversation) = job.conversation
            && job.attempts + 1 > QUIET_FAILURES
        {
            // Whatever the job is, everything behind it waits with it.
            for (message, author) in messages::delayed(&mut tx, lane).await? {
                let detail = Some("the homeserver cannot be reached or is busy".to_owned());
                let told = delivery(conversation, author, message, Delivery::Retrying, detail, None);
                effects.feed.push(told);
            }
        }
        outbox::defer(&mut tx, lane, node, job.id, failure, now).await?;
        self.commit(tx, &effects, now).await?;
        Ok(false)
    }

    /// Moves a refused job to the dead letters, and tells the author of its message.
    async fn give_up(&self, job: &StoredJob, error: &str) -> Result<(), StoreError> {
        let now = self.now();
        let mut effects = Effects {
            done_jobs: vec![job.id],
            ..Effects::default()
        };
        let mut tx = self.inner.store.begin().await?;
        conversations::lock(&mut tx, job.conversation.as_slice()).await?;
        if let (Some(message), Some(conversation)) = (job.message, job.conversation)
            && messages::set_delivery(&mut tx, message, Delivery::Failed, None).await?
        {
            let detail = Some(error.to_owned());
            let told = delivery(conversation, job.actor, message, Delivery::Failed, detail, None);
            effects.feed.push(told);
        }
        // The room will never say that they are gone, so what it says counts again.
        if let (Some(conversation), Some(user)) = (job.conversation, self.departing(job)) {
            effects.departed.push((conversation, user));
        }
        if matches!(job.job, Job::Pin { .. }) {
            pins::undo(&mut tx, job, &mut effects).await?;
        }
        dead_letters::keep_job(&mut tx, job, error, now).await?;
        self.commit(tx, &effects, now).await
    }
}

impl Bridge {
    /// Whom the job was to take out of the room.
    fn departing(&self, job: &StoredJob) -> Option<UserId> {
        match &job.job {
            Job::Leave { .. } => Some(job.actor),
            Job::Kick { target } => Some(self.ghosts().person(target)),
            Job::ProvisionGhost
            | Job::DeactivateGhost
            | Job::CreateRoom
            | Job::SendEvent { .. }
            | Job::Edit { .. }
            | Job::React { .. }
            | Job::Pin { .. }
            | Job::Redact { .. }
            | Job::SendMedia
            | Job::Join { .. }
            | Job::SyncRoom { .. }
            | Job::ReadBack { .. }
            | Job::Invite { .. }
            | Job::SetPower { .. }
            | Job::SetState { .. }
            | Job::SyncSpace
            | Job::BotJoin { .. }
            | Job::BotLeave { .. }
            | Job::Command { .. }
            | Job::Signal { .. } => None,
        }
    }
}
