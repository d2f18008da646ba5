//! People and rooms go, and sockets do.

use nova_bridge::domain::call::EndReason;
use serde_json::json;
use sqlx::PgPool;

use super::{Stage, ended};

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn s48_a_peer_who_leaves_the_room_has_hung_up(pool: PgPool) {
    let mut stage = Stage::new(pool).await;
    stage.in_call().await;
    stage.alice.leave(&stage.room);
    let reason = stage.end().await.0;
    assert_eq!(reason, EndReason::UserHangup);
    assert_eq!(stage.all_sent().await, ["m.call.answer"]);
    assert_eq!(stage.history().await, [ended("user_hangup")]);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn s49_a_ghost_that_is_put_out_is_in_no_call(pool: PgPool) {
    let mut stage = Stage::new(pool).await;
    stage.without_power().await;
    stage.in_call().await;
    stage.alice.kick(&stage.room, &stage.ana.mxid);
    let (reason, detail) = stage.end().await;
    assert_eq!((reason, detail.is_some()), (EndReason::Error, true));
    assert_eq!(stage.all_sent().await, ["m.call.answer"]);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn s49_nothing_is_sent_to_a_room_that_was_upgraded(pool: PgPool) {
    let mut stage = Stage::new(pool).await;
    stage.in_call().await;
    let new = stage.alice.upgrade_room(&stage.room);
    let reason = stage.end().await.0;
    assert_eq!(reason, EndReason::Error);
    stage.bridge.homeserver.wait_until_pushed().await;
    assert_eq!(
        stage
            .bridge
            .homeserver
            .inspect(|world| super::sent(world, &stage.room, &stage.ana.mxid))
            .len(),
        1
    );
    assert!(
        stage
            .bridge
            .homeserver
            .inspect(|world| super::sent(world, &new, &stage.ana.mxid))
            .is_empty()
    );
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn who_loses_their_last_socket_is_gone_until_the_next_one(pool: PgPool) {
    let mut stage = Stage::new(pool).await;
    let call = stage.in_call().await;
    let bridge = stage.bridge.app().bridge.clone();
    let gone = async |wanted: bool| {
        loop {
            let state = bridge.call(call, stage.ana_id()).await.unwrap();
            if state.participant(stage.ana_id()).unwrap().gone_since.is_some() == wanted {
                return state.deadline().unwrap();
            }
        }
    };
    let (one, two) = (bridge.attend(stage.ana_id()), bridge.attend(stage.ana_id()));
    drop(one);
    drop(two);
    let deadline = gone(true).await;
    let back = bridge.attend(stage.ana_id());
    assert!(gone(false).await > deadline, "nothing ends it now");
    drop(back);
    gone(true).await;
    // As if another node had seen her go, while she is here.
    let here = bridge.attend(stage.ana_id());
    gone(false).await;
    drop(here);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn after_a_restart_everybody_counts_as_gone(pool: PgPool) {
    let mut stage = Stage::new(pool).await;
    let call = stage.in_call().await;
    stage.bridge.restart().await;
    loop {
        let state = stage.bridge.app().bridge.call(call, stage.ana_id()).await.unwrap();
        let alice = state.participant(state.initiator).unwrap();
        assert!(alice.gone_since.is_none(), "a Matrix user has no socket here");
        if state.participant(stage.ana_id()).unwrap().gone_since.is_some() {
            break;
        }
    }
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_deadline_that_came_while_nobody_ran_is_applied(pool: PgPool) {
    let mut stage = Stage::new(pool).await;
    stage.calls().await;
    stage.sent(1).await;
    stage.bridge.stop().await;
    // The time in which it rings is over.
    let over = "UPDATE call_sessions SET deadline = '2026-01-01',
                       machine = jsonb_set(machine::jsonb, '{rings_until}', '\"2026-01-01T00:00:00Z\"')::json";
    sqlx::query(over).execute(&stage.bridge.pool).await.unwrap();
    stage.bridge.start_again().await;
    let hangup = stage.sent(2).await.remove(1);
    assert_eq!(
        (&hangup["type"], &hangup["content"]["reason"]),
        (&json!("m.call.hangup"), &json!("invite_timeout"))
    );
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn s11_nobody_answers(pool: PgPool) {
    let mut stage = Stage::new(pool).await;
    stage.calls().await;
    stage.sent(1).await;
    // As another node would see it: this one finds out by itself.
    let over = "UPDATE call_sessions SET deadline = '2026-01-01',
                       machine = jsonb_set(machine::jsonb, '{rings_until}', '\"2026-01-01T00:00:00Z\"')::json";
    sqlx::query(over).execute(&stage.bridge.pool).await.unwrap();
    assert_eq!(stage.end().await.0, EndReason::NoAnswer);
    let hangup = stage.sent(2).await.remove(1);
    assert_eq!(hangup["content"]["reason"], "invite_timeout");
    assert_eq!(stage.history().await, [super::missed("no_answer")]);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn s31_a_session_that_does_not_come_back_ends_the_call(pool: PgPool) {
    let mut stage = Stage::new(pool).await;
    stage.in_call().await;
    let impatient = "UPDATE call_sessions SET machine = jsonb_set(machine::jsonb, '{grace_ms}', '50')::json";
    sqlx::query(impatient).execute(&stage.bridge.pool).await.unwrap();
    drop(stage.bridge.app().bridge.attend(stage.ana_id()));
    assert_eq!(stage.end().await.0, EndReason::Lost);
    let hangup = stage.sent(2).await.remove(1);
    assert_eq!(
        (&hangup["type"], &hangup["content"]["reason"]),
        (&json!("m.call.hangup"), &json!("unknown_error"))
    );
}
