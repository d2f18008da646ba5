//! Messages are pinned on either side.

mod decided;
mod powers;

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::direct;
use crate::support::bridge::{NovaUser, TestBridge};
use crate::support::homeserver::User;
use crate::support::socket::Socket;

const LIST: &str = "m.room.pinned_events";

/// A direct conversation of Ana and Alice.
struct Chat {
    bridge: TestBridge,
    room: String,
    conversation: String,
    ana: NovaUser,
    alice: User,
}

impl Chat {
    async fn new(pool: PgPool) -> Self {
        let bridge = TestBridge::start(pool).await;
        let ana = bridge.account("ana").await;
        let (room, conversation) = direct(&bridge, &ana).await;
        let alice = bridge.homeserver.user("@alice:example.org");
        let chat = Self {
            bridge,
            room,
            conversation,
            ana,
            alice,
        };
        // Whoever comes to a room reads its state, which must not tell more than was pushed.
        chat.settled().await;
        chat
    }

    /// Alice says something: its event, and its message.
    async fn hears(&self, socket: &mut Socket, text: &str) -> (String, String) {
        let event = self.alice.send_text(&self.room, text);
        (event, id(&socket.next("message.new").await["id"]))
    }

    /// Ana says something: its event, and its message.
    async fn says(&self, socket: &mut Socket, text: &str) -> (String, String) {
        let message = id(&self.ana.say(&self.conversation, text).await["id"]);
        let sent = socket.next("message.delivery").await;
        (id(&sent["matrix_event_id"]), message)
    }

    /// Alice sets the room's list.
    fn sets(&self, events: &[&str]) {
        self.alice.send_state(&self.room, LIST, "", json!({ "pinned": events }));
    }

    /// Waits until the room's list is this.
    async fn lists(&self, events: &[&str]) {
        let wanted = json!(events);
        let what = format!("the list is {wanted}");
        self.bridge
            .homeserver
            .wait_for(&what, |world| {
                let list = world.rooms[&self.room].content(LIST, "")?;
                (list["pinned"] == wanted).then_some(())
            })
            .await;
    }

    /// How often the room's list was set.
    fn times(&self) -> usize {
        let timeline = self.bridge.homeserver.timeline(&self.room);
        timeline.iter().filter(|event| event["type"] == LIST).count()
    }

    async fn pin(&self, message: &str) -> (u16, Value) {
        self.ana.post(&format!("/messages/{message}/pin"), json!({})).await
    }

    async fn unpin(&self, message: &str) -> (u16, Value) {
        let path = format!("/messages/{message}/pin");
        self.ana.request(Method::DELETE, &path, None).await
    }

    /// Waits until everything that was asked of Matrix is done, and told back.
    async fn settled(&self) {
        let marker = self.ana.say(&self.conversation, "and then?").await;
        self.bridge
            .homeserver
            .wait_for("the lane is worked off", |world| {
                let all = &world.rooms[&self.room].timeline;
                all.iter()
                    .any(|event| event["content"]["social.nova.id"] == marker["id"])
                    .then_some(())
            })
            .await;
        self.bridge.homeserver.wait_until_pushed().await;
    }
}

fn id(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no id: {value}")).to_owned()
}

/// The ids of the messages that are pinned, the last one first.
async fn pinned(nova: &NovaUser, conversation: &str) -> Vec<String> {
    let (status, list) = nova.get(&format!("/conversations/{conversation}/pinned")).await;
    assert_eq!(status, 200, "{list}");
    let ids = |key: &str, field: &str| -> Vec<String> {
        let all = list[key].as_array().unwrap();
        all.iter().map(|it| id(&it[field])).collect()
    };
    let messages = ids("messages", "id");
    assert_eq!(messages, ids("pins", "message_id"));
    messages
}

async fn dead_letters(bridge: &TestBridge) -> Value {
    let (_, letters) = bridge.admin(Method::GET, "/dead-letters", None).await;
    letters["dead_letters"].clone()
}

