//! The bridge under test, seen from the homeserver: transactions go in, and a probe says what came out.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::time::Instant;
use uuid::Uuid;

use super::answer::Answer;
use super::call::{Call, client, segment};
use super::delivered::difference;
use super::prepare::prepare;
use super::probe::{Room, shell};
use super::settings::Settings;

const BETWEEN_LOOKS: Duration = Duration::from_millis(150);
const STARTING: Duration = Duration::from_secs(90);

/// The bridge under test, as one case uses it.
pub(crate) struct Bridge {
    pub(crate) settings: Settings,
    client: Client,
    room: Option<Room>,
    /// What the ids of this case's events begin with.
    prefix: String,
    counter: AtomicU32,
}

impl Bridge {
    /// Makes everything ready that a case needs.
    pub(crate) async fn prepare(settings: Settings, with_room: bool) -> Self {
        let client = client();
        let room = if with_room {
            prepare(&client, &settings).await
        } else {
            None
        };
        let prefix = format!("$conf{}", Uuid::new_v4().simple());
        Self {
            settings,
            client,
            room,
            prefix,
            counter: AtomicU32::new(0),
        }
    }

    /// The room that the case may use.
    pub(crate) fn room(&self) -> &Room {
        self.room.as_ref().expect("the case says that it needs a room")
    }

    /// The ghost that exists.
    pub(crate) fn ghost(&self) -> &str {
        self.settings
            .ghost
            .as_deref()
            .expect("the case says that it needs a ghost")
    }

    /// A request with the right token.
    pub(crate) fn call(&self, method: Method, path: &str) -> Call {
        Call::new(
            &self.client,
            method,
            &format!("{}{path}", self.settings.url),
            &self.settings.hs_token,
        )
    }

    /// A text message with an id that was never used.
    pub(crate) fn message(&self, text: &str) -> Value {
        self.event(&json!({"msgtype": "m.text", "body": text}))
    }

    /// `count` messages with texts of their own.
    pub(crate) fn messages(&self, count: u32) -> Vec<Value> {
        (1..=count)
            .map(|n| self.message(&format!("message {n} of {count}")))
            .collect()
    }

    /// A message with this content.
    pub(crate) fn event(&self, content: &Value) -> Value {
        let number = self.counter.fetch_add(1, Ordering::Relaxed);
        self.event_with_id(&format!("{}{number:07}", self.prefix), content)
    }

    /// A message with this content that [`Self::delivers`] does not look for.
    pub(crate) fn unwatched_event(&self, content: &Value) -> Value {
        self.event_with_id(&format!("$else{}0000000", Uuid::new_v4().simple()), content)
    }

    fn event_with_id(&self, id: &str, content: &Value) -> Value {
        let room = self.room();
        json!({
            "type": "m.room.message",
            "event_id": id,
            "room_id": room.id,
            "sender": room.sender,
            "origin_server_ts": 1_767_225_600_000_u64,
            "content": content,
            "unsigned": {"age": 7},
        })
    }

    /// Pushes these events under an id of their own.
    pub(crate) async fn push_events(&self, events: &[Value]) -> Answer {
        self.push_as(&new_txn(), &json!({"events": events})).await
    }

    /// Pushes this body under `txn`.
    pub(crate) async fn push_as(&self, txn: &str, body: &Value) -> Answer {
        self.push_bytes(txn, body.to_string()).await
    }

    /// Pushes these bytes under `txn`.
    pub(crate) async fn push_bytes(&self, txn: &str, body: impl Into<Vec<u8>>) -> Answer {
        self.call(Method::PUT, &transaction_path(txn)).body(body).send().await
    }

    /// Each of these came out once, in this order, and no other event of the case did.
    pub(crate) async fn delivers(&self, events: &[Value]) {
        let found = self.delivered(events).await;
        if let Some(words) = difference(events, &found) {
            panic!("{words}");
        }
    }

    /// Each of these came out once, in whatever order, and no other event of the case did.
    pub(crate) async fn delivers_in_any_order(&self, events: &[Value]) {
        let mut found = self.delivered(events).await;
        found.sort();
        let mut events = events.to_vec();
        events.sort_by_key(|event| id_of(event).to_owned());
        if let Some(words) = difference(&events, &found) {
            panic!("{words}");
        }
    }

    /// The ids of this case that came out. Waits until the wanted ones did and one more message behind them, so that a
    /// double that is still on its way is seen as well.
    async fn delivered(&self, wanted: &[Value]) -> Vec<String> {
        let barrier = self.unwatched_event(&json!({"msgtype": "m.text", "body": "the last one"}));
        self.push_events(std::slice::from_ref(&barrier)).await.is_accepted();
        let deadline = Instant::now() + self.settings.patience;
        loop {
            let seen = self.room().delivered(&self.client).await;
            let barrier_seen = seen.iter().any(|id| id == id_of(&barrier));
            let done = barrier_seen && wanted.iter().all(|event| seen.iter().any(|id| id == id_of(event)));
            if done || Instant::now() >= deadline {
                assert!(
                    barrier_seen,
                    "a later message was not delivered in {:?}",
                    self.settings.patience
                );
                return seen.into_iter().filter(|id| id.starts_with(&self.prefix)).collect();
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }

    /// Kills the bridge, starts it again, and waits until it answers.
    pub(crate) async fn restart(&self) {
        let command = self
            .settings
            .restart
            .as_deref()
            .expect("the case says that it needs a restart");
        shell(command, "").await;
        let deadline = Instant::now() + STARTING;
        loop {
            let answer = self
                .call(Method::PUT, &transaction_path(&new_txn()))
                .json(&json!({"events": []}));
            if answer.try_send().await.is_ok_and(|answer| answer.status == 200) {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "the bridge did not come back in {STARTING:?}"
            );
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }
}

/// A transaction id that was never used.
pub(crate) fn new_txn() -> String {
    format!("conformance-{}", Uuid::new_v4())
}

/// Where a transaction goes.
pub(crate) fn transaction_path(txn: &str) -> String {
    format!("/_matrix/app/v1/transactions/{}", segment(txn))
}

/// The id of an event.
pub(crate) fn id_of(event: &Value) -> &str {
    event["event_id"].as_str().expect("an event of the suite has an id")
}
