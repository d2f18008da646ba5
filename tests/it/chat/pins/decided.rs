//! Both sides decide at the same time, and Nova decides before Matrix can know.

use serde_json::json;
use sqlx::PgPool;

use super::{Chat, LIST, id, pinned};
use crate::support::homeserver::{Fault, On};

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_message_that_waits_is_pinned_behind_its_sending(pool: PgPool) {
    let chat = Chat::new(pool).await;
    chat.bridge
        .homeserver
        .fail_every(On::Send, Fault::Status(502, "M_UNKNOWN", None));
    let message = id(&chat.ana.say(&chat.conversation, "helo").await["id"]);
    assert_eq!(chat.pin(&message).await.0, 200);
    // What the room says meanwhile cannot be about it.
    let mut socket = chat.ana.socket().await;
    let (hers, other) = chat.hears(&mut socket, "hers").await;
    chat.sets(&[&hers]);
    assert_eq!(socket.next("message.pinned").await["message_id"], json!(other));
    assert_eq!(pinned(&chat.ana, &chat.conversation).await, [&*other, &*message]);
    chat.bridge.homeserver.heal();
    let sent = socket.next("message.delivery").await;
    let mut event = sent["matrix_event_id"].clone();
    while event.is_null() {
        event = socket.next("message.delivery").await["matrix_event_id"].clone();
    }
    chat.lists(&[&hers, &id(&event)]).await;
    chat.settled().await;
    assert_eq!(pinned(&chat.ana, &chat.conversation).await, [&*other, &*message]);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_list_that_is_older_does_not_undo_what_nova_decides(pool: PgPool) {
    let chat = Chat::new(pool).await;
    let mut socket = chat.ana.socket().await;
    let (a, first) = chat.hears(&mut socket, "a").await;
    let (b, second) = chat.hears(&mut socket, "b").await;
    chat.sets(&[&a]);
    socket.next("message.pinned").await;
    // Alice pins another one before the room hears that Ana took the first one down.
    chat.bridge.homeserver.pause_push();
    chat.sets(&[&a, &b]);
    assert_eq!(chat.unpin(&first).await.0, 200);
    chat.lists(&[&b]).await;
    assert_eq!(chat.pin(&first).await.0, 200);
    chat.lists(&[&b, &a]).await;
    assert_eq!(chat.unpin(&first).await.0, 200);
    chat.lists(&[&b]).await;
    chat.bridge.homeserver.resume_push();
    chat.settled().await;
    assert_eq!(pinned(&chat.ana, &chat.conversation).await, [&*second]);
    let mut told = Vec::new();
    while told.len() < 4 {
        let frame = socket.frame().await;
        let name = frame["type"].as_str().unwrap_or_default().to_owned();
        if name.starts_with("message.pin") || name.starts_with("message.unpin") {
            told.push((name, id(&frame["message_id"])));
        }
    }
    let expected = [
        ("message.unpinned", &first),
        ("message.pinned", &first),
        ("message.unpinned", &first),
        ("message.pinned", &second),
    ];
    assert_eq!(told, expected.map(|(name, id)| (name.to_owned(), id.clone())));
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_list_whose_answer_was_lost_is_set_once(pool: PgPool) {
    let chat = Chat::new(pool).await;
    let mut socket = chat.ana.socket().await;
    let (event, message) = chat.hears(&mut socket, "helo").await;
    chat.bridge.homeserver.fail_next(On::Path(LIST), Fault::Drop);
    assert_eq!(chat.pin(&message).await.0, 200);
    chat.lists(&[&event]).await;
    chat.bridge.homeserver.fail_next(On::Path(LIST), Fault::LoseAnswer);
    assert_eq!(chat.unpin(&message).await.0, 200);
    chat.lists(&[]).await;
    chat.settled().await;
    assert_eq!(chat.times(), 2);
    assert!(pinned(&chat.ana, &chat.conversation).await.is_empty());
    // Nothing is left over that would keep the room from having its say.
    chat.sets(&[&event]);
    assert_eq!(socket.next("message.pinned").await["user_id"], json!(chat.ana.id));
    assert_ne!(socket.next("message.pinned").await["user_id"], json!(chat.ana.id));
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn an_upgraded_room_keeps_what_is_pinned_until_it_says_otherwise(pool: PgPool) {
    let chat = Chat::new(pool).await;
    let mut socket = chat.ana.socket().await;
    let (event, message) = chat.hears(&mut socket, "helo").await;
    chat.sets(&[&event]);
    socket.next("message.pinned").await;
    let new = chat.alice.upgrade_room(&chat.room);
    chat.alice.invite(&new, &chat.ana.mxid);
    crate::chat::membership(&chat.bridge, &new, &chat.ana.mxid, "join").await;
    let said = chat.alice.send_text(&new, "hello again");
    let again = id(&socket.next("message.new").await["id"]);
    assert_eq!(pinned(&chat.ana, &chat.conversation).await, [&*message]);
    // The room that was left behind has no say; the new one has.
    chat.sets(&[]);
    chat.alice.send_state(&new, LIST, "", json!({ "pinned": [said] }));
    assert_eq!(socket.next("message.unpinned").await["message_id"], json!(message));
    assert_eq!(socket.next("message.pinned").await["message_id"], json!(again));
}
