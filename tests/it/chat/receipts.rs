//! Who has read what, from one side to the other and among Nova users.

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use super::direct;
use crate::support::bridge::{NovaUser, TestBridge};
use crate::support::homeserver::{Fault, On};

const ALICE: &str = "@alice:example.org";

async fn unread(nova: &NovaUser, conversation: &str) -> Value {
    nova.get(&format!("/conversations/{conversation}")).await.1["unread_count"].clone()
}

/// What Matrix knows that a ghost has read.
fn receipt(bridge: &TestBridge, room: &str, user: &str, kind: &str) -> Option<String> {
    let key = (room.to_owned(), user.to_owned(), kind.to_owned());
    bridge.homeserver.inspect(|world| world.receipts.get(&key).cloned())
}

async fn until_receipt(bridge: &TestBridge, room: &str, user: &str, kind: &str, event: &str) {
    let key = (room.to_owned(), user.to_owned(), kind.to_owned());
    bridge
        .homeserver
        .wait_for(&format!("{user} has read {event}"), |world| {
            (world.receipts.get(&key)? == event).then_some(())
        })
        .await;
}

fn receipts_sent(bridge: &TestBridge) -> usize {
    let requests = bridge.homeserver.requests();
    requests.iter().filter(|it| it.target.contains("/receipt/")).count()
}

/// The event that says this in a room, once it is there.
async fn arrives(bridge: &TestBridge, room: &str, body: &str) -> String {
    bridge
        .homeserver
        .wait_for("the message arrives", |world| {
            let timeline = &world.rooms.get(room)?.timeline;
            let found = timeline.iter().find(|it| it["content"]["body"] == body);
            Some(found?["event_id"].as_str()?.to_owned())
        })
        .await
}

