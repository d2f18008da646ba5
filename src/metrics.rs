//! Every metric of the bridge, as typed methods: who counts cannot misspell a name or invent a label.
//!
//! [`Metrics`] is a value (a handful of shared pointers): clone it into whatever counts. The registry is a value too and
//! only read by [`encode`]. Knows nothing of the parts that count.

mod labels;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use self::labels::{
    Build, CallBegun, CallEnded, Calls, Closed, Event, HomeserverEndpoint, HomeserverRequest, Pool, RestRequest, Send,
    Transaction,
};
pub use self::labels::{
    CallState, ClosedBecause, EventKind, EventOutcome, PoolState, SendKind, SendOutcome, TransactionOutcome,
};

/// From half a millisecond (a commit) to half a minute (the time limit of a request).
const SECONDS: [f64; 15] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];

/// How long people let a telephone ring.
const RING_SECONDS: [f64; 9] = [0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0];

type Seconds = Gauge<f64, AtomicU64>;
type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// What is counted.
#[derive(Debug, Clone)]
pub struct Metrics(Arc<Families>);

/// One line per family: the name in the registry (behind `nova_bridge_`) is the name of the field.
macro_rules! families {
    ($($name:ident: $kind:ty = $new:expr, $help:literal;)*) => {
        #[derive(Debug)]
        struct Families { $($name: $kind,)* }

        impl Families {
            fn register(registry: &mut Registry) -> Self {
                let families = Self { $($name: $new,)* };
                $(registry.register(stringify!($name), $help, families.$name.clone());)*
                families
            }
        }
    };
}

families! {
    transactions: Family<Transaction, Counter> = Family::default(), "Transactions that Synapse pushed";
    transaction_seconds: Histogram = histogram(), "Time from a pushed transaction to its answer";
    events: Family<Event, Counter> = Family::default(), "Events that Synapse pushed";
    catch_ups: Counter = Counter::default(), "Times that all rooms had been looked into for what was not pushed";
    cut_looks: Counter = Counter::default(), "Rooms in which more was missing than is read back";
    outbox_pending: Gauge = Gauge::default(), "Requests to Synapse that wait";
    outbox_oldest_seconds: Seconds = Seconds::default(), "Age of the oldest waiting request";
    sends: Family<Send, Counter> = Family::default(), "Requests of the outbox that were tried";
    homeserver_requests: Family<HomeserverRequest, Counter> = Family::default(), "Requests to the homeserver";
    homeserver_request_seconds: Histograms<HomeserverEndpoint> = Histograms::new_with_constructor(histogram),
        "Time of a request to the homeserver";
    dead_letters: Gauge = Gauge::default(), "What could not be applied or sent, and waits for an admin";
    websocket_sessions: Gauge = Gauge::default(), "Open WebSockets of Nova's clients";
    websocket_closed: Family<Closed, Counter> = Family::default(), "WebSockets that were closed";
    frames: Counter = Counter::default(), "Frames that were written to WebSockets";
    feed_lag_seconds: Histogram = histogram(), "Time from a feed entry to its frame";
    dialect_events_dropped: Counter = Counter::default(), "Frames of other call protocols that changed nothing";
    rest_requests: Family<RestRequest, Counter> = Family::default(), "Requests of Nova's clients";
    database_pool: Family<Pool, Gauge> = Family::default(), "Connections to Postgres";
    calls: Family<Calls, Gauge> = Family::default(), "Calls that have not ended";
    calls_begun: Family<CallBegun, Counter> = Family::default(), "Calls, by the protocol of their callers";
    calls_ended: Family<CallEnded, Counter> = Family::default(), "Calls that ended, by the reason";
    call_ring_seconds: Histogram = Histogram::new(RING_SECONDS), "Time from a call to the end of its ringing";
    call_setup_seconds: Histogram = histogram(), "Time from taking a call to its answer";
}

/// Metrics that count, and the registry that shows them.
#[must_use]
pub fn new() -> (Metrics, Registry) {
    let mut registry = Registry::with_prefix("nova_bridge");
    let metrics = Metrics::new(&mut registry);
    (metrics, registry)
}

/// All metrics as `OpenMetrics` text.
///
/// # Errors
/// The formatter fails, which a `String` gives it no reason to.
pub fn encode(registry: &Registry) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, registry)?;
    Ok(text)
}

fn histogram() -> Histogram {
    Histogram::new(SECONDS)
}

impl Metrics {
    fn new(registry: &mut Registry) -> Self {
        let build = Info::new(Build {
            version: env!("CARGO_PKG_VERSION"),
        });
        registry.register("build", "The version that runs", build);
        let families = Families::register(registry);
        // A rate over a counter that appears only with its first failure misses that failure.
        for &outcome in TransactionOutcome::ALL {
            start_at_zero(&families.transactions, &Transaction { outcome });
        }
        for &outcome in SendOutcome::ALL {
            start_at_zero(
                &families.sends,
                &Send {
                    kind: SendKind::Message,
                    outcome,
                },
            );
        }
        Self(Arc::new(families))
    }

    /// A transaction was answered after `took`.
    pub fn transaction(&self, outcome: TransactionOutcome, took: Duration) {
        self.0.transactions.get_or_create(&Transaction { outcome }).inc();
        self.0.transaction_seconds.observe(took.as_secs_f64());
    }

    /// `count` events had the same fate.
    pub fn events(&self, kind: EventKind, outcome: EventOutcome, count: u64) {
        self.0.events.get_or_create(&Event { kind, outcome }).inc_by(count);
    }

    /// All rooms have been looked into after an outage.
    pub fn caught_up(&self) {
        self.0.catch_ups.inc();
    }

    /// More was missing in a room than is read back.
    pub fn look_was_cut(&self) {
        self.0.cut_looks.inc();
    }

