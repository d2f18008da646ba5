//! People who knock on the room of a group, and Nova users who let them in.

use serde_json::{Value, json};
use sqlx::PgPool;

use super::{membership, room_of};
use crate::support::bridge::{NovaUser, TestBridge};
use crate::support::homeserver::{Fault, On};

const BOB: &str = "@bob:example.org";

/// A group of Ana's, with Ben in it, on whose room people may knock. Gives its id and the room.
async fn knockable(bridge: &TestBridge, ana: &NovaUser, ben: &NovaUser) -> (String, String) {
    let body = json!({ "name": "Tea", "member_ids": [ben.id] });
    let (status, made) = ana.post("/conversations/groups", body).await;
    assert_eq!(status, 201, "{made}");
    let id = made["id"].as_str().unwrap().to_owned();
    let room = room_of(bridge, &id).await;
    membership(bridge, &room, &ben.mxid, "join").await;
    let own_client = bridge.homeserver.user(&ana.mxid);
    own_client.send_state(&room, "m.room.join_rules", "", json!({ "join_rule": "knock" }));
    let bob = bridge.homeserver.user(BOB);
    bob.set_name("Bob");
    bridge.homeserver.wait_until_pushed().await;
    (id, room)
}

async fn knocks(nova: &NovaUser, id: &str) -> Vec<Value> {
    let (status, list) = nova.get(&format!("/conversations/{id}/knocks")).await;
    assert_eq!(status, 200, "{list}");
    list["knocks"].as_array().unwrap().clone()
}

