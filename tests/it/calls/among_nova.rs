//! Calls among Nova users: two of them, their devices, and groups.

use nova_bridge::bridge::CommandError;
use nova_bridge::bridge::calls::PlaceCall;
use nova_bridge::domain::call::{Call, Dialect, EndReason, Input, News, Phase, Refused};
use nova_bridge::domain::ids::{ConversationId, UserId};
use serde_json::json;
use sqlx::PgPool;

use super::{MINE, Stage, offer};
use crate::support::bridge::NovaUser;

impl Stage {
    async fn input(&self, call: &Call, by: &NovaUser, input: fn(UserId) -> Input) -> Result<Call, CommandError> {
        let by = UserId(by.id);
        self.bridge.app().bridge.call_input(call.id, by, input(by)).await
    }

    async fn places(&self, by: &NovaUser, conversation: ConversationId) -> Result<Call, CommandError> {
        let wanted = PlaceCall {
            conversation,
            max_participants: 3,
            ..self.wanted()
        };
        self.bridge.app().bridge.place_call(UserId(by.id), wanted).await
    }
}

fn takes(by: UserId) -> Input {
    Input::Answer {
        by,
        answer: offer("callee"),
        metadata: None,
        dialect: Dialect::Nova,
        claim: None,
    }
}

fn joins(by: UserId) -> Input {
    Input::Join {
        by,
        sdp: None,
        dialect: Dialect::Nova,
    }
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn two_nova_users_call_each_other_and_matrix_hears_nothing(pool: PgPool) {
    let mut stage = Stage::new(pool).await;
    let bert = stage.bridge.account("bert").await;
    let bridge = stage.bridge.app().bridge.clone();
    let (conversation, _) = bridge
        .open_direct(UserId(bert.id), &stage.ana.id.to_string())
        .await
        .unwrap();
    let call = stage.places(&bert, conversation).await.unwrap();
    let rung = stage.rings().await;
    assert_eq!(rung, call.id);
    let ana = stage.ana.clone();
    let up = stage.input(&call, &ana, takes).await.unwrap();
    assert_eq!(up.phase, Phase::Connected);
    // A reply that was lost is given again; another device comes too late.
    stage.input(&call, &ana, takes).await.unwrap();
    let late = |by| Input::Answer {
        by,
        answer: offer("another"),
        metadata: None,
        dialect: Dialect::Nova,
        claim: None,
    };
    assert!(matches!(
        stage.input(&call, &ana, late).await,
        Err(CommandError::Call(Refused::NotRinging))
    ));
    let participant = stage
        .until(|_, news| {
            if let News::AnsweredElsewhere { participant } = news {
                Some(participant)
            } else {
                None
            }
        })
        .await;
    assert_eq!(participant, up.participant(stage.ana_id()).unwrap().id);
    stage.hangs_up(call.id).await;
    stage.bridge.settled().await;
    let sent = stage.bridge.homeserver.requests();
    assert!(!sent.iter().any(|it| it.target.contains("m.call.")));
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn s16_of_two_devices_that_answer_at_once_one_wins(pool: PgPool) {
    let mut stage = Stage::new(pool).await;
    stage.alice_calls(MINE);
    let call = stage.rings().await;
    let bridge = stage.bridge.app().bridge.clone();
    let answer = |stream: &str| Input::Answer {
        by: UserId(stage.ana.id),
        answer: offer(stream),
        metadata: None,
        dialect: Dialect::Nova,
        claim: None,
    };
    let (one, two) = tokio::join!(
        bridge.call_input(call, stage.ana_id(), answer("one")),
        bridge.call_input(call, stage.ana_id(), answer("two")),
    );
    assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
    stage.sent(1).await;
    assert_eq!(stage.all_sent().await, ["m.call.answer"]);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_nova_user_in_a_call_is_busy_for_other_nova_users(pool: PgPool) {
    let mut stage = Stage::new(pool).await;
    stage.in_call().await;
    let bert = stage.bridge.account("bert").await;
    let bridge = stage.bridge.app().bridge.clone();
    let (conversation, _) = bridge
        .open_direct(UserId(bert.id), &stage.ana.id.to_string())
        .await
        .unwrap();
    let call = stage.places(&bert, conversation).await.unwrap();
    assert_eq!((call.phase, call.reason), (Phase::Ended, Some(EndReason::Busy)));
    // The same where the offer comes later.
    let wanted = PlaceCall {
        conversation,
        offer: None,
        ..stage.wanted()
    };
    let call = bridge.place_call(UserId(bert.id), wanted).await.unwrap();
    assert_eq!(call.phase, Phase::Preparing);
    let offers = |by| Input::Offer {
        by,
        offer: offer("bert"),
        metadata: None,
    };
    let call = stage.input(&call, &bert, offers).await.unwrap();
    assert_eq!(call.reason, Some(EndReason::Busy));
    bridge.set_calls_enabled(stage.ana_id(), false).await.unwrap();
    assert!(matches!(
        stage.places(&bert, conversation).await,
        Err(CommandError::CallsOff)
    ));
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_group_meets_and_its_matrix_members_are_told(pool: PgPool) {
    let mut stage = Stage::new(pool).await;
    let (bert, cleo) = (stage.bridge.account("bert").await, stage.bridge.account("cleo").await);
    let members = json!([bert.id, cleo.id, "@alice:example.org"]);
    let (status, group) = stage
        .ana
        .post(
            "/conversations",
            json!({ "name": "Hill", "conversation_type": "group", "participant_ids": members }),
        )
        .await;
    assert!(status < 300, "{status} {group}");
    let conversation: ConversationId = group["id"].as_str().unwrap().parse().unwrap();
    let room = crate::chat::room_of(&stage.bridge, &conversation.to_string()).await;
    let call = stage.places(&bert, conversation).await.unwrap();
    assert_eq!(stage.rings().await, call.id);
    stage
        .bridge
        .homeserver
        .wait_for("the notice", |world| {
            let texts = world.rooms.get(&room)?.texts();
            texts.iter().any(|text| text.contains("started a call")).then_some(())
        })
        .await;
    assert!(matches!(
        stage.places(&cleo, conversation).await,
        Err(CommandError::InCall { call: id }) if id == call.id
    ));
    let ana = stage.ana.clone();
    stage.input(&call, &ana, joins).await.unwrap();
    let up = stage.input(&call, &cleo, joins).await.unwrap();
    assert_eq!(up.phase, Phase::Connected);
    let came = stage
        .until(|_, news| {
            if let News::ParticipantJoined { by, .. } = news {
                Some(by)
            } else {
                None
            }
        })
        .await;
    assert_eq!(came, UserId(cleo.id));
    // Who leaves the group leaves its call.
    let bridge = stage.bridge.app().bridge.clone();
    bridge.leave(UserId(cleo.id), conversation).await.unwrap();
    let left = stage
        .until(|_, news| {
            if let News::ParticipantLeft { by, .. } = news {
                Some(by)
            } else {
                None
            }
        })
        .await;
    assert_eq!(left, UserId(cleo.id));
    bridge.delete_group(stage.ana_id(), conversation).await.unwrap();
    assert!(bridge.all_active_calls().await.unwrap().is_empty());
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn who_leaves_the_conversation_in_nova_hangs_up(pool: PgPool) {
    let mut stage = Stage::new(pool).await;
    let call = stage.in_call().await;
    let bridge = stage.bridge.app().bridge.clone();
    bridge.leave(stage.ana_id(), stage.conversation).await.unwrap();
    let state = bridge.call(call, stage.ana_id()).await.unwrap();
    assert_eq!((state.phase, state.reason), (Phase::Ended, Some(EndReason::UserHangup)));
    assert!(matches!(
        stage.places(&stage.ana, stage.conversation).await,
        Err(CommandError::NotMember)
    ));
}
