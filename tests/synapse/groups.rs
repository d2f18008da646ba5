//! Groups of both sides: who comes, goes, rises, and what the group is called.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::wait::until;
use crate::support::world::World;

fn role(wanted: &'static str) -> impl Fn(&Value) -> bool {
    move |member| member["role"] == wanted
}

fn membership(wanted: &'static str) -> impl Fn(&Value) -> bool {
    move |member| member["membership"] == wanted
}

#[tokio::test]
async fn a_group_made_in_nova() {
    let Some(world) = World::open().await else { return };
    let (ana, ben) = tokio::join!(world.nova_user("ana"), world.nova_user("ben"));
    let (elena, marek) = tokio::join!(world.matrix_user("elena"), world.matrix_user("marek"));
    let group = ana.create_group("Hiking", &[&ben.id.to_string(), &elena.id]).await;
    let room = ana.room_of(&group).await;
    elena.accepts(&room).await;
    elena.sees_member(&room, &ben.mxid, "join").await;
    ana.sees_member(&group, &elena.id, membership("joined")).await;
    assert_eq!(elena.state(&room, "m.room.name", "").await["name"], "Hiking");

    // Everybody is heard by everybody.
    let (hers, his) = tokio::join!(ana.online(), ben.online());
    elena.say(&room, "hello from Element").await;
    hers.hears("hello from Element").await;
    his.hears("hello from Element").await;
    ben.say(&group, "hello from Ben").await;
    assert_eq!(elena.hears(&room, "hello from Ben").await["sender"], ben.mxid.as_str());

    // Nova changes it.
    let looks = json!({ "name": "Hill walking", "description": "rain or shine" });
    ana.api.put(&format!("/conversations/{group}/settings"), &looks).await;
    elena
        .sees_in(&room, "name and topic", |room| {
            let named = room.content("m.room.name", "")?["name"] == "Hill walking";
            (named && room.content("m.room.topic", "")?["topic"] == "rain or shine").then_some(())
        })
        .await;
    ana.api
        .put(
            &format!("/conversations/{group}/members/{}/role", elena.id),
            &json!({ "role": "admin" }),
        )
        .await;
    elena
        .sees_in(&room, "her power", |room| {
            (room.content("m.room.power_levels", "")?["users"][&elena.id] == 50).then_some(())
        })
        .await;

    // An admin in Element may do what an admin in Nova may.
    elena
        .set_state(&room, "m.room.name", &json!({ "name": "Walking" }))
        .await;
    until("Nova shows the name", async || {
        (ana.conversation(&group).await["name"] == "Walking").then_some(())
    })
    .await;

    // Nova adds and removes.
    let added = json!({ "user_ids": [marek.id] });
    ben.api.post(&format!("/conversations/{group}/members"), &added).await;
    marek.accepts(&room).await;
    ana.sees_member(&group, &marek.id, membership("joined")).await;
    ana.api
        .delete(&format!("/conversations/{group}/members/{}", marek.id))
        .await;
    elena.sees_member(&room, &marek.id, "leave").await;
    ben.api.post(&format!("/conversations/{group}/leave"), &json!({})).await;
    elena.sees_member(&room, &ben.mxid, "leave").await;
    let (status, _) = ben
        .api
        .call(Method::GET, &format!("/conversations/{group}/messages"), None)
        .await;
    assert_eq!(status, 403);

    // Who was declined: an invite that is turned down.
    ana.api.post(&format!("/conversations/{group}/members"), &added).await;
    marek
        .sees("the second invite", |seen| {
            seen.invites.contains_key(&room).then_some(())
        })
        .await;
    ana.sees_member(&group, &marek.id, membership("invited")).await;
    marek.leave(&room).await;
    ana.sees_member(&group, &marek.id, Value::is_null).await;
    assert_eq!(world.dead_letters(&[&room]).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_group_made_in_element() {
    let Some(world) = World::open().await else { return };
    let (ana, ben) = tokio::join!(world.nova_user("ana"), world.nova_user("ben"));
    let (elena, marek) = tokio::join!(world.matrix_user("elena"), world.matrix_user("marek"));
    let body = json!({ "preset": "private_chat", "name": "Boats", "topic": "sail", "invite": [marek.id] });
    let room = elena.create_room(&body).await;
    marek.accepts(&room).await;
    marek.say(&room, "before Nova came").await;
    elena.act_on(&room, "invite", &ana.mxid).await;
    elena.sees_member(&room, &ana.mxid, "join").await;
    let group = ana.conversation_of(&room).await;
    // Who and what was there before is read from the room.
    ana.sees_member(&group, &marek.id, membership("joined")).await;
    let owner = ana.sees_member(&group, &elena.id, role("owner")).await;
    assert_eq!(owner["display_name"], "elena");
    until("name and topic are known", async || {
        let shown = ana.conversation(&group).await;
        (shown["name"] == "Boats" && shown["description"] == "sail" && shown["type"] == "group").then_some(())
    })
    .await;

    let socket = ana.online().await;
    elena
        .set_state(&room, "m.room.name", &json!({ "name": "Big boats" }))
        .await;
    elena
        .set_state(&room, "m.room.topic", &json!({ "topic": "steam" }))
        .await;
    elena.set_power(&room, &marek.id, 50).await;
    elena.set_power(&room, &ana.mxid, 100).await;
    let changed = |frame: &Value| frame["type"] == "member.role_changed" && frame["user_id"] == json!(ana.id);
    assert_eq!(socket.frame("her role", changed).await["new_role"], "owner");
    ana.sees_member(&group, &marek.id, role("admin")).await;
    let shown = ana.conversation(&group).await;
    assert_eq!(
        (&shown["name"], &shown["description"]),
        (&json!("Big boats"), &json!("steam"))
    );

    // Both sides invite; a kick, a ban, and who leaves by themselves.
    ana.api
        .post(
            &format!("/conversations/{group}/members"),
            &json!({ "user_id": ben.id }),
        )
        .await;
    elena.sees_member(&room, &ben.mxid, "join").await;
    marek.leave(&room).await;
    ana.sees_member(&group, &marek.id, Value::is_null).await;
    elena.act_on(&room, "kick", &ben.mxid).await;
    ana.sees_member(&group, &ben.mxid, Value::is_null).await;
    assert_eq!(ben.conversations().await, Vec::<Value>::new());
    elena.act_on(&room, "invite", &ben.mxid).await;
    elena.sees_member(&room, &ben.mxid, "join").await;
    ben.conversation_of(&room).await;
    elena.act_on(&room, "ban", &ben.mxid).await;
    ana.sees_member(&group, &ben.mxid, Value::is_null).await;
    assert_eq!(ben.conversations().await, Vec::<Value>::new());
    elena.say(&room, "still here").await;
    socket.hears("still here").await;
    assert_eq!(world.dead_letters(&[&room]).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_group_without_matrix_users_is_joined_later() {
    let Some(world) = World::open().await else { return };
    let (ana, ben) = tokio::join!(world.nova_user("ana"), world.nova_user("ben"));
    let elena = world.matrix_user("elena").await;
    let group = ana.create_group("Tea", &[&ben.id.to_string()]).await;
    ben.say(&group, "first").await;
    ana.api
        .post(
            &format!("/conversations/{group}/members"),
            &json!({ "user_id": elena.id }),
        )
        .await;
    let room = ana.room_of(&group).await;
    elena.accepts(&room).await;
    let socket = ben.online().await;
    elena.say(&room, "thank you").await;
    socket.hears("thank you").await;
    ana.api.delete(&format!("/conversations/{group}")).await;
    elena.sees_member(&room, &ana.mxid, "leave").await;
    elena.sees_member(&room, &ben.mxid, "leave").await;
    assert_eq!(ben.conversations().await, Vec::<Value>::new());
}