async fn answer(nova: &NovaUser, id: &str, who: &str, how: &str) -> u16 {
    let path = format!("/conversations/{id}/knocks/{who}/{how}");
    nova.post(&path, json!({})).await.0
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn an_owner_lets_somebody_in_who_knocks(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let (ana, ben) = (bridge.account("ana").await, bridge.account("ben").await);
    let (id, room) = knockable(&bridge, &ana, &ben).await;
    let (mut socket, mut bens) = (ana.socket().await, ben.socket().await);
    let bob = bridge.homeserver.user(BOB);
    bob.knock(&room, "it is me");
    let told = socket.next("member.knocked").await;
    assert_eq!(
        (&told["username"], &told["display_name"], &told["reason"]),
        (&json!(BOB), &json!("Bob"), &json!("it is me"))
    );
    let listed = knocks(&ana, &id).await;
    assert_eq!(listed.len(), 1);
    for (field, value) in [
        ("user_id", &told["user_id"]),
        ("matrix_user_id", &json!(BOB)),
        ("display_name", &json!("Bob")),
        ("reason", &json!("it is me")),
    ] {
        assert_eq!(&listed[0][field], value, "{field}");
    }

    // Who may not.
    assert_eq!(ben.get(&format!("/conversations/{id}/knocks")).await.0, 403);
    for how in ["accept", "decline"] {
        assert_eq!(answer(&ben, &id, BOB, how).await, 403);
        let cleo = bridge.account("cleo").await;
        assert_eq!(answer(&cleo, &id, BOB, how).await, 403);
        assert_eq!(answer(&ana, &id, "@nobody:example.org", how).await, 404);
    }
    assert_eq!(knocks(&ana, &id).await.len(), 1);

    assert_eq!(answer(&ana, &id, BOB, "accept").await, 200);
    let joined = loop {
        let frame = bens.frame().await;
        if frame["user_id"] == told["user_id"] {
            break frame;
        }
    };
    assert_eq!(
        (&joined["type"], &joined["membership"]),
        (&json!("member.joined"), &json!("invited")),
        "whoever may not let in hears of no knocking"
    );
    assert_eq!(socket.next("member.knock_answered").await["status"], "accepted");
    assert_eq!(knocks(&ana, &id).await, Vec::<Value>::new());
    membership(&bridge, &room, BOB, "invite").await;
    assert_eq!(answer(&ana, &id, BOB, "accept").await, 200, "once more does no harm");
    bob.join(&room);
    let joined = bens.next("member.joined").await;
    assert_eq!(
        (&joined["user_id"], &joined["membership"]),
        (&told["user_id"], &json!("joined"))
    );
    bob.send_text(&room, "thanks");
    assert_eq!(bens.next("message.new").await["content"], "thanks");
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn who_is_declined_is_sent_away_and_may_knock_again(pool: PgPool) {
    let mut bridge = TestBridge::start(pool).await;
    let (ana, ben) = (bridge.account("ana").await, bridge.account("ben").await);
    let (id, room) = knockable(&bridge, &ana, &ben).await;
    let bob = bridge.homeserver.user(BOB);
    bob.knock(&room, "please");
    bridge.homeserver.wait_until_pushed().await;
    bridge.restart().await;
    let ana = ana.at(&bridge);
    bridge
        .homeserver
        .fail_next(On::Path("/kick"), Fault::Status(502, "M_UNKNOWN", None));
    assert_eq!(answer(&ana, &id, BOB, "decline").await, 200);
    assert_eq!(knocks(&ana, &id).await, Vec::<Value>::new(), "at once, for Nova");
    assert_eq!(answer(&ana, &id, BOB, "decline").await, 404);
    assert_eq!(answer(&ana, &id, BOB, "accept").await, 404);
    membership(&bridge, &room, BOB, "leave").await;
    bridge.homeserver.wait_until_pushed().await;
    let mut socket = ana.socket().await;
    bob.knock(&room, "really");
    assert_eq!(socket.next("member.knocked").await["reason"], "really");
    bob.leave(&room);
    assert_eq!(socket.next("member.knock_answered").await["status"], "withdrawn");
    assert_eq!(knocks(&ana, &id).await, Vec::<Value>::new());
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn events_of_knocking_come_twice_and_in_any_order(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let (ana, ben) = (bridge.account("ana").await, bridge.account("ben").await);
    let (id, room) = knockable(&bridge, &ana, &ben).await;
    let bob = bridge.homeserver.user(BOB);
    bridge.homeserver.pause_push();
    bob.knock(&room, "please");
    bob.leave(&room);
    bridge.homeserver.forget_queue();
    bridge.homeserver.resume_push();
    let timeline = bridge.homeserver.timeline(&room);
    let [.., knock, leave] = &timeline[..] else { panic!() };
    for events in [
        vec![leave.clone()],
        vec![knock.clone()],
        vec![knock.clone(), leave.clone()],
    ] {
        assert_eq!(bridge.homeserver.push_raw(events).await, 200);
        assert_eq!(knocks(&ana, &id).await, Vec::<Value>::new());
    }
    bob.knock(&room, "again");
    bridge.homeserver.wait_until_pushed().await;
    let again = bridge.homeserver.timeline(&room).pop().unwrap();
    assert_eq!(bridge.homeserver.push_raw(vec![again]).await, 200);
    assert_eq!(knocks(&ana, &id).await.len(), 1);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_room_that_comes_to_nova_brings_those_who_knock_already(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let alice = bridge.homeserver.user("@alice:example.org");
    let room = alice.create_room(&json!({
        "preset": "private_chat", "name": "Tea", "room_version": "11",
        "initial_state": [{ "type": "m.room.join_rules", "state_key": "", "content": { "join_rule": "knock" } }],
        "power_level_content_override": { "users": { "@alice:example.org": 100, ana.mxid.as_str(): 50 } },
    }));
    bridge.homeserver.user(BOB).knock(&room, "me first");
    alice.invite(&room, &ana.mxid);
    membership(&bridge, &room, &ana.mxid, "join").await;
    bridge.homeserver.wait_until_pushed().await;
    let mut socket = ana.socket_with("&since=0-0").await;
    let told = socket.next("member.knocked").await;
    let id = told["conversation_id"].as_str().unwrap();
    assert_eq!(knocks(&ana, id).await[0]["reason"], "me first");
    // Element's side answers.
    alice.invite(&room, BOB);
    assert_eq!(socket.next("member.knock_answered").await["status"], "accepted");
    assert_eq!(knocks(&ana, id).await, Vec::<Value>::new());
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_nova_user_who_knocks_with_their_own_client_is_in_at_once(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let (ana, ben, cleo) = (
        bridge.account("ana").await,
        bridge.account("ben").await,
        bridge.account("cleo").await,
    );
    let (id, room) = knockable(&bridge, &ana, &ben).await;
    bridge.homeserver.user(&cleo.mxid).knock(&room, "it is Cleo");
    bridge.homeserver.wait_until_pushed().await;
    assert_eq!(knocks(&ana, &id).await[0]["user_id"], json!(cleo.id));
    assert_eq!(answer(&ana, &id, &cleo.id.to_string(), "accept").await, 200);
    membership(&bridge, &room, &cleo.mxid, "join").await;
    cleo.say(&id, "hello").await;
}
