//! Frames that make no sense, calls that there are not, and calls of others: a clear error, and nothing changes.

use super::*;

/// Every frame about a call that is there.
fn frames(call: &str, target: &str) -> Vec<Value> {
    vec![
        flat("call_answer", target, json!({ "callId": call, "sdp": sdp("x") })),
        flat("call_reject", target, json!({ "callId": call, "reason": "busy" })),
        flat("call_hangup", target, json!({ "callId": call })),
        flat("call_ice", target, ice(call, 1)),
    ]
}

async fn state(two: &Two) -> String {
    sqlx::query_scalar("SELECT coalesce(string_agg(machine::text, '|' ORDER BY id), '') FROM call_sessions")
        .fetch_one(&two.bridge.pool)
        .await
        .unwrap()
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn whatever_is_wrong_is_named_and_the_socket_lives(pool: PgPool) {
    let two = Two::new(pool).await;
    let (mut ana, mut ben) = (Phone::of(&two.ana).await, Phone::of(&two.ben).await);
    let to_ben = two.ben.id.to_string();
    let (call, _) = ring(&mut ana, &mut ben, &to_ben).await;
    let before = state(&two).await;
    let long = "x".repeat(65 * 1024);
    let other = new_call();
    for frame in [
        json!({ "type": "call_offer" }),
        json!({ "type": "call_offer", "target": to_ben, "payload": 7 }),
        json!({ "type": "call_offer", "target": to_ben, "payload": { "callId": other } }),
        json!({ "type": "call_offer", "targetId": to_ben, "callId": other, "sdp": format!("v=0{long}") }),
        json!({ "type": "call_offer", "targetId": to_ben, "callId": other, "sdp": sdp("x"), "withVideo": "no" }),
        json!({ "type": "call_offer", "targetId": long, "callId": other, "sdp": sdp("x") }),
        json!({ "type": "call_answer", "targetId": to_ben, "callId": call }),
        json!({ "type": "call_reject", "targetId": to_ben, "callId": call, "reason": 7 }),
        json!({ "type": "call_hangup", "callId": call }),
        json!({ "type": "call_hangup", "targetId": to_ben, "callId": "7" }),
        json!({ "type": "call_ice", "targetId": to_ben, "callId": call, "candidate": { "candidate": "c" } }),
        json!({ "type": "call_ice", "targetId": to_ben, "callId": call, "candidate": long }),
    ] {
        let shown: String = frame.to_string().chars().take(120).collect();
        let (message, code) = ana.may_not(frame).await;
        assert_eq!(code, "INVALID_REQUEST", "{shown}: {message}");
        assert!(!message.is_empty() && message.len() < 200, "{shown}: {message}");
    }
    for frame in frames(&new_call(), &to_ben) {
        assert_eq!(ana.may_not(frame).await.1, "CALL_NOT_FOUND");
    }
    assert_eq!(state(&two).await, before);
    ana.send(flat("call_hangup", &to_ben, json!({ "callId": call }))).await;
    ben.next("call_hangup").await;
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_call_that_cannot_be_made_rings_no_longer(pool: PgPool) {
    let two = Two::new(pool).await;
    let (mut ana, mut ben) = (Phone::of(&two.ana).await, Phone::of(&two.ben).await);
    let cleo = two.bridge.account("cleo").await;
    let to_ben = two.ben.id.to_string();
    let offer = |call: &str, sdp: String| json!({ "callId": call, "sdp": sdp, "withVideo": false });
    // Nobody with whom Ana talks.
    for target in [
        "P3R8WZ",
        "nobody",
        &cleo.id.to_string(),
        &cleo.mxid,
        "@who:example.org",
        &two.ana.mxid,
    ] {
        let call = new_call();
        let refused = ana.may_not(flat("call_offer", target, offer(&call, sdp("x")))).await;
        assert_eq!(refused.0, format!("Peer not found: {target}"));
        let end = ana.next("call_reject").await;
        assert_eq!((&end["callId"], &end["from"]), (&json!(call), &json!(target)));
        assert_eq!(end["reason"], "declined");
    }
    // An offer that nobody could hear.
    let mute = sdp("x").replace("a=msid:x track\r\n", "");
    let refused = ana.may_not(flat("call_offer", &to_ben, offer(&new_call(), mute))).await;
    assert_eq!(refused.1, "BAD_OFFER");
    ana.next("call_reject").await;
    assert_eq!(state(&two).await, "");
    // A second call in the same conversation.
    ring(&mut ana, &mut ben, &to_ben).await;
    let before = state(&two).await;
    let back = flat("call_offer", &two.ana.id.to_string(), offer(&new_call(), sdp("x")));
    assert_eq!(ben.may_not(back).await.1, "CALL_CONFLICT");
    assert_eq!(ben.next("call_reject").await["reason"], "busy");
    assert_eq!(state(&two).await, before);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn the_calls_of_others_are_theirs_and_one_that_is_over_stays_over(pool: PgPool) {
    let two = Two::new(pool).await;
    let (mut ana, mut ben) = (Phone::of(&two.ana).await, Phone::of(&two.ben).await);
    let mut cleo = Phone::of(&two.bridge.account("cleo").await).await;
    let to_ben = two.ben.id.to_string();
    let (call, rung) = ring(&mut ana, &mut ben, &to_ben).await;
    let before = state(&two).await;
    for frame in frames(&rung, &to_ben) {
        assert_eq!(cleo.may_not(frame).await.1, "AUTHORIZATION_ERROR");
    }
    // Its caller's own name for it means nothing to others.
    for frame in frames(&call, &to_ben) {
        assert_eq!(cleo.may_not(frame).await.1, "CALL_NOT_FOUND");
    }
    assert_eq!(state(&two).await, before);

    ana.send(flat("call_hangup", &to_ben, json!({ "callId": call }))).await;
    ben.next("call_hangup").await;
    let before = state(&two).await;
    for (phone, id) in [(&mut ana, &call), (&mut ben, &rung)] {
        for frame in frames(id, &to_ben) {
            if ["call_hangup", "call_reject"].contains(&frame["type"].as_str().unwrap()) {
                // The end of what is over is no error.
                phone.send(frame).await;
                phone.hears_nothing().await;
            } else {
                assert_eq!(phone.may_not(frame).await.1, "CALL_CONFLICT");
            }
        }
    }
    let again = json!({ "callId": call, "sdp": sdp("ana"), "withVideo": false });
    assert_eq!(ana.may_not(flat("call_offer", &to_ben, again)).await.1, "CALL_CONFLICT");
    assert_eq!(state(&two).await, before);
}
