//! Where the time comes from: a trait, so that tests decide what time it is.

use chrono::{DateTime, SubsecRound, Utc};

/// A moment in UTC. Stored in Postgres with microseconds, shown to Nova's clients in whole seconds.
pub type Timestamp = DateTime<Utc>;

/// A source of the current time.
pub trait Clock: Send + Sync + 'static {
    /// The current time, at the microsecond precision that Postgres keeps.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    fn now(&self) -> Timestamp {
        Utc::now().trunc_subsecs(6)
    }
}
