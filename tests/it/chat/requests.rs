//! Nova users who are asked before they come, and people who are blocked.

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{conversation_of, direct, membership, room_of};
use crate::support::bridge::{NovaUser, TestBridge};
use crate::support::homeserver::{Fault, On};

const ALICE: &str = "@alice:example.org";

/// A bridge on which everybody is asked, unless they say otherwise.
async fn asking(pool: PgPool) -> TestBridge {
    TestBridge::with_rooms(pool, "dm_permission: mutuals").await
}

async fn requests(nova: &NovaUser) -> Vec<Value> {
    let (status, list) = nova.get("/message-requests").await;
    assert_eq!(status, 200, "{list}");
    list.as_array().unwrap().clone()
}

async fn answer(nova: &NovaUser, id: &str, how: &str) -> (u16, Value) {
    nova.post(&format!("/message-requests/{id}/{how}"), json!({})).await
}

async fn block(nova: &NovaUser, who: &str) {
    let (status, done) = nova.post("/blocks", json!({ "user_id": who })).await;
    assert_eq!(status, 201, "{done}");
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn an_invite_is_a_request_and_what_was_said_is_there_when_it_is_accepted(pool: PgPool) {
    let mut bridge = asking(pool).await;
    let ana = bridge.account("ana").await;
    let alice = bridge.homeserver.user(ALICE);
    alice.set_name("Alice");
    let mut socket = ana.socket().await;
    let room = alice.create_dm(&ana.mxid);
    let told = socket.next("message_request.created").await;
    for text in ["Hello", "are you there?"] {
        alice.send_text(&room, text);
    }
    bridge.homeserver.wait_until_pushed().await;
    assert_eq!(bridge.homeserver.room(&room).membership(&ana.mxid), "invite");
    assert_eq!(ana.get("/conversations").await.1["conversations"], json!([]));

    bridge.restart().await;
    let ana = ana.at(&bridge);
    let listed = requests(&ana).await;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["requester_matrix_user_id"], ALICE);
    assert_eq!(listed[0]["requester_display_name"], "Alice", "as the invite shows her");
    for field in ["id", "requester_id", "message_preview", "created_at"] {
        assert_eq!(listed[0][field], told[field], "{field}");
    }
    let mut socket = ana.socket().await;
    let id = told["id"].as_str().unwrap();
    let (status, done) = answer(&ana, id, "accept").await;
    let expected = json!({ "success": true, "requester_id": told["requester_id"], "conversation_id": id });
    assert_eq!((status, done), (200, expected));
    assert_eq!(socket.next("conversation.created").await["conversation_id"], id);
    assert_eq!(socket.next("message_request.answered").await["status"], "accepted");
    assert_eq!(socket.next("message.new").await["content"], "Hello");
    assert_eq!(socket.next("message.new").await["content"], "are you there?");
    membership(&bridge, &room, &ana.mxid, "join").await;
    assert_eq!(conversation_of(&ana, &room).await, id);
    assert_eq!(requests(&ana).await, Vec::<Value>::new());
    ana.say(id, "now I am").await;
    alice.send_text(&room, "good");
    while ana.texts(id).await.len() < 4 {
        socket.next("message.new").await;
    }
    assert_eq!(answer(&ana, id, "accept").await.0, 200, "once more does no harm");
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_request_is_replayed_to_whoever_was_away(pool: PgPool) {
    let bridge = asking(pool).await;
    let ana = bridge.account("ana").await;
    bridge.homeserver.user(ALICE).create_dm(&ana.mxid);
    bridge.homeserver.wait_until_pushed().await;
    let mut socket = ana.socket_with("&since=0-0").await;
    let told = socket.frame().await;
    assert_eq!(
        told["type"], "message_request.created",
        "nothing else of a conversation that is not theirs: {told}"
    );
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn an_accept_that_synapse_fails_is_done_later(pool: PgPool) {
    let bridge = asking(pool).await;
    let ana = bridge.account("ana").await;
    let room = bridge.homeserver.user(ALICE).create_dm(&ana.mxid);
    bridge.homeserver.wait_until_pushed().await;
    let id = requests(&ana).await[0]["id"].as_str().unwrap().to_owned();
    bridge
        .homeserver
        .fail_next(On::Join, Fault::Status(502, "M_UNKNOWN", None));
    assert_eq!(answer(&ana, &id, "accept").await.0, 200);
    membership(&bridge, &room, &ana.mxid, "join").await;
    bridge.homeserver.user(ALICE).send_text(&room, "there you are");
    bridge.homeserver.wait_until_pushed().await;
    assert_eq!(ana.texts(&id).await, ["there you are"]);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_request_that_is_rejected_leaves_the_room_and_may_come_again(pool: PgPool) {
    let bridge = asking(pool).await;
    let ana = bridge.account("ana").await;
    let alice = bridge.homeserver.user(ALICE);
    let room = alice.create_dm(&ana.mxid);
    bridge.homeserver.wait_until_pushed().await;
    let mut socket = ana.socket().await;
    let id = requests(&ana).await[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(answer(&ana, &id, "reject").await.0, 200);
    assert_eq!(socket.next("message_request.answered").await["status"], "rejected");
    membership(&bridge, &room, &ana.mxid, "leave").await;
    bridge.homeserver.wait_until_pushed().await;
    assert_eq!(answer(&ana, &id, "accept").await.0, 404);

    let again = alice.create_dm(&ana.mxid);
    assert_eq!(socket.next("message_request.created").await["id"], id.as_str());
    assert_eq!(answer(&ana, &id, "accept").await.0, 200);
    membership(&bridge, &again, &ana.mxid, "join").await;
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_device_that_was_away_hears_what_became_of_a_request(pool: PgPool) {
    let bridge = asking(pool).await;
    let ana = bridge.account("ana").await;
    let alice = bridge.homeserver.user(ALICE);
    let mut socket = ana.socket().await;
    for (how, status) in [("reject", "rejected"), ("kick", "withdrawn")] {
        let room = alice.create_room(&json!({ "name": how, "invite": [ana.mxid] }));
        let asked = socket.next("message_request.created").await;
        drop(socket);
        let id = asked["id"].as_str().unwrap();
        if how == "kick" {
            alice.kick(&room, &ana.mxid);
            bridge.homeserver.wait_until_pushed().await;
        } else {
            assert_eq!(answer(&ana, id, how).await.0, 200);
        }
        let since = format!("&since={}", asked["stream_id"].as_str().unwrap());
        socket = ana.socket_with(&since).await;
        let answered = socket.frame().await;
        assert_eq!(
            (&answered["type"], &answered["id"], &answered["status"]),
            (&json!("message_request.answered"), &asked["id"], &json!(status))
        );
    }
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn whoever_has_a_conversation_with_somebody_need_not_ask(pool: PgPool) {
    let bridge = asking(pool).await;
    let ana = bridge.account("ana").await;
    let alice = bridge.homeserver.user(ALICE);
    let opened = ana.open(ALICE).await;
    let room = room_of(&bridge, &opened).await;
    alice.join(&room);
    bridge.homeserver.wait_until_pushed().await;
    let another = alice.create_dm(&ana.mxid);
    membership(&bridge, &another, &ana.mxid, "join").await;
    assert_eq!(conversation_of(&ana, &another).await, opened);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_group_asks_whoever_nova_users_and_matrix_users_bring(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let (ana, ben) = (bridge.account("ana").await, bridge.account("ben").await);
    let wanted = json!({ "dm_permission": "nobody" });
    let (status, _) = ben.request(Method::PUT, "/settings/dm-permission", Some(wanted)).await;
    assert_eq!(status, 200);
    let alice = bridge.homeserver.user(ALICE);

    // Nova brings.
    let group = json!({ "name": "Tea", "member_ids": [ben.id, ALICE] });
    let (_, made) = ana.post("/conversations/groups", group).await;
    let id = made["id"].as_str().unwrap();
    let room = room_of(&bridge, id).await;
    membership(&bridge, &room, &ben.mxid, "invite").await;
    alice.join(&room);
    alice.send_text(&room, "tea?");
    bridge.homeserver.wait_until_pushed().await;
    assert_eq!(bridge.homeserver.room(&room).membership(&ben.mxid), "invite");
    assert_eq!(answer(&ben, id, "accept").await.0, 200);
    membership(&bridge, &room, &ben.mxid, "join").await;
    assert_eq!(ben.texts(id).await, ["tea?"]);

    // Element brings.
    let room = alice.create_room(&json!({ "name": "Coffee", "invite": [ana.mxid, ben.mxid] }));
    membership(&bridge, &room, &ana.mxid, "join").await;
    let mut socket = ben.socket().await;
    bridge.homeserver.wait_until_pushed().await;
    let asked = requests(&ben).await;
    assert_eq!(
        (asked.len(), &asked[0]["type"], &asked[0]["name"]),
        (1, &json!("group"), &json!("Coffee"))
    );
    // And takes back.
    alice.kick(&room, &ben.mxid);
    assert_eq!(socket.next("message_request.answered").await["status"], "withdrawn");
    assert_eq!(requests(&ben).await, Vec::<Value>::new());
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn whom_somebody_blocks_they_never_hear_of(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let (room, conversation) = direct(&bridge, &ana).await;
    let alice = bridge.homeserver.user(ALICE);
    let mut socket = ana.socket().await;
    alice.send_text(&room, "before");
    assert_eq!(socket.next("message.new").await["content"], "before");
    block(&ana, ALICE).await;
    let psst = alice.send_text(&room, "psst");
    let other = alice.create_dm(&ana.mxid);
    membership(&bridge, &other, &ana.mxid, "leave").await;
    assert_eq!(bridge.homeserver.room(&room).membership(&ana.mxid), "join");
    bridge.homeserver.wait_until_pushed().await;

    // What was not heard is not heard later either, however often it is pushed.
    let (status, _) = ana.request(Method::DELETE, &format!("/blocks/{ALICE}"), None).await;
    assert_eq!(status, 200);
    let again: Vec<Value> = bridge
        .homeserver
        .timeline(&room)
        .into_iter()
        .filter(|event| event["event_id"] == psst.as_str())
        .collect();
    assert_eq!((again.len(), bridge.homeserver.push_raw(again).await), (1, 200));
    alice.send_text(&room, "after");
    assert_eq!(socket.next("message.new").await["content"], "after");
    assert_eq!(ana.texts(&conversation).await, ["before", "after"]);
    assert_eq!(requests(&ana).await, Vec::<Value>::new());
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_call_of_whom_somebody_blocks_is_rejected_and_rings_nowhere(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let (room, _) = direct(&bridge, &ana).await;
    let mut socket = ana.socket().await;
    block(&ana, ALICE).await;
    socket.next("relationship.updated").await;
    let alice = bridge.homeserver.user(ALICE);
    let offer = json!({ "type": "offer", "sdp": "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n" });
    let invite = json!({
        "call_id": "c1", "party_id": "p1", "version": "1", "lifetime": 60_000, "offer": offer, "invitee": ana.mxid,
    });
    alice.send(&room, "m.call.invite", invite);
    bridge
        .homeserver
        .wait_for("the call is rejected", |world| {
            let timeline = &world.rooms.get(&room)?.timeline;
            timeline
                .iter()
                .any(|event| event["type"] == "m.call.reject")
                .then_some(())
        })
        .await;
    bridge.homeserver.wait_until_pushed().await;
    socket.send(json!({ "type": "ping" })).await;
    assert_eq!(socket.frame().await["type"], "pong", "nothing was shown before");
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_nova_user_is_told_of_a_request_again_with_its_first_message(pool: PgPool) {
    let bridge = asking(pool).await;
    let (ana, ben) = (bridge.account("ana").await, bridge.account("ben").await);
    let mut socket = ben.socket().await;
    let (_, made) = ana
        .post("/conversations", json!({ "user_a": ana.id, "user_b": ben.id }))
        .await;
    let id = made["id"].as_str().unwrap();
    assert_eq!(
        socket.next("message_request.created").await["message_preview"],
        Value::Null
    );
    for text in ["Hi Ben", "it is Ana"] {
        ana.say(id, text).await;
    }
    assert_eq!(
        socket.next("message_request.created").await["message_preview"],
        "Hi Ben"
    );
    assert_eq!(answer(&ben, id, "accept").await.0, 200);
    let next = socket.frame().await;
    assert_ne!(
        next["type"], "message_request.created",
        "only the first one is told: {next}"
    );
    assert_eq!(ben.texts(id).await, ["Hi Ben", "it is Ana"]);
    let room = room_of(&bridge, id).await;
    membership(&bridge, &room, &ben.mxid, "join").await;
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn where_somebody_is_goes_to_both_sides(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let (room, conversation) = direct(&bridge, &ana).await;
    let mut socket = ana.socket().await;
    let path = format!("/conversations/{conversation}/location");
    let here = json!({ "latitude": 52.3676, "longitude": 4.9041, "accuracy_meters": 12 });
    let (status, shared) = ana.post(&path, here).await;
    assert_eq!((status, &shared["success"]), (200, &json!(true)));
    assert_eq!(socket.next("message.new").await["message_type"], "location");
    let told = socket.next("location.shared").await;
    assert_eq!(
        (
            &told["latitude"],
            &told["longitude"],
            &told["accuracy_meters"],
            &told["user_id"]
        ),
        (&json!(52.3676), &json!(4.9041), &json!(12), &json!(ana.id))
    );
    let content = bridge
        .homeserver
        .wait_for("the place is in the room", |world| {
            let timeline = &world.rooms.get(&room)?.timeline;
            let is_place = |event: &&Value| event["content"]["msgtype"] == "m.location";
            Some(timeline.iter().find(is_place)?["content"].clone())
        })
        .await;
    assert_eq!(content["geo_uri"], "geo:52.3676,4.9041;u=12");
    let (status, stopped) = ana.request(Method::DELETE, &path, Some(json!({}))).await;
    assert_eq!((status, &stopped["status"]), (200, &json!("stopped")));
    assert_eq!(socket.next("location.stopped").await["user_id"], json!(ana.id));
}
