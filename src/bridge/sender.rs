//! Works off the outbox: many lanes side by side, each lane head first, as the ghosts.
//!
//! A lane belongs to the node that claimed it, for as long as that node lives (`store::nodes`). A job is done when its
//! row is gone; a row that was tried without a clear answer is first looked for in the room (`find`).

mod find;
mod jobs;
mod rooms;

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use ruma::OwnedRoomId;
use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::Bridge;
use super::accounts::ProvisionError;
use super::dead_letters::delivery;
use super::ingest::error_chain;
use crate::domain::ids::{OutboxId, UserId};
use crate::domain::ingest::Effects;
use crate::domain::job::{Job, Lane, NewJob, StoredJob, retry_delay_ms};
use crate::domain::message::Delivery;
use crate::matrix::{HomeserverError, Retry};
use crate::metrics::{SendKind, SendOutcome};
use crate::store::nodes::Presence;
use crate::store::{StoreError, Tx, conversations, dead_letters, messages, outbox};

/// How many lanes are worked on at once.
const LANES: usize = 32;

/// How often the outbox is looked at without being told to.
const POLL: Duration = Duration::from_secs(1);

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

impl Bridge {
    /// Works off the outbox until `stop`; then the requests in hand are finished.
    pub async fn send_outbox(&self, mut presence: Presence, stop: CancellationToken) -> Result<(), StoreError> {
        let workers = TaskTracker::new();
        let seats = Arc::new(Semaphore::new(LANES));
        let freed = Arc::new(Notify::new());
        loop {
            let wait = match self.claim_lanes(&mut presence, &seats, &freed, &workers, &stop).await {
                Ok(next_due) => next_due.unwrap_or(POLL).min(POLL),
                Err(error) => {
                    tracing::warn!(error = %error_chain(&error), "the outbox cannot be read, trying again");
                    POLL
                }
            };
            let next = Instant::now() + wait;
            tokio::select! {
                () = stop.cancelled() => break,
                () = freed.notified() => {}
                _ = timeout_at(next, self.inner.sender_wake.notified()) => {}
            }
        }
        workers.close();
        workers.wait().await;
        Ok(())
    }

