//! Who types, from one side to the other and among Nova users.

use serde_json::{Value, json};
use sqlx::PgPool;

use super::direct;
use crate::support::bridge::{NovaUser, TestBridge};
use crate::support::homeserver::{Fault, Gate, On};
use crate::support::socket::Socket;

const ALICE: &str = "@alice:example.org";

/// Waits until Matrix has it that somebody types, or does not.
async fn until_typing(bridge: &TestBridge, room: &str, user: &str, typing: bool) {
    let (room, user) = (room.to_owned(), user.to_owned());
    bridge
        .homeserver
        .wait_for(&format!("{user} types: {typing}"), |world| {
            let types = world.typing.get(&room).is_some_and(|typists| typists.contains(&user));
            (types == typing).then_some(())
        })
        .await;
}

fn typing_requests(bridge: &TestBridge) -> usize {
    let requests = bridge.homeserver.requests();
    requests.iter().filter(|it| it.target.contains("/typing/")).count()
}

/// The frames of one change, in their order. None of them is a place to resume from.
async fn change(socket: &mut Socket, names: &[&str]) -> Vec<Value> {
    let mut frames = Vec::new();
    for name in names {
        let frame = socket.live().await;
        assert_eq!(frame["type"], *name, "{frame}");
        frames.push(frame);
    }
    frames
}

const BEGINS: [&str; 3] = ["typing.started", "typing", "typing.indicator"];
const ENDS: [&str; 2] = ["typing.stopped", "typing.indicator"];

