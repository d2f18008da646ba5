//! Element edits, redacts, reacts and answers; Nova sees it.

use serde_json::{Value, json};
use sqlx::PgPool;

use super::{chat, edit, listed, reaction, text};
use crate::support::bridge::TestBridge;

/// A frame without what is chance.
fn plain(mut frame: Value, known: &[(&str, &str)]) -> Value {
    for key in [
        "stream_id",
        "timestamp",
        "created_at",
        "edited_at",
        "recalled_at",
        "reaction_id",
        "matrix_event_id",
    ] {
        if let Some(value) = frame.get_mut(key) {
            *value = json!(format!("[{key}]"));
        }
    }
    let mut text = frame.to_string();
    for (value, name) in known {
        text = text.replace(value, name);
    }
    serde_json::from_str(&text).unwrap()
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn everything_that_is_done_in_element_is_shown_live_later_and_in_history(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let (room, conversation, ana) = chat(&bridge).await;
    let alice = bridge.homeserver.user("@alice:example.org");
    let mut socket = ana.socket().await;
    let said = alice.send_text(&room, "helo");
    let new = socket.next("message.new").await;
    let (id, cursor) = (text(&new, "id").to_owned(), text(&new, "stream_id").to_owned());
    let author = text(&new, "sender_id").to_owned();
    let own = ana.id.to_string();
    let known = [
        (id.as_str(), "[message]"),
        (conversation.as_str(), "[conversation]"),
        (author.as_str(), "[alice]"),
        (own.as_str(), "[ana]"),
    ];

    let mut frames = Vec::new();
    alice.send(&room, "m.room.message", edit(&said, "hello"));
    frames.push(socket.next("message.edited").await);
    let thumb = alice.send(&room, "m.reaction", reaction(&said, "👍"));
    frames.push(socket.next("reaction.added").await);
    let shown = &listed(&ana, &conversation).await[0];
    assert_eq!(
        (&shown["content"], &shown["version_number"], &shown["reactions"]),
        (
            &json!("hello"),
            &json!(2),
            &json!([{ "emoji": "👍", "count": 1, "user_reacted": false }])
        )
    );
    assert!(shown["edited_at"].is_string());
    alice.redact(&room, &thumb);
    frames.push(socket.next("reaction.removed").await);
    let frames: Vec<Value> = frames.into_iter().map(|frame| plain(frame, &known)).collect();
    insta::assert_json_snapshot!("from_matrix", frames);

    // Who comes later is told the same, with the text as it is now.
    let mut later = ana.socket_with(&format!("&since={cursor}")).await;
    let again = [
        later.next("message.edited").await,
        later.next("reaction.added").await,
        later.next("reaction.removed").await,
    ];
    assert_eq!(again.map(|frame| plain(frame, &known)).to_vec(), frames);

    alice.redact(&room, &said);
    let gone = socket.next("message.deleted").await;
    insta::assert_json_snapshot!("deleted_from_matrix", plain(gone, &known));
    assert!(listed(&ana, &conversation).await.is_empty());
    assert_eq!(ana.get(&format!("/messages/{id}")).await.0, 404);
    let mut later = ana.socket_with(&format!("&since={cursor}")).await;
    let mut seen = Vec::new();
    while seen.last() != Some(&json!("message.deleted")) {
        seen.push(later.frame().await["type"].clone());
    }
    assert_eq!(
        seen,
        ["reaction.added", "reaction.removed", "message.deleted"],
        "nobody is shown what is gone"
    );
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn an_edit_that_is_redacted_gives_way_to_what_was_said_before(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let (room, conversation, ana) = chat(&bridge).await;
    let alice = bridge.homeserver.user("@alice:example.org");
    let mut socket = ana.socket().await;
    let said = alice.send_text(&room, "one");
    let second = alice.send(&room, "m.room.message", edit(&said, "two"));
    assert_eq!(socket.next("message.edited").await["content"], "two");
    alice.redact(&room, &second);
    let back = socket.next("message.edited").await;
    assert_eq!((&back["content"], &back["version_number"]), (&json!("one"), &json!(3)));
    let shown = &listed(&ana, &conversation).await[0];
    assert_eq!((&shown["content"], &shown["edited_at"]), (&json!("one"), &Value::Null));
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn answers_and_threads_are_answers_in_nova(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let (room, conversation, ana) = chat(&bridge).await;
    let alice = bridge.homeserver.user("@alice:example.org");
    let mut socket = ana.socket().await;
    let question = ana.say(&conversation, "tea?").await;
    let event = text(&socket.next("message.delivery").await, "matrix_event_id").to_owned();
    let rich = json!({
        "msgtype": "m.text", "body": format!("> <{}> tea?\n\nyes", ana.mxid),
        "format": "org.matrix.custom.html", "formatted_body": "<mx-reply><blockquote>tea?</blockquote></mx-reply><b>yes</b>",
        "m.relates_to": { "m.in_reply_to": { "event_id": event } },
    });
    alice.send(&room, "m.room.message", rich);
    let answer = socket.next("message.new").await;
    assert_eq!(
        (
            &answer["content"],
            &answer["formatted_content"],
            &answer["reply_to_message_id"]
        ),
        (&json!("yes"), &json!("<b>yes</b>"), &question["id"])
    );
    let relation = json!({
        "rel_type": "m.thread", "event_id": event, "is_falling_back": true, "m.in_reply_to": { "event_id": "$whatever" },
    });
    let in_thread = json!({ "msgtype": "m.text", "body": "green?", "m.relates_to": relation });
    alice.send(&room, "m.room.message", in_thread);
    let green = socket.next("message.new").await;
    assert_eq!(
        (&green["reply_to_message_id"], &green["thread_root_event_id"]),
        (&question["id"], &json!(event))
    );
    let shown = listed(&ana, &conversation).await;
    assert_eq!(
        (&shown[1]["reply_to_message_id"], &shown[2]["thread_root_event_id"]),
        (&question["id"], &json!(event))
    );
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn what_a_nova_user_does_in_their_own_matrix_client_is_theirs(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let (room, conversation, ana) = chat(&bridge).await;
    let (alice, phone) = (
        bridge.homeserver.user("@alice:example.org"),
        bridge.homeserver.user(&ana.mxid),
    );
    let mut socket = ana.socket().await;
    let hers = alice.send_text(&room, "hers");
    let own = ana.say(&conversation, "mine").await;
    let event = text(&socket.next("message.delivery").await, "matrix_event_id").to_owned();
    phone.send(&room, "m.room.message", edit(&event, "mine!"));
    let edited = socket.next("message.edited").await;
    assert_eq!(
        (&edited["message_id"], &edited["user_id"]),
        (&own["id"], &json!(ana.id))
    );
    phone.send(&room, "m.reaction", reaction(&hers, "👍"));
    let added = socket.next("reaction.added").await;
    assert_eq!(added["user_id"], json!(ana.id));
    // It is one of hers in Nova too, where she takes it back.
    let path = format!("/messages/{}/reactions/{}", text(&added, "message_id"), ana.id);
    assert_eq!(ana.request(reqwest::Method::DELETE, &path, None).await.0, 200);
    super::sent(&bridge, &room, "m.reaction", 0).await;
    phone.redact(&room, &event);
    assert_eq!(socket.next("message.deleted").await["message_id"], own["id"]);
}
