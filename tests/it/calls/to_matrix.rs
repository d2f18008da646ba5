//! A Nova user calls.

use nova_bridge::bridge::CommandError;
use nova_bridge::domain::call::{Dialect, EndReason, Input, News, Refused};
use serde_json::json;
use sqlx::PgPool;

use super::{Stage, UNKNOWN, candidate, ended, missed, sdp};

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn s01_nova_calls_and_s03_hangs_up(pool: PgPool) {
    let mut stage = Stage::new(pool).await;
    let call = stage.calls().await;
    let invite = stage.sent(1).await.remove(0);
    let content = &invite["content"];
    assert_eq!(invite["type"], "m.call.invite");
    let matrix_call = content["call_id"].as_str().unwrap().to_owned();
    assert!(matrix_call.starts_with("~n."), "{matrix_call}");
    assert_eq!(
        (&content["lifetime"], &content["invitee"]),
        (&json!(60_000), &json!("@alice:example.org"))
    );
    assert_eq!(content["offer"], json!({ "type": "offer", "sdp": sdp("ana") }));
    let streams = json!({ "ana": { "purpose": "m.usermedia", "audio_muted": false, "video_muted": true } });
    assert_eq!(
        (
            &content["sdp_stream_metadata"],
            &content["org.matrix.msc3077.sdp_stream_metadata"]
        ),
        (&streams, &streams)
    );
    stage.answers(&matrix_call, "ALICE1");
    let answer = stage.until(|_, news| {
        if let News::Answered { answer, .. } = news {
            answer
        } else {
            None
        }
    });
    assert_eq!(answer.await.as_str(), sdp("alice"));
    let select = stage.sent(2).await.remove(1);
    assert_eq!(select["content"]["selected_party_id"], "ALICE1");
    stage.hangs_up(call.id).await;
    let hangup = stage.sent(3).await.remove(2);
    assert_eq!(
        (&hangup["type"], &hangup["content"]["reason"]),
        (&json!("m.call.hangup"), &json!("user_hangup"))
    );
    assert_eq!(hangup["content"]["party_id"], content["party_id"]);
    stage.hangs_up(call.id).await;
    assert_eq!(stage.all_sent().await.len(), 3, "ended is final");
    assert_eq!(stage.history().await, [ended("user_hangup")]);
    let kept: String = sqlx::query_scalar("SELECT machine::text FROM call_sessions")
        .fetch_one(&stage.bridge.pool)
        .await
        .unwrap();
    assert!(!kept.contains("v=0"), "no SDP is kept");
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn s07_element_declines(pool: PgPool) {
    let mut stage = Stage::new(pool).await;
    stage.calls().await;
    let invite = stage.sent(1).await.remove(0);
    stage.says(
        "reject",
        invite["content"]["call_id"].as_str().unwrap(),
        "ALICE1",
        &json!({}),
    );
    let reason = stage.until(|_, news| {
        if let News::Rejected { reason, .. } = news {
            Some(reason)
        } else {
            None
        }
    });
    assert_eq!(reason.await, EndReason::Declined);
    stage.sent(2).await;
    assert_eq!(stage.all_sent().await, ["m.call.invite", "m.call.select_answer"]);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn s10_nova_cancels(pool: PgPool) {
    let stage = Stage::new(pool).await;
    let call = stage.calls().await;
    stage.sent(1).await;
    stage.hangs_up(call.id).await;
    stage.sent(2).await;
    assert_eq!(stage.all_sent().await, ["m.call.invite", "m.call.hangup"]);
    assert_eq!(stage.history().await, [missed("cancelled")]);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn s19_second_answer_is_ignored(pool: PgPool) {
    let mut stage = Stage::new(pool).await;
    let (_, call) = stage.in_own_call().await;
    stage.answers(&call, "ALICE2");
    stage.says("hangup", &call, "ALICE2", &json!({ "reason": "user_hangup" }));
    stage.says(
        "candidates",
        &call,
        "ALICE2",
        &json!({ "candidates": [{ "candidate": "no", "sdpMid": "0" }] }),
    );
    stage.says(
        "candidates",
        &call,
        "ALICE1",
        &json!({ "candidates": [{ "candidate": "yes", "sdpMid": "0" }] }),
    );
    let (_, news) = stage.news().await;
    let News::Candidates { candidates, .. } = news else {
        panic!("{news:?}")
    };
    assert_eq!(candidates[0].candidate, "yes");
    assert_eq!(stage.all_sent().await, ["m.call.invite", "m.call.select_answer"]);
    assert_eq!(stage.history().await, [("connected".to_owned(), None)]);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn s20_two_calls_that_cross_become_the_one_of_element(pool: PgPool) {
    let mut stage = Stage::new(pool).await;
    let own = stage.calls().await.id;
    stage.sent(1).await;
    stage.rings().await;
    stage.alice_calls("zzz");
    let (ended, news) = stage.news().await;
    assert_eq!(ended, own);
    assert!(
        matches!(
            news,
            News::Ended {
                reason: EndReason::Replaced,
                ..
            }
        ),
        "{news:?}"
    );
    let (theirs, news) = stage.news().await;
    let News::Initiated { replaces, .. } = news else {
        panic!("{news:?}")
    };
    assert_eq!(replaces, Some(own));
    stage.accepts(theirs).await;
    let sent = stage.sent(3).await;
    let shown: Vec<_> = sent
        .iter()
        .map(|event| (event["type"].as_str().unwrap(), event["content"]["call_id"] == "zzz"))
        .collect();
    assert!(
        shown.contains(&("m.call.hangup", false)) && shown.contains(&("m.call.answer", true)),
        "{shown:?}"
    );
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn s21_a_call_that_is_being_prepared_gives_way(pool: PgPool) {
    let mut stage = Stage::new(pool).await;
    let mut wanted = stage.wanted();
    wanted.offer = None;
    let bridge = stage.bridge.app().bridge.clone();
    let own = bridge.place_call(stage.ana_id(), wanted).await.unwrap().id;
    stage.alice_calls("zzz");
    let theirs = stage
        .until(|id, news| matches!(news, News::Initiated { replaces, .. } if replaces == Some(own)).then_some(id))
        .await;
    stage.accepts(theirs).await;
    stage.sent(1).await;
    assert_eq!(stage.all_sent().await, ["m.call.answer"]);
    let late = Input::Offer {
        by: stage.ana_id(),
        offer: super::offer("ana"),
        metadata: None,
    };
    assert!(matches!(
        bridge.call_input(own, stage.ana_id(), late).await,
        Err(CommandError::Call(Refused::Ended))
    ));
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn s23_mute_is_said_with_both_booleans_under_both_names(pool: PgPool) {
    let mut stage = Stage::new(pool).await;
    let (call, _) = stage.in_own_call().await;
    for audio in [false, true] {
        let media = Input::Media {
            by: stage.ana_id(),
            audio: Some(audio),
            video: None,
        };
        stage.does(call, media).await;
    }
    let sent = stage.sent(4).await;
    for (event, muted) in sent[2..].iter().zip([true, false]) {
        let streams = json!({ "ana": { "purpose": "m.usermedia", "audio_muted": muted, "video_muted": true } });
        assert_eq!(event["type"], "m.call.sdp_stream_metadata_changed");
        assert_eq!(event["content"]["sdp_stream_metadata"], streams);
        assert_eq!(event["content"]["org.matrix.msc3077.sdp_stream_metadata"], streams);
    }
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn s54_a_hangup_that_is_echoed_ends_nothing_twice(pool: PgPool) {
    let mut stage = Stage::new(pool).await;
    let (call, matrix_call) = stage.in_own_call().await;
    stage.hangs_up(call).await;
    stage.sent(3).await;
    stage.says("hangup", &matrix_call, "ALICE1", &json!({ "reason": "userHangup" }));
    assert_eq!(
        stage.all_sent().await,
        ["m.call.invite", "m.call.select_answer", "m.call.hangup"]
    );
    let mut ends = 0;
    while let Some((_, news)) = stage.next_news().await {
        ends += i32::from(matches!(news, News::Ended { .. }));
    }
    assert_eq!(ends, 1);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn what_cannot_be_is_refused_and_changes_nothing(pool: PgPool) {
    let stage = Stage::new(pool).await;
    let bridge = stage.bridge.app().bridge.clone();
    let ana = stage.ana_id();
    let bert = stage.bridge.account("bert").await;
    let bert = nova_bridge::domain::ids::UserId(bert.id);
    let place = async |user, change: fn(&mut nova_bridge::bridge::calls::PlaceCall)| {
        let mut wanted = stage.wanted();
        change(&mut wanted);
        bridge.place_call(user, wanted).await
    };
    assert!(matches!(place(bert, |_| {}).await, Err(CommandError::NotMember)));
    assert!(matches!(
        place(ana, |it| it.conversation = UNKNOWN.0.into()).await,
        Err(CommandError::NoSuchConversation)
    ));
    assert!(matches!(
        place(ana, |it| it.idempotency_key = Some(String::new())).await,
        Err(CommandError::Invalid(_))
    ));
    let streamless = |it: &mut nova_bridge::bridge::calls::PlaceCall| {
        let text = "v=0\r\nm=audio 9 RTP 0\r\na=recvonly\r\n".to_owned();
        it.offer = Some(nova_bridge::domain::call::Sdp::read(text).unwrap());
    };
    assert!(matches!(
        place(ana, streamless).await,
        Err(CommandError::Call(Refused::BadOffer))
    ));
    bridge.set_calls_enabled(ana, false).await.unwrap();
    assert!(matches!(place(ana, |_| {}).await, Err(CommandError::CallsOff)));
    bridge.set_calls_enabled(ana, true).await.unwrap();
    assert!(stage.history().await.is_empty());

    let call = place(ana, |it| it.idempotency_key = Some("k".to_owned()))
        .await
        .unwrap();
    let again = place(ana, |it| it.idempotency_key = Some("k".to_owned()))
        .await
        .unwrap();
    assert_eq!(call.id, again.id);
    let taken = place(ana, |_| {}).await;
    assert!(matches!(taken, Err(CommandError::InCall { call: id }) if id == call.id));
    let end = |by| Input::End {
        by,
        reason: EndReason::UserHangup,
    };
    assert!(matches!(
        bridge.call_input(call.id, bert, end(bert)).await,
        Err(CommandError::Call(Refused::NotYours))
    ));
    assert!(matches!(
        bridge.call_input(UNKNOWN, ana, end(ana)).await,
        Err(CommandError::UnknownCall)
    ));
    let answer = Input::Answer {
        by: ana,
        answer: super::offer("x"),
        metadata: None,
        dialect: Dialect::Nova,
        claim: None,
    };
    assert!(matches!(
        bridge.call_input(call.id, ana, answer).await,
        Err(CommandError::Call(Refused::NotRinging))
    ));
    assert!(matches!(
        bridge.call(call.id, bert).await,
        Err(CommandError::Call(Refused::NotYours))
    ));
    assert_eq!(
        bridge.call_in(stage.conversation, ana).await.unwrap().unwrap().id,
        call.id
    );
    assert!(bridge.call_in(stage.conversation, bert).await.unwrap().is_none());
    assert_eq!(bridge.all_active_calls().await.unwrap().len(), 1);
    assert_eq!(bridge.call_history(ana, None, 10).await.unwrap().len(), 1);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn the_end_of_the_candidates_goes_at_once(pool: PgPool) {
    let mut stage = Stage::new(pool).await;
    let (call, _) = stage.in_own_call().await;
    let mut end = candidate(2);
    end.candidate.clear();
    let both = Input::Candidates {
        by: stage.ana_id(),
        to: None,
        candidates: vec![candidate(1), end],
    };
    stage.does(call, both).await;
    let candidates = stage.sent(3).await.remove(2);
    assert_eq!(
        candidates["content"]["candidates"],
        json!([
            { "candidate": candidate(1).candidate, "sdpMid": "0", "sdpMLineIndex": 0 },
            { "candidate": "" },
        ])
    );
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_call_into_a_room_that_is_being_made_waits_for_it(pool: PgPool) {
    let stage = Stage::new(pool).await;
    let gate = crate::support::homeserver::Gate::new();
    let hang = crate::support::homeserver::Fault::Hang(gate.clone());
    stage
        .bridge
        .homeserver
        .fail_next(crate::support::homeserver::On::CreateRoom, hang);
    stage.bridge.homeserver.user("@carol:example.org");
    let conversation = stage.ana.open("@carol:example.org").await;
    gate.reached().await;
    let mut wanted = stage.wanted();
    wanted.conversation = conversation.parse().unwrap();
    let bridge = stage.bridge.app().bridge.clone();
    bridge.place_call(stage.ana_id(), wanted).await.unwrap();
    gate.release();
    let room = crate::chat::room_of(&stage.bridge, &conversation).await;
    let ghost = stage.ana.mxid.clone();
    let invite = stage
        .bridge
        .homeserver
        .wait_for("the invite", |world| super::sent(world, &room, &ghost).pop())
        .await;
    assert_eq!(invite["content"]["invitee"], "@carol:example.org");
}
