//! Typing, receipts, presence, and what encryption adds: best effort, and never in the way of messages.

use serde_json::{Value, json};

use crate::support::bridge::{Bridge, new_txn};
use crate::support::case::case;
use crate::support::settings::Need;

const ROOM: &[Need] = &[Need::Room];
const STABLE: &str = "ephemeral";
const UNSTABLE: &str = "de.sorunome.msc2409.ephemeral";

/// Somebody types, has read something, and is there.
fn edus(bridge: &Bridge) -> Value {
    let (room, sender) = (&bridge.room().id, &bridge.room().sender);
    json!([
        {"type": "m.typing", "room_id": room, "content": {"user_ids": [sender]}},
        {"type": "m.receipt", "room_id": room, "content": {"$unknown": {"m.read": {sender: {"ts": 1_767_225_600_000_u64}}}}},
        {"type": "m.presence", "sender": sender, "content": {"presence": "online", "currently_active": true}},
        {"type": "m.typing", "room_id": room, "content": {"user_ids": []}},
        {"type": "org.example.new", "content": {}},
    ])
}

/// The message beside them is delivered, and so is one that comes later.
async fn do_not_hurt(bridge: &Bridge, extras: &[Value]) {
    let mut messages = Vec::new();
    for extra in extras {
        let message = bridge.message(&format!("beside {extra}"));
        let mut body = json!({"events": [message]});
        for (key, value) in extra.as_object().expect("extras are objects") {
            body[key] = value.clone();
        }
        bridge.push_as(&new_txn(), &body).await.is_accepted();
        bridge.push_as(&new_txn(), extra).await.is_accepted();
        messages.push(message);
    }
    bridge.delivers(&messages).await;
}

#[test]
fn ephemeral_events_under_the_stable_key_are_accepted() {
    case(ROOM, async |bridge| {
        do_not_hurt(bridge, &[json!({STABLE: edus(bridge)})]).await;
    });
}

#[test]
fn ephemeral_events_under_the_unstable_key_are_accepted() {
    case(ROOM, async |bridge| {
        do_not_hurt(bridge, &[json!({UNSTABLE: edus(bridge)})]).await;
    });
}

#[test]
fn ephemeral_events_under_both_keys_are_accepted() {
    case(ROOM, async |bridge| {
        do_not_hurt(bridge, &[json!({STABLE: edus(bridge), UNSTABLE: edus(bridge)})]).await;
    });
}

#[test]
fn malformed_ephemeral_events_block_nothing() {
    case(ROOM, async |bridge| {
        let room = &bridge.room().id;
        let bad = json!([
            null,
            7,
            "m.typing",
            [],
            {},
            {"type": "m.typing"},
            {"type": 7, "content": {}},
            {"type": "m.typing", "room_id": room, "content": null},
            {"type": "m.typing", "room_id": room, "content": {"user_ids": "@a:b"}},
            {"type": "m.typing", "room_id": room, "content": {"user_ids": [null, 7, "", "no id"]}},
            {"type": "m.typing", "room_id": "!unknown:unknown.example", "content": {"user_ids": ["@a:unknown.example"]}},
            {"type": "m.receipt", "room_id": room, "content": []},
            {"type": "m.receipt", "room_id": room, "content": {"$e": null}},
            {"type": "m.receipt", "room_id": room, "content": {"$e": {"m.read": {"@a\u{0}:b": {"ts": "now"}}}}},
            {"type": "m.presence", "sender": null, "content": {"presence": 7}},
        ]);
        let each = bad.as_array().into_iter().flatten().map(|edu| json!({STABLE: [edu]}));
        do_not_hurt(
            bridge,
            &each.chain([json!({STABLE: bad, UNSTABLE: bad})]).collect::<Vec<_>>(),
        )
        .await;
    });
}

#[test]
fn ephemeral_keys_of_the_wrong_type_do_not_cost_the_messages() {
    case(ROOM, async |bridge| {
        let mut extras = Vec::new();
        for key in [STABLE, UNSTABLE] {
            extras.extend([json!(null), json!({}), json!("x"), json!(7)].map(|value| json!({key: value})));
        }
        do_not_hurt(bridge, &extras).await;
    });
}

#[test]
fn to_device_messages_and_device_lists_are_accepted() {
    case(ROOM, async |bridge| {
        let sender = &bridge.room().sender;
        let message = json!({
            "type": "m.room_key_request",
            "sender": sender,
            "to_user_id": "@a:unknown.example",
            "to_device_id": "DEVICE",
            "content": {"action": "request"},
        });
        let counts = json!({"@a:unknown.example": {"DEVICE": {"signed_curve25519": 10}}});
        let fallback = json!({"@a:unknown.example": {"DEVICE": ["signed_curve25519"]}});
        let lists = json!({"changed": [sender], "left": ["@a:unknown.example"]});
        let stable = json!({
            "to_device": [message],
            "device_lists": lists,
            "device_one_time_keys_count": counts,
            "device_unused_fallback_key_types": fallback,
        });
        let unstable = json!({
            "de.sorunome.msc2409.to_device": [message],
            "org.matrix.msc3202.device_lists": lists,
            "org.matrix.msc3202.device_one_time_key_counts": counts,
            "org.matrix.msc3202.device_one_time_keys_count": counts,
            "org.matrix.msc3202.device_unused_fallback_key_types": fallback,
        });
        let broken = json!({"to_device": [null, 7, {}], "device_lists": [], "device_one_time_keys_count": null});
        do_not_hurt(bridge, &[stable, unstable, broken]).await;
    });
}
