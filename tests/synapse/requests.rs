//! Nova users who are asked before they come, and people who are blocked.

use reqwest::Method;
use serde_json::{Value, json};

use crate::bot;
use crate::direct_chat;
use crate::support::nova::NovaUser;
use crate::support::wait::until;
use crate::support::world::World;

/// The one request that waits for an answer.
async fn request(nova: &NovaUser) -> Value {
    until("a request", async || {
        let list = nova.api.get("/message-requests").await;
        list.as_array().unwrap().first().cloned()
    })
    .await
}

async fn wants_to_be_asked(nova: &NovaUser) {
    let wanted = json!({ "dm_permission": "mutuals" });
    nova.api.put("/settings/dm-permission", &wanted).await;
}

#[tokio::test]
async fn what_was_said_is_there_when_a_request_is_accepted() {
    let Some(world) = World::open().await else { return };
    let (nova, matrix) = tokio::join!(world.nova_user("ana"), world.matrix_user("elena"));
    wants_to_be_asked(&nova).await;
    let socket = nova.online().await;
    let room = matrix.create_dm(&nova.mxid).await;
    matrix.say(&room, "hello?").await;
    matrix.say(&room, "it is me").await;
    let asked = request(&nova).await;
    assert_eq!(asked["requester_matrix_user_id"], matrix.id.as_str());
    assert_eq!(nova.conversations().await, Vec::<Value>::new());
    matrix.sees_member(&room, &nova.mxid, "invite").await;
    let id = asked["id"].as_str().unwrap();
    nova.api
        .post(&format!("/message-requests/{id}/accept"), &json!({}))
        .await;
    matrix.sees_member(&room, &nova.mxid, "join").await;
    assert_eq!(socket.hears("it is me").await["conversation_id"], id);
    let said: Vec<String> = nova.said(id).await.into_iter().map(|(_, text)| text).collect();
    assert_eq!(said, ["hello?", "it is me"]);
    nova.say(id, "come in").await;
    matrix.hears(&room, "come in").await;
    assert_eq!(world.dead_letters(&[&room]).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_request_shows_the_group_and_who_asks_before_it_is_accepted() {
    let Some(world) = World::open().await else { return };
    let (nova, matrix) = tokio::join!(world.nova_user("ana"), world.matrix_user("elena"));
    wants_to_be_asked(&nova).await;
    matrix.set_profile("displayname", "Elena of the Tea").await;
    let group = json!({ "name": "Tea", "topic": "and biscuits", "invite": [nova.mxid] });
    let room = matrix.create_room(&group).await;
    let asked = request(&nova).await;
    matrix.sees_member(&room, &nova.mxid, "invite").await;
    assert_eq!(
        (&asked["type"], &asked["name"], &asked["description"]),
        (&json!("group"), &json!("Tea"), &json!("and biscuits"))
    );
    assert_eq!(asked["requester_display_name"], "Elena of the Tea");
}

#[tokio::test]
async fn a_request_that_is_rejected_leaves_the_room_and_can_be_made_again() {
    let Some(world) = World::open().await else { return };
    let (nova, matrix) = tokio::join!(world.nova_user("ana"), world.matrix_user("elena"));
    wants_to_be_asked(&nova).await;
    let room = matrix.create_dm(&nova.mxid).await;
    let id = request(&nova).await["id"].as_str().unwrap().to_owned();
    nova.api
        .post(&format!("/message-requests/{id}/reject"), &json!({}))
        .await;
    matrix.sees_member(&room, &nova.mxid, "leave").await;
    let again = matrix.create_dm(&nova.mxid).await;
    assert_eq!(request(&nova).await["id"], id.as_str());
    nova.api
        .post(&format!("/message-requests/{id}/accept"), &json!({}))
        .await;
    matrix.sees_member(&again, &nova.mxid, "join").await;
}

#[tokio::test]
async fn whoever_is_blocked_is_declined_and_not_heard() {
    let Some(world) = World::open().await else { return };
    let chat = direct_chat(&world).await;
    let (nova, matrix) = (&chat.nova, &chat.matrix);
    let socket = nova.online().await;
    nova.api.post("/blocks", &json!({ "user_id": matrix.id })).await;
    matrix.say(&chat.room, "psst").await;
    let other = matrix.create_dm(&nova.mxid).await;
    matrix.sees_member(&other, &nova.mxid, "leave").await;
    let path = format!("/blocks/{}", matrix.id);
    let (status, _) = nova.api.call(Method::DELETE, &path, None).await;
    assert_eq!(status, 200);
    matrix.say(&chat.room, "hello again").await;
    socket.hears("hello again").await;
    let said: Vec<String> = nova
        .said(&chat.conversation)
        .await
        .into_iter()
        .map(|(_, text)| text)
        .collect();
    assert_eq!(said, ["hello again"]);
    assert_eq!(nova.api.get("/message-requests").await, json!([]));
}

#[tokio::test]
async fn the_bot_opens_no_chat_with_whoever_wants_to_be_asked_or_blocks() {
    let Some(world) = World::open().await else { return };
    let bot = bot::bot(&world);
    let (nova, matrix) = tokio::join!(world.nova_user("ana"), world.matrix_user("elena"));
    wants_to_be_asked(&nova).await;
    let room = matrix.create_dm(&bot).await;
    bot::answers(&matrix, &room, &bot, |count| count > 0).await;
    let open = format!("open {}", nova.username);
    let asked = bot::asks(&matrix, &room, &bot, &open).await;
    assert!(
        asked.contains("wants to be asked first") && asked.contains(&nova.mxid),
        "{asked}"
    );
    nova.api.post("/blocks", &json!({ "user_id": matrix.id })).await;
    let declined = bot::asks(&matrix, &room, &bot, &open).await;
    assert!(declined.ends_with("cannot be reached."), "{declined}");
    assert_eq!(nova.conversations().await, Vec::<Value>::new());
}
