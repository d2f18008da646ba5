//! What Matrix users send, as Nova's clients see it.

use serde_json::json;
use sqlx::PgPool;

use super::{chat, image_content, png};
use crate::support::bridge::TestBridge;
use crate::support::homeserver::{Fault, On};

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn an_image_is_shown_by_a_link_that_needs_no_token(pool: PgPool) {
    let bridge = TestBridge::with(pool, "bare_frames: true").await;
    let chat = chat(&bridge).await;
    let alice = bridge.homeserver.user("@alice:example.org");
    let mut socket = chat.nova.socket().await;
    let mxc = bridge.homeserver.keep("image/png", png());
    let mut content = image_content(&mxc);
    content["body"] = json!("look!");
    content["filename"] = json!("../hill \"é\".png");
    alice.send(&chat.room, "m.room.message", content);
    let frame = socket.next("message.new").await;
    assert_eq!(
        (&frame["message_type"], &frame["content"]),
        (&json!("image"), &json!("look!"))
    );
    assert_eq!(frame["message"]["message_type"], "image");
    let attachment = &frame["attachments"][0];
    assert_eq!(attachment["file_name"], "hill _é_.png");
    assert_eq!(
        (&attachment["width"], &attachment["file_size"]),
        (&json!(4), &json!(70))
    );
    let link = frame["media_url"].as_str().unwrap();
    let answer = chat.nova.open_link(link).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "image/png");
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert!(header("content-security-policy").starts_with("sandbox;"));
    assert!(
        header("content-disposition").starts_with("inline; filename=\"hill____.png\""),
        "{}",
        header("content-disposition")
    );
    assert!(header("cache-control").starts_with("private, max-age="));
    assert_eq!(answer.bytes().await.unwrap(), png());
    // It is asked for as a ghost that is in the room.
    let asked = bridge
        .homeserver
        .requests()
        .into_iter()
        .find(|it| it.target.contains("/media/download/"));
    assert_eq!(asked.unwrap().user_id, Some(chat.nova.mxid.clone()));
    let shown = chat.shown().await;
    assert_eq!(shown[0]["media_url"], link, "lists show the same");
    let gateway = format!("/api/v2/chat/messages?conversation_id={}", chat.conversation);
    let (_, gateway) = chat.nova.get(&gateway).await;
    let message = &gateway["messages"][0];
    assert_eq!(
        (&message["message_type"], &message["type"]),
        (&json!(1), &json!("image"))
    );
    assert_eq!(message["media_url"], link);
    let small = frame["thumbnail_url"].as_str().unwrap();
    let small = chat.nova.open_link(&format!("{small}&size=96")).send().await.unwrap();
    assert_eq!(
        (
            small.status().as_u16(),
            small.headers()["content-type"].to_str().unwrap()
        ),
        (200, "image/png")
    );
    // A link is for its file, and for nothing else.
    for bad in [
        link.replace("sig=", "sig=A"),
        link.replace("exp=", "exp=1"),
        link.split('?').next().unwrap().to_owned() + "?exp=99999999999&sig=AAAA",
    ] {
        let answer = chat.nova.open_link(&bad).send().await.unwrap();
        assert_eq!(answer.status(), 403, "{bad}");
        assert_eq!(
            answer.json::<serde_json::Value>().await.unwrap()["code"],
            "LINK_EXPIRED"
        );
    }
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn every_kind_has_its_type(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let chat = chat(&bridge).await;
    let alice = bridge.homeserver.user("@alice:example.org");
    let mut socket = chat.nova.socket().await;
    for (msgtype, message_type) in [("m.video", "video"), ("m.audio", "audio"), ("m.file", "file")] {
        let content = json!({ "msgtype": msgtype, "body": "x.bin", "url": "mxc://example.org/none" });
        alice.send(&chat.room, "m.room.message", content);
        let frame = socket.next("message.new").await;
        assert_eq!(
            (&frame["message_type"], &frame["content"]),
            (&json!(message_type), &json!("x.bin"))
        );
        assert_eq!(frame["message"].get("media_url"), None);
    }
    let sticker = json!({ "body": "waves", "url": "mxc://example.org/none", "info": { "mimetype": "image/png" } });
    alice.send(&chat.room, "m.sticker", sticker);
    let frame = socket.next("message.new").await;
    assert_eq!(
        (&frame["message_type"], &frame["attachments"][0]["kind"]),
        (&json!("image"), &json!("sticker"))
    );
    let place =
        json!({ "msgtype": "m.location", "body": "Location geo:1,2 as of noon", "geo_uri": "geo:51.5,-0.1;u=10" });
    alice.send(&chat.room, "m.room.message", place);
    let frame = socket.next("message.new").await;
    assert_eq!(
        (&frame["message_type"], &frame["content"]),
        (&json!("location"), &json!("Location"))
    );
    assert_eq!(
        frame["location"],
        json!({ "latitude": 51.5, "longitude": -0.1, "accuracy_meters": 10.0 })
    );
    // What is encrypted by itself can be read by nobody here, and what lacks its address neither.
    let sealed =
        json!({ "msgtype": "m.image", "body": "secret.png", "file": { "url": "mxc://example.org/x", "key": {} } });
    alice.send(&chat.room, "m.room.message", sealed);
    let frame = socket.next("message.new").await;
    assert_eq!(
        (&frame["message_type"], &frame["style"]),
        (&json!("text"), &json!("notice"))
    );
    assert_eq!(frame["content"], "Encrypted image that Nova cannot read: secret.png");
    alice.send(
        &chat.room,
        "m.room.message",
        json!({ "msgtype": "m.image", "body": "x" }),
    );
    alice.send_text(&chat.room, "after");
    assert_eq!(socket.next("message.new").await["content"], "after");
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_voice_message_is_told_as_the_service_told_it(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let chat = chat(&bridge).await;
    let mut socket = chat.nova.socket().await;
    let content = json!({
        "msgtype": "m.audio", "body": "Voice message.ogg", "url": "mxc://example.org/v",
        "info": { "mimetype": "audio/ogg", "size": 9 }, "org.matrix.msc3245.voice": {},
        "org.matrix.msc1767.audio": { "duration": 4200, "waveform": [0, 1024] },
    });
    bridge
        .homeserver
        .user("@alice:example.org")
        .send(&chat.room, "m.room.message", content);
    let new = socket.next("message.new").await;
    let sent = socket.next("message.audio_sent").await;
    assert_eq!(
        (&sent["duration_ms"], &sent["audio_codec"]),
        (&json!(4200), &json!("opus"))
    );
    assert_eq!(
        (&sent["id"], &sent["sequence_number"]),
        (&new["id"], &new["sequence_number"])
    );
    assert_eq!(sent["stream_id"], new["stream_id"]);
    assert_eq!(new["attachments"][0]["waveform"], json!([0, 1024]));
    assert_eq!(
        (&new["attachments"][0]["kind"], &new["audio_url"]),
        (&json!("voice"), &new["media_url"])
    );
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn parts_are_cut_out_where_the_homeserver_sends_the_whole(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let chat = chat(&bridge).await;
    let bytes: Vec<u8> = (0..100_000_u32).map(|at| u8::try_from(at % 251).unwrap()).collect();
    let mxc = bridge.homeserver.keep("video/mp4", bytes.clone());
    let content = json!({ "msgtype": "m.video", "body": "w.mp4", "url": mxc, "info": { "mimetype": "video/mp4" } });
    let mut socket = chat.nova.socket().await;
    bridge
        .homeserver
        .user("@alice:example.org")
        .send(&chat.room, "m.room.message", content);
    let link = socket.next("message.new").await["media_url"]
        .as_str()
        .unwrap()
        .to_owned();
    for _ in 0..2 {
        for (range, first, last) in [
            ("bytes=0-0", 0, 0),
            ("bytes=50000-60000", 50_000, 60_000),
            ("bytes=99990-", 99_990, 99_999),
            ("bytes=-5", 99_995, 99_999),
            ("bytes=10-999999999", 10, 99_999),
        ] {
            let answer = chat.nova.open_link(&link).header("range", range).send().await.unwrap();
            assert_eq!(answer.status(), 206, "{range}");
            assert_eq!(
                answer.headers()["content-range"],
                format!("bytes {first}-{last}/100000").as_str()
            );
            assert_eq!(answer.content_length(), u64::try_from(last - first + 1).ok());
            assert_eq!(answer.bytes().await.unwrap(), bytes[first..=last], "{range}");
        }
        // The same where the homeserver, or a cache before it, does it.
        bridge.homeserver.understand_ranges();
    }
    let whole = chat
        .nova
        .open_link(&link)
        .header("range", "bytes=0-1,5-6")
        .send()
        .await
        .unwrap();
    assert_eq!(
        (
            whole.status().as_u16(),
            whole.headers()["accept-ranges"].to_str().unwrap()
        ),
        (200, "bytes")
    );
    assert_eq!(whole.bytes().await.unwrap().len(), 100_000);
    let tag = format!("\"{}\"", link.split("/v1/").nth(1).unwrap().split('?').next().unwrap());
    let known = chat
        .nova
        .open_link(&link)
        .header("if-none-match", &tag)
        .send()
        .await
        .unwrap();
    assert_eq!(known.status(), 304);
    let other = chat
        .nova
        .open_link(&link)
        .header("range", "bytes=0-0")
        .header("if-range", "\"x\"")
        .send()
        .await
        .unwrap();
    assert_eq!(other.status(), 200);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn what_a_browser_would_run_is_only_saved_and_what_is_gone_is_not_found(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let chat = chat(&bridge).await;
    let alice = bridge.homeserver.user("@alice:example.org");
    let mut socket = chat.nova.socket().await;
    let mxc = bridge.homeserver.keep("text/html", super::SVG);
    for (mime, msgtype) in [("image/svg+xml", "m.image"), ("text/html", "m.file")] {
        let content = json!({ "msgtype": msgtype, "body": "x.svg", "url": mxc, "info": { "mimetype": mime } });
        alice.send(&chat.room, "m.room.message", content);
        let link = socket.next("message.new").await["media_url"]
            .as_str()
            .unwrap()
            .to_owned();
        let answer = chat.nova.open_link(&link).send().await.unwrap();
        assert_eq!(answer.headers()["content-type"], "application/octet-stream");
        let how = answer.headers()["content-disposition"].to_str().unwrap();
        assert!(how.starts_with("attachment;"), "{how}");
    }
    alice.send(&chat.room, "m.room.message", image_content("mxc://example.org/gone"));
    let gone = socket.next("message.new").await;
    for link in ["media_url", "thumbnail_url"] {
        let answer = chat.nova.open_link(gone[link].as_str().unwrap()).send().await.unwrap();
        assert_eq!(answer.status(), 404, "{link}");
    }
    let broken = bridge.homeserver.keep("image/png", png());
    alice.send(&chat.room, "m.room.message", image_content(&broken));
    let link = socket.next("message.new").await["media_url"]
        .as_str()
        .unwrap()
        .to_owned();
    bridge
        .homeserver
        .fail_next(On::Path("/media/download"), Fault::Status(502, "M_UNKNOWN", None));
    assert_eq!(chat.nova.open_link(&link).send().await.unwrap().status(), 503);
    assert_eq!(chat.nova.open_link(&link).send().await.unwrap().status(), 200);
}
