//! Every request of the homeserver client, as it leaves the process.

use std::fmt::Write;
use std::time::Duration;

use nova_bridge::domain::presence::Status;
use ruma::room_alias_id;
use serde_json::json;

use crate::homeserver_client::{ghost, other_ghost, raw, room, start};
use crate::support::homeserver::Recorded;

fn wire(requests: &[Recorded]) -> String {
    requests.iter().fold(String::new(), |mut text, request| {
        let body = String::from_utf8_lossy(&request.body);
        let content_type = request.content_type.as_deref().unwrap_or("-");
        writeln!(text, "{} {}\n    {content_type} {body}", request.method, request.target).unwrap();
        text
    })
}

#[tokio::test]
async fn requests_about_accounts_and_media_leave_the_process_as_pinned() {
    let (homeserver, client) = start().await;
    client.versions().await.unwrap();
    client.whoami(None).await.unwrap();
    client.whoami(Some(ghost())).await.unwrap();
    client.ping("nova", "txn-1").await.unwrap_err();
    client
        .register("nova-bbbbbbbb-9d47-4a06-b1c5-7e0a9f6d2c11")
        .await
        .unwrap();
    client
        .set_display_name(ghost(), Some("Ada \"Countess\""))
        .await
        .unwrap();
    client.set_display_name(ghost(), None).await.unwrap();
    client
        .set_avatar_url(ghost(), Some("mxc://example.org/face"))
        .await
        .unwrap();
    client.set_avatar_url(ghost(), None).await.unwrap();
    client.profile(ghost()).await.unwrap();
    client.upload(ghost(), "image/gif", "GIF89a…".into()).await.unwrap();
    client.thumbnail("mxc://example.org/none", 96, 64).await.unwrap_err();
    client.turn_server(Some(ghost())).await.unwrap();
    client.turn_server(None).await.unwrap();
    client.deactivate(ghost()).await.unwrap();
    insta::assert_snapshot!(wire(&homeserver.requests()));
}

#[tokio::test]
async fn requests_about_rooms_leave_the_process_as_pinned() {
    let (homeserver, client) = start().await;
    let body = json!({
        "preset": "trusted_private_chat", "is_direct": true, "invite": ["@alice:example.org"],
        "creation_content": { "social.nova.id": "0192" }, "org.example.unknown": [null, false, 1.5],
    });
    let room = client.create_room(ghost(), &body).await.unwrap();
    client.invite(ghost(), &room, other_ghost(), None).await.unwrap();
    client.join(other_ghost(), &room).await.unwrap();
    client.leave(other_ghost(), &room, Some("done")).await.unwrap();
    client
        .invite(ghost(), &room, other_ghost(), Some("once more"))
        .await
        .unwrap();
    client.kick(ghost(), &room, other_ghost(), Some("no")).await.unwrap();
    client.ban(ghost(), &room, other_ghost(), None).await.unwrap();
    client.joined_rooms(ghost()).await.unwrap();
    client
        .create_alias(ghost(), room_alias_id!("#nova tea:example.org"), &room)
        .await
        .unwrap();
    client
        .resolve_alias(room_alias_id!("#nova tea:example.org"))
        .await
        .unwrap();
    insta::assert_snapshot!(wire(&homeserver.requests()));
}

#[tokio::test]
async fn requests_about_events_leave_the_process_as_pinned() {
    let (homeserver, client) = start().await;
    let room = room(&client).await;
    let content = r#"{"body":"é <b>","msgtype":"m.text","n":1.0,"big":12345678901234567890,"dup":1,"dup":2}"#;
    let event = client
        .send_event(ghost(), &room, "m.room.message", "txn/1?", &raw(content))
        .await
        .unwrap();
    client
        .send_state(ghost(), &room, "m.room.topic", "", &raw(r#"{ "topic" : "tea" }"#))
        .await
        .unwrap();
    client
        .send_state(ghost(), &room, "m.bridge", "a/b ?#%ü", &raw("{}"))
        .await
        .unwrap();
    client.state_event(ghost(), &room, "m.room.topic", "").await.unwrap();
    client
        .state_event(ghost(), &room, "m.bridge", "a/b ?#%ü")
        .await
        .unwrap()
        .expect("found by the same key");
    client.room_state(ghost(), &room).await.unwrap();
    client.messages(ghost(), &room, None, 50).await.unwrap();
    client.messages(ghost(), &room, Some("t3"), 10).await.unwrap();
    client
        .send_receipt(ghost(), &room, event.as_str(), false)
        .await
        .unwrap();
    client.send_receipt(ghost(), &room, event.as_str(), true).await.unwrap();
    client
        .set_typing(ghost(), &room, Some(Duration::from_secs(30)))
        .await
        .unwrap();
    client.set_typing(ghost(), &room, None).await.unwrap();
    client.set_presence(ghost(), Status::Online).await.unwrap();
    client.set_presence(ghost(), Status::Offline).await.unwrap();
    insta::assert_snapshot!(wire(&homeserver.requests()));
}
