//! What goes wrong on the way to the homeserver.

use nova_bridge::domain::call::{EndReason, Input, News};
use serde_json::json;
use sqlx::PgPool;

use super::{Stage, candidate};
use crate::support::homeserver::{Fault, Gate, On};

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn s46_a_room_that_does_not_let_us_call_ends_the_call(pool: PgPool) {
    let mut stage = Stage::new(pool).await;
    stage.without_power().await;
    let levels = json!({ "events": { "m.call.invite": 100 } });
    stage.alice.set_power_levels(&stage.room, &levels);
    stage.bridge.homeserver.wait_until_pushed().await;
    stage.calls().await;
    let (reason, detail) = stage.end().await;
    assert_eq!(reason, EndReason::Error);
    assert!(detail.unwrap().starts_with("forbidden"));
    stage.bridge.settled().await;
    let tries = stage.bridge.homeserver.requests();
    let tries = tries.iter().filter(|it| it.target.contains("m.call.")).count();
    assert!(tries <= 2, "{tries}");
    let (_, letters) = stage.bridge.admin(reqwest::Method::GET, "/dead-letters", None).await;
    assert_eq!(letters["dead_letters"], json!([]), "no SDP is kept");
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn s47_what_is_told_to_wait_does_not_hold_up_the_hangup(pool: PgPool) {
    let mut stage = Stage::new(pool).await;
    let (call, _) = stage.in_own_call().await;
    let limited = Fault::Status(429, "M_LIMIT_EXCEEDED", Some(300));
    stage
        .bridge
        .homeserver
        .fail_next(On::Path("m.call.candidates"), limited);
    let mut end = candidate(1);
    end.candidate.clear();
    let candidates = |list| Input::Candidates {
        by: nova_bridge::domain::ids::UserId(stage.ana.id),
        to: None,
        candidates: list,
    };
    stage.does(call, candidates(vec![candidate(1), end.clone()])).await;
    assert_eq!(stage.sent(3).await[2]["type"], "m.call.candidates");

    let limited = Fault::Status(429, "M_LIMIT_EXCEEDED", Some(3_600_000));
    stage
        .bridge
        .homeserver
        .fail_every(On::Path("m.call.candidates"), limited);
    stage.does(call, candidates(vec![candidate(2), end])).await;
    stage
        .bridge
        .homeserver
        .wait_for("the refusal", |world| {
            let tries = world
                .requests
                .iter()
                .filter(|it| it.target.contains("m.call.candidates"));
            (tries.count() >= 3).then_some(())
        })
        .await;
    stage.hangs_up(call).await;
    assert_eq!(stage.sent(4).await[3]["type"], "m.call.hangup");
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_call_that_is_cancelled_before_its_invite_went_out_is_never_heard_of(pool: PgPool) {
    let stage = Stage::new(pool).await;
    let limited = Fault::Status(429, "M_LIMIT_EXCEEDED", Some(3_600_000));
    stage.bridge.homeserver.fail_next(On::Path("m.call.invite"), limited);
    let call = stage.calls().await;
    stage.settle_try("m.call.invite").await;
    stage.hangs_up(call.id).await;
    assert!(stage.all_sent().await.is_empty());
    let next = stage.calls().await;
    assert_eq!(stage.sent(1).await[0]["type"], "m.call.invite");
    assert_ne!(next.id, call.id);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_call_that_is_cancelled_while_its_invite_is_on_its_way_is_hung_up_after_it(pool: PgPool) {
    let stage = Stage::new(pool).await;
    let gate = Gate::new();
    stage
        .bridge
        .homeserver
        .fail_next(On::Path("m.call.invite"), Fault::Hang(gate.clone()));
    let call = stage.calls().await;
    gate.reached().await;
    stage.hangs_up(call.id).await;
    gate.release();
    stage.sent(2).await;
    assert_eq!(stage.all_sent().await, ["m.call.invite", "m.call.hangup"]);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn an_invite_whose_answer_was_lost_is_not_sent_twice(pool: PgPool) {
    let mut stage = Stage::new(pool).await;
    stage
        .bridge
        .homeserver
        .fail_next(On::Path("m.call.invite"), Fault::LoseAnswer);
    let call = stage.calls().await;
    let invite = stage.sent(1).await.remove(0);
    stage.bridge.homeserver.restart();
    stage.bridge.settled().await;
    assert_eq!(stage.all_sent().await, ["m.call.invite"]);
    stage.answers(invite["content"]["call_id"].as_str().unwrap(), "ALICE1");
    stage
        .until(|_, news| matches!(news, News::Answered { .. }).then_some(()))
        .await;
    // A hangup makes void what waits before it.
    stage.sent(2).await;
    stage.hangs_up(call.id).await;
    stage.sent(3).await;
    assert_eq!(
        stage.all_sent().await,
        ["m.call.invite", "m.call.select_answer", "m.call.hangup"]
    );
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_cancelled_call_whose_invite_may_be_in_the_room_is_looked_for_and_hung_up(pool: PgPool) {
    let stage = Stage::new(pool).await;
    stage
        .bridge
        .homeserver
        .fail_next(On::Path("m.call.invite"), Fault::LoseAnswer);
    let call = stage.calls().await;
    stage.settle_try("m.call.invite").await;
    stage.hangs_up(call.id).await;
    stage.sent(2).await;
    assert_eq!(stage.all_sent().await, ["m.call.invite", "m.call.hangup"]);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn an_answer_that_could_not_be_sent_before_the_end_becomes_a_reject(pool: PgPool) {
    let mut stage = Stage::new(pool).await;
    let limited = Fault::Status(429, "M_LIMIT_EXCEEDED", Some(3_600_000));
    stage.bridge.homeserver.fail_next(On::Path("m.call.answer"), limited);
    stage.alice_calls(super::MINE);
    let call = stage.rings().await;
    stage.accepts(call).await;
    stage.settle_try("m.call.answer").await;
    stage.hangs_up(call).await;
    stage.sent(1).await;
    assert_eq!(stage.all_sent().await, ["m.call.reject"]);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_slow_room_does_not_keep_a_call_waiting(pool: PgPool) {
    let stage = Stage::new(pool).await;
    let gate = Gate::new();
    stage
        .bridge
        .homeserver
        .fail_every(On::Path("m.room.message"), Fault::Hang(gate.clone()));
    stage.ana.say(&stage.conversation.to_string(), "a photo").await;
    gate.reached().await;
    stage.calls().await;
    assert_eq!(stage.sent(1).await[0]["type"], "m.call.invite");
    gate.release();
}

impl Stage {
    /// Waits until something of this type was tried, and its failure is noted.
    async fn settle_try(&self, event_type: &'static str) {
        self.bridge
            .homeserver
            .wait_for("a try", |world| {
                world
                    .requests
                    .iter()
                    .any(|it| it.target.contains(event_type))
                    .then_some(())
            })
            .await;
        self.bridge
            .until("SELECT EXISTS (SELECT FROM outbox WHERE attempts > 0)")
            .await;
    }
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn s60_many_calls_at_once_leave_nothing_behind(pool: PgPool) {
    let stage = Stage::new(pool).await;
    let names: Vec<String> = (0..16).map(|n| format!("user{n}")).collect();
    let calls = names.iter().enumerate().map(|(n, name)| one_call(&stage, n, name));
    futures_util::future::join_all(calls).await;
    stage.bridge.settled().await;
    let left: (i64, i64, i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM call_sessions WHERE deadline IS NOT NULL),
                (SELECT count(*) FROM call_participants WHERE is_active),
                (SELECT count(*) FROM early_call_events),
                (SELECT count(*) FROM call_sessions WHERE machine::text LIKE '%v=0%')",
    )
    .fetch_one(&stage.bridge.pool)
    .await
    .unwrap();
    assert_eq!(left, (0, 0, 0, 0));
    assert_eq!(stage.history().await, vec![super::ended("user_hangup"); 16]);
    stage
        .bridge
        .until("SELECT NOT EXISTS (SELECT FROM outbox_lanes WHERE is_urgent)")
        .await;
}

/// A Matrix user calls, a Nova user answers, both find each other, and one of them hangs up.
async fn one_call(stage: &Stage, n: usize, name: &str) {
    let nova = stage.bridge.account(name).await;
    let caller = stage.bridge.homeserver.user(&format!("@{name}:example.org"));
    let room = caller.create_dm(&nova.mxid);
    crate::chat::membership(&stage.bridge, &room, &nova.mxid, "join").await;
    let says = |act: &str, more: serde_json::Value| {
        let mut content = json!({ "call_id": "c", "party_id": "P", "version": "1" });
        content
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        caller.send(&room, &format!("m.call.{act}"), content);
    };
    says(
        "candidates",
        json!({ "candidates": [{ "candidate": "early", "sdpMid": "0" }] }),
    );
    let offer = json!({ "type": "offer", "sdp": super::sdp(name) });
    says("invite", json!({ "lifetime": 60_000, "offer": offer }));
    let bridge = stage.bridge.app().bridge.clone();
    let user = nova_bridge::domain::ids::UserId(nova.id);
    let call = loop {
        if let Some(call) = bridge.active_calls(user).await.unwrap().pop() {
            break call.id;
        }
    };
    let answer = Input::Answer {
        by: user,
        answer: super::offer(name),
        metadata: None,
        dialect: nova_bridge::domain::call::Dialect::Nova,
        claim: None,
    };
    bridge.call_input(call, user, answer).await.unwrap();
    let list = Input::Candidates {
        by: user,
        to: None,
        candidates: (0..5).map(candidate).collect(),
    };
    bridge.call_input(call, user, list).await.unwrap();
    if n.is_multiple_of(2) {
        says("hangup", json!({}));
        while !bridge.active_calls(user).await.unwrap().is_empty() {}
    } else {
        let end = Input::End {
            by: user,
            reason: EndReason::UserHangup,
        };
        bridge.call_input(call, user, end).await.unwrap();
    }
}
