//! Calls: how long the bridge takes to let a phone ring and to pass on its answer, and how many calls a minute it bears.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use uuid::Uuid;

use crate::homeserver::Homeserver;
use crate::line::Line;
use crate::runs::{Bench, tell};
use crate::sockets::connect;
use crate::town::{self, USERS, transaction};

/// What the steps are called in the results.
pub(crate) const RING: &str = "call, from the push of the invite to the frame";
pub(crate) const ANSWER: &str = "call, from the answer to the homeserver";
pub(crate) const CALL_RATE: &str = "calls set up and torn down per minute";

/// Longer than anything may take here.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long the steps of a call took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Steps {
    /// From Synapse's push of the invite to the frame at the client.
    pub(crate) ring: Duration,
    /// From the client's answer to the answer at Synapse.
    pub(crate) answer: Duration,
    /// From the peer's hangup to the frame at the client.
    pub(crate) end: Duration,
}

/// Synapse, which pushes one transaction after the other.
#[derive(Clone)]
pub(crate) struct Pusher {
    line: Arc<Mutex<(Line, usize)>>,
}

impl Pusher {
    pub(crate) fn open(address: SocketAddr, transactions: usize) -> Self {
        Self {
            line: Arc::new(Mutex::new((Line::open(address), transactions))),
        }
    }

    /// How many transactions there were so far.
    pub(crate) async fn transactions(&self) -> usize {
        self.line.lock().await.1
    }

    /// Pushes an event. Returns when that began.
    async fn push(&self, event: Value) -> Instant {
        let mut line = Arc::clone(&self.line).lock_owned().await;
        let push = move || {
            line.1 += 1;
            let request = transaction(line.1, &[event]);
            let started = Instant::now();
            assert_eq!(line.0.call(&request), 200, "a transaction is taken");
            started
        };
        spawn_blocking(push).await.expect("the transaction is pushed")
    }
}

/// A Nova user who is called.
pub(crate) struct Phone {
    socket: WebSocketStream<TcpStream>,
}

impl Phone {
    pub(crate) async fn connect(address: SocketAddr, path: &str) -> Self {
        Self {
            socket: connect(address, path).await,
        }
    }

