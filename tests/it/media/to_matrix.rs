//! What Nova users send, as Matrix sees it.

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use super::{SVG, bomb, chat, kept, ogg, picture, png};
use crate::chat::room_of;
use crate::support::bridge::TestBridge;
use crate::support::homeserver::{Fault, On};

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn an_image_that_was_brought_is_sent_with_all_that_can_be_known_of_it(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let chat = chat(&bridge).await;
    let (status, upload) = chat.nova.bring("file_name=hill.png", "image/png", png()).await;
    assert_eq!(status, 201, "{upload}");
    assert_eq!(
        (&upload["kind"], &upload["file_type"], &upload["width"]),
        (&json!("image"), &json!("image/png"), &json!(4))
    );
    let seen = chat
        .nova
        .open_link(upload["url"].as_str().unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(seen.bytes().await.unwrap(), png());
    let mut socket = chat.nova.socket().await;
    let body = json!({ "media_id": upload["media_id"], "content": "look", "idempotency_key": "1" });
    let (status, sent) = chat.send(body.clone()).await;
    assert_eq!((status, &sent["message_type"]), (200, &json!("image")), "{sent}");
    let content = chat.arrives(&bridge, "m.image").await;
    assert_eq!(
        (&content["body"], &content["filename"]),
        (&json!("look"), &json!("hill.png"))
    );
    let info = &content["info"];
    let size = png().len();
    assert_eq!(
        (&info["mimetype"], &info["w"], &info["h"], &info["size"]),
        (&json!("image/png"), &json!(4), &json!(3), &json!(size))
    );
    assert!(info["xyz.amorgan.blurhash"].as_str().unwrap().len() > 6);
    assert_eq!(content["social.nova.id"], sent["id"]);
    assert_eq!(kept(&bridge, &content["url"]), ("image/png".to_owned(), png()));
    let frame = socket.next("message.new").await;
    assert_eq!((&frame["id"], &frame["message_type"]), (&sent["id"], &json!("image")));
    assert_eq!(socket.next("message.delivery").await["status"], "sent");
    // The same key is the same message, and the echo is none.
    assert_eq!(chat.send(body).await.1["id"], sent["id"]);
    bridge.homeserver.wait_until_pushed().await;
    assert_eq!(chat.shown().await.len(), 1);
    let uploads = bridge
        .homeserver
        .requests()
        .into_iter()
        .filter(|it| it.target.contains("/upload"));
    assert!(uploads.clone().all(|it| it.user_id.as_ref() == Some(&chat.nova.mxid)));
    assert_eq!(uploads.count(), 1);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_frame_carries_what_a_request_does(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let chat = chat(&bridge).await;
    let (_, upload) = chat.nova.bring("file_name=hill.png", "image/png", png()).await;
    let mut socket = chat.nova.socket().await;
    let frame = |what: Value| {
        let mut frame = json!({ "type": "message.send", "conversation_id": chat.conversation, "request_id": 1 });
        let fields = what.as_object().unwrap().clone();
        frame.as_object_mut().unwrap().extend(fields);
        frame
    };
    let refusals = [
        (
            json!({ "media_id": Uuid::nil(), "content": "look" }),
            "no such upload of yours",
        ),
        (json!({ "media_id": "hill.png", "content": "look" }), "UUID"),
        (
            json!({ "media_id": upload["media_id"], "latitude": 1.0 }),
            "a message carries one thing",
        ),
        (
            json!({ "message_type": "image", "content": "look" }),
            "media_id, media_url or s3_key is missing",
        ),
        (
            json!({ "message_type": "location", "latitude": 91.0, "longitude": 0.0 }),
            "latitude must be -90 to 90",
        ),
    ];
    for (wrong, complaint) in refusals {
        socket.send(frame(wrong.clone())).await;
        let refused = socket.next("error").await;
        assert_eq!(refused["code"], "INVALID_REQUEST", "{wrong}");
        assert!(refused["detail"].as_str().unwrap().contains(complaint), "{refused}");
    }
    socket
        .send(frame(json!({ "media_id": upload["media_id"], "content": "look" })))
        .await;
    // The echo may come before the answer.
    let (mut ack, mut shown) = (Value::Null, Value::Null);
    while ack.is_null() || shown.is_null() {
        let frame = socket.frame().await;
        match frame["type"].as_str() {
            Some("ack") => ack = frame,
            Some("message.new") => shown = frame,
            Some("message.delivery") => {}
            _ => panic!("{frame}"),
        }
    }
    assert_eq!(ack["id"], shown["id"]);
    assert_eq!(
        (
            &shown["message_type"],
            &shown["content"],
            &shown["attachments"][0]["file_name"]
        ),
        (&json!("image"), &json!("look"), &json!("hill.png"))
    );
    let content = chat.arrives(&bridge, "m.image").await;
    assert_eq!(content["social.nova.id"], ack["id"]);
    assert_eq!(kept(&bridge, &content["url"]), ("image/png".to_owned(), png()));
    socket
        .send(frame(
            json!({ "message_type": "location", "latitude": 51.5, "longitude": -0.12 }),
        ))
        .await;
    let place = chat.arrives(&bridge, "m.location").await;
    assert_eq!(place["geo_uri"], "geo:51.5,-0.12");
    assert_eq!(chat.shown().await.len(), 2, "what was refused was not said");
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_large_picture_gets_a_small_one(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let chat = chat(&bridge).await;
    let (status, upload) = chat.nova.bring("", "image/png", picture(1000, 500)).await;
    assert_eq!((status, &upload["file_name"]), (201, &json!("image.png")), "{upload}");
    chat.send(json!({ "media_id": upload["media_id"] })).await;
    let content = chat.arrives(&bridge, "m.image").await;
    assert_eq!(content["body"], "image.png");
    let small = &content["info"]["thumbnail_info"];
    assert_eq!(
        (&small["mimetype"], &small["w"]),
        (&json!("image/png"), &json!(1000)),
        "the fake gives the picture itself"
    );
    assert_ne!(content["info"]["thumbnail_url"], content["url"]);
    kept(&bridge, &content["info"]["thumbnail_url"]);
    // Without a small picture it is sent all the same.
    bridge
        .homeserver
        .fail_every(On::Thumbnail, Fault::Status(400, "M_UNKNOWN", None));
    let (status, upload) = chat.nova.bring("", "image/png", picture(900, 900)).await;
    assert_eq!((status, upload.get("blurhash")), (201, None));
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn voice_audio_files_and_places_are_what_element_knows(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let chat = chat(&bridge).await;
    let (status, upload) = chat
        .nova
        .bring("file_name=v.ogg&kind=voice", "audio/ogg;codecs=opus", ogg())
        .await;
    assert_eq!((status, &upload["kind"]), (201, &json!("voice")), "{upload}");
    let mut socket = chat.nova.socket().await;
    let body =
        json!({ "media_id": upload["media_id"], "duration_ms": 4200, "waveform": [0, 5000], "message_type": "voice" });
    let (_, sent) = chat.send(body).await;
    assert_eq!(
        (&sent["message_type"], &sent["audio_codec"]),
        (&json!("audio"), &json!("opus"))
    );
    let content = chat.arrives(&bridge, "m.audio").await;
    assert_eq!(
        content["org.matrix.msc1767.audio"],
        json!({ "duration": 4200, "waveform": [0, 1024] })
    );
    assert_eq!(content["org.matrix.msc3245.voice"], json!({}));
    assert_eq!(content["info"]["duration"], 4200);
    socket.next("message.audio_sent").await;
    let (_, upload) = chat.nova.bring("file_name=notes.txt", "text/plain", "hello").await;
    let gateway = json!({
        "conversation_id": chat.conversation, "content": "", "message_type": 4, "media_url": upload["url"], "reply_to_message_id": "",
    });
    let (status, sent) = chat.nova.post("/api/v2/chat/messages", gateway).await;
    assert_eq!((status, &sent["message"]["message_type"]), (200, &json!(4)), "{sent}");
    assert!(sent["message"]["media_url"].as_str().unwrap().contains("/media/v1/"));
    let content = chat.arrives(&bridge, "m.file").await;
    assert_eq!(
        (&content["body"], &content["info"]["mimetype"]),
        (&json!("notes.txt"), &json!("text/plain"))
    );
    let place =
        json!({ "message_type": 5, "latitude": 51.5, "longitude": -0.125, "accuracy_meters": 10, "content": "Here" });
    let (_, sent) = chat.send(place).await;
    assert_eq!(
        (&sent["message_type"], &sent["location"]["latitude"]),
        (&json!("location"), &json!(51.5))
    );
    let content = chat.arrives(&bridge, "m.location").await;
    assert_eq!(
        (&content["geo_uri"], &content["body"]),
        (&json!("geo:51.5,-0.125;u=10"), &json!("Here"))
    );
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn the_malicious_are_refused_with_a_reason(pool: PgPool) {
    let bridge = TestBridge::with_sections(pool, "", "media: { max_size_mb: 1 }\n").await;
    let chat = chat(&bridge).await;
    let elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0\x01\0\0\0".repeat(9);
    let cases: [(&str, &str, Vec<u8>, u16, &str); 8] = [
        (
            "",
            "image/png",
            elf,
            415,
            "said to be image/png, but its content is application/x-executable",
        ),
        (
            "kind=voice",
            "",
            png(),
            415,
            "said to be voice message, but its content is image/png",
        ),
        (
            "",
            "image/svg+xml",
            SVG.into(),
            415,
            "an SVG is a document that can hold scripts",
        ),
        ("", "image/png", bomb(), 415, "the picture has 50000 x 50000 pixels"),
        (
            "file_name=..%2F..%2Fetc%2Fpasswd",
            "text/plain",
            b"x".to_vec(),
            400,
            "file_name must be a name, without a path",
        ),
        ("", "text/plain", Vec::new(), 400, "the file is empty"),
        (
            "",
            "text/plain",
            vec![1; 1_000_001],
            413,
            "the file is larger than 1000000 bytes",
        ),
        (
            "kind=hologram",
            "text/plain",
            b"x".to_vec(),
            400,
            "message_type must be",
        ),
    ];
    for (query, mime, body, status, reason) in cases {
        let (answered, answer) = chat.nova.bring(query, mime, body).await;
        assert_eq!(answered, status, "{query} {mime}: {answer}");
        assert!(answer["message"].as_str().unwrap().contains(reason), "{answer}");
    }
    // Nobody says how much there is, and it does not end.
    let endless = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(bytes::Bytes::from(vec![0; 10_000])));
    let (status, answer) = chat
        .nova
        .bring("", "text/plain", reqwest::Body::wrap_stream(endless))
        .await;
    assert_eq!(status, 413, "{answer}");
    assert!(
        !bridge
            .homeserver
            .requests()
            .iter()
            .any(|it| it.target.contains("/upload"))
    );
    let (_, upload) = chat
        .nova
        .bring("file_name=x.svg", "application/octet-stream", SVG)
        .await;
    assert_eq!(upload["kind"], "file");
    let ben = bridge.account("ben").await;
    for (body, reason) in [
        (
            json!({ "media_id": upload["media_id"], "message_type": "image" }),
            "said to be image, but its content is file",
        ),
        (
            json!({ "media_id": "5d90b7f3-6c2e-4e8b-a1d4-0f7c3b9e8d26" }),
            "no such upload of yours",
        ),
        (
            json!({ "media_id": upload["media_id"], "file_name": "a/b" }),
            "file_name must be a name",
        ),
        (
            json!({ "media_id": upload["media_id"], "media_url": upload["url"] }),
            "a message carries one thing",
        ),
        (
            json!({ "media_url": "https://evil.example/x.png" }),
            "not one of Nova's storage",
        ),
        (json!({ "media_url": "not an address://" }), "media_url"),
        (
            json!({ "s3_key": "other/x" }),
            "s3_key must be one that this service gave",
        ),
        (json!({ "message_type": 1 }), "content is missing"),
        (
            json!({ "message_type": 1, "content": "x" }),
            "media_id, media_url or s3_key is missing",
        ),
        (json!({ "latitude": 91, "longitude": 0 }), "latitude must be -90 to 90"),
        (
            json!({ "message_type": 9, "content": "x" }),
            "message_type must be 0 to 5",
        ),
    ] {
        let (status, answer) = chat.send(body.clone()).await;
        assert!(matches!(status, 400 | 415), "{body}: {answer}");
        assert!(answer["message"].as_str().unwrap().contains(reason), "{body}: {answer}");
    }
    // What somebody brought is theirs.
    let conversation = ben.open("@alice:example.org").await;
    let body = json!({ "media_id": upload["media_id"] });
    let (status, _) = ben.post(&format!("/conversations/{conversation}/messages"), body).await;
    assert_eq!(status, 400);
    assert_eq!(chat.shown().await.len(), 0);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn the_homeservers_own_limit_counts(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let chat = chat(&bridge).await;
    bridge.homeserver.limit_uploads(1000);
    let (status, answer) = chat.nova.bring("", "text/plain", vec![b'x'; 1001]).await;
    assert_eq!(status, 413);
    assert!(
        answer["message"].as_str().unwrap().contains("larger than 1000 bytes"),
        "{answer}"
    );
    assert_eq!(chat.nova.bring("", "text/plain", vec![b'x'; 1000]).await.0, 201);
    bridge
        .homeserver
        .fail_next(On::Upload, Fault::Status(500, "M_UNKNOWN", None));
    assert_eq!(chat.nova.bring("", "text/plain", "x").await.0, 503);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_group_wears_a_picture_that_was_uploaded(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let (ana, ben) = (bridge.account("ana").await, bridge.account("ben").await);
    bridge.homeserver.user("@alice:example.org");
    let (_, upload) = ana.bring("", "image/png", png()).await;
    let group = json!({ "name": "Tea", "member_ids": ["@alice:example.org"], "avatar_url": upload["s3_key"] });
    let (status, made) = ana.post("/conversations/groups", group).await;
    assert_eq!(status, 201, "{made}");
    let id = made["id"].as_str().unwrap();
    let shown = made["avatar_url"].as_str().unwrap();
    assert!(shown.contains(&format!("/avatars/{id}?v=")), "{shown}");
    let room = room_of(&bridge, id).await;

    let (_, other) = ana.bring("", "image/png", picture(9, 9)).await;
    let path = format!("/conversations/{id}/settings");
    let change = json!({ "avatar_url": other["url"] });
    assert_eq!(ana.request(Method::PUT, &path, Some(change)).await.0, 200);
    let mxc = bridge
        .homeserver
        .wait_for("the second picture", |world| {
            let all = world.rooms.get(&room)?.timeline.iter();
            let changes: Vec<_> = all.filter(|it| it["type"] == "m.room.avatar").collect();
            let last = changes.last().filter(|_| changes.len() == 2)?;
            Some(last["content"]["url"].as_str()?.to_owned())
        })
        .await;
    assert!(mxc.starts_with("mxc://"), "{mxc}");
    // The room tells of the first one as well, and of the second one last.
    bridge.homeserver.wait_until_pushed().await;
    let (_, now) = ana.get(&format!("/conversations/{id}")).await;
    assert_ne!(now["avatar_url"], made["avatar_url"]);

    // Not what is no picture, nor what somebody else has uploaded.
    let (_, text) = ana.bring("", "text/plain", "notes").await;
    let (_, his) = ben.bring("", "image/png", png()).await;
    for (url, status) in [(&text["url"], 400), (&his["url"], 404)] {
        let change = json!({ "avatar_url": url });
        assert_eq!(ana.request(Method::PUT, &path, Some(change)).await.0, status);
    }
}
