//! The same acts from somebody who may not, twice, and in an order that makes no sense.

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{chat, dead_letters, edit, listed, reaction, text};
use crate::support::bridge::TestBridge;

/// An event as Synapse pushes it.
#[expect(clippy::needless_pass_by_value, reason = "it is made for this")]
fn pushed(id: &str, room: &str, sender: &str, event_type: &str, content: Value) -> Value {
    json!({
        "type": event_type, "event_id": id, "room_id": room, "sender": sender,
        "origin_server_ts": 1_767_863_730_000_i64, "content": content,
    })
}

const ALICE: &str = "@alice:example.org";

fn said(id: &str, room: &str, body: &str) -> Value {
    pushed(
        id,
        room,
        ALICE,
        "m.room.message",
        json!({ "msgtype": "m.text", "body": body }),
    )
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn strangers_and_impostors_change_nothing(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let (room, conversation, ana) = chat(&bridge).await;
    bridge.homeserver.wait_until_pushed().await;
    let mut socket = ana.socket().await;
    assert_eq!(bridge.homeserver.push_raw(vec![said("$m", &room, "hello")]).await, 200);
    let mallory = "@mallory:evil.example";
    let redacts = json!({ "redacts": "$m" });
    let forged = vec![
        pushed("$1", &room, mallory, "m.room.message", edit("$m", "forged")),
        pushed("$2", &room, mallory, "m.reaction", reaction("$m", "👎")),
        pushed("$3", &room, mallory, "m.room.redaction", redacts),
        // A member, but not the author.
        pushed("$4", &room, &ana.mxid, "m.room.message", edit("$m", "forged")),
        // Markers that are not theirs.
        pushed("$5", &room, mallory, "m.reaction", {
            let mut content = reaction("$m", "👎");
            content["social.nova.id"] = json!(ana.id);
            content
        }),
    ];
    for event in &forged {
        assert_eq!(bridge.homeserver.push_raw(vec![event.clone()]).await, 200);
    }
    // Together, and again.
    assert_eq!(bridge.homeserver.push_raw(forged).await, 200);
    assert_eq!(bridge.homeserver.push_raw(vec![said("$end", &room, "end")]).await, 200);
    assert_eq!(socket.next("message.new").await["content"], "hello");
    assert_eq!(socket.frame().await["content"], "end", "nothing in between");
    let shown = &listed(&ana, &conversation).await[0];
    assert_eq!((&shown["content"], &shown["reactions"]), (&json!("hello"), &json!([])));
    assert_eq!(dead_letters(&bridge).await, json!([]));
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn whatever_is_pushed_twice_is_told_once(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let (room, conversation, ana) = chat(&bridge).await;
    bridge.homeserver.wait_until_pushed().await;
    let mut socket = ana.socket().await;
    let acts = vec![
        said("$m", &room, "helo"),
        pushed("$e", &room, ALICE, "m.room.message", edit("$m", "hello")),
        pushed("$r", &room, ALICE, "m.reaction", reaction("$m", "👍")),
        pushed("$x", &room, ALICE, "m.room.redaction", json!({ "redacts": "$r" })),
        said("$g", &room, "gone"),
        pushed("$y", &room, ALICE, "m.room.redaction", json!({ "redacts": "$g" })),
    ];
    assert_eq!(bridge.homeserver.push_raw(acts.clone()).await, 200);
    assert_eq!(bridge.homeserver.push_raw(acts.clone()).await, 200);
    for act in acts {
        assert_eq!(bridge.homeserver.push_raw(vec![act]).await, 200);
    }
    assert_eq!(bridge.homeserver.push_raw(vec![said("$end", &room, "end")]).await, 200);
    let mut seen = vec![text(&socket.next("message.new").await, "type").to_owned()];
    loop {
        let frame = socket.frame().await;
        if frame["content"] == "end" {
            break;
        }
        seen.push(text(&frame, "type").to_owned());
    }
    let once = [
        "message.new",
        "message.edited",
        "reaction.added",
        "reaction.removed",
        "message.deleted",
    ];
    assert_eq!(seen, once);
    assert_eq!(ana.texts(&conversation).await, ["hello", "end"]);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn acts_that_come_before_their_message_wait_for_it(pool: PgPool) {
    let mut bridge = TestBridge::start(pool).await;
    let (room, conversation, ana) = chat(&bridge).await;
    bridge.homeserver.wait_until_pushed().await;
    let mut late = edit("$m", "newer");
    late["body"] = json!("* newer");
    let mut newer = pushed("$e2", &room, ALICE, "m.room.message", late);
    newer["origin_server_ts"] = json!(1_767_863_740_000_i64);
    for event in [
        pushed("$x", &room, ALICE, "m.room.redaction", json!({ "redacts": "$r" })),
        pushed("$r", &room, ALICE, "m.reaction", reaction("$m", "👍")),
        pushed("$s", &room, &ana.mxid, "m.reaction", reaction("$m", "🎉")),
        newer,
        pushed("$e1", &room, ALICE, "m.room.message", edit("$m", "older")),
        pushed("$y", &room, ALICE, "m.room.redaction", json!({ "redacts": "$g" })),
        pushed(
            "$a",
            &room,
            ALICE,
            "m.room.message",
            json!({
                "msgtype": "m.text", "body": "answer", "m.relates_to": { "m.in_reply_to": { "event_id": "$m" } },
            }),
        ),
    ] {
        assert_eq!(bridge.homeserver.push_raw(vec![event]).await, 200);
    }
    assert_eq!(ana.texts(&conversation).await, ["answer"]);
    bridge.restart().await;
    let ana = ana.at(&bridge);
    let mut socket = ana.socket().await;
    for event in [said("$m", &room, "helo"), said("$g", &room, "gone")] {
        assert_eq!(bridge.homeserver.push_raw(vec![event]).await, 200);
    }
    assert_eq!(
        socket.next("message.deleted").await["conversation_id"],
        conversation.as_str()
    );
    let shown = listed(&ana, &conversation).await;
    assert_eq!(
        shown.iter().map(|it| text(it, "content")).collect::<Vec<_>>(),
        ["answer", "newer"]
    );
    assert_eq!(shown[0]["reply_to_message_id"], shown[1]["id"]);
    let party = json!([{ "emoji": "🎉", "count": 1, "user_reacted": true }]);
    assert_eq!(
        (&shown[1]["reactions"], &shown[1]["version_number"]),
        (&party, &json!(2))
    );
    let waiting: i64 = sqlx::query_scalar("SELECT count(*) FROM early_acts")
        .fetch_one(&bridge.pool)
        .await
        .unwrap();
    assert_eq!((waiting, dead_letters(&bridge).await), (0, json!([])));
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn contents_that_make_no_sense_hurt_nobody(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let (room, conversation, ana) = chat(&bridge).await;
    bridge.homeserver.wait_until_pushed().await;
    let relation = |relation: Value| json!({ "msgtype": "m.text", "body": "x", "m.relates_to": relation });
    let events = vec![
        said("$m", &room, "hello"),
        pushed("$1", &room, ALICE, "m.reaction", json!(null)),
        pushed("$2", &room, ALICE, "m.reaction", reaction("$m", &"x".repeat(10_000))),
        pushed("$3", &room, ALICE, "m.reaction", reaction("$m", "a\u{0}b")),
        pushed(
            "$4",
            &room,
            ALICE,
            "m.reaction",
            relation(json!({ "rel_type": "m.annotation", "event_id": 7, "key": {} })),
        ),
        pushed("$5", &room, ALICE, "m.room.redaction", json!({ "redacts": ["$m"] })),
        pushed("$6", &room, ALICE, "m.room.redaction", json!({ "redacts": "$6" })),
        pushed("$7", &room, ALICE, "m.reaction", reaction("$7", "👍")),
        pushed("$8", &room, ALICE, "m.room.message", edit("$8", "myself")),
        pushed(
            "$9",
            &room,
            ALICE,
            "m.room.message",
            relation(json!({ "rel_type": "m.replace", "event_id": "$m" })),
        ),
        pushed(
            "$10",
            &room,
            ALICE,
            "m.room.message",
            relation(json!({ "m.in_reply_to": { "event_id": "$10" } })),
        ),
    ];
    assert_eq!(bridge.homeserver.push_raw(events).await, 200);
    let shown = listed(&ana, &conversation).await;
    assert_eq!(
        shown.iter().map(|it| text(it, "content")).collect::<Vec<_>>(),
        ["hello", "x"]
    );
    assert_eq!(
        shown[0]["reactions"],
        json!([{ "emoji": "a\u{fffd}b", "count": 1, "user_reacted": false }])
    );
    assert_eq!(shown[1].get("reply_to_message_id"), None);
    let letters = dead_letters(&bridge).await;
    assert_eq!(letters.as_array().unwrap().len(), 1, "{letters}");
    assert_eq!(letters[0]["detail"], "m.replace without m.new_content");
    // What is refused over REST leaves nothing behind either.
    let (status, _) = ana
        .request(Method::PUT, "/messages/x", Some(json!({ "content": "x" })))
        .await;
    assert_eq!(status, 404);
}
