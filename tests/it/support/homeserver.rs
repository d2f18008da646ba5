//! A small homeserver for tests: what Synapse does towards an application service, plus what a real one cannot be made
//! to do (lose an answer, hang, forget its transaction ids).
//!
//! [`FakeHomeserver`] is the handle: start it, break it, look into it. [`User`] acts as an ordinary Matrix user.
//! Ids are counted from one, so that snapshots stay the same. The rules are in `world`, `rooms`, `creation` and
//! `directory`, without any I/O.

mod api;
mod creation;
mod directory;
mod entrance;
mod faults;
pub(crate) mod files;
mod push;
mod rooms;
mod user;
mod world;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

pub(crate) use faults::{Fault, Gate, On};
pub(crate) use user::User;
pub(crate) use world::{Delivery, Recorded, Room, World};

/// How long [`FakeHomeserver::wait_for`] waits before it fails the test.
const DEADLINE: Duration = Duration::from_secs(20);

/// What a test may want otherwise.
#[derive(Clone)]
pub(crate) struct Options {
    pub(crate) server_name: String,
    pub(crate) as_token: String,
    pub(crate) hs_token: String,
    pub(crate) sender_localpart: String,
    /// Whether the ghosts are in the namespace of the application service.
    pub(crate) covers_ghosts: bool,
    /// How the aliases of the application service begin; it can make no others.
    pub(crate) alias_prefix: String,
    /// `12`, where creators stand above the power levels and room ids name no server; or `11`.
    pub(crate) room_version: String,
    /// The largest file that it takes.
    pub(crate) upload_limit: u64,
    /// The TURN server that it gives out.
    pub(crate) turn_uri: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            server_name: "example.org".to_owned(),
            as_token: "as-token".to_owned(),
            hs_token: "hs-token".to_owned(),
            sender_localpart: "_nova_bridge".to_owned(),
            covers_ghosts: true,
            alias_prefix: "#nova".to_owned(),
            room_version: "12".to_owned(),
            upload_limit: 200_000_000,
            turn_uri: Some("turn:turn.example.org".to_owned()),
        }
    }
}

/// A running homeserver; it stops when the last handle is dropped.
#[derive(Clone)]
pub(crate) struct FakeHomeserver {
    shared: Arc<Shared>,
    _stop: Arc<tokio_util::sync::DropGuard>,
}

/// What the server's tasks and the handles have in common.
struct Shared {
    url: Url,
    world: Mutex<World>,
    changed: watch::Sender<()>,
    http: reqwest::Client,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the world and wakes everyone who waits for a change.
    fn change<A>(&self, change: impl FnOnce(&mut World) -> A) -> A {
        let result = change(&mut self.lock());
        self.changed.send_replace(());
        result
    }
}

