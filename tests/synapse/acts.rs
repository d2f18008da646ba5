//! Edits, deletions, reactions, answers and threads through a real Synapse, both ways.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::api::enc;
use crate::support::matrix::MatrixUser;
use crate::support::nova::{NovaUser, id_of};
use crate::support::sync::Room;
use crate::support::wait::until;
use crate::support::world::World;
use crate::{Chat, direct_chat};

const V3: &str = "/_matrix/client/v3";

pub(crate) fn edit(target: &str, text: &str) -> Value {
    json!({
        "msgtype": "m.text", "body": format!("* {text}"), "m.new_content": { "msgtype": "m.text", "body": text },
        "m.relates_to": { "rel_type": "m.replace", "event_id": target },
    })
}

pub(crate) fn reaction(target: &str, key: &str) -> Value {
    json!({ "m.relates_to": { "rel_type": "m.annotation", "event_id": target, "key": key } })
}

/// The first event of a room that relates to another one in this way.
fn related<'a>(room: &'a Room, rel_type: &str, target: &str) -> Option<&'a Value> {
    room.timeline.iter().find(|event| {
        let relation = &event["content"]["m.relates_to"];
        relation["rel_type"] == rel_type && relation["event_id"] == target
    })
}

/// Waits until a redaction of an event is in the room.
async fn sees_redacted(matrix: &MatrixUser, room: &str, target: &str) -> Value {
    let redacts = |event: &&Value| {
        event["type"] == "m.room.redaction" && (event["content"]["redacts"] == target || event["redacts"] == target)
    };
    matrix
        .sees_in(room, "the redaction", |room| {
            room.timeline.iter().find(redacts).cloned()
        })
        .await
}

/// Waits until the newest message of a conversation looks as wanted.
async fn shows(nova: &NovaUser, conversation: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    until("the message looks as wanted", async || {
        let last = nova.history(conversation).await.pop().unwrap_or_default();
        wanted(&last).then_some(last)
    })
    .await
}

#[tokio::test]
async fn element_edits_reacts_and_redacts() {
    let Some(world) = World::open().await else { return };
    let Chat {
        nova,
        matrix,
        room,
        conversation,
    } = direct_chat(&world).await;
    let socket = nova.online().await;
    let said = matrix.say(&room, "helo").await;
    let id = socket.hears("helo").await["id"].clone();
    let is = |name: &'static str| {
        let id = id.clone();
        move |frame: &Value| frame["type"] == name && frame["message_id"] == id
    };
    let second = matrix.send(&room, &edit(&said, "hello")).await;
    let edited = socket.frame("the edit", is("message.edited")).await;
    assert_eq!(
        (&edited["content"], &edited["version_number"]),
        (&json!("hello"), &json!(2))
    );
    matrix.redact(&room, &second).await;
    shows(&nova, &conversation, |it| {
        it["content"] == "helo" && it["version_number"] == 3
    })
    .await;
    let thumb = matrix.send_event(&room, "m.reaction", &reaction(&said, "👍")).await;
    socket.frame("the reaction", is("reaction.added")).await;
    shows(&nova, &conversation, |it| it["reactions"][0]["emoji"] == "👍").await;
    matrix.redact(&room, &thumb).await;
    socket.frame("its end", is("reaction.removed")).await;
    matrix.redact(&room, &said).await;
    socket.frame("the deletion", is("message.deleted")).await;
    assert!(nova.history(&conversation).await.is_empty());
}

#[tokio::test]
async fn nova_edits_reacts_and_deletes() {
    let Some(world) = World::open().await else { return };
    let Chat {
        nova,
        matrix,
        room,
        conversation,
    } = direct_chat(&world).await;
    let socket = nova.online().await;
    let hers = matrix.say(&room, "hers").await;
    let theirs = id_of(&socket.hears("hers").await);
    let mine = id_of(&nova.say(&conversation, "helo").await);
    let event = matrix.hears(&room, "helo").await["event_id"]
        .as_str()
        .unwrap()
        .to_owned();
    nova.api
        .put(
            &format!("/messages/{mine}"),
            &json!({ "content": "hello", "version_number": 1 }),
        )
        .await;
    let edit = matrix
        .sees_in(&room, "the edit", |room| related(room, "m.replace", &event).cloned())
        .await;
    assert_eq!(
        (&edit["content"]["m.new_content"]["body"], &edit["sender"]),
        (&json!("hello"), &json!(nova.mxid))
    );
    // Synapse itself takes it for the message's text.
    let path = format!("{V3}/rooms/{}/event/{}", enc(&room), enc(&event));
    let bundled = matrix.api.get(&path).await;
    assert_eq!(
        bundled["unsigned"]["m.relations"]["m.replace"]["event_id"], edit["event_id"],
        "{bundled}"
    );

    nova.api
        .post(&format!("/messages/{theirs}/reactions"), &json!({ "emoji": "🎉" }))
        .await;
    let party = matrix
        .sees_in(&room, "the reaction", |room| {
            related(room, "m.annotation", &hers).cloned()
        })
        .await;
    assert_eq!(party["content"]["m.relates_to"]["key"], "🎉");
    nova.api
        .delete(&format!("/messages/{theirs}/reactions/{}", nova.id))
        .await;
    sees_redacted(&matrix, &room, party["event_id"].as_str().unwrap()).await;
    // The same again is no duplicate to Synapse once the first is gone.
    nova.api
        .post(&format!("/messages/{theirs}/reactions"), &json!({ "emoji": "🎉" }))
        .await;
    let again = |room: &Room| {
        let new = |event: &&Value| event["type"] == "m.reaction" && event["event_id"] != party["event_id"];
        room.timeline.iter().find(new).cloned()
    };
    matrix.sees_in(&room, "the reaction again", again).await;

    nova.api.delete(&format!("/messages/{mine}")).await;
    let redaction = sees_redacted(&matrix, &room, &event).await;
    assert_eq!(redaction["sender"], json!(nova.mxid));
    let recalled = id_of(&nova.say(&conversation, "oops").await);
    let oops = matrix.hears(&room, "oops").await["event_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/conversations/{conversation}/messages/{recalled}/recall");
    assert_eq!(nova.api.post(&path, &json!({})).await["status"], "recalled");
    sees_redacted(&matrix, &room, &oops).await;
    let (status, again) = nova.api.call(Method::POST, &path, Some(&json!({}))).await;
    assert_eq!((status, &again["code"]), (410, &json!("MESSAGE_ALREADY_RECALLED")));
    shows(&nova, &conversation, |it| it["content"] == "hers").await;
}