fn typing(conversation: &str, user: &NovaUser) -> Value {
    json!({ "type": "typing", "conversation_id": conversation, "user_id": user.id })
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_matrix_user_who_types_is_shown_and_so_is_the_end(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let (room, conversation) = direct(&bridge, &ana).await;
    let alice = bridge.homeserver.user(ALICE);
    bridge.homeserver.wait_until_pushed().await;
    let (_, members) = ana.get(&format!("/conversations/{conversation}/members")).await;
    let id = members["members"]
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["username"] == ALICE)
        .unwrap()["user_id"]
        .clone();
    let mut socket = ana.socket().await;
    alice.set_typing(&room, true);
    let frames = change(&mut socket, &BEGINS).await;
    for frame in &frames {
        assert_eq!(
            (&frame["conversation_id"], &frame["user_id"]),
            (&json!(conversation), &id)
        );
    }
    let data = json!({ "conversation_id": conversation, "user_id": id, "username": ALICE, "is_typing": true });
    assert_eq!(frames[2]["data"], data);
    // Clients hide it after three seconds; it is shown again as long as it lasts.
    change(&mut socket, &BEGINS).await;
    alice.set_typing(&room, false);
    let frames = loop {
        let frame = socket.live().await;
        if frame["type"] == "typing.stopped" {
            break [frame, socket.live().await];
        }
    };
    assert_eq!(frames[0]["user_id"], id);
    assert_eq!(frames[1]["data"]["is_typing"], false);
    assert_eq!(typing_requests(&bridge), 0, "Matrix knows");
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM conversation_feed WHERE payload::text LIKE '%yping%'")
        .fetch_one(&bridge.pool)
        .await
        .unwrap();
    assert_eq!(kept, 0);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_nova_user_types_as_every_client_says_it(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let (room, conversation) = direct(&bridge, &ana).await;
    let mut socket = ana.socket().await;
    socket.send(typing(&conversation, &ana)).await;
    until_typing(&bridge, &room, &ana.mxid, true).await;
    let stop = json!({ "type": "typing.stop", "data": { "conversation_id": conversation } });
    socket.send(stop).await;
    until_typing(&bridge, &room, &ana.mxid, false).await;
    let start = json!({ "type": "typing.start", "data": { "conversation_id": conversation } });
    socket.send(start.clone()).await;
    until_typing(&bridge, &room, &ana.mxid, true).await;
    // Who sends has typed.
    let text = json!({ "type": "message.send", "conversation_id": conversation, "content": "there" });
    socket.send(text).await;
    until_typing(&bridge, &room, &ana.mxid, false).await;
    let mut narrow = ana.socket_with(&format!("&conversation_id={conversation}")).await;
    narrow.send(json!({ "type": "typing.start" })).await;
    until_typing(&bridge, &room, &ana.mxid, true).await;
    // Who is gone does not type.
    drop(narrow);
    until_typing(&bridge, &room, &ana.mxid, false).await;
    // Who says nothing more has stopped.
    socket.send(start).await;
    until_typing(&bridge, &room, &ana.mxid, true).await;
    until_typing(&bridge, &room, &ana.mxid, false).await;
    let own = socket.next("message.new").await;
    assert_eq!(own["content"], "there", "nobody is shown that they type themselves");
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn typing_for_somebody_else_or_elsewhere_is_not_heard(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let (ana, ben) = (bridge.account("ana").await, bridge.account("ben").await);
    let (room, conversation) = direct(&bridge, &ana).await;
    let (_, other) = direct(&bridge, &ben).await;
    let mut hers = ana.socket().await;
    let mut his = ben.socket().await;
    let mut narrow = ana.socket_with(&format!("&conversation_id={conversation}")).await;
    his.send(typing(&conversation, &ben)).await;
    his.send(typing(&conversation, &ana)).await;
    hers.send(typing(&conversation, &ben)).await;
    hers.send(typing(&other, &ana)).await;
    hers.send(json!({ "type": "typing" })).await;
    hers.send(json!({ "type": "typing.start", "data": 7 })).await;
    narrow.send(typing(&other, &ana)).await;
    for socket in [&mut hers, &mut his, &mut narrow] {
        socket.send(json!({ "type": "ping" })).await;
        assert_eq!(socket.live().await["type"], "pong", "it is ignored without a word");
    }
    // From Matrix: an unknown room, nobody's, a ghost's, and a stranger's.
    let told =
        |room: &str, users: Value| json!({ "type": "m.typing", "room_id": room, "content": { "user_ids": users } });
    let body = json!({ "events": [], "ephemeral": [
        told("!nowhere:example.org", json!([ALICE])),
        told(&room, json!(["@mallory:example.org", ana.mxid, ben.mxid, 7])),
        told(&room, json!("everybody")),
    ]});
    assert_eq!(bridge.homeserver.push_body("odd", body.to_string()).await, 200);
    bridge.homeserver.user(ALICE).set_typing(&room, true);
    for socket in [&mut hers, &mut narrow] {
        let frames = change(socket, &BEGINS).await;
        assert_eq!(frames[0]["username"], ALICE);
    }
    assert_eq!(typing_requests(&bridge), 0);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn nova_users_see_each_other_type_and_never_themselves(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let (ana, ben) = (bridge.account("ana").await, bridge.account("ben").await);
    let conversation = ana.chats_with(&ben).await;
    let room = super::room_of(&bridge, &conversation).await;
    super::membership(&bridge, &room, &ben.mxid, "join").await;
    bridge.homeserver.wait_until_pushed().await;
    let (mut hers, mut his) = (ana.socket().await, ben.socket().await);
    hers.send(typing(&conversation, &ana)).await;
    let frames = change(&mut his, &BEGINS).await;
    assert_eq!(
        (&frames[0]["user_id"], &frames[0]["username"]),
        (&json!(ana.id), &json!("ana"))
    );
    // Synapse tells us of her ghost, which is no news.
    until_typing(&bridge, &room, &ana.mxid, true).await;
    bridge.homeserver.wait_until_pushed().await;
    hers.send(json!({ "type": "typing.stop", "conversation_id": conversation }))
        .await;
    let frames = loop {
        let frame = his.live().await;
        if frame["type"] == "typing.stopped" {
            break vec![frame, his.live().await];
        }
    };
    assert_eq!(frames[1]["type"], ENDS[1]);
    hers.send(json!({ "type": "ping" })).await;
    assert_eq!(hers.live().await["type"], "pong");
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_homeserver_that_is_slow_hears_the_last_word_only_and_holds_nothing_up(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let (room, conversation) = direct(&bridge, &ana).await;
    let mut socket = ana.socket().await;
    let gate = Gate::new();
    bridge
        .homeserver
        .fail_next(On::Path("/typing/"), Fault::Hang(gate.clone()));
    socket.send(typing(&conversation, &ana)).await;
    gate.reached().await;
    let stop = json!({ "type": "typing.stop", "conversation_id": conversation });
    for _ in 0..20 {
        socket.send(stop.clone()).await;
        socket.send(typing(&conversation, &ana)).await;
    }
    socket.send(stop).await;
    ana.say(&conversation, "meanwhile").await;
    bridge
        .homeserver
        .wait_for("the message arrives", |world| {
            (world.rooms.get(&room)?.texts() == ["meanwhile"]).then_some(())
        })
        .await;
    gate.release();
    bridge
        .homeserver
        .wait_for("the last word", |world| {
            let told = world.requests.iter().filter(|it| it.target.contains("/typing/"));
            (told.last()?.body == r#"{"typing":false}"#).then_some(())
        })
        .await;
    until_typing(&bridge, &room, &ana.mxid, false).await;
    assert_eq!(typing_requests(&bridge), 2);
}
