//! Sending goes wrong in every way, and each message still arrives once, in order.

use serde_json::{Value, json};
use sqlx::PgPool;

use super::direct;
use crate::support::bridge::TestBridge;
use crate::support::homeserver::{Fault, Gate, On};

async fn arrives(bridge: &TestBridge, room: &str, texts: &[&str]) {
    let room = room.to_owned();
    let wanted: Vec<String> = texts.iter().map(ToString::to_string).collect();
    bridge
        .homeserver
        .wait_for("the messages arrive once and in order", |world| {
            (world.rooms.get(&room)?.texts() == wanted).then_some(())
        })
        .await;
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn rate_limits_errors_and_lost_answers_are_overcome_in_order(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let (room, conversation) = direct(&bridge, &ana).await;
    for fault in [
        Fault::Status(429, "M_LIMIT_EXCEEDED", Some(20)),
        Fault::Status(500, "M_UNKNOWN", None),
        Fault::LoseAnswer,
        Fault::Drop,
    ] {
        bridge.homeserver.fail_next(On::Send, fault);
    }
    for text in ["one", "two", "three"] {
        ana.say(&conversation, text).await;
    }
    arrives(&bridge, &room, &["one", "two", "three"]).await;
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn an_answer_lost_in_a_restart_of_synapse_makes_no_second_message(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let (room, conversation) = direct(&bridge, &ana).await;
    // The echo cannot help either: Synapse is too busy to push.
    bridge.homeserver.pause_push();
    bridge.homeserver.fail_next(On::Send, Fault::LoseAnswer);
    let gate = Gate::new();
    bridge.homeserver.fail_next(On::Messages, Fault::Hang(gate.clone()));
    ana.say(&conversation, "one").await;
    gate.reached().await;
    bridge.homeserver.restart();
    gate.release();
    ana.say(&conversation, "two").await;
    arrives(&bridge, &room, &["one", "two"]).await;
    bridge.homeserver.resume_push();
    bridge.homeserver.wait_until_pushed().await;
    assert_eq!(ana.texts(&conversation).await, ["one", "two"]);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_room_whose_creation_was_not_answered_is_found_again(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    bridge.homeserver.user("@alice:example.org");
    bridge.homeserver.pause_push();
    bridge.homeserver.fail_next(On::CreateRoom, Fault::LoseAnswer);
    let conversation = ana.open("@alice:example.org").await;
    ana.say(&conversation, "hello").await;
    let room = super::room_of(&bridge, &conversation).await;
    arrives(&bridge, &room, &["hello"]).await;
    bridge.homeserver.resume_push();
    bridge.homeserver.wait_until_pushed().await;
    assert_eq!(bridge.homeserver.inspect(|world| world.rooms.len()), 1);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn the_echo_completes_a_message_whose_answer_never_comes(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let (room, conversation) = direct(&bridge, &ana).await;
    let mut socket = ana.socket().await;
    let gate = Gate::new();
    bridge.homeserver.fail_next(On::Send, Fault::LoseAnswer);
    bridge.homeserver.fail_next(On::Messages, Fault::Hang(gate.clone()));
    let message = ana.say(&conversation, "hello").await;
    let delivery = socket.next("message.delivery").await;
    assert_eq!(
        (&delivery["status"], &delivery["message_id"]),
        (&json!("sent"), &message["id"])
    );
    gate.release();
    arrives(&bridge, &room, &["hello"]).await;
    ana.say(&conversation, "again").await;
    assert_eq!(socket.next("message.delivery").await["status"], "sent");
    arrives(&bridge, &room, &["hello", "again"]).await;
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_final_refusal_is_shown_to_the_author_and_the_admin_who_can_retry(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let (room, conversation) = direct(&bridge, &ana).await;
    let mut socket = ana.socket().await;
    bridge
        .homeserver
        .fail_next(On::Send, Fault::Status(400, "M_BAD_JSON", None));
    let message = ana.say(&conversation, "refused").await;
    ana.say(&conversation, "goes on").await;
    let failed = socket.next("message.delivery").await;
    assert_eq!(
        (&failed["status"], &failed["message_id"]),
        (&json!("failed"), &message["id"])
    );
    assert!(
        failed["detail"]
            .as_str()
            .is_some_and(|detail| detail.contains("M_BAD_JSON")),
        "{failed}"
    );
    assert_eq!(socket.next("message.delivery").await["status"], "sent");
    let (_, single) = ana.get(&format!("/messages/{}", message["id"].as_str().unwrap())).await;
    assert_eq!(single["delivery_status"], "failed");

    let (_, letters) = bridge.admin(reqwest::Method::GET, "/dead-letters", None).await;
    let letter = &letters["dead_letters"][0];
    assert_eq!(
        (&letter["reason"], &letter["direction"]),
        (&json!("refused"), &json!("to_matrix"))
    );
    let path = format!("/dead-letters/{}/retry", letter["id"].as_str().unwrap());
    let (status, _) = bridge.admin(reqwest::Method::POST, &path, None).await;
    assert!(status < 300);
    let states: Vec<Value> = [
        socket.next("message.delivery").await,
        socket.next("message.delivery").await,
    ]
    .map(|it| it["status"].clone())
    .into();
    assert_eq!(states, [json!("pending"), json!("sent")]);
    arrives(&bridge, &room, &["goes on", "refused"]).await;
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn matrix_being_down_holds_nobody_up_and_everything_comes_through_later(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let (room, conversation) = direct(&bridge, &ana).await;
    let mut socket = ana.socket().await;
    bridge
        .homeserver
        .fail_every(On::Any, Fault::Status(502, "M_UNKNOWN", None));
    let other = ana.open("@bob:example.org").await;
    ana.say(&other, "are you there").await;
    ana.say(&conversation, "one").await;
    ana.say(&conversation, "two").await;
    loop {
        let frame = socket.next("message.delivery").await;
        assert_eq!(frame["status"], "retrying");
        if frame["conversation_id"] == conversation.as_str() {
            break;
        }
    }
    bridge.homeserver.heal();
    arrives(&bridge, &room, &["one", "two"]).await;
    let room = super::room_of(&bridge, &other).await;
    arrives(&bridge, &room, &["are you there"]).await;
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_restart_of_the_bridge_loses_nothing_in_either_direction(pool: PgPool) {
    let mut bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let (room, conversation) = direct(&bridge, &ana).await;
    let alice = bridge.homeserver.user("@alice:example.org");
    bridge
        .homeserver
        .fail_every(On::Send, Fault::Status(502, "M_UNKNOWN", None));
    ana.say(&conversation, "one").await;
    ana.say(&conversation, "two").await;
    bridge.stop().await;
    alice.send_text(&room, "while you were away");
    bridge.homeserver.heal();
    bridge.start_again().await;
    arrives(&bridge, &room, &["while you were away", "one", "two"]).await;
    bridge.homeserver.wait_until_pushed().await;
    let ana = ana.at(&bridge);
    assert_eq!(ana.texts(&conversation).await, ["one", "two", "while you were away"]);
}
