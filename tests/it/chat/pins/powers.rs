//! Who may pin: those whom the room lets.

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{Chat, LIST, dead_letters, id, pinned};
use crate::chat::{conversation_of, membership, rises, room_of};
use crate::support::bridge::TestBridge;

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn in_a_group_power_decides_and_both_sides_change_it(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let (ana, ben) = (bridge.account("ana").await, bridge.account("ben").await);
    let alice = bridge.homeserver.user("@alice:example.org");
    let room = alice.create_room(&json!({ "name": "Boats" }));
    alice.invite(&room, &ana.mxid);
    alice.invite(&room, &ben.mxid);
    membership(&bridge, &room, &ana.mxid, "join").await;
    membership(&bridge, &room, &ben.mxid, "join").await;
    let conversation = conversation_of(&ana, &room).await;
    let mut socket = ana.socket().await;
    let said = alice.send_text(&room, "helo");
    let message = id(&socket.next("message.new").await["id"]);
    let path = format!("/conversations/{conversation}/messages/{message}/pin");
    for method in [Method::POST, Method::DELETE] {
        let (status, refused) = ana.request(method, &path, None).await;
        assert_eq!((status, &refused["code"]), (403, &json!("AUTHORIZATION_ERROR")));
    }
    // An admin may.
    alice.set_power_levels(&room, &json!({ "users": { ana.mxid.clone(): 50 } }));
    rises(&mut socket, &ana).await;
    assert_eq!(ana.post(&path, json!({})).await.0, 200);
    assert_eq!(ben.post(&path, json!({})).await.0, 403);
    let lists = async |wanted: &[Value]| {
        let told = bridge.homeserver.wait_for("the lists come", |world| {
            let lists = world.rooms[&room].timeline.iter().filter(|it| it["type"] == LIST);
            let lists: Vec<_> = lists.map(|it| it["content"]["pinned"].clone()).collect();
            (lists == wanted).then_some(())
        });
        told.await;
    };
    lists(&[json!([said])]).await;
    // Everybody may.
    alice.set_power_levels(&room, &json!({ "events": { LIST: 0 } }));
    bridge.homeserver.wait_until_pushed().await;
    let (status, _) = ben.request(Method::DELETE, &path, None).await;
    assert_eq!(status, 200);
    lists(&[json!([said]), json!([])]).await;
    // Nobody but the owner may.
    alice.set_power_levels(&room, &json!({ "events": { LIST: 100 } }));
    bridge.homeserver.wait_until_pushed().await;
    assert_eq!(ana.post(&path, json!({})).await.0, 403);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn in_a_room_of_ours_both_pin(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let alice = bridge.homeserver.user("@alice:example.org");
    let conversation = ana.open("@alice:example.org").await;
    let room = room_of(&bridge, &conversation).await;
    membership(&bridge, &room, "@alice:example.org", "invite").await;
    alice.join(&room);
    let mut socket = ana.socket().await;
    let said = alice.send_text(&room, "helo");
    let message = socket.next("message.new").await["id"].clone();
    alice.send_state(&room, LIST, "", json!({ "pinned": [said] }));
    assert_eq!(socket.next("message.pinned").await["message_id"], message);
    let path = format!("/messages/{}/pin", id(&message));
    assert_eq!(ana.request(Method::DELETE, &path, None).await.0, 200);
    bridge
        .homeserver
        .wait_for("the list is empty", |world| {
            (world.rooms[&room].content(LIST, "")?["pinned"] == json!([])).then_some(())
        })
        .await;
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn what_the_homeserver_refuses_is_undone(pool: PgPool) {
    let mut chat = Chat::new(pool).await;
    // From room version 12 on both would stand above every number.
    let body = json!({
        "preset": "trusted_private_chat", "is_direct": true, "room_version": "11", "invite": [chat.ana.mxid],
    });
    chat.room = chat.alice.create_room(&body);
    membership(&chat.bridge, &chat.room, &chat.ana.mxid, "join").await;
    chat.settled().await;
    let mut socket = chat.ana.socket().await;
    let (_, message) = chat.hears(&mut socket, "helo").await;
    // Nova does not know yet that the room has changed its mind.
    chat.bridge.homeserver.pause_push();
    let strict = json!({ "events": { LIST: 100 }, "users": { chat.ana.mxid.clone(): 0 } });
    chat.alice.set_power_levels(&chat.room, &strict);
    assert_eq!(chat.pin(&message).await.0, 200);
    socket.next("message.pinned").await;
    assert_eq!(socket.next("message.unpinned").await["message_id"], json!(message));
    assert!(pinned(&chat.ana, &chat.conversation).await.is_empty());
    assert_eq!(dead_letters(&chat.bridge).await.as_array().unwrap().len(), 1);
    chat.bridge.homeserver.resume_push();
    chat.bridge.homeserver.wait_until_pushed().await;
    assert_eq!(chat.pin(&message).await.0, 403);
    assert_eq!(chat.times(), 0);
}