    /// The state of the outbox: how many requests wait, and for how long the oldest has.
    pub fn outbox(&self, pending: i64, oldest: Duration) {
        self.0.outbox_pending.set(pending);
        self.0.outbox_oldest_seconds.set(oldest.as_secs_f64());
    }

    /// A request of the outbox was tried.
    pub fn send(&self, kind: SendKind, outcome: SendOutcome) {
        self.0.sends.get_or_create(&Send { kind, outcome }).inc();
    }

    /// A request to the homeserver ended after `took`. Both names come from the closed enums of `matrix`.
    pub fn homeserver_request(&self, endpoint: &'static str, outcome: &'static str, took: Duration) {
        self.0
            .homeserver_requests
            .get_or_create(&HomeserverRequest { endpoint, outcome })
            .inc();
        self.0
            .homeserver_request_seconds
            .get_or_create(&HomeserverEndpoint { endpoint })
            .observe(took.as_secs_f64());
    }

    /// How many dead letters there are.
    pub fn dead_letters(&self, count: i64) {
        self.0.dead_letters.set(count);
    }

    /// A WebSocket was opened.
    pub fn websocket_opened(&self) {
        self.0.websocket_sessions.inc();
    }

    /// A WebSocket that was counted by [`Metrics::websocket_opened`] was closed.
    pub fn websocket_closed(&self, reason: ClosedBecause) {
        self.0.websocket_sessions.dec();
        self.0.websocket_closed.get_or_create(&Closed { reason }).inc();
    }

    /// A frame of another call protocol than Nova's was dropped.
    pub fn dialect_event_dropped(&self) {
        self.0.dialect_events_dropped.inc();
    }

    /// `count` frames were written.
    pub fn frames(&self, count: u64) {
        self.0.frames.inc_by(count);
    }

    /// A feed entry reached a socket `lag` after it was made.
    pub fn feed_lag(&self, lag: Duration) {
        self.0.feed_lag_seconds.observe(lag.as_secs_f64());
    }

    /// A REST request was answered. `route` is axum's `MatchedPath`, never the path itself.
    pub fn rest_request(&self, route: &str, status: u16) {
        self.0
            .rest_requests
            .get_or_create(&RestRequest {
                route: route.to_owned(),
                status,
            })
            .inc();
    }

    /// How many calls have not ended.
    pub fn calls(&self, ringing: i64, connected: i64) {
        for (state, count) in [(CallState::Ringing, ringing), (CallState::Connected, connected)] {
            self.0.calls.get_or_create(&Calls { state }).set(count);
        }
    }

    /// A call was made through this protocol, a name of the domain's closed enum.
    pub fn call_begun(&self, dialect: &'static str) {
        self.0.calls_begun.get_or_create(&CallBegun { dialect }).inc();
    }

    /// A call rang for so long.
    pub fn call_rang(&self, time: Duration) {
        self.0.call_ring_seconds.observe(time.as_secs_f64());
    }

    /// A call that was taken was up after so long.
    pub fn call_set_up(&self, time: Duration) {
        self.0.call_setup_seconds.observe(time.as_secs_f64());
    }

    /// A call ended, for a reason of the domain's closed enum.
    pub fn call_ended(&self, reason: &'static str) {
        self.0.calls_ended.get_or_create(&CallEnded { reason }).inc();
    }

    /// The state of the pool.
    pub fn database_pool(&self, busy: i64, idle: i64) {
        self.0
            .database_pool
            .get_or_create(&Pool { state: PoolState::Busy })
            .set(busy);
        self.0
            .database_pool
            .get_or_create(&Pool { state: PoolState::Idle })
            .set(idle);
    }
}

fn start_at_zero<L>(family: &Family<L, Counter>, labels: &L)
where
    L: Clone + std::hash::Hash + Eq + EncodeLabelSet,
{
    drop(family.get_or_create(labels));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_is_shown_under_its_name() {
        let (metrics, registry) = new();
        let took = Duration::from_millis(2);
        metrics.transaction(TransactionOutcome::Applied, took);
        metrics.events(EventKind::Message, EventOutcome::Applied, 3);
        metrics.outbox(2, Duration::from_millis(1500));
        metrics.send(SendKind::Message, SendOutcome::Sent);
        metrics.homeserver_request("send_event", "ok", took);
        metrics.homeserver_request("send_event", "no_answer", took);
        metrics.dead_letters(1);
        metrics.websocket_opened();
        metrics.websocket_opened();
        metrics.websocket_closed(ClosedBecause::Slow);
        metrics.frames(5);
        metrics.dialect_event_dropped();
        metrics.feed_lag(took);
        metrics.rest_request("/conversations/{id}", 200);
        metrics.database_pool(1, 9);
        metrics.calls(2, 1);
        metrics.call_begun("matrix");
        metrics.call_rang(Duration::from_secs(4));
        metrics.call_set_up(took);
        metrics.call_ended("user_hangup");
        let text = encode(&registry).unwrap();
        let without_buckets: Vec<_> = text
            .lines()
            .filter(|line| !line.contains("_bucket{") && *line != "# EOF")
            .collect();
        let shown = sorted_series(&without_buckets).replace(env!("CARGO_PKG_VERSION"), "…");
        insta::assert_snapshot!(shown);
    }

    /// Families keep their order, but the series inside one come from a hash map.
    fn sorted_series(lines: &[&str]) -> String {
        let mut blocks: Vec<Vec<&str>> = Vec::new();
        for line in lines {
            if line.starts_with("# HELP") || blocks.is_empty() {
                blocks.push(Vec::new());
            }
            blocks.last_mut().unwrap().push(line);
        }
        for block in &mut blocks {
            block.sort_unstable();
        }
        blocks.concat().join("\n")
    }
}
