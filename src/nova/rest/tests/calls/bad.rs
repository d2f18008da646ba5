//! Every field of every request missing, of a wrong type, too long; calls that there are not, and that are over.

use axum::body::Body;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{CANDIDATE, Stage, sdp};
use crate::nova::rest::tests::{ALICE, App, BOB};

/// Every act with a good body.
pub(super) fn acts() -> Vec<(&'static str, Value)> {
    let offer = json!({ "type": "offer", "sdp": sdp("x") });
    vec![
        ("answer", json!({ "answer": sdp("x") })),
        ("reject", json!({ "reason": "declined" })),
        ("end", json!({ "reason": "user_hangup" })),
        (
            "ice-candidate",
            json!({ "candidate": CANDIDATE, "sdp_mid": "0", "sdp_mline_index": 0, "username_fragment": "u" }),
        ),
        ("negotiate", json!({ "description": offer })),
        ("toggle-audio", json!({ "enabled": true })),
        ("toggle-video", json!({ "enabled": true })),
        ("join", json!({ "sdp": sdp("x") })),
        ("leave", json!({})),
    ]
}

fn long(bytes: usize) -> String {
    "x".repeat(bytes)
}

/// Bodies that make no sense, by act.
pub(in crate::nova) fn bad_bodies() -> Vec<(&'static str, Vec<Value>)> {
    let long_sdp = format!("v=0{}", long(64 * 1024));
    let sdps = |key: &str, kind: &str| {
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
    };
    let metadata = |key: &str| {
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
    };
    let wrong_kind = |key: &str, kind: &str| vec![json!({ key: { "type": kind, "sdp": sdp("x") } })];
    let candidate = |field: &str, value: Value| {
        let mut body = json!({ "candidate": CANDIDATE });
        body[field] = value;
        vec![
            body.clone(),
            json!({ "candidate": body }),
            json!({ "candidates": [body] }),
        ]
    };
    let reasons = || {
        vec![
            json!({ "reason": 5 }),
            json!({ "reason": "tired" }),
            json!({ "reason": long(256) }),
        ]
    };
    let switches = || {
        vec![
            json!({}),
            json!({ "enabled": "yes" }),
            json!({ "enabled": 1 }),
            json!({ "enabled": null }),
        ]
    };
    let initiate = vec![
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
    ];
    let ice = vec![
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
    ];
    let negotiate = vec![
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
    ];
    let answer = vec![
        vec![json!({})],
        sdps("answer", "answer"),
        sdps("answer_sdp", "answer"),
        wrong_kind("answer", "offer"),
        metadata("answer"),
    ];
    vec![
        ("initiate", initiate.concat()),
        ("answer", answer.concat()),
        ("reject", reasons()),
        ("end", reasons()),
        ("ice-candidate", ice.concat()),
        ("negotiate", negotiate.concat()),
        ("toggle-audio", switches()),
        ("toggle-video", switches()),
        // From who says later what they send, an empty text is taken.
        (
            "join",
            sdps("sdp", "offer").into_iter().filter(|it| it["sdp"] != "").collect(),
        ),
    ]
}

