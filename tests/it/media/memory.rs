//! A hundred megabytes each way, of which no more than a few buffers are ever in memory.

use bytes::Bytes;
use futures_util::StreamExt;
use serde_json::json;
use sqlx::PgPool;

use super::chat;
use crate::support::bridge::TestBridge;
use crate::support::homeserver::files::{pattern, pattern_stream};

const SIZE: u64 = 100_000_000;
/// What the test's own side holds is in it, too.
const ALLOWED_KB: u64 = 24 << 10;

/// A field of `/proc/self/status`, in kB.
fn memory(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    line.trim_start_matches(':')
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap()
}

/// The most memory that was in use while `work` ran, beyond what was in use before it.
async fn peak(work: impl Future<Output = ()>) -> u64 {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = memory("VmRSS");
    work.await;
    memory("VmHWM").saturating_sub(before)
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_hundred_megabytes_pass_both_ways(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let chat = chat(&bridge).await;
    let mut socket = chat.nova.socket().await;
    let content = json!({
        "msgtype": "m.video", "body": "long.mp4", "url": format!("mxc://example.org/pattern-{SIZE}"),
        "info": { "mimetype": "video/mp4", "size": SIZE },
    });
    bridge
        .homeserver
        .user("@alice:example.org")
        .send(&chat.room, "m.room.message", content);
    let link = socket.next("message.new").await["media_url"]
        .as_str()
        .unwrap()
        .to_owned();
    // Whatever is set up only once is.
    chat.nova
        .open_link(&link)
        .header("range", "bytes=0-9")
        .send()
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    let down = peak(async {
        let answer = chat.nova.open_link(&link).send().await.unwrap();
        assert_eq!(answer.content_length(), Some(SIZE));
        let mut bytes = answer.bytes_stream();
        let mut at = 0;
        while let Some(piece) = bytes.next().await {
            let piece: Bytes = piece.unwrap();
            assert_eq!(piece.first().copied(), Some(pattern(at)));
            at += u64::try_from(piece.len()).unwrap();
            assert_eq!(piece.last().copied(), Some(pattern(at - 1)));
        }
        assert_eq!(at, SIZE);
    })
    .await;
    let far = peak(async {
        let answer = chat
            .nova
            .open_link(&link)
            .header("range", "bytes=99999990-")
            .send()
            .await
            .unwrap();
        assert_eq!(answer.headers()["content-range"], "bytes 99999990-99999999/100000000");
        let wanted: Vec<u8> = (SIZE - 10..SIZE).map(pattern).collect();
        assert_eq!(answer.bytes().await.unwrap(), wanted);
    })
    .await;
    chat.nova.bring("", "text/plain", "warm").await;
    let up = peak(async {
        let body = reqwest::Body::wrap_stream(pattern_stream(SIZE));
        let (status, upload) = chat
            .nova
            .bring("file_name=large.bin", "application/octet-stream", body)
            .await;
        assert_eq!((status, &upload["file_size"]), (201, &json!(SIZE)), "{upload}");
        chat.send(json!({ "media_id": upload["media_id"] })).await;
        let content = chat.arrives(&bridge, "m.file").await;
        let came = bridge
            .homeserver
            .inspect(|world| world.large[content["url"].as_str().unwrap()]);
        assert_eq!(came, (SIZE, (0..SIZE).map(|at| u64::from(pattern(at))).sum()));
    })
    .await;
    assert!(
        down < ALLOWED_KB && far < ALLOWED_KB && up < ALLOWED_KB,
        "{down} kB, {far} kB, {up} kB"
    );
}
