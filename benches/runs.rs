//! The parts of the benchmark.

use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::sleep;
use tokio_util::task::TaskTracker;

use crate::bridge_process::BridgeProcess;
use crate::calls::{ANSWER, CALL_RATE, RING};
use crate::floor::Floor;
use crate::homeserver::Homeserver;
use crate::index::Index;
use crate::line::Line;
use crate::peer::Peer;
use crate::results::Results;
use crate::sockets::{Audience, Speaker};
use crate::town::{self, Flaws, Push, Talk, USERS, transaction};

/// Events per transaction.
const BATCHES: [usize; 3] = [1, 10, 100];

/// The room with everybody in it.
const SQUARE: &str = "!square:bench.example";

/// How much is measured.
#[derive(Debug, Clone)]
pub(crate) struct Sizes {
    pub(crate) rounds: usize,
    floor: usize,
    /// Transactions in a round, for each of [`BATCHES`].
    transactions: [usize; 3],
    pub(crate) rooms: [usize; 2],
    backlog: usize,
    crowd: usize,
    idle: usize,
    said: usize,
    /// Calls of each user, one after the other.
    pub(crate) calls: usize,
    /// Transactions of mixed traffic in a round.
    pub(crate) mixed: usize,
}

impl Sizes {
    pub(crate) fn full(rooms: usize) -> Self {
        let rooms = [200, rooms];
        Self {
            rounds: 5,
            floor: 500,
            transactions: [500, 200, 500],
            rooms,
            backlog: 5000,
            crowd: 1000,
            idle: 5000,
            said: 60,
            calls: 10,
            mixed: 100,
        }
    }

    pub(crate) fn quick(rooms: usize) -> Self {
        let rooms = [200, rooms.min(2000)];
        Self {
            rounds: 3,
            floor: 200,
            transactions: [200, 50, 200],
            rooms,
            backlog: 1000,
            crowd: 300,
            idle: 1000,
            said: 20,
            calls: 3,
            mixed: 50,
        }
    }
}

/// Everything that runs, and what was measured so far.
pub(crate) struct Bench {
    pub(crate) sizes: Sizes,
    pub(crate) homeserver: Homeserver,
    floor: Floor,
    pub(crate) bridge: BridgeProcess,
    index: Index,
    peer: Option<Peer>,
    pub(crate) results: Results,
    /// How many rooms and accounts there are.
    rooms: usize,
    accounts: usize,
    pub(crate) transactions: usize,
}

impl Bench {
    pub(crate) async fn start(sizes: Sizes, files: &Path, floor: &str, bridge: &str, peer: Option<&str>) -> Self {
        let tasks = TaskTracker::new();
        let homeserver = Homeserver::start(&tasks).await;
        let index = Index::of(bridge).await;
        let bridge = BridgeProcess::start(&files.join("bridge"), bridge, &homeserver);
        let peer = peer.map(|database| Peer::start(&files.join("peer"), database));
        let floor = Floor::start(&tasks, floor).await;
        let results = Results::default();
        Self {
            sizes,
            homeserver,
            floor,
            bridge,
            index,
            peer,
            results,
            rooms: 0,
            accounts: 0,
            transactions: 0,
        }
    }