    /// Starts a worker for each lane that is due, as far as there are seats. Returns when the next one is due.
    async fn claim_lanes(
        &self,
        presence: &mut Presence,
        seats: &Arc<Semaphore>,
        freed: &Arc<Notify>,
        workers: &TaskTracker,
        stop: &CancellationToken,
    ) -> Result<Option<Duration>, StoreError> {
        presence.check().await?;
        let mut connection = self.inner.store.read().await?;
        loop {
            let free = seats.available_permits();
            let limit = i64::try_from(free).unwrap_or(i64::MAX);
            if limit == 0 {
                return Ok(None);
            }
            let claimed = outbox::claim(&mut connection, presence.node(), limit, self.now()).await?;
            let some_left = claimed.len() >= free;
            for lane in claimed {
                let Ok(seat) = Arc::clone(seats).try_acquire_owned() else {
                    break;
                };
                let (bridge, freed, stop) = (self.clone(), Arc::clone(freed), stop.clone());
                workers.spawn(async move {
                    bridge.work(lane, &stop).await;
                    drop(seat);
                    freed.notify_one();
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
    async fn work(&self, claimed: outbox::Claimed, stop: &CancellationToken) {
        let mut abandoned = claimed.abandoned;
        loop {
            match self.work_once(claimed.lane, abandoned, stop).await {
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

    /// Does the head of a lane. Returns whether there may be more to do.
    async fn work_once(&self, lane: Uuid, abandoned: bool, stop: &CancellationToken) -> Result<bool, StoreError> {
        let mut connection = self.inner.store.read().await?;
        if stop.is_cancelled() {
            outbox::release(&mut connection, lane).await?;
            return Ok(false);
        }
        let (version, job) = outbox::head(&mut connection, lane).await?;
        let Some(mut job) = job else {
            return Ok(!outbox::sleep(&mut connection, lane, version).await?);
        };
        drop(connection);
        job.uncertain |= abandoned;
        let kind = send_kind(&job);
        match self.perform(&job).await {
            Ok(done) => {
                self.finish(&job, done).await?;
                self.inner.metrics.send(kind, SendOutcome::Sent);
                Ok(true)
            }
            Err(JobError::Store(error)) => Err(error),
            Err(error) => self.failed(lane, &job, error, kind).await,
        }
    }

    /// Records a done job, and what belongs to it, in one commit.
    async fn finish(&self, job: &StoredJob, done: Done) -> Result<(), StoreError> {
        let now = self.now();
        let mut effects = Effects::default();
        let mut tx = self.inner.store.begin().await?;
        if let Some(conversation) = job.conversation {
            conversations::lock(&mut tx, &[conversation]).await?;
        }
        match done {
            Done::Yes => {}
            Done::Already => {
                if let (Some(conversation), Some(user)) = (job.conversation, self.departing(job)) {
                    effects.departed.push((conversation, user));
                }
            }
            Done::Room(room) => effects = self.settle(&mut tx, job, room).await?,
            Done::Sent(event_id) => {
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
            Some(_) => effects.jobs.push(NewJob {
                id: self.id(self.now()).into(),
                lane: Lane::Conversation(conversation),
                actor: job.actor,
                message: None,
                job: Job::Leave {
                    room: Some(room.into()),
                    notice: None,
                },
            }),
        }
        Ok(effects)
    }

    async fn failed(&self, lane: Uuid, job: &StoredJob, error: JobError, kind: SendKind) -> Result<bool, StoreError> {
        let text = error_chain(&error);
        let (retry, uncertain) = match &error {
            JobError::Homeserver(error) => (error.retry(), error.outcome_unknown()),
            JobError::Store(_) => (Retry::Backoff, false),
            JobError::Hopeless(_) => (Retry::Never, false),
        };
        let wait = match retry {
            Retry::Never => {
                tracing::error!(outbox.id = %job.id, job = job.job.name(), error = text, "a request was refused for good");
                self.inner.metrics.send(kind, SendOutcome::DeadLetter);
                self.give_up(job, &text).await?;
                return Ok(true);
            }
            Retry::After(wait) => TimeDelta::from_std(wait).unwrap_or(TimeDelta::minutes(1)),
            Retry::Backoff => TimeDelta::milliseconds(retry_delay_ms(job.attempts + 1, self.inner.random.number())),
        };
        let retry_in_ms = wait.num_milliseconds();
        tracing::warn!(outbox.id = %job.id, job = job.job.name(), retry_in_ms, error = text, "a request failed");
        self.inner.metrics.send(kind, SendOutcome::Retried);
        self.defer(lane, job.id, job, &text, uncertain, wait).await?;
        Ok(false)
    }

    async fn defer(
        &self,
        lane: Uuid,
        id: OutboxId,
        job: &StoredJob,
        error: &str,
        uncertain: bool,
        wait: TimeDelta,
    ) -> Result<(), StoreError> {
        let now = self.now();
        let mut effects = Effects::default();
        let mut tx = self.inner.store.begin().await?;
        if let (Some(message), Some(conversation)) = (job.message, job.conversation)
            && job.attempts + 1 > QUIET_FAILURES
        {
            conversations::lock(&mut tx, &[conversation]).await?;
            if messages::set_delivery(&mut tx, message, Delivery::Retrying, None).await? {
                let detail = Some("the homeserver cannot be reached or is busy".to_owned());
                effects.feed.push(delivery(
                    conversation,
                    job.actor,
                    message,
                    Delivery::Retrying,
                    detail,
                    None,
                ));
            }
        }
        outbox::defer(&mut tx, lane, id, error, uncertain, now, now + wait).await?;
        self.commit(tx, &effects, now).await
    }

    /// Moves a refused job to the dead letters, and tells the author of its message.
    async fn give_up(&self, job: &StoredJob, error: &str) -> Result<(), StoreError> {
        let now = self.now();
        let mut effects = Effects {
            done_jobs: vec![job.id],
            ..Effects::default()
        };
        let mut tx = self.inner.store.begin().await?;
        if let (Some(message), Some(conversation)) = (job.message, job.conversation) {
            conversations::lock(&mut tx, &[conversation]).await?;
            if messages::set_delivery(&mut tx, message, Delivery::Failed, None).await? {
                let detail = Some(error.to_owned());
                effects.feed.push(delivery(
                    conversation,
                    job.actor,
                    message,
                    Delivery::Failed,
                    detail,
                    None,
                ));
            }
        }
        // The room will never say that they are gone, so what it says counts again.
        if let (Some(conversation), Some(user)) = (job.conversation, self.departing(job)) {
            effects.departed.push((conversation, user));
        }
        dead_letters::keep_job(&mut tx, job, error, now).await?;
        self.commit(tx, &effects, now).await
    }
}

impl Bridge {
    /// Whom the job was to take out of the room.
    fn departing(&self, job: &StoredJob) -> Option<UserId> {
        match &job.job {
            Job::Leave { room: None, .. } => Some(job.actor),
            Job::Kick { target } => Some(self.ghosts().person(target)),
            Job::Leave { .. }
            | Job::ProvisionGhost
            | Job::DeactivateGhost
            | Job::CreateRoom
            | Job::SendEvent { .. }
            | Job::Join { .. }
            | Job::SyncRoom { .. }
            | Job::Invite { .. }
            | Job::SetPower { .. }
            | Job::SetState { .. } => None,
        }
    }
}

fn send_kind(job: &StoredJob) -> SendKind {
    match &job.job {
        Job::SendEvent { .. } => SendKind::Message,
        Job::CreateRoom => SendKind::Room,
        Job::Join { .. } | Job::Invite { .. } | Job::Leave { .. } | Job::Kick { .. } => SendKind::Membership,
        Job::SetPower { .. } | Job::SetState { .. } | Job::SyncRoom { .. } => SendKind::State,
        Job::ProvisionGhost | Job::DeactivateGhost => SendKind::Profile,
    }
}