impl FakeHomeserver {
    /// Starts with no application service to push to; see [`Self::set_appservice_url`].
    pub(crate) async fn start() -> Self {
        Self::with(Options::default()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let shared = Arc::new(Shared {
            url: format!("http://{}", listener.local_addr().unwrap()).parse().unwrap(),
            world: Mutex::new(World::new(options)),
            changed: watch::Sender::new(()),
            http: reqwest::Client::builder()
                .no_proxy()
                .timeout(Duration::from_mins(1))
                .build()
                .unwrap(),
        });
        let stop = CancellationToken::new();
        let (tasks, router) = (TaskTracker::new(), api::router(&shared));
        tasks.spawn(stop.clone().run_until_cancelled_owned(async move {
            axum::serve(listener, router).await.unwrap();
        }));
        tasks.spawn(stop.clone().run_until_cancelled_owned(push::run(shared.clone())));
        Self {
            shared,
            _stop: Arc::new(stop.drop_guard()),
        }
    }

    /// Where the bridge reaches the homeserver.
    pub(crate) fn url(&self) -> Url {
        self.shared.url.clone()
    }

    /// Where the homeserver reaches the bridge; may change, as after a restart of the bridge on another port.
    pub(crate) fn set_appservice_url(&self, url: &Url) {
        self.shared
            .change(|world| world.appservice = Some(url.as_str().trim_end_matches('/').to_owned()));
    }

    /// Gives out a TURN server from now on.
    pub(crate) fn set_turn_uri(&self, uri: &str) {
        self.shared
            .change(|world| world.options.turn_uri = Some(uri.to_owned()));
    }

    /// An ordinary user, made if there is none yet.
    pub(crate) fn user(&self, mxid: &str) -> User {
        self.shared.change(|world| world.ensure_user(mxid));
        User::new(self.shared.clone(), mxid)
    }

    /// These people were in a room before the bridge heard of it.
    pub(crate) fn were_there(&self, room: &str, people: impl Iterator<Item = String>) {
        self.shared
            .change(|world| people.for_each(|user| world.was_there(room, &user)));
    }

    /// The next request that matches goes wrong.
    pub(crate) fn fail_next(&self, on: On, fault: Fault) {
        self.shared.change(|world| world.faults.add(on, fault, Some(1)));
    }

    /// Every request that matches goes wrong, until [`Self::heal`].
    pub(crate) fn fail_every(&self, on: On, fault: Fault) {
        self.shared.change(|world| world.faults.add(on, fault, None));
    }

    /// Forgets all faults.
    pub(crate) fn heal(&self) {
        self.shared.change(|world| world.faults.clear());
    }

    /// What a restart does to Synapse: the transaction ids of clients are forgotten, ephemeral events are gone.
    pub(crate) fn restart(&self) {
        self.shared.change(World::restart);
    }

    pub(crate) fn pause_push(&self) {
        self.shared.change(|world| world.push_paused = true);
    }

    pub(crate) fn resume_push(&self) {
        self.shared.change(|world| world.push_paused = false);
    }

    /// From now on events say that they were sent so much later.
    pub(crate) fn set_clock_off_by(&self, off: chrono::TimeDelta) {
        self.shared
            .change(|world| world.clock_is_off_by_ms = off.num_milliseconds());
    }

    /// What was about to be pushed is gone, as when Synapse is restarted.
    pub(crate) fn forget_queue(&self) {
        self.shared.change(|world| world.queue.clear());
    }

    /// Pushes these events in a transaction of their own, past the queue and its count. Answers the status, 0 for no
    /// answer.
    pub(crate) async fn push_raw(&self, events: Vec<Value>) -> u16 {
        let txn_id = format!("raw-{}", self.shared.change(World::count));
        self.push_body(&txn_id, serde_json::json!({ "events": events }).to_string())
            .await
    }

    /// Pushes any body under any transaction id.
    pub(crate) async fn push_body(&self, txn_id: &str, body: impl Into<Bytes>) -> u16 {
        push::put(&self.shared, txn_id, body.into()).await
    }

    /// Calls the bridge's user query, as Synapse does for a user whom it does not know.
    pub(crate) async fn query_user(&self, mxid: &str) -> u16 {
        push::query_user(&self.shared, mxid).await
    }

    /// The room as it is now.
    pub(crate) fn room(&self, room: &str) -> Room {
        self.shared
            .lock()
            .room(room)
            .unwrap_or_else(|_| panic!("no room {room}"))
            .clone()
    }

    /// All events of the room, oldest first.
    pub(crate) fn timeline(&self, room: &str) -> Vec<Value> {
        self.room(room).timeline
    }

    /// The texts of the room's messages, oldest first.
    pub(crate) fn texts(&self, room: &str) -> Vec<String> {
        self.room(room).texts()
    }

    /// The requests that came in, oldest first, those included that a fault kept from being processed.
    pub(crate) fn requests(&self) -> Vec<Recorded> {
        self.shared.lock().requests.clone()
    }

    /// The transactions that were pushed, failed tries included.
    pub(crate) fn deliveries(&self) -> Vec<Delivery> {
        self.shared.lock().deliveries.clone()
    }

    /// Keeps a file, and gives its address.
    pub(crate) fn keep(&self, content_type: &str, bytes: impl Into<Bytes>) -> String {
        let bytes = bytes.into();
        self.shared.change(|world| world.upload(content_type.to_owned(), bytes))
    }

    /// Takes no larger files from now on.
    pub(crate) fn limit_uploads(&self, bytes: u64) {
        self.shared.change(|world| world.options.upload_limit = bytes);
    }

    /// From now on it understands `Range`, as a cache before it would.
    pub(crate) fn understand_ranges(&self) {
        self.shared.change(|world| world.understands_ranges = true);
    }

    /// From now on no room hears of a new picture, as when Synapse races with itself.
    pub(crate) fn lose_pictures(&self) {
        self.shared.change(|world| world.loses_pictures = true);
    }

    /// Looks at anything else.
    pub(crate) fn inspect<A>(&self, look: impl FnOnce(&World) -> A) -> A {
        look(&self.shared.lock())
    }

    /// Waits until `look` finds what it looks for.
    ///
    /// # Panics
    ///
    /// After [`DEADLINE`], naming `what` and showing the end of every timeline.
    pub(crate) async fn wait_for<A>(&self, what: &str, mut look: impl FnMut(&World) -> Option<A>) -> A {
        let mut changes = self.shared.changed.subscribe();
        let found = tokio::time::timeout(DEADLINE, async {
            loop {
                changes.mark_unchanged();
                if let Some(found) = look(&self.shared.lock()) {
                    return found;
                }
                changes.changed().await.expect("the sender lives as long as the handle");
            }
        });
        found
            .await
            .unwrap_or_else(|_| panic!("waited in vain for {what}; {}", self.shared.lock().summary()))
    }

    /// Waits until everything that is to be pushed has been taken by the bridge.
    pub(crate) async fn wait_until_pushed(&self) {
        self.wait_for("an empty push queue", |world| {
            (world.queue.is_empty() && world.ephemeral.is_empty() && !world.pushing).then_some(())
        })
        .await;
    }
}
