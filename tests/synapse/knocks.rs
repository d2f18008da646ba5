//! People who knock on the room of a group, and the Nova users who answer.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::api::enc;
use crate::support::matrix::MatrixUser;
use crate::support::nova::NovaUser;
use crate::support::wait::until;
use crate::support::world::World;

async fn knock(who: &MatrixUser, room: &str, reason: &str) {
    let path = format!("/_matrix/client/v3/knock/{}", enc(room));
    who.api.post(&path, &json!({ "reason": reason })).await;
}

/// Waits until as many knock as wanted, and gives them.
async fn knocks(nova: &NovaUser, group: &str, count: usize) -> Vec<Value> {
    until(&format!("{count} knock"), async || {
        let list = nova.api.get(&format!("/conversations/{group}/knocks")).await;
        Some(list["knocks"].as_array().unwrap().clone()).filter(|knocks| knocks.len() == count)
    })
    .await
}

async fn answer(nova: &NovaUser, group: &str, who: &str, how: &str) {
    let path = format!("/conversations/{group}/knocks/{}/{how}", enc(who));
    nova.api.post(&path, &json!({})).await;
}

#[tokio::test]
async fn a_nova_owner_lets_in_who_knocks_and_sends_away_who_does_not_please() {
    let Some(world) = World::open().await else { return };
    let (ana, ben) = tokio::join!(world.nova_user("ana"), world.nova_user("ben"));
    let (elena, marek) = tokio::join!(world.matrix_user("elena"), world.matrix_user("marek"));
    let group = ana.create_group("Hiking", &[&ben.id.to_string(), &elena.id]).await;
    let room = ana.room_of(&group).await;
    elena.accepts(&room).await;
    // Element's side opens the door: Nova has no switch for it.
    let role = json!({ "role": "owner" });
    let path = format!("/conversations/{group}/members/{}/role", enc(&elena.id));
    ana.sees_member(&group, &elena.id, |it| it["membership"] == "joined")
        .await;
    ana.api.put(&path, &role).await;
    elena
        .sees_in(&room, "her power", |room| {
            (room.content("m.room.power_levels", "")?["users"][&elena.id] == 100).then_some(())
        })
        .await;
    elena
        .set_state(&room, "m.room.join_rules", &json!({ "join_rule": "knock" }))
        .await;
    assert_eq!(elena.state(&room, "m.room.create", "").await["room_version"], "11");

    knock(&marek, &room, "Elena told me").await;
    let listed = knocks(&ana, &group, 1).await;
    assert_eq!(
        (
            &listed[0]["matrix_user_id"],
            &listed[0]["display_name"],
            &listed[0]["reason"]
        ),
        (&json!(marek.id), &json!("marek"), &json!("Elena told me"))
    );
    let path = format!("/conversations/{group}/knocks");
    assert_eq!(ben.api.call(Method::GET, &path, None).await.0, 403);
    answer(&ana, &group, &marek.id, "decline").await;
    elena.sees_member(&room, &marek.id, "leave").await;
    knocks(&ana, &group, 0).await;

    knock(&marek, &room, "please").await;
    knocks(&ana, &group, 1).await;
    marek.leave(&room).await;
    knocks(&ana, &group, 0).await;

    let user = listed[0]["user_id"].as_str().unwrap();
    knock(&marek, &room, "pretty please").await;
    assert_eq!(knocks(&ana, &group, 1).await[0]["reason"], "pretty please");
    answer(&ana, &group, user, "accept").await;
    knocks(&ana, &group, 0).await;
    marek.accepts(&room).await;
    let member = ana
        .sees_member(&group, &marek.id, |it| it["membership"] == "joined")
        .await;
    assert_eq!(member["user_id"], user);
    let socket = ben.online().await;
    marek.say(&room, "thank you").await;
    socket.hears("thank you").await;
    assert_eq!(world.dead_letters(&[&room]).await, Vec::<Value>::new());
}
