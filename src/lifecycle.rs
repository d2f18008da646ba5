//! The life of the process: tasks that are waited for, signals, soft and hard stop, systemd.
//!
//! A *soft* stop asks: everyone finishes what is in hand. A *hard* stop tells: it follows a second signal, or the soft one
//! after a time limit. A lasting task that ends on its own stops the process, which then exits with a failure, because a
//! restart by systemd is better than a bridge of which one half works.

use std::error::Error;
use std::future::{Future, pending};
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use sd_notify::NotifyState;
use tokio::runtime::Handle;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long a soft stop may take.
pub const DRAIN: Duration = Duration::from_secs(10);

/// How long a task that was told to stop at once may take to drop what it holds.
const AFTER_HARD_STOP: Duration = Duration::from_secs(1);

/// Why a task failed.
pub type TaskError = Box<dyn Error + Send + Sync>;

/// How the process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// On demand, with everything finished.
    Clean,
    /// On demand, but not everything was finished in time.
    Forced,
    /// A lasting task failed or ended.
    TaskFailed,
}

/// The tasks of the process and the two ways to stop them. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Lifecycle {
    soft: CancellationToken,
    hard: CancellationToken,
    tracker: TaskTracker,
    failed: Arc<AtomicBool>,
    drain: Duration,
}

impl Default for Lifecycle {
    fn default() -> Self {
        Self::new(DRAIN)
    }
}

impl Lifecycle {
    /// A process without tasks, whose soft stop may take `drain`.
    #[must_use]
    pub fn new(drain: Duration) -> Self {
        let hard = CancellationToken::new();
        // A child, so that who waits for the soft stop also wakes at a hard one.
        Self {
            soft: hard.child_token(),
            hard,
            tracker: TaskTracker::new(),
            failed: Arc::default(),
            drain,
        }
    }

    /// Cancelled when everyone should finish what is in hand.
    #[must_use]
    pub fn soft(&self) -> CancellationToken {
        self.soft.clone()
    }

    /// Cancelled when everyone should drop what is in hand.
    #[must_use]
    pub fn hard(&self) -> CancellationToken {
        self.hard.clone()
    }

    /// Asks everyone to finish.
    pub fn stop(&self) {
        self.soft.cancel();
    }

