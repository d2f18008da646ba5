//! When Synapse pushed last, so that work that can wait gives way to it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// When a transaction was last there.
#[derive(Debug, Default)]
pub(super) struct Pushed(Mutex<Option<Instant>>);

impl Pushed {
    /// Notes that one is there.
    pub(super) fn note(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Waits until none was there for so long, or until a time.
    pub(super) async fn quiet(&self, long: Duration, until: Instant) {
        while let Some(next) = self.noise(long, until, Instant::now()) {
            sleep_until(next).await;
        }
    }

    /// When to look again, if it is not quiet yet.
    fn noise(&self, long: Duration, until: Instant, now: Instant) -> Option<Instant> {
        let last = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let quiet = (last? + long).min(until);
        (quiet > now).then_some(quiet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_quiet_after_a_while_or_when_patience_ends() {
        let long = Duration::from_millis(100);
        let pushed = Pushed::default();
        let start = Instant::now();
        let patience = start + Duration::from_secs(5);
        assert_eq!(pushed.noise(long, patience, start), None, "nothing was pushed yet");
        pushed.note();
        let last = pushed.0.lock().unwrap().unwrap();
        assert_eq!(pushed.noise(long, patience, last), Some(last + long));
        assert_eq!(pushed.noise(long, patience, last + long), None);
        assert_eq!(pushed.noise(long, last + long / 2, last), Some(last + long / 2));
        assert_eq!(pushed.noise(long, last, last), None, "patience has ended");
    }
}