    /// Rounds of everything that is compared: the floor, the bridge and the peer in turn.
    pub(crate) async fn throughput(&mut self) {
        for rooms in self.sizes.rooms {
            tell(&format!("throughput over {rooms} rooms"));
            self.people(rooms).await;
            let bridge = self.listeners().await;
            let peer = self.peer_listeners().await;
            let mut talk = Talk::new(rooms);
            for round in 0..=self.sizes.rounds {
                // The first round only warms up.
                let counts = round > 0;
                if counts {
                    self.measure_floor(rooms).await;
                }
                let asked = self.homeserver.requests();
                for (events, transactions) in BATCHES.into_iter().zip(self.sizes.transactions) {
                    let runs = [(events, Flaws::default(), ""), (events, FLAWS, " with flaws")];
                    for (events, flaws, how) in runs.into_iter().take(if events == 100 { 2 } else { 1 }) {
                        let push = talk.push(transactions, events, flaws);
                        let name = format!("{rooms} rooms, {events} a transaction{how}, bridge");
                        let (used, said) = (self.bridge.process.processor(), push.events);
                        let run = drive(self.bridge.appservice, &bridge, push).await;
                        let behind = self.index.caught_up().await;
                        let used = self.bridge.process.processor() - used;
                        if counts {
                            run.tell(&mut self.results, &name);
                            let cost = used / said as f64 * 10_000.0;
                            self.results.add(format!("{name}, processor s per 10k events"), cost);
                            self.results
                                .add(format!("{name}, all searchable after, s"), behind.as_secs_f64());
                        }
                        let Some((peer, audience)) = self.peer.as_ref().zip(peer.as_ref()) else {
                            continue;
                        };
                        let push = talk.push(transactions, events, flaws);
                        let name = format!("{rooms} rooms, {events} a transaction{how}, node");
                        let run = drive(peer.address, audience, push).await;
                        if counts {
                            run.tell(&mut self.results, &name);
                        }
                    }
                }
                assert_eq!(
                    self.homeserver.requests(),
                    asked,
                    "no message from Matrix costs a request to Matrix"
                );
            }
            self.results.add(
                format!("{rooms} rooms, resident MB"),
                self.bridge.process.resident() / 1e6,
            );
            bridge.leave().await;
            if let Some(peer) = peer {
                peer.leave().await;
            }
        }
    }

    pub(crate) async fn measure_floor(&mut self, rooms: usize) {
        let count = self.sizes.floor;
        let from = i64::try_from(self.transactions).unwrap();
        let rows = i64::try_from(count).unwrap();
        self.transactions += 2 * count;
        let times = self.floor.commits(from, rows).await;
        self.results
            .add_times(&format!("{rooms} rooms, floor, commit of one row"), times);
        let times = tokio::task::block_in_place(|| self.floor.requests(count));
        self.results
            .add_times(&format!("{rooms} rooms, floor, empty request"), times);
        let times = tokio::task::block_in_place(|| self.floor.safe_requests(from + rows, rows));
        self.results
            .add_times(&format!("{rooms} rooms, floor, request that commits one row"), times);
    }

    /// What Synapse does after an outage, with one event in each transaction.
    pub(crate) async fn backlog(&mut self) {
        tell("a backlog");
        self.people(self.sizes.rooms[0]).await;
        let listeners = self.listeners().await;
        let push = Talk::new(self.sizes.rooms[0]).push(self.sizes.backlog, 1, Flaws::default());
        let run = drive(self.bridge.appservice, &listeners, push).await;
        run.tell(
            &mut self.results,
            &format!("backlog of {} transactions, bridge", self.sizes.backlog),
        );
        listeners.leave().await;
    }

    /// One conversation with many sockets.
    pub(crate) async fn burst(&mut self) {
        let (crowd, events) = (self.sizes.crowd, 100);
        tell(&format!("a burst to {crowd} sockets"));
        self.accounts(crowd).await;
        for some in (0..crowd).collect::<Vec<_>>().chunks(100) {
            let invites: Vec<_> = some
                .iter()
                .map(|number| town::invite_to_group(SQUARE, *number))
                .collect();
            self.send_events(&invites);
        }
        self.homeserver.settle().await;
        let audience = self.audience(0..crowd).await;
        for round in 0..=self.sizes.rounds {
            let said = |number| town::message(SQUARE, &format!("@host:{}", town::DOMAIN), number);
            let shown = audience.shown() + crowd * events;
            let (started, used) = (Instant::now(), self.bridge.process.processor());
            self.send_events(&(0..events).map(said).collect::<Vec<_>>());
            let took = audience.wait_for(shown).await.duration_since(started).as_secs_f64();
            if round > 0 {
                let name = format!("burst of {events} messages to {crowd} sockets");
                self.results.add(format!("{name}, ms to the last frame"), took * 1000.0);
                self.results
                    .add(format!("{name}, frames per s"), (crowd * events) as f64 / took);
                let used = self.bridge.process.processor() - used;
                self.results.add(format!("{name}, processor s"), used);
            }
        }
        audience.leave().await;
    }

