//! Files through a real Synapse, both ways.

use serde_json::{Value, json};

use crate::support::matrix::MatrixUser;
use crate::support::wait::until;
use crate::support::world::World;
use crate::{Chat, direct_chat};

/// A picture that Synapse can make smaller.
pub(crate) fn picture(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let picture = image::RgbImage::from_fn(width, height, |x, y| {
        let part = |at: u32, of: u32| u8::try_from(at * 255 / of).unwrap();
        image::Rgb([part(x, width), part(y, height), 80])
    });
    picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// How Opus in Ogg begins.
fn voice() -> Vec<u8> {
    let mut bytes =
        b"OggS\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x13OpusHead\x01\x01\0\0\x80\xbb\0\0\0\0\0".to_vec();
    bytes.resize(3000, 1);
    bytes
}

pub(crate) async fn upload(matrix: &MatrixUser, mime: &str, bytes: Vec<u8>) -> String {
    let answer = matrix.api.upload("/_matrix/media/v3/upload", mime, bytes).await;
    answer["content_uri"].as_str().unwrap().to_owned()
}

/// What Element would download for an event.
pub(crate) async fn download(matrix: &MatrixUser, content: &Value) -> (u16, String, Vec<u8>) {
    let mxc = content["url"].as_str().unwrap().strip_prefix("mxc://").unwrap();
    let url = format!("{}/_matrix/client/v1/media/download/{mxc}", matrix.api.base());
    matrix.api.fetch(&url).await
}

/// The message of that type, once Nova has it.
async fn shown(chat: &Chat, message_type: &str) -> Value {
    until(&format!("Nova shows {message_type}"), async || {
        let history = chat.nova.history(&chat.conversation).await;
        history
            .into_iter()
            .find(|message| message["message_type"] == message_type)
    })
    .await
}

#[tokio::test]
async fn an_image_goes_both_ways() {
    let Some(world) = World::open().await else { return };
    let chat = direct_chat(&world).await;
    let bytes = picture(1200, 900);
    let mxc = upload(&chat.matrix, "image/png", bytes.clone()).await;
    let content = json!({
        "msgtype": "m.image", "body": "hill.png", "url": mxc,
        "info": { "mimetype": "image/png", "w": 1200, "h": 900, "size": bytes.len() },
    });
    chat.matrix.send(&chat.room, &content).await;
    let message = shown(&chat, "image").await;
    let anyone = chat.nova.api.with_token("");
    let (status, kind, came) = anyone.fetch(message["media_url"].as_str().unwrap()).await;
    assert_eq!((status, kind.as_str(), came == bytes), (200, "image/png", true));
    let (status, kind, small) = anyone.fetch(message["thumbnail_url"].as_str().unwrap()).await;
    assert_eq!((status, kind.as_str()), (200, "image/png"));
    let small = image::load_from_memory(&small).unwrap();
    assert!(
        (small.width(), small.height()) <= (800, 600) && small.width() > 100,
        "{small:?}"
    );

    let bytes = picture(1000, 700);
    let upload = chat
        .nova
        .api
        .upload("/media?file_name=lake.png", "image/png", bytes.clone())
        .await;
    assert_eq!((&upload["kind"], &upload["width"]), (&json!("image"), &json!(1000)));
    chat.nova
        .send(
            &chat.conversation,
            &json!({ "media_id": upload["media_id"], "content": "the lake" }),
        )
        .await;
    let event = chat.matrix.hears(&chat.room, "the lake").await;
    let content = &event["content"];
    assert_eq!(
        (&content["msgtype"], &content["filename"]),
        (&json!("m.image"), &json!("lake.png"))
    );
    assert!(content["info"]["xyz.amorgan.blurhash"].is_string(), "{content}");
    let small = &content["info"]["thumbnail_info"];
    assert!(small["w"].as_u64().unwrap() <= 800, "{content}");
    let (status, kind, came) = download(&chat.matrix, content).await;
    assert_eq!((status, kind.as_str(), came == bytes), (200, "image/png", true));
    let (status, ..) = download(&chat.matrix, &json!({ "url": content["info"]["thumbnail_url"] })).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn a_voice_message_goes_both_ways() {
    let Some(world) = World::open().await else { return };
    let chat = direct_chat(&world).await;
    let mxc = upload(&chat.matrix, "audio/ogg", voice()).await;
    let content = json!({
        "msgtype": "m.audio", "body": "Voice message.ogg", "url": mxc, "info": { "mimetype": "audio/ogg", "duration": 4200 },
        "org.matrix.msc1767.audio": { "duration": 4200, "waveform": [1, 500, 1024] }, "org.matrix.msc3245.voice": {},
    });
    chat.matrix.send(&chat.room, &content).await;
    let message = shown(&chat, "audio").await;
    assert_eq!(
        (&message["duration_ms"], &message["audio_codec"]),
        (&json!(4200), &json!("opus"))
    );
    assert_eq!(message["attachments"][0]["waveform"], json!([1, 500, 1024]));
    let (status, kind, came) = chat
        .nova
        .api
        .with_token("")
        .fetch(message["audio_url"].as_str().unwrap())
        .await;
    assert_eq!((status, kind.as_str(), came), (200, "audio/ogg", voice()));

    let path = format!("/conversations/{}/messages/audio", chat.conversation);
    let upload = chat
        .nova
        .api
        .upload("/media?file_name=answer.ogg&kind=voice", "audio/ogg", voice())
        .await;
    let body = json!({ "audio_url": upload["s3_key"], "duration_ms": 2100, "audio_codec": "opus", "waveform": [7] });
    chat.nova.api.post(&path, &body).await;
    let event = chat.matrix.hears(&chat.room, "answer.ogg").await;
    let content = &event["content"];
    assert_eq!(
        content["org.matrix.msc1767.audio"],
        json!({ "duration": 2100, "waveform": [7] })
    );
    assert!(content["org.matrix.msc3245.voice"].is_object());
    assert_eq!(download(&chat.matrix, content).await.2, voice());
}

#[tokio::test]
async fn twenty_megabytes_go_both_ways() {
    let Some(world) = World::open().await else { return };
    let chat = direct_chat(&world).await;
    let bytes: Vec<u8> = (0..20_000_000_u32).map(|at| u8::try_from(at % 251).unwrap()).collect();
    let upload = chat
        .nova
        .api
        .upload("/media?file_name=large.bin", "application/octet-stream", bytes.clone())
        .await;
    chat.nova
        .send(&chat.conversation, &json!({ "media_id": upload["media_id"] }))
        .await;
    let content = chat.matrix.hears(&chat.room, "large.bin").await["content"].clone();
    assert!(download(&chat.matrix, &content).await.2 == bytes, "all of it arrived");
    let mxc = self::upload(&chat.matrix, "application/octet-stream", bytes.clone()).await;
    let back = json!({ "msgtype": "m.file", "body": "back.bin", "url": mxc, "info": { "size": bytes.len() } });
    chat.matrix.send(&chat.room, &back).await;
    let link = until("Nova shows it", async || {
        let history = chat.nova.history(&chat.conversation).await;
        let message = history.into_iter().find(|message| message["content"] == "back.bin")?;
        message["media_url"].as_str().map(str::to_owned)
    })
    .await;
    let anyone = chat.nova.api.with_token("");
    assert!(anyone.fetch(&link).await.2 == bytes, "all of it came back");
    // Synapse sends the whole, and a part of it arrives.
    let part = reqwest::Client::builder().no_proxy().build().unwrap();
    let part = part
        .get(&link)
        .header("range", "bytes=19000000-19000004")
        .send()
        .await
        .unwrap();
    assert_eq!(part.status(), 206);
    assert_eq!(part.headers()["content-range"], "bytes 19000000-19000004/20000000");
    assert_eq!(part.bytes().await.unwrap(), bytes[19_000_000..=19_000_004]);
}

#[tokio::test]
async fn a_sticker_is_an_image_in_nova() {
    let Some(world) = World::open().await else { return };
    let chat = direct_chat(&world).await;
    let bytes = picture(64, 64);
    let mxc = upload(&chat.matrix, "image/png", bytes.clone()).await;
    let sticker = json!({ "body": "waves", "url": mxc, "info": { "mimetype": "image/png", "w": 64, "h": 64 } });
    let event = chat.matrix.send_event(&chat.room, "m.sticker", &sticker).await;
    let message = shown(&chat, "image").await;
    assert_eq!(message["attachments"][0]["kind"], "sticker");
    assert_eq!(message["matrix_event_id"], event.as_str());
    let anyone = chat.nova.api.with_token("");
    let (status, kind, came) = anyone.fetch(message["media_url"].as_str().unwrap()).await;
    assert_eq!((status, kind.as_str(), came == bytes), (200, "image/png", true));
    // It can be answered and deleted as any message.
    let answer = json!({ "content": "hi!", "reply_to_message_id": message["id"] });
    chat.nova.send(&chat.conversation, &answer).await;
    let answer = chat.matrix.hears(&chat.room, "hi!").await;
    assert_eq!(
        answer["content"]["m.relates_to"]["m.in_reply_to"]["event_id"],
        event.as_str()
    );
    chat.matrix.redact(&chat.room, &event).await;
    until("it is gone", async || {
        (chat.nova.history(&chat.conversation).await.len() == 1).then_some(())
    })
    .await;
}