async fn mark_read(nova: &NovaUser, conversation: &str, body: Value) -> Value {
    let (status, answer) = nova.post(&format!("/conversations/{conversation}/read"), body).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn what_a_nova_user_reads_is_read_in_matrix(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let (room, conversation) = direct(&bridge, &ana).await;
    let alice = bridge.homeserver.user(ALICE);
    let mut socket = ana.socket().await;
    let events: Vec<String> = (1..=3).map(|n| alice.send_text(&room, &n.to_string())).collect();
    let mut last = json!(null);
    for _ in 0..3 {
        last = socket.next("message.new").await;
    }
    assert_eq!(unread(&ana, &conversation).await, 3);
    let second = ana.get(&format!("/conversations/{conversation}/messages")).await.1[1]["id"].clone();
    let answer = mark_read(&ana, &conversation, json!({ "message_id": second })).await;
    assert_eq!(answer["last_read_sequence"], 2, "{answer}");
    assert_eq!(answer["unread_count"], 1);
    let frame = socket.next("read_receipt").await;
    assert_eq!((&frame["user_id"], &frame["message_id"]), (&json!(ana.id), &second));
    let frame = socket.next("message.read").await;
    let data = json!({ "conversation_id": conversation, "user_id": ana.id, "last_read_message_id": second });
    assert_eq!(frame["data"], data);
    until_receipt(&bridge, &room, &ana.mxid, "m.read", &events[1]).await;
    // Nobody reads backwards.
    let answer = mark_read(&ana, &conversation, json!({ "sequence_number": 1 })).await;
    assert_eq!(
        (&answer["last_read_sequence"], &answer["last_read_message_id"]),
        (&json!(2), &second)
    );
    // The socket's frame does the same, up to the end.
    socket
        .send(json!({ "type": "message.read", "conversation_id": conversation, "request_id": 7 }))
        .await;
    let ack = socket.next("ack").await;
    assert_eq!((&ack["request_id"], &ack["unread_count"]), (&json!(7), &json!(0)));
    assert_eq!(ack["last_read_message_id"], last["id"]);
    until_receipt(&bridge, &room, &ana.mxid, "m.read", &events[2]).await;
    assert_eq!(unread(&ana, &conversation).await, 0);
    let (_, members) = ana.get(&format!("/conversations/{conversation}/members")).await;
    let own = members["members"]
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["user_id"] == json!(ana.id));
    assert_eq!(own.unwrap()["last_read_sequence"], 3);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn what_a_matrix_user_reads_is_shown_in_nova(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let (room, conversation) = direct(&bridge, &ana).await;
    let alice = bridge.homeserver.user(ALICE);
    let mut socket = ana.socket().await;
    let mut said = Vec::new();
    let mut events = Vec::new();
    for text in ["one", "two", "three"] {
        said.push(ana.say(&conversation, text).await["id"].clone());
        events.push(socket.next("message.delivery").await["matrix_event_id"].clone());
    }
    let event = |n: usize| events[n].as_str().unwrap();
    // Out of order, and twice: she is where she has been farthest.
    for n in [1, 0, 1] {
        alice.read_up_to(&room, event(n));
    }
    bridge.homeserver.wait_until_pushed().await;
    alice.read_up_to(&room, event(2));
    let mut cursor = String::new();
    for n in [1, 2] {
        let frame = socket.next("read_receipt").await;
        let alice = frame["user_id"].clone();
        assert_eq!(
            (&frame["message_id"], &frame["last_read_sequence"]),
            (&said[n], &json!(n + 1))
        );
        let frame = socket.next("message.read").await;
        assert_eq!(
            (&frame["data"]["user_id"], &frame["data"]["last_read_message_id"]),
            (&alice, &said[n])
        );
        frame["stream_id"].as_str().unwrap().clone_into(&mut cursor);
    }
    // A cursor leads past what a socket missed.
    drop(socket);
    let more = ana.say(&conversation, "four").await["id"].clone();
    let room_event = arrives(&bridge, &room, "four").await;
    bridge.homeserver.wait_until_pushed().await;
    alice.read_up_to(&room, &room_event);
    let mut socket = ana.socket_with(&format!("&since={cursor}")).await;
    assert_eq!(socket.next("read_receipt").await["message_id"], more);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_receipt_for_something_else_stands_for_the_message_before_it(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let (room, conversation) = direct(&bridge, &ana).await;
    let alice = bridge.homeserver.user(ALICE);
    let mut socket = ana.socket().await;
    let said = ana.say(&conversation, "look").await;
    socket.next("message.delivery").await;
    let topic = alice.send_state(&room, "m.room.topic", "", json!({ "topic": "looking" }));
    bridge.homeserver.wait_until_pushed().await;
    let later = ana.say(&conversation, "again").await;
    socket.next("message.delivery").await;
    bridge.homeserver.wait_until_pushed().await;
    alice.read_up_to(&room, &topic);
    assert_eq!(socket.next("read_receipt").await["message_id"], said["id"]);
    let other = alice.send(&room, "org.example.unknown", json!({}));
    alice.read_up_to(&room, &other);
    assert_eq!(socket.next("read_receipt").await["message_id"], later["id"]);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn receipts_that_belong_to_nobody_here_change_nothing(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let (ana, ben) = (bridge.account("ana").await, bridge.account("ben").await);
    let (room, conversation) = direct(&bridge, &ana).await;
    let (other_room, _) = direct(&bridge, &ben).await;
    let alice = bridge.homeserver.user(ALICE);
    let mut socket = ana.socket().await;
    let said = ana.say(&conversation, "hello").await;
    let event = socket.next("message.delivery").await["matrix_event_id"].clone();
    let elsewhere = alice.send_text(&other_room, "elsewhere");
    bridge.homeserver.wait_until_pushed().await;
    let event = event.as_str().unwrap();
    let told = |room: &str, event: &str, kind: &str, user: &str, more: Value| {
        let mut receipt = json!({ "ts": 1 });
        if let Value::Object(more) = more {
            receipt.as_object_mut().unwrap().extend(more);
        }
        json!({ "type": "m.receipt", "room_id": room, "content": { event: { kind: { user: receipt } } } })
    };
    let ephemeral = json!([
        told("!nowhere:example.org", event, "m.read", ALICE, json!({})),
        told(&room, "$unknown", "m.read", ALICE, json!({})),
        told(&room, &elsewhere, "m.read", ALICE, json!({})),
        told(&room, event, "m.read", "@mallory:example.org", json!({})),
        told(&room, event, "m.read", &ben.mxid, json!({})),
        told(&room, event, "m.read.private", ALICE, json!({})),
        told(&room, event, "m.read", ALICE, json!({ "thread_id": "$thread" })),
        { "type": "m.receipt", "room_id": room, "content": { event: 7, "$\u{0}": { "m.read": { ALICE: {} } } } },
        null,
    ]);
    let body = json!({ "events": [], "ephemeral": ephemeral }).to_string();
    assert_eq!(bridge.homeserver.push_body("bad", body).await, 200);
    // The next real one is the first that is shown.
    let body = json!({ "de.sorunome.msc2409.ephemeral": [told(&room, event, "m.read", ALICE, json!({ "thread_id": "main" }))] });
    assert_eq!(bridge.homeserver.push_body("good", body.to_string()).await, 200);
    let frame = socket.next("read_receipt").await;
    assert_eq!(frame["message_id"], said["id"]);
    let (_, members) = ana.get(&format!("/conversations/{conversation}/members")).await;
    let alice = members["members"]
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["username"] == ALICE)
        .unwrap();
    assert_eq!(frame["user_id"], alice["user_id"]);
    assert_eq!(alice["last_read_sequence"], 1);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_ghost_reads_through_its_own_client_too(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let (room, conversation) = direct(&bridge, &ana).await;
    let mut socket = ana.socket().await;
    let event = bridge.homeserver.user(ALICE).send_text(&room, "read me");
    socket.next("message.new").await;
    assert_eq!(unread(&ana, &conversation).await, 1);
    bridge.homeserver.user(&ana.mxid).read_up_to(&room, &event);
    assert_eq!(socket.next("read_receipt").await["user_id"], json!(ana.id));
    assert_eq!(unread(&ana, &conversation).await, 0);
    assert_eq!(receipts_sent(&bridge), 0, "Matrix knows");
    // What she says there counts as read, too.
    bridge.homeserver.user(ALICE).send_text(&room, "and?");
    bridge.homeserver.user(&ana.mxid).send_text(&room, "nice");
    socket.texts(2).await;
    assert_eq!(unread(&ana, &conversation).await, 0);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn nova_users_see_what_each_other_has_read(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let (ana, ben) = (bridge.account("ana").await, bridge.account("ben").await);
    let conversation = ana.chats_with(&ben).await;
    let room = super::room_of(&bridge, &conversation).await;
    super::membership(&bridge, &room, &ben.mxid, "join").await;
    let mut hers = ana.socket().await;
    let said = ana.say(&conversation, "hi").await;
    assert_eq!(unread(&ana, &conversation).await, 0, "her own");
    assert_eq!(unread(&ben, &conversation).await, 1);
    mark_read(&ben, &conversation, json!({})).await;
    let frame = hers.next("read_receipt").await;
    assert_eq!((&frame["user_id"], &frame["message_id"]), (&json!(ben.id), &said["id"]));
    // His receipt waits until her message is in the room.
    let event = arrives(&bridge, &room, "hi").await;
    until_receipt(&bridge, &room, &ben.mxid, "m.read", &event).await;
    ben.say(&conversation, "hello").await;
    assert_eq!(unread(&ben, &conversation).await, 0);
    assert_eq!(unread(&ana, &conversation).await, 1);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn only_the_newest_receipt_waits_for_a_homeserver_that_is_away(pool: PgPool) {
    let mut bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let (room, conversation) = direct(&bridge, &ana).await;
    let alice = bridge.homeserver.user(ALICE);
    let mut socket = ana.socket().await;
    bridge
        .homeserver
        .fail_every(On::Path("/receipt/"), Fault::Status(503, "M_UNKNOWN", None));
    let mut last = String::new();
    for n in 0..10 {
        last = alice.send_text(&room, &n.to_string());
        socket.texts(1).await;
        mark_read(&ana, &conversation, json!({})).await;
    }
    let waiting: i64 = sqlx::query_scalar("SELECT count(*) FROM receipts_to_send")
        .fetch_one(&bridge.pool)
        .await
        .unwrap();
    assert_eq!(waiting, 1);
    // It survives a restart, and messages do not wait for it.
    bridge.restart().await;
    let ana = ana.at(&bridge);
    ana.say(&conversation, "in between").await;
    bridge
        .homeserver
        .wait_for("the message arrives", |world| {
            world
                .rooms
                .get(&room)?
                .texts()
                .contains(&"in between".to_owned())
                .then_some(())
        })
        .await;
    assert_eq!(receipt(&bridge, &room, &ana.mxid, "m.read"), None);
    bridge.homeserver.heal();
    until_receipt(&bridge, &room, &ana.mxid, "m.read", &last).await;
}

/// Ana reads something of Alice's at a bridge with this setting. Returns the room and the event.
async fn reads_with(bridge: &TestBridge, ana: &NovaUser) -> (String, String) {
    let (room, conversation) = direct(bridge, ana).await;
    let mut socket = ana.socket().await;
    let event = bridge.homeserver.user(ALICE).send_text(&room, "psst");
    socket.texts(1).await;
    mark_read(ana, &conversation, json!({})).await;
    socket.next("read_receipt").await;
    (room, event)
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn receipts_can_be_private(pool: PgPool) {
    let bridge = TestBridge::with_rooms(pool, "receipts: private").await;
    let ana = bridge.account("ana").await;
    let (room, event) = reads_with(&bridge, &ana).await;
    until_receipt(&bridge, &room, &ana.mxid, "m.read.private", &event).await;
    assert_eq!(receipt(&bridge, &room, &ana.mxid, "m.read"), None);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn receipts_can_be_off(pool: PgPool) {
    let bridge = TestBridge::with_rooms(pool, "receipts: off").await;
    let ana = bridge.account("ana").await;
    reads_with(&bridge, &ana).await;
    let owed: i64 = sqlx::query_scalar("SELECT count(*) FROM receipts_to_send")
        .fetch_one(&bridge.pool)
        .await
        .unwrap();
    assert_eq!((owed, receipts_sent(&bridge)), (0, 0));
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn what_is_gone_is_not_unread(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let (room, conversation) = direct(&bridge, &ana).await;
    let alice = bridge.homeserver.user(ALICE);
    let mut socket = ana.socket().await;
    let regretted = alice.send_text(&room, "one");
    let kept = alice.send_text(&room, "two");
    alice.send(&room, "m.room.redaction", json!({ "redacts": regretted }));
    socket.next("message.deleted").await;
    assert_eq!(unread(&ana, &conversation).await, 1);
    alice.send(&room, "m.room.redaction", json!({ "redacts": kept }));
    socket.next("message.deleted").await;
    assert_eq!(unread(&ana, &conversation).await, 0);
    let path = format!("/conversations/{conversation}/read");
    let (_, answer) = ana.post(&path, json!({ "sequence_number": 1 })).await;
    assert_eq!(answer["unread_count"], 0);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn what_cannot_be_read_is_refused(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let (ana, ben) = (bridge.account("ana").await, bridge.account("ben").await);
    let (room, conversation) = direct(&bridge, &ana).await;
    let (other_room, other) = direct(&bridge, &ben).await;
    let alice = bridge.homeserver.user(ALICE);
    let mut his = ben.socket().await;
    alice.send_text(&room, "here");
    alice.send_text(&other_room, "there");
    let there = his.next("message.new").await["id"].clone();
    let path = format!("/conversations/{conversation}/read");
    for (body, status) in [
        (json!({ "message_id": there }), 404),
        (json!({ "message_id": Uuid::from_u128(1) }), 404),
        (json!({ "message_id": 7 }), 400),
        (json!({ "sequence_number": -1 }), 400),
        (json!([]), 400),
    ] {
        assert_eq!(ana.post(&path, body.clone()).await.0, status, "{body}");
    }
    assert_eq!(
        ana.post(&format!("/conversations/{other}/read"), json!({})).await.0,
        403
    );
    let unknown = format!("/conversations/{}/read", Uuid::from_u128(1));
    assert_eq!(ana.post(&unknown, json!({})).await.0, 404);
    for prefix in ["", "/api/v1", "/api/v2/chat"] {
        // A number that nobody has reached yet means everything.
        let (status, answer) = ana
            .post(&format!("{prefix}{path}"), json!({ "sequence_number": 99 }))
            .await;
        assert_eq!((status, &answer["last_read_sequence"]), (200, &json!(1)), "{prefix}");
        assert_eq!(answer["message"], "read");
    }
    let mut socket = ana.socket_with(&format!("&conversation_id={conversation}")).await;
    socket.send(json!({ "type": "message.read" })).await;
    socket
        .send(json!({ "type": "message.read", "conversation_id": other, "request_id": 1 }))
        .await;
    assert_eq!(socket.next("ack").await["unread_count"], 0);
    assert_eq!(socket.next("error").await["request_id"], 1);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn what_was_read_before_a_message_that_is_deleted_unsent_is_read_in_matrix(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let (room, conversation) = direct(&bridge, &ana).await;
    let alice = bridge.homeserver.user(ALICE);
    let down = Fault::Status(502, "M_UNKNOWN", None);
    for take_away in ["delete", "recall"] {
        let event = alice.send_text(&room, "tea?");
        bridge.homeserver.wait_until_pushed().await;
        bridge.homeserver.fail_every(On::Send, down.clone());
        // Saying something is reading what was said before, and no receipt of its own.
        let said = ana.say(&conversation, "oops").await;
        assert_eq!(unread(&ana, &conversation).await, 0);
        assert_ne!(receipt(&bridge, &room, &ana.mxid, "m.read"), Some(event.clone()));
        let id = said["id"].as_str().unwrap();
        let (method, path) = match take_away {
            "delete" => (Method::DELETE, format!("/messages/{id}")),
            _ => (
                Method::POST,
                format!("/conversations/{conversation}/messages/{id}/recall"),
            ),
        };
        let (status, answer) = ana.request(method, &path, Some(json!({}))).await;
        assert!((200..300).contains(&status), "{answer}");
        until_receipt(&bridge, &room, &ana.mxid, "m.read", &event).await;
        bridge.homeserver.heal();
    }
    let texts = bridge.homeserver.texts(&room);
    assert!(!texts.contains(&"oops".to_owned()), "{texts:?}");
}
