//! Who and what is none of a call's business.

use nova_bridge::domain::call::News;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{MINE, Stage, missed, sdp};

fn invite(call: &str, invitee: Option<&str>) -> Value {
    let offer = json!({ "type": "offer", "sdp": sdp("alice") });
    let mut content = json!({ "call_id": call, "party_id": "P", "version": "1", "lifetime": 60_000, "offer": offer });
    if let Some(invitee) = invitee {
        content["invitee"] = json!(invitee);
    }
    content
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn s45_a_call_for_somebody_else_does_not_ring(pool: PgPool) {
    let mut stage = Stage::new(pool).await;
    stage
        .alice
        .send(&stage.room, "m.call.invite", invite("dm", Some("@carol:example.org")));
    let group = json!({ "name": "Hill", "invite": [stage.ana.mxid, "@bob:example.org"] });
    let bob = stage.bridge.homeserver.user("@bob:example.org");
    let room = stage.alice.create_room(&group);
    bob.join(&room);
    crate::chat::membership(&stage.bridge, &room, &stage.ana.mxid, "join").await;
    stage.bridge.settled().await;
    stage.alice.send(&room, "m.call.invite", invite("one", Some(bob.id())));
    bob.send(
        &room,
        "m.call.hangup",
        json!({ "call_id": "one", "party_id": "B", "version": "1", "reason": "invite_timeout" }),
    );
    stage.bridge.settled().await;
    let notices = |stage: &Stage| {
        let texts = stage.bridge.homeserver.texts(&room);
        texts.iter().filter(|text| text.contains("direct chat")).count()
    };
    assert_eq!(notices(&stage), 0);
    // For anybody: everybody is told once where it works.
    stage.alice.send(&room, "m.call.invite", invite("two", None));
    stage
        .alice
        .send(&room, "m.call.invite", invite("three", Some(&stage.ana.mxid)));
    stage.bridge.settled().await;
    assert_eq!(notices(&stage), 1);
    assert!(stage.next_news().await.is_none());
    assert!(stage.history().await.is_empty());
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn s50_an_encrypted_chat_carries_no_calls(pool: PgPool) {
    let mut stage = Stage::new(pool).await;
    for _ in 0..2 {
        let encrypted = json!({ "algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "x" });
        stage.alice.send(&stage.room, "m.room.encrypted", encrypted);
    }
    stage.alice_calls(MINE);
    stage.bridge.settled().await;
    assert!(stage.next_news().await.is_none());
    assert_eq!(stage.notices().len(), 1);
    let bridge = &stage.bridge.app().bridge;
    let refused = bridge.place_call(stage.ana_id(), stage.wanted()).await;
    assert!(matches!(refused, Err(nova_bridge::bridge::CommandError::Forbidden(_))));
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn s51_a_matrixrtc_call_is_declined_politely_and_is_a_missed_call(pool: PgPool) {
    let mut stage = Stage::new(pool).await;
    let ring = |kind: &str, field: &str, session: Option<&str>| {
        let mut content = json!({ field: "ring", "sender_ts": 1, "lifetime": 30_000, "m.call.intent": "video" });
        if let Some(session) = session {
            content["m.relates_to"] = json!({ "rel_type": "m.reference", "event_id": session });
        }
        stage.alice.send(&stage.room, kind, content)
    };
    let first = ring(
        "org.matrix.msc4075.rtc.notification",
        "notification_type",
        Some("$member"),
    );
    ring("m.rtc.notification", "notification_type", Some("$member"));
    ring("org.matrix.msc4075.call.notify", "notify_type", None);
    let (_, news) = stage.news().await;
    assert!(matches!(news, News::Missed { is_video: true, .. }), "{news:?}");
    stage.bridge.settled().await;
    assert!(stage.next_news().await.is_none());
    let timeline = stage.bridge.homeserver.timeline(&stage.room);
    let declined: Vec<&Value> = timeline
        .iter()
        .filter(|event| event["type"] == "org.matrix.msc4310.rtc.decline")
        .map(|event| &event["content"]["m.relates_to"])
        .collect();
    assert_eq!(declined, [&json!({ "rel_type": "m.reference", "event_id": first })]);
    assert_eq!(stage.notices().len(), 1);
    assert_eq!(stage.history().await, [missed("no_answer")]);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn s52_a_matrixrtc_session_does_not_stop_a_call_of_nova(pool: PgPool) {
    let stage = Stage::new(pool).await;
    let member = json!({ "application": "m.call", "call_id": "", "device_id": "D", "expires": 14_400_000 });
    stage.alice.send_state(
        &stage.room,
        "org.matrix.msc3401.call.member",
        "_@alice:example.org_D_m.call",
        member,
    );
    stage.calls().await;
    stage.sent(1).await;
    assert_eq!(stage.all_sent().await, ["m.call.invite"]);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn what_is_no_call_event_is_put_aside(pool: PgPool) {
    let mut stage = Stage::new(pool).await;
    let mut broken = vec![
        stage.event("$1", "invite", &json!({})),
        stage.event("$2", "invite", &json!({ "call_id": "x", "offer": { "type": "offer" } })),
        stage.event(
            "$3",
            "invite",
            &json!({ "call_id": "x", "offer": { "type": "offer", "sdp": "hello" } }),
        ),
        stage.event("$4", "candidates", &json!({ "call_id": "x", "candidates": null })),
        stage.event(
            "$5",
            "negotiate",
            &json!({ "call_id": "x", "description": { "type": "pranswer", "sdp": "v=0" } }),
        ),
        stage.event("$6", "select_answer", &json!({ "call_id": "x" })),
        stage.event("$7", "hangup", &json!({ "call_id": "y".repeat(256) })),
        stage.event("$8", "answer", &json!(null)),
    ];
    broken.push(stage.invite_event("$good", MINE));
    stage.push(broken).await;
    stage.rings().await;
    let (_, letters) = stage.bridge.admin(reqwest::Method::GET, "/dead-letters", None).await;
    let letters = letters["dead_letters"].as_array().unwrap();
    assert_eq!(letters.len(), 8);
    assert!(letters.iter().all(|it| it["reason"] == "malformed"));
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn what_the_nova_user_takes_with_a_matrix_client_of_their_own_stops_ringing(pool: PgPool) {
    let mut stage = Stage::new(pool).await;
    stage.alice_calls(MINE);
    stage.rings().await;
    let own = stage.bridge.homeserver.user(&stage.ana.mxid);
    let answer = json!({
        "call_id": MINE, "party_id": "OWNCLIENT", "version": "1", "answer": { "type": "answer", "sdp": sdp("own") },
    });
    own.send(&stage.room, "m.call.answer", answer);
    let (_, news) = stage.news().await;
    assert!(matches!(news, News::Ended { .. }), "{news:?}");
    stage.bridge.settled().await;
    assert_eq!(stage.history().await, [super::ended("answered_elsewhere")]);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn calls_that_are_off_are_declined_quietly(pool: PgPool) {
    let mut stage = Stage::new(pool).await;
    let bridge = stage.bridge.app().bridge.clone();
    bridge.set_calls_enabled(stage.ana_id(), false).await.unwrap();
    assert!(!bridge.calls_enabled(stage.ana_id()).await.unwrap());
    stage.alice_calls(MINE);
    stage.sent(1).await;
    assert_eq!(stage.all_sent().await, ["m.call.reject"]);
    assert!(stage.next_news().await.is_none());
}
