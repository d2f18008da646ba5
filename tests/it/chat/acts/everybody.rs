//! Who addresses everybody: those who may, in a group.

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{chat, deletes, edit, listed, rewrites, sent, text};
use crate::chat::{conversation_of, membership, rises};
use crate::support::bridge::TestBridge;

fn to_everybody(words: &str) -> Value {
    json!({ "msgtype": "m.text", "body": words, "m.mentions": { "room": true } })
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn power_decides_who_addresses_everybody(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let alice = bridge.homeserver.user("@alice:example.org");
    let bob = bridge.homeserver.user("@bob:example.org");
    let room = alice.create_room(&json!({ "name": "Boats", "invite": ["@bob:example.org"] }));
    bob.join(&room);
    alice.invite(&room, &ana.mxid);
    membership(&bridge, &room, &ana.mxid, "join").await;
    let conversation = conversation_of(&ana, &room).await;
    let mut socket = ana.socket().await;

    // From Nova.
    ana.say(&conversation, "hello @room").await;
    let event = sent(&bridge, &room, "m.room.message", 1).await;
    assert_eq!(event["content"]["m.mentions"], json!({}), "it is only a word");
    alice.set_power_levels(&room, &json!({ "users": { ana.mxid.clone(): 50 } }));
    rises(&mut socket, &ana).await;
    let said = ana.say(&conversation, "lunch, @everyone!").await;
    assert_eq!(said["mentions_room"], json!(true));
    let event = sent(&bridge, &room, "m.room.message", 2).await;
    assert_eq!(event["content"]["m.mentions"], json!({ "room": true }));
    rewrites(&ana, text(&said, "id"), "lunch, @room and @alice!").await;
    let event = sent(&bridge, &room, "m.room.message", 3).await;
    assert_eq!(
        event["content"]["m.mentions"],
        json!({ "user_ids": ["@alice:example.org"] }),
        "everybody was told before, but not by name"
    );
    assert_eq!(
        event["content"]["m.new_content"]["m.mentions"],
        json!({ "user_ids": ["@alice:example.org"], "room": true })
    );
    assert_eq!(socket.next("message.edited").await["mentions_room"], json!(true));

    let said = ana.say(&conversation, "supper").await;
    rewrites(&ana, text(&said, "id"), "supper, @all").await;
    let event = sent(&bridge, &room, "m.room.message", 5).await;
    assert_eq!(event["content"]["m.mentions"], json!({ "room": true }));
    deletes(&ana, text(&said, "id")).await;

    // From Matrix.
    bridge.homeserver.wait_until_pushed().await;
    let hers = alice.send(&room, "m.room.message", to_everybody("hers @room"));
    let his = bob.send(&room, "m.room.message", to_everybody("his @room"));
    for (words, expected) in [("hers @room", json!(true)), ("his @room", Value::Null)] {
        let mut shown = socket.next("message.new").await;
        while shown["content"] != words {
            shown = socket.next("message.new").await;
        }
        assert_eq!(shown["mentions_room"], expected, "{words}");
    }
    let mut rewritten = edit(&his, "his, to @room");
    rewritten["m.new_content"]["m.mentions"] = json!({ "room": true });
    bob.send(&room, "m.room.message", rewritten);
    assert_eq!(socket.next("message.edited").await["mentions_room"], Value::Null);
    alice.send(&room, "m.room.message", edit(&hers, "hers"));
    assert_eq!(socket.next("message.edited").await["mentions_room"], Value::Null);
    // What the room asks for changes.
    alice.set_power_levels(&room, &json!({ "notifications": { "room": 0 } }));
    bob.send(&room, "m.room.message", to_everybody("his again"));
    assert_eq!(socket.next("message.new").await["mentions_room"], json!(true));
    let shown: Vec<Value> = listed(&ana, &conversation).await;
    let shown: Vec<bool> = shown.iter().map(|it| it["mentions_room"] == json!(true)).collect();
    assert_eq!(shown, [false, true, false, false, true]);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn between_two_people_there_is_no_everybody(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let (room, conversation, ana) = chat(&bridge).await;
    let mut socket = ana.socket().await;
    let said = ana.say(&conversation, "hello @room").await;
    assert_eq!(said["mentions_room"], Value::Null);
    let event = sent(&bridge, &room, "m.room.message", 1).await;
    assert_eq!(event["content"]["m.mentions"], json!({}));
    socket.next("message.new").await;
    let alice = bridge.homeserver.user("@alice:example.org");
    alice.send(&room, "m.room.message", to_everybody("@room"));
    assert_eq!(socket.next("message.new").await["mentions_room"], Value::Null);
    // What is forwarded to a group counts as what its new author says.
    let (status, group) = ana
        .post("/conversations/groups", json!({ "name": "Us", "member_ids": [] }))
        .await;
    assert_eq!(status, 201, "{group}");
    let path = format!("/conversations/{conversation}/messages/{}/forward", text(&said, "id"));
    let body = json!({ "target_conversation_id": group["id"] });
    let (status, forwarded) = ana.request(Method::POST, &path, Some(body)).await;
    assert!((200..300).contains(&status), "{forwarded}");
    assert_eq!(listed(&ana, text(&group, "id")).await[0]["mentions_room"], json!(true));
}
