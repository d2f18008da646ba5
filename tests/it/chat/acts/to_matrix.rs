//! Nova edits, deletes, recalls, reacts and answers; Element sees it, from the user's own ghost.

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{chat, deletes, done, events, listed, reacts, rewrites, sent, takes_back, text};
use crate::chat::membership;
use crate::support::bridge::TestBridge;

/// An event without what is chance.
fn plain(event: &Value, known: &[(&str, &str)]) -> Value {
    let mut text = json!({ "sender": event["sender"], "content": event["content"] }).to_string();
    for (value, name) in known {
        text = text.replace(value, name);
    }
    serde_json::from_str(&text).unwrap()
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn everything_that_is_done_in_nova_arrives_once_as_the_users_own(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let (room, conversation, ana) = chat(&bridge).await;
    let alice = bridge.homeserver.user("@alice:example.org");
    let mut socket = ana.socket().await;
    let hers = alice.send_text(&room, "hers");
    let theirs = text(&socket.next("message.new").await, "id").to_owned();
    let mine = ana.say(&conversation, "helo").await;
    let mine = text(&mine, "id").to_owned();
    let own = text(&socket.next("message.delivery").await, "matrix_event_id").to_owned();

    rewrites(&ana, &mine, "hello").await;
    let edit = sent(&bridge, &room, "m.room.message", 3).await;
    let liked = reacts(&ana, &theirs, "👍").await;
    let thumb = sent(&bridge, &room, "m.reaction", 1).await;
    let reply = json!({ "content": "so?", "reply_to_message_id": theirs });
    let answer = done(
        &ana,
        Method::POST,
        format!("/conversations/{conversation}/messages"),
        reply,
    )
    .await;
    let so = sent(&bridge, &room, "m.room.message", 4).await;
    let marker = text(&edit["content"], "social.nova.id").to_owned();
    let known = [
        (own.as_str(), "[own]"),
        (hers.as_str(), "[hers]"),
        (ana.mxid.as_str(), "[ana]"),
        (text(&liked, "id"), "[reaction]"),
        (text(&answer, "id"), "[answer]"),
        (marker.as_str(), "[edit]"),
    ];
    insta::assert_json_snapshot!("to_matrix", [&edit, &thumb, &so].map(|event| plain(event, &known)));

    done(
        &ana,
        Method::DELETE,
        format!("/messages/{theirs}/reactions/{}", ana.id),
        json!(null),
    )
    .await;
    sent(&bridge, &room, "m.reaction", 0).await;
    deletes(&ana, &mine).await;
    let recall = format!("/conversations/{conversation}/messages/{}/recall", text(&answer, "id"));
    done(&ana, Method::POST, recall, json!({})).await;
    // Hers and the edit are left; an edit of what is redacted is shown by nobody.
    sent(&bridge, &room, "m.room.message", 2).await;
    bridge.homeserver.wait_until_pushed().await;
    let mut seen = Vec::new();
    while seen.last() != Some(&"message.recalled".to_owned()) {
        let frame = socket.frame().await;
        if frame["type"] != "message.delivery" {
            seen.push(text(&frame, "type").to_owned());
        }
    }
    let once = [
        "message.edited",
        "reaction.added",
        "message.new",
        "reaction.removed_all",
        "message.deleted",
        "message.recalled",
    ];
    assert_eq!(seen[seen.len() - once.len()..], once, "and no echo is told again");
    assert_eq!(ana.texts(&conversation).await, ["hers"]);
    assert_eq!(super::dead_letters(&bridge).await, json!([]));
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn frames_of_nova_s_own_acts_go_to_everybody(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let (ana, ben) = (bridge.account("ana").await, bridge.account("ben").await);
    let conversation = ana.chats_with(&ben).await;
    let (mut hers, mut his) = (ana.socket().await, ben.socket().await);
    let said = ana.say(&conversation, "helo").await;
    let id = text(&said, "id").to_owned();
    rewrites(&ana, &id, "hello").await;
    reacts(&ben, &id, "👍").await;
    takes_back(&ben, &id, "👍").await;
    let mut both_see = async |name| {
        let (one, other) = (hers.next(name).await, his.next(name).await);
        assert_eq!(one, other);
        assert_eq!(one["message_id"], said["id"]);
    };
    for name in ["message.edited", "reaction.added", "reaction.removed"] {
        both_see(name).await;
    }
    // Not before: nobody is shown the new text of what is gone.
    done(&ana, Method::POST, format!("/messages/{id}/recall"), json!({})).await;
    both_see("message.recalled").await;
    let frame = json!({ "type": "message.send", "conversation_id": conversation, "content": "re", "request_id": 1,
        "reply_to_message_id": id });
    his.send(frame).await;
    let refused = his.next("error").await;
    assert_eq!(
        (&refused["code"], &refused["request_id"]),
        (&json!("INVALID_REQUEST"), &json!(1)),
        "it is gone"
    );
    let question = text(&ana.say(&conversation, "tea?").await, "id").to_owned();
    his.send(
        json!({ "type": "message.send", "conversation_id": conversation, "content": "yes", "request_id": 2,
        "reply_to_message_id": question }),
    )
    .await;
    assert_eq!(his.next("ack").await["reply_to_message_id"], json!(question));
    hers.next("message.new").await;
    assert_eq!(hers.next("message.new").await["reply_to_message_id"], json!(question));
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn an_answer_in_a_thread_stays_in_it(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let (room, conversation, ana) = chat(&bridge).await;
    let alice = bridge.homeserver.user("@alice:example.org");
    let mut socket = ana.socket().await;
    let root = alice.send_text(&room, "root");
    let relation = json!({ "rel_type": "m.thread", "event_id": root });
    let leaf = alice.send(
        &room,
        "m.room.message",
        json!({ "msgtype": "m.text", "body": "leaf", "m.relates_to": relation }),
    );
    socket.next("message.new").await;
    let target = text(&socket.next("message.new").await, "id").to_owned();
    let path = format!("/conversations/{conversation}/messages");
    let first = done(
        &ana,
        Method::POST,
        path.clone(),
        json!({ "content": "one", "reply_to_message_id": target }),
    )
    .await;
    let second = json!({ "content": "two", "reply_to_message_id": first["id"] });
    done(&ana, Method::POST, path, second).await;
    let two = sent(&bridge, &room, "m.room.message", 4).await;
    let all = bridge
        .homeserver
        .inspect(|world| events(world, &room, "m.room.message"));
    let answer = |to: &Value| json!({ "rel_type": "m.thread", "event_id": root, "is_falling_back": false, "m.in_reply_to": { "event_id": to } });
    assert_eq!(all[2]["content"]["m.relates_to"], answer(&json!(leaf)));
    assert_eq!(two["content"]["m.relates_to"], answer(&all[2]["event_id"]));
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn an_admin_deletes_what_others_said(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let alice = bridge.homeserver.user("@alice:example.org");
    let group = json!({ "name": "Tea", "member_ids": ["@alice:example.org"] });
    let conversation = text(&ana.post("/conversations/groups", group).await.1, "id").to_owned();
    let room = super::super::room_of(&bridge, &conversation).await;
    membership(&bridge, &room, "@alice:example.org", "invite").await;
    alice.join(&room);
    let mut socket = ana.socket().await;
    alice.send_text(&room, "spam");
    let spam = socket.next("message.new").await;
    done(
        &ana,
        Method::DELETE,
        format!("/messages/{}", text(&spam, "id")),
        json!(null),
    )
    .await;
    sent(&bridge, &room, "m.room.message", 0).await;
    let gone = socket.next("message.deleted").await;
    assert_eq!(gone["user_id"], json!(ana.id));
    assert!(listed(&ana, &conversation).await.is_empty());
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn what_was_said_is_said_again_elsewhere_with_its_file(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let (room, conversation, ana) = chat(&bridge).await;
    let alice = bridge.homeserver.user("@alice:example.org");
    let (_, group) = ana
        .post("/conversations/groups", json!({ "name": "Tea", "member_ids": [] }))
        .await;
    let target = text(&group, "id").to_owned();
    let mut socket = ana.socket().await;
    let image = json!({ "msgtype": "m.image", "body": "cat.png", "url": "mxc://example.org/cat" });
    alice.send(&room, "m.room.message", image);
    let hers = text(&socket.next("message.new").await, "id").to_owned();
    let path = format!("/conversations/{conversation}/messages/{hers}/forward");
    let body = json!({ "target_conversation_id": target, "custom_note": "look" });
    let answer = done(&ana, Method::POST, path.clone(), body).await;
    let said = listed(&ana, &target).await;
    let seen: Vec<(&Value, &Value, &Value)> = said
        .iter()
        .map(|it| (&it["content"], &it["message_type"], &it["sender_id"]))
        .collect();
    let own = json!(ana.id);
    assert_eq!(
        seen,
        [
            (&json!("look"), &json!("text"), &own),
            (&json!("cat.png"), &json!("image"), &own)
        ]
    );
    assert_eq!(said[1]["id"], answer["forwarded_message_id"]);
    let elsewhere = json!({ "target_conversation_id": hers });
    assert_eq!(ana.post(&path, elsewhere).await.0, 404);
    let ben = bridge.account("ben").await;
    let body = json!({ "target_conversation_id": target });
    assert_eq!(ben.post(&path, body.clone()).await.0, 403);
    done(
        &ana,
        Method::DELETE,
        format!("/messages/{}", text(&said[1], "id")),
        json!({}),
    )
    .await;
    let gone = format!("/conversations/{target}/messages/{}/forward", text(&said[1], "id"));
    assert_eq!(ana.post(&gone, body).await.0, 404);
}