    /// The other direction: from a Nova client's socket into the outbox, and out of it.
    pub(crate) async fn send(&mut self) {
        tell("sending");
        self.people(self.sizes.rooms[0]).await;
        for round in 0..=self.sizes.rounds {
            let mut speakers = Vec::new();
            for number in 0..USERS {
                let conversation = self.bridge.conversation(number).await;
                speakers.push(Speaker::connect(self.bridge.nova, &self.bridge.socket(number), conversation).await);
            }
            let mut alone = Vec::new();
            for speaker in &mut speakers {
                alone.push(speaker.say(0).await);
            }
            self.homeserver.settle().await;
            let (before, started, said) = (self.homeserver.sent(), Instant::now(), self.sizes.said);
            let mut together = JoinSet::new();
            for mut speaker in speakers {
                together.spawn(async move {
                    let mut times = Vec::new();
                    for number in 0..said {
                        times.push(speaker.say(number).await);
                    }
                    (times, speaker)
                });
            }
            // The sockets stay open until everything is sent.
            let (times, speakers): (Vec<_>, Vec<_>) = together.join_all().await.into_iter().unzip();
            let taken = started.elapsed().as_secs_f64();
            let count = USERS * said;
            self.homeserver.wait_for_sent(before + count).await;
            let sent = started.elapsed().as_secs_f64();
            drop(speakers);
            if round > 0 {
                self.results.add_times("sending, one client, acknowledged after", alone);
                let times = times.into_iter().flatten().collect();
                self.results
                    .add_times(&format!("sending, {USERS} clients, acknowledged after"), times);
                self.results.add(
                    format!("sending, {USERS} clients, acknowledged per s"),
                    count as f64 / taken,
                );
                self.results.add(
                    format!("sending, {USERS} clients, at the homeserver per s"),
                    count as f64 / sent,
                );
            }
            self.homeserver.settle().await;
        }
    }

    /// Sockets on which nothing happens.
    pub(crate) async fn idle(&mut self) {
        let count = self.sizes.idle;
        tell(&format!("{count} idle sockets"));
        self.accounts(count).await;
        self.bridge.restart();
        self.homeserver.settle().await;
        // Whatever the first socket costs is not theirs.
        self.audience(0..1).await.leave().await;
        sleep(Duration::from_secs(1)).await;
        let before = self.bridge.process.resident();
        let mut audience = self.audience(0..count).await;
        // Long enough for pings.
        sleep(Duration::from_secs(12)).await;
        assert_eq!(audience.open(), count, "idle sockets stay open");
        let after = self.bridge.process.resident();
        self.results.add(
            format!("{count} idle sockets, bytes per socket"),
            (after - before) / count as f64,
        );
        self.results
            .add("resident MB without sockets, after a start", before / 1e6);
        let used = self.bridge.process.processor();
        sleep(Duration::from_secs(10)).await;
        let used = (self.bridge.process.processor() - used) / 10.0;
        self.results
            .add(format!("{count} idle sockets, processors in use"), used);
        audience.leave().await;
    }

    pub(crate) fn finish(mut self) -> Results {
        self.bridge.process.stop();
        let mut results = self.results;
        let rooms = self.sizes.rooms;
        let of = |name: String| results.median(&name);
        let floor = |rooms: usize| {
            let commit = of(format!("{rooms} rooms, floor, commit of one row, p50 ms"))?;
            Some(commit + of(format!("{rooms} rooms, floor, empty request, p50 ms"))?)
        };
        let ack = |rooms: usize| {
            Some(
                of(format!(
                    "{rooms} rooms, 1 a transaction, bridge, acknowledged after, p50 ms"
                ))? / floor(rooms)?,
            )
        };
        let delivered = |rooms: usize, who: &str| of(format!("{rooms} rooms, 100 a transaction, {who}, shown per s"));
        let ratio = |rooms: usize| Some(delivered(rooms, "bridge")? / delivered(rooms, "node")?);
        let (few, many) = (rooms[0], rooms[1]);
        let told = [ack(few), ack(many), ratio(few), ratio(many)];
        let resident = of(format!("{many} rooms, resident MB"));
        let idle = of(format!("{} idle sockets, bytes per socket", self.sizes.idle));
        let request = of(format!("{few} rooms, floor, empty request, p50 ms"));
        let own = |what: &str| Some(of(format!("{what}, p99 ms"))? - request?);
        let (ring, answer, rate) = (own(RING), own(ANSWER), of(CALL_RATE.to_owned()));
        results.at_most("acknowledgement / (commit + empty request), few rooms", told[0], 2.0);
        results.at_most("acknowledgement / (commit + empty request), many rooms", told[1], 2.0);
        results.at_least(
            "bridge / node, shown per s, 100 a transaction, few rooms",
            told[2],
            1.5,
            Some(2.0),
        );
        results.at_least(
            "bridge / node, shown per s, 100 a transaction, many rooms",
            told[3],
            1.5,
            Some(2.0),
        );
        results.at_most("invite to frame, the bridge's own share, p99 ms", ring, 5.0);
        results.at_most("answer to homeserver, the bridge's own share, p99 ms", answer, 5.0);
        results.at_least("calls set up and torn down per minute", rate, 1000.0, None);
        results.at_most("resident MB with many rooms, after the run", resident, 40.0);
        results.at_most("bytes per idle socket", idle, 10_240.0);
        results
    }

