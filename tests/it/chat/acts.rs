//! What is done to messages after they were said, in each direction.

mod everybody;
mod from_matrix;
mod hostile;
mod mentions;
mod threads;
mod to_matrix;
mod waiting;

use reqwest::Method;
use serde_json::{Value, json};

use super::direct;
use crate::support::bridge::{NovaUser, TestBridge};
use crate::support::homeserver::World;

/// A direct conversation of Ana and Alice: the room, the conversation, and Ana.
async fn chat(bridge: &TestBridge) -> (String, String, NovaUser) {
    let ana = bridge.account("ana").await;
    let (room, conversation) = direct(bridge, &ana).await;
    (room, conversation, ana)
}

fn edit(target: &str, text: &str) -> Value {
    json!({
        "msgtype": "m.text", "body": format!("* {text}"), "m.new_content": { "msgtype": "m.text", "body": text },
        "m.relates_to": { "rel_type": "m.replace", "event_id": target },
    })
}

fn reaction(target: &str, key: &str) -> Value {
    json!({ "m.relates_to": { "rel_type": "m.annotation", "event_id": target, "key": key } })
}

/// Asks for something that has to work.
async fn done(nova: &NovaUser, method: Method, path: String, body: Value) -> Value {
    let (status, answer) = nova.request(method, &path, Some(body)).await;
    assert!((200..300).contains(&status), "{path} {status}: {answer}");
    answer
}

/// Gives a message another text.
async fn rewrites(nova: &NovaUser, message: &str, content: &str) {
    let path = format!("/messages/{message}");
    done(nova, Method::PUT, path, json!({ "content": content })).await;
}

async fn reacts(nova: &NovaUser, message: &str, emoji: &str) -> Value {
    let path = format!("/messages/{message}/reactions");
    done(nova, Method::POST, path, json!({ "emoji": emoji })).await
}

/// Takes a reaction of their own back.
async fn takes_back(nova: &NovaUser, message: &str, emoji: &str) {
    let path = format!("/messages/{message}/reactions/{}?emoji={emoji}", nova.id);
    done(nova, Method::DELETE, path, json!(null)).await;
}

async fn deletes(nova: &NovaUser, message: &str) {
    done(nova, Method::DELETE, format!("/messages/{message}"), json!(null)).await;
}

/// The events of a room of this type, as far as they are not redacted.
fn events(world: &World, room: &str, event_type: &str) -> Vec<Value> {
    let all = world.rooms[room].timeline.iter();
    all.filter(|event| event["type"] == event_type && event["content"] != json!({}))
        .cloned()
        .collect()
}

/// Waits until so many events of this type are in the room, and gives the last one.
async fn sent(bridge: &TestBridge, room: &str, event_type: &str, count: usize) -> Value {
    let what = format!("{count} × {event_type}");
    bridge
        .homeserver
        .wait_for(&what, |world| {
            let mut all = events(world, room, event_type);
            (all.len() == count).then(|| all.pop().unwrap_or_default())
        })
        .await
}

/// The messages of a conversation.
async fn listed(nova: &NovaUser, conversation: &str) -> Vec<Value> {
    let (status, list) = nova.get(&format!("/conversations/{conversation}/messages")).await;
    assert_eq!(status, 200, "{list}");
    list.as_array().unwrap().clone()
}

async fn dead_letters(bridge: &TestBridge) -> Value {
    let (_, letters) = bridge.admin(Method::GET, "/dead-letters", None).await;
    letters["dead_letters"].clone()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("no {key} in {value}"))
}
