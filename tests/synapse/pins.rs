//! Pinned messages through a real Synapse, both ways.

use serde_json::{Value, json};

use crate::support::nova::{NovaUser, id_of};
use crate::support::wait::until;
use crate::support::world::World;
use crate::{Chat, direct_chat};

const LIST: &str = "m.room.pinned_events";

/// Waits until this is pinned in a conversation, the last one first.
async fn shows(nova: &NovaUser, conversation: &str, wanted: &[&str]) {
    let path = format!("/conversations/{conversation}/pinned");
    until("it is pinned", async || {
        let list = nova.api.get(&path).await;
        let shown: Vec<Value> = list["messages"]
            .as_array()?
            .iter()
            .map(|it| it["content"].clone())
            .collect();
        (json!(shown) == json!(wanted)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn both_pin_and_take_down() {
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
    let mine = id_of(&nova.say(&conversation, "mine").await);
    let own = matrix.hears(&room, "mine").await["event_id"]
        .as_str()
        .unwrap()
        .to_owned();

    // Something is on the list that Nova has never seen: it stays there.
    matrix
        .set_state(&room, LIST, &json!({ "pinned": ["$before", hers] }))
        .await;
    let pinned = socket.frame("the pin", |frame| frame["type"] == "message.pinned").await;
    assert_eq!(pinned["message_id"], json!(theirs));
    shows(&nova, &conversation, &["hers"]).await;
    nova.api.post(&format!("/messages/{mine}/pin"), &json!({})).await;
    let is = |wanted: Value| {
        move |room: &crate::support::sync::Room| (room.content(LIST, "")?["pinned"] == wanted).then_some(())
    };
    matrix.sees_in(&room, "both", is(json!(["$before", hers, own]))).await;
    shows(&nova, &conversation, &["mine", "hers"]).await;
    nova.api
        .delete(&format!("/conversations/{conversation}/messages/{theirs}/pin"))
        .await;
    matrix.sees_in(&room, "one", is(json!(["$before", own]))).await;
    matrix.set_state(&room, LIST, &json!({ "pinned": [] })).await;
    shows(&nova, &conversation, &[]).await;
    assert!(world.dead_letters(&[&room]).await.is_empty());
}

#[tokio::test]
async fn in_rooms_of_nova_both_of_two_pin_and_admins_of_a_group() {
    let Some(world) = World::open().await else { return };
    let (ana, elena) = tokio::join!(world.nova_user("ana"), world.matrix_user("elena"));
    let direct = ana.open(&elena.id).await;
    let room = ana.room_of(&direct).await;
    elena.accepts(&room).await;
    let hers = elena.say(&room, "hers").await;
    elena.set_state(&room, LIST, &json!({ "pinned": [hers] })).await;
    shows(&ana, &direct, &["hers"]).await;

    let group = ana.create_group("Hiking", &[&elena.id]).await;
    let room = ana.room_of(&group).await;
    elena.accepts(&room).await;
    let said = id_of(&ana.say(&group, "up we go, @room").await);
    let event = elena.hears(&room, "up we go, @room").await;
    assert_eq!(event["content"]["m.mentions"], json!({ "room": true }));
    ana.api.post(&format!("/messages/{said}/pin"), &json!({})).await;
    let wanted = json!([event["event_id"]]);
    elena
        .sees_in(&room, "the pin", |room| {
            (room.content(LIST, "")?["pinned"] == wanted).then_some(())
        })
        .await;
    let path = format!(
        "/_matrix/client/v3/rooms/{}/state/{LIST}/",
        crate::support::api::enc(&room)
    );
    let nothing = json!({ "pinned": [] });
    let (status, _) = elena.api.call(reqwest::Method::PUT, &path, Some(&nothing)).await;
    assert_eq!(status, 403, "a member may not");
    shows(&ana, &group, &["up we go, @room"]).await;
    assert!(world.dead_letters(&[&room]).await.is_empty());
}
