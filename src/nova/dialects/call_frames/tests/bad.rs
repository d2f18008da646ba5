//! Frames that make no sense, field by field.

use super::*;

/// The error of a frame.
fn refused(kind: Kind, frame: &Map<String, Value>) -> String {
    wire::read(kind, frame).unwrap_err().detail()
}

/// The frame in both shapes.
fn both(kind: Kind, body: &Value) -> [Map<String, Value>; 2] {
    [flat(kind, body), enveloped(kind, body)]
}

#[test]
fn each_field_that_is_missing_is_named() {
    for kind in Kind::ALL {
        for [field, target] in [["callId", ""], ["sdp", ""], ["candidate", ""], ["", "target"]] {
            let mut body = map(&body(kind));
            if body.remove(field).is_none() && target.is_empty() {
                continue;
            }
            for mut frame in both(kind, &Value::Object(body)) {
                if !target.is_empty() {
                    frame.remove("target");
                    frame.remove("targetId");
                }
                let name = if target.is_empty() { field } else { target };
                assert_eq!(
                    refused(kind, &frame),
                    format!("Missing required field: {name}"),
                    "{kind:?}"
                );
            }
        }
        // Not there, and null: the same.
        let mut frame = flat(kind, &body(kind));
        frame.insert("callId".to_owned(), Value::Null);
        assert_eq!(refused(kind, &frame), "Missing required field: callId");
    }
}

#[test]
fn each_field_of_the_wrong_type_is_named() {
    for kind in Kind::ALL {
        for field in ["callId", "sdp", "withVideo", "reason", "candidate"] {
            let fields = map(&body(kind));
            if !fields.contains_key(field) {
                continue;
            }
            for wrong in [json!(7), json!([]), json!({ "$ne": 1 })] {
                let mut body = fields.clone();
                body.insert(field.to_owned(), wrong);
                for frame in both(kind, &Value::Object(body)) {
                    let error = refused(kind, &frame);
                    assert!(error.starts_with(&format!("{field} must be")), "{kind:?}: {error}");
                }
            }
        }
        let mut frame = flat(kind, &body(kind));
        frame.insert("targetId".to_owned(), json!(7));
        assert_eq!(refused(kind, &frame), "targetId must be a text");
        frame.insert("payload".to_owned(), json!([CALL]));
        assert_eq!(refused(kind, &frame), "payload must be an object");
    }
}

#[test]
fn what_is_too_long_is_refused() {
    let long = |limit: usize| "x".repeat(limit + 1);
    for kind in [Kind::Offer, Kind::Answer] {
        let mut body = body(kind);
        body["sdp"] = json!(format!("{SDP}{}", "x".repeat(64 * 1024 - SDP.len())));
        assert!(wire::read(kind, &flat(kind, &body)).is_ok(), "just short enough");
        body["sdp"] = json!(format!("{SDP}{}", long(64 * 1024 - SDP.len())));
        assert_eq!(
            refused(kind, &flat(kind, &body)),
            "sdp: the SDP has more than 65536 bytes"
        );
    }
    for (field, name) in [("targetId", "targetId"), ("callId", "callId"), ("reason", "reason")] {
        let mut frame = flat(Kind::Reject, &body(Kind::Reject));
        frame.insert(field.to_owned(), json!(long(255)));
        let expected = format!("{name} must have 1 to 255 bytes, and no NUL");
        assert_eq!(refused(Kind::Reject, &frame), expected);
    }
    let ice = |candidate: String| flat(Kind::Ice, &json!({ "callId": CALL, "candidate": candidate }));
    let line = |length| json!({ "candidate": "c".repeat(length) }).to_string();
    assert!(wire::read(Kind::Ice, &ice(line(4 * 1024))).is_ok());
    assert!(refused(Kind::Ice, &ice(line(4 * 1024 + 1))).starts_with("candidate must have at most 4096 bytes"));
    assert_eq!(
        refused(Kind::Ice, &ice(line(10_000))),
        "candidate must have at most 10000 bytes"
    );
}

#[test]
fn a_candidate_is_a_text_with_an_object() {
    for wrong in ["", "null", "7", "[]", "candidate:1 1 udp", "{"] {
        let frame = flat(Kind::Ice, &json!({ "callId": CALL, "candidate": wrong }));
        assert!(refused(Kind::Ice, &frame).contains("candidate"), "{wrong}");
    }
    for wrong in [
        json!({}),
        json!({ "candidate": 7 }),
        json!({ "candidate": "c", "sdpMid": 7 }),
        json!({ "candidate": "c", "sdpMLineIndex": -1 }),
        json!({ "candidate": "c", "sdpMLineIndex": 65536 }),
        json!({ "candidate": "c", "usernameFragment": ["x"] }),
    ] {
        let frame = flat(Kind::Ice, &json!({ "callId": CALL, "candidate": wrong.to_string() }));
        assert!(wire::read(Kind::Ice, &frame).is_err(), "{wrong}");
    }
}

#[test]
fn a_call_has_an_id_of_version_4() {
    for wrong in [
        "",
        "call-1",
        "5f0c3b1e9d474a06b1c57e0a9f6d2c11",
        "5f0c3b1e-9d47-7a06-b1c5-7e0a9f6d2c11",
        "{5f0c3b1e-9d47-4a06-b1c5-7e0a9f6d2c11}",
    ] {
        let frame = flat(Kind::Hangup, &json!({ "callId": wrong }));
        assert!(refused(Kind::Hangup, &frame).starts_with("callId must"), "{wrong}");
        assert_eq!(wire::named(&frame), None);
    }
    let upper = flat(Kind::Hangup, &json!({ "callId": CALL.to_uppercase() }));
    assert_eq!(wire::read(Kind::Hangup, &upper).unwrap().call.to_string(), CALL);
    assert_eq!(wire::named(&upper).map(|it| it.to_string()).as_deref(), Some(CALL));
}

#[test]
fn what_is_no_sdp_is_refused() {
    for wrong in ["", "x", "V=0"] {
        let frame = flat(Kind::Offer, &json!({ "callId": CALL, "sdp": wrong }));
        assert_eq!(refused(Kind::Offer, &frame), "sdp: the SDP does not begin with v=0");
    }
}

proptest! {
    #[test]
    fn nothing_panics(target: String, call: String, sdp: String, candidate: String) {
        let body = json!({ "callId": call, "sdp": sdp, "candidate": candidate, "reason": target });
        for kind in Kind::ALL {
            for mut frame in both(kind, &body) {
                frame.insert("target".to_owned(), json!(target));
                drop(wire::read(kind, &frame));
                wire::named(&frame);
            }
        }
    }
}
