//! Staying in touch with Synapse: it is pinged when we are ready, and whenever we can take transactions again. A ping
//! that succeeds makes it deliver its backlog at once instead of minutes later (`bridges.md` §2.5).

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use url::Url;

use crate::bridge::Bridge;
use crate::lifecycle::Lifecycle;
use crate::matrix::Observer;
use crate::metrics::Metrics;
use crate::nova::auth::FetchKeys;

/// How long between two looks at whether the database is back.
const LOOK: Duration = Duration::from_millis(500);

/// How long transactions are turned away for the sake of their order. Whoever pushes for longer while it seems to be away is
/// not away, whatever it answers to our question.
const PATIENCE: Duration = Duration::from_mins(1);

/// How long between two pings that fail, at first and at most.
const AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// How long after each ping the line is tried: Synapse may leave a transaction behind when it comes to the end of its
/// backlog, and nobody knows when that is.
const TRIES: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_mins(5),
];

/// How long trying it may take. It may also fail: there is a next time.
const TRYING: Duration = Duration::from_secs(2);

/// Pings now, and after every time when transactions were turned away.
pub(super) fn keep_in_touch(
    lifecycle: &Lifecycle,
    bridge: &Bridge,
    appservice_id: String,
    turned_away: Arc<AtomicBool>,
    away: Arc<AtomicBool>,
) {
    let (bridge, stop) = (bridge.clone(), lifecycle.soft());
    lifecycle.spawn("the line to Synapse", async move {
        let line = async {
            bridge.register_bot().await;
            ping(&bridge, &appservice_id).await;
            let mut tries = tries();
            loop {
                sleep(LOOK).await;
                if tries.front().is_some_and(|at| *at <= Instant::now()) {
                    tries.pop_front();
                    try_line(&bridge).await;
                }
                if bridge.something_is_away().await || bridge.database_restarted() {
                    outlast(&bridge, &away).await;
                }
                if turned_away.load(Ordering::Acquire) && bridge.database_answers().await {
                    turned_away.store(false, Ordering::Release);
                    ping(&bridge, &appservice_id).await;
                    tries = self::tries();
                }
            }
        };
        tokio::select! {
            () = line => {}
            () = stop.cancelled() => {}
        }
        Ok(())
    });
}

/// Waits until Synapse is back, and writes down that it may have forgotten to push something. What it pushes in the meantime
/// is turned away, because that is younger.
async fn outlast(bridge: &Bridge, away: &AtomicBool) {
    let since = bridge.now();
    away.store(true, Ordering::Release);
    tracing::warn!("the homeserver or the database is away, or was");
    // At once, should we not live to see the end of it; and once more then.
    if let Err(error) = bridge.doubt(since).await {
        tracing::debug!(%error, "the outage cannot be written down yet");
    }
    let begun = Instant::now();
    loop {
        sleep(LOOK).await;
        if begun.elapsed() > PATIENCE {
            away.store(false, Ordering::Release);
        }
        if bridge.something_is_away().await {
            continue;
        }
        let back = async {
            bridge.doubt(since).await?;
            bridge.hurry_outbox().await
        };
        match back.await {
            Ok(()) => break,
            Err(error) => tracing::warn!(%error, "the outage cannot be written down yet"),
        }
    }
    away.store(false, Ordering::Release);
}

/// When the line is tried after a ping that was answered now.
fn tries() -> VecDeque<Instant> {
    let now = Instant::now();
    TRIES.iter().map(|after| now + *after).collect()
}

async fn try_line(bridge: &Bridge) {
    match timeout(TRYING, bridge.try_line()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "the line cannot be tried"),
        Err(_) => tracing::debug!("trying the line takes too long"),
    }
}

/// Pings until Synapse has reached us.
async fn ping(bridge: &Bridge, appservice_id: &str) {
    let mut wait = AGAIN.0;
    loop {
        match bridge.ping_homeserver(appservice_id).await {
            Ok(took) => {
                tracing::info!(took_ms = took.as_millis(), "Synapse reaches the bridge");
                return;
            }
            Err(error) => {
                let errcode = error.errcode().unwrap_or_default();
                tracing::warn!(%error, errcode, "Synapse and the bridge do not reach each other; try `nova-bridge doctor`");
            }
        }
        sleep(wait).await;
        wait = (wait * 2).min(AGAIN.1);
    }
}

/// Counts requests to the homeserver.
pub(super) fn observer(metrics: Metrics) -> Observer {
    Arc::new(move |endpoint, outcome, took| metrics.homeserver_request(endpoint.as_str(), outcome.as_str(), took))
}

/// Fetches the keys of Nova's tokens.
pub(super) fn key_set(bridge: Bridge, url: Url) -> FetchKeys {
    Arc::new(move || {
        let (bridge, url) = (bridge.clone(), url.clone());
        Box::pin(async move {
            bridge
                .fetch_json(&url)
                .await?
                .ok_or_else(|| "there is no key set".into())
        })
    })
}
