//! Who is addressed: a name behind `@` in Nova is a pill that rings in Element, and a pill in Element names a Nova user.

use serde_json::{Value, json};

use crate::support::nova::id_of;
use crate::support::sync::Room;
use crate::support::wait::until;
use crate::support::world::World;

#[tokio::test]
async fn names_in_a_group_are_pills_and_ring_in_element() {
    let Some(world) = World::open().await else { return };
    let (ana, ben) = tokio::join!(world.nova_user("ana"), world.nova_user("ben"));
    let (elena, marek) = tokio::join!(world.matrix_user("elena"), world.matrix_user("marek"));
    let group = ana
        .create_group("Tea", &[&ben.id.to_string(), &elena.id, &marek.id])
        .await;
    let room = ana.room_of(&group).await;
    elena.accepts(&room).await;
    marek.accepts(&room).await;
    let joined = |member: &Value| member["membership"] == "joined";
    let in_nova = ana.sees_member(&group, &elena.id, joined).await;
    let his = ben.online().await;

    let text = format!("tea, @elena and @{}?", ben.username);
    let said = id_of(&ana.say(&group, &text).await);
    let event = elena.hears(&room, &text).await;
    assert_eq!(
        event["content"]["m.mentions"],
        json!({ "user_ids": [elena.id, ben.mxid] })
    );
    let html = event["content"]["formatted_body"].as_str().unwrap();
    for mxid in [&elena.id, &ben.mxid] {
        assert!(html.contains(&format!("href=\"https://matrix.to/#/{mxid}\"")), "{html}");
    }
    assert_eq!(
        his.hears(&text).await["mentions"],
        json!([in_nova["user_id"], ben.id]),
        "Nova names the same two"
    );
    // Synapse itself takes it for a mention, of her and not of Marek.
    let rang = until("Synapse rings for her", async || {
        let list = elena.api.get("/_matrix/client/v3/notifications?only=highlight").await;
        let rang = list["notifications"].as_array().unwrap().clone();
        (!rang.is_empty()).then_some(rang)
    });
    assert_eq!(rang.await[0]["event"]["event_id"], event["event_id"]);
    marek.hears(&room, &text).await;
    let none = marek.api.get("/_matrix/client/v3/notifications?only=highlight").await;
    assert_eq!(none["notifications"], json!([]));

    // An edit changes who is addressed, and rings for whom it adds.
    let body = json!({ "content": "tea, @elena and @marek?" });
    ana.api.put(&format!("/messages/{said}"), &body).await;
    let is_edit = |room: &Room| {
        let edits = |event: &&Value| event["content"]["m.relates_to"]["rel_type"] == "m.replace";
        room.timeline.iter().find(edits).cloned()
    };
    let edit = marek.sees_in(&room, "the edit", is_edit).await;
    assert_eq!(edit["content"]["m.mentions"], json!({ "user_ids": [marek.id] }));
    assert_eq!(
        edit["content"]["m.new_content"]["m.mentions"],
        json!({ "user_ids": [elena.id, marek.id] })
    );
    let highlights = async |who: &crate::support::matrix::MatrixUser| {
        let list = who.api.get("/_matrix/client/v3/notifications?only=highlight").await;
        list["notifications"].as_array().unwrap().clone()
    };
    let rang = until("Synapse rings for him", async || {
        let rang = highlights(&marek).await;
        (!rang.is_empty()).then_some(rang)
    });
    assert_eq!(rang.await[0]["event"]["event_id"], edit["event_id"]);
    elena.sees_in(&room, "the edit", is_edit).await;
    assert_eq!(highlights(&elena).await.len(), 1, "she was told before");
}

#[tokio::test]
async fn a_pill_in_element_addresses_a_nova_user() {
    let Some(world) = World::open().await else { return };
    let (ana, ben) = tokio::join!(world.nova_user("ana"), world.nova_user("ben"));
    let elena = world.matrix_user("elena").await;
    let group = ana.create_group("Tea", &[&ben.id.to_string(), &elena.id]).await;
    let room = ana.room_of(&group).await;
    elena.accepts(&room).await;
    elena.sees_member(&room, &ben.mxid, "join").await;
    let socket = ana.online().await;
    let pill = |words: &str| {
        json!({
            "msgtype": "m.text", "body": format!("ben {words}"), "format": "org.matrix.custom.html",
            "formatted_body": format!("<a href=\"https://matrix.to/#/{}\">ben</a> {words}", ben.mxid),
            "m.mentions": { "user_ids": [ben.mxid] },
        })
    };
    let event = elena.send(&room, &pill("tea?")).await;
    assert_eq!(socket.hears("ben tea?").await["mentions"], json!([ben.id]));
    assert_eq!(ben.history(&group).await[0]["mentions"], json!([ben.id]));
    let plain = json!({ "msgtype": "m.text", "body": "tea for all" });
    let edit = json!({
        "msgtype": "m.text", "body": "* tea for all", "m.new_content": plain,
        "m.relates_to": { "rel_type": "m.replace", "event_id": event },
    });
    elena.send(&room, &edit).await;
    let edited = socket
        .frame("the edit", |frame| frame["type"] == "message.edited")
        .await;
    assert_eq!(edited.get("mentions"), None, "{edited}");
    // The answer of whoever was addressed rings for her.
    let said = &ben.history(&group).await[0];
    let answer = json!({ "content": "yes", "reply_to_message_id": said["id"] });
    ben.send(&group, &answer).await;
    let answer = elena.hears(&room, "yes").await;
    assert_eq!(answer["content"]["m.mentions"], json!({ "user_ids": [elena.id] }));
}