/// A frame without what is chance.
fn plain(mut frame: Value, known: &[(&str, &str)]) -> Value {
    for key in ["stream_id", "timestamp", "pinned_at"] {
        if let Some(value) = frame.get_mut(key) {
            *value = json!(format!("[{key}]"));
        }
    }
    let mut text = frame.to_string();
    for (value, name) in known {
        text = text.replace(value, name);
    }
    serde_json::from_str(&text).unwrap()
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn what_is_pinned_in_element_is_pinned_in_nova(pool: PgPool) {
    let chat = Chat::new(pool).await;
    let mut socket = chat.ana.socket().await;
    let (hers, message) = chat.hears(&mut socket, "the door code is 4711").await;
    let (own, other) = chat.says(&mut socket, "thanks").await;
    chat.sets(&[&hers]);
    let first = socket.next("message.pinned").await;
    let author = id(&first["user_id"]);
    let cursor = id(&first["stream_id"]);
    let known = [
        (message.as_str(), "[message]"),
        (chat.conversation.as_str(), "[conversation]"),
        (author.as_str(), "[alice]"),
    ];
    assert_eq!(pinned(&chat.ana, &chat.conversation).await, [message.as_str()]);
    // The same again, and more.
    chat.sets(&[&hers]);
    chat.sets(&[&hers, &own, &own]);
    assert_eq!(socket.next("message.pinned").await["message_id"], json!(other));
    assert_eq!(pinned(&chat.ana, &chat.conversation).await, [&*other, &*message]);
    chat.sets(&[&own]);
    let down = socket.next("message.unpinned").await;
    insta::assert_json_snapshot!("from_matrix", [first, down].map(|frame| plain(frame, &known)));
    // Who comes later is told the same.
    let mut later = chat.ana.socket_with(&format!("&since={cursor}")).await;
    assert_eq!(later.next("message.pinned").await["message_id"], json!(other));
    assert_eq!(later.next("message.unpinned").await["message_id"], json!(message));
    // What is redacted is pinned no more; the list may go on naming it.
    chat.alice.redact(&chat.room, &own);
    assert_eq!(socket.next("message.unpinned").await["message_id"], json!(other));
    chat.sets(&[&own, &hers]);
    assert_eq!(socket.next("message.pinned").await["message_id"], json!(message));
    assert_eq!(pinned(&chat.ana, &chat.conversation).await, [message.as_str()]);
    // Without a list nothing is pinned; what is none changes nothing.
    let nonsense = json!({ "pinned": "everything" });
    chat.alice.send_state(&chat.room, LIST, "", nonsense);
    chat.alice
        .send_state(&chat.room, LIST, "", json!({ "pinned": [1, hers] }));
    chat.alice.send_state(&chat.room, LIST, "", json!({}));
    assert_eq!(socket.next("message.unpinned").await["message_id"], json!(message));
    assert!(pinned(&chat.ana, &chat.conversation).await.is_empty());
    assert_eq!(dead_letters(&chat.bridge).await, json!([]));
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn what_is_pinned_in_nova_is_pinned_in_element(pool: PgPool) {
    let chat = Chat::new(pool).await;
    let mut socket = chat.ana.socket().await;
    let (hers, message) = chat.hears(&mut socket, "helo").await;
    let (own, other) = chat.says(&mut socket, "hello").await;
    // An event that Nova never heard of stays on the list.
    chat.sets(&["$older"]);
    for _ in 0..2 {
        let (status, answer) = chat.pin(&message).await;
        assert_eq!(status, 200, "{answer}");
        assert_eq!(answer["message_id"], json!(message));
    }
    let frame = socket.next("message.pinned").await;
    assert_eq!(
        (&frame["message_id"], &frame["user_id"]),
        (&json!(message), &json!(chat.ana.id))
    );
    chat.lists(&["$older", &hers]).await;
    let path = format!("/api/v1/conversations/{}/messages/{other}/pin", chat.conversation);
    assert_eq!(chat.ana.post(&path, json!({})).await.0, 200);
    chat.lists(&["$older", &hers, &own]).await;
    for _ in 0..2 {
        let (status, answer) = chat.unpin(&message).await;
        assert_eq!((status, answer), (200, json!({ "success": true })));
    }
    assert_eq!(socket.next("message.unpinned").await["message_id"], json!(message));
    chat.lists(&["$older", &own]).await;
    let list = chat.bridge.homeserver.timeline(&chat.room);
    let list = list.iter().rev().find(|event| event["type"] == LIST).unwrap().clone();
    assert_eq!(list["sender"], json!(chat.ana.mxid), "it is the user's own doing");
    // What is deleted leaves both lists.
    assert_eq!(
        chat.ana
            .request(Method::DELETE, &format!("/messages/{other}"), None)
            .await
            .0,
        200
    );
    assert_eq!(socket.next("message.unpinned").await["message_id"], json!(other));
    chat.lists(&["$older"]).await;
    chat.settled().await;
    assert_eq!(chat.times(), 5, "and no echo is sent again");
    assert!(pinned(&chat.ana, &chat.conversation).await.is_empty());
    assert_eq!(dead_letters(&chat.bridge).await, json!([]));
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn what_is_pinned_before_it_comes_is_pinned_when_it_comes(pool: PgPool) {
    let chat = Chat::new(pool).await;
    let mut socket = chat.ana.socket().await;
    let event = |id: &str, event_type: &str, content: Value| {
        json!({
            "type": event_type, "event_id": id, "room_id": chat.room, "sender": "@alice:example.org",
            "origin_server_ts": 1_800_000_000_000_i64, "content": content,
        })
    };
    let mut list = event("$list", LIST, json!({ "pinned": ["$late", "$never"] }));
    list["state_key"] = json!("");
    let late = event(
        "$late",
        "m.room.message",
        json!({ "msgtype": "m.text", "body": "late" }),
    );
    for events in [vec![list.clone()], vec![list], vec![late]] {
        assert_eq!(chat.bridge.homeserver.push_raw(events).await, 200);
    }
    let new = socket.next("message.new").await;
    assert_eq!(socket.next("message.pinned").await["message_id"], new["id"]);
    assert_eq!(pinned(&chat.ana, &chat.conversation).await, [id(&new["id"])]);
}
