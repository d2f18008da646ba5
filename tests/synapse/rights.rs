//! What people try who may not: Synapse lets more through than it stops.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::acts::{edit, reaction};
use crate::support::api::enc;
use crate::support::matrix::MatrixUser;
use crate::support::nova::{NovaUser, id_of};
use crate::support::world::World;

const V3: &str = "/_matrix/client/v3";

/// Tries to redact an event, and returns Synapse's status.
async fn tries_to_redact(matrix: &MatrixUser, room: &str, event: &str) -> u16 {
    let path = format!("{V3}/rooms/{}/redact/{}/{}", enc(room), enc(event), Uuid::new_v4());
    matrix.api.call(Method::PUT, &path, Some(&json!({}))).await.0
}

/// An event that Synapse would not let through, as another server might.
#[expect(clippy::needless_pass_by_value, reason = "it is made for this")]
fn pushed(room: &str, sender: &str, kind: &str, content: Value) -> Value {
    json!({
        "type": kind, "event_id": format!("${}", Uuid::new_v4()), "room_id": room, "sender": sender,
        "origin_server_ts": 1_767_863_730_000_i64, "content": content,
    })
}

/// A group of four, two on each side.
struct Four {
    ana: NovaUser,
    ben: NovaUser,
    elena: MatrixUser,
    marek: MatrixUser,
    group: String,
    room: String,
}

async fn four(world: &World) -> Four {
    let (ana, ben) = tokio::join!(world.nova_user("ana"), world.nova_user("ben"));
    let (elena, marek) = tokio::join!(world.matrix_user("elena"), world.matrix_user("marek"));
    let group = ana
        .create_group("Tea", &[&ben.id.to_string(), &elena.id, &marek.id])
        .await;
    let room = ana.room_of(&group).await;
    elena.accepts(&room).await;
    marek.accepts(&room).await;
    elena.sees_member(&room, &ben.mxid, "join").await;
    Four {
        ana,
        ben,
        elena,
        marek,
        group,
        room,
    }
}

#[tokio::test]
async fn what_others_do_to_somebodys_messages_does_not_count() {
    let Some(world) = World::open().await else { return };
    let Four {
        ana,
        ben,
        elena,
        marek,
        group,
        room,
    } = four(&world).await;
    let secret = elena.create_dm(&ana.mxid).await;
    elena.sees_member(&secret, &ana.mxid, "join").await;
    let aside = ana.conversation_of(&secret).await;
    let socket = ana.online().await;
    let hers = elena.say(&room, "hers").await;
    socket.hears("hers").await;
    let whisper = elena.say(&secret, "for you alone").await;
    socket.hears("for you alone").await;
    let mine = id_of(&ana.say(&group, "mine").await);
    let in_room = marek.hears(&room, "mine").await;
    let mine_event = in_room["event_id"].as_str().unwrap();
    let his_phone = world.own_matrix_client(&ben).await;

    // Synapse takes edits of what others said. It refuses acts on what is in another room, unlike other servers.
    for who in [&marek, &his_phone] {
        for target in [&hers, mine_event] {
            who.send(&room, &edit(target, "forged")).await;
        }
        let path = format!("{V3}/rooms/{}/send/m.reaction/{}", enc(&room), Uuid::new_v4());
        let (status, _) = who.api.call(Method::PUT, &path, Some(&reaction(&whisper, "👎"))).await;
        assert_eq!(status, 400);
    }
    let abroad = [
        pushed(&room, &marek.id, "m.room.message", edit(&whisper, "forged")),
        pushed(&room, &marek.id, "m.reaction", reaction(&whisper, "👎")),
        pushed(&room, &marek.id, "m.room.redaction", json!({ "redacts": whisper })),
    ];
    world.push(&abroad, &[]).await;
    // With the bridge's own mark, too.
    let mut forged = edit(mine_event, "forged");
    forged["social.nova.id"] = in_room["content"]["social.nova.id"].clone();
    marek.send(&room, &forged).await;
    // It refuses these itself.
    for who in [&marek, &his_phone] {
        assert_eq!(tries_to_redact(who, &room, &hers).await, 403);
        assert_eq!(tries_to_redact(who, &room, mine_event).await, 403);
        assert_eq!(tries_to_redact(who, &secret, &whisper).await, 403);
    }
    // A redaction in the group of what was said elsewhere is Synapse's to refuse or to ignore.
    tries_to_redact(&marek, &room, &whisper).await;
    let thumb = elena.send_event(&room, "m.reaction", &reaction(&hers, "👍")).await;
    assert_eq!(tries_to_redact(&marek, &room, &thumb).await, 403);
    // And Nova's own people, by REST.
    let path = format!("/messages/{mine}");
    let body = json!({ "content": "forged" });
    let (status, _) = ben.api.call(Method::PUT, &path, Some(&body)).await;
    assert_eq!(status, 403);
    assert_eq!(ben.api.call(Method::DELETE, &path, None).await.0, 403);
    let elsewhere = ana.history(&aside).await;
    let path = format!("/messages/{}/reactions", id_of(&elsewhere[0]));
    let (status, _) = ben.api.call(Method::POST, &path, Some(&json!({ "emoji": "👎" }))).await;
    assert!([403, 404].contains(&status), "{status}");

    marek.say(&room, "the end").await;
    socket.hears("the end").await;
    let untouched = |frame: &&Value| {
        ["message.edited", "message.deleted", "reaction.removed"].contains(&frame["type"].as_str().unwrap())
    };
    assert_eq!(socket.log().frames.iter().find(untouched), None);
    let said: Vec<(String, i64)> = ana
        .history(&group)
        .await
        .iter()
        .map(|it| {
            (
                it["content"].as_str().unwrap().to_owned(),
                it["version_number"].as_i64().unwrap(),
            )
        })
        .collect();
    let wanted = [("hers", 1), ("mine", 1), ("the end", 1)].map(|(text, version)| (text.to_owned(), version));
    assert_eq!(said, wanted);
    let whispered = &ana.history(&aside).await[0];
    assert_eq!(
        (&whispered["content"], &whispered["reactions"]),
        (&json!("for you alone"), &json!([]))
    );
    assert_eq!(world.dead_letters(&[&room, &secret]).await, Vec::<Value>::new());
}

