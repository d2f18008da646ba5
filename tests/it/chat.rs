//! Element and Nova chat: each direction, and what may happen in between.

mod acts;
mod blocked;
mod crowd;
mod delivery;
mod from_matrix;
mod groups;
mod history;
mod keeping;
mod knocks;
mod mapping;
mod older_rooms;
mod pins;
mod presence;
mod profiles;
mod receipts;
mod requests;
mod search;
mod sockets;
mod spaces;
mod third;
mod to_matrix;
mod typing;

use crate::support::bridge::{NovaUser, TestBridge};
use crate::support::socket::Socket;

/// A direct conversation that Alice opened with a Nova user: the room and the conversation.
pub(crate) async fn direct(bridge: &TestBridge, nova: &NovaUser) -> (String, String) {
    let room = bridge.homeserver.user("@alice:example.org").create_dm(&nova.mxid);
    membership(bridge, &room, &nova.mxid, "join").await;
    (room.clone(), conversation_of(nova, &room).await)
}

/// The conversation of a room, once the Nova user has it.
pub(crate) async fn conversation_of(nova: &NovaUser, room: &str) -> String {
    let (status, list) = nova.get("/conversations").await;
    assert_eq!(status, 200, "{list}");
    let found = list["conversations"]
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["matrix_room_id"] == room)
        .cloned();
    found.unwrap_or_else(|| panic!("no conversation of {room} in {list}"))["id"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// The room of a conversation, once it is made.
pub(crate) async fn room_of(bridge: &TestBridge, conversation: &str) -> String {
    bridge
        .homeserver
        .wait_for("the room is made", |world| {
            let bridged = |room: &&crate::support::homeserver::Room| {
                room.content("m.bridge", &format!("social.nova://nova/{conversation}"))
                    .is_some()
            };
            Some(world.rooms.values().find(bridged)?.id.clone())
        })
        .await
}

/// Waits until the room shows this membership of somebody.
pub(crate) async fn membership(bridge: &TestBridge, room: &str, user: &str, wanted: &str) {
    let (room, user, wanted) = (room.to_owned(), user.to_owned(), wanted.to_owned());
    bridge
        .homeserver
        .wait_for(&format!("{user} is {wanted}"), |world| {
            (world.rooms.get(&room)?.membership(&user) == wanted).then_some(())
        })
        .await;
}

/// Waits until somebody's role changes.
pub(crate) async fn rises(socket: &mut Socket, nova: &NovaUser) {
    while socket.next("member.role_changed").await["user_id"] != serde_json::json!(nova.id) {}
}
