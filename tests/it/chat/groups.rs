//! Groups: members come, go and rise on both sides.

use reqwest::Method;
use serde_json::json;
use sqlx::PgPool;

use super::{conversation_of, membership, room_of};
use crate::support::bridge::{NovaUser, TestBridge};

async fn roles(nova: &NovaUser, conversation: &str) -> Vec<(String, String)> {
    let (_, list) = nova.get(&format!("/conversations/{conversation}/members")).await;
    let mut roles: Vec<(String, String)> = list["members"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| {
            (
                it["matrix_user_id"].as_str().unwrap().to_owned(),
                it["role"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    roles.sort();
    roles
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_group_made_in_nova_has_its_room_and_its_people(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let (ana, ben) = (bridge.account("ana").await, bridge.account("ben").await);
    let alice = bridge.homeserver.user("@alice:example.org");
    let body = json!({ "name": "Hiking", "member_ids": [ben.id, "@alice:example.org"] });
    let (status, made) = ana.post("/conversations/groups", body).await;
    assert_eq!(status, 201, "{made}");
    let conversation = made["id"].as_str().unwrap().to_owned();
    let room = room_of(&bridge, &conversation).await;
    membership(&bridge, &room, &ben.mxid, "join").await;
    membership(&bridge, &room, "@alice:example.org", "invite").await;
    let mut socket = ana.socket().await;
    alice.join(&room);
    let joined = socket.next("member.joined").await;
    assert_eq!(joined["username"], "@alice:example.org");
    let mut name = bridge.homeserver.room(&room).content("m.room.name", "").cloned();
    assert_eq!(name.take().unwrap()["name"], "Hiking");

    // Nova changes it, Matrix changes it.
    let settings = format!("/conversations/{conversation}/settings");
    let (status, _) = ana
        .request(Method::PUT, &settings, Some(json!({ "name": "Hill walking" })))
        .await;
    assert!((200..300).contains(&status));
    bridge
        .homeserver
        .wait_for("the room is renamed", |world| {
            (world.rooms.get(&room)?.content("m.room.name", "")?["name"] == "Hill walking").then_some(())
        })
        .await;
    let (status, _) = ana
        .request(
            Method::PUT,
            &format!("/conversations/{conversation}/members/{}/role", ben.id),
            Some(json!({ "role": "admin" })),
        )
        .await;
    assert!((200..300).contains(&status));
    bridge
        .homeserver
        .wait_for("ben has power", |world| {
            (world.rooms.get(&room)?.content("m.room.power_levels", "")?["users"][&ben.mxid] == 50).then_some(())
        })
        .await;

    // Nova removes.
    let (status, _) = ana
        .request(
            Method::DELETE,
            &format!("/conversations/{conversation}/members/{}", ben.id),
            None,
        )
        .await;
    assert!((200..300).contains(&status));
    membership(&bridge, &room, &ben.mxid, "leave").await;
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_group_made_in_element_is_followed_in_nova(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let (ana, ben) = (bridge.account("ana").await, bridge.account("ben").await);
    let alice = bridge.homeserver.user("@alice:example.org");
    let bob = bridge.homeserver.user("@bob:example.org");
    bob.set_name("Bob");
    let room = alice.create_room(&json!({ "name": "Boats", "topic": "sail", "invite": ["@bob:example.org"] }));
    bob.join(&room);
    alice.invite(&room, &ana.mxid);
    membership(&bridge, &room, &ana.mxid, "join").await;
    let conversation = conversation_of(&ana, &room).await;
    alice.set_room_name(&room, "Big boats");
    alice.set_power_levels(&room, &json!({ "users": { ana.mxid.clone(): 50 } }));
    alice.invite(&room, &ben.mxid);
    membership(&bridge, &room, &ben.mxid, "join").await;
    // Who and what was there before the ghost is read from the room.
    bridge
        .homeserver
        .wait_for("the state was read", |world| {
            world
                .requests
                .iter()
                .any(|request| request.target.contains("/state"))
                .then_some(())
        })
        .await;
    ana.say(&conversation, "done").await;
    bridge
        .homeserver
        .wait_for("the lane is worked off", |world| {
            world
                .rooms
                .get(&room)?
                .texts()
                .contains(&"done".to_owned())
                .then_some(())
        })
        .await;
    bridge.homeserver.wait_until_pushed().await;
    let (_, one) = ana.get(&format!("/conversations/{conversation}")).await;
    assert_eq!(
        (&one["name"], &one["description"]),
        (&json!("Big boats"), &json!("sail"))
    );
    let expected = [
        ("@alice:example.org".to_owned(), "owner".to_owned()),
        ("@bob:example.org".to_owned(), "member".to_owned()),
        (ana.mxid.clone(), "admin".to_owned()),
        (ben.mxid.clone(), "member".to_owned()),
    ];
    let mut expected = expected.to_vec();
    expected.sort();
    assert_eq!(roles(&ana, &conversation).await, expected);

    let mut socket = ben.socket().await;
    alice.kick(&room, "@bob:example.org");
    assert_eq!(
        socket.next("member.left").await["sender_id"].as_str().map(str::len),
        Some(36)
    );
    alice.ban(&room, &ben.mxid);
    assert_eq!(socket.next("member.left").await["user_id"], ben.id.to_string());
    let (_, list) = ben.get("/conversations").await;
    assert_eq!(list["conversations"], json!([]));
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn leaving_in_nova_leaves_the_room(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let (room, conversation) = super::direct(&bridge, &ana).await;
    let (status, _) = ana
        .post(&format!("/conversations/{conversation}/leave"), json!({}))
        .await;
    assert!((200..300).contains(&status));
    membership(&bridge, &room, &ana.mxid, "leave").await;
    let (status, _) = ana.get(&format!("/conversations/{conversation}/messages")).await;
    assert_eq!(status, 403);
}
