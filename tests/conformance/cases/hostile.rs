//! Anything may come. A transaction that is refused comes again and again and blocks every room, so one bad event must
//! not fail the others, and a body that is no transaction at all must not leave anything behind.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::bridge::{Bridge, new_txn};
use crate::support::case::case;
use crate::support::settings::Need;

const ROOM: &[Need] = &[Need::Room];

/// The refused body is followed by a good one under the same transaction id.
async fn is_refused_and_blocks_nothing(bridge: &Bridge, bodies: &[Vec<u8>], errcode: &str) {
    let mut delivered = Vec::new();
    for body in bodies {
        let txn = new_txn();
        bridge.push_bytes(&txn, body.clone()).await.is_error(400, errcode);
        let message = bridge.message(&format!("behind {}", String::from_utf8_lossy(body)));
        bridge.push_as(&txn, &json!({"events": [message]})).await.is_accepted();
        delivered.push(message);
    }
    bridge.delivers(&delivered).await;
}

#[test]
fn a_body_that_is_not_json_is_refused_and_blocks_nothing() {
    case(ROOM, async |bridge| {
        let bodies: [&[u8]; 7] = [
            b"",
            b"{",
            b"{\"events\": [",
            b"events",
            b"{\"events\": []} x",
            b"{'events': []}",
            b"{\"events\": [\"\xff\"]}",
        ];
        is_refused_and_blocks_nothing(bridge, &bodies.map(<[u8]>::to_vec), "M_NOT_JSON").await;
    });
}

#[test]
fn a_body_that_is_no_transaction_is_refused_and_blocks_nothing() {
    case(ROOM, async |bridge| {
        let bodies = [
            json!({"events": {}}),
            json!({"events": "none"}),
            json!({"events": 7}),
            json!({"events": true}),
            json!([]),
            json!("x"),
            json!(null),
        ];
        is_refused_and_blocks_nothing(bridge, &bodies.map(|body| body.to_string().into_bytes()), "M_BAD_JSON").await;
    });
}

