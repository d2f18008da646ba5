//! Bodies that make no sense.

use serde_json::{Value, json};

use super::{CANDIDATE, sdp};

fn long(bytes: usize) -> String {
    "x".repeat(bytes)
}

fn sdps(key: &str, kind: &str) -> Vec<Value> {
    let long_sdp = format!("v=0{}", long(64 * 1024));
    vec![
        json!({ key: 5 }),
        json!({ key: [sdp("x")] }),
        json!({ key: true }),
        json!({ key: "" }),
        json!({ key: "hello" }),
        json!({ key: "v=0\0" }),
        json!({ key: long_sdp }),
        json!({ key: {} }),
        json!({ key: { "type": kind } }),
        json!({ key: { "type": kind, "sdp": 5 } }),
        json!({ key: { "type": kind, "sdp": "hello" } }),
        json!({ key: { "type": 5, "sdp": sdp("x") } }),
        json!({ key: { "type": "rollback", "sdp": sdp("x") } }),
    ]
}

fn metadata(key: &str) -> Vec<Value> {
    let mut deep = json!({});
    for _ in 0..20 {
        deep = json!({ "x": deep });
    }
    let with = |metadata: Value| json!({ key: sdp("x"), "sdp_stream_metadata": metadata });
    vec![
        with(json!(5)),
        with(json!([])),
        with(json!({ "stream": "x" })),
        with(json!({ "stream": deep })),
        with(json!({ "stream": { "purpose": long(20_000) } })),
        with(json!({ "stream": { "purpose": "a\0b" } })),
    ]
}

fn wrong_kind(key: &str, kind: &str) -> Vec<Value> {
    vec![json!({ key: { "type": kind, "sdp": sdp("x") } })]
}

fn candidate(field: &str, value: Value) -> Vec<Value> {
    let mut body = json!({ "candidate": CANDIDATE });
    body[field] = value;
    vec![
        body.clone(),
        json!({ "candidate": body }),
        json!({ "candidates": [body] }),
    ]
}

fn reasons() -> Vec<Value> {
    vec![
        json!({ "reason": 5 }),
        json!({ "reason": "tired" }),
        json!({ "reason": long(256) }),
    ]
}

fn switches() -> Vec<Value> {
    vec![
        json!({}),
        json!({ "enabled": "yes" }),
        json!({ "enabled": 1 }),
        json!({ "enabled": null }),
    ]
}

fn initiate() -> Vec<Value> {
    [
        sdps("offer", "offer"),
        sdps("initiator_sdp", "offer"),
        wrong_kind("offer", "answer"),
        metadata("offer"),
        vec![
            json!({ "is_video": "yes" }),
            json!({ "call_type": 5 }),
            json!({ "call_type": "conference" }),
            json!({ "max_participants": "2" }),
            json!({ "max_participants": 1 }),
            json!({ "max_participants": 51 }),
            json!({ "max_participants": -2 }),
            json!({ "max_participants": 2.5 }),
            json!({ "idempotency_key": 5 }),
            json!({ "idempotency_key": "" }),
            json!({ "idempotency_key": long(256) }),
            json!({ "idempotency_key": "a\0b" }),
            json!({ "conversation_id": "here" }),
            json!({ "conversation_id": 5 }),
            json!({ "conversation_id": "00000000-0000-4000-8000-000000000000" }),
        ],
    ]
    .concat()
}

fn ice() -> Vec<Value> {
    [
        vec![
            json!({}),
            json!({ "candidates": [] }),
            json!({ "candidates": {} }),
            json!({ "candidates": CANDIDATE }),
            json!({ "candidates": [5] }),
            json!({ "candidates": [{}] }),
            json!({ "candidates": [null] }),
            json!({ "candidates": vec![json!(""); 201] }),
            json!({ "candidates": [""], "candidate": "" }),
            json!({ "candidate": 5 }),
            json!({ "candidate": {} }),
            json!({ "candidate": long(4097) }),
            json!({ "candidate": "a\0b" }),
            json!({ "candidate": CANDIDATE, "to": 5 }),
            json!({ "candidate": CANDIDATE, "to": "bob" }),
        ],
        candidate("sdp_mid", json!(0)),
        candidate("sdp_mid", json!(long(256))),
        candidate("sdpMid", json!("a\0b")),
        candidate("sdp_mline_index", json!("0")),
        candidate("sdp_mline_index", json!(-1)),
        candidate("sdpMLineIndex", json!(65_536)),
        candidate("username_fragment", json!(5)),
        candidate("usernameFragment", json!(long(256))),
    ]
    .concat()
}

fn negotiate() -> Vec<Value> {
    [
        vec![
            json!({}),
            json!({ "description": sdp("x") }),
            json!({ "description": sdp("x"), "description_type": "rollback" }),
            json!({ "description": { "type": "offer", "sdp": sdp("x") }, "description_type": "answer" }),
            json!({ "offer": { "type": "answer", "sdp": sdp("x") } }),
            json!({ "description": { "type": "offer", "sdp": sdp("x") }, "to": 5 }),
        ],
        sdps("description", "offer"),
        metadata("offer"),
    ]
    .concat()
}

fn answer() -> Vec<Value> {
    [
        vec![json!({})],
        sdps("answer", "answer"),
        sdps("answer_sdp", "answer"),
        wrong_kind("answer", "offer"),
        metadata("answer"),
    ]
    .concat()
}

/// By act.
pub(super) fn bad_bodies() -> Vec<(&'static str, Vec<Value>)> {
    // From who says later what they send, an empty text is taken.
    let join = sdps("sdp", "offer").into_iter().filter(|it| it["sdp"] != "").collect();
    vec![
        ("initiate", initiate()),
        ("answer", answer()),
        ("reject", reasons()),
        ("end", reasons()),
        ("ice-candidate", ice()),
        ("negotiate", negotiate()),
        ("toggle-audio", switches()),
        ("toggle-video", switches()),
        ("join", join),
    ]
}
