//! A Matrix user calls.

use nova_bridge::domain::call::{Input, News};
use nova_bridge::domain::ids::UserId;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::{MINE, Stage, candidate, ended, missed, now_ms, sdp};

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn s05_element_calls_and_nova_accepts(pool: PgPool) {
    let mut stage = Stage::new(pool).await;
    stage.alice_calls(MINE);
    let (call, news) = stage.news().await;
    let News::Initiated { offer, is_video, .. } = news else {
        panic!("{news:?}")
    };
    assert_eq!((offer.unwrap().as_str(), is_video), (sdp("alice").as_str(), false));
    stage.accepts(call).await;
    let candidates = Input::Candidates {
        by: UserId(stage.ana.id),
        to: None,
        candidates: vec![candidate(1)],
    };
    stage.does(call, candidates).await;
    let sent = stage.sent(2).await;
    assert_eq!(
        (&sent[0]["type"], &sent[1]["type"]),
        (&json!("m.call.answer"), &json!("m.call.candidates"))
    );
    assert_eq!(sent[0]["content"]["answer"]["sdp"], sdp("ana"));
    assert_eq!(sent[0]["content"]["party_id"], sent[1]["content"]["party_id"]);
    stage.says("hangup", MINE, "ALICE1", &json!({}));
    let reason = stage.end().await.0.as_str();
    assert_eq!(reason, "user_hangup");
    assert_eq!(stage.all_sent().await.len(), 2);
    assert_eq!(stage.history().await, [ended("user_hangup")]);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn s08_nova_declines(pool: PgPool) {
    let mut stage = Stage::new(pool).await;
    stage.alice_calls(MINE);
    let call = stage.rings().await;
    stage.rejects(call).await;
    stage.sent(1).await;
    assert_eq!(stage.all_sent().await, ["m.call.reject"]);
    assert_eq!(stage.history().await, [ended("declined")]);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn s09_who_is_in_a_call_is_busy_for_others(pool: PgPool) {
    let mut stage = Stage::new(pool).await;
    let call = stage.in_call().await;
    let bob = stage.bridge.homeserver.user("@bob:example.org");
    let room = bob.create_dm(&stage.ana.mxid);
    crate::chat::membership(&stage.bridge, &room, &stage.ana.mxid, "join").await;
    let offer = json!({ "type": "offer", "sdp": sdp("bob") });
    let invite = json!({ "call_id": "b", "party_id": "B", "version": "1", "lifetime": 60_000, "offer": offer });
    bob.send(&room, "m.call.invite", invite);
    let ghost = stage.ana.mxid.clone();
    let reject = stage
        .bridge
        .homeserver
        .wait_for("the reject", |world| super::sent(world, &room, &ghost).pop())
        .await;
    assert_eq!(
        (&reject["type"], &reject["content"]["reason"]),
        (&json!("m.call.reject"), &json!("user_busy"))
    );
    let (other, news) = stage
        .until(|id, news| matches!(news, News::Missed { .. }).then_some((id, news)))
        .await;
    assert!(other != call && matches!(news, News::Missed { .. }));
    assert_eq!(
        stage
            .bridge
            .app()
            .bridge
            .active_calls(stage.ana_id())
            .await
            .unwrap()
            .len(),
        1
    );
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn s13_element_cancels(pool: PgPool) {
    let mut stage = Stage::new(pool).await;
    stage.alice_calls(MINE);
    stage.rings().await;
    stage.says("hangup", MINE, "ALICE1", &json!({}));
    assert!(matches!(stage.news().await.1, News::Missed { .. }));
    assert!(stage.all_sent().await.is_empty());
    assert_eq!(stage.history().await, [missed("cancelled")]);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn s14_a_hangup_of_an_unknown_call_has_no_effect(pool: PgPool) {
    let mut stage = Stage::new(pool).await;
    stage.says("hangup", "never", "ALICE1", &json!({}));
    stage.bridge.settled().await;
    assert!(stage.next_news().await.is_none());
    assert!(stage.history().await.is_empty());
    let (_, letters) = stage.bridge.admin(reqwest::Method::GET, "/dead-letters", None).await;
    assert_eq!(letters["dead_letters"], json!([]));
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn s34_it_still_rings_after_a_restart(pool: PgPool) {
    let mut stage = Stage::new(pool).await;
    stage.alice_calls(MINE);
    let call = stage.rings().await;
    stage.says(
        "candidates",
        MINE,
        "ALICE1",
        &json!({ "candidates": [{ "candidate": "c1", "sdpMid": "0" }] }),
    );
    assert!(matches!(stage.news().await.1, News::Candidates { .. }));
    stage.bridge.restart().await;
    let bridge = &stage.bridge.app().bridge;
    let ringing = bridge.ringing_for(stage.ana_id(), None).await.unwrap();
    let shown: Vec<bool> = ringing
        .iter()
        .map(|it| it.call == call && matches!(it.news, News::Initiated { .. } | News::Candidates { .. }))
        .collect();
    assert_eq!(shown, [true, true]);
    assert!(
        bridge
            .ringing_for(stage.ana_id(), Some(super::UNKNOWN.0.into()))
            .await
            .unwrap()
            .is_empty()
    );
    stage.accepts(call).await;
    stage.sent(1).await;
    assert_eq!(stage.all_sent().await, ["m.call.answer"]);
    assert!(bridge_rings_no_more(&stage).await);
}

async fn bridge_rings_no_more(stage: &Stage) -> bool {
    let bridge = &stage.bridge.app().bridge;
    bridge.ringing_for(stage.ana_id(), None).await.unwrap().is_empty()
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn s35_a_call_during_an_outage_is_a_missed_call_only(pool: PgPool) {
    let mut stage = Stage::new(pool).await;
    let mut invite = stage.invite_event("$late", MINE);
    invite["unsigned"] = json!({ "age": 120_000 });
    stage.push(vec![invite]).await;
    assert!(matches!(stage.news().await.1, News::Missed { .. }));
    assert!(stage.next_news().await.is_none());
    assert!(stage.all_sent().await.is_empty());
    assert_eq!(stage.history().await, [missed("no_answer")]);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn s36_an_invite_that_comes_twice_rings_once(pool: PgPool) {
    let mut stage = Stage::new(pool).await;
    let invite = stage.invite_event("$one", MINE);
    stage.push(vec![invite.clone(), invite.clone()]).await;
    stage.push(vec![invite]).await;
    stage.push(vec![stage.invite_event("$two", MINE)]).await;
    let call = stage.rings().await;
    assert!(stage.next_news().await.is_none());
    stage.accepts(call).await;
    stage.sent(1).await;
    assert_eq!(stage.all_sent().await, ["m.call.answer"]);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn s37_an_invite_that_is_nearly_over_does_not_ring(pool: PgPool) {
    let mut stage = Stage::new(pool).await;
    let mut invite = stage.invite_event("$old", MINE);
    invite["unsigned"] = json!({ "age": 58_000 });
    stage.push(vec![invite]).await;
    assert!(matches!(stage.news().await.1, News::Missed { .. }));
    assert!(stage.next_news().await.is_none());
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn s38_without_an_age_the_time_of_an_invite_counts(pool: PgPool) {
    let mut stage = Stage::new(pool).await;
    let mut old = stage.invite_event("$old", "old");
    old["unsigned"] = json!({});
    old["origin_server_ts"] = json!(now_ms() - 600_000);
    // A clock that is ahead.
    let mut new = stage.invite_event("$new", "new");
    new.as_object_mut().unwrap().remove("unsigned");
    new["origin_server_ts"] = json!(now_ms() + 600_000);
    stage.push(vec![old, new]).await;
    assert!(matches!(stage.news().await.1, News::Missed { .. }));
    stage.rings().await;
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn s39_candidates_reach_nova_in_order_whenever_they_come(pool: PgPool) {
    let mut stage = Stage::new(pool).await;
    let event = |id: &str, from: usize, count: usize| {
        let list: Vec<Value> = (from..from + count)
            .map(|n| json!({ "candidate": format!("c{n}"), "sdpMid": "0", "sdpMLineIndex": 0 }))
            .collect();
        let content = json!({ "call_id": MINE, "party_id": "ALICE1", "version": "1", "candidates": list });
        stage.event(id, "candidates", &content)
    };
    let (before, same, first) = (event("$0", 0, 2), event("$1", 2, 2), event("$3", 4, 1));
    let invite = stage.invite_event("$2", MINE);
    let single: Vec<Value> = (5..60).map(|n| event(&format!("$s{n}"), n, 1)).collect();
    stage.push(vec![before]).await;
    stage.push(vec![same, invite, first]).await;
    stage.push(single).await;
    let call = stage.rings().await;
    let mut heard = Vec::new();
    while heard.len() < 60 {
        let (_, news) = stage.news().await;
        let News::Candidates { candidates, .. } = news else {
            panic!("{news:?}")
        };
        heard.extend(candidates.into_iter().map(|it| it.candidate));
    }
    let wanted: Vec<String> = (0..60).map(|n| format!("c{n}")).collect();
    assert_eq!(heard, wanted);
    let early: i64 = sqlx::query_scalar("SELECT count(*) FROM early_call_events")
        .fetch_one(&stage.bridge.pool)
        .await
        .unwrap();
    assert_eq!(early, 0, "what was taken is gone");
    stage.accepts(call).await;
    stage.sent(1).await;
    for n in 0..60 {
        let one = Input::Candidates {
            by: stage.ana_id(),
            to: None,
            candidates: vec![candidate(n)],
        };
        stage.does(call, one).await;
    }
    let complete = |sent: &[Value]| -> Vec<String> {
        let events = sent.iter().filter(|event| event["type"] == "m.call.candidates");
        let lists = events.flat_map(|event| event["content"]["candidates"].as_array().unwrap().clone());
        lists.map(|it| it["candidate"].as_str().unwrap().to_owned()).collect()
    };
    let (room, ghost) = (stage.room.clone(), stage.ana.mxid.clone());
    let sent = stage
        .bridge
        .homeserver
        .wait_for("all candidates", |world| {
            let sent = super::sent(world, &room, &ghost);
            (complete(&sent).len() == 60).then_some(sent)
        })
        .await;
    let wanted: Vec<String> = (0..60).map(|n| candidate(n).candidate).collect();
    assert_eq!(complete(&sent), wanted);
    assert!(sent.len() <= 5, "they go in batches");
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn s43_a_caller_of_version_0_is_answered_and_declined_in_version_0(pool: PgPool) {
    let mut stage = Stage::new(pool).await;
    let invite = |id: &str, call: &str| {
        let offer = json!({ "type": "offer", "sdp": sdp("alice") });
        stage.event(
            id,
            "invite",
            &json!({ "call_id": call, "version": 0, "lifetime": 60_000, "offer": offer }),
        )
    };
    let (declined, taken) = (invite("$1", "one"), invite("$2", "two"));
    stage.push(vec![declined]).await;
    let call = stage.rings().await;
    stage.rejects(call).await;
    stage.sent(1).await;
    stage.push(vec![taken]).await;
    let call = stage
        .until(|id, news| matches!(news, News::Initiated { .. }).then_some(id))
        .await;
    stage.accepts(call).await;
    let sent = stage.sent(2).await;
    let shown: Vec<Value> = sent
        .iter()
        .map(|event| {
            json!([
                event["type"],
                event["content"]["version"],
                event["content"].get("party_id")
            ])
        })
        .collect();
    assert_eq!(
        shown,
        [json!(["m.call.hangup", 0, null]), json!(["m.call.answer", 0, null])]
    );
    let up: Option<String> = sqlx::query_scalar("SELECT status FROM call_sessions WHERE matrix_call_id = 'two'")
        .fetch_one(&stage.bridge.pool)
        .await
        .unwrap();
    assert_eq!(up.as_deref(), Some("connected"), "it does not wait to be selected");
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn s44_a_version_that_is_a_number_and_strange_ids_ring(pool: PgPool) {
    let mut stage = Stage::new(pool).await;
    let mut invite = stage.invite_event("$odd", "1234567890123abcDEF");
    invite["content"]["version"] = json!(1);
    invite["content"]["party_id"] = json!("a/b+c=");
    invite["content"]["x-unknown"] = json!({ "deep": [null] });
    invite["content"]["invitee"] = json!(null);
    stage.push(vec![invite]).await;
    stage.rings().await;
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn s53_mute_flags_before_the_invite_and_before_the_answer_count(pool: PgPool) {
    let mut stage = Stage::new(pool).await;
    let muted = |id: &str, muted: bool| {
        let streams = json!({ "alice": { "purpose": "m.usermedia", "audio_muted": muted, "video_muted": true } });
        let content = json!({
            "call_id": MINE, "party_id": "ALICE1", "version": "1", "org.matrix.msc3077.sdp_stream_metadata": streams,
        });
        let mut event = stage.event(id, "sdp_stream_metadata_changed", &content);
        event["type"] = json!("org.matrix.call.sdp_stream_metadata_changed");
        event
    };
    let (first, second, third) = (muted("$0", false), muted("$2", true), muted("$3", false));
    stage.push(vec![first, stage.invite_event("$1", MINE), second]).await;
    let call = stage.rings().await;
    stage.accepts(call).await;
    let state = stage.bridge.app().bridge.call(call, stage.ana_id()).await.unwrap();
    assert!(!state.participant(state.initiator).unwrap().audio);
    stage.push(vec![third]).await;
    let audio = stage.until(|_, news| {
        if let News::MediaState { audio, .. } = news {
            Some(audio)
        } else {
            None
        }
    });
    assert!(audio.await);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn s55_an_empty_sdp_mid_is_none(pool: PgPool) {
    let mut stage = Stage::new(pool).await;
    stage.alice_calls(MINE);
    stage.rings().await;
    let list = json!([{ "candidate": "c", "sdpMid": "", "sdpMLineIndex": 0 }, { "candidate": null }, 7]);
    stage.says("candidates", MINE, "ALICE1", &json!({ "candidates": list }));
    let (_, news) = stage.news().await;
    let News::Candidates { candidates, .. } = news else {
        panic!("{news:?}")
    };
    assert_eq!(candidates.len(), 1);
    assert_eq!(
        (&candidates[0].sdp_mid, candidates[0].sdp_mline_index),
        (&None, Some(0))
    );
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn s56_another_answer_that_is_selected_ends_the_call_here(pool: PgPool) {
    let mut stage = Stage::new(pool).await;
    stage.alice_calls(MINE);
    let call = stage.rings().await;
    stage.accepts(call).await;
    stage.sent(1).await;
    stage.says(
        "select_answer",
        MINE,
        "ALICE1",
        &json!({ "selected_party_id": "SOMEONE" }),
    );
    let reason = stage.end().await.0.as_str();
    assert_eq!(reason, "answered_elsewhere");
    assert_eq!(stage.all_sent().await, ["m.call.answer"]);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn s57_a_negotiation_of_another_device_or_too_late_is_dropped(pool: PgPool) {
    let mut stage = Stage::new(pool).await;
    stage.in_call().await;
    let negotiate = |id: &str, party: &str, stream: &str, age: i64| {
        let description = json!({ "type": "offer", "sdp": sdp(stream) });
        let content = json!({
            "call_id": MINE, "party_id": party, "version": "1", "lifetime": 10_000, "description": description,
        });
        let mut event = stage.event(id, "negotiate", &content);
        event["unsigned"] = json!({ "age": age });
        event
    };
    let events = vec![
        negotiate("$1", "OTHER", "foreign", 5),
        negotiate("$2", "ALICE1", "late", 10_001),
        negotiate("$3", "ALICE1", "good", 5),
    ];
    stage.push(events).await;
    let heard = stage.until(|_, news| {
        if let News::Negotiate { description, .. } = news {
            Some(description.sdp.as_str().to_owned())
        } else {
            None
        }
    });
    assert_eq!(heard.await, sdp("good"));
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn s58_a_call_that_is_handed_over_ends(pool: PgPool) {
    let mut stage = Stage::new(pool).await;
    stage.in_call().await;
    let target = json!({ "replacement_id": "r", "target_user": { "id": "@bob:example.org" }, "create_call": "x" });
    stage.says("replaces", MINE, "ALICE1", &target);
    let reason = stage.end().await.0.as_str();
    assert_eq!(reason, "transferred");
    assert_eq!(stage.all_sent().await, ["m.call.answer"]);
}