/// Each bad event goes between two good ones, in a transaction of its own and then all in one.
async fn block_nothing(bridge: &Bridge, bad: &[(&str, String)]) {
    let mut delivered = Vec::new();
    let mut together = Vec::new();
    for (name, event) in bad {
        let around = [
            bridge.message(&format!("before: {name}")),
            bridge.message(&format!("behind: {name}")),
        ];
        let body = format!(r#"{{"events":[{},{event},{}]}}"#, around[0], around[1]);
        let answer = bridge.push_bytes(&new_txn(), body).await;
        assert_eq!(answer.status, 200, "with {name}: {answer:?}");
        answer.is_accepted();
        delivered.extend(around);
    }
    for (name, event) in bad {
        let message = bridge.message(&format!("all at once, behind: {name}"));
        together.extend([event.clone(), message.to_string()]);
        delivered.push(message);
    }
    bridge
        .push_bytes(&new_txn(), format!(r#"{{"events":[{}]}}"#, together.join(",")))
        .await
        .is_accepted();
    bridge.delivers(&delivered).await;
}

#[test]
fn things_that_are_no_events_block_nothing() {
    case(ROOM, async |bridge| {
        let no_events = [
            "null",
            "7",
            "-1.5e300",
            "true",
            "\"text\"",
            "[]",
            "[[[{}]]]",
            "{}",
            "{\"type\":{}}",
        ];
        block_nothing(bridge, &no_events.map(|text| (text, text.to_owned()))).await;
    });
}

#[test]
fn events_with_missing_fields_block_nothing() {
    case(ROOM, async |bridge| {
        let keys = ["type", "event_id", "room_id", "sender", "origin_server_ts", "content"];
        let without = keys.map(|key| {
            let mut event = template(bridge);
            event.as_object_mut().expect("an event is an object").remove(key);
            (key, event.to_string())
        });
        block_nothing(bridge, &without).await;
    });
}

#[test]
fn events_with_fields_of_the_wrong_type_block_nothing() {
    case(ROOM, async |bridge| {
        let wrong = [
            json!(null),
            json!(7),
            json!([]),
            json!({}),
            json!("no such thing"),
            json!(""),
        ];
        let mut events = Vec::new();
        for key in [
            "type",
            "event_id",
            "room_id",
            "sender",
            "origin_server_ts",
            "content",
            "unsigned",
            "state_key",
        ] {
            for value in &wrong {
                let mut event = template(bridge);
                event[key] = value.clone();
                events.push((key, event.to_string()));
            }
        }
        block_nothing(bridge, &events).await;
    });
}

#[test]
fn messages_with_content_of_the_wrong_type_block_nothing() {
    case(ROOM, async |bridge| {
        let contents = [
            json!({"msgtype": null, "body": null}),
            json!({"msgtype": "m.text"}),
            json!({"msgtype": "m.text", "body": 7}),
            json!({"msgtype": "m.text", "body": ["a"]}),
            json!({"msgtype": ["m.text"], "body": "a"}),
            json!({"msgtype": "m.image", "body": "a", "url": {}, "info": 7}),
            json!({"msgtype": "m.text", "body": "a", "format": 7, "formatted_body": null}),
            json!({"msgtype": "m.text", "body": "a", "m.relates_to": 7}),
            json!({"msgtype": "m.text", "body": "a", "m.relates_to": {"rel_type": "m.replace", "event_id": []}}),
            json!({"msgtype": "m.text", "body": "a", "m.mentions": [null]}),
        ];
        block_nothing(
            bridge,
            &contents.map(|content| ("content", bridge.unwatched_event(&content).to_string())),
        )
        .await;
    });
}

#[test]
fn state_events_with_broken_content_block_nothing() {
    case(ROOM, async |bridge| {
        let mut events = Vec::new();
        for kind in [
            "m.room.member",
            "m.room.power_levels",
            "m.room.name",
            "m.room.tombstone",
            "m.room.create",
        ] {
            for content in [
                json!(null),
                json!([]),
                json!({"membership": 7, "users": [], "name": {}, "replacement_room": 1}),
            ] {
                let mut event = template(bridge);
                event["type"] = json!(kind);
                // Nobody's state, so that not even a bridge that believes it does anything to the room.
                event["state_key"] = json!(format!("@{}:unknown.example", Uuid::new_v4()));
                event["content"] = content;
                events.push((kind, event.to_string()));
            }
        }
        block_nothing(bridge, &events).await;
    });
}

#[test]
fn texts_that_no_database_and_no_decoder_likes_block_nothing() {
    case(ROOM, async |bridge| {
        // A placeholder, because serde_json cannot even write some of these.
        let raw = |text: &str| {
            let event = bridge.unwatched_event(&json!({"msgtype": "m.text", "body": "HERE", "HERE": 1}));
            event.to_string().replace("HERE", text)
        };
        let mut nul_in_id = template(bridge);
        nul_in_id["event_id"] = json!(format!("${}\0", Uuid::new_v4()));
        let mut long_id = template(bridge);
        long_id["event_id"] = json!(format!("${}", "x".repeat(10_000)));
        let mut nul_in_sender = template(bridge);
        nul_in_sender["sender"] = json!("@nul\0:unknown.example");
        let mut nul_in_type = template(bridge);
        nul_in_type["type"] = json!("m.room.message\0");
        block_nothing(
            bridge,
            &[
                ("a lone high surrogate", raw(r"\ud83d")),
                ("a lone low surrogate", raw(r"a\udc00b")),
                ("surrogates in the wrong order", raw(r"\udc00\ud83d")),
                ("an integer of four hundred digits", raw(&"9".repeat(400))),
                ("NUL in an event id", nul_in_id.to_string()),
                ("NUL in a sender", nul_in_sender.to_string()),
                ("NUL in a type", nul_in_type.to_string()),
                ("an event id of ten thousand letters", long_id.to_string()),
                (
                    "a number without end",
                    template(bridge).to_string().replace("1767225600000", &"9".repeat(400)),
                ),
                (
                    "a huge timestamp",
                    template(bridge)
                        .to_string()
                        .replace("1767225600000", "18446744073709551615"),
                ),
                (
                    "a negative timestamp",
                    template(bridge)
                        .to_string()
                        .replace("1767225600000", "-9223372036854775808"),
                ),
                (
                    "a broken timestamp",
                    template(bridge).to_string().replace("1767225600000", "1e308"),
                ),
            ],
        )
        .await;
    });
}

#[test]
fn messages_with_unusual_but_legal_content_are_delivered() {
    case(ROOM, async |bridge| {
        let deep = (0..100).fold(json!("bottom"), |inner, level| {
            if level % 2 == 0 {
                json!([inner])
            } else {
                json!({"a": inner})
            }
        });
        let text = |body: &str| bridge.message(body);
        let with = |key: &str, value: Value| bridge.event(&json!({"msgtype": "m.text", "body": key, key: value}));
        let messages = [
            text("NUL \u{0} in the middle"),
            text("\u{0}"),
            text("four bytes: 😀𝄞🏴󠁧󠁢󠁥󠁮󠁧󠁿 and a family 👩‍👩‍👧‍👦"),
            text("right to left \u{202e}abc\u{202c}, zero width \u{200b}\u{feff}, \u{fffd}, \u{ffff}, \u{10ffff}"),
            text("controls \u{1}\u{7}\u{8}\u{1b}[31m\u{7f}\u{85}"),
            text("lines\r\nand\nmore\r\u{2028}\u{2029}"),
            text("quotes ' \" \\ ; -- $1 %s {} <b>&amp;</b>"),
            text(&"combining e\u{301}".repeat(200)),
            with("org.example.deep", deep),
            with("org.example.huge", json!(9_007_199_254_740_991_i64)),
            with("org.example.null", Value::Null),
        ];
        bridge.push_events(&messages).await.is_accepted();
        bridge.delivers(&messages).await;
    });
}

/// A message that is complete, and of which something will be broken.
fn template(bridge: &Bridge) -> Value {
    bridge.unwatched_event(&json!({"msgtype": "m.text", "body": "something is wrong with this event"}))
}
