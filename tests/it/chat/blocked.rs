//! Of whom somebody blocks they are not shown whether they are there, type, or have read, nor the other way round.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{conversation_of, direct, membership, room_of};
use crate::support::bridge::{NovaUser, TestBridge};
use crate::support::socket::Socket;

const ALICE: &str = "@alice:example.org";

async fn block(nova: &NovaUser, who: &str) {
    let (status, done) = nova.post("/blocks", json!({ "user_id": who })).await;
    assert_eq!(status, 201, "{done}");
}

async fn unblock(nova: &NovaUser, who: &str) {
    let (status, done) = nova.request(Method::DELETE, &format!("/blocks/{who}"), None).await;
    assert_eq!(status, 200, "{done}");
}

/// Nothing is shown: a question that is asked now is answered first.
async fn shows_nothing(socket: &mut Socket) {
    socket.send(json!({ "type": "ping" })).await;
    let frame = socket.frame().await;
    assert_eq!(frame["type"], "pong", "{frame}");
}

async fn member(nova: &NovaUser, conversation: &str, id: &Value) -> Value {
    let (_, members) = nova.get(&format!("/conversations/{conversation}/members")).await;
    let members = members["members"].as_array().unwrap();
    members.iter().find(|it| it["user_id"] == *id).unwrap().clone()
}

async fn read(nova: &NovaUser, conversation: &str) {
    let (status, _) = nova
        .post(&format!("/conversations/{conversation}/read"), json!({}))
        .await;
    assert_eq!(status, 200);
}

async fn types(socket: &mut Socket, conversation: &str) {
    socket
        .send(json!({ "type": "typing.start", "conversation_id": conversation }))
        .await;
}

