//! The homeserver client does what it should.

use std::time::Duration;

use nova_bridge::matrix::{Homeserver, Profile, Registered, Settings};
use ruma::{RoomId, UserId, room_alias_id, user_id};
use serde_json::json;
use serde_json::value::RawValue;

use crate::support::homeserver::FakeHomeserver;

pub(crate) fn ghost() -> &'static UserId {
    user_id!("@nova-3f2b8c1e-9d47-4a06-b1c5-7e0a9f6d2c11:example.org")
}

pub(crate) fn other_ghost() -> &'static UserId {
    user_id!("@nova-aaaaaaaa-9d47-4a06-b1c5-7e0a9f6d2c11:example.org")
}

pub(crate) fn settings(homeserver: &FakeHomeserver) -> Settings {
    Settings::new(homeserver.url(), "as-token".into(), Duration::from_secs(10))
}

/// A homeserver, a client of it, and two ghosts.
pub(crate) async fn start() -> (FakeHomeserver, Homeserver) {
    let homeserver = FakeHomeserver::start().await;
    homeserver.user(ghost().as_str());
    homeserver.user(other_ghost().as_str());
    let client = Homeserver::new(settings(&homeserver)).unwrap();
    (homeserver, client)
}

/// A room made by the ghost.
pub(crate) async fn room(client: &Homeserver) -> ruma::OwnedRoomId {
    client
        .create_room(ghost(), &json!({ "preset": "private_chat" }))
        .await
        .unwrap()
}

pub(crate) fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).unwrap()
}

#[tokio::test]
async fn a_ghost_is_registered_once_and_found_afterwards() {
    let (homeserver, client) = start().await;
    let localpart = "nova-bbbbbbbb-9d47-4a06-b1c5-7e0a9f6d2c11";
    assert_eq!(client.register(localpart).await.unwrap(), Registered::New);
    assert_eq!(client.register(localpart).await.unwrap(), Registered::Existing);
    assert_eq!(
        client.register("mallory").await.unwrap_err().errcode(),
        Some("M_EXCLUSIVE")
    );
    assert!(homeserver.inspect(|world| { world.accounts.contains_key(&format!("@{localpart}:example.org")) }));
}

#[tokio::test]
async fn the_client_acts_as_any_registered_ghost_and_as_nobody_else() {
    let (homeserver, client) = start().await;
    assert_eq!(client.whoami(None).await.unwrap(), "@_nova_bridge:example.org");
    assert_eq!(client.whoami(Some(ghost())).await.unwrap(), ghost());
    let unregistered = user_id!("@nova-cccccccc-9d47-4a06-b1c5-7e0a9f6d2c11:example.org");
    for stranger in [unregistered, user_id!("@alice:example.org")] {
        assert_eq!(
            client.whoami(Some(stranger)).await.unwrap_err().errcode(),
            Some("M_FORBIDDEN"),
            "{stranger}"
        );
    }
    assert_eq!(homeserver.requests()[1].user_id.as_deref(), Some(ghost().as_str()));
}

