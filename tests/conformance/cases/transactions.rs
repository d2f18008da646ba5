//! What a transaction may look like, and that all of it arrives.

use serde_json::json;

use crate::support::bridge::new_txn;
use crate::support::case::case;
use crate::support::settings::Need;

#[test]
fn an_empty_transaction_is_accepted() {
    case(&[], async |bridge| bridge.push_events(&[]).await.is_accepted());
}

#[test]
fn a_transaction_without_events_is_accepted() {
    case(&[], async |bridge| {
        bridge.push_as(&new_txn(), &json!({})).await.is_accepted();
        bridge
            .push_as(&new_txn(), &json!({"ephemeral": []}))
            .await
            .is_accepted();
    });
}

#[test]
fn a_message_is_delivered() {
    case(&[Need::Room], async |bridge| {
        let message = bridge.message("hello");
        bridge.push_events(std::slice::from_ref(&message)).await.is_accepted();
        bridge.delivers(&[message]).await;
    });
}

#[test]
fn unknown_keys_beside_the_events_are_ignored() {
    case(&[Need::Room], async |bridge| {
        let message = bridge.message("beside unknown keys");
        let body = json!({
            "org.example.new": {"deep": [1, 2, {"er": null}]},
            "events": [message],
            "txn_id": 7,
            "zzz": null,
        });
        bridge.push_as(&new_txn(), &body).await.is_accepted();
        bridge.delivers(&[message]).await;
    });
}

#[test]
fn unknown_keys_in_an_event_are_ignored() {
    case(&[Need::Room], async |bridge| {
        let mut message = bridge.message("with unknown keys");
        message["org.example.new"] = json!([{"a": null}]);
        message["age"] = json!(12);
        message["user_id"] = message["sender"].clone();
        bridge.push_events(std::slice::from_ref(&message)).await.is_accepted();
        bridge.delivers(&[message]).await;
    });
}

#[test]
fn events_for_an_unknown_room_are_accepted_and_block_nothing() {
    case(&[Need::Room], async |bridge| {
        let mut stray = bridge.unwatched_event(&json!({"msgtype": "m.text", "body": "nobody bridges this room"}));
        stray["room_id"] = json!("!conformanceUnknownRoom:unknown.example");
        bridge.push_events(std::slice::from_ref(&stray)).await.is_accepted();
        let (before, after) = (bridge.message("before the stray event"), bridge.message("behind it"));
        let mut second = stray.clone();
        second["event_id"] = bridge.unwatched_event(&json!({}))["event_id"].clone();
        bridge
            .push_events(&[before.clone(), second, after.clone()])
            .await
            .is_accepted();
        bridge.delivers(&[before, after]).await;
    });
}

#[test]
fn events_of_an_unknown_type_are_accepted_and_block_nothing() {
    case(&[Need::Room], async |bridge| {
        let mut events = Vec::new();
        let mut messages = Vec::new();
        for kind in [
            "org.example.poll",
            "m.room.encryption.unknown",
            "m.reaction",
            "m.space.child",
            "",
        ] {
            let mut unknown = bridge.unwatched_event(&json!({"body": "unknown"}));
            unknown["type"] = json!(kind);
            let message = bridge.message(&format!("behind {kind:?}"));
            events.extend([unknown, message.clone()]);
            messages.push(message);
        }
        bridge.push_events(&events).await.is_accepted();
        bridge.delivers(&messages).await;
    });
}

#[test]
fn three_hundred_messages_over_three_transactions_keep_their_order() {
    case(&[Need::Room], async |bridge| {
        let messages = bridge.messages(300);
        for chunk in messages.chunks(100) {
            bridge.push_events(chunk).await.is_accepted();
        }
        bridge.delivers(&messages).await;
    });
}

#[test]
fn many_small_transactions_keep_their_order() {
    case(&[Need::Room], async |bridge| {
        let messages = bridge.messages(60);
        for message in &messages {
            bridge.push_events(std::slice::from_ref(message)).await.is_accepted();
        }
        bridge.delivers(&messages).await;
    });
}

/// The order of a transaction is the order of the room; the clocks of the senders' servers are not.
#[test]
fn the_order_is_that_of_the_transaction_and_not_of_the_timestamps() {
    case(&[Need::Room], async |bridge| {
        let mut messages = bridge.messages(5);
        for (message, at) in messages
            .iter_mut()
            .zip([5_000_000_u64, 1, 4_000_000, 0, 253_402_300_799_000])
        {
            message["origin_server_ts"] = json!(at);
        }
        bridge.push_events(&messages).await.is_accepted();
        bridge.delivers(&messages).await;
    });
}
