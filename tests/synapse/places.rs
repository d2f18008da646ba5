//! Where somebody is, both ways, and until they stop.

use reqwest::Method;
use serde_json::json;

use crate::support::wait::until;
use crate::support::world::World;
use crate::{Chat, direct_chat};

#[tokio::test]
async fn a_place_goes_both_ways() {
    let Some(world) = World::open().await else { return };
    let Chat {
        nova,
        matrix,
        room,
        conversation,
    } = direct_chat(&world).await;
    let socket = nova.online().await;
    let place = json!({
        "msgtype": "m.location", "body": "the lake", "geo_uri": "geo:52.3676,-4.9041;u=12",
        "org.matrix.msc3488.location": { "uri": "geo:52.3676,-4.9041;u=12", "description": "the lake" },
        "org.matrix.msc3488.asset": { "type": "m.pin" },
    });
    matrix.send(&room, &place).await;
    let shown = socket.hears("the lake").await;
    assert_eq!(shown["message_type"], "location");
    assert_eq!(
        shown["location"],
        json!({ "latitude": 52.3676, "longitude": -4.9041, "accuracy_meters": 12.0, "description": "the lake" })
    );

    let here = json!({ "message_type": "location", "latitude": -33.5, "longitude": 151.25, "content": "the pier" });
    nova.send(&conversation, &here).await;
    let content = matrix.hears(&room, "the pier").await["content"].clone();
    assert_eq!(
        (&content["msgtype"], &content["geo_uri"]),
        (&json!("m.location"), &json!("geo:-33.5,151.25"))
    );
}

#[tokio::test]
async fn who_says_where_they_are_is_seen_there_until_they_stop() {
    let Some(world) = World::open().await else { return };
    let (ana, ben) = tokio::join!(world.nova_user("ana"), world.nova_user("ben"));
    let elena = world.matrix_user("elena").await;
    let group = ana.create_group("Hiking", &[&ben.id.to_string(), &elena.id]).await;
    let room = ana.room_of(&group).await;
    elena.accepts(&room).await;
    let socket = ben.online().await;
    let path = format!("/conversations/{group}/location");
    for (latitude, text) in [(46.5, "the hut"), (46.625, "the summit")] {
        let place = json!({ "latitude": latitude, "longitude": 8.0, "accuracy_meters": 5, "description": text });
        ana.api.post(&path, &place).await;
        let content = elena.hears(&room, text).await["content"].clone();
        assert_eq!(content["geo_uri"], format!("geo:{latitude},8;u=5"));
        let told = socket
            .frame(text, |frame| {
                frame["type"] == "location.shared" && frame["latitude"] == latitude
            })
            .await;
        assert_eq!(told["user_id"], json!(ana.id));
    }
    let around = ben.api.get("/nearby-users").await;
    assert_eq!(around["users"].as_array().unwrap().len(), 1, "{around}");
    assert_eq!(
        (&around["users"][0]["user_id"], &around["users"][0]["latitude"]),
        (&json!(ana.id), &json!(46.625))
    );
    let (status, _) = ana.api.call(Method::DELETE, &path, Some(&json!({}))).await;
    assert_eq!(status, 200);
    socket
        .frame("that she stops", |frame| frame["type"] == "location.stopped")
        .await;
    until("she is seen no more", async || {
        let around = ben.api.get("/nearby-users").await;
        (around["users"] == json!([])).then_some(())
    })
    .await;
    // What was said stays said, and a stranger never saw where she was.
    elena.hears(&room, "the summit").await;
    let stranger = world.nova_user("zoe").await;
    assert_eq!(stranger.api.get("/nearby-users").await["users"], json!([]));
}