#[tokio::test]
async fn a_ghost_joins_by_invite_and_only_then_speaks() {
    let (homeserver, client) = start().await;
    let alice = homeserver.user("@alice:example.org");
    let room = alice.create_room(&json!({ "preset": "private_chat" }));
    let room_id = <&RoomId>::try_from(room.as_str()).unwrap();
    let content = raw(r#"{"body":"hi","msgtype":"m.text"}"#);
    assert_eq!(
        client.join(ghost(), room_id).await.unwrap_err().errcode(),
        Some("M_FORBIDDEN")
    );
    alice.invite(&room, ghost().as_str());
    let early = client
        .send_event(ghost(), room_id, "m.room.message", "1", &content)
        .await;
    assert_eq!(early.unwrap_err().errcode(), Some("M_FORBIDDEN"));
    client.join(ghost(), room_id).await.unwrap();
    client.join(ghost(), room_id).await.unwrap();
    client
        .send_event(ghost(), room_id, "m.room.message", "1", &content)
        .await
        .unwrap();
    assert_eq!(homeserver.texts(&room), ["hi"]);
    assert_eq!(client.joined_rooms(ghost()).await.unwrap(), [room_id]);
    alice.set_power_levels(&room, &json!({ "events_default": 50 }));
    let muted = client
        .send_event(ghost(), room_id, "m.room.message", "2", &content)
        .await;
    assert_eq!(muted.unwrap_err().errcode(), Some("M_FORBIDDEN"));
}

#[tokio::test]
async fn contents_pass_in_both_directions_as_they_are() {
    let (homeserver, client) = start().await;
    let room = room(&client).await;
    let text =
        r#"{"body":"x","msgtype":"m.text","answer":{"sdp":"v=0\r\no=- 1"},"lifetime":60000,"flag":false,"n":null}"#;
    let sent = client
        .send_event(ghost(), &room, "m.call.answer", "1", &raw(text))
        .await
        .unwrap();
    assert_eq!(homeserver.requests().last().unwrap().body, text);
    let page = client.messages(ghost(), &room, None, 1).await.unwrap();
    let event: serde_json::Value = serde_json::from_str(page.events[0].get()).unwrap();
    assert_eq!(event["event_id"], sent.as_str());
    assert_eq!(
        event["content"],
        serde_json::from_str::<serde_json::Value>(text).unwrap()
    );
}

#[tokio::test]
async fn history_is_paged_back_to_the_rooms_beginning() {
    let (homeserver, client) = start().await;
    let room = room(&client).await;
    for number in 0..5 {
        let content = raw(&json!({ "body": number.to_string(), "msgtype": "m.text" }).to_string());
        client
            .send_event(ghost(), &room, "m.room.message", &number.to_string(), &content)
            .await
            .unwrap();
    }
    let (mut seen, mut from) = (Vec::new(), None);
    loop {
        let page = client.messages(ghost(), &room, from.as_deref(), 3).await.unwrap();
        seen.extend(page.events.iter().map(|event| event.get().to_owned()));
        from = page.end;
        if from.is_none() {
            break;
        }
    }
    let ids = |events: Vec<String>| -> Vec<String> {
        let id = |event: &String| serde_json::from_str::<serde_json::Value>(event).unwrap()["event_id"].to_string();
        events.iter().map(id).collect()
    };
    let timeline = homeserver
        .timeline(room.as_str())
        .iter()
        .rev()
        .map(ToString::to_string)
        .collect();
    assert_eq!(ids(seen), ids(timeline));
}

#[tokio::test]
async fn what_is_not_there_is_none_and_no_error() {
    let (homeserver, client) = start().await;
    let room = room(&client).await;
    assert_eq!(
        client.state_event(ghost(), &room, "m.room.topic", "").await.unwrap(),
        None
    );
    assert_eq!(
        client
            .resolve_alias(room_alias_id!("#nobody:example.org"))
            .await
            .unwrap(),
        None
    );
    assert_eq!(client.profile(user_id!("@nobody:example.org")).await.unwrap(), None);
    homeserver.user("@alice:example.org").set_name("Alice");
    let alice = Profile {
        display_name: Some("Alice".to_owned()),
        avatar_url: None,
    };
    assert_eq!(
        client.profile(user_id!("@alice:example.org")).await.unwrap(),
        Some(alice)
    );
    let state = client.room_state(ghost(), &room).await.unwrap();
    assert!(state.iter().any(|event| event.get().contains("m.room.create")));
    let outside = client
        .state_event(other_ghost(), &room, "m.room.topic", "")
        .await
        .unwrap_err();
    assert_eq!(outside.status(), Some(403));
}

#[tokio::test]
async fn no_id_is_taken_for_another_on_its_way() {
    let (homeserver, client) = start().await;
    let room = room(&client).await;
    client
        .send_state(ghost(), &room, "org.example", "a%2Fb", &raw(r#"{"which":1}"#))
        .await
        .unwrap();
    client
        .send_state(ghost(), &room, "org.example", "a/b", &raw(r#"{"which":2}"#))
        .await
        .unwrap();
    let keys = homeserver
        .room(room.as_str())
        .state
        .into_keys()
        .filter(|(event_type, _)| event_type == "org.example");
    assert_eq!(keys.map(|(_, key)| key).collect::<Vec<_>>(), ["a%2Fb", "a/b"]);
    let first = client
        .state_event(ghost(), &room, "org.example", "a%2Fb")
        .await
        .unwrap();
    assert_eq!(first, Some(json!({ "which": 1 })));
    let alike = RoomId::parse(room.as_str().replace("!r", "!%72")).unwrap();
    assert_eq!(
        client.room_state(ghost(), &alike).await.unwrap_err().errcode(),
        Some("M_FORBIDDEN")
    );
    let count = homeserver.requests().len();
    client
        .send_state(ghost(), &room, "org.example", "..", &raw("{}"))
        .await
        .unwrap_err();
    assert_eq!(homeserver.requests().len(), count, "it never left");
}

#[tokio::test]
async fn a_deactivated_ghost_leaves_its_rooms_and_keeps_its_id() {
    let (homeserver, client) = start().await;
    let room = room(&client).await;
    client.deactivate(ghost()).await.unwrap();
    assert_eq!(homeserver.room(room.as_str()).membership(ghost().as_str()), "leave");
    assert!(homeserver.inspect(|world| world.accounts[ghost().as_str()].deactivated));
    assert_eq!(
        client.register(ghost().localpart()).await.unwrap(),
        Registered::Existing
    );
}

/// Only what is `Send` can run on the bridge's tasks.
#[tokio::test]
async fn requests_can_be_made_from_any_task() {
    fn sendable<T: Send>(future: T) -> T {
        future
    }
    let (_homeserver, client) = start().await;
    let room = sendable(client.create_room(ghost(), &json!({}))).await.unwrap();
    let content = raw(r#"{"body":"x"}"#);
    sendable(client.send_event(ghost(), &room, "m.room.message", "1", &content))
        .await
        .unwrap();
    sendable(client.register("nova-x")).await.unwrap_err();
    sendable(client.thumbnail("mxc://example.org/m1", 1, 1))
        .await
        .unwrap_err();
    sendable(client.fetch_external(&"data:,".parse().unwrap(), 1))
        .await
        .unwrap_err();
}
