#![expect(
    clippy::needless_pass_by_value,
    clippy::wildcard_enum_match_arm,
    clippy::panic,
    reason = "tests fail by panicking, and are short"
)]

mod relations;

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn now() -> Timestamp {
    DateTime::from_timestamp_millis(1_767_863_730_000).unwrap()
}

fn read_json(value: &Value) -> Result<InboundEvent, Malformed> {
    read(RawValue::from_string(value.to_string()).unwrap(), now()).decoded
}

fn meaning(event_type: &str, state_key: Option<&str>, content: Value) -> Meaning {
    let mut event = json!({
        "type": event_type, "event_id": "$e", "room_id": "!r:example.org", "sender": "@alice:example.org",
        "origin_server_ts": 1_767_863_720_000_i64, "content": content,
    });
    if let Some(key) = state_key {
        event["state_key"] = json!(key);
    }
    read_json(&event).unwrap().meaning
}

fn text_of(content: Value) -> Text {
    match meaning("m.room.message", None, content) {
        Meaning::Message { text, .. } => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_style_of_text_is_read() {
    for (msgtype, style) in [
        ("m.text", Style::Plain),
        ("m.notice", Style::Notice),
        ("m.emote", Style::Emote),
    ] {
        let text = text_of(json!({ "msgtype": msgtype, "body": "a\nb 👋" }));
        assert_eq!(
            text,
            Text {
                style,
                plain: "a\nb 👋".to_owned(),
                formatted: None,
                everybody: false,
                media: None,
            }
        );
    }
}

#[test]
fn html_is_cleaned() {
    let content = json!({
        "msgtype": "m.text", "body": "hi", "format": "org.matrix.custom.html",
        "formatted_body": "<b>hi</b><script>alert(1)</script><a href=\"javascript:x\" onclick=\"x\">l</a>",
    });
    insta::assert_snapshot!(text_of(content).formatted.unwrap(), @"<b>hi</b>alert(1)l");
}

#[test]
fn nul_becomes_storable() {
    assert_eq!(
        text_of(json!({ "msgtype": "m.text", "body": "a\u{0}b" })).plain,
        "a\u{fffd}b"
    );
}

#[test]
fn a_marker_is_read_and_a_wrong_one_is_none() {
    let id = Uuid::from_u128(5);
    for (value, expected) in [(json!(id), Some(MessageId(id))), (json!(7), None), (json!("x"), None)] {
        let content = json!({ "msgtype": "m.text", "body": "", MARKER: value });
        assert!(
            matches!(meaning("m.room.message", None, content), Meaning::Message { marker, .. } if marker == expected)
        );
    }
}

#[test]
fn a_notice_of_the_bridge_is_read_as_a_message_with_a_mark() {
    let content = |mark: Value| json!({ "msgtype": "m.notice", "body": "x", NOTICE_MARKER: mark });
    for (mark, expected) in [(json!(true), true), (json!("true"), false), (json!(false), false)] {
        assert!(
            matches!(meaning("m.room.message", None, content(mark)), Meaning::Message { notice, .. } if notice == expected)
        );
    }
}

#[test]
fn what_cannot_be_carried_yet_is_named() {
    let cases = [
        (
            "m.room.message",
            json!({ "msgtype": "m.image", "body": "x", "url": "https://example.org/x" }),
            "m.image",
        ),
        (
            "m.room.message",
            json!({ "msgtype": "m.text", "body": "x", "m.relates_to": { "rel_type": "m.replace" } }),
            "m.replace without event_id",
        ),
        (
            "m.room.message",
            json!({ "msgtype": "m.text", "body": "x", "m.relates_to": { "rel_type": "m.replace", "event_id": "$x" } }),
            "m.replace without m.new_content",
        ),
        (
            "m.room.message",
            json!({ "m.new_content": { "msgtype": "m.image", "body": "x" },
                    "m.relates_to": { "rel_type": "m.replace", "event_id": "$x" } }),
            "m.replace with m.image",
        ),
        ("m.room.message", Value::Null, "m.room.message without msgtype"),
        (
            "m.room.message",
            json!({ "msgtype": "m.text", "body": 4 }),
            "m.room.message without body",
        ),
        ("m.sticker", json!({}), "m.sticker without url"),
    ];
    for (event_type, content, expected) in cases {
        assert!(matches!(meaning(event_type, None, content), Meaning::NotYet { kind, .. } if kind == expected));
    }
}

#[test]
fn creators_count_from_room_version_12() {
    let create = |version: &str| {
        meaning(
            "m.room.create",
            Some(""),
            json!({ "room_version": version, "additional_creators": ["@b:x", 3] }),
        )
    };
    assert!(matches!(create("12"), Meaning::Create { creators, sender_is_creator: true, .. } if creators.len() == 1));
    assert!(matches!(create("11"), Meaning::Create { creators, sender_is_creator: false, .. } if creators.is_empty()));
}

#[test]
fn a_space_is_known_by_its_type_and_in_an_invite() {
    let is_space = |content: Value| {
        matches!(
            meaning("m.room.create", Some(""), content),
            Meaning::Create { is_space: true, .. }
        )
    };
    assert!(is_space(json!({ "type": "m.space" })));
    for content in [json!({}), json!({ "type": "m.video" }), json!({ "type": 5 })] {
        assert!(!is_space(content));
    }
    let shown = |membership: &str, state: Value| {
        let event = json!({
            "type": "m.room.member", "event_id": "$x", "room_id": "!r:x", "sender": "@a:x", "state_key": "@b:x",
            "content": { "membership": membership }, "unsigned": { "invite_room_state": state },
        });
        match read_json(&event).unwrap().meaning {
            Meaning::Member(member) => member.to_space,
            other => panic!("{other:?}"),
        }
    };
    let create =
        json!({ "type": "m.room.create", "state_key": "", "sender": "@a:x", "content": { "type": "m.space" } });
    assert!(shown("invite", json!([{ "type": "m.room.name" }, create])));
    assert!(!shown("join", json!([create])), "an old invite of who is in");
    for state in [json!([]), json!([5]), json!(5), json!([{ "type": "m.room.create" }])] {
        assert!(!shown("invite", state));
    }
}

#[test]
fn a_knock_has_a_reason_and_an_event_that_it_takes_the_place_of() {
    let event = json!({
        "type": "m.room.member", "event_id": "$x", "room_id": "!r:x", "sender": "@b:x", "state_key": "@b:x",
        "content": { "membership": "knock", "reason": "it is me\0", "displayname": "Bob" },
        "unsigned": { "replaces_state": "$left" },
    });
    let Meaning::Member(member) = read_json(&event).unwrap().meaning else {
        panic!()
    };
    assert_eq!(member.membership, RoomMembership::Knock);
    assert_eq!(member.reason.as_deref(), Some("it is me\u{fffd}"));
    assert_eq!(member.replaces.as_deref(), Some("$left"));
    let bare = meaning(
        "m.room.member",
        Some("@b:x"),
        json!({ "membership": "knock", "reason": 5 }),
    );
    assert_eq!(
        bare,
        Meaning::Member(MemberEvent::new("@b:x".try_into().unwrap(), RoomMembership::Knock))
    );
}

#[test]
fn power_levels_may_be_strings() {
    let content = json!({ "users": { "@a:x": "100", "@b:x": 50, "nobody": 3, "@c:x": null }, "users_default": "5" });
    let Meaning::PowerLevels { users, default, .. } = meaning("m.room.power_levels", Some(""), content) else {
        panic!()
    };
    assert_eq!((users.len(), default), (2, 5));
}

#[test]
fn a_bad_event_keeps_what_can_be_known_of_it() {
    let error = read_json(&json!({ "event_id": "$x", "room_id": "!r:x", "type": 5 })).unwrap_err();
    assert_eq!(
        (error.event_id.as_deref(), error.room.as_deref()),
        (Some("$x"), Some("!r:x"))
    );
    assert!(read_json(&json!(7)).is_err());
    assert!(
        read(RawValue::from_string(r#"{"body":"\ud800"}"#.to_owned()).unwrap(), now())
            .decoded
            .is_err()
    );
}

#[test]
fn a_time_that_cannot_be_is_replaced() {
    for ts in [json!(null), json!(-5), json!(i64::MAX), json!("soon"), json!(1.5)] {
        let event = json!({
            "type": "m.room.message", "event_id": "$e", "room_id": "!r:x", "sender": "@a:x", "origin_server_ts": ts,
        });
        assert_eq!(read_json(&event).unwrap().at, now());
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[@!$#]?[a-z]{0,4}:?[a-z\u{0}]{0,4}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        let key = prop_oneof![
            Just("membership".to_owned()),
            Just("msgtype".to_owned()),
            Just("body".to_owned()),
            Just("users".to_owned()),
            Just("m.relates_to".to_owned()),
            Just("m.new_content".to_owned()),
            Just("m.in_reply_to".to_owned()),
            Just("rel_type".to_owned()),
            Just("event_id".to_owned()),
            Just("redacts".to_owned()),
            Just("key".to_owned()),
            Just(MARKER.to_owned()),
            "[a-z]{1,3}",
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key, inner, 0..5).prop_map(|map| map.into_iter().collect::<Value>()),
        ]
    })
}

proptest! {
    #[test]
    fn no_content_panics(
        content in any_json(),
        event_type in prop::sample::select(vec![
            "m.room.message", "m.room.member", "m.room.create", "m.room.power_levels", "m.room.tombstone",
            "m.room.name", "m.room.encrypted", "m.reaction", "m.room.redaction", "x",
        ]),
        state_key in prop::option::of(prop::sample::select(vec!["", "@a:x", "no id"])),
    ) {
        meaning(event_type, state_key, content);
    }

    #[test]
    fn no_json_panics(value in any_json()) {
        let raw = RawValue::from_string(value.to_string()).unwrap();
        prop_assert!(read(raw, now()).decoded.is_err());
    }
}
