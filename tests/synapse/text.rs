//! Text both ways: every kind, every script, every length, in order.

use serde_json::{Value, json};

use crate::support::wait::until;
use crate::support::world::World;
use crate::{Chat, direct_chat};

/// Bodies that break who is careless.
fn texts() -> Vec<String> {
    let fixed = [
        "one line",
        "several\nlines\n\n  indented\tand tabbed",
        "👩‍👩‍👧‍👦 🏳️‍🌈 👋🏽",
        "שלום עולם, مرحبا, and back",
        "e\u{301} a\u{308}\u{323} Z\u{335}\u{336}\u{337}",
        "\u{202e}reversed\u{202c} zero\u{200b}width \u{feff}",
        "quotes \" ' \\ \\n {} [] <b>no html</b> & &amp; \u{1}\u{7f}",
        "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 漢字 ひらがな 한국어 ไทย",
        "* not a list\n> not a quote\n# not a heading",
        "/me does not act",
    ];
    let mut texts: Vec<String> = fixed.map(str::to_owned).into();
    texts.push("long ".repeat(6000) + "end");
    texts.push("ж".repeat(15_000));
    texts
}

#[tokio::test]
async fn every_text_arrives_as_it_is() {
    let Some(world) = World::open().await else { return };
    let Chat {
        nova,
        matrix,
        room,
        conversation,
    } = direct_chat(&world).await;
    let socket = nova.online().await;
    for text in texts() {
        let event = matrix.say(&room, &text).await;
        let frame = socket.hears(&text).await;
        assert_eq!(frame["matrix_event_id"], event.as_str());
        let answer = format!("{text}\u{2060}");
        nova.say(&conversation, &answer).await;
        matrix.hears(&room, &answer).await;
    }
    let said: Vec<String> = nova
        .said(&conversation)
        .await
        .into_iter()
        .map(|(_, text)| text)
        .collect();
    let wanted: Vec<String> = texts()
        .into_iter()
        .flat_map(|text| [text.clone(), format!("{text}\u{2060}")])
        .collect();
    assert_eq!(said, wanted);
}

#[tokio::test]
async fn styles_and_html_go_both_ways() {
    let Some(world) = World::open().await else { return };
    let Chat {
        nova,
        matrix,
        room,
        conversation,
    } = direct_chat(&world).await;
    let socket = nova.online().await;
    let html = json!({
        "msgtype": "m.text", "body": "*hi*", "format": "org.matrix.custom.html",
        "formatted_body": "<em onclick=\"x\">hi</em>",
    });
    matrix.send(&room, &html).await;
    assert_eq!(socket.hears("*hi*").await["formatted_content"], "<em>hi</em>");
    for (kind, style) in [("m.notice", "notice"), ("m.emote", "emote")] {
        matrix.send(&room, &json!({ "msgtype": kind, "body": kind })).await;
        assert_eq!(socket.hears(kind).await["style"], style);
        nova.send(&conversation, &json!({ "content": style, "style": style }))
            .await;
        assert_eq!(matrix.hears(&room, style).await["content"]["msgtype"], kind);
    }
    let body = json!({ "content": "bold", "formatted_content": "<strong style=\"color: red\">bold</strong>" });
    nova.send(&conversation, &body).await;
    let event = matrix.hears(&room, "bold").await;
    assert_eq!(event["content"]["formatted_body"], "<strong>bold</strong>");
    assert_eq!(event["content"]["format"], "org.matrix.custom.html");
    nova.send(&conversation, &json!({ "plaintext": "by its older name" }))
        .await;
    matrix.hears(&room, "by its older name").await;
}

#[tokio::test]
async fn two_hundred_messages_from_both_sides_keep_their_order() {
    let Some(world) = World::open().await else { return };
    let Chat {
        nova,
        matrix,
        room,
        conversation,
    } = direct_chat(&world).await;
    let socket = nova.online().await;
    let from_matrix = async {
        for n in 0..100 {
            matrix.say(&room, &format!("m{n}")).await;
        }
    };
    let from_nova = async {
        for n in 0..100 {
            let answer = socket
                .send(&conversation, &format!("n{n}"), &format!("{conversation}-{n}"))
                .await;
            assert_eq!(answer["type"], "ack", "{answer}");
        }
    };
    tokio::join!(from_matrix, from_nova);
    let wanted = |who: char| (0..100).map(|n| format!("{who}{n}")).collect::<Vec<_>>();
    let of = |said: &[String], who: char| {
        said.iter()
            .filter(|text| text.starts_with(who))
            .cloned()
            .collect::<Vec<_>>()
    };
    let in_element = matrix
        .sees_in(&room, "all of it", |room| {
            let said: Vec<String> = room.said().into_iter().map(|(_, text)| text.to_owned()).collect();
            (said.len() >= 200).then_some(said)
        })
        .await;
    let in_nova = until("all of it is in Nova", async || {
        let said: Vec<String> = nova
            .said(&conversation)
            .await
            .into_iter()
            .map(|(_, text)| text)
            .collect();
        (said.len() >= 200).then_some(said)
    })
    .await;
    let on_socket = socket
        .sees("all of it", |log| {
            let texts = log
                .messages(&conversation)
                .map(|frame| frame["content"].as_str().unwrap().to_owned());
            Some(texts.collect::<Vec<_>>()).filter(|texts| texts.len() >= 200)
        })
        .await;
    for said in [&in_element, &in_nova, &on_socket] {
        assert_eq!(said.len(), 200);
        assert_eq!(of(said, 'm'), wanted('m'));
        assert_eq!(of(said, 'n'), wanted('n'));
    }
    assert_eq!(on_socket, in_nova);
}

#[tokio::test]
async fn the_author_is_told_of_the_delivery_and_nobody_else() {
    let Some(world) = World::open().await else { return };
    let (ana, ben) = tokio::join!(world.nova_user("ana"), world.nova_user("ben"));
    let elena = world.matrix_user("elena").await;
    let group = ana.create_group("Post", &[&ben.id.to_string(), &elena.id]).await;
    let (hers, his) = tokio::join!(ana.online(), ben.online());
    let sent = ana.say(&group, "did it arrive?").await;
    assert_eq!(sent["delivery_status"], "pending");
    let told = |frame: &Value| frame["type"] == "message.delivery" && frame["message_id"] == sent["id"];
    let delivery = hers.frame("the delivery", told).await;
    assert_eq!(delivery["status"], "sent", "{delivery}");
    let room = ana.room_of(&group).await;
    elena.accepts(&room).await;
    let event = elena.hears(&room, "did it arrive?").await;
    assert_eq!(delivery["matrix_event_id"], event["event_id"]);
    assert_eq!(event["content"]["social.nova.id"], sent["id"]);
    ben.say(&group, "yes").await;
    his.frame("his own delivery", |frame| frame["type"] == "message.delivery")
        .await;
    assert!(!his.log().frames.iter().any(told));
    let listed = ana.history(&group).await;
    assert_eq!(listed[0]["delivery_status"], "sent");
    assert!(listed[1].get("delivery_status").is_none(), "{}", listed[1]);
}
