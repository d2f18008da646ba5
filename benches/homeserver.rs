//! A homeserver that answers everything at once and does nothing. It counts, because a message from Matrix must not cost
//! a single request.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::serve::ListenerExt;
use nova_bridge::appservice::registration::BOT_LOCALPART;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

/// What was asked so far.
#[derive(Default)]
struct Counts {
    all: AtomicUsize,
    sent: AtomicUsize,
    calls: Mutex<HashMap<(String, String), (std::time::Instant, String)>>,
    call_came: Notify,
}

impl Counts {
    fn calls(&self) -> std::sync::MutexGuard<'_, HashMap<(String, String), (std::time::Instant, String)>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hear_call(&self, kind: &str, body: &[u8]) {
        let came = std::time::Instant::now();
        let content: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |name: &str| content[name].as_str().unwrap_or_default().to_owned();
        self.calls()
            .insert((text("call_id"), kind.to_owned()), (came, text("party_id")));
        self.call_came.notify_waiters();
    }
}

/// The homeserver.
#[derive(Clone)]
pub(crate) struct Homeserver {
    pub(crate) address: SocketAddr,
    counts: Arc<Counts>,
}

impl Homeserver {
    pub(crate) async fn start(tasks: &tokio_util::task::TaskTracker) -> Self {
        let counts = Arc::new(Counts::default());
        let router = Router::new().fallback(answer).with_state(Arc::clone(&counts));
        Self {
            address: serve(tasks, router).await,
            counts,
        }
    }

    /// All requests so far.
    pub(crate) fn requests(&self) -> usize {
        self.counts.all.load(Ordering::SeqCst)
    }

    /// Messages so far.
    pub(crate) fn sent(&self) -> usize {
        self.counts.sent.load(Ordering::SeqCst)
    }

    /// Waits until so many messages have come.
    pub(crate) async fn wait_for_sent(&self, count: usize) {
        let deadline = Instant::now() + Duration::from_mins(2);
        while self.sent() < count {
            assert!(
                Instant::now() < deadline,
                "{} of {count} messages were sent",
                self.sent()
            );
            sleep(Duration::from_micros(200)).await;
        }
    }

    /// Waits for an event of a call. Returns when it came, and the party that sent it.
    pub(crate) async fn wait_for_call_event(&self, call: &str, kind: &str) -> (std::time::Instant, String) {
        let key = (call.to_owned(), kind.to_owned());
        let wait = async {
            loop {
                let mut came = std::pin::pin!(self.counts.call_came.notified());
                came.as_mut().enable();
                let found = self.counts.calls().remove(&key);
                if let Some(found) = found {
                    return found;
                }
                came.await;
            }
        };
        let found = tokio::time::timeout(Duration::from_secs(30), wait).await;
        found.expect("the bridge sends it in time")
    }

    /// Waits until the bridge has had nothing to ask for a while.
    pub(crate) async fn settle(&self) {
        let deadline = Instant::now() + Duration::from_mins(5);
        let mut before = usize::MAX;
        while before != self.requests() {
            assert!(Instant::now() < deadline, "the bridge never stops asking");
            before = self.requests();
            sleep(Duration::from_millis(1500)).await;
        }
    }
}

/// Serves on a free port until the process ends.
pub(crate) async fn serve(tasks: &tokio_util::task::TaskTracker, router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap());
    tasks.spawn(async move { axum::serve(listener, router).await });
    address
}

async fn answer(State(counts): State<Arc<Counts>>, request: Request) -> Response {
    let (method, path) = (request.method().as_str().to_owned(), request.uri().path().to_owned());
    // Twice a second the bridge asks for its bot's profile, to see whether the homeserver is there. And after a start it
    // looks into each room for what was not pushed, and tries the line.
    let looks = path.ends_with("/messages") || path.contains("/profile/") && path.contains(BOT_LOCALPART);
    let tries = path.contains("/send/social.nova.line/") || path.contains("/directory/room/%23nova_line");
    if !(method == "GET" && looks || tries) {
        counts.all.fetch_add(1, Ordering::SeqCst);
    }
    // The body has to be read for the connection to go on.
    let content = axum::body::to_bytes(request.into_body(), usize::MAX).await;
    let steps: Vec<&str> = path.trim_matches('/').split('/').collect();
    let body = match steps.get(2..).unwrap_or_default() {
        ["versions"] => r#"{"versions":["v1.1","v1.11"]}"#.to_owned(),
        [_, "account", "whoami"] | [_, "register"] => {
            format!(r#"{{"user_id":"@_nova_bridge:{}"}}"#, crate::town::DOMAIN)
        }
        [_, "appservice", _, "ping"] => r#"{"duration_ms":1}"#.to_owned(),
        [_, "rooms", _, "send", kind, ..] => {
            if let (true, Ok(content)) = (kind.starts_with("m.call."), &content) {
                counts.hear_call(kind, content);
            }
            let number = counts.sent.fetch_add(1, Ordering::SeqCst);
            format!(r#"{{"event_id":"$sent{number}"}}"#)
        }
        [_, "rooms", _, "state"] => "[]".to_owned(),
        [_, "rooms", _, "messages"] => r#"{"start":"s","chunk":[]}"#.to_owned(),
        [_, "rooms", _, "state", ..] if method == "GET" => {
            return (StatusCode::NOT_FOUND, r#"{"errcode":"M_NOT_FOUND"}"#).into_response();
        }
        [_, "rooms", _, "state", ..] => r#"{"event_id":"$state"}"#.to_owned(),
        [_, "rooms" | "join", ..] => format!(r#"{{"room_id":"{}"}}"#, crate::town::room_id(0)),
        _ => "{}".to_owned(),
    };
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}
