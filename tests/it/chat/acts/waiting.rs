//! Acts on messages that have not got through yet, and sending that goes wrong.

use reqwest::Method;
use serde_json::json;
use sqlx::PgPool;

use super::{chat, dead_letters, deletes, done, events, listed, reacts, rewrites, sent, takes_back, text};
use crate::support::bridge::{NovaUser, TestBridge};
use crate::support::homeserver::{Fault, Gate, On};

const DOWN: Fault = Fault::Status(502, "M_UNKNOWN", None);

/// The bodies of what the room was ever told, redacted or not.
fn texts(bridge: &TestBridge, room: &str) -> Vec<String> {
    bridge.homeserver.inspect(|world| world.rooms[room].texts())
}

/// She says "before", and the homeserver keeps that at its door: what she does next waits behind it.
async fn holds_its_lane(bridge: &TestBridge, ana: &NovaUser, conversation: &str) -> Gate {
    let gate = Gate::new();
    bridge.homeserver.fail_next(On::Send, Fault::Hang(gate.clone()));
    ana.say(conversation, "before").await;
    gate.reached().await;
    gate
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn what_is_done_to_a_message_that_waits_comes_behind_it(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let (room, conversation, ana) = chat(&bridge).await;
    bridge.homeserver.fail_every(On::Send, DOWN);
    let id = text(&ana.say(&conversation, "helo").await, "id").to_owned();
    rewrites(&ana, &id, "hello").await;
    reacts(&ana, &id, "👍").await;
    let reply = json!({ "content": "re", "reply_to_message_id": id });
    done(
        &ana,
        Method::POST,
        format!("/conversations/{conversation}/messages"),
        reply,
    )
    .await;
    bridge.homeserver.heal();
    let answer = sent(&bridge, &room, "m.room.message", 3).await;
    let thumb = sent(&bridge, &room, "m.reaction", 1).await;
    let all = bridge
        .homeserver
        .inspect(|world| events(world, &room, "m.room.message"));
    let event = &all[0]["event_id"];
    assert_eq!(
        all[1]["content"]["m.relates_to"],
        json!({ "rel_type": "m.replace", "event_id": event })
    );
    assert_eq!(all[1]["content"]["m.new_content"]["body"], "hello");
    assert_eq!(&thumb["content"]["m.relates_to"]["event_id"], event);
    assert_eq!(&answer["content"]["m.relates_to"]["m.in_reply_to"]["event_id"], event);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_message_that_is_deleted_before_it_was_sent_is_never_sent(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let (room, conversation, ana) = chat(&bridge).await;
    let gate = holds_its_lane(&bridge, &ana, &conversation).await;
    let id = text(&ana.say(&conversation, "oops").await, "id").to_owned();
    rewrites(&ana, &id, "oops!").await;
    reacts(&ana, &id, "👍").await;
    deletes(&ana, &id).await;
    ana.say(&conversation, "after").await;
    gate.release();
    sent(&bridge, &room, "m.room.message", 2).await;
    assert_eq!(texts(&bridge, &room), ["before", "after"]);
    assert_eq!(ana.texts(&conversation).await, ["before", "after"]);
    assert_eq!(dead_letters(&bridge).await, json!([]));
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_message_that_is_deleted_while_it_is_sent_is_redacted(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let (room, conversation, ana) = chat(&bridge).await;
    // It is in the room, but nobody told us: neither by an answer nor by an echo.
    bridge.homeserver.pause_push();
    bridge.homeserver.fail_next(On::Send, Fault::LoseAnswer);
    let gate = Gate::new();
    bridge.homeserver.fail_next(On::Messages, Fault::Hang(gate.clone()));
    let id = text(&ana.say(&conversation, "oops").await, "id").to_owned();
    gate.reached().await;
    deletes(&ana, &id).await;
    gate.release();
    sent(&bridge, &room, "m.room.redaction", 1).await;
    sent(&bridge, &room, "m.room.message", 0).await;
    bridge.homeserver.resume_push();
    bridge.homeserver.wait_until_pushed().await;
    assert!(listed(&ana, &conversation).await.is_empty());
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_reaction_that_is_taken_back_before_it_was_sent_is_never_sent(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let (room, conversation, ana) = chat(&bridge).await;
    let id = text(&ana.say(&conversation, "hello").await, "id").to_owned();
    sent(&bridge, &room, "m.room.message", 1).await;
    let gate = holds_its_lane(&bridge, &ana, &conversation).await;
    for emoji in ["👍", "🎉"] {
        reacts(&ana, &id, emoji).await;
    }
    takes_back(&ana, &id, "👍").await;
    gate.release();
    let party = sent(&bridge, &room, "m.reaction", 1).await;
    assert_eq!(party["content"]["m.relates_to"]["key"], "🎉");
    ana.say(&conversation, "end").await;
    sent(&bridge, &room, "m.room.message", 3).await;
    assert_eq!(
        bridge
            .homeserver
            .inspect(|world| events(world, &room, "m.room.redaction").len()),
        0
    );
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn lost_answers_double_nothing(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let (room, conversation, ana) = chat(&bridge).await;
    let mut socket = ana.socket().await;
    let id = text(&ana.say(&conversation, "helo").await, "id").to_owned();
    socket.next("message.delivery").await;
    let steps = [
        (
            Method::PUT,
            format!("/messages/{id}"),
            json!({ "content": "hello" }),
            "m.room.message",
            2,
        ),
        (
            Method::POST,
            format!("/messages/{id}/reactions"),
            json!({ "emoji": "👍" }),
            "m.reaction",
            1,
        ),
        (
            Method::DELETE,
            format!("/messages/{id}/reactions/{}", ana.id),
            json!(null),
            "m.reaction",
            0,
        ),
        (
            Method::POST,
            format!("/messages/{id}/reactions"),
            json!({ "emoji": "👍" }),
            "m.reaction",
            1,
        ),
        (
            Method::DELETE,
            format!("/messages/{id}"),
            json!(null),
            "m.room.message",
            1,
        ),
    ];
    for (method, path, body, event_type, count) in steps {
        bridge.homeserver.fail_next(On::Path("/rooms/"), Fault::LoseAnswer);
        done(&ana, method, path, body).await;
        sent(&bridge, &room, event_type, count).await;
        bridge.homeserver.wait_until_pushed().await;
    }
    ana.say(&conversation, "end").await;
    sent(&bridge, &room, "m.room.message", 2).await;
    assert_eq!(texts(&bridge, &room), ["* hello", "end"]);
    assert_eq!(ana.texts(&conversation).await, ["end"]);
    assert_eq!(dead_letters(&bridge).await, json!([]));
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_refused_message_is_sent_again_as_it_is_by_then_or_not_at_all(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let (room, conversation, ana) = chat(&bridge).await;
    let mut socket = ana.socket().await;
    let mut ids = Vec::new();
    for body in ["helo", "oops"] {
        bridge
            .homeserver
            .fail_next(On::Send, Fault::Status(400, "M_BAD_JSON", None));
        ids.push(text(&ana.say(&conversation, body).await, "id").to_owned());
        assert_eq!(socket.next("message.delivery").await["status"], "failed");
    }
    let letters = dead_letters(&bridge).await;
    done(
        &ana,
        Method::PUT,
        format!("/messages/{}", ids[0]),
        json!({ "content": "hello" }),
    )
    .await;
    done(&ana, Method::DELETE, format!("/messages/{}", ids[1]), json!(null)).await;
    let left = dead_letters(&bridge).await;
    assert_eq!(
        (left.as_array().unwrap().len(), &left[0]["id"]),
        (1, &letters[0]["id"]),
        "what is gone is not kept"
    );
    let retry = format!("/dead-letters/{}/retry", text(&left[0], "id"));
    assert!(bridge.admin(Method::POST, &retry, None).await.0 < 300);
    let hello = sent(&bridge, &room, "m.room.message", 1).await;
    assert_eq!(hello["content"]["body"], "hello");
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_reaction_that_matrix_has_already_is_none_to_complain_about(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let (room, conversation, ana) = chat(&bridge).await;
    let mut socket = ana.socket().await;
    let id = text(&ana.say(&conversation, "hello").await, "id").to_owned();
    let event = text(&socket.next("message.delivery").await, "matrix_event_id").to_owned();
    bridge.homeserver.wait_until_pushed().await;
    bridge.homeserver.pause_push();
    let phone = bridge.homeserver.user(&ana.mxid);
    phone.send(&room, "m.reaction", super::reaction(&event, "👍"));
    reacts(&ana, &id, "👍").await;
    ana.say(&conversation, "behind it").await;
    sent(&bridge, &room, "m.room.message", 2).await;
    bridge.homeserver.resume_push();
    bridge.homeserver.wait_until_pushed().await;
    assert_eq!(listed(&ana, &conversation).await[0]["reactions"][0]["count"], 1);
    done(
        &ana,
        Method::DELETE,
        format!("/messages/{id}/reactions/{}", ana.id),
        json!(null),
    )
    .await;
    sent(&bridge, &room, "m.reaction", 0).await;
    assert_eq!(dead_letters(&bridge).await, json!([]));
}
