//! The space of a Nova user, as their own Matrix client sees it. They are made by a setting, with which the bridge is started
//! again when people have chats already.

use serde_json::{Value, json};

use crate::rounds::turn;
use crate::support::api::enc;
use crate::support::chat::{Chat, direct_chat};
use crate::support::env::Env;
use crate::support::matrix::MatrixUser;
use crate::support::wait::until;
use crate::support::world::World;

const SETTING: &str = "NOVA_BRIDGE__ROOMS__SPACE_PER_USER=";

/// The one space that the client's user has made.
async fn space(client: &MatrixUser) -> String {
    client
        .sees("the space", |seen| {
            let is_space = |content: &Value| content["type"] == "m.space";
            let spaces = seen
                .rooms
                .iter()
                .filter(|(_, room)| room.content("m.room.create", "").is_some_and(is_space));
            let spaces: Vec<&String> = spaces.map(|(id, _)| id).collect();
            assert!(spaces.len() < 2, "{spaces:?}");
            spaces.first().map(|id| (*id).clone())
        })
        .await
}

/// Waits until these rooms are in a space and the homeserver lists them, in this order. What somebody has left it would
/// not list, whether it is in the space or not.
async fn holds(client: &MatrixUser, space: &str, rooms: &[&str]) {
    until(&format!("the space holds {rooms:?}"), async || {
        let path = format!("/_matrix/client/v3/rooms/{}/state", enc(space));
        let state = client.api.get(&path).await;
        let is_child = |event: &&Value| event["type"] == "m.space.child" && event["content"]["via"].is_array();
        let children = state.as_array().unwrap().iter().filter(is_child).count();
        let path = format!("/_matrix/client/v1/rooms/{}/hierarchy", enc(space));
        let answer = client.api.get(&path).await;
        let listed = answer["rooms"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["room_id"].clone());
        // The first is the space itself.
        let listed: Vec<Value> = listed.skip(1).collect();
        (listed == rooms && children == rooms.len()).then_some(())
    })
    .await;
}

/// Starts the bridge again with this added to its settings.
async fn restart_with(env: &Env, added: &str) {
    let file = Env::file("bridge.env");
    let settings = std::fs::read_to_string(&file).unwrap_or_default();
    let others = settings.lines().filter(|line| !line.starts_with(SETTING));
    let lines: Vec<&str> = others.chain([added]).collect();
    std::fs::write(file, lines.join("\n")).unwrap();
    env.restart("bridge", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_setting_a_space_holds_the_rooms_of_its_owner() {
    if Env::load().is_none() {
        return;
    }
    let _turn = turn();
    let world = World::open().await.unwrap();
    let chat = direct_chat(&world).await;
    restart_with(world.env, &format!("{SETTING}true")).await;
    a_space_holds_the_rooms_of_its_owner_and_follows(&world, &chat).await;
    let chat = direct_chat(&world).await;
    the_space_of_somebody_else_is_no_conversation(&world, &chat).await;
    restart_with(world.env, "").await;
}

async fn a_space_holds_the_rooms_of_its_owner_and_follows(world: &World, chat: &Chat) {
    let client = world.own_matrix_client(&chat.nova).await;
    let space = space(&client).await;
    holds(&client, &space, &[&chat.room]).await;
    assert_eq!(client.state(&space, "m.room.name", "").await["name"], "Nova");
    let group = chat.nova.create_group("Hiking", &[&chat.matrix.id]).await;
    let room = chat.nova.room_of(&group).await;
    holds(&client, &space, &[&chat.room, &room]).await;

    // The group goes on in another room.
    chat.matrix.accepts(&room).await;
    client.set_power(&room, &chat.matrix.id, 100).await;
    chat.matrix
        .sees_in(&room, "her power", |room| {
            (room.content("m.room.power_levels", "")?["users"][&chat.matrix.id] == 100).then_some(())
        })
        .await;
    let new = chat.matrix.upgrade(&room, "11").await;
    chat.matrix.act_on(&new, "invite", &chat.nova.mxid).await;
    holds(&client, &space, &[&chat.room, &new]).await;

    // And its owner leaves it, with the client.
    client.leave(&new).await;
    holds(&client, &space, &[&chat.room]).await;
    let rooms: Vec<Value> = chat.nova.conversations().await;
    assert_eq!(rooms.len(), 1, "a space is no conversation: {rooms:?}");
    assert_eq!(world.dead_letters(&[&space]).await, Vec::<Value>::new());
}

async fn the_space_of_somebody_else_is_no_conversation(world: &World, chat: &Chat) {
    let client = world.own_matrix_client(&chat.nova).await;
    let body = json!({
        "name": "Games", "preset": "private_chat", "creation_content": { "type": "m.space" }, "invite": [chat.nova.mxid],
    });
    let games = chat.matrix.create_room(&body).await;
    client.accepts(&games).await;
    chat.matrix.sees_member(&games, &chat.nova.mxid, "join").await;
    // What is said after it has come.
    chat.matrix.say(&chat.room, "did you see the games?").await;
    until("the message is there", async || {
        let said = chat.nova.said(&chat.conversation).await;
        said.iter()
            .any(|(_, text)| text == "did you see the games?")
            .then_some(())
    })
    .await;
    assert_eq!(chat.nova.conversations().await.len(), 1);
    assert_eq!(world.dead_letters(&[&games]).await, Vec::<Value>::new());
}