fn told(bridge: &TestBridge, what: &str) -> usize {
    let requests = bridge.homeserver.requests();
    requests.iter().filter(|it| it.target.contains(what)).count()
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_blocked_matrix_user_and_their_blocker_do_not_see_each_other(pool: PgPool) {
    let bridge = TestBridge::with_rooms(pool, "presence: true").await;
    let ana = bridge.account("ana").await;
    let (room, conversation) = direct(&bridge, &ana).await;
    let alice = bridge.homeserver.user(ALICE);
    let event = alice.send_text(&room, "hello");
    bridge.homeserver.wait_until_pushed().await;
    let mut socket = ana.socket().await;
    block(&ana, ALICE).await;
    let frame = socket.next("relationship.updated").await;
    assert_eq!(frame["is_blocking"], true);
    let id = frame["user_id"].clone();

    alice.set_typing(&room, true);
    alice.set_presence("online", true);
    alice.read_up_to(&room, &event);
    // That is what the bridge does last of all that it is told in passing.
    bridge
        .until(
            "SELECT EXISTS (SELECT FROM conversation_members JOIN users AS u ON u.id = user_id
                            WHERE u.mxid = '@alice:example.org' AND read_sequence > 0)",
        )
        .await;
    let shown = member(&ana, &conversation, &id).await;
    assert_eq!((shown.get("presence"), &shown["last_read_sequence"]), (None, &json!(0)));
    let (_, listed) = ana.get(&format!("/conversations/{conversation}")).await;
    let hers = listed["members"]
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["user_id"] == id);
    assert_eq!(hers.unwrap().get("presence"), None, "{listed}");

    let receipts = told(&bridge, "/receipt/");
    read(&ana, &conversation).await;
    // Her own clients know what she has read; hers is the only one that she is shown.
    for name in ["read_receipt", "message.read"] {
        let frame = socket.frame().await;
        assert_eq!((&frame["type"], &frame["user_id"]), (&json!(name), &json!(ana.id)));
    }
    shows_nothing(&mut socket).await;

    // What is done once they are blocked no more is told in order: so the rest was not told before.
    unblock(&ana, ALICE).await;
    assert_eq!(socket.next("relationship.updated").await["is_blocking"], false);
    let shown = member(&ana, &conversation, &id).await;
    assert_eq!(
        (&shown["presence"], &shown["last_read_sequence"]),
        (&json!("online"), &json!(1))
    );
    let last = alice.send_text(&room, "are you there?");
    socket.next("message.new").await;
    read(&ana, &conversation).await;
    let key = (room.clone(), ana.mxid.clone(), "m.read".to_owned());
    bridge
        .homeserver
        .wait_for("the receipt", |world| {
            (world.receipts.get(&key)? == &last).then_some(())
        })
        .await;
    assert_eq!(
        told(&bridge, "/receipt/"),
        receipts + 1,
        "nothing of what was read before"
    );
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_blocked_matrix_user_is_not_told_that_their_blocker_types(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let (_, conversation) = direct(&bridge, &ana).await;
    let bob = bridge.homeserver.user("@bob:example.org").create_dm(&ana.mxid);
    membership(&bridge, &bob, &ana.mxid, "join").await;
    block(&ana, ALICE).await;
    let mut socket = ana.socket().await;
    for conversation in [conversation, conversation_of(&ana, &bob).await] {
        types(&mut socket, &conversation).await;
    }
    bridge
        .homeserver
        .wait_for("bob is told", |world| world.typing.get(&bob)?.get(&ana.mxid).cloned())
        .await;
    assert_eq!(told(&bridge, "/typing/"), 1);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn blocked_nova_users_are_not_shown_to_each_other(pool: PgPool) {
    let bridge = TestBridge::with_rooms(pool, "presence: true").await;
    let (ana, ben) = (bridge.account("ana").await, bridge.account("ben").await);
    let conversation = ana.chats_with(&ben).await;
    ana.say(&conversation, "hello").await;
    let cleo = bridge.account("cleo").await;
    let with_both = [cleo.chats_with(&ana).await, cleo.chats_with(&ben).await];
    let (mut hers, mut others) = (ana.socket().await, cleo.socket().await);
    block(&ana, &ben.id.to_string()).await;
    hers.next("relationship.updated").await;
    let mut his = ben.socket().await;
    types(&mut his, &conversation).await;
    read(&ben, &conversation).await;
    assert_eq!(
        his.next("message.read").await["user_id"],
        json!(ben.id),
        "his own clients know"
    );
    types(&mut hers, &conversation).await;
    for (nova, other) in [(&ana, &ben), (&ben, &ana)] {
        let shown = member(nova, &conversation, &json!(other.id)).await;
        assert_eq!((shown.get("presence"), &shown["last_read_sequence"]), (None, &json!(0)));
    }
    // Somebody else is shown that they are there.
    let mut there = BTreeSet::new();
    while ![&ana, &ben].iter().all(|nova| there.contains(&nova.id.to_string())) {
        there.insert(others.next("presence").await["user_id"].as_str().unwrap().to_owned());
    }
    bridge
        .homeserver
        .wait_for("Matrix is told, too", |world| {
            (world.presence.get(&ben.mxid)? == "online").then_some(())
        })
        .await;
    let own = member(&ben, &conversation, &json!(ben.id)).await;
    assert_eq!(
        (&own["presence"], &own["last_read_sequence"]),
        (&json!("online"), &json!(1))
    );
    // What is shown is shown in order. So it is over when somebody else has said and typed something.
    for ((socket, other), conversation) in [(&mut hers, &ben), (&mut his, &ana)].into_iter().zip(&with_both) {
        types(&mut others, conversation).await;
        cleo.say(conversation, "hello").await;
        let (mut said, mut typed) = (false, false);
        while !(said && typed) {
            let frame = socket.frame().await;
            said |= frame["content"] == "hello";
            typed |= frame["type"] == "typing.started";
            assert_ne!(frame["user_id"], json!(other.id), "{frame}");
        }
    }
    unblock(&ana, &ben.id.to_string()).await;
    assert_eq!(hers.next("relationship.updated").await["is_blocking"], false);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn in_a_group_they_are_not_shown_what_the_other_one_has_read_and_everybody_else_is(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let (ana, ben) = (bridge.account("ana").await, bridge.account("ben").await);
    let cleo = bridge.account("cleo").await;
    let alice = bridge.homeserver.user(ALICE);
    let group = json!({ "name": "Tea", "member_ids": [ben.id, cleo.id, ALICE] });
    let (_, made) = ana.post("/conversations/groups", group).await;
    let conversation = made["id"].as_str().unwrap();
    let room = room_of(&bridge, conversation).await;
    bridge
        .homeserver
        .wait_for("alice is asked", |world| {
            (world.rooms.get(&room)?.membership(ALICE) == "invite").then_some(())
        })
        .await;
    alice.join(&room);
    for nova in [&ben, &cleo] {
        membership(&bridge, &room, &nova.mxid, "join").await;
    }
    bridge.homeserver.wait_until_pushed().await;
    block(&ana, &ben.id.to_string()).await;
    block(&ana, ALICE).await;
    let (mut hers, mut his) = (ana.socket().await, ben.socket().await);
    let mut others = cleo.socket().await;
    ana.say(conversation, "tea?").await;
    let since = hers.next("message.new").await["stream_id"].clone();
    let event = bridge
        .homeserver
        .wait_for("the question", |world| {
            let timeline = &world.rooms[&room].timeline;
            let asked = timeline.iter().find(|event| event["content"]["body"] == "tea?");
            Some(asked?["event_id"].as_str()?.to_owned())
        })
        .await;
    bridge.homeserver.wait_until_pushed().await;
    alice.read_up_to(&room, &event);
    let alice_id = others.next("message.read").await["user_id"].clone();
    read(&ben, conversation).await;
    read(&cleo, conversation).await;
    cleo.say(conversation, "yes").await;
    read(&ana, conversation).await;
    read(&ben, conversation).await;
    alice.send_text(&room, "now?");
    bridge.homeserver.wait_until_pushed().await;
    read(&cleo, conversation).await;

    // Whose reading each is shown, in order.
    let [ana_id, ben_id, cleo_id] = [&ana, &ben, &cleo].map(|nova| json!(nova.id));
    let since = format!("&since={}", since.as_str().unwrap());
    let mut resumed = ana.socket_with(&since).await;
    let shown = [
        (&mut hers, vec![&cleo_id, &ana_id, &cleo_id]),
        (&mut resumed, vec![&cleo_id, &ana_id, &cleo_id]),
        (&mut his, vec![&alice_id, &ben_id, &cleo_id, &ben_id, &cleo_id]),
        (&mut others, vec![&ben_id, &cleo_id, &ana_id, &ben_id, &cleo_id]),
    ];
    for (socket, readers) in shown {
        for reader in readers {
            assert_eq!(socket.next("message.read").await["user_id"], *reader);
        }
    }
    let members = [
        (&ana, &ben_id, 0),
        (&ana, &alice_id, 0),
        (&ben, &ana_id, 0),
        (&cleo, &ben_id, 2),
        (&cleo, &ana_id, 2),
    ];
    for (viewer, other, read) in members {
        let shown = member(viewer, conversation, other).await;
        assert_eq!(shown["last_read_sequence"], read, "{shown}");
    }
}