    /// Makes accounts and rooms, up to so many.
    pub(crate) async fn people(&mut self, rooms: usize) {
        self.accounts(USERS).await;
        let new: Vec<usize> = (self.rooms..rooms).collect();
        self.rooms = self.rooms.max(rooms);
        for some in new.chunks(100) {
            let invites: Vec<_> = some.iter().map(|room| town::invite(*room)).collect();
            self.send_events(&invites);
            if let (Some(peer), [first, .., last]) = (&self.peer, some) {
                peer.rooms(*first..last + 1);
            }
        }
        self.homeserver.settle().await;
    }

    async fn accounts(&mut self, count: usize) {
        self.bridge.accounts(self.accounts.min(count)..count);
        self.accounts = self.accounts.max(count);
        self.homeserver.settle().await;
    }

    pub(crate) fn send_events(&mut self, events: &[serde_json::Value]) {
        self.transactions += 1;
        let status = Line::open(self.bridge.appservice).call(&transaction(self.transactions, events));
        assert_eq!(status, 200, "a transaction is taken");
    }

    /// Numbers for so many transactions; the first of them.
    pub(crate) fn take_numbers(&mut self, count: usize) -> usize {
        let first = self.transactions + 1;
        self.transactions += count;
        first
    }

    async fn audience(&self, users: Range<usize>) -> Audience {
        Audience::connect(
            self.bridge.nova,
            users.map(|number| self.bridge.socket(number)).collect(),
        )
        .await
    }

    pub(crate) async fn listeners(&self) -> Audience {
        self.audience(0..USERS).await
    }

    async fn peer_listeners(&self) -> Option<Audience> {
        let peer = self.peer.as_ref()?;
        Some(Audience::connect(peer.address, (0..USERS).map(|it| format!("/?user={it}")).collect()).await)
    }
}

/// What real transactions have now and then.
const FLAWS: Flaws = Flaws { duplicate: Some(20) };

/// How a run went.
pub(crate) struct Run {
    times: Vec<Duration>,
    events: usize,
    shown: usize,
    acknowledged: f64,
    delivered: f64,
}

/// Pushes transactions one after the other, until everything is shown.
pub(crate) async fn drive(address: std::net::SocketAddr, audience: &Audience, push: Push) -> Run {
    let Push {
        requests,
        events,
        shown,
    } = push;
    let wanted = audience.shown() + shown;
    let started = Instant::now();
    let times = spawn_blocking(move || {
        let mut line = Line::open(address);
        let one = |request: &Vec<u8>| {
            let started = Instant::now();
            assert_eq!(line.call(request), 200, "a transaction is taken");
            started.elapsed()
        };
        requests.iter().map(one).collect::<Vec<_>>()
    });
    let times = times.await.expect("the transactions are pushed");
    let acknowledged = started.elapsed().as_secs_f64();
    let delivered = audience.wait_for(wanted).await.duration_since(started).as_secs_f64();
    Run {
        times,
        events,
        shown,
        acknowledged,
        delivered,
    }
}

impl Run {
    pub(crate) fn tell(self, results: &mut Results, name: &str) {
        results.add(
            format!("{name}, acknowledged per s"),
            self.events as f64 / self.acknowledged,
        );
        results.add(format!("{name}, shown per s"), self.shown as f64 / self.delivered);
        results.add_times(&format!("{name}, acknowledged after"), self.times);
    }
}

/// Says on stderr what happens, which takes a while.
#[expect(clippy::print_stderr, reason = "for whoever waits")]
pub(crate) fn tell(what: &str) {
    eprintln!("{what} …");
}
