//! Everybody talks everywhere at once, and insists on being heard.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream;
use reqwest::Method;
use serde_json::json;
use tokio::time::sleep;

use crate::cast::{Cast, NovaPerson};
use crate::support::api::{Api, enc};

/// What each says in each place in a round.
const EACH: usize = 6;

/// Until a request that failed is tried again.
const RETRY: Duration = Duration::from_millis(100);

/// What was said: by place and sender (as a Matrix id), in order.
pub(crate) type Ledger = HashMap<(usize, String), Vec<String>>;

/// A message about to be said.
struct Line {
    place: usize,
    text: String,
}

/// The counters of a round.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) said: AtomicUsize,
    /// Requests and frames that had to be repeated after an error.
    pub(crate) repeated: AtomicUsize,
}

/// Talks until all is said, and writes it into the ledger.
pub(crate) async fn talk(cast: &Cast, round: usize, pipeline: usize, ledger: &mut Ledger, counters: &Counters) {
    let mut of_matrix = Vec::new();
    for (n, user) in cast.matrix.iter().enumerate() {
        let lines = lines(cast, round, &user.name, |place| cast.places[place].matrix.contains(&n));
        remember(ledger, &user.id, &lines);
        of_matrix.push(element_says(cast, &user.api, lines, counters));
    }
    let mut of_nova = Vec::new();
    for (n, person) in cast.nova.iter().enumerate() {
        let lines = lines(cast, round, &person.user.username, |place| {
            cast.places[place].nova.contains(&n)
        });
        remember(ledger, &person.user.mxid, &lines);
        of_nova.push(nova_says(cast, person, lines, pipeline, counters));
    }
    tokio::join!(join_all(of_matrix), join_all(of_nova));
}

/// One line here, one line there, and again.
fn lines(cast: &Cast, round: usize, name: &str, takes_part: impl Fn(usize) -> bool) -> Vec<Line> {
    let places: Vec<usize> = (0..cast.places.len()).filter(|place| takes_part(*place)).collect();
    let line = |n: usize, place: usize| Line {
        place,
        text: format!("round {round}, {name}, {n}"),
    };
    (0..EACH)
        .flat_map(|n| places.iter().map(move |place| line(n, *place)))
        .collect()
}

fn remember(ledger: &mut Ledger, sender: &str, lines: &[Line]) {
    for line in lines {
        ledger
            .entry((line.place, sender.to_owned()))
            .or_default()
            .push(line.text.clone());
    }
}

/// As Element does: one at a time, under one transaction id until it is answered.
async fn element_says(cast: &Cast, api: &Api, lines: Vec<Line>, counters: &Counters) {
    for line in lines {
        let room = enc(&cast.places[line.place].room);
        let path = format!(
            "/_matrix/client/v3/rooms/{room}/send/m.room.message/{}",
            enc(&key(&line))
        );
        let content = json!({ "msgtype": "m.text", "body": line.text });
        insist(api, Method::PUT, &path, &content, counters).await;
    }
}

async fn nova_says(cast: &Cast, person: &NovaPerson, lines: Vec<Line>, pipeline: usize, counters: &Counters) {
    if person.by_rest {
        for line in lines {
            let path = format!("/conversations/{}/messages", cast.places[line.place].conversation);
            let body = json!({ "content": line.text, "idempotency_key": key(&line) });
            insist(&person.user.api, Method::POST, &path, &body, counters).await;
        }
        return;
    }
    let sends = stream::iter(lines).map(|line| {
        let conversation = &cast.places[line.place].conversation;
        let first = person.client.send(conversation, &line.text, &key(&line));
        async move {
            let mut answer = first.await;
            while answer["type"] != "ack" {
                assert!(pipeline == 1, "refused: {answer}");
                assert!(
                    ["SERVICE_UNAVAILABLE", "DATABASE_ERROR"].contains(&answer["code"].as_str().unwrap()),
                    "{answer}"
                );
                counters.repeated.fetch_add(1, Ordering::Relaxed);
                sleep(RETRY).await;
                answer = person.client.send(conversation, &line.text, &key(&line)).await;
            }
            counters.said.fetch_add(1, Ordering::Relaxed);
        }
    });
    sends.buffered(pipeline).collect::<Vec<()>>().await;
}

fn key(line: &Line) -> String {
    format!("{}/{}", line.place, line.text)
}

/// Repeats a request until it is answered well.
async fn insist(api: &Api, method: Method, path: &str, body: &serde_json::Value, counters: &Counters) {
    loop {
        match api.attempt(method.clone(), path, Some(body)).await {
            Ok((200..300, _)) => break,
            Ok((status, answer)) => assert!(status >= 500 || status == 429, "{path}: {status} {answer}"),
            Err(_) => {}
        }
        counters.repeated.fetch_add(1, Ordering::Relaxed);
        sleep(RETRY).await;
    }
    counters.said.fetch_add(1, Ordering::Relaxed);
}
