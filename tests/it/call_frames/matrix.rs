//! Calls between Zajel's clients and somebody in Matrix.

use super::*;
use crate::chat::direct;
use crate::support::bridge::TestBridge;
use crate::support::homeserver::User;

/// A direct chat of Alice, who is in Matrix, and Ana with a Zajel client.
struct Stage {
    bridge: TestBridge,
    user: NovaUser,
    ana: Phone,
    alice: User,
    room: String,
    /// What Ana's client calls Alice.
    code: String,
}

impl Stage {
    async fn new(pool: PgPool) -> Self {
        let bridge = TestBridge::start(pool).await;
        let user = bridge.account("ana").await;
        let (room, _) = direct(&bridge, &user).await;
        bridge.homeserver.wait_until_pushed().await;
        let (_, list) = user.get(&format!("/zajel/{}/contacts", user.token)).await;
        let alice = bridge.homeserver.user("@alice:example.org");
        assert_eq!(list["contacts"][0]["matrix_user_id"], alice.id());
        Self {
            code: list["contacts"][0]["code"].as_str().unwrap().to_owned(),
            ana: Phone::zajel(&user, "K7M2QX", KEY).await,
            alice,
            room,
            user,
            bridge,
        }
    }

    fn says(&self, act: &str, call: &str, mut content: Value) {
        content["call_id"] = json!(call);
        content["party_id"] = json!("ALICE1");
        content["version"] = json!("1");
        self.alice.send(&self.room, &format!("m.call.{act}"), content);
    }

    fn alice_calls(&self, call: &str) {
        let offer = json!({ "type": "offer", "sdp": sdp("alice") });
        let metadata = json!({ "alice": { "purpose": "m.usermedia", "audio_muted": false, "video_muted": false } });
        let content = json!({ "lifetime": 60_000, "offer": offer, "sdp_stream_metadata": metadata });
        self.says("invite", call, content);
    }

    /// The event of that kind that Ana's ghost sends.
    async fn event(&self, act: &str) -> Value {
        let kind = format!("m.call.{act}");
        let look = |event: &&Value| event["type"] == kind.as_str() && event["sender"] == self.user.mxid.as_str();
        self.bridge
            .homeserver
            .wait_for(&kind, |world| {
                let room = world.rooms.get(&self.room)?;
                room.timeline.iter().rev().find(look).cloned()
            })
            .await
    }
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn zajel_calls_matrix(pool: PgPool) {
    let mut stage = Stage::new(pool).await;
    let (call, code) = (new_call(), stage.code.clone());
    let offer = json!({ "callId": call, "sdp": sdp("ana"), "withVideo": false });
    stage.ana.send(enveloped("call_offer", &code, &offer)).await;
    stage.ana.send(enveloped("call_ice", &code, &ice(&call, 1))).await;
    let invite = stage.event("invite").await;
    assert_eq!(invite["content"]["offer"]["sdp"], sdp("ana"));
    // Element must not try what this client cannot do.
    assert_eq!(invite["content"].get("sdp_stream_metadata"), None);
    let there = invite["content"]["call_id"].as_str().unwrap().to_owned();
    let sent = stage.event("candidates").await;
    assert_eq!(sent["content"]["candidates"][0]["candidate"], "candidate:1");

    // What comes early waits for the answer.
    let early = json!({ "candidates": [{ "candidate": "candidate:2", "sdpMid": "0", "sdpMLineIndex": 0 }] });
    stage.says("candidates", &there, early);
    stage.says(
        "answer",
        &there,
        json!({ "answer": { "type": "answer", "sdp": sdp("alice") } }),
    );
    let answered = stage.ana.next("call_answer").await;
    assert_eq!(
        (&whole(&answered)["callId"], &answered["from"]),
        (&json!(call), &json!(code))
    );
    assert_eq!(answered["sdp"], sdp("alice"));
    assert_eq!(line(&stage.ana.next("call_ice").await), "candidate:2");
    let description = json!({ "type": "offer", "sdp": sdp("again") });
    stage.says(
        "negotiate",
        &there,
        json!({ "description": description, "lifetime": 60_000 }),
    );
    stage.says("hangup", &there, json!({ "reason": "user_hangup" }));
    assert_eq!(stage.ana.next("call_hangup").await["callId"], call.as_str());
    stage.ana.hears_nothing().await;
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn matrix_calls_zajel(pool: PgPool) {
    let mut stage = Stage::new(pool).await;
    let mut nova = stage.user.socket().await;
    stage.alice_calls("call1");
    let candidates = json!({ "candidates": [{ "candidate": "candidate:1", "sdpMid": "0", "sdpMLineIndex": 0 }] });
    stage.says("candidates", "call1", candidates);
    let rung = stage.ana.next("call_offer").await;
    let call = whole(&rung)["callId"].as_str().unwrap().to_owned();
    assert_eq!(
        (&rung["from"], &rung["sdp"]),
        (&json!(stage.code), &json!(sdp("alice")))
    );
    assert_eq!(call.parse::<Uuid>().unwrap().get_version_num(), 4);
    assert_eq!(line(&stage.ana.next("call_ice").await), "candidate:1");
    let code = stage.code.clone();
    let answer = json!({ "callId": call, "sdp": sdp("ana") });
    stage.ana.send(flat("call_answer", &code, answer)).await;
    stage.ana.send(flat("call_ice", &code, ice(&call, 2))).await;
    let answer = stage.event("answer").await;
    assert_eq!(answer["content"]["answer"]["sdp"], sdp("ana"));
    assert_eq!(answer["content"].get("sdp_stream_metadata"), None);
    stage.event("candidates").await;
    // Other devices of the same user see it in their own words.
    nova.next("call.initiated").await;
    nova.next("call.answered_elsewhere").await;
    stage
        .ana
        .send(flat("call_hangup", &code, json!({ "callId": call })))
        .await;
    assert_eq!(stage.event("hangup").await["content"]["reason"], "user_hangup");
    nova.next("call.ended").await;
    stage.ana.hears_nothing().await;
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_call_from_matrix_is_declined_or_taken_back(pool: PgPool) {
    let mut stage = Stage::new(pool).await;
    let code = stage.code.clone();
    stage.alice_calls("call1");
    let call = stage.ana.next("call_offer").await["callId"].clone();
    let no = json!({ "callId": call, "reason": "declined" });
    stage.ana.send(flat("call_reject", &code, no)).await;
    assert_eq!(stage.event("reject").await["content"]["call_id"], "call1");
    stage.alice_calls("call2");
    let call = stage.ana.next("call_offer").await["callId"].clone();
    stage.says("hangup", "call2", json!({ "reason": "user_hangup" }));
    assert_eq!(stage.ana.next("call_hangup").await["callId"], call);
    stage.ana.hears_nothing().await;
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_call_to_matrix_is_declined(pool: PgPool) {
    let mut stage = Stage::new(pool).await;
    let (call, code) = (new_call(), stage.code.clone());
    let offer = json!({ "callId": call, "sdp": sdp("ana"), "withVideo": true });
    stage.ana.send(flat("call_offer", &code, offer)).await;
    let there = stage.event("invite").await["content"]["call_id"].clone();
    stage.says("reject", there.as_str().unwrap(), json!({}));
    let rejected = stage.ana.next("call_reject").await;
    assert_eq!(
        (&rejected["callId"], &rejected["reason"]),
        (&json!(call), &json!("declined"))
    );
}
