//! Who is there, both ways, where the admin wants it.

use serde_json::{Value, json};
use sqlx::PgPool;

use super::direct;
use crate::support::bridge::{NovaUser, TestBridge};
use crate::support::homeserver::{Fault, On};

const ALICE: &str = "@alice:example.org";

async fn member(nova: &NovaUser, conversation: &str, username: &str) -> Value {
    let (_, members) = nova.get(&format!("/conversations/{conversation}/members")).await;
    let found = members["members"]
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["username"] == username);
    found.unwrap().clone()
}

async fn until_told(bridge: &TestBridge, user: &str, presence: &str) {
    bridge
        .homeserver
        .wait_for(&format!("{user} is {presence}"), |world| {
            (world.presence.get(user)? == presence).then_some(())
        })
        .await;
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_matrix_user_who_comes_is_shown_to_whom_they_know(pool: PgPool) {
    let bridge = TestBridge::with_rooms(pool, "presence: true").await;
    let (ana, ben) = (bridge.account("ana").await, bridge.account("ben").await);
    let (_, conversation) = direct(&bridge, &ana).await;
    let alice = bridge.homeserver.user(ALICE);
    bridge.homeserver.wait_until_pushed().await;
    assert!(member(&ana, &conversation, ALICE).await.get("presence").is_none());
    let (mut hers, mut his) = (ana.socket().await, ben.socket().await);
    bridge
        .homeserver
        .user("@mallory:example.org")
        .set_presence("online", true);
    for (presence, active) in [("online", true), ("online", true), ("unavailable", false)] {
        alice.set_presence(presence, active);
    }
    for (presence, active) in [("online", true), ("unavailable", false)] {
        let frame = hers.next("presence").await;
        let shown = (
            &frame["presence"],
            &frame["currently_active"],
            frame["last_active_at"].is_string(),
        );
        assert_eq!(shown, (&json!(presence), &json!(active), true), "{frame}");
        assert!(frame.get("stream_id").is_none());
    }
    let shown = member(&ana, &conversation, ALICE).await;
    assert_eq!(shown["presence"], "unavailable");
    his.send(json!({ "type": "ping" })).await;
    assert_eq!(his.live().await["type"], "pong", "he knows neither of them");
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_nova_user_is_there_while_there_is_a_socket(pool: PgPool) {
    let bridge = TestBridge::with_rooms(pool, "presence: true").await;
    let (ana, ben) = (bridge.account("ana").await, bridge.account("ben").await);
    let conversation = ana.chats_with(&ben).await;
    let mut hers = ana.socket().await;
    until_told(&bridge, &ana.mxid, "online").await;
    assert_eq!(member(&ana, &conversation, "ben").await["presence"], "offline");
    bridge.homeserver.wait_until_pushed().await;
    let first = ben.socket().await;
    let second = ben.socket().await;
    let frame = hers.next("presence").await;
    assert_eq!(
        (&frame["user_id"], &frame["presence"]),
        (&json!(ben.id), &json!("online"))
    );
    until_told(&bridge, &ben.mxid, "online").await;
    assert_eq!(member(&ana, &conversation, "ben").await["presence"], "online");
    // The last one counts, and clients reconnect.
    drop(first);
    drop(second);
    let third = ben.socket().await;
    drop(third);
    let frame = hers.next("presence").await;
    assert_eq!(
        (&frame["user_id"], &frame["presence"]),
        (&json!(ben.id), &json!("unavailable"))
    );
    until_told(&bridge, &ben.mxid, "unavailable").await;
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn nobody_is_told_anything_unless_the_admin_wants_it(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let (room, conversation) = direct(&bridge, &ana).await;
    let alice = bridge.homeserver.user(ALICE);
    let mut socket = ana.socket().await;
    alice.set_presence("online", true);
    bridge.homeserver.wait_until_pushed().await;
    alice.set_typing(&room, true);
    assert_eq!(socket.live().await["type"], "typing.started");
    assert!(member(&ana, &conversation, ALICE).await.get("presence").is_none());
    let requests = bridge.homeserver.requests();
    assert!(requests.iter().all(|it| !it.target.contains("/presence/")));
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_homeserver_that_refuses_presence_holds_nothing_up(pool: PgPool) {
    let bridge = TestBridge::with_rooms(pool, "presence: true").await;
    let ana = bridge.account("ana").await;
    let (room, conversation) = direct(&bridge, &ana).await;
    bridge
        .homeserver
        .fail_every(On::Path("/presence/"), Fault::Status(403, "M_FORBIDDEN", None));
    let mut socket = ana.socket().await;
    bridge
        .homeserver
        .wait_for("it is tried", |world| {
            world
                .requests
                .iter()
                .any(|it| it.target.contains("/presence/"))
                .then_some(())
        })
        .await;
    ana.say(&conversation, "never mind").await;
    assert_eq!(socket.texts(1).await, ["never mind"]);
    bridge
        .homeserver
        .wait_for("the message arrives", |world| {
            (world.rooms.get(&room)?.texts() == ["never mind"]).then_some(())
        })
        .await;
}
