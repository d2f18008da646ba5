//! Waiting for conditions: nothing here waits for a length of time, but everything ends after one.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

/// How long anything may take before it counts as not happening. A homeserver that was away is tried again after up to
/// a minute, so this is longer.
pub(crate) const DEADLINE: Duration = Duration::from_secs(90);

/// How often a condition is looked at that nobody announces.
const POLL: Duration = Duration::from_millis(50);

/// Looks until there is something to see.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(Instant::now() < deadline, "within {DEADLINE:?}: {what}");
        sleep(POLL).await;
    }
}

/// Looks at each new value until there is something to see.
pub(crate) async fn watched<S, T>(
    receiver: &watch::Receiver<S>,
    what: &str,
    mut look: impl FnMut(&S) -> Option<T>,
) -> T {
    let mut receiver = receiver.clone();
    let mut found = None;
    let wait = receiver.wait_for(|value| {
        found = look(value);
        found.is_some()
    });
    let ended = timeout(DEADLINE, wait).await.is_ok_and(|changed| changed.is_ok());
    assert!(ended, "within {DEADLINE:?}: {what}");
    found.unwrap()
}
