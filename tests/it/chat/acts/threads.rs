//! Threads: begun on either side, read as such, and answered in.

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{chat, done, listed, sent, text};
use crate::support::bridge::{NovaUser, TestBridge};
use crate::support::homeserver::{Fault, On};

async fn thread(nova: &NovaUser, message: &str, query: &str) -> Value {
    let (status, thread) = nova.get(&format!("/messages/{message}/thread{query}")).await;
    assert_eq!(status, 200, "{thread}");
    thread
}

fn texts(thread: &Value) -> Vec<&str> {
    let messages = thread["messages"].as_array().unwrap();
    messages.iter().map(|it| it["content"].as_str().unwrap()).collect()
}

fn in_thread(root: &str, body: &str) -> Value {
    json!({ "msgtype": "m.text", "body": body, "m.relates_to": { "rel_type": "m.thread", "event_id": root } })
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_thread_is_read_in_pages_and_answered_in(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let (room, conversation, ana) = chat(&bridge).await;
    let alice = bridge.homeserver.user("@alice:example.org");
    let root = alice.send_text(&room, "tea?");
    alice.send(&room, "m.room.message", in_thread(&root, "green?"));
    alice.send_text(&room, "something else");
    let black = alice.send(&room, "m.room.message", in_thread(&root, "black?"));
    bridge.homeserver.wait_until_pushed().await;
    let all = listed(&ana, &conversation).await;
    assert_eq!(all.len(), 4, "who knows of no threads sees everything");
    assert_eq!(
        (&all[0]["thread_answers"], &all[1]["thread_answers"]),
        (&json!(2), &Value::Null)
    );
    let first = text(&all[0], "id").to_owned();

    let whole = thread(&ana, &first, "").await;
    assert_eq!(
        (&whole["root"]["id"], &whole["root_event_id"]),
        (&json!(first), &json!(root))
    );
    assert_eq!(
        (texts(&whole), &whole["has_more"]),
        (vec!["green?", "black?"], &json!(false))
    );
    assert_eq!(
        thread(&ana, text(&all[1], "id"), "").await,
        whole,
        "by any message of it"
    );
    let page = thread(&ana, &first, "?limit=1").await;
    assert_eq!((texts(&page), &page["has_more"]), (vec!["green?"], &json!(true)));
    let after = page["messages"][0]["sequence_number"].as_i64().unwrap();
    let rest = thread(&ana, &first, &format!("?limit=1&after_sequence={after}")).await;
    assert_eq!((texts(&rest), &rest["has_more"]), (vec!["black?"], &json!(false)));

    // In the thread, and to one message of it.
    let path = format!("/conversations/{conversation}/messages");
    let say = async |body: Value| done(&ana, Method::POST, path.clone(), body).await;
    let both = say(json!({ "content": "both", "thread_root_message_id": first })).await;
    assert_eq!(
        (&both["reply_to_message_id"], &both["thread_root_event_id"]),
        (&json!(first), &json!(root))
    );
    let milk = json!({ "content": "milk?", "thread_root_message_id": first, "reply_to_message_id": all[3]["id"] });
    say(milk).await;
    let last = sent(&bridge, &room, "m.room.message", 6).await;
    let relation = |falls_back: bool, to: &str| {
        json!({ "rel_type": "m.thread", "event_id": root, "is_falling_back": falls_back,
            "m.in_reply_to": { "event_id": to } })
    };
    assert_eq!(last["content"]["m.relates_to"], relation(false, &black));
    let event = &bridge
        .homeserver
        .inspect(|world| super::events(world, &room, "m.room.message"))[4];
    assert_eq!(event["content"]["m.relates_to"], relation(true, &root));
    assert_eq!(
        event["content"]["m.mentions"],
        json!({}),
        "the thread is answered, not who began it"
    );
    assert_eq!(
        texts(&thread(&ana, &first, "").await),
        ["green?", "black?", "both", "milk?"]
    );

    // What is gone does not count.
    done(
        &ana,
        Method::DELETE,
        format!("/messages/{}", text(&both, "id")),
        json!(null),
    )
    .await;
    assert_eq!(texts(&thread(&ana, &first, "").await), ["green?", "black?", "milk?"]);
    assert_eq!(listed(&ana, &conversation).await[0]["thread_answers"], 3);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_thread_is_begun_in_nova_and_only_where_it_can_be(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let (room, conversation, ana) = chat(&bridge).await;
    let alice = bridge.homeserver.user("@alice:example.org");
    let root = alice.send_text(&room, "tea?");
    alice.send_text(&room, "something else");
    bridge.homeserver.wait_until_pushed().await;
    let all = listed(&ana, &conversation).await;
    let (first, other) = (text(&all[0], "id").to_owned(), text(&all[1], "id").to_owned());
    assert_eq!(thread(&ana, &first, "").await["messages"], json!([]));
    let path = format!("/conversations/{conversation}/messages");
    for body in [
        json!({ "content": "x", "thread_root_message_id": "x" }),
        json!({ "content": "x", "thread_root_message_id": conversation }),
        json!({ "content": "x", "thread_root_message_id": first, "reply_to_message_id": other }),
    ] {
        assert_eq!(ana.post(&path, body.clone()).await.0, 400, "{body}");
    }
    let begun = json!({ "content": "green", "thread_root_message_id": first, "reply_to_message_id": "" });
    done(&ana, Method::POST, path, begun).await;
    let event = sent(&bridge, &room, "m.room.message", 3).await;
    assert_eq!(event["content"]["m.relates_to"]["event_id"], root);
    assert_eq!(listed(&ana, &conversation).await[0]["thread_answers"], 1);

    // Nobody else reads it.
    let ben = bridge.account("ben").await;
    assert_eq!(ben.get(&format!("/messages/{first}/thread")).await.0, 403);
    // A message that Matrix has refused begins no thread there.
    let mut socket = ana.socket().await;
    let refusal = Fault::Status(400, "M_BAD_JSON", None);
    bridge.homeserver.fail_next(On::Send, refusal);
    let said = ana.say(&conversation, "hello").await;
    let hello = text(&said, "id");
    while socket.next("message.delivery").await["status"] != "failed" {}
    let body = json!({ "content": "x", "thread_root_message_id": hello });
    let (status, refused) = ana.post(&format!("/conversations/{conversation}/messages"), body).await;
    assert_eq!(status, 400, "{refused}");
    let nothing = thread(&ana, hello, "").await;
    assert_eq!(
        (&nothing["root"]["id"], &nothing["messages"]),
        (&said["id"], &json!([]))
    );
}
