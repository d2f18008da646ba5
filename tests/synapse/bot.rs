//! The bot, in a chat of its own.

use reqwest::Method;
use serde_json::{Value, json};

use crate::direct_chat;
use crate::support::matrix::MatrixUser;
use crate::support::world::World;

pub(crate) fn bot(world: &World) -> String {
    format!("@novabot:{}", world.server())
}

/// Says something to the bot, and reads its answer.
pub(crate) async fn asks(user: &MatrixUser, room: &str, bot: &str, text: &str) -> String {
    let before = answers(user, room, bot, |_| true).await.len();
    user.say(room, text).await;
    let all = answers(user, room, bot, |count| count > before).await;
    all.into_iter().next_back().unwrap()
}

pub(crate) async fn answers(user: &MatrixUser, room: &str, bot: &str, enough: impl Fn(usize) -> bool) -> Vec<String> {
    user.sees_in(room, "an answer of the bot's", |room| {
        let said: Vec<String> = room
            .said()
            .into_iter()
            .filter(|(sender, _)| *sender == bot)
            .map(|(_, text)| text.to_owned())
            .collect();
        enough(said.len()).then_some(said)
    })
    .await
}

#[tokio::test]
async fn somebody_talks_to_the_bot() {
    let Some(world) = World::open().await else { return };
    let bot = bot(&world);
    let (nova, matrix) = tokio::join!(world.nova_user("ana"), world.matrix_user("elena"));
    let room = matrix.create_dm(&bot).await;
    let greeting = answers(&matrix, &room, &bot, |count| count > 0).await;
    assert!(greeting[0].contains("open NAME"), "{greeting:?}");

    let asks = async |text: &str| asks(&matrix, &room, &bot, text).await;
    assert!(asks("!nova ping").await.starts_with("pong: the homeserver answers in "));
    assert!(asks("who is there?").await.starts_with("Nobody on Nova"));
    let who = asks(&format!("who {}", nova.username)).await;
    assert!(who.ends_with(&format!("({}): {}", nova.username, nova.mxid)), "{who}");
    let link = asks(&format!("link {}", nova.mxid)).await;
    assert!(link.ends_with(&format!("https://matrix.to/#/{}", nova.mxid)), "{link}");
    assert_eq!(asks("status").await, "You may not do this.");
    assert!(asks("tell me a story").await.starts_with("I do not understand"));
    assert_eq!(
        asks("open nobody-is-called-so").await,
        "That did not work: no such user: nobody-is-called-so."
    );

    // A Nova user is asked for a chat, and it is an ordinary one.
    assert_eq!(
        asks(&format!("open {}", nova.username)).await,
        "ana invites you to a chat."
    );
    let chat = matrix
        .sees("the invitation", |seen| {
            let from_nova = |state: &[Value]| state.iter().any(|event| event["sender"] == nova.mxid.as_str());
            let found = seen.invites.iter().find(|(_, state)| from_nova(state));
            found.map(|(room, _)| room.clone())
        })
        .await;
    let socket = nova.online().await;
    matrix.accepts(&chat).await;
    matrix.say(&chat, "there you are").await;
    socket.hears("there you are").await;
    let again = asks(&format!("open {}", nova.username)).await;
    assert!(again.contains(&chat), "{again}");
}

#[tokio::test]
async fn calls_can_be_switched_off_by_who_would_be_rung() {
    let Some(world) = World::open().await else { return };
    let chat = direct_chat(&world).await;
    let bot = bot(&world);
    let room = chat.matrix.create_dm(&bot).await;
    answers(&chat.matrix, &room, &bot, |count| count > 0).await;
    let path = format!("/conversations/{}/calls", chat.conversation);
    let sdp = "v=0\r\ns=-\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=msid:ana track\r\na=sendrecv\r\n";
    let place = json!({ "initiator_sdp": sdp });

    assert!(
        asks(&chat.matrix, &room, &bot, "calls off")
            .await
            .starts_with("Calls are off")
    );
    let (status, refused) = chat.nova.api.call(Method::POST, &path, Some(&place)).await;
    assert_eq!(
        (status, &refused["message"]),
        (403, &json!("calls are switched off")),
        "{refused}"
    );
    assert!(
        asks(&chat.matrix, &room, &bot, "calls on")
            .await
            .starts_with("Calls are on")
    );
    let call = chat.nova.api.post(&path, &place).await;
    chat.nova
        .api
        .post(&format!("/calls/{}/end", call["call_id"].as_str().unwrap()), &json!({}))
        .await;
}

#[tokio::test]
async fn an_admin_sees_how_the_bridge_does() {
    let Some(world) = World::open().await else { return };
    let (bot, admin) = (bot(&world), world.matrix_admin().await);
    let room = admin.create_dm(&bot).await;
    answers(&admin, &room, &bot, |count| count > 0).await;
    let status = asks(&admin, &room, &bot, "status").await;
    assert!(status.contains("requests wait for the homeserver"), "{status}");
    assert!(
        asks(&admin, &room, &bot, "retry all")
            .await
            .ends_with("are tried again.")
    );
    let unknown = asks(&admin, &room, &bot, "retry 00000000-0000-4000-8000-000000000000").await;
    assert_eq!(unknown, "That did not work: no such dead letter.");
}

#[tokio::test]
async fn it_stays_in_no_room_with_several_people() {
    let Some(world) = World::open().await else { return };
    let (elena, marek) = tokio::join!(world.matrix_user("elena"), world.matrix_user("marek"));
    let bot = bot(&world);
    let room = elena.create_room(&json!({ "invite": [marek.id] })).await;
    marek.join(&room).await;
    elena.act_on(&room, "invite", &bot).await;
    let said = answers(&elena, &room, &bot, |count| count > 0).await;
    assert!(said[0].starts_with("I answer only where"), "{said:?}");
    elena.sees_member(&room, &bot, "leave").await;

    let chat = direct_chat(&world).await;
    chat.matrix.act_on(&chat.room, "invite", &bot).await;
    chat.matrix.sees_member(&chat.room, &bot, "leave").await;
}
