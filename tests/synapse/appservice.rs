//! What Synapse asks the bridge, and Nova users with a Matrix client of their own.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::api::Api;
use crate::support::wait::until;
use crate::support::world::World;
use crate::{Chat, direct_chat};

#[tokio::test]
async fn synapse_reaches_the_bridge() {
    let Some(world) = World::open().await else { return };
    let appservice = world.homeserver.with_token(world.env.get("AS_TOKEN"));
    let ping = appservice
        .post("/_matrix/client/v1/appservice/nova/ping", &json!({}))
        .await;
    assert!(ping["duration_ms"].is_u64(), "{ping}");
    let health = Api::new(world.env.get("METRICS_URL"), "");
    assert_eq!(health.call(Method::GET, "/health/ready", None).await.0, 200);
}

#[tokio::test]
async fn a_ghost_that_nobody_has_used_is_made_when_it_is_asked_for() {
    let Some(world) = World::open().await else { return };
    let (matrix, nova) = (world.matrix_user("elena").await, world.nova_user("ana").await);
    assert_eq!(matrix.profile(&nova.mxid).await["displayname"], "ana");
    // Nobody's: Synapse learns that there is none, and a room with it stays without it.
    let nobody = world.nova_stranger("nobody");
    let (status, answer) = matrix
        .api
        .call(
            Method::GET,
            &format!("/_matrix/client/v3/profile/{}", crate::support::api::enc(&nobody.mxid)),
            None,
        )
        .await;
    assert_eq!(status, 404, "{answer}");
}

#[tokio::test]
async fn a_group_is_found_by_its_alias() {
    let Some(world) = World::open().await else { return };
    let (ana, elena) = (world.nova_user("ana").await, world.matrix_user("elena").await);
    let group = ana.create_group("Public garden", &[]).await;
    let room = ana.room_of(&group).await;
    let socket = ana.online().await;
    ana.say(&group, "the room is whole").await;
    socket
        .frame("the delivery", |frame| frame["type"] == "message.delivery")
        .await;
    let alias = format!("#nova_{group}:{}", world.server());
    let (status, answer) = elena.resolve(&alias).await;
    assert_eq!((status, &answer["room_id"]), (200, &json!(room)), "{answer}");
    let found = elena
        .third_party(&format!("location/nova?conversation_id={group}"))
        .await;
    assert_eq!(found[0]["alias"], alias.as_str(), "{found}");
    let nothing = format!("#nova_{}:{}", uuid::Uuid::new_v4(), world.server());
    assert_eq!(elena.resolve(&nothing).await.0, 404);
}

#[tokio::test]
async fn what_a_nova_user_writes_with_their_own_matrix_client_is_theirs() {
    let Some(world) = World::open().await else { return };
    let Chat {
        nova,
        matrix,
        room,
        conversation,
    } = direct_chat(&world).await;
    let socket = nova.online().await;
    let phone = world.own_matrix_client(&nova).await;
    phone.say(&room, "from my phone").await;
    let frame = socket.hears("from my phone").await;
    assert_eq!(frame["sender_id"], json!(nova.id));
    assert_eq!(matrix.hears(&room, "from my phone").await["sender"], nova.mxid.as_str());
    // Between the two, what Nova sent is there once.
    nova.say(&conversation, "from the web").await;
    let event = phone.hears(&room, "from the web").await;
    // The same words with somebody else's mark are only words.
    let forged = json!({ "msgtype": "m.text", "body": "forged", "social.nova.id": event["content"]["social.nova.id"] });
    matrix.send(&room, &forged).await;
    socket.hears("forged").await;
    let said: Vec<String> = nova
        .said(&conversation)
        .await
        .into_iter()
        .map(|(_, text)| text)
        .collect();
    assert_eq!(said, ["from my phone", "from the web", "forged"]);
}

#[tokio::test]
async fn a_nova_user_joins_and_opens_rooms_with_their_own_matrix_client() {
    let Some(world) = World::open().await else { return };
    let (nova, matrix) = tokio::join!(world.nova_user("ana"), world.matrix_user("elena"));
    let phone = world.own_matrix_client(&nova).await;
    let public = matrix
        .create_room(&json!({ "preset": "public_chat", "name": "Market" }))
        .await;
    phone.join(&public).await;
    let group = nova.conversation_of(&public).await;
    nova.sees_member(&group, &matrix.id, |member| member["role"] == "owner")
        .await;
    let socket = nova.online().await;
    matrix.say(&public, "apples!").await;
    socket.hears("apples!").await;
    phone.leave(&public).await;
    until("the conversation is gone", async || {
        nova.conversations().await.is_empty().then_some(())
    })
    .await;
    assert_eq!(world.dead_letters(&[&public]).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_nova_user_opens_a_room_with_their_own_matrix_client() {
    let Some(world) = World::open().await else { return };
    let (nova, matrix) = tokio::join!(world.nova_user("ana"), world.matrix_user("elena"));
    let phone = world.own_matrix_client(&nova).await;
    let socket = nova.online().await;
    let room = phone.create_dm(&matrix.id).await;
    matrix.accepts(&room).await;
    let conversation = nova.conversation_of(&room).await;
    phone.say(&room, "hi from my phone").await;
    socket.hears("hi from my phone").await;
    nova.sees_member(&conversation, &matrix.id, |member| member["membership"] == "joined")
        .await;
    nova.say(&conversation, "and from Nova").await;
    matrix.hears(&room, "and from Nova").await;
    assert_eq!(world.dead_letters(&[&room]).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_direct_room_of_their_own_matrix_client_is_the_direct_conversation() {
    let Some(world) = World::open().await else { return };
    let (nova, matrix) = tokio::join!(world.nova_user("ana"), world.matrix_user("elena"));
    let room = world.own_matrix_client(&nova).await.create_dm(&matrix.id).await;
    matrix.accepts(&room).await;
    let conversation = nova.conversation_of(&room).await;
    assert_eq!(nova.open(&matrix.id).await, conversation, "one direct conversation");
}
