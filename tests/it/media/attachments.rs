//! The attachments and audio routes of the service, with uploads to the bridge and to a bucket.

use serde_json::json;
use sqlx::PgPool;

use super::{chat, kept, ogg, png};
use crate::media::storage::Storage;
use crate::support::bridge::TestBridge;

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_voice_message_by_way_of_an_upload_to_the_bridge(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let chat = chat(&bridge).await;
    let path = format!("/conversations/{}/messages/audio", chat.conversation);
    let (status, answer) = chat
        .nova
        .post(
            &format!("{path}/presigned-url"),
            json!({ "file_name": "v 1.ogg", "content_type": "audio/ogg" }),
        )
        .await;
    assert_eq!((status, &answer["expiration"]), (200, &json!(3600)), "{answer}");
    let link = answer["presigned_url"].as_str().unwrap();
    let (status, put) = chat.nova.put_to(link, ogg()).await;
    assert_eq!(status, 200, "{put}");
    assert_eq!(put["s3_key"], answer["s3_key"]);
    // Again is the same, whatever comes; elsewhere is nothing.
    assert_eq!(chat.nova.put_to(link, png()).await.1["file_type"], "audio/ogg");
    assert_eq!(chat.nova.put_to(&link.replace("v+1", "v+2"), ogg()).await.0, 403);
    // Clients give either name of it.
    for audio_url in [&answer["s3_key"], &answer["presigned_url"]] {
        let body = json!({ "audio_url": audio_url, "duration_ms": 4200, "audio_codec": "opus" });
        let (status, sent) = chat.nova.post(&path, body).await;
        assert_eq!(status, 201, "{sent}");
        assert_eq!(
            (&sent["duration_ms"], &sent["audio_codec"]),
            (&json!(4200), &json!("opus"))
        );
        let heard = chat
            .nova
            .open_link(sent["audio_url"].as_str().unwrap())
            .send()
            .await
            .unwrap();
        assert_eq!(heard.bytes().await.unwrap(), ogg());
    }
    let content = chat.arrives(&bridge, "m.audio").await;
    assert!(content.get("org.matrix.msc3245.voice").is_some());
    assert_eq!(
        (&content["filename"], &content["info"]["duration"]),
        (&json!("v 1.ogg"), &json!(4200))
    );
    assert_eq!(kept(&bridge, &content["url"]).1, ogg());
    for (bad, reason) in [
        (
            json!({ "audio_url": answer["s3_key"], "duration_ms": 0, "audio_codec": "opus" }),
            "duration_ms",
        ),
        (
            json!({ "audio_url": answer["s3_key"], "duration_ms": 600_001, "audio_codec": "opus" }),
            "duration_ms",
        ),
        (
            json!({ "audio_url": answer["s3_key"], "duration_ms": 1, "audio_codec": "midi" }),
            "audio_codec",
        ),
        (
            json!({ "audio_url": "https://evil.example/x", "duration_ms": 1, "audio_codec": "opus" }),
            "not one of Nova's storage",
        ),
    ] {
        let (status, answer) = chat.nova.post(&path, bad).await;
        assert_eq!(status, 400, "{answer}");
        assert!(answer["message"].as_str().unwrap().contains(reason), "{answer}");
    }
    for bad in [
        json!({ "file_name": "x", "content_type": "image/png" }),
        json!({ "file_name": "a/b", "content_type": "audio/ogg" }),
    ] {
        assert_eq!(chat.nova.post(&format!("{path}/presigned-url"), bad).await.0, 400);
    }
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn attachments_are_listed_with_their_message_and_are_files_in_matrix(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let chat = chat(&bridge).await;
    let (_, upload) = chat.nova.bring("", "image/png", png()).await;
    let (_, said) = chat
        .send(json!({ "media_id": upload["media_id"], "content": "two things" }))
        .await;
    let id = said["id"].as_str().unwrap();
    let (_, upload) = chat.nova.bring("", "application/pdf", "%PDF-1.7 …").await;
    let path = format!("/conversations/{}/messages/{id}/attachments", chat.conversation);
    let body =
        json!({ "file_name": "plan.pdf", "file_type": "application/pdf", "file_size": 12, "s3_key": upload["s3_key"] });
    let (status, added) = chat.nova.post(&path, body.clone()).await;
    assert_eq!(status, 200, "{added}");
    assert_eq!(
        (&added["message_id"], &added["file_name"]),
        (&said["id"], &json!("plan.pdf"))
    );
    assert_eq!(
        chat.nova.post(&path, body.clone()).await.1["id"],
        added["id"],
        "once is enough"
    );
    let content = chat.arrives(&bridge, "m.file").await;
    assert_eq!(
        (&content["body"], &content["info"]["mimetype"]),
        (&json!("plan.pdf"), &json!("application/pdf"))
    );
    let (_, list) = chat.nova.get(&format!("/messages/{id}/attachments")).await;
    assert_eq!((&list["count"], &list["message_id"]), (&json!(2), &said["id"]));
    assert_eq!(list["attachments"][1], added);
    let shown = chat.shown().await;
    assert_eq!(shown[0]["attachments"], list["attachments"]);
    assert_eq!((&shown[1]["id"], &shown[1]["attached_to"]), (&added["id"], &said["id"]));
    // Only to what is one's own.
    let alice = bridge.homeserver.user("@alice:example.org");
    let mut socket = chat.nova.socket().await;
    alice.send_text(&chat.room, "mine");
    let theirs = socket.next("message.new").await["id"].as_str().unwrap().to_owned();
    let path = format!("/conversations/{}/messages/{theirs}/attachments", chat.conversation);
    assert_eq!(chat.nova.post(&path, body).await.0, 403);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn with_a_bucket_files_go_there_and_are_fetched_from_there(pool: PgPool) {
    let storage = Storage::start().await;
    let section = format!(
        "media: {{ s3_endpoint: 'http://{}', s3_bucket: bucket, s3_access_key: AK, s3_secret_key: hunter2 }}\n",
        storage.host
    );
    let bridge = TestBridge::with_sections(pool, "", &section).await;
    let chat = chat(&bridge).await;
    let path = format!("/conversations/{}/attachments/presigned-url", chat.conversation);
    let (status, answer) = chat
        .nova
        .post(&path, json!({ "file_name": "a b.png", "content_type": "image/png" }))
        .await;
    assert_eq!(status, 200, "{answer}");
    let key = answer["s3_key"].as_str().unwrap();
    assert!(
        key.starts_with(&format!("media/{}/", chat.nova.id)) && key.ends_with("/a b.png"),
        "{key}"
    );
    let link = answer["presigned_url"].as_str().unwrap();
    assert!(link.contains("X-Amz-Signature="), "{link}");
    assert_eq!(chat.nova.put_to(link, png()).await.0, 200);
    let (status, sent) = chat.send(json!({ "s3_key": key, "content": "" })).await;
    assert_eq!((status, &sent["message_type"]), (200, &json!("image")), "{sent}");
    let content = chat.arrives(&bridge, "m.image").await;
    assert_eq!(
        (&content["body"], &content["info"]["w"]),
        (&json!("a b.png"), &json!(4))
    );
    assert_eq!(kept(&bridge, &content["url"]), ("image/png".to_owned(), png()));
    // From then on Nova sees what Matrix has.
    let shown = chat.shown().await;
    assert_eq!(shown[0]["attachments"][0]["width"], 4);
    let seen = chat
        .nova
        .open_link(shown[0]["media_url"].as_str().unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(
        (seen.status().as_u16(), seen.bytes().await.unwrap().to_vec()),
        (200, png())
    );
    // Other people's objects are not fetched.
    let ben = bridge.account("ben").await;
    let conversation = ben.open("@alice:example.org").await;
    let (status, answer) = ben
        .post(
            &format!("/conversations/{conversation}/messages"),
            json!({ "s3_key": key }),
        )
        .await;
    assert_eq!(status, 400, "{answer}");
}