    /// Waits for a frame. Returns it, and when it came.
    async fn hear(&mut self, kind: &str) -> (Instant, Value) {
        let wanted = format!(r#""type":"{kind}""#);
        let hear = async {
            loop {
                let message = self.socket.next().await.expect("the socket stays open");
                let Message::Text(text) = message.expect("the socket works") else {
                    continue;
                };
                let came = Instant::now();
                assert!(!text.contains(r#""type":"error""#), "refused: {text}");
                if text.contains(&wanted) {
                    return (came, serde_json::from_str(&text).expect("a frame is JSON"));
                }
            }
        };
        timeout(PATIENCE, hear).await.expect("the frame comes in time")
    }

    /// One whole call: it rings, is answered, confirmed and hung up.
    pub(crate) async fn take_call(&mut self, room: usize, synapse: &Pusher, homeserver: &Homeserver) -> Steps {
        let id = format!("bench{}", Uuid::new_v4().simple());
        let event = |kind: &str, more: Value| {
            let mut content = json!({ "call_id": id, "party_id": "BENCHPEER", "version": "1" });
            if let (Value::Object(content), Value::Object(more)) = (&mut content, more) {
                content.extend(more);
            }
            town::call_event(room, kind, &content)
        };
        let invite = event(
            "m.call.invite",
            json!({ "lifetime": 60_000, "offer": { "type": "offer", "sdp": sdp() } }),
        );
        let (pushed, (rang, frame)) = tokio::join!(synapse.push(invite), self.hear("call.initiated"));

        let answer = json!({
            "type": "call.answer", "request_id": id, "call_id": frame["call_id"], "answer": { "type": "answer", "sdp": sdp() },
        });
        let answered = Instant::now();
        let text = Message::text(answer.to_string());
        self.socket.send(text).await.expect("the socket takes a frame");
        let (accepted, party) = homeserver.wait_for_call_event(&id, "m.call.answer").await;

        let chosen = event("m.call.select_answer", json!({ "selected_party_id": party }));
        synapse.push(chosen).await;
        let hangup = event("m.call.hangup", json!({ "reason": "user_hangup" }));
        let (hung_up, (ended, _)) = tokio::join!(synapse.push(hangup), self.hear("call.ended"));
        Steps {
            ring: rang.duration_since(pushed),
            answer: accepted.duration_since(answered),
            end: ended.duration_since(hung_up),
        }
    }
}

/// So many calls at once, each phone one after the other. Returns how long they took.
pub(crate) async fn many(phones: Vec<Phone>, each: usize, synapse: &Pusher, homeserver: &Homeserver) -> Duration {
    let started = Instant::now();
    let mut together = JoinSet::new();
    for (number, mut phone) in phones.into_iter().enumerate() {
        let (synapse, homeserver) = (synapse.clone(), homeserver.clone());
        together.spawn(async move {
            for _ in 0..each {
                phone.take_call(number, &synapse, &homeserver).await;
            }
            phone
        });
    }
    let phones = together.join_all().await;
    let took = started.elapsed();
    drop(phones);
    took
}

/// As long as what a browser says of one voice track.
fn sdp() -> String {
    let mut lines = vec![
        "v=0".to_owned(),
        "o=- 4611731400430051336 2 IN IP4 127.0.0.1".to_owned(),
        "s=-".to_owned(),
        "t=0 0".to_owned(),
        "a=group:BUNDLE 0".to_owned(),
        "a=msid-semantic: WMS stream".to_owned(),
        "m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126".to_owned(),
        "c=IN IP4 0.0.0.0".to_owned(),
        "a=ice-ufrag:abcd".to_owned(),
        "a=ice-pwd:abcdefghijklmnopqrstuvwx".to_owned(),
        format!("a=fingerprint:sha-256 {}", ["AB"; 32].join(":")),
        "a=setup:actpass".to_owned(),
        "a=mid:0".to_owned(),
        "a=sendrecv".to_owned(),
        "a=msid:stream track".to_owned(),
        "a=rtcp-mux".to_owned(),
    ];
    lines.extend((0..24).map(|number| format!("a=rtpmap:{} opus/48000/2 {}", 96 + number, "x".repeat(20))));
    lines.push(String::new());
    lines.join("\r\n")
}

impl Bench {
    /// Calls: one at a time for how long they take, and many for how many there can be.
    pub(crate) async fn calls(&mut self) {
        tell("calls");
        let rooms = self.sizes.rooms[0];
        self.people(rooms).await;
        for round in 0..=self.sizes.rounds {
            let synapse = Pusher::open(self.bridge.appservice, self.transactions);
            let mut phones = Vec::new();
            for number in 0..USERS {
                phones.push(Phone::connect(self.bridge.nova, &self.bridge.socket(number)).await);
            }
            let mut steps: Vec<Steps> = Vec::new();
            for _ in 0..self.sizes.calls {
                for (number, phone) in phones.iter_mut().enumerate() {
                    steps.push(phone.take_call(number, &synapse, &self.homeserver).await);
                }
            }
            let (each, count) = (self.sizes.calls, self.sizes.calls * USERS);
            let took = many(phones, each, &synapse, &self.homeserver).await;
            self.transactions = synapse.transactions().await;
            drop(synapse);
            self.measure_floor(rooms).await;
            if round == 0 {
                continue;
            }
            let part = |of: fn(&Steps) -> Duration| steps.iter().map(of).collect::<Vec<_>>();
            self.results.add_times(RING, part(|it| it.ring));
            self.results.add_times(ANSWER, part(|it| it.answer));
            self.results
                .add_times("call, from the push of a hangup to the frame", part(|it| it.end));
            let rate = count as f64 / took.as_secs_f64() * 60.0;
            self.results.add(CALL_RATE, rate);
        }
    }
}
