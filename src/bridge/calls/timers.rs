//! The one task that looks at calls when it is time to: deadlines, and people who come and go.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::iter;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::bridge::ingest::error_chain;
use crate::bridge::{Bridge, CommandError};
use crate::domain::call::Input;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{CallId, UserId};
use crate::store::{StoreError, calls};

/// How often the calls are looked at without being told to: another node may have changed them.
const POLL: Duration = Duration::from_secs(1);

/// How often early events are dropped.
const PRUNE: Duration = Duration::from_mins(1);

/// How many calls are looked up at once, and how many are worked on at once.
const BATCH: i64 = 200;
const AT_ONCE: usize = 4;

/// How often more of them are looked up before something else has its turn, and for how long.
const ROUNDS: u8 = 8;
const BREATH: Duration = Duration::from_millis(20);

/// When somebody has to look at the calls next.
#[derive(Debug)]
pub(in crate::bridge) struct Hint {
    wake: Notify,
    /// When the task looks by itself, in milliseconds. It is told of anything earlier.
    next: AtomicI64,
}

impl Default for Hint {
    fn default() -> Self {
        Self {
            wake: Notify::new(),
            next: AtomicI64::new(i64::MAX),
        }
    }
}

impl Hint {
    /// A call was committed that has to be looked at then.
    pub(in crate::bridge) fn look_at(&self, deadline: Timestamp) {
        if deadline.timestamp_millis() < self.next.load(Ordering::SeqCst) {
            self.wake.notify_one();
        }
    }

    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }
}

impl Bridge {
    /// Applies the deadlines of calls, and who comes and goes, until `stop`.
    pub async fn run_calls(&self, stop: CancellationToken) {
        let mut swept = false;
        let mut polled: Option<Instant> = None;
        let mut pruned: Option<Instant> = None;
        loop {
            let wait = async {
                if !swept {
                    self.everybody_is_gone().await?;
                    swept = true;
                }
                let now = Instant::now();
                if polled.is_none_or(|at| now >= at + POLL) {
                    polled = Some(now);
                    self.who_is_back().await?;
                }
                if pruned.is_none_or(|at| now >= at + PRUNE) {
                    pruned = Some(now);
                    let mut connection = self.inner.store.read().await?;
                    calls::prune_early(&mut connection, self.now()).await?;
                }
                self.who_came_and_went().await?;
                self.deadlines().await
            };
            let wait = wait.await.unwrap_or_else(|error: CommandError| {
                tracing::warn!(error = %error_chain(&error), "the calls cannot be looked at, trying again");
                POLL
            });
            let next = Instant::now() + wait;
            tokio::select! {
                () = stop.cancelled() => return,
                _ = timeout_at(next, self.inner.calls_hint.wake.notified()) => {}
            }
        }
    }

    /// After a start nobody in a call has a socket, until they connect. On another node they may: it says so at once.
    async fn everybody_is_gone(&self) -> Result<(), CommandError> {
        let mut connection = self.inner.store.read().await?;
        let people = calls::people(&mut connection).await?;
        drop(connection);
        self.each(people, |user| {
            (!self.inner.attendances.has(user)).then_some(Input::Gone { who: user })
        })
        .await
    }

    /// Who counts as gone and has a socket here: another node did not know.
    async fn who_is_back(&self) -> Result<(), CommandError> {
        let mut connection = self.inner.store.read().await?;
        let gone = calls::gone(&mut connection).await?;
        drop(connection);
        self.each(gone, |user| {
            self.inner.attendances.has(user).then_some(Input::Back { who: user })
        })
        .await
    }

    async fn who_came_and_went(&self) -> Result<(), CommandError> {
        let changed = self.inner.attendances.take_changed();
        if changed.is_empty() {
            return Ok(());
        }
        let told = async {
            let mut connection = self.inner.store.read().await?;
            let calls = calls::of_people(&mut connection, &changed).await?;
            drop(connection);
            self.each(calls, |user| {
                Some(if self.inner.attendances.has(user) {
                    Input::Back { who: user }
                } else {
                    Input::Gone { who: user }
                })
            })
            .await
        };
        let told: Result<(), CommandError> = told.await;
        if told.is_err() {
            self.inner.attendances.forget_nothing(changed);
        }
        told
    }

    /// Applies an input to each of these calls, one after the other.
    async fn each(
        &self,
        calls: Vec<(CallId, UserId)>,
        input: impl Fn(UserId) -> Option<Input>,
    ) -> Result<(), CommandError> {
        for (call, user) in calls {
            if let Some(input) = input(user) {
                self.told(call, input).await?;
            }
        }
        Ok(())
    }

    /// Applies an input to a call. A call that cannot take it must not hold up the others: then the answer is false.
    async fn told(&self, id: CallId, input: Input) -> Result<bool, CommandError> {
        match self.call_event(id, input).await {
            Err(CommandError::Store(error)) if !error.refuses_data() => Err(error.into()),
            Err(error) => {
                tracing::error!(call.id = %id, error = %error_chain(&error), "a call cannot be looked at");
                Ok(false)
            }
            Ok(()) => Ok(true),
        }
    }

    /// Applies the deadlines that have come. Returns how long to wait for the next.
    async fn deadlines(&self) -> Result<Duration, CommandError> {
        // Not for ever in one go: others have to be looked after too.
        for _ in 0..ROUNDS {
            // Whoever commits from here on tells us, whatever the time.
            self.inner.calls_hint.next.store(i64::MAX, Ordering::SeqCst);
            let mut connection = self.inner.store.read().await?;
            let calls = calls::next_due(&mut connection, BATCH).await?;
            drop(connection);
            let now = self.now();
            let due: Vec<CallId> = calls.iter().filter(|(_, at)| *at <= now).map(|(id, _)| *id).collect();
            if due.is_empty() {
                let next = calls.first().map(|(_, at)| *at);
                let wait = next.and_then(|at| (at - now).to_std().ok()).unwrap_or(POLL).min(POLL);
                let until = now.timestamp_millis() + i64::try_from(wait.as_millis()).unwrap_or_default();
                self.inner.calls_hint.next.store(until, Ordering::SeqCst);
                return Ok(wait);
            }
            let applied = iter(due).map(|id| self.told(id, Input::Deadline));
            let mut applied = applied.buffer_unordered(AT_ONCE);
            let mut all_done = true;
            while let Some(done) = applied.next().await {
                all_done &= done?;
            }
            if !all_done {
                return Ok(POLL);
            }
        }
        Ok(BREATH)
    }

    /// Drops what is older than `before` from the audit of calls.
    pub(in crate::bridge) async fn prune_calls(&self, before: Timestamp) -> Result<u64, StoreError> {
        let mut connection = self.inner.store.read().await?;
        calls::prune_log(&mut connection, before).await
    }
}
