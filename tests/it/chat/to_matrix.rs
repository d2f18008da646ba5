//! What people say in Nova arrives in Matrix, as their own ghost.

use serde_json::json;
use sqlx::PgPool;

use super::{conversation_of, direct, membership, room_of};
use crate::support::bridge::TestBridge;

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_nova_user_starts_a_chat_with_a_matrix_user(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let alice = bridge.homeserver.user("@alice:example.org");
    alice.set_name("Alice");
    let conversation = ana.open("@alice:example.org").await;
    assert_eq!(ana.open("@alice:example.org").await, conversation);
    ana.say(&conversation, "Hello Element").await;
    let room = room_of(&bridge, &conversation).await;
    alice.join(&room);
    bridge
        .homeserver
        .wait_for("the message arrives", |world| {
            (world.rooms.get(&room)?.texts() == ["Hello Element"]).then_some(())
        })
        .await;
    let sender = bridge
        .homeserver
        .timeline(&room)
        .into_iter()
        .find(|it| it["type"] == "m.room.message")
        .unwrap();
    assert_eq!(sender["sender"], ana.mxid.as_str());
    let message = ana.get(&format!("/conversations/{conversation}/messages")).await.1[0].clone();
    assert_eq!(sender["content"]["social.nova.id"], message["id"]);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn two_nova_users_share_one_room_by_their_ghosts(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let (ana, ben) = (bridge.account("ana").await, bridge.account("ben").await);
    let (status, made) = ana
        .post("/conversations", json!({ "user_a": ana.id, "user_b": ben.id }))
        .await;
    assert_eq!(status, 200, "{made}");
    let conversation = made["id"].as_str().unwrap().to_owned();
    let mut socket = ben.socket().await;
    ana.say(&conversation, "hi ben").await;
    assert_eq!(socket.next("message.new").await["content"], "hi ben");
    ben.say(&conversation, "hi ana").await;
    let room = room_of(&bridge, &conversation).await;
    bridge
        .homeserver
        .wait_for("both are in the room", |world| {
            (world.rooms.get(&room)?.texts() == ["hi ben", "hi ana"]).then_some(())
        })
        .await;
    assert_eq!(
        ana.texts(&conversation).await,
        ["hi ben", "hi ana"],
        "echoes are no messages"
    );
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn what_a_nova_user_writes_with_their_own_matrix_client_is_theirs(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let (room, conversation) = direct(&bridge, &ana).await;
    let mut socket = ana.socket().await;
    bridge.homeserver.user(&ana.mxid).send_text(&room, "from my phone");
    let frame = socket.next("message.new").await;
    assert_eq!(frame["sender_id"], ana.id.to_string());
    // A marker that is not theirs is only content.
    let other = json!({ "msgtype": "m.text", "body": "forged", "social.nova.id": frame["id"] });
    bridge
        .homeserver
        .user("@alice:example.org")
        .send(&room, "m.room.message", other);
    assert_eq!(socket.next("message.new").await["content"], "forged");
    assert_eq!(ana.texts(&conversation).await, ["from my phone", "forged"]);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn both_sides_open_the_chat_at_the_same_moment_and_get_one(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let alice = bridge.homeserver.user("@alice:example.org");
    bridge.homeserver.pause_push();
    let room = alice.create_dm(&ana.mxid);
    let opened = ana.open("@alice:example.org").await;
    let again = ana.open("@alice:example.org");
    bridge.homeserver.resume_push();
    assert_eq!(again.await, opened);
    membership(&bridge, &room, &ana.mxid, "join").await;
    bridge.homeserver.wait_until_pushed().await;
    assert_eq!(conversation_of(&ana, &room).await, opened);
    let (_, list) = ana.get("/conversations").await;
    assert_eq!(list["conversations"].as_array().unwrap().len(), 1, "{list}");
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_direct_room_of_their_own_matrix_client_is_the_direct_conversation(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let mut socket = ana.socket().await;
    bridge.homeserver.user("@alice:example.org");
    let room = bridge.homeserver.user(&ana.mxid).create_dm("@alice:example.org");
    bridge.homeserver.user("@alice:example.org").join(&room);
    while socket.next("member.joined").await["username"] != "@alice:example.org" {}
    let conversation = conversation_of(&ana, &room).await;
    assert_eq!(ana.open("@alice:example.org").await, conversation);
    assert_eq!(
        ana.get(&format!("/conversations/{conversation}")).await.1["kind"],
        "direct"
    );
}
