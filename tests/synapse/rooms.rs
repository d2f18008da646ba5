//! Rooms of every version, and rooms that are left for another one.

use serde_json::{Value, json};

use crate::direct_chat;
use crate::support::wait::until;
use crate::support::world::World;

#[tokio::test]
async fn rooms_of_each_version_work() {
    let Some(world) = World::open().await else { return };
    let (ana, elena) = tokio::join!(world.nova_user("ana"), world.matrix_user("elena"));
    let socket = ana.online().await;
    // Nothing said: the homeserver's own choice.
    for version in [None, Some("10"), Some("11"), Some("12")] {
        let mut body = json!({ "preset": "private_chat", "name": "Any", "invite": [ana.mxid] });
        if let Some(version) = version {
            body["room_version"] = json!(version);
        }
        let room = elena.create_room(&body).await;
        elena.sees_member(&room, &ana.mxid, "join").await;
        let group = ana.conversation_of(&room).await;
        let owner = ana
            .sees_member(&group, &elena.id, |member| member["role"] == "owner")
            .await;
        assert_eq!(owner["membership"], "joined", "{version:?}");
        elena.set_power(&room, &ana.mxid, 50).await;
        ana.sees_member(&group, &ana.mxid, |member| member["role"] == "admin")
            .await;
        ana.sees_member(&group, &elena.id, |member| member["role"] == "owner")
            .await;
        let text = format!("in version {version:?}");
        elena.say(&room, &text).await;
        assert_eq!(socket.hears(&text).await["conversation_id"], group.as_str());
        let answer = format!("answered in {version:?}");
        ana.say(&group, &answer).await;
        assert_eq!(elena.hears(&room, &answer).await["sender"], ana.mxid.as_str());
        // Nova's admin renames it.
        ana.api
            .put(&format!("/conversations/{group}"), &json!({ "name": text }))
            .await;
        elena
            .sees_in(&room, "the name", |room| {
                (room.content("m.room.name", "")?["name"] == text).then_some(())
            })
            .await;
    }
}

#[tokio::test]
async fn an_upgraded_group_is_followed() {
    let Some(world) = World::open().await else { return };
    let (ana, ben) = tokio::join!(world.nova_user("ana"), world.nova_user("ben"));
    let elena = world.matrix_user("elena").await;
    let body = json!({
        "preset": "private_chat", "name": "Hill", "room_version": "10", "invite": [ana.mxid, ben.mxid],
    });
    let old = elena.create_room(&body).await;
    elena.sees_member(&old, &ana.mxid, "join").await;
    elena.sees_member(&old, &ben.mxid, "join").await;
    let group = ana.conversation_of(&old).await;
    elena.say(&old, "below").await;
    let new = elena.upgrade(&old, "12").await;
    // Element invites everybody again.
    elena.act_on(&new, "invite", &ana.mxid).await;
    elena.act_on(&new, "invite", &ben.mxid).await;
    elena.sees_member(&new, &ana.mxid, "join").await;
    elena.sees_member(&new, &ben.mxid, "join").await;
    assert_eq!(ana.conversation_of(&new).await, group);
    let socket = ben.online().await;
    elena.say(&new, "up here").await;
    assert_eq!(socket.hears("up here").await["conversation_id"], group.as_str());
    ana.say(&group, "what a view").await;
    elena.hears(&new, "what a view").await;
    let said: Vec<String> = ana.said(&group).await.into_iter().map(|(_, text)| text).collect();
    assert_eq!(said, ["below", "up here", "what a view"]);
    let shown = ana.conversation(&group).await;
    assert_eq!(
        (&shown["name"], &shown["member_count"]),
        (&json!("Hill"), &json!(3)),
        "{shown}"
    );
    assert_eq!(ana.conversations().await.len(), 1);
    assert_eq!(world.dead_letters(&[&old, &new]).await, Vec::<Value>::new());
}

#[tokio::test]
async fn an_upgraded_direct_room_is_followed() {
    let Some(world) = World::open().await else { return };
    let chat = direct_chat(&world).await;
    let new = chat.matrix.upgrade(&chat.room, "11").await;
    chat.matrix.act_on(&new, "invite", &chat.nova.mxid).await;
    chat.matrix.sees_member(&new, &chat.nova.mxid, "join").await;
    chat.nova.say(&chat.conversation, "in the new one").await;
    chat.matrix.hears(&new, "in the new one").await;
    chat.matrix.say(&new, "here too").await;
    until("it is still one conversation", async || {
        let said: Vec<String> = chat
            .nova
            .said(&chat.conversation)
            .await
            .into_iter()
            .map(|(_, text)| text)
            .collect();
        (said == ["in the new one", "here too"]).then_some(())
    })
    .await;
    let shown = chat.nova.conversation(&chat.conversation).await;
    assert_eq!(shown["type"], "direct", "{shown}");
    assert_eq!(chat.nova.conversations().await.len(), 1);
}
