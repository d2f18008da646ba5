//! The WebSocket: handshake, resume, acknowledgements, limits, shutdown.

use futures_util::future::join_all;
use serde_json::json;
use sqlx::PgPool;
use uuid::Uuid;

use super::{conversation_of, direct, membership};
use crate::support::bridge::TestBridge;

/// More than anybody may say in as many seconds as it takes.
const MANY: usize = 30;

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn the_handshake_refuses_as_nova_clients_know_it(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let (ana, ben) = (bridge.account("ana").await, bridge.account("ben").await);
    let (_, conversation) = direct(&bridge, &ana).await;
    let (token, other) = (&ana.token, &ben.token);
    assert_eq!(ana.refused("/ws").await, 401);
    assert_eq!(ana.refused("/ws?token=nonsense").await, 401);
    assert_eq!(ana.refused(&format!("/ws?token={token}&conversation_id=7")).await, 400);
    assert_eq!(ana.refused(&format!("/ws?token={token}&user_id={}", ben.id)).await, 403);
    assert_eq!(
        ana.refused(&format!("/ws?token={other}&conversation_id={conversation}"))
            .await,
        403
    );
    assert_eq!(
        ana.refused(&format!("/ws?token={token}&conversation_id={}", Uuid::from_u128(1)))
            .await,
        403
    );
    let upper = conversation.to_uppercase();
    let id = ana.id.to_string().to_uppercase();
    assert_eq!(
        ana.refused(&format!("/ws/chat?token={token}&conversation_id={upper}&user_id={id}"))
            .await,
        101
    );
    assert_eq!(
        ana.refused(&format!("/ws?token={token}&user_id={}", Uuid::nil())).await,
        101
    );
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_socket_resumes_where_it_was(pool: PgPool) {
    let mut bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let (room, conversation) = direct(&bridge, &ana).await;
    let alice = bridge.homeserver.user("@alice:example.org");
    let mut socket = ana.socket().await;
    alice.send_text(&room, "one");
    let cursor = socket.next("message.new").await["stream_id"]
        .as_str()
        .unwrap()
        .to_owned();
    drop(socket);
    alice.send_text(&room, "two");
    bridge.homeserver.wait_until_pushed().await;
    bridge.restart().await;
    let ana = ana.at(&bridge);
    let mut socket = ana.socket_with(&format!("&since={cursor}")).await;
    alice.send_text(&room, "three");
    assert_eq!(socket.texts(2).await, ["two", "three"]);
    // The database had those; this one is published, and all before it.
    alice.send_text(&room, "meanwhile");
    assert_eq!(socket.texts(1).await, ["meanwhile"]);
    // A fresh socket is not told what was before.
    let mut fresh = ana.socket_with(&format!("&conversation_id={conversation}")).await;
    alice.send_text(&room, "four");
    assert_eq!(fresh.texts(1).await, ["four"]);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_resuming_socket_is_shown_what_was_published_though_the_horizon_looks_lower(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let (room, _) = direct(&bridge, &ana).await;
    let alice = bridge.homeserver.user("@alice:example.org");
    let mut socket = ana.socket().await;
    alice.send_text(&room, "one");
    let cursor = socket.next("message.new").await["stream_id"]
        .as_str()
        .unwrap()
        .to_owned();
    // A transaction that is none of the feed's while the next entry is published, and looks like one afterwards.
    let mut other = bridge.pool.begin().await.unwrap();
    sqlx::query("SELECT pg_current_xact_id()")
        .execute(&mut *other)
        .await
        .unwrap();
    alice.send_text(&room, "two");
    assert_eq!(socket.texts(1).await, ["two"]);
    sqlx::query("SELECT pg_advisory_xact_lock(20261120, 7)")
        .execute(&mut *other)
        .await
        .unwrap();
    let mut resumed = ana.socket_with(&format!("&since={cursor}")).await;
    assert_eq!(resumed.texts(1).await, ["two"]);
    other.rollback().await.unwrap();
    alice.send_text(&room, "three");
    assert_eq!(resumed.texts(1).await, ["three"]);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_cursor_of_another_database_is_told_and_misses_nothing(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let (room, _) = direct(&bridge, &ana).await;
    let mut socket = ana.socket_with("&since=9000000000000000000-0").await;
    let told = socket.frame().await;
    assert_eq!((&told["type"], &told["code"]), (&json!("error"), &json!("RESUME_GAP")));
    bridge
        .homeserver
        .user("@alice:example.org")
        .send_text(&room, "still here");
    assert_eq!(socket.texts(1).await, ["still here"]);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn what_is_not_acknowledged_is_sent_again(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let (room, conversation) = direct(&bridge, &ana).await;
    let alice = bridge.homeserver.user("@alice:example.org");
    let mut socket = ana.socket_with("").await;
    for text in ["one", "two", "three"] {
        alice.send_text(&room, text);
    }
    let (mut two, mut seen) = (json!(null), Vec::new());
    let mut heard = 0;
    // Everything but the second message is seen, also what came before them.
    while heard < 3 {
        let frame = socket.frame().await;
        heard += usize::from(frame["type"] == "message.new");
        if frame["content"] == "two" {
            two = frame["stream_id"].clone();
        } else if frame.get("stream_id").is_some() {
            socket
                .send(json!({ "type": "ack", "msg_id": frame["stream_id"], "conversation_id": conversation }))
                .await;
            seen.push(frame["stream_id"].clone());
        }
    }
    socket.send(json!({ "type": "get_unacked" })).await;
    assert_eq!(socket.texts(2).await, ["two", "three"]);
    socket.send(json!({ "type": "ack", "msg_id": two })).await;
    socket.send(json!({ "type": "get_unacked" })).await;
    let again = socket.served().await;
    seen.push(two);
    assert!(
        again.iter().all(|frame| !seen.contains(&frame["stream_id"])),
        "{again:?}"
    );
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn sends_over_the_socket_keep_their_order_and_their_requests(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let (room, conversation) = direct(&bridge, &ana).await;
    let mut socket = ana.socket().await;
    for n in 0..20 {
        let frame = json!({
            "type": "message.send", "request_id": n, "conversation_id": conversation, "content": format!("m{n}"),
            "idempotency_key": format!("k{n}"),
        });
        socket.send(frame.clone()).await;
        if n == 7 {
            socket.send(frame).await;
        }
    }
    let mut acks = Vec::new();
    while acks.len() < 21 {
        let ack = socket.next("ack").await;
        acks.push((
            ack["request_id"].as_i64().unwrap(),
            ack["sequence_number"].as_i64().unwrap(),
        ));
    }
    assert!(
        acks.iter().all(|(request, sequence)| request + 1 == *sequence),
        "{acks:?}"
    );
    let wanted: Vec<String> = (0..20).map(|n| format!("m{n}")).collect();
    bridge
        .homeserver
        .wait_for("all arrive in order", |world| {
            (world.rooms.get(&room)?.texts() == wanted).then_some(())
        })
        .await;
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn what_makes_no_sense_is_answered_and_the_socket_lives(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let (ana, ben) = (bridge.account("ana").await, bridge.account("ben").await);
    let (_, conversation) = direct(&bridge, &ana).await;
    let mut socket = ben.socket().await;
    for text in [
        "",
        "7",
        "[]",
        "{",
        r#"{"type":7}"#,
        r#"{"type":"message.send","request_id":"r"}"#,
    ] {
        socket.send_text(text).await;
        let error = socket.frame().await;
        assert_eq!(
            (&error["type"], &error["code"]),
            (&json!("error"), &json!("INVALID_REQUEST")),
            "{text}"
        );
    }
    socket.send_binary(vec![1, 2, 3]).await;
    socket.send(json!({ "type": "from.the.future" })).await;
    let foreign =
        json!({ "type": "message.send", "request_id": "x", "conversation_id": conversation, "content": "hi" });
    socket.send(foreign).await;
    let error = socket.frame().await;
    assert_eq!((&error["type"], &error["request_id"]), (&json!("error"), &json!("x")));
    socket.send(json!({ "type": "ping" })).await;
    assert_eq!(socket.frame().await["type"], "pong");
    assert_eq!(ana.texts(&conversation).await, [""; 0]);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_frame_that_is_too_big_ends_the_socket(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let mut socket = ana.socket().await;
    socket.send_text(&"x".repeat(300 * 1024)).await;
    assert_eq!(socket.closed().await, Some(1009));
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_stopping_bridge_tells_its_sockets_to_come_back(pool: PgPool) {
    let mut bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let mut socket = ana.socket().await;
    let (code, ()) = tokio::join!(socket.closed(), bridge.stop());
    assert_eq!(code, Some(1012));
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn who_sends_too_fast_is_slowed_down(pool: PgPool) {
    let bridge = TestBridge::with(pool, "messages_per_second: 1\nburst: 3").await;
    let ana = bridge.account("ana").await;
    let (_, conversation) = direct(&bridge, &ana).await;
    let mut socket = ana.socket().await;
    // All at once: on a slow machine a second passes between one answer and the next.
    for n in 0..MANY {
        socket
            .send(json!({ "type": "message.send", "request_id": n, "conversation_id": conversation, "content": "x" }))
            .await;
    }
    let mut refused = 0;
    for n in 0..MANY {
        let answer = loop {
            let frame = socket.frame().await;
            if frame["request_id"] == n {
                break frame;
            }
        };
        refused += i32::from(answer["code"] == "RATE_LIMITED");
    }
    assert!(refused >= 2, "{refused}");
    let path = format!("/conversations/{conversation}/messages");
    let answers = join_all((0..MANY).map(|_| ana.post(&path, json!({ "content": "y" })))).await;
    assert!(answers.iter().any(|(status, _)| *status == 429));
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_removed_member_hears_it_and_nothing_more(pool: PgPool) {
    let bridge = TestBridge::start(pool).await;
    let ana = bridge.account("ana").await;
    let alice = bridge.homeserver.user("@alice:example.org");
    let room = alice.create_room(&json!({ "name": "Boats", "invite": [ana.mxid] }));
    membership(&bridge, &room, &ana.mxid, "join").await;
    let conversation = conversation_of(&ana, &room).await;
    let mut socket = ana.socket_with(&format!("&conversation_id={conversation}")).await;
    alice.kick(&room, &ana.mxid);
    alice.send_text(&room, "gone");
    assert_eq!(socket.next("member.left").await["user_id"], ana.id.to_string());
    assert_eq!(socket.closed().await, Some(1008));
}
