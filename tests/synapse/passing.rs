//! What is told in passing: who has read what, who types, who is there.

use serde_json::{Value, json};

use crate::support::matrix::MatrixUser;
use crate::support::socket::NovaClient;
use crate::support::wait::until;
use crate::support::world::World;
use crate::{Chat, direct_chat};

/// The id of a Matrix user as Nova knows them.
async fn nova_id(chat: &Chat) -> Value {
    let matrix = chat
        .nova
        .sees_member(&chat.conversation, &chat.matrix.id, |it| !it.is_null())
        .await;
    matrix["user_id"].clone()
}

async fn unread(chat: &Chat, wanted: i64) {
    until(&format!("{wanted} are unread"), async || {
        let shown = chat.nova.conversation(&chat.conversation).await;
        (shown["unread_count"] == wanted).then_some(())
    })
    .await;
}

async fn sees_read(matrix: &MatrixUser, room: &str, user: &str, event: &str) {
    matrix
        .sees_in(room, &format!("{user} read {event}"), |room| {
            (room.receipt("m.read", user)? == event).then_some(())
        })
        .await;
}

async fn is_shown_read(socket: &NovaClient, user: &Value, message: &Value) {
    socket
        .frame("the receipt", |frame| {
            frame["type"] == "read_receipt" && frame["user_id"] == *user && frame["message_id"] == *message
        })
        .await;
}

#[tokio::test]
async fn receipts_go_both_ways_and_never_back() {
    let Some(world) = World::open().await else { return };
    let chat = direct_chat(&world).await;
    let Chat {
        nova,
        matrix,
        room,
        conversation,
    } = &chat;
    let elena = nova_id(&chat).await;
    let socket = nova.online().await;
    // From Element: the first message, then a reaction to the second, which stands for the second.
    let first = nova.say(conversation, "first").await;
    let second = nova.say(conversation, "second").await;
    let event = matrix.hears(room, "first").await["event_id"]
        .as_str()
        .unwrap()
        .to_owned();
    matrix.reads(room, &event).await;
    is_shown_read(&socket, &elena, &first["id"]).await;
    let newest = matrix.hears(room, "second").await["event_id"]
        .as_str()
        .unwrap()
        .to_owned();
    matrix
        .set_state(room, "m.room.topic", &json!({ "topic": "reading" }))
        .await;
    let topic = matrix
        .sees_in(room, "the topic", |room| {
            let found = room.timeline.iter().find(|event| event["type"] == "m.room.topic");
            Some(found?["event_id"].as_str()?.to_owned())
        })
        .await;
    matrix.reads(room, &topic).await;
    is_shown_read(&socket, &elena, &second["id"]).await;
    // Back again is no news.
    matrix.reads(room, &newest).await;
    // From Nova.
    let mut last = String::new();
    for text in ["one", "two", "three"] {
        last = matrix.say(room, text).await;
    }
    socket.hears("three").await;
    unread(&chat, 3).await;
    let path = format!("/conversations/{conversation}/read");
    assert_eq!(nova.api.post(&path, &json!({})).await["unread_count"], 0);
    sees_read(matrix, room, &nova.mxid, &last).await;
    unread(&chat, 0).await;
    let shown = socket.log();
    let read = shown.of_type("read_receipt").filter(|frame| frame["user_id"] == elena);
    assert_eq!(read.count(), 2, "once for each step forward");
}

#[tokio::test]
async fn what_is_read_in_an_own_matrix_client_is_read_in_nova() {
    let Some(world) = World::open().await else { return };
    let chat = direct_chat(&world).await;
    let socket = chat.nova.online().await;
    let own = world.own_matrix_client(&chat.nova).await;
    let event = chat.matrix.say(&chat.room, "anywhere").await;
    socket.hears("anywhere").await;
    unread(&chat, 1).await;
    own.hears(&chat.room, "anywhere").await;
    own.reads(&chat.room, &event).await;
    let id = json!(chat.nova.id);
    socket
        .frame("the own receipt", |frame| {
            frame["type"] == "read_receipt" && frame["user_id"] == id
        })
        .await;
    unread(&chat, 0).await;
}

#[tokio::test]
async fn typing_goes_both_ways() {
    let Some(world) = World::open().await else { return };
    let chat = direct_chat(&world).await;
    let Chat {
        nova,
        matrix,
        room,
        conversation,
    } = &chat;
    let elena = nova_id(&chat).await;
    let socket = nova.online().await;
    matrix.types(room, true).await;
    let of_elena = |name: &'static str| {
        let elena = elena.clone();
        move |frame: &Value| frame["type"] == name && frame["user_id"] == elena
    };
    socket.frame("the beginning", of_elena("typing.started")).await;
    socket.frame("the beginning, for old clients", of_elena("typing")).await;
    matrix.types(room, false).await;
    socket.frame("the end", of_elena("typing.stopped")).await;
    let types = |typing: bool| {
        matrix.sees_in(room, "who types", move |room| {
            (room.typing.contains(&nova.mxid) == typing).then_some(())
        })
    };
    socket.tell(json!({ "type": "typing", "conversation_id": conversation, "user_id": nova.id }));
    types(true).await;
    socket.tell(json!({ "type": "typing.stop", "data": { "conversation_id": conversation } }));
    types(false).await;
    socket.tell(json!({ "type": "typing.start", "data": { "conversation_id": conversation } }));
    types(true).await;
    nova.say(conversation, "done").await;
    types(false).await;
}

#[tokio::test]
async fn presence_goes_both_ways() {
    let Some(world) = World::open().await else { return };
    let chat = direct_chat(&world).await;
    let elena = nova_id(&chat).await;
    let socket = chat.nova.online().await;
    let there = |seen: &crate::support::sync::Seen| {
        let presence = seen.presence.get(&chat.nova.mxid)?;
        (presence == "online").then_some(())
    };
    chat.matrix.sees("that she is there", there).await;
    for presence in ["unavailable", "online"] {
        chat.matrix.is_there(presence).await;
        socket
            .frame(presence, |frame| {
                frame["type"] == "presence" && frame["user_id"] == elena && frame["presence"] == presence
            })
            .await;
    }
    drop(socket);
    let gone = |seen: &crate::support::sync::Seen| {
        let presence = seen.presence.get(&chat.nova.mxid)?;
        (presence != "online").then_some(())
    };
    chat.matrix.sees("that she is gone", gone).await;
}
