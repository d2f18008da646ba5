//! What Zajel's clients expect besides calls: registration, pairing, and to go on after their connection broke.

use nova_bridge::domain::contact_code::ContactCode;
use nova_bridge::domain::ids::UserId;

use super::*;

const OTHER_KEY: &str = "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXowMTIzNDU=";

/// The code of the only contact.
async fn code_of_contact(user: &NovaUser) -> String {
    let (status, list) = user.get(&format!("/zajel/{}/contacts", user.token)).await;
    assert_eq!(status, 200, "{list}");
    list["contacts"][0]["code"].as_str().unwrap().to_owned()
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn only_a_token_opens_the_door(pool: PgPool) {
    let two = Two::new(pool).await;
    for path in ["/zajel", "/zajel/x", "/zajel/x.y.z", "/zajel?token=x"] {
        assert_eq!(two.ana.refused(path).await, 401, "{path}");
    }
    assert_eq!(two.ana.get("/zajel/x/contacts").await.0, 401);
    let (_, list) = two.ana.get(&format!("/zajel/{}/contacts", two.ana.token)).await;
    let contact = &list["contacts"][0];
    assert_eq!(
        (&contact["name"], &contact["user_id"], &contact["matrix_user_id"]),
        (&json!("BEN"), &json!(two.ben.id), &json!(two.ben.mxid))
    );
    assert_eq!(contact["code"], code_of_contact(&two.ana).await, "it stays");
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn registration(pool: PgPool) {
    let two = Two::new(pool).await;
    let mut ana = Phone::at(two.ana.zajel().await);
    let early = flat("call_hangup", "P3R8WZ", json!({ "callId": new_call() }));
    assert_eq!(ana.may_not(early).await.0, "Not registered");
    assert_eq!(
        ana.may_not(json!({ "type": "pair_request", "targetCode": "P3R8WZ" }))
            .await
            .0,
        "Not registered"
    );
    for (code, key, message) in [
        (json!(null), json!(KEY), "Missing required field: pairingCode"),
        (json!("K7M2QX"), json!(7), "Missing required field: publicKey"),
        (json!("k7m2qx"), json!(KEY), "Invalid pairing code format"),
        (json!("K7M2Q0"), json!(KEY), "Invalid pairing code format"),
        (json!("K7M2QX"), json!("%"), "Invalid public key format"),
        (json!("K7M2QX"), json!("AAAA"), "Invalid public key length"),
    ] {
        let frame = json!({ "type": "register", "pairingCode": code, "publicKey": key });
        assert_eq!(ana.may_not(frame).await.0, message);
    }
    ana.socket.send_text("{").await;
    assert_eq!(
        ana.next("error").await["message"],
        "Invalid message format: JSON parse error"
    );
    assert_eq!(
        ana.may_not(json!({ "type": "dance" })).await.0,
        "Unknown message type: dance"
    );
    assert_eq!(ana.may_not(json!({})).await.0, "Missing required field: type");
    ana.register("K7M2QX", KEY).await;
    ana.next("registered").await;

    // Somebody else has to take another code; the same user takes the place of their broken connection.
    let mut ben = Phone::at(two.ben.zajel().await);
    ben.register("K7M2QX", OTHER_KEY).await;
    ben.next("code_collision").await;
    assert_eq!(ben.socket.closed().await, Some(1008));
    let mut again = Phone::zajel(&two.ana, "K7M2QX", KEY).await;
    assert_eq!(ana.socket.closed().await, Some(1008));
    again.hears_nothing().await;
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn pairing_finds_the_people_of_ones_conversations(pool: PgPool) {
    let two = Two::new(pool).await;
    two.bridge.account("cleo").await;
    let mut ana = Phone::zajel(&two.ana, "K7M2QX", KEY).await;
    let code = code_of_contact(&two.ana).await;
    let ask = |target: &str| json!({ "type": "pair_request", "targetCode": target });
    for target in [code.as_str(), &code.to_lowercase(), &two.ben.mxid] {
        ana.send(ask(target)).await;
        let matched = ana.next("pair_matched").await;
        assert_eq!(
            (&matched["peerCode"], &matched["isInitiator"]),
            (&json!(code), &json!(true))
        );
        assert_eq!(matched["peerPublicKey"].as_str().unwrap().len(), 44);
    }
    // By the code with which they registered just now: it is another one, and their own key comes with it.
    let ben = Phone::zajel(&two.ben, "P3R8WZ", OTHER_KEY).await;
    ana.send(ask("P3R8WZ")).await;
    let matched = ana.next("pair_matched").await;
    assert_eq!(
        (&matched["peerCode"], &matched["peerPublicKey"]),
        (&json!(code), &json!(OTHER_KEY))
    );
    drop(ben);
    for target in ["ZZZZZZ", "K7M2QX", "nobody"] {
        ana.send(ask(target)).await;
        assert_eq!(ana.next("pair_error").await["error"], "Could not process pair request");
    }
    ana.send(json!({ "type": "pair_response", "targetCode": code, "accepted": true }))
        .await;
    ana.next("pair_error").await;
    assert_eq!(
        ana.may_not(json!({ "type": "pair_request" })).await.0,
        "Missing required field: targetCode"
    );
    // Ten a minute, so that nobody guesses.
    loop {
        ana.send(ask("ZZZZZZ")).await;
        let frame = ana.frame().await;
        if frame["type"] == "error" {
            assert_eq!(frame["message"], "Rate limit exceeded. Please slow down.");
            break;
        }
    }
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn two_of_zajels_clients_call(pool: PgPool) {
    let two = Two::new(pool).await;
    let (ben_for_ana, ana_for_ben) = (code_of_contact(&two.ana).await, code_of_contact(&two.ben).await);
    let mut ana = Phone::zajel(&two.ana, "K7M2QX", KEY).await;
    let mut ben = Phone::zajel(&two.ben, "P3R8WZ", OTHER_KEY).await;
    // Nothing but calls is told.
    two.ana.say(&two.conversation, "hello").await;
    let (call, rung) = ring(&mut ana, &mut ben, &ben_for_ana).await;
    let answer = json!({ "callId": rung, "sdp": sdp("ben") });
    ben.send(enveloped("call_answer", &ana_for_ben, &answer)).await;
    let answered = ana.next("call_answer").await;
    assert_eq!(
        (&answered["callId"], &answered["from"]),
        (&json!(call), &json!(ben_for_ana))
    );
    ben.send(flat("call_hangup", &ana_for_ben, json!({ "callId": rung })))
        .await;
    ana.next("call_hangup").await;
    ben.hears_nothing().await;
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_client_whose_connection_broke_goes_on_where_it_was(pool: PgPool) {
    let two = Two::new(pool).await;
    let ben_for_ana = code_of_contact(&two.ana).await;
    let mut ana = Phone::zajel(&two.ana, "K7M2QX", KEY).await;
    let mut ben = Phone::of(&two.ben).await;
    let (call, rung) = ring(&mut ana, &mut ben, &ben_for_ana).await;
    // Nobody reads from the first connection any more, and nobody has closed it.
    let mut broken = ana;
    let answer = json!({ "callId": rung, "sdp": sdp("ben") });
    ben.send(flat("call_answer", "x", answer)).await;
    ben.send(flat("call_ice", "x", ice(&rung, 1))).await;
    ben.hears_nothing().await;
    // It has another code, and the same key.
    let mut ana = Phone::zajel(&two.ana, "X2X2X2", KEY).await;
    assert_eq!(ana.next("call_answer").await["callId"], call.as_str());
    assert_eq!(line(&ana.next("call_ice").await), "candidate:1");
    assert_eq!(broken.socket.closed().await, Some(1008));
    drop(ana);
    ben.send(flat("call_hangup", "x", json!({ "callId": rung }))).await;
    ben.hears_nothing().await;
    let mut ana = Phone::zajel(&two.ana, "Y2Y2Y2", KEY).await;
    loop {
        // What nobody confirmed comes again.
        let frame = ana.frame().await;
        if frame["type"] == "call_hangup" {
            assert_eq!(frame["callId"], call.as_str());
            break;
        }
        assert!(
            ["call_answer", "call_ice"].contains(&frame["type"].as_str().unwrap()),
            "{frame}"
        );
    }
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_device_that_was_away_hears_that_another_one_has_the_call(pool: PgPool) {
    let two = Two::new(pool).await;
    let ana_for_ben = code_of_contact(&two.ben).await;
    let (mut ana, mut nova) = (Phone::of(&two.ana).await, Phone::of(&two.ben).await);
    let mut broken = Phone::zajel(&two.ben, "P3R8WZ", KEY).await;
    let (_, rung) = ring(&mut ana, &mut nova, &two.ben.id.to_string()).await;
    assert_eq!(broken.next("call_offer").await["from"], ana_for_ben.as_str());
    nova.send(flat("call_answer", "x", json!({ "callId": rung, "sdp": sdp("ben") })))
        .await;
    ana.next("call_answer").await;
    let mut ben = Phone::zajel(&two.ben, "X2X2X2", KEY).await;
    assert_eq!(ben.next("call_hangup").await["callId"], rung.as_str());
    ben.hears_nothing().await;
    nova.hears_nothing().await;
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_ring_that_is_shown_again_is_not_refused_by_itself(pool: PgPool) {
    let two = Two::new(pool).await;
    let ana_for_ben = code_of_contact(&two.ben).await;
    let (mut ana, mut nova) = (Phone::of(&two.ana).await, Phone::of(&two.ben).await);
    let (call, rung) = ring(&mut ana, &mut nova, &two.ben.id.to_string()).await;
    let mut ben = Phone::zajel(&two.ben, "P3R8WZ", KEY).await;
    let shown = ben.next("call_offer").await;
    assert_eq!((&shown["callId"], &shown["from"]), (&json!(rung), &json!(ana_for_ben)));
    // It may ring there already, and clients take a second offer for another call.
    let no = |reason: &str| flat("call_reject", &ana_for_ben, json!({ "callId": rung, "reason": reason }));
    ben.send(no("busy")).await;
    ben.hears_nothing().await;
    ana.hears_nothing().await;
    ben.send(no("declined")).await;
    assert_eq!(ana.next("call_reject").await["callId"], call.as_str());
    nova.next("call_hangup").await;
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_call_keeps_its_name_over_a_restart(pool: PgPool) {
    let mut two = Two::new(pool).await;
    let ben_for_ana = code_of_contact(&two.ana).await;
    let mut ana = Phone::zajel(&two.ana, "K7M2QX", KEY).await;
    let mut ben = Phone::of(&two.ben).await;
    let (call, rung) = ring(&mut ana, &mut ben, &ben_for_ana).await;
    two.bridge.restart().await;
    let (at_ana, at_ben) = (two.ana.at(&two.bridge), two.ben.at(&two.bridge));
    // A new socket is rung under the same name, and the caller who missed the answer is shown it.
    let mut ben = Phone::of(&at_ben).await;
    assert_eq!(ben.next("call_offer").await["callId"], rung.as_str());
    ben.send(flat("call_answer", "x", json!({ "callId": rung, "sdp": sdp("ben") })))
        .await;
    ben.hears_nothing().await;
    let mut ana = Phone::zajel(&at_ana, "K7M2QX", KEY).await;
    let answered = ana.next("call_answer").await;
    assert_eq!(
        (&answered["callId"], &answered["from"]),
        (&json!(call), &json!(ben_for_ana))
    );
    ana.send(flat("call_hangup", &ben_for_ana, json!({ "callId": call })))
        .await;
    assert_eq!(ben.next("call_hangup").await["callId"], rung.as_str());
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_code_that_is_taken_is_left_alone(pool: PgPool) {
    let two = Two::new(pool).await;
    let (ana, ben) = (UserId(two.ana.id), UserId(two.ben.id));
    let [first, second] = [0, 1].map(|attempt| ContactCode::derived(ana, ben, attempt));
    // Somebody has it; who does not matter.
    sqlx::query("INSERT INTO contact_codes (user_id, peer_id, code) VALUES ($1, $1, $2)")
        .bind(ana.0)
        .bind(first.as_str())
        .execute(&two.bridge.pool)
        .await
        .unwrap();
    assert_eq!(code_of_contact(&two.ana).await, second.as_str());
}
