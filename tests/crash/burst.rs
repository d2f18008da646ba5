//! Everybody talks everywhere at once, and insists on being heard.

use std::sync::Mutex;
use std::sync::atomic::Ordering;

use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::cast::{Cast, NovaPerson};
use crate::insist::{Counters, RETRY};
use crate::plan::{Fate, KEPT, Ledger, Line, TAKEN_BACK, lines};
use crate::support::api::enc;
use crate::support::matrix::MatrixUser;
use crate::support::nova::id_of;
use crate::support::sync::Room;

/// A round under way.
struct Talk<'a> {
    cast: &'a Cast,
    counters: &'a Counters,
    ledger: Mutex<&'a mut Ledger>,
}

/// Talks until all is said and done, and writes it into the ledger.
pub(crate) async fn talk(cast: &Cast, round: usize, pipeline: usize, ledger: &mut Ledger, counters: &Counters) {
    let opening = |place: usize| cast.places[place].opening.text.clone();
    let mut of_matrix = Vec::new();
    for (n, user) in cast.matrix.iter().enumerate() {
        let lines = lines(cast, round, &user.name, |place| cast.places[place].matrix.contains(&n));
        ledger.plan(&user.id, &lines, opening);
        of_matrix.push((user, lines));
    }
    let mut of_nova = Vec::new();
    for (n, person) in cast.nova.iter().enumerate() {
        let takes_part = |place: usize| cast.places[place].nova.contains(&n);
        let lines = lines(cast, round, &person.user.username, takes_part);
        ledger.plan(&person.user.mxid, &lines, opening);
        of_nova.push((person, lines));
    }
    let ledger = Mutex::new(ledger);
    let talk = &Talk { cast, counters, ledger };
    let of_matrix = of_matrix.into_iter().map(|(user, lines)| talk.element(user, lines));
    let of_nova = of_nova
        .into_iter()
        .map(|(person, lines)| talk.nova(person, lines, pipeline));
    tokio::join!(join_all(of_matrix), join_all(of_nova));
}

