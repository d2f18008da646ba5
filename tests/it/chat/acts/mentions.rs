//! Who is addressed: names in Nova, pills in Matrix.

use serde_json::json;
use sqlx::PgPool;

use super::{chat, edit, listed, sent, text};
use crate::support::bridge::TestBridge;

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_name_in_nova_is_a_pill_in_matrix_and_an_edit_tells_nobody_again(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let (room, conversation, ana) = chat(&bridge).await;
    let mut socket = ana.socket().await;
    let said = ana.say(&conversation, "tea, @Alice?\n<me@nova>").await;
    let event = sent(&bridge, &room, "m.room.message", 1).await;
    assert_eq!(
        event["content"]["m.mentions"],
        json!({ "user_ids": ["@alice:example.org"] })
    );
    assert_eq!(event["content"]["body"], "tea, @Alice?\n<me@nova>");
    assert_eq!(
        event["content"]["formatted_body"],
        "tea, <a href=\"https://matrix.to/#/@alice:example.org\">alice</a>?<br>&lt;me@nova&gt;"
    );
    let shown = socket.next("message.new").await;
    let (_, members) = ana.get(&format!("/conversations/{conversation}/members")).await;
    let members = members["members"].as_array().unwrap();
    let alice = members.iter().find(|it| it["user_id"] != json!(ana.id)).unwrap();
    assert_eq!(shown["mentions"], json!([alice["user_id"]]));
    let body = json!({ "content": "tea, @alice, now?" });
    let path = format!("/messages/{}", text(&said, "id"));
    let (status, _) = ana.request(reqwest::Method::PUT, &path, Some(body)).await;
    assert_eq!(status, 200);
    let edited = sent(&bridge, &room, "m.room.message", 2).await;
    assert_eq!(edited["content"]["m.mentions"], json!({}));
    assert_eq!(
        edited["content"]["m.new_content"]["m.mentions"],
        json!({ "user_ids": ["@alice:example.org"] })
    );
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_pill_in_element_names_the_nova_user_and_whoever_is_answered_is_told(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let (room, conversation, ana) = chat(&bridge).await;
    let alice = bridge.homeserver.user("@alice:example.org");
    let mut socket = ana.socket().await;
    let pill = |words: &str| {
        json!({
            "msgtype": "m.text", "body": format!("Ana: {words}"), "format": "org.matrix.custom.html",
            "formatted_body": format!("<a href=\"https://matrix.to/#/{}\">Ana</a>: {words}", ana.mxid),
            "m.mentions": { "user_ids": [ana.mxid] },
        })
    };
    let hers = alice.send(&room, "m.room.message", pill("tea?"));
    let shown = socket.next("message.new").await;
    assert_eq!(
        (&shown["mentions"], &shown["content"]),
        (&json!([ana.id]), &json!("Ana: tea?"))
    );
    assert_eq!(listed(&ana, &conversation).await[0]["mentions"], json!([ana.id]));
    alice.send(&room, "m.room.message", edit(&hers, "tea?"));
    let edited = socket.next("message.edited").await;
    assert_eq!(edited.get("mentions"), None, "nobody is addressed any more");
    let reply = json!({ "content": "yes", "reply_to_message_id": shown["id"] });
    let path = format!("/conversations/{conversation}/messages");
    ana.post(&path, reply).await;
    let answer = sent(&bridge, &room, "m.room.message", 3).await;
    assert_eq!(
        answer["content"]["m.mentions"],
        json!({ "user_ids": ["@alice:example.org"] })
    );
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_text_that_has_no_room_for_pills_goes_without(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let (room, conversation, ana) = chat(&bridge).await;
    ana.say(&conversation, &format!("@alice {}", "x".repeat(31_000))).await;
    let event = sent(&bridge, &room, "m.room.message", 1).await;
    assert_eq!(event["content"]["m.mentions"], json!({}));
    assert_eq!(event["content"].get("formatted_body"), None);
    assert!(event["content"].to_string().len() < 60_000);
}
