//! What people say in Matrix arrives in Nova.

use serde_json::json;
use sqlx::PgPool;

use super::{conversation_of, direct, membership};
use crate::support::bridge::TestBridge;
use crate::support::homeserver::{Fault, On, World};

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_dm_that_element_opens_is_a_conversation_in_nova(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let mut socket = ana.socket().await;
    let alice = bridge.homeserver.user("@alice:example.org");
    alice.set_name("Alice");

    let (room, conversation) = direct(&bridge, &ana).await;
    let created = socket.next("conversation.created").await;
    assert_eq!(created["conversation_id"], conversation.as_str());
    // Who Alice is came with the invite.
    let event = alice.send_text(&room, "Hello\nNova 👋");
    let frame = socket.next("message.new").await;
    assert_eq!(frame["content"], "Hello\nNova 👋");
    assert_eq!(frame["matrix_event_id"], event.as_str());
    assert_eq!(frame["sequence_number"], 1);

    let (_, members) = ana.get(&format!("/conversations/{conversation}/members")).await;
    let alice = members["members"]
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["matrix_user_id"] == "@alice:example.org");
    assert_eq!(alice.unwrap()["display_name"], "Alice");
    assert_eq!(ana.texts(&conversation).await, ["Hello\nNova 👋"]);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn styles_and_formatting_arrive(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let (room, _) = direct(&bridge, &ana).await;
    let mut socket = ana.socket().await;
    let alice = bridge.homeserver.user("@alice:example.org");
    let html = json!({
        "msgtype": "m.text", "body": "*hi*", "format": "org.matrix.custom.html",
        "formatted_body": "<em>hi</em><script>x</script>",
    });
    alice.send(&room, "m.room.message", html);
    alice.send(
        &room,
        "m.room.message",
        json!({ "msgtype": "m.emote", "body": "waves" }),
    );
    alice.send(
        &room,
        "m.room.message",
        json!({ "msgtype": "m.notice", "body": "beep" }),
    );
    let first = socket.next("message.new").await;
    assert_eq!(
        (&first["content"], &first["formatted_content"]),
        (&json!("*hi*"), &json!("<em>hi</em>x"))
    );
    assert_eq!(socket.next("message.new").await["style"], "emote");
    assert_eq!(socket.next("message.new").await["style"], "notice");
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn the_same_event_under_any_transaction_counts_once(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let (room, conversation) = direct(&bridge, &ana).await;
    let event = |id: &str, body: &str| {
        json!({
            "type": "m.room.message", "event_id": id, "room_id": room, "sender": "@alice:example.org",
            "origin_server_ts": 1_767_863_730_000_i64, "content": { "msgtype": "m.text", "body": body },
        })
    };
    bridge.homeserver.wait_until_pushed().await;
    let first = vec![event("$a", "a"), event("$a", "a"), event("$b", "b")];
    assert_eq!(bridge.homeserver.push_raw(first.clone()).await, 200);
    assert_eq!(bridge.homeserver.push_raw(first).await, 200);
    let (one, other) = tokio::join!(
        bridge.homeserver.push_raw(vec![event("$c", "c")]),
        bridge.homeserver.push_raw(vec![event("$c", "c")]),
    );
    assert_eq!((one, other), (200, 200));
    assert_eq!(ana.texts(&conversation).await, ["a", "b", "c"]);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn what_cannot_be_applied_is_kept_and_blocks_nothing(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let (room, conversation) = direct(&bridge, &ana).await;
    bridge.homeserver.wait_until_pushed().await;
    let message = |id: &str, room: &str, content: serde_json::Value| {
        json!({
            "type": "m.room.message", "event_id": id, "room_id": room, "sender": "@alice:example.org",
            "origin_server_ts": 1_767_863_730_000_i64, "content": content,
        })
    };
    let text = |body: &str| json!({ "msgtype": "m.text", "body": body });
    let status = bridge
        .homeserver
        .push_raw(vec![
            json!(7),
            json!({ "type": "m.room.message", "event_id": "$half" }),
            message("$1", &room, text("before \u{0} after")),
            message("$null", &room, json!(null)),
            message(
                "$image",
                &room,
                json!({ "msgtype": "m.image", "body": "cat.png", "url": "https://example.org/cat" }),
            ),
            message("$elsewhere", "!unknown:example.org", text("lost?")),
            message("$2", &room, text(&"x".repeat(64 * 1024))),
        ])
        .await;
    assert_eq!(status, 200);
    let texts = ana.texts(&conversation).await;
    assert_eq!(texts.len(), 2);
    assert_eq!(texts[0], "before \u{fffd} after");
    let (_, letters) = bridge.admin(reqwest::Method::GET, "/dead-letters", None).await;
    let mut reasons: Vec<&str> = letters["dead_letters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["reason"].as_str().unwrap())
        .collect();
    reasons.sort_unstable();
    assert_eq!(
        reasons,
        [
            "malformed",
            "malformed",
            "not_carried_yet",
            "not_carried_yet",
            "unknown_room"
        ]
    );
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn events_that_come_before_their_room_are_applied_when_it_comes(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let room = "!late:example.org";
    let event = |id: &str, event_type: &str, key: Option<&str>, content: serde_json::Value| {
        let mut event = json!({
            "type": event_type, "event_id": id, "room_id": room, "sender": "@alice:example.org",
            "origin_server_ts": 1_767_863_730_000_i64, "content": content,
        });
        if let Some(key) = key {
            event["state_key"] = json!(key);
        }
        event
    };
    for (id, body) in [("$1", "one"), ("$2", "two")] {
        let early = event(id, "m.room.message", None, json!({ "msgtype": "m.text", "body": body }));
        assert_eq!(bridge.homeserver.push_raw(vec![early]).await, 200);
    }
    let invite = event(
        "$3",
        "m.room.member",
        Some(&ana.mxid),
        json!({ "membership": "invite", "is_direct": true }),
    );
    assert_eq!(bridge.homeserver.push_raw(vec![invite]).await, 200);
    let conversation = conversation_of(&ana, room).await;
    assert_eq!(ana.texts(&conversation).await, ["one", "two"]);
    let (_, letters) = bridge.admin(reqwest::Method::GET, "/dead-letters", None).await;
    assert_eq!(letters["dead_letters"], json!([]));
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_second_dm_continues_the_same_conversation(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let (first, conversation) = direct(&bridge, &ana).await;
    let (second, same) = direct(&bridge, &ana).await;
    assert_eq!(conversation, same);
    membership(&bridge, &first, &ana.mxid, "leave").await;
    ana.say(&conversation, "here now").await;
    bridge
        .homeserver
        .wait_for("the new room gets it", |world| {
            world
                .rooms
                .get(&second)?
                .texts()
                .contains(&"here now".to_owned())
                .then_some(())
        })
        .await;
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn an_upgraded_room_is_followed(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let alice = bridge.homeserver.user("@alice:example.org");
    let room = alice.create_room(&json!({ "name": "Hill", "invite": [ana.mxid] }));
    membership(&bridge, &room, &ana.mxid, "join").await;
    let conversation = conversation_of(&ana, &room).await;
    let new = alice.upgrade_room(&room);
    alice.invite(&new, &ana.mxid);
    membership(&bridge, &new, &ana.mxid, "join").await;
    let mut socket = ana.socket().await;
    alice.send_text(&new, "up here");
    assert_eq!(
        socket.next("message.new").await["conversation_id"],
        conversation.as_str()
    );
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn an_encrypted_room_is_told_once_that_nova_cannot_read_it(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let (room, conversation) = direct(&bridge, &ana).await;
    let alice = bridge.homeserver.user("@alice:example.org");
    for _ in 0..2 {
        alice.send(
            &room,
            "m.room.encrypted",
            json!({ "algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "x" }),
        );
    }
    bridge.homeserver.wait_until_pushed().await;
    alice.send_text(&room, "plain again");
    bridge.homeserver.wait_until_pushed().await;
    ana.say(&conversation, "ok").await;
    let texts = bridge
        .homeserver
        .wait_for("the answer arrives", |world| {
            let texts = world.rooms.get(&room)?.texts();
            texts.contains(&"ok".to_owned()).then_some(texts)
        })
        .await;
    assert_eq!(
        texts.iter().filter(|text| text.contains("encrypted")).count(),
        1,
        "{texts:?}"
    );
    assert_eq!(ana.texts(&conversation).await, ["plain again", "ok"]);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_transaction_that_synapse_left_behind_comes_before_the_next(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let (room, conversation) = direct(&bridge, &ana).await;
    bridge.homeserver.wait_until_pushed().await;
    let next = bridge.homeserver.deliveries().last().unwrap().txn_id + 1;
    let push = async |number: u64, body: &str| {
        let event = json!({
            "type": "m.room.message", "event_id": format!("${number}"), "room_id": room, "sender": "@alice:example.org",
            "origin_server_ts": 1_767_863_730_000_i64, "content": { "msgtype": "m.text", "body": body },
        });
        bridge
            .homeserver
            .push_body(&number.to_string(), json!({ "events": [event] }).to_string())
            .await
    };
    assert_eq!(push(next + 1, "two").await, 503);
    assert_eq!(push(next, "one").await, 200);
    assert_eq!(push(next + 1, "two").await, 200);
    assert_eq!(ana.texts(&conversation).await, ["one", "two"]);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn what_synapse_forgot_to_push_when_it_died_is_found_in_the_room(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let (room, conversation) = direct(&bridge, &ana).await;
    let alice = bridge.homeserver.user("@alice:example.org");
    alice.send_text(&room, "pushed");
    bridge.homeserver.wait_until_pushed().await;
    bridge.homeserver.pause_push();
    alice.send_text(&room, "forgotten");
    bridge.homeserver.forget_queue();
    bridge
        .homeserver
        .fail_every(On::Any, Fault::Status(502, "M_UNKNOWN", None));
    let looks = |world: &World| {
        world
            .requests
            .iter()
            .filter(|request| request.target.contains("/profile/@novabot"))
            .count()
    };
    let before = bridge.homeserver.inspect(looks);
    bridge
        .homeserver
        .wait_for("the bridge notices", |world| (looks(world) > before + 1).then_some(()))
        .await;
    bridge.homeserver.heal();
    alice.send_text(&room, "afterwards");
    bridge.homeserver.resume_push();
    let mut socket = ana.socket().await;
    while ana.texts(&conversation).await.len() < 3 {
        socket.next("message.new").await;
    }
    assert_eq!(ana.texts(&conversation).await, ["pushed", "forgotten", "afterwards"]);
}
