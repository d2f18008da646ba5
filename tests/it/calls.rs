//! Element calls Nova and Nova calls Element, event by event. The scenarios have the numbers of `matrix-voip.md` §7.

mod among_nova;
mod ending;
mod from_matrix;
mod sending;
mod strangers;
mod to_matrix;

use nova_bridge::bridge::calls::PlaceCall;
use nova_bridge::domain::call::{Call, Candidate, Dialect, EndReason, Input, News, Sdp, Topology};
use nova_bridge::domain::feed::Change;
use nova_bridge::domain::ids::{CallId, ConversationId, UserId};
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use crate::chat::direct;
use crate::support::bridge::{NovaUser, TestBridge};
use crate::support::homeserver::{User, World};

const ALICE: &str = "@alice:example.org";
const MINE: &str = "call1";

/// What a browser offers or answers, with one stream of that name.
fn sdp(stream: &str) -> String {
    format!(
        "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\n\
         a=mid:0\r\na=sendrecv\r\na=msid:{stream} track\r\na=rtpmap:111 opus/48000/2\r\n"
    )
}

fn offer(stream: &str) -> Sdp {
    Sdp::read(sdp(stream)).unwrap()
}

fn candidate(n: usize) -> Candidate {
    Candidate {
        candidate: format!("candidate:{n} 1 udp 2 10.0.0.1 {} typ host", 5000 + n),
        sdp_mid: Some("0".to_owned()),
        sdp_mline_index: Some(0),
        username_fragment: None,
    }
}

/// A direct chat of Alice, who is in Matrix, and Ana, who is in Nova.
struct Stage {
    bridge: TestBridge,
    ana: NovaUser,
    alice: User,
    room: String,
    conversation: ConversationId,
    /// How much of the news of calls was seen.
    seen: (i64, i32),
}

impl Stage {
    async fn new(pool: PgPool) -> Self {
        let bridge = TestBridge::start(pool).await;
        let ana = bridge.account("ana").await;
        let (room, conversation) = direct(&bridge, &ana).await;
        bridge.homeserver.wait_until_pushed().await;
        Self {
            alice: bridge.homeserver.user(ALICE),
            conversation: conversation.parse().unwrap(),
            seen: (0, 0),
            bridge,
            ana,
            room,
        }
    }

    fn ana_id(&self) -> UserId {
        UserId(self.ana.id)
    }

    /// What Ana does in a call.
    async fn does(&self, call: CallId, input: Input) -> Call {
        let bridge = &self.bridge.app().bridge;
        bridge.call_input(call, self.ana_id(), input).await.unwrap()
    }

    async fn accepts(&self, call: CallId) -> Call {
        let answer = Input::Answer {
            by: self.ana_id(),
            answer: offer("ana"),
            metadata: None,
            dialect: Dialect::Nova,
            claim: None,
        };
        self.does(call, answer).await
    }

    async fn rejects(&self, call: CallId) {
        let reject = Input::Reject {
            by: self.ana_id(),
            busy: false,
        };
        self.does(call, reject).await;
    }

    async fn hangs_up(&self, call: CallId) {
        let end = Input::End {
            by: self.ana_id(),
            reason: EndReason::UserHangup,
        };
        self.does(call, end).await;
    }

    fn wanted(&self) -> PlaceCall {
        PlaceCall {
            conversation: self.conversation,
            topology: Topology::Direct,
            offer: Some(offer("ana")),
            metadata: None,
            is_video: None,
            max_participants: 2,
            idempotency_key: None,
            dialect: Dialect::Nova,
        }
    }

    /// Ana calls Alice.
    async fn calls(&self) -> Call {
        let bridge = &self.bridge.app().bridge;
        bridge.place_call(self.ana_id(), self.wanted()).await.unwrap()
    }

    /// What Alice's client sends of a call, with the fields that each of its events has.
    fn says(&self, act: &str, call: &str, party: &str, content: &Value) -> String {
        let mut whole = json!({ "call_id": call, "party_id": party, "version": "1" });
        whole
            .as_object_mut()
            .unwrap()
            .extend(content.as_object().unwrap().clone());
        self.alice.send(&self.room, &format!("m.call.{act}"), whole)
    }

    /// Alice calls Ana.
    fn alice_calls(&self, call: &str) {
        self.says(
            "invite",
            call,
            "ALICE1",
            &json!({ "lifetime": 60_000, "offer": { "type": "offer", "sdp": sdp("alice") } }),
        );
    }

    fn answers(&self, call: &str, party: &str) {
        let answer = json!({ "answer": { "type": "answer", "sdp": sdp("alice") } });
        self.says("answer", call, party, &answer);
    }

    /// An event of Alice's as Synapse pushes it, of which everything can be chosen.
    fn event(&self, id: &str, act: &str, content: &Value) -> Value {
        json!({
            "type": format!("m.call.{act}"), "event_id": id, "room_id": self.room, "sender": ALICE,
            "origin_server_ts": now_ms(), "unsigned": { "age": 5 }, "content": content,
        })
    }

    fn invite_event(&self, id: &str, call: &str) -> Value {
        let offer = json!({ "type": "offer", "sdp": sdp("alice") });
        self.event(
            id,
            "invite",
            &json!({ "call_id": call, "party_id": "ALICE1", "version": "1", "lifetime": 60_000, "offer": offer }),
        )
    }

    async fn push(&self, events: Vec<Value>) {
        self.bridge.homeserver.wait_until_pushed().await;
        assert_eq!(self.bridge.homeserver.push_raw(events).await, 200);
    }

