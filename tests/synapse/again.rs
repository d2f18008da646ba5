//! Synapse's own events, delivered to the bridge once more, and in the wrong order.

use serde_json::{Value, json};

use crate::acts::{edit, reaction};
use crate::support::matrix::MatrixUser;
use crate::support::nova::{NovaUser, id_of};
use crate::support::wait::until;
use crate::support::world::World;
use crate::{Chat, direct_chat};

/// The events of a room as they were when they were new, in the order of Synapse's stream, as it pushes them.
async fn raw(matrix: &MatrixUser, room: &str, last: &str) -> Vec<Value> {
    let mut events = matrix
        .sees_in(room, "the last event", |seen| {
            let all = &seen.timeline;
            all.iter().any(|event| event["event_id"] == last).then(|| all.clone())
        })
        .await;
    for event in &mut events {
        event["room_id"] = json!(room);
    }
    events
}

/// Everything that Nova shows of a conversation.
async fn view(nova: &NovaUser, conversation: &str) -> Value {
    json!({
        "conversation": nova.conversation(conversation).await,
        "members": nova.members(conversation).await,
        "messages": nova.history(conversation).await,
    })
}

fn receipt(room: &str, event: &str, user: &str) -> Value {
    json!({
        "type": "m.receipt", "room_id": room,
        "content": { event: { "m.read": { user: { "ts": 1_767_863_730_000_i64, "thread_id": "main" } } } },
    })
}

