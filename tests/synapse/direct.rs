//! Two people: who finds whom, and that they have one conversation.

use serde_json::json;

use crate::direct_chat;
use crate::support::api::enc;
use crate::support::wait::until;
use crate::support::world::World;

#[tokio::test]
async fn element_opens_a_chat_by_id() {
    let Some(world) = World::open().await else { return };
    let (nova, matrix) = tokio::join!(world.nova_user("ana"), world.matrix_user("elena"));
    let socket = nova.online().await;
    let room = matrix.create_dm(&nova.mxid).await;
    matrix.sees_member(&room, &nova.mxid, "join").await;
    let created = socket
        .frame("the conversation", |frame| frame["type"] == "conversation.created")
        .await;
    let conversation = nova.conversation_of(&room).await;
    assert_eq!(created["conversation_id"], conversation.as_str());
    let shown = nova.conversation(&conversation).await;
    assert_eq!(
        (&shown["type"], &shown["member_count"]),
        (&json!("direct"), &json!(2)),
        "{shown}"
    );
    matrix.say(&room, "good morning").await;
    assert_eq!(
        socket.hears("good morning").await["conversation_id"],
        conversation.as_str()
    );
    nova.say(&conversation, "and to you").await;
    assert_eq!(matrix.hears(&room, "and to you").await["sender"], nova.mxid.as_str());
    assert_eq!(world.dead_letters(&[&room]).await, Vec::<serde_json::Value>::new());
}

#[tokio::test]
async fn element_finds_a_nova_user_by_username() {
    let Some(world) = World::open().await else { return };
    let (nova, matrix) = tokio::join!(world.nova_user("ana"), world.matrix_user("elena"));
    let protocols = matrix.third_party("protocols").await;
    assert!(protocols["nova"]["instances"].is_array(), "{protocols}");
    let found = matrix
        .third_party(&format!("user/nova?username={}", enc(&nova.username)))
        .await;
    assert_eq!(found[0]["userid"], nova.mxid.as_str(), "{found}");
    assert_eq!(found.as_array().unwrap().len(), 1, "{found}");
    let room = matrix.create_dm(&nova.mxid).await;
    matrix.sees_member(&room, &nova.mxid, "join").await;
    nova.conversation_of(&room).await;
}

/// Synapse keeps the users of appservices out of its directory, so who types an id finds a Nova user by their profile.
#[tokio::test]
async fn element_finds_a_nova_user_by_the_profile_of_an_id() {
    let Some(world) = World::open().await else { return };
    let matrix = world.matrix_user("elena").await;
    let nova = world.nova_user("ana").await;
    let found = matrix.search_directory(&nova.mxid).await;
    assert!(
        found.iter().all(|user| user["user_id"] != nova.mxid.as_str()),
        "the directory has them after all: use it"
    );
    assert_eq!(matrix.profile(&nova.mxid).await["displayname"], "ana");
}

#[tokio::test]
async fn nova_opens_a_chat_by_matrix_id() {
    let Some(world) = World::open().await else { return };
    let (nova, matrix) = tokio::join!(world.nova_user("ana"), world.matrix_user("elena"));
    let conversation = nova.open(&matrix.id).await;
    assert_eq!(nova.open(&matrix.id).await, conversation, "it is there already");
    nova.say(&conversation, "before the room is there").await;
    let room = nova.room_of(&conversation).await;
    matrix.accepts(&room).await;
    matrix.hears(&room, "before the room is there").await;
    let direct = matrix.state(&room, "m.room.member", &nova.mxid).await;
    assert_eq!(direct["membership"], "join");
    let socket = nova.online().await;
    matrix.say(&room, "here I am").await;
    socket.hears("here I am").await;
    let member = nova
        .sees_member(&conversation, &matrix.id, |member| member["membership"] == "joined")
        .await;
    assert_eq!(member["display_name"], "elena");
}

#[tokio::test]
async fn both_open_the_chat_at_the_same_moment_and_get_one() {
    let Some(world) = World::open().await else { return };
    for _ in 0..5 {
        let (nova, matrix) = tokio::join!(world.nova_user("ana"), world.matrix_user("elena"));
        let (theirs, ours) = tokio::join!(matrix.create_dm(&nova.mxid), nova.open(&matrix.id));
        matrix.sees_member(&theirs, &nova.mxid, "join").await;
        // Whichever room it is in the end: a message from each side arrives.
        nova.say(&ours, "from Nova").await;
        let room = until("the message is in a room of the two", async || {
            let room = nova.conversation(&ours).await["matrix_room_id"].as_str()?.to_owned();
            let said = nova.history(&ours).await;
            (said[0]["delivery_status"] == "sent").then_some(room)
        })
        .await;
        if room != theirs {
            matrix.accepts(&room).await;
        }
        matrix.hears(&room, "from Nova").await;
        let socket = nova.online().await;
        matrix.say(&room, "from Element").await;
        assert_eq!(socket.hears("from Element").await["conversation_id"], ours.as_str());
        let all = nova.conversations().await;
        assert_eq!(all.len(), 1, "one conversation: {all:?}");
    }
}

#[tokio::test]
async fn a_second_room_of_the_same_two_continues_the_conversation() {
    let Some(world) = World::open().await else { return };
    let chat = direct_chat(&world).await;
    chat.matrix.say(&chat.room, "in the old room").await;
    let room = chat.matrix.create_dm(&chat.nova.mxid).await;
    chat.matrix.sees_member(&room, &chat.nova.mxid, "join").await;
    chat.matrix.sees_member(&chat.room, &chat.nova.mxid, "leave").await;
    assert_eq!(chat.nova.conversation_of(&room).await, chat.conversation);
    let socket = chat.nova.online().await;
    chat.matrix.say(&room, "in the new room").await;
    socket.hears("in the new room").await;
    chat.nova.say(&chat.conversation, "yes, here").await;
    chat.matrix.hears(&room, "yes, here").await;
    until("everything is in one conversation", async || {
        let said: Vec<String> = chat
            .nova
            .said(&chat.conversation)
            .await
            .into_iter()
            .map(|(_, text)| text)
            .collect();
        (said == ["in the old room", "in the new room", "yes, here"]).then_some(())
    })
    .await;
    assert_eq!(chat.nova.conversations().await.len(), 1);
}

#[tokio::test]
async fn nova_users_have_a_room_of_their_own() {
    let Some(world) = World::open().await else { return };
    let (ana, ben) = tokio::join!(world.nova_user("ana"), world.nova_user("ben"));
    let (one, other) = tokio::join!(ana.open_nova(&ben), ben.open_nova(&ana));
    assert_eq!(one, other, "one conversation");
    let (hers, his) = tokio::join!(ana.online(), ben.online());
    ana.say(&one, "is this Nova?").await;
    his.hears("is this Nova?").await;
    ben.say(&one, "it is").await;
    hers.hears("it is").await;
    let room = ana.room_of(&one).await;
    let client = world.own_matrix_client(&ben).await;
    client.sees_member(&room, &ana.mxid, "join").await;
    client.hears(&room, "it is").await;
    client.hears(&room, "is this Nova?").await;
    assert_eq!(
        client
            .history(&room)
            .await
            .iter()
            .filter(|event| event["type"] == "m.room.message")
            .count(),
        2
    );
}