impl Talk<'_> {
    /// As Element does: one at a time, under one transaction id until it is answered.
    async fn element(&self, user: &MatrixUser, lines: Vec<Line>) {
        for line in lines {
            let content = if line.fate == Fate::Picture {
                json!({
                    "msgtype": "m.image", "body": line.text, "url": self.cast.picture,
                    "info": { "mimetype": "image/png", "w": 20, "h": 10 },
                })
            } else {
                json!({ "msgtype": "m.text", "body": line.text })
            };
            let event = self.sends(user, &line, "m.room.message", &content).await;
            self.counters.said.fetch_add(1, Ordering::Relaxed);
            match line.fate {
                Fate::Stays | Fate::Picture => {}
                Fate::Edited => {
                    for text in line.edits() {
                        let edit = json!({
                            "msgtype": "m.text", "body": format!("* {text}"),
                            "m.new_content": { "msgtype": "m.text", "body": text },
                            "m.relates_to": { "rel_type": "m.replace", "event_id": event },
                        });
                        self.sends(user, &line, "m.room.message", &edit).await;
                    }
                }
                Fate::Reacted => {
                    self.sends(user, &line, "m.reaction", &reaction(&event, KEPT)).await;
                    let back = self
                        .sends(user, &line, "m.reaction", &reaction(&event, TAKEN_BACK))
                        .await;
                    self.redacts(user, &line, &back).await;
                }
                Fate::Greets => {
                    let opening = &self.cast.places[line.place].opening.event;
                    self.sends(user, &line, "m.reaction", &reaction(opening, &line.greeting()))
                        .await;
                }
                Fate::Deleted => self.redacts(user, &line, &event).await,
            }
            if line.is_last {
                self.reads(user, &line).await;
            }
        }
    }

    async fn sends(&self, user: &MatrixUser, line: &Line, event_type: &str, content: &Value) -> String {
        let room = enc(&self.cast.places[line.place].room);
        let what = content["m.new_content"]["body"].as_str();
        let what = what.or(content["m.relates_to"]["key"].as_str()).unwrap_or_default();
        let transaction = enc(&format!("{}/{what}", line.key()));
        let path = format!("/_matrix/client/v3/rooms/{room}/send/{event_type}/{transaction}");
        let answer = self.counters.insist(&user.api, Method::PUT, &path, content).await;
        self.counters.acts.fetch_add(1, Ordering::Relaxed);
        answer["event_id"].as_str().unwrap().to_owned()
    }

    async fn redacts(&self, user: &MatrixUser, line: &Line, event: &str) {
        let room = enc(&self.cast.places[line.place].room);
        let transaction = enc(&format!("{}/redact", line.key()));
        let path = format!("/_matrix/client/v3/rooms/{room}/redact/{}/{transaction}", enc(event));
        self.counters.insist(&user.api, Method::PUT, &path, &json!({})).await;
        self.counters.acts.fetch_add(1, Ordering::Relaxed);
    }

    /// Reads up to the newest that the client has from Nova. Synapse forgets that where the bridge is away just then.
    async fn reads(&self, user: &MatrixUser, line: &Line) {
        let room = &self.cast.places[line.place].room;
        let newest = |room: &Room| {
            let theirs = |event: &&Value| {
                let is_message = event["type"] == "m.room.message" && event["content"].get("m.relates_to").is_none();
                is_message && event["sender"].as_str().is_some_and(|it| it.starts_with("@nova-"))
            };
            let event = room.timeline.iter().rfind(theirs)?;
            Some(event["event_id"].as_str()?.to_owned())
        };
        let event = user.sees_in(room, "something from Nova", newest).await;
        let path = format!("/_matrix/client/v3/rooms/{}/receipt/m.read/{}", enc(room), enc(&event));
        self.counters.insist(&user.api, Method::POST, &path, &json!({})).await;
        self.counters.acts.fetch_add(1, Ordering::Relaxed);
    }

    async fn nova(&self, person: &NovaPerson, lines: Vec<Line>, pipeline: usize) {
        // A socket takes texts alone.
        let by_rest = |line: &Line| person.by_rest || line.fate == Fate::Picture;
        for run in lines.chunk_by(|one, next| by_rest(one) == by_rest(next)) {
            if run.first().is_some_and(by_rest) {
                for line in run {
                    self.posts(person, line).await;
                }
            } else {
                let sends = stream::iter(run).map(|line| self.says(person, line, pipeline));
                sends.buffered(pipeline).collect::<Vec<()>>().await;
            }
        }
    }

    async fn posts(&self, person: &NovaPerson, line: &Line) {
        let (api, counters) = (&person.user.api, self.counters);
        let mut body = json!({ "content": line.text, "idempotency_key": line.key() });
        if line.fate == Fate::Picture {
            let path = format!("/media?file_name={}.png", enc(&line.text));
            let file = counters.insist_on_file(api, &path, "image/png", &self.cast.png).await;
            body["media_id"] = file["media_id"].clone();
        }
        let path = format!("/conversations/{}/messages", self.cast.places[line.place].conversation);
        let answer = counters.insist(api, Method::POST, &path, &body).await;
        self.then(person, line, &id_of(&answer)).await;
    }

    /// Sends it over the socket at once; the rest comes when it is answered.
    fn says(&self, person: &NovaPerson, line: &Line, pipeline: usize) -> impl Future<Output = ()> {
        let conversation = &self.cast.places[line.place].conversation;
        let first = person.client.send(conversation, &line.text, &line.key());
        async move {
            let mut answer = first.await;
            while answer["type"] != "ack" {
                assert!(pipeline == 1, "refused: {answer}");
                assert!(
                    ["SERVICE_UNAVAILABLE", "DATABASE_ERROR"].contains(&answer["code"].as_str().unwrap()),
                    "{answer}"
                );
                self.counters.repeated.fetch_add(1, Ordering::Relaxed);
                sleep(RETRY).await;
                answer = person.client.send(conversation, &line.text, &line.key()).await;
            }
            self.then(person, line, &id_of(&answer)).await;
        }
    }

    /// What a Nova user does once a message is accepted.
    async fn then(&self, person: &NovaPerson, line: &Line, message: &str) {
        let Self { cast, counters, .. } = self;
        counters.said.fetch_add(1, Ordering::Relaxed);
        let (api, place) = (&person.user.api, &cast.places[line.place]);
        let path = format!("/messages/{message}");
        match line.fate {
            Fate::Stays | Fate::Picture => {}
            Fate::Edited => {
                for text in line.edits() {
                    let body = json!({ "content": text });
                    counters.insist(api, Method::PUT, &path, &body).await;
                }
            }
            Fate::Reacted => {
                for emoji in [KEPT, TAKEN_BACK] {
                    let body = json!({ "emoji": emoji });
                    let path = format!("{path}/reactions");
                    counters.insist(api, Method::POST, &path, &body).await;
                }
                let path = format!("{path}/reactions/{}?emoji={}", person.user.id, enc(TAKEN_BACK));
                counters.insist_on_end(api, Method::DELETE, &path, &json!({})).await;
            }
            Fate::Greets => {
                let path = format!("/messages/{}/reactions", place.opening.message);
                let body = json!({ "emoji": line.greeting() });
                counters.insist(api, Method::POST, &path, &body).await;
            }
            Fate::Deleted => {
                counters.insist_on_end(api, Method::DELETE, &path, &json!({})).await;
            }
        }
        counters.acts.fetch_add(1, Ordering::Relaxed);
        if line.is_last {
            let path = format!("/conversations/{}/read", place.conversation);
            let read = counters.insist(api, Method::POST, &path, &json!({})).await;
            let up_to = read["last_read_sequence"].as_i64().unwrap();
            let mut ledger = self.ledger.lock().unwrap();
            ledger.read.insert((line.place, person.user.mxid.clone()), up_to);
        }
    }
}

fn reaction(target: &str, key: &str) -> Value {
    json!({ "m.relates_to": { "rel_type": "m.annotation", "event_id": target, "key": key } })
}
