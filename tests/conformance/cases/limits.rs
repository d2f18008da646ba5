//! How much a transaction may hold. A homeserver packs 100 events of up to 64 KiB into one, and sends it for ever when
//! it is refused as too large.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::bridge::{Bridge, new_txn, transaction_path};
use crate::support::case::case;
use crate::support::settings::Need;

const EVENT_LIMIT: usize = 65_536;
const BODY_LIMIT: usize = 32 * 1024 * 1024;

/// A message of exactly the size that Matrix allows.
fn largest_message(bridge: &Bridge) -> Value {
    let mut message = bridge.message("");
    let rest = EVENT_LIMIT - message.to_string().len();
    message["content"]["body"] = json!("x".repeat(rest));
    message
}

#[test]
fn a_hundred_events_of_64_kib_are_delivered() {
    case(&[Need::Room], async |bridge| {
        let messages: Vec<Value> = (0..100).map(|_| largest_message(bridge)).collect();
        bridge.push_events(&messages).await.is_accepted();
        bridge.delivers(&messages).await;
    });
}

/// 100 events and 100 ephemeral events and 100 to-device messages of 64 KiB each are 19 MB.
#[test]
fn a_full_transaction_with_ephemeral_and_to_device_events_is_accepted() {
    case(&[Need::Room], async |bridge| {
        let filler = "x".repeat(EVENT_LIMIT - 200);
        let unknown = json!({"type": "org.example.filler", "sender": "@a:unknown.example", "content": {"a": filler}});
        let many = vec![unknown; 100];
        let message = bridge.message("in a full transaction");
        let mut events = many.clone();
        events.push(message.clone());
        let body = json!({"events": events, "ephemeral": many, "to_device": many});
        bridge.push_as(&new_txn(), &body).await.is_accepted();
        bridge.delivers(&[message]).await;
    });
}

#[test]
fn a_body_over_32_mib_is_refused_and_blocks_nothing() {
    case(&[Need::Room], async |bridge| {
        let txn = new_txn();
        let body = format!(r#"{{"events":[],"filler":"{}"}}"#, "x".repeat(BODY_LIMIT));
        let call = bridge.call(Method::PUT, &transaction_path(&txn)).body(body);
        // Whoever refuses early closes the connection while the rest is still being sent, and the answer may be lost.
        if let Ok(answer) = call.try_send().await {
            answer.is_error(413, "M_TOO_LARGE");
        }
        let message = bridge.message("behind the oversized one");
        bridge.push_as(&txn, &json!({"events": [message]})).await.is_accepted();
        bridge.delivers(&[message]).await;
    });
}

#[test]
fn an_oversized_body_without_the_token_is_refused() {
    case(&[], async |bridge| {
        let call = bridge
            .call(Method::PUT, &transaction_path(&new_txn()))
            .authorization(None);
        if let Ok(answer) = call.body("x".repeat(BODY_LIMIT + 1)).try_send().await {
            answer.is_refused(&[401, 403, 413]);
        }
    });
}

#[test]
fn thousands_of_tiny_events_are_delivered() {
    case(&[Need::Room], async |bridge| {
        let unknown = json!({"type": "org.example.tiny", "content": {}});
        let (first, last) = (bridge.message("before the tiny ones"), bridge.message("behind them"));
        let mut events = vec![first.clone()];
        events.extend(vec![unknown; 5_000]);
        events.push(last.clone());
        bridge.push_events(&events).await.is_accepted();
        bridge.delivers(&[first, last]).await;
    });
}
