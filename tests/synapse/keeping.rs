//! Mute and archive are for oneself: nobody else learns of it, in Nova or in Element.

use serde_json::{Value, json};

use crate::support::nova::NovaUser;
use crate::support::world::World;

async fn listed(nova: &NovaUser, archived: bool) -> Vec<Value> {
    let list = nova.api.get(&format!("/conversations?archived={archived}")).await;
    list["conversations"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_muted_and_archived_group_is_so_for_one_person_alone() {
    let Some(world) = World::open().await else { return };
    let (ana, ben) = tokio::join!(world.nova_user("ana"), world.nova_user("ben"));
    let elena = world.matrix_user("elena").await;
    let group = ana.create_group("Tea", &[&ben.id.to_string(), &elena.id]).await;
    let room = ana.room_of(&group).await;
    elena.accepts(&room).await;
    elena.sees_member(&room, &ben.mxid, "join").await;
    let (hers, his) = tokio::join!(ana.online(), ben.online());
    elena.say(&room, "before").await;
    his.hears("before").await;
    hers.hears("before").await;
    let path = format!("/conversations/{group}/settings");
    let away = json!({ "is_muted": true, "is_archived": true });
    ana.api.put(&path, &away).await;
    let told = hers
        .frame("her own change", |frame| {
            frame["type"] == "conversation.updated" && frame["is_archived"] == true
        })
        .await;
    assert_eq!(told["is_muted"], true);
    assert_eq!(
        (listed(&ana, false).await.len(), listed(&ana, true).await.len()),
        (0, 1)
    );
    assert_eq!(
        (listed(&ben, false).await.len(), listed(&ben, true).await.len()),
        (1, 0)
    );
    // It goes on: she gets all, and it stays where she has put it.
    let event = elena.say(&room, "after").await;
    assert_eq!(hers.hears("after").await["matrix_event_id"], event.as_str());
    his.hears("after").await;
    let shown = &listed(&ana, true).await[0];
    assert_eq!(
        (&shown["is_muted"], &shown["last_message"]["content"]),
        (&json!(true), &json!("after"))
    );
    ana.say(&group, "from the archive").await;
    elena.hears(&room, "from the archive").await;
    let after = elena
        .sees_in(&room, "what came", |room| {
            let at = room
                .timeline
                .iter()
                .position(|event| event["content"]["body"] == "before")?;
            Some(room.timeline[at..].to_vec())
        })
        .await;
    let bodies: Vec<&Value> = after.iter().map(|event| &event["content"]["body"]).collect();
    assert_eq!(bodies, ["before", "after", "from the archive"], "no event tells of it");
    let his = his.log();
    assert!(
        !his.of_type("conversation.updated")
            .any(|frame| frame["is_archived"] == true || frame["is_muted"] == true),
        "Ben is not told"
    );
}