async fn changed_nothing(stage: &Stage, before: &crate::domain::call::Call, footprint: &[i64]) {
    assert_eq!(stage.state().await, *before);
    assert_eq!(stage.app.footprint().await, footprint);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn whatever_is_wrong_is_named_and_changes_nothing(pool: PgPool) {
    let stage = Stage::up(pool).await;
    let (before, footprint) = (stage.state().await, stage.app.footprint().await);
    let mut said = Vec::new();
    for (act, bodies) in bad_bodies() {
        let path = match act {
            "initiate" => format!("/conversations/{}/calls", stage.conversation),
            act => format!("/calls/{}/{act}", stage.call),
        };
        for body in bodies {
            let answer = stage.app.post(ALICE, &path, &body).await;
            let shown: String = body.to_string().chars().take(120).collect();
            assert_eq!(
                (answer.status.as_u16(), &answer.body["code"]),
                (400, &json!("INVALID_REQUEST")),
                "{act} {shown}: {answer:?}"
            );
            let message = answer.body["message"].as_str().unwrap();
            assert!(!message.contains("msid"), "no SDP in an error: {message}");
            said.push(format!("{act}: {message}"));
        }
        for text in ["[]", "5", "{", "\"x\"", "{\"a\":1}{"] {
            let answer = stage.app.raw("POST", ALICE, &path, Body::from(text)).await;
            assert_eq!(answer.status, 400, "{act} {text}: {answer:?}");
        }
    }
    changed_nothing(&stage, &before, &footprint).await;
    said.dedup();
    insta::assert_snapshot!("bad_requests", said.join("\n"));
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn ids_that_name_nothing_are_told_apart(pool: PgPool) {
    let stage = Stage::ringing(pool).await;
    let (before, footprint) = (stage.state().await, stage.app.footprint().await);
    let unknown = "00000000-0000-4000-8000-00000000ca11";
    for (act, body) in acts() {
        let answer = stage.app.post(ALICE, &format!("/calls/{unknown}/{act}"), &body).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["code"]),
            (404, &json!("CALL_NOT_FOUND")),
            "{act}"
        );
        let answer = stage.app.post(ALICE, &format!("/calls/5/{act}"), &body).await;
        assert_eq!(answer.status, 400, "{act}: {answer:?}");
    }
    for (path, mut body) in [
        ("/calls/ice-candidate", json!({ "candidate": CANDIDATE })),
        ("/calls/matrix/answer", json!({ "answer": sdp("x") })),
        ("/calls/matrix/end", json!({})),
    ] {
        assert_eq!(stage.app.post(BOB, path, &body).await.status, 400, "{path}");
        for (id, status) in [(json!(5), 400), (json!("x"), 400), (json!(unknown), 404)] {
            body["call_id"] = id;
            assert_eq!(stage.app.post(BOB, path, &body).await.status, status, "{path} {body}");
        }
    }
    assert_eq!(
        stage.app.post(ALICE, "/calls/matrix/initiate", &json!({})).await.status,
        400
    );
    let nowhere = json!({ "conversation_id": unknown, "offer": sdp("x") });
    assert_eq!(
        stage.app.post(ALICE, "/calls/matrix/initiate", &nowhere).await.status,
        404
    );
    for path in [
        format!("/calls/{unknown}/status"),
        format!("/calls/{unknown}/participants"),
    ] {
        assert_eq!(stage.app.get(ALICE, &path).await.status, 404);
    }
    changed_nothing(&stage, &before, &footprint).await;
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_call_that_is_over_stays_as_it_was(pool: PgPool) {
    let stage = Stage::up(pool).await;
    assert_eq!(stage.post(ALICE, "end", json!({})).await.0, 200);
    let (before, footprint) = (stage.state().await, stage.app.footprint().await);
    for (act, body) in acts() {
        for user in [ALICE, BOB] {
            let (status, answer) = stage.post(user, act, body.clone()).await;
            let expected = match act {
                "end" => 200,
                "join" | "leave" => 400,
                _ => 409,
            };
            assert_eq!(status, expected, "{act}: {answer}");
        }
    }
    changed_nothing(&stage, &before, &footprint).await;
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn an_offer_that_would_ring_nowhere_is_refused(pool: PgPool) {
    let app = App::new(pool).await;
    let conversation = app.direct().await;
    let path = format!("/conversations/{conversation}/calls");
    let silent = "v=0\r\nm=audio 9 x 0\r\na=sendrecv\r\n";
    let refused = app.post(ALICE, &path, &json!({ "offer": silent })).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.body["code"]),
        (400, &json!("BAD_OFFER"))
    );
    let placed = app.post(ALICE, &path, &json!({ "offer": sdp("alice") })).await;
    let answer = format!("/calls/{}/answer", placed.id());
    let refused = app.post(BOB, &answer, &json!({ "answer": silent })).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.body["code"]),
        (400, &json!("BAD_ANSWER"))
    );
    assert_eq!(
        app.post(BOB, &answer, &json!({ "answer": sdp("bob") })).await.status,
        200
    );
}