#[tokio::test]
async fn a_redaction_in_a_room_of_an_older_version_counts_as_well() {
    let Some(world) = World::open().await else { return };
    let (nova, matrix) = tokio::join!(world.nova_user("ana"), world.matrix_user("elena"));
    let body = json!({
        "is_direct": true, "preset": "trusted_private_chat", "invite": [nova.mxid], "room_version": "9",
    });
    let room = matrix.create_room(&body).await;
    matrix.sees_member(&room, &nova.mxid, "join").await;
    let conversation = nova.conversation_of(&room).await;
    let socket = nova.online().await;
    let said = matrix.say(&room, "gone soon").await;
    socket.hears("gone soon").await;
    matrix.redact(&room, &said).await;
    socket
        .frame("the deletion", |frame| frame["type"] == "message.deleted")
        .await;
    let mine = id_of(&nova.say(&conversation, "mine").await);
    let event = matrix.hears(&room, "mine").await["event_id"]
        .as_str()
        .unwrap()
        .to_owned();
    nova.api.delete(&format!("/messages/{mine}")).await;
    sees_redacted(&matrix, &room, &event).await;
}

#[tokio::test]
async fn answers_and_threads_go_both_ways() {
    let Some(world) = World::open().await else { return };
    let Chat {
        nova,
        matrix,
        room,
        conversation,
    } = direct_chat(&world).await;
    let socket = nova.online().await;
    let question = id_of(&nova.say(&conversation, "tea?").await);
    let event = matrix.hears(&room, "tea?").await["event_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let relation = json!({ "m.in_reply_to": { "event_id": event } });
    matrix
        .send(
            &room,
            &json!({ "msgtype": "m.text", "body": "yes", "m.relates_to": relation }),
        )
        .await;
    assert_eq!(socket.hears("yes").await["reply_to_message_id"], json!(question));

    let root = matrix.say(&room, "root").await;
    let relation = json!({
        "rel_type": "m.thread", "event_id": root, "is_falling_back": true, "m.in_reply_to": { "event_id": root },
    });
    let leaf = matrix
        .send(
            &room,
            &json!({ "msgtype": "m.text", "body": "leaf", "m.relates_to": relation }),
        )
        .await;
    let in_nova = socket.hears("leaf").await;
    assert_eq!(in_nova["thread_root_event_id"], json!(root));
    let reply = json!({ "content": "in the thread", "reply_to_message_id": in_nova["id"] });
    nova.send(&conversation, &reply).await;
    let answer = matrix.hears(&room, "in the thread").await;
    let relation = json!({
        "rel_type": "m.thread", "event_id": root, "is_falling_back": false, "m.in_reply_to": { "event_id": leaf },
    });
    assert_eq!(answer["content"]["m.relates_to"], relation);
    let path = format!("{V3}/rooms/{}/event/{}", enc(&room), enc(&root));
    let bundled = matrix.api.get(&path).await;
    assert_eq!(bundled["unsigned"]["m.relations"]["m.thread"]["count"], 2, "{bundled}");

    // By any message of it, and as an answer to nothing but the thread.
    let more = json!({ "content": "more of it", "thread_root_message_id": in_nova["id"] });
    nova.send(&conversation, &more).await;
    let more = matrix.hears(&room, "more of it").await;
    assert_eq!(
        (
            &more["content"]["m.relates_to"]["rel_type"],
            &more["content"]["m.relates_to"]["event_id"]
        ),
        (&json!("m.thread"), &json!(root))
    );
    let thread = nova.api.get(&format!("/messages/{}/thread", id_of(&in_nova))).await;
    let said = thread["messages"].as_array().unwrap();
    let said: Vec<&Value> = said.iter().map(|it| &it["content"]).collect();
    assert_eq!(said, ["leaf", "in the thread", "more of it"]);
    assert_eq!(thread["root"]["thread_answers"], 3);
}