    /// Starts a task that lasts as long as the process: when it ends before the soft stop, fails or panics, the process
    /// stops. At a hard stop it is dropped.
    pub fn spawn<F>(&self, name: &'static str, task: F)
    where
        F: Future<Output = Result<(), TaskError>> + Send + 'static,
    {
        self.tracker.spawn(self.lasting(name, task));
    }

    /// As [`Self::spawn`], in another runtime.
    pub fn spawn_on<F>(&self, runtime: &Handle, name: &'static str, task: F)
    where
        F: Future<Output = Result<(), TaskError>> + Send + 'static,
    {
        self.tracker.spawn_on(self.lasting(name, task), runtime);
    }

    fn lasting<F>(&self, name: &'static str, task: F) -> impl Future<Output = ()> + Send + 'static + use<F>
    where
        F: Future<Output = Result<(), TaskError>> + Send + 'static,
    {
        let life = self.clone();
        async move {
            let task = AssertUnwindSafe(task).catch_unwind();
            let result = tokio::select! {
                result = task => result,
                () = life.hard.cancelled() => return,
            };
            match result {
                Ok(Ok(())) if life.soft.is_cancelled() => return,
                Ok(Ok(())) => {
                    tracing::error!(task = name, "{name} ended although nobody asked it to");
                }
                Ok(Err(error)) => tracing::error!(task = name, error, "{name} failed"),
                // The panic hook has written where and why.
                Err(_) => tracing::error!(task = name, "{name} panicked"),
            }
            life.failed.store(true, Ordering::Release);
            life.soft.cancel();
        }
    }

    /// Starts a task that may end at any time, such as one connection. A panic stays its own. At a hard stop it is dropped.
    pub fn spawn_short<F>(&self, name: &'static str, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let hard = self.hard.clone();
        self.tracker.spawn(async move {
            let task = AssertUnwindSafe(task).catch_unwind();
            tokio::select! {
                result = task => if result.is_err() {
                    tracing::error!(task = name, "{name} panicked");
                },
                () = hard.cancelled() => {}
            }
        });
    }

    /// Waits until the process has to stop, then until it has. `next_signal` gives one signal after the other, as
    /// [`Signals::next`] does.
    ///
    /// Tells systemd READY at once: call it when every listener is bound.
    pub async fn run(&self, mut next_signal: impl AsyncFnMut()) -> Stopped {
        notify(NotifyState::Ready);
        let life = async {
            tokio::select! {
                () = next_signal() => tracing::info!("a signal asks to stop: finishing what is in hand"),
                () = self.soft.cancelled() => {}
            }
            self.finish(&mut next_signal).await
        };
        tokio::select! {
            stopped = life => stopped,
            stopped = watchdog(sd_notify::watchdog_enabled()) => stopped,
        }
    }

    async fn finish(&self, next_signal: &mut impl AsyncFnMut()) -> Stopped {
        notify(NotifyState::Stopping);
        self.soft.cancel();
        self.tracker.close();
        let begun = Instant::now();
        let finished = tokio::select! {
            () = self.tracker.wait() => true,
            () = sleep(self.drain) => {
                tracing::warn!("{} tasks have not finished in time: stopping them", self.tracker.len());
                false
            }
            () = next_signal() => {
                tracing::warn!("a second signal: stopping {} tasks at once", self.tracker.len());
                false
            }
        };
        self.hard.cancel();
        let dropped = timeout(AFTER_HARD_STOP, self.tracker.wait()).await.is_ok();
        tracing::info!(stop.seconds = begun.elapsed().as_secs_f64(), "stopped");
        match (self.failed.load(Ordering::Acquire), finished && dropped) {
            (true, _) => Stopped::TaskFailed,
            (false, true) => Stopped::Clean,
            (false, false) => Stopped::Forced,
        }
    }
}

/// The signals that ask the process to stop.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Takes SIGTERM and SIGINT over from the system.
    ///
    /// # Errors
    /// The system refuses.
    pub fn install() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next one.
    pub async fn next(&mut self) {
        tokio::select! {
            Some(()) = self.terminate.recv() => {}
            Some(()) = self.interrupt.recv() => {}
            else => pending().await,
        }
    }
}

/// Tells systemd, where there is one, that the process is alive. Never returns.
async fn watchdog(interval: Option<Duration>) -> Stopped {
    let Some(interval) = interval else {
        return pending().await;
    };
    loop {
        notify(NotifyState::Watchdog);
        sleep(interval / 3).await;
    }
}

fn notify(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "systemd could not be told the state of the process");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    const LONG: Duration = Duration::from_hours(1);

    /// The first `count` calls are signals; the one after them never comes.
    async fn run(life: &Lifecycle, count: usize) -> Stopped {
        let given = AtomicUsize::new(0);
        life.run(async || {
            if given.fetch_add(1, Ordering::Relaxed) >= count {
                pending::<()>().await;
            }
        })
        .await
    }

    fn finishes_its_work(life: &Lifecycle) {
        let soft = life.soft();
        life.spawn("worker", async move {
            soft.cancelled().await;
            Ok(())
        });
    }

    #[tokio::test]
    async fn a_signal_lets_everyone_finish() {
        let life = Lifecycle::new(LONG);
        finishes_its_work(&life);
        assert_eq!(run(&life, 1).await, Stopped::Clean);
    }

    #[tokio::test]
    async fn a_second_signal_does_not_wait() {
        let life = Lifecycle::new(LONG);
        life.spawn("stuck", pending());
        life.spawn_short("stuck connection", pending());
        assert_eq!(run(&life, 2).await, Stopped::Forced);
        assert!(life.hard().is_cancelled());
    }

    #[tokio::test]
    async fn the_time_limit_does_not_wait_either() {
        let life = Lifecycle::new(Duration::ZERO);
        life.spawn("stuck", pending());
        assert_eq!(run(&life, 1).await, Stopped::Forced);
    }

    #[tokio::test]
    async fn a_task_that_ends_on_its_own_stops_the_rest() {
        let life = Lifecycle::new(LONG);
        finishes_its_work(&life);
        life.spawn("short-lived", async { Ok(()) });
        assert_eq!(run(&life, 0).await, Stopped::TaskFailed);
    }

    #[tokio::test]
    async fn a_task_that_fails_or_panics_stops_the_rest() {
        let life = Lifecycle::new(LONG);
        life.spawn("failing", async { Err("no database".into()) });
        assert_eq!(run(&life, 0).await, Stopped::TaskFailed);
        let life = Lifecycle::new(LONG);
        life.spawn("panicking", async { unreachable!("as the test wants") });
        assert_eq!(run(&life, 0).await, Stopped::TaskFailed);
    }

    #[tokio::test]
    async fn a_failure_while_stopping_is_still_a_failure() {
        let life = Lifecycle::new(LONG);
        let soft = life.soft();
        life.spawn("failing", async move {
            soft.cancelled().await;
            Err("lost the last batch".into())
        });
        assert_eq!(run(&life, 1).await, Stopped::TaskFailed);
    }

    #[tokio::test]
    async fn one_connection_may_end_or_panic() {
        let life = Lifecycle::new(LONG);
        life.spawn_short("connection", async {});
        life.spawn_short("connection", async { unreachable!("as the test wants") });
        tokio::task::yield_now().await;
        life.stop();
        assert_eq!(run(&life, 0).await, Stopped::Clean);
    }
}