#[tokio::test]
async fn whatever_synapse_delivers_again_changes_nothing() {
    let Some(world) = World::open().await else { return };
    let Chat {
        nova,
        matrix,
        room,
        conversation,
    } = direct_chat(&world).await;
    let socket = nova.online().await;

    // Everything that can be done to messages, by both.
    let said = matrix.say(&room, "helo").await;
    let shown = socket.hears("helo").await;
    let first = matrix.send(&room, &edit(&said, "hell")).await;
    matrix.send(&room, &edit(&said, "hello")).await;
    let thumb = matrix.send_event(&room, "m.reaction", &reaction(&said, "👍")).await;
    matrix.redact(&room, &thumb).await;
    matrix.send_event(&room, "m.reaction", &reaction(&said, "🎉")).await;
    matrix.redact(&room, &first).await;
    let gone = matrix.say(&room, "gone").await;
    matrix.redact(&room, &gone).await;
    let mine = id_of(&nova.say(&conversation, "min").await);
    let event = matrix.hears(&room, "min").await["event_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let body = json!({ "content": "mine" });
    nova.api.put(&format!("/messages/{mine}"), &body).await;
    matrix.send_event(&room, "m.reaction", &reaction(&event, "❤️")).await;
    let path = format!("/messages/{}/reactions", id_of(&shown));
    nova.api.post(&path, &json!({ "emoji": "🔥" })).await;
    let oops = id_of(&nova.say(&conversation, "oops").await);
    matrix.hears(&room, "oops").await;
    nova.api.delete(&format!("/messages/{oops}")).await;
    nova.api
        .post(&format!("/conversations/{conversation}/read"), &json!({}))
        .await;
    matrix
        .set_state(&room, "m.room.topic", &json!({ "topic": "acts" }))
        .await;
    matrix.reads(&room, &event).await;
    let is_redaction = |event: &&Value| event["type"] == "m.room.redaction" && event["sender"] == nova.mxid.as_str();
    matrix
        .sees_in(&room, "the deletion", |room| {
            room.timeline.iter().find(is_redaction).cloned()
        })
        .await;
    let last = matrix.say(&room, "all was done").await;
    socket.hears("all was done").await;
    let elena = nova.sees_member(&conversation, &matrix.id, |it| !it.is_null()).await;
    socket
        .frame("her receipt, in both its words", |frame| {
            frame["type"] == "message.read" && frame["user_id"] == elena["user_id"]
        })
        .await;
    let events = raw(&matrix, &room, &last).await;
    let before = until("it looks as it was done", async || {
        let view = view(&nova, &conversation).await;
        let texts: Vec<&Value> = view["messages"].as_array()?.iter().map(|it| &it["content"]).collect();
        let two = view["messages"][0]["reactions"].as_array().map(Vec::len) == Some(2);
        (texts == ["hello", "mine", "all was done"] && two).then_some(view)
    })
    .await;
    let frames = socket.log().frames.len();

    // Once more as they were, in reverse and each by itself, and what was read before.
    world.push(&events, &[]).await;
    for event in events.iter().rev() {
        world.push(std::slice::from_ref(event), &[]).await;
    }
    let receipts = [
        receipt(&room, &event, &matrix.id),
        receipt(&room, &said, &matrix.id),
        receipt(&room, &said, &nova.mxid),
    ];
    world.push(&[], &receipts).await;
    assert_eq!(view(&nova, &conversation).await, before);
    matrix.say(&room, "the end").await;
    socket.hears("the end").await;
    let told: Vec<Value> = socket.log().frames[frames..].to_vec();
    assert_eq!(told.len(), 1, "nobody is told of anything again: {told:#?}");
    assert_eq!(world.dead_letters(&[&room]).await, Vec::<Value>::new());
}

#[tokio::test]
async fn what_synapse_delivers_backwards_comes_to_the_same() {
    let Some(world) = World::open().await else { return };
    let (nova, elena, marek) = tokio::join!(
        world.nova_user("ana"),
        world.matrix_user("elena"),
        world.matrix_user("marek")
    );
    // All this is done before the bridge knows of the room, so it has never seen it.
    let body = json!({ "preset": "private_chat", "name": "Boats", "invite": [marek.id] });
    let room = elena.create_room(&body).await;
    marek.accepts(&room).await;
    let started = elena.say(&room, "helo").await;
    let older = elena.send(&room, &edit(&started, "hell")).await;
    elena.send(&room, &edit(&started, "hello")).await;
    let forged = marek.send(&room, &edit(&started, "forged")).await;
    let thumb = marek.send_event(&room, "m.reaction", &reaction(&started, "👍")).await;
    marek.redact(&room, &thumb).await;
    marek.send_event(&room, "m.reaction", &reaction(&started, "🎉")).await;
    let answer = json!({
        "msgtype": "m.text", "body": "hi", "m.relates_to": { "m.in_reply_to": { "event_id": started } },
    });
    let last = marek.send(&room, &answer).await;
    let undone = elena.say(&room, "back again").await;
    let newest = elena.send(&room, &edit(&undone, "not this")).await;
    elena.redact(&room, &newest).await;
    let gone = elena.say(&room, "gone").await;
    elena.redact(&room, &gone).await;
    let end = elena.say(&room, "end").await;
    let events = raw(&elena, &room, &end).await;

    elena.act_on(&room, "invite", &nova.mxid).await;
    elena.sees_member(&room, &nova.mxid, "join").await;
    let conversation = nova.conversation_of(&room).await;
    let joined = |member: &Value| member["membership"] == "joined";
    nova.sees_member(&conversation, &marek.id, joined).await;
    assert_eq!(nova.history(&conversation).await, Vec::<Value>::new());
    let acts = events.iter().rev().filter(|event| event.get("state_key").is_none());
    for event in acts {
        world.push(std::slice::from_ref(event), &[]).await;
    }
    let messages = nova.history(&conversation).await;
    let shown: Vec<(&Value, &Value)> = messages
        .iter()
        .map(|it| (&it["matrix_event_id"], &it["content"]))
        .collect();
    assert_eq!(
        shown,
        [
            (&json!(end), &json!("end")),
            (&json!(undone), &json!("back again")),
            (&json!(last), &json!("hi")),
            (&json!(started), &json!("hello")),
        ],
        "{older} and {forged} are not shown"
    );
    let (hi, hello) = (&messages[2], &messages[3]);
    assert_eq!(hi["reply_to_message_id"], hello["id"]);
    assert_eq!(
        hello["reactions"],
        json!([{ "emoji": "🎉", "count": 1, "user_reacted": false }])
    );
    assert_eq!(world.dead_letters(&[&room]).await, Vec::<Value>::new());
}
