//! Killed without warning. What was acknowledged is the bridge's alone now: the homeserver has forgotten it.

use serde_json::json;

use crate::support::bridge::new_txn;
use crate::support::case::case;
use crate::support::settings::Need;

const RESTART: &[Need] = &[Need::Room, Need::Restart];

#[test]
fn what_was_acknowledged_survives_a_sigkill() {
    case(RESTART, async |bridge| {
        let messages = bridge.messages(200);
        for chunk in messages.chunks(20) {
            bridge.push_events(chunk).await.is_accepted();
        }
        bridge.restart().await;
        bridge.delivers(&messages).await;
    });
}

#[test]
fn a_transaction_repeated_after_a_sigkill_is_delivered_once() {
    case(RESTART, async |bridge| {
        let messages = bridge.messages(10);
        let (txn, body) = (new_txn(), json!({"events": messages}));
        bridge.push_as(&txn, &body).await.is_accepted();
        bridge.restart().await;
        bridge.push_as(&txn, &body).await.is_accepted();
        bridge.push_events(&messages).await.is_accepted();
        bridge.delivers(&messages).await;
    });
}

#[test]
fn transactions_go_on_after_a_sigkill_in_order() {
    case(RESTART, async |bridge| {
        let messages = bridge.messages(20);
        bridge.push_events(&messages[..10]).await.is_accepted();
        bridge.restart().await;
        bridge.push_events(&messages[10..]).await.is_accepted();
        bridge.delivers(&messages).await;
    });
}
