//! Names and pictures of each side on the other.

use axum::Router;
use axum::routing::get;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::direct_chat;
use crate::support::world::World;

/// One pixel.
const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

fn png() -> Vec<u8> {
    BASE64_STANDARD.decode(PNG).unwrap()
}

/// Serves the picture below any path while the set lives. Returns where.
async fn picture_server(tasks: &mut JoinSet<()>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let picture = get(async || ([("content-type", "image/png")], png()));
    let router = Router::new().route("/{name}", picture);
    tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
    format!("http://{address}")
}

#[tokio::test]
async fn a_nova_account_is_seen_in_element() {
    let Some(world) = World::open().await else { return };
    let mut tasks = JoinSet::new();
    let pictures = picture_server(&mut tasks).await;
    let chat = direct_chat(&world).await;
    let (nova, matrix) = (&chat.nova, &chat.matrix);
    let profile = |name: &str, picture: &str| json!({ "username": nova.username, "display_name": name, "avatar_url": format!("{pictures}/{picture}") });
    world.put_account(nova, &profile("Ana Maria", "one.png")).await;
    let shown = async |name: &str| {
        matrix
            .sees_in(&chat.room, name, |room| {
                let member = room.content("m.room.member", &nova.mxid)?;
                let avatar = member["avatar_url"].as_str()?.to_owned();
                (member["displayname"] == name && member["membership"] == "join").then_some(avatar)
            })
            .await
    };
    let first = shown("Ana Maria").await;
    assert!(first.starts_with("mxc://"), "{first}");
    let media = first.trim_start_matches("mxc://");
    let (status, kind, bytes) = matrix
        .api
        .fetch(&format!(
            "{}/_matrix/client/v1/media/download/{media}",
            matrix.api.base()
        ))
        .await;
    assert_eq!((status, kind.as_str(), bytes), (200, "image/png", png()));
    assert_eq!(matrix.profile(&nova.mxid).await["displayname"], "Ana Maria");

    // A change follows, and so does what is taken away.
    world.put_account(nova, &profile("Ana M.", "two.png")).await;
    shown("Ana M.").await;
    let bare = json!({ "username": nova.username, "display_name": "Ana" });
    world.put_account(nova, &bare).await;
    matrix
        .sees_in(&chat.room, "no picture", |room| {
            let member = room.content("m.room.member", &nova.mxid)?;
            let gone = member["avatar_url"].as_str().is_none_or(str::is_empty);
            (member["displayname"] == "Ana" && gone).then_some(())
        })
        .await;
    assert_eq!(nova.conversations().await.len(), 1);
}

#[tokio::test]
async fn a_matrix_user_is_seen_in_nova() {
    let Some(world) = World::open().await else { return };
    let chat = direct_chat(&world).await;
    let (nova, matrix) = (&chat.nova, &chat.matrix);
    let socket = nova.online().await;
    nova.sees_member(&chat.conversation, &matrix.id, |member| {
        member["display_name"] == "elena"
    })
    .await;
    matrix.set_profile("displayname", "Elena 🌻 Sol").await;
    matrix.wear(png()).await;
    let wanted = |member: &Value| member["display_name"] == "Elena 🌻 Sol" && member["avatar_url"].is_string();
    let member = nova.sees_member(&chat.conversation, &matrix.id, wanted).await;
    socket
        .frame("that she looks different", |frame| {
            frame["type"] == "conversation.updated" && frame["conversation_id"] == chat.conversation.as_str()
        })
        .await;
    let url = member["avatar_url"].as_str().unwrap();
    let (status, kind, bytes) = nova.api.with_token("").fetch(url).await;
    assert_eq!(status, 200, "{url}");
    assert!(kind.starts_with("image/") && !bytes.is_empty(), "{kind}");
    assert_eq!(member["username"], matrix.id.as_str());
    matrix.set_profile("avatar_url", "").await;
    nova.sees_member(&chat.conversation, &matrix.id, |member| member["avatar_url"].is_null())
        .await;
}

#[tokio::test]
async fn a_nova_user_without_an_account_becomes_one_when_they_connect() {
    let Some(world) = World::open().await else { return };
    let (stranger, matrix) = (world.nova_stranger("cleo"), world.matrix_user("elena").await);
    let socket = stranger.online().await;
    let room = matrix.create_dm(&stranger.mxid).await;
    matrix.sees_member(&room, &stranger.mxid, "join").await;
    matrix.say(&room, "welcome").await;
    socket.hears("welcome").await;
    let shown = matrix.profile(&stranger.mxid).await;
    assert_eq!(shown["displayname"], stranger.username.as_str());
}
