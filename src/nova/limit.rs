//! How many messages a user may send, over REST and the WebSocket together.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};

use crate::domain::ids::UserId;

/// After so many messages, whoever has been quiet is forgotten.
const SWEEP_EVERY: u32 = 4096;

/// A clock that never runs backwards: the time since anything.
#[derive(Clone)]
struct Elapsed(Arc<dyn Fn() -> Duration + Send + Sync>);

impl Clock for Elapsed {
    type Instant = Duration;

    fn now(&self) -> Duration {
        (self.0)()
    }
}

/// Counts what each user sends. Cheap to clone.
#[derive(Clone)]
pub struct SendLimiter {
    inner: Arc<Inner>,
}

struct Inner {
    limiter: RateLimiter<UserId, DefaultKeyedStateStore<UserId>, Elapsed, NoOpMiddleware<Duration>>,
    clock: Elapsed,
    checks: AtomicU32,
}

impl fmt::Debug for SendLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendLimiter").finish_non_exhaustive()
    }
}

impl SendLimiter {
    /// Lets each user send `per_second` messages, and `burst` at once. Zero counts as one.
    #[must_use]
    pub fn new(per_second: u32, burst: u32) -> Self {
        let start = Instant::now();
        Self::with_clock(per_second, burst, Arc::new(move || start.elapsed()))
    }

    /// For the candidates of calls: a browser has a few dozen for each connection, and a group call has many of those.
    #[must_use]
    pub fn for_candidates() -> Self {
        Self::new(50, 500)
    }

    /// The same, with the time since anything from `elapsed`.
    #[must_use]
    pub fn with_clock(per_second: u32, burst: u32, elapsed: Arc<dyn Fn() -> Duration + Send + Sync>) -> Self {
        let at_least_one = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(at_least_one(per_second)).allow_burst(at_least_one(burst));
        let clock = Elapsed(elapsed);
        let inner = Inner {
            limiter: RateLimiter::new(quota, DefaultKeyedStateStore::default(), clock.clone()),
            clock,
            checks: AtomicU32::new(0),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Counts one message of `user`.
    ///
    /// # Errors
    /// When it is one too many: how long to wait.
    pub fn check(&self, user: UserId) -> Result<(), Duration> {
        let inner = &self.inner;
        let checks = inner.checks.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        if checks.is_multiple_of(SWEEP_EVERY) {
            inner.limiter.retain_recent();
            inner.limiter.shrink_to_fit();
        }
        inner
            .limiter
            .check_key(&user)
            .map_err(|until| until.wait_time_from(inner.clock.now()))
    }

    #[cfg(test)]
    fn users(&self) -> usize {
        self.inner.limiter.len()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use uuid::Uuid;

    use super::*;

    fn limiter(per_second: u32, burst: u32) -> (SendLimiter, Arc<AtomicU64>) {
        let millis = Arc::new(AtomicU64::new(0));
        let clock = Arc::clone(&millis);
        let elapsed = Arc::new(move || Duration::from_millis(clock.load(Ordering::Relaxed)));
        (SendLimiter::with_clock(per_second, burst, elapsed), millis)
    }

    #[test]
    fn a_burst_passes_and_then_the_rate_holds_for_each_user_alone() {
        let (limiter, millis) = limiter(10, 3);
        let (one, other) = (UserId(Uuid::from_u128(1)), UserId(Uuid::from_u128(2)));
        for _ in 0..3 {
            assert_eq!(limiter.check(one), Ok(()));
        }
        assert_eq!(limiter.check(one), Err(Duration::from_millis(100)));
        assert_eq!(limiter.check(other), Ok(()));
        millis.store(100, Ordering::Relaxed);
        assert_eq!(limiter.check(one), Ok(()));
        assert!(limiter.check(one).is_err());
    }

    #[test]
    fn whoever_is_quiet_is_forgotten() {
        let (limiter, millis) = limiter(10, 3);
        for n in 1..u128::from(SWEEP_EVERY) {
            assert_eq!(limiter.check(UserId(Uuid::from_u128(n))), Ok(()));
        }
        assert_eq!(limiter.users(), 4095);
        millis.store(60_000, Ordering::Relaxed);
        assert_eq!(limiter.check(UserId(Uuid::from_u128(1))), Ok(()));
        assert_eq!(limiter.users(), 1);
    }
}
