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
    stage.settled().await;
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
    stage.settled().await;
    assert_eq!(stage.all_sent().await, ["m.call.invite"]);
    stage.answers(invite["content"]["call_id"].as_str().unwrap(), "ALICE1");
    stage
        .until(|_, news| matches!(news, News::Answered { .. }).then_some(()))
        .await;
    stage.hangs_up(call.id).await;
    stage.sent(3).await;
    assert_eq!(
        stage.all_sent().await,
        ["m.call.invite", "m.call.select_answer", "m.call.hangup"]
    );
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
        loop {
            let noted: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM outbox WHERE attempts > 0)")
                .fetch_one(&self.bridge.pool)
                .await
                .unwrap();
            if noted {
                return;
            }
        }
    }
}