#[tokio::test]
async fn whoever_is_given_power_may_take_away_what_others_said() {
    let Some(world) = World::open().await else { return };
    let Four {
        ana,
        marek,
        group,
        room,
        ..
    } = four(&world).await;
    let socket = ana.online().await;
    let mine = id_of(&ana.say(&group, "mine").await);
    let event = marek.hears(&room, "mine").await;
    let mine_event = event["event_id"].as_str().unwrap();
    assert_eq!(tries_to_redact(&marek, &room, mine_event).await, 403);
    ana.api
        .put(
            &format!("/conversations/{group}/members/{}/role", marek.id),
            &json!({ "role": "admin" }),
        )
        .await;
    marek
        .sees_in(&room, "his power", |room| {
            (room.content("m.room.power_levels", "")?["users"][&marek.id] == 50).then_some(())
        })
        .await;
    assert_eq!(tries_to_redact(&marek, &room, mine_event).await, 200);
    socket
        .frame("the deletion", |frame| {
            frame["type"] == "message.deleted" && frame["message_id"] == mine.as_str()
        })
        .await;
    assert_eq!(world.dead_letters(&[&room]).await, Vec::<Value>::new());
}

#[tokio::test]
async fn who_has_left_is_not_heard_any_more() {
    let Some(world) = World::open().await else { return };
    let Four {
        ana,
        elena,
        marek,
        group,
        room,
        ..
    } = four(&world).await;
    let socket = ana.online().await;
    let his = marek.say(&room, "goodbye").await;
    socket.hears("goodbye").await;
    marek.leave(&room).await;
    ana.sees_member(&group, &marek.id, Value::is_null).await;
    // Synapse refuses him; what comes all the same, as from a server that does not, is not shown.
    let path = format!("{V3}/rooms/{}/send/m.room.message/{}", enc(&room), Uuid::new_v4());
    let text = json!({ "msgtype": "m.text", "body": "still here" });
    assert_eq!(marek.api.call(Method::PUT, &path, Some(&text)).await.0, 403);
    let late = |kind: &str, content: Value| pushed(&room, &marek.id, kind, content);
    world
        .push(
            &[
                late("m.room.message", edit(&his, "forged")),
                late("m.reaction", reaction(&his, "👎")),
                late("m.room.redaction", json!({ "redacts": his })),
            ],
            &[],
        )
        .await;
    elena.say(&room, "the end").await;
    socket.hears("the end").await;
    let history = ana.history(&group).await;
    let shown: Vec<(&Value, &Value)> = history.iter().map(|it| (&it["content"], &it["reactions"])).collect();
    assert_eq!(
        shown,
        [(&json!("goodbye"), &json!([])), (&json!("the end"), &json!([]))]
    );
}
