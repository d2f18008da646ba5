//! Who is addressed: names in Nova, pills in Matrix.

use serde_json::json;
use sqlx::PgPool;

use super::{chat, done, edit, listed, rewrites, sent, text};
use crate::support::bridge::TestBridge;
use crate::support::homeserver::{Fault, On};

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

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn an_edit_tells_whom_no_text_of_the_message_told_before(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let (room, conversation, ana) = chat(&bridge).await;
    let alice = json!({ "user_ids": ["@alice:example.org"] });
    let said = ana.say(&conversation, "tea?").await;
    let id = text(&said, "id");
    sent(&bridge, &room, "m.room.message", 1).await;

    // The first edit is overtaken before it is sent: it told nobody.
    let down = Fault::Status(502, "M_UNKNOWN", None);
    bridge.homeserver.fail_every(On::Send, down);
    rewrites(&ana, id, "tea, @alice").await;
    rewrites(&ana, id, "tea, @alice?").await;
    // Not before the second one is tried: the first may be on its way.
    bridge
        .homeserver
        .wait_for("a try of the second edit", |world| {
            let mut bodies = world.requests.iter().map(|it| String::from_utf8_lossy(&it.body));
            bodies.find(|body| body.contains("tea, @alice?")).map(drop)
        })
        .await;
    bridge.homeserver.heal();
    let edited = sent(&bridge, &room, "m.room.message", 2).await;
    assert_eq!(edited["content"]["m.new_content"]["body"], "tea, @alice?");
    assert_eq!(edited["content"]["m.mentions"], alice);
    assert_eq!(edited["content"]["m.new_content"]["m.mentions"], alice);

    // Named no more, and again: she knows of it.
    for (count, words, addressed) in [(3, "tea?", &json!({})), (4, "tea, @alice!", &alice)] {
        rewrites(&ana, id, words).await;
        let edited = sent(&bridge, &room, "m.room.message", count).await;
        assert_eq!(edited["content"]["m.mentions"], json!({}), "{words}");
        assert_eq!(&edited["content"]["m.new_content"]["m.mentions"], addressed, "{words}");
    }
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn whoever_is_answered_was_told_by_the_answer(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let (room, conversation, ana) = chat(&bridge).await;
    let alice = bridge.homeserver.user("@alice:example.org");
    alice.send_text(&room, "tea?");
    bridge.homeserver.wait_until_pushed().await;
    let question = listed(&ana, &conversation).await[0]["id"].clone();
    let path = format!("/conversations/{conversation}/messages");
    let reply = json!({ "content": "yes", "reply_to_message_id": question });
    let answer = done(&ana, reqwest::Method::POST, path, reply).await;
    rewrites(&ana, text(&answer, "id"), "yes, @alice").await;
    let edited = sent(&bridge, &room, "m.room.message", 3).await;
    assert_eq!(edited["content"]["m.mentions"], json!({}));
    let hers = json!({ "user_ids": ["@alice:example.org"] });
    assert_eq!(edited["content"]["m.new_content"]["m.mentions"], hers);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn an_edit_in_element_addresses_a_nova_user_from_then_on(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let (room, conversation, ana) = chat(&bridge).await;
    let alice = bridge.homeserver.user("@alice:example.org");
    let mut socket = ana.socket().await;
    let hers = alice.send_text(&room, "tea?");
    assert_eq!(socket.next("message.new").await.get("mentions"), None);
    let mut rewritten = edit(&hers, "Ana: tea?");
    let addressed = json!({ "user_ids": [ana.mxid] });
    rewritten["m.mentions"].clone_from(&addressed);
    rewritten["m.new_content"]["m.mentions"] = addressed;
    rewritten["m.new_content"]["format"] = json!("org.matrix.custom.html");
    rewritten["m.new_content"]["formatted_body"] =
        json!(format!("<a href=\"https://matrix.to/#/{}\">Ana</a>: tea?", ana.mxid));
    alice.send(&room, "m.room.message", rewritten);
    assert_eq!(socket.next("message.edited").await["mentions"], json!([ana.id]));
    assert_eq!(listed(&ana, &conversation).await[0]["mentions"], json!([ana.id]));
}
