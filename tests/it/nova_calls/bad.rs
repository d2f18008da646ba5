//! Frames that make no sense, calls that there are not, and calls of others: a clear answer, and nothing changes.

use serde_json::{Value, json};
use sqlx::PgPool;

use super::{CANDIDATE, Device, Two, answer, call_id, offer};

/// Every frame, as it should be.
fn frames() -> Vec<Value> {
    vec![
        json!({ "type": "call.answer", "answer": answer("x") }),
        json!({ "type": "call.reject", "reason": "declined" }),
        json!({ "type": "call.hangup", "reason": "user_hangup" }),
        json!({ "type": "call.ice", "candidate": CANDIDATE }),
        json!({ "type": "call.negotiate", "description": offer("x") }),
        json!({ "type": "call.media", "audio_enabled": true, "video_enabled": true }),
        json!({ "type": "call.join" }),
        json!({ "type": "call.leave" }),
    ]
}

/// Fields that are wrong in a frame; the rest of what is wrong with a body is tried over REST, which reads it alike.
fn wrong() -> Vec<Value> {
    let long = "x".repeat(65 * 1024);
    vec![
        json!({ "type": "call.initiate" }),
        json!({ "type": "call.initiate", "conversation_id": 5 }),
        json!({ "type": "call.initiate", "conversation_id": "x" }),
        json!({ "type": "call.initiate", "conversation_id": "(c)", "offer": 5 }),
        json!({ "type": "call.initiate", "conversation_id": "(c)", "offer": format!("v=0{long}") }),
        json!({ "type": "call.initiate", "conversation_id": "(c)", "idempotency_key": long }),
        json!({ "type": "call.answer", "call_id": "(id)" }),
        json!({ "type": "call.answer", "call_id": "(id)", "answer": { "sdp": 5 } }),
        json!({ "type": "call.answer", "call_id": 5, "answer": answer("x") }),
        json!({ "type": "call.answer", "call_id": long, "answer": answer("x") }),
        json!({ "type": "call.reject", "call_id": "(id)", "reason": "tired" }),
        json!({ "type": "call.hangup", "call_id": "(id)", "reason": ["user_hangup"] }),
        json!({ "type": "call.ice", "call_id": "(id)" }),
        json!({ "type": "call.ice", "call_id": "(id)", "candidate": "x".repeat(4097) }),
        json!({ "type": "call.ice", "call_id": "(id)", "candidate": "", "sdp_mline_index": "0" }),
        json!({ "type": "call.ice", "call_id": "(id)", "candidate": "", "to": "x" }),
        json!({ "type": "call.negotiate", "call_id": "(id)" }),
        json!({ "type": "call.negotiate", "call_id": "(id)", "description": { "sdp": "v=0" } }),
        json!({ "type": "call.media", "call_id": "(id)" }),
        json!({ "type": "call.media", "call_id": "(id)", "audio_enabled": "no" }),
        json!({ "type": "call.media", "call_id": "(id)", "video_enabled": 1 }),
        json!({ "type": "call.join", "call_id": "(id)", "sdp": 5 }),
        json!({ "type": "call.leave", "call_id": [] }),
    ]
}

async fn state(two: &Two) -> String {
    sqlx::query_scalar("SELECT string_agg(machine::text, '|' ORDER BY id) FROM call_sessions")
        .fetch_one(&two.bridge.pool)
        .await
        .unwrap()
}

fn about(mut frame: Value, key: &str, id: &str) -> Value {
    frame[key] = json!(id);
    frame
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn whatever_is_wrong_is_named_and_the_socket_lives(pool: PgPool) {
    let two = Two::new(pool).await;
    let (mut at_ana, mut at_ben, call) = two.up().await;
    let before = state(&two).await;
    for frame in wrong() {
        let text = frame
            .to_string()
            .replace("(id)", &call)
            .replace("(c)", &two.conversation);
        let reply = at_ana.ask(serde_json::from_str(&text).unwrap()).await;
        let shown: String = text.chars().take(150).collect();
        assert_eq!(
            (&reply["type"], &reply["code"]),
            (&json!("error"), &json!("INVALID_REQUEST")),
            "{shown}: {reply}"
        );
        assert!(
            reply["detail"].as_str().is_some_and(|detail| detail.len() < 200),
            "{reply}"
        );
    }
    for frame in frames() {
        assert_eq!(at_ana.may_not(frame.clone()).await, "INVALID_REQUEST", "no id: {frame}");
        let unknown = "00000000-0000-4000-8000-00000000ca11";
        let known = frame["type"].clone();
        for (key, id) in [("call_id", unknown), ("conversation_id", unknown)] {
            assert_eq!(
                at_ana.may_not(about(frame.clone(), key, id)).await,
                "CALL_NOT_FOUND",
                "{known}"
            );
        }
    }
    assert_eq!(state(&two).await, before);
    let end = json!({ "type": "call.hangup", "call_id": call });
    at_ana.does(end).await;
    at_ben.sees("call.ended").await;
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn the_calls_of_others_are_theirs(pool: PgPool) {
    let two = Two::new(pool).await;
    let (_at_ana, _at_ben, call) = two.up().await;
    let mut stranger = Device::of(&two.bridge.account("cleo").await).await;
    let before = state(&two).await;
    for frame in frames() {
        let named = about(frame.clone(), "call_id", &call);
        assert_eq!(stranger.may_not(named).await, "AUTHORIZATION_ERROR", "{frame}");
        let there = about(frame.clone(), "conversation_id", &two.conversation);
        assert_eq!(stranger.may_not(there).await, "CALL_NOT_FOUND", "{frame}");
    }
    assert_eq!(stranger.may_not(two.initiate()).await, "AUTHORIZATION_ERROR");
    assert_eq!(state(&two).await, before);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_call_that_is_over_stays_over(pool: PgPool) {
    let two = Two::new(pool).await;
    let (mut at_ana, mut at_ben, call) = two.up().await;
    let (_, second) = two
        .ana
        .post(
            &format!("/conversations/{}/calls", two.conversation),
            json!({ "offer": offer("x") }),
        )
        .await;
    assert_eq!(second["code"], "CALL_CONFLICT", "one call at a time");
    at_ana.does(json!({ "type": "call.hangup", "call_id": call })).await;
    let before = state(&two).await;
    for frame in frames() {
        let expected = match frame["type"].as_str().unwrap() {
            "call.hangup" => None,
            "call.join" | "call.leave" => Some("INVALID_REQUEST"),
            _ => Some("CALL_CONFLICT"),
        };
        for device in [&mut at_ana, &mut at_ben] {
            let reply = device.ask(about(frame.clone(), "call_id", &call)).await;
            assert_eq!(reply["code"].as_str(), expected, "{frame}: {reply}");
        }
    }
    assert_eq!(state(&two).await, before);
    let next = at_ana.does(two.initiate()).await;
    assert_ne!(call_id(&next), call);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn who_floods_with_candidates_is_put_out_and_may_still_hang_up_elsewhere(pool: PgPool) {
    let two = Two::new(pool).await;
    let (mut at_ana, _at_ben, call) = two.up().await;
    let flood = json!({ "type": "call.ice", "call_id": call, "candidate": 5 });
    assert_eq!(at_ana.socket.flood(&flood).await, Some(1008));
    let (status, _) = two.ana.post(&format!("/calls/{call}/end"), json!({})).await;
    assert_eq!(status, 200);
}
