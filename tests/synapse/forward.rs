//! What was said is said again elsewhere, with its file, both ways.

use serde_json::{Value, json};

use crate::media::{download, picture, upload};
use crate::support::nova::{NovaUser, id_of};
use crate::support::wait::until;
use crate::support::world::World;
use crate::{Chat, direct_chat};

/// Forwards the message with this content.
async fn forward(nova: &NovaUser, from: &str, content: &str, body: &Value) -> String {
    let history = nova.history(from).await;
    let message = history.iter().find(|it| it["content"] == content).unwrap();
    let path = format!("/conversations/{from}/messages/{}/forward", id_of(message));
    let answer = nova.api.post(&path, body).await;
    answer["forwarded_message_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn nova_forwards_text_and_an_image_to_somebody_in_element() {
    let Some(world) = World::open().await else { return };
    let Chat {
        nova,
        matrix,
        room,
        conversation,
    } = direct_chat(&world).await;
    let marek = world.matrix_user("marek").await;
    let elsewhere = marek.create_dm(&nova.mxid).await;
    let target = nova.conversation_of(&elsewhere).await;
    let socket = nova.online().await;
    let bytes = picture(60, 40);
    let mxc = upload(&matrix, "image/png", bytes.clone()).await;
    matrix
        .send(
            &room,
            &json!({ "msgtype": "m.image", "body": "hill.png", "url": mxc, "info": { "mimetype": "image/png" } }),
        )
        .await;
    matrix.say(&room, "look at that").await;
    socket.hears("look at that").await;
    let body = json!({ "target_conversation_id": target, "custom_note": "from Elena" });
    let image = forward(&nova, &conversation, "hill.png", &body).await;
    let text = json!({ "target_conversation_id": target });
    forward(&nova, &conversation, "look at that", &text).await;

    let content = marek.hears(&elsewhere, "hill.png").await["content"].clone();
    assert_eq!(
        (&content["msgtype"], &content["social.nova.id"]),
        (&json!("m.image"), &json!(image))
    );
    // Marek was never in Elena's room, and Synapse gives him the file.
    let (status, kind, came) = download(&marek, &content).await;
    assert_eq!((status, kind.as_str(), came == bytes), (200, "image/png", true));
    let event = marek.hears(&elsewhere, "look at that").await;
    assert_eq!(event["sender"], nova.mxid.as_str());
    assert_eq!(event["content"].get("m.relates_to"), None);
    let said: Vec<(String, String)> = nova.said(&target).await;
    let own = |text: &str| (nova.id.to_string(), text.to_owned());
    assert_eq!(said, [own("from Elena"), own("hill.png"), own("look at that")]);
}

#[tokio::test]
async fn element_and_an_own_client_forward_what_nova_sent() {
    let Some(world) = World::open().await else { return };
    let Chat {
        nova,
        matrix,
        room,
        conversation,
    } = direct_chat(&world).await;
    let ben = world.nova_user("ben").await;
    let elsewhere = matrix.create_dm(&ben.mxid).await;
    let target = ben.conversation_of(&elsewhere).await;
    let bytes = picture(50, 50);
    let brought = nova
        .api
        .upload("/media?file_name=lake.png", "image/png", bytes.clone())
        .await;
    nova.send(&conversation, &json!({ "media_id": brought["media_id"] }))
        .await;
    let content = matrix.hears(&room, "lake.png").await["content"].clone();
    // Element sends the content as it is, the bridge's own mark included.
    assert!(content["social.nova.id"].is_string(), "{content}");
    matrix.send(&elsewhere, &content).await;
    let shown = until("Ben has the image", async || ben.history(&target).await.pop()).await;
    assert_eq!(shown["message_type"], "image");
    let link = shown["media_url"].as_str().unwrap();
    let (status, kind, came) = ben.api.with_token("").fetch(link).await;
    assert_eq!((status, kind.as_str(), came == bytes), (200, "image/png", true));

    // Her own client does the same to another room of hers.
    let marek = world.matrix_user("marek").await;
    let third = marek.create_dm(&nova.mxid).await;
    marek.sees_member(&third, &nova.mxid, "join").await;
    let of_marek = nova.conversation_of(&third).await;
    let phone = world.own_matrix_client(&nova).await;
    phone.send(&third, &content).await;
    let shown = until("she sees it there", async || nova.history(&of_marek).await.pop()).await;
    assert_eq!(
        (&shown["content"], &shown["sender_id"]),
        (&json!("lake.png"), &json!(nova.id))
    );
    assert_eq!(nova.history(&conversation).await.len(), 1);
    assert_eq!(
        world.dead_letters(&[&room, &elsewhere, &third]).await,
        Vec::<Value>::new()
    );
}
