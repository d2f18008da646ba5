//! A Nova client that makes rooms with its own Matrix login says which room is that of a conversation.

use serde_json::{Value, json};
use sqlx::PgPool;

use super::{direct, membership};
use crate::support::bridge::{NovaUser, TestBridge};

const ROOMS: &str = "/api/v2/matrix/rooms";

async fn map(user: &NovaUser, conversation: &str, room: &str) -> u16 {
    let body = json!({ "conversation_id": conversation, "room_id": room });
    user.post(ROOMS, body).await.0
}

async fn start(pool: PgPool) -> (TestBridge, NovaUser, NovaUser) {
    let bridge = TestBridge::with_rooms(pool, "create: when_matrix_user_joins").await;
    let (ana, bea) = (bridge.account("ana").await, bridge.account("bea").await);
    for user in [&ana, &bea] {
        bridge.homeserver.user(&user.mxid);
    }
    (bridge, ana, bea)
}

async fn list(user: &NovaUser) -> Vec<Value> {
    let (_, list) = user.get("/conversations").await;
    list["conversations"].as_array().unwrap().clone()
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn the_room_that_a_client_made_is_that_of_the_conversation_from_now_on(pool: PgPool) {
    let (bridge, ana, bea) = start(pool).await;
    let conversation = ana.chats_with(&bea).await;
    ana.say(&conversation, "in Nova").await;
    let ghost = bridge.homeserver.user(&ana.mxid);
    let room = ghost.create_room(&json!({ "is_direct": true, "preset": "trusted_private_chat" }));
    bridge.homeserver.wait_until_pushed().await;
    assert_eq!(
        list(&ana).await.len(),
        2,
        "the room made a conversation of its own at once"
    );
    assert_eq!(map(&ana, &conversation, &room).await, 201);
    assert_eq!(
        map(&ana, &conversation, &room).await,
        201,
        "again, because the answer may be lost"
    );
    assert_eq!(list(&ana).await.len(), 1, "which nobody has used, and so makes way");
    let (_, found) = ana.get(&format!("{ROOMS}/{conversation}")).await;
    assert_eq!(found["room_id"], room.as_str());
    membership(&bridge, &room, &bea.mxid, "join").await;
    bea.say(&conversation, "hello").await;
    ghost.send_text(&room, "from the client");
    bridge
        .homeserver
        .wait_for("both", |world| (world.rooms[&room].texts().len() == 2).then_some(()))
        .await;
    bridge.homeserver.wait_until_pushed().await;
    let mut texts = bridge.homeserver.texts(&room);
    texts.sort();
    assert_eq!(texts, ["from the client", "hello"], "what was said in Nova stays there");
    assert_eq!(ana.texts(&conversation).await.len(), 3);
    let other = ghost.create_room(&json!({}));
    bridge.homeserver.wait_until_pushed().await;
    assert_eq!(map(&ana, &conversation, &other).await, 409, "it has a room");
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn who_may_not_or_would_let_strangers_in_is_refused(pool: PgPool) {
    let (bridge, ana, bea) = start(pool).await;
    let cleo = bridge.account("cleo").await;
    let conversation = ana.chats_with(&bea).await;
    let ghost = bridge.homeserver.user(&ana.mxid);
    bridge.homeserver.pause_push();
    let room = ghost.create_room(&json!({}));
    assert_eq!(map(&cleo, &conversation, &room).await, 403, "no member");
    assert_eq!(map(&bea, &conversation, &room).await, 403, "not in the room");
    assert_eq!(map(&ana, &conversation, "!nowhere").await, 403, "there is no such room");
    assert_eq!(map(&ana, &conversation, "no room").await, 400);
    let nowhere = "00000000-0000-4000-8000-000000000000";
    assert_eq!(map(&ana, nowhere, &room).await, 404);
    let alice = bridge.homeserver.user("@alice:example.org");
    ghost.invite(&room, alice.id());
    assert_eq!(map(&ana, &conversation, &room).await, 409, "Alice would read along");
    let left = ghost.create_room(&json!({}));
    ghost.leave(&left);
    assert_eq!(map(&ana, &conversation, &left).await, 403);
    let (_, made) = bea
        .post(
            "/conversations/groups",
            json!({ "name": "Bea's", "member_ids": [ana.id] }),
        )
        .await;
    let group = made["id"].as_str().unwrap_or_else(|| panic!("{made}"));
    let mine = ghost.create_room(&json!({}));
    assert_eq!(map(&ana, group, &mine).await, 403, "who makes the room owns the group");
    bridge.homeserver.forget_queue();
    bridge.homeserver.resume_push();
    let (taken, _) = direct(&bridge, &ana).await;
    assert_eq!(map(&ana, &conversation, &taken).await, 409);
    assert_eq!(map(&ana, &conversation, &mine).await, 201);
}