    /// The next news of a call that Ana is told.
    async fn news(&mut self) -> (CallId, News) {
        let found = tokio::time::timeout(std::time::Duration::from_secs(20), async {
            loop {
                if let Some(news) = self.next_news().await {
                    return news;
                }
            }
        });
        found.await.expect("there is news of a call")
    }

    async fn next_news(&mut self) -> Option<(CallId, News)> {
        let row: Option<(i64, i32, String)> = sqlx::query_as(
            "SELECT position, n, payload::text FROM conversation_feed
             WHERE (position, n) > ($1, $2) AND audience = $3 AND payload->>'type' = 'call' ORDER BY position, n LIMIT 1",
        )
        .bind(self.seen.0)
        .bind(self.seen.1)
        .bind(self.ana.id)
        .fetch_optional(&self.bridge.pool)
        .await
        .unwrap();
        let (position, n, payload) = row?;
        self.seen = (position, n);
        let change = serde_json::from_str(&payload).unwrap();
        let Change::Call { call, news } = change else {
            panic!("no news of a call: {change:?}");
        };
        Some((call, news))
    }

    /// The call that rings for Ana now.
    async fn rings(&mut self) -> CallId {
        match self.news().await {
            (call, News::Initiated { .. }) => call,
            other => panic!("it does not ring: {other:?}"),
        }
    }

    /// Skips news until there is some of this kind.
    async fn until<A>(&mut self, mut wanted: impl FnMut(CallId, News) -> Option<A>) -> A {
        loop {
            let (call, news) = self.news().await;
            if let Some(found) = wanted(call, news) {
                return found;
            }
        }
    }

    /// How the next call ends for Ana, and what is said about it.
    async fn end(&mut self) -> (EndReason, Option<String>) {
        self.until(|_, news| {
            if let News::Ended { reason, detail, .. } = news {
                Some((reason, detail))
            } else {
                None
            }
        })
        .await
    }

    /// A direct room in which Ana's ghost has no power, in place of the one that was there.
    async fn without_power(&mut self) {
        let room = json!({ "preset": "private_chat", "is_direct": true, "invite": [self.ana.mxid] });
        self.room = self.alice.create_room(&room);
        crate::chat::membership(&self.bridge, &self.room, &self.ana.mxid, "join").await;
        self.bridge.settled().await;
    }

    /// A call that Alice made and Ana took.
    async fn in_call(&mut self) -> CallId {
        self.alice_calls(MINE);
        let call = self.rings().await;
        self.accepts(call).await;
        self.sent(1).await;
        self.says(
            "select_answer",
            MINE,
            "ALICE1",
            &json!({ "selected_party_id": self.our_party().await }),
        );
        self.bridge.homeserver.wait_until_pushed().await;
        call
    }

    /// A call that Ana made and Alice took: its id, and that in Matrix.
    async fn in_own_call(&mut self) -> (CallId, String) {
        let call = self.calls().await.id;
        let invite = self.sent(1).await.remove(0);
        let matrix_call = invite["content"]["call_id"].as_str().unwrap().to_owned();
        self.answers(&matrix_call, "ALICE1");
        self.until(|_, news| matches!(news, News::Answered { .. }).then_some(()))
            .await;
        self.sent(2).await;
        (call, matrix_call)
    }

    async fn our_party(&self) -> String {
        let sent = self.sent(1).await;
        sent[0]["content"]["party_id"].as_str().unwrap().to_owned()
    }

    /// What the bridge has sent of calls, once it is that many.
    async fn sent(&self, count: usize) -> Vec<Value> {
        let (room, ghost) = (self.room.clone(), self.ana.mxid.clone());
        self.bridge
            .homeserver
            .wait_for(&format!("{count} events of calls"), |world| {
                let sent = sent(world, &room, &ghost);
                (sent.len() >= count).then_some(sent)
            })
            .await
    }

    /// The types of what was sent of calls until now, once nothing more waits to be sent.
    async fn all_sent(&self) -> Vec<String> {
        self.bridge.settled().await;
        let sent = self
            .bridge
            .homeserver
            .inspect(|world| sent(world, &self.room, &self.ana.mxid));
        sent.iter()
            .map(|event| event["type"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The status and the reason of all calls, the oldest first.
    async fn history(&self) -> Vec<(String, Option<String>)> {
        sqlx::query_as("SELECT status, end_reason FROM call_sessions ORDER BY created_at, id")
            .fetch_all(&self.bridge.pool)
            .await
            .unwrap()
    }

    /// The texts of the bridge's own notices in the room.
    fn notices(&self) -> Vec<String> {
        let timeline = self.bridge.homeserver.timeline(&self.room);
        let notices = timeline
            .iter()
            .filter(|event| event["content"]["social.nova.notice"] == true);
        notices
            .map(|event| event["content"]["body"].as_str().unwrap().to_owned())
            .collect()
    }
}

fn sent(world: &World, room: &str, ghost: &str) -> Vec<Value> {
    let timeline = world.rooms.get(room).map(|room| room.timeline.as_slice());
    let ours = timeline
        .unwrap_or_default()
        .iter()
        .filter(|event| event["sender"] == ghost && event["type"].as_str().is_some_and(|it| it.starts_with("m.call.")));
    ours.cloned().collect()
}

fn ended(reason: &str) -> (String, Option<String>) {
    ("ended".to_owned(), Some(reason.to_owned()))
}

fn missed(reason: &str) -> (String, Option<String>) {
    ("missed".to_owned(), Some(reason.to_owned()))
}

#[expect(clippy::disallowed_methods, reason = "the bridge reads the machine's clock too")]
fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(since.unwrap().as_millis()).unwrap()
}

/// A call that nobody has.
const UNKNOWN: CallId = CallId(Uuid::from_u128(7));
