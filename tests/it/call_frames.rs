//! Calls in the `call_*` frames: on Nova's own sockets, and on those of Zajel's clients.

mod bad;
mod matrix;
mod zajel;

use std::collections::VecDeque;

use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use crate::nova_calls::{Two, sdp};
use crate::support::bridge::NovaUser;
use crate::support::socket::Socket;

/// The key of a client that is the same whenever it connects.
const KEY: &str = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

/// A client: what it was shown waits until it is asked for.
struct Phone {
    socket: Socket,
    shown: VecDeque<Value>,
}

impl Phone {
    const fn at(socket: Socket) -> Self {
        Self {
            socket,
            shown: VecDeque::new(),
        }
    }

    /// One of Nova's sockets that wants the frames from the beginning.
    async fn of(user: &NovaUser) -> Self {
        Self::at(user.socket_with("&calls=frames").await).served().await
    }

    async fn served(mut self) -> Self {
        self.shown.extend(self.socket.served().await);
        self
    }

    /// A Zajel client that has registered.
    async fn zajel(user: &NovaUser, code: &str, key: &str) -> Self {
        let mut phone = Self::at(user.zajel().await);
        assert_eq!(phone.next("server_info").await["serverId"], "nova-bridge");
        phone.register(code, key).await;
        assert_eq!(phone.next("registered").await["pairingCode"], code);
        phone.served().await
    }

    async fn register(&mut self, code: &str, key: &str) {
        let frame = json!({ "type": "register", "pairingCode": code, "publicKey": key });
        self.socket.send(frame).await;
    }

    async fn send(&mut self, frame: Value) {
        self.socket.send(frame).await;
    }

    /// The next frame.
    async fn frame(&mut self) -> Value {
        match self.shown.pop_front() {
            Some(frame) => frame,
            None => self.socket.frame().await,
        }
    }

    /// The next frame about calls, or of this type; it has to be this.
    async fn next(&mut self, name: &str) -> Value {
        loop {
            let frame = self.frame().await;
            let kind = frame["type"].as_str().unwrap().to_owned();
            if kind == name {
                return frame;
            }
            assert!(
                !kind.starts_with("call") && kind != "error",
                "{name} was expected, not {frame}"
            );
        }
    }

    /// Waits until everything that was sent is answered. Nothing about calls may have come meanwhile.
    async fn hears_nothing(&mut self) {
        self.send(json!({ "type": "ping" })).await;
        self.next("pong").await;
    }

    /// Sends what is refused: with which words, and which code.
    async fn may_not(&mut self, frame: Value) -> (String, String) {
        self.send(frame).await;
        let error = self.next("error").await;
        let text = |key: &str| error[key].as_str().unwrap_or_default().to_owned();
        (text("message"), text("code"))
    }
}

fn new_call() -> String {
    Uuid::new_v4().to_string()
}

/// As the web client writes it.
fn flat(name: &str, target: &str, mut body: Value) -> Value {
    body["type"] = json!(name);
    body["targetId"] = json!(target);
    body
}

/// As the others write it.
fn enveloped(name: &str, target: &str, body: &Value) -> Value {
    json!({ "type": name, "target": target, "payload": body })
}

fn ice(call: &str, n: u8) -> Value {
    let candidate = json!({ "candidate": format!("candidate:{n}"), "sdpMid": "0", "sdpMLineIndex": 0 });
    json!({ "callId": call, "candidate": candidate.to_string() })
}

/// The line of a candidate that was shown.
fn line(frame: &Value) -> String {
    let candidate: Value = serde_json::from_str(frame["candidate"].as_str().unwrap()).unwrap();
    candidate["candidate"].as_str().unwrap().to_owned()
}

/// Both shapes of what was shown say the same.
fn whole(frame: &Value) -> &Value {
    for (key, value) in frame["payload"].as_object().unwrap() {
        assert_eq!(&frame[key], value);
    }
    frame
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn two_of_novas_sockets_call_in_both_shapes(pool: PgPool) {
    let two = Two::new(pool).await;
    // The caller speaks the dialect from its first frame on; the callee wants it at once.
    let mut ana = Phone::at(two.ana.socket().await);
    let (mut ben, mut tablet) = (Phone::of(&two.ben).await, Phone::of(&two.ben).await);
    let (call, to_ben, to_ana) = (new_call(), two.ben.id.to_string(), two.ana.id.to_string());
    let offer = json!({ "callId": call, "sdp": sdp("ana"), "withVideo": false });
    let mut asked = flat("call_offer", &to_ben, offer.clone());
    asked["request_id"] = json!(1);
    ana.send(asked).await;
    assert_eq!(ana.next("ack").await["callId"], call.as_str());
    ana.send(flat("call_ice", &to_ben, ice(&call, 1))).await;
    ana.send(enveloped("call_ice", &to_ben, &ice(&call, 2))).await;
    // The same offer again is the same call.
    ana.send(enveloped("call_offer", &to_ben, &offer)).await;

    let rung = ben.next("call_offer").await;
    assert_eq!(whole(&rung)["from"], to_ana.as_str());
    assert_eq!((&rung["sdp"], &rung["withVideo"]), (&json!(sdp("ana")), &json!(false)));
    let seen = rung["callId"].as_str().unwrap().to_owned();
    assert_eq!(seen.parse::<Uuid>().unwrap().get_version_num(), 4);
    for n in 1..=2 {
        assert_eq!(line(whole(&ben.next("call_ice").await)), format!("candidate:{n}"));
    }
    // What comes before the answer is held back until the answer is there.
    ben.send(enveloped("call_ice", &to_ana, &ice(&seen, 3))).await;
    let answer = json!({ "callId": seen, "sdp": sdp("ben") });
    ben.send(enveloped("call_answer", &to_ana, &answer)).await;
    ben.send(flat("call_ice", &to_ana, ice(&seen, 4))).await;
    let answered = ana.next("call_answer").await;
    assert_eq!(
        (&whole(&answered)["callId"], &answered["sdp"]),
        (&json!(call), &json!(sdp("ben")))
    );
    for n in 3..=4 {
        assert_eq!(line(&ana.next("call_ice").await), format!("candidate:{n}"));
    }
    // The other device rang too, and stops; it can say no more.
    assert_eq!(tablet.next("call_offer").await["callId"], seen.as_str());
    tablet.next("call_ice").await;
    tablet.next("call_ice").await;
    assert_eq!(tablet.next("call_hangup").await["callId"], seen.as_str());
    tablet
        .send(flat("call_hangup", &to_ana, json!({ "callId": seen })))
        .await;
    let late = tablet.may_not(flat("call_answer", &to_ana, answer)).await;
    assert_eq!(late, ("the call is not ringing".to_owned(), "CALL_CONFLICT".to_owned()));
    let late = tablet.may_not(flat("call_ice", &to_ana, ice(&seen, 5))).await;
    assert_eq!(late.1, "AUTHORIZATION_ERROR");

    ana.send(flat("call_hangup", &to_ben, json!({ "callId": call }))).await;
    assert_eq!(ben.next("call_hangup").await["callId"], seen.as_str());
    for phone in [&mut ana, &mut ben, &mut tablet] {
        phone.hears_nothing().await;
    }
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn one_dialect_calls_the_other(pool: PgPool) {
    let two = Two::new(pool).await;
    let mut ana = Phone::of(&two.ana).await;
    let mut ben = two.ben.socket().await;
    let call = new_call();
    let offer = json!({ "callId": call, "sdp": sdp("ana"), "withVideo": true });
    ana.send(flat("call_offer", &two.ben.mxid, offer)).await;
    let rung = ben.next("call.initiated").await;
    assert_eq!(
        (&rung["is_video"], &rung["offer"]["sdp"]),
        (&json!(true), &json!(sdp("ana")))
    );
    let answer = json!({ "type": "answer", "sdp": sdp("ben") });
    ben.send(json!({ "type": "call.answer", "call_id": rung["call_id"], "answer": answer }))
        .await;
    assert_eq!(ana.next("call_answer").await["sdp"], sdp("ben"));
    // Nothing can be changed with a client that cannot change anything, and mute is not told.
    ben.send(json!({ "type": "call.media", "call_id": rung["call_id"], "audio_enabled": false }))
        .await;
    let offer = json!({ "type": "offer", "sdp": sdp("again") });
    ben.send(json!({ "type": "call.negotiate", "request_id": 7, "call_id": rung["call_id"], "description": offer }))
        .await;
    assert_eq!(ben.next("error").await["code"], "CALL_CONFLICT");
    ben.send(json!({ "type": "call.hangup", "call_id": rung["call_id"] }))
        .await;
    assert_eq!(ana.next("call_hangup").await["callId"], call.as_str());
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn every_way_to_not_talk(pool: PgPool) {
    let two = Two::new(pool).await;
    let (mut ana, mut ben) = (Phone::of(&two.ana).await, Phone::of(&two.ben).await);
    let (to_ben, to_ana) = (two.ben.id.to_string(), two.ana.id.to_string());
    for (reason, seen) in [
        (json!("declined"), "declined"),
        (json!("busy"), "busy"),
        (json!("error"), "declined"),
        (Value::Null, "declined"),
    ] {
        let (call, rung) = ring(&mut ana, &mut ben, &to_ben).await;
        let no = json!({ "callId": rung, "reason": reason });
        ben.send(flat("call_reject", &to_ana, no)).await;
        let rejected = ana.next("call_reject").await;
        assert_eq!(
            (&whole(&rejected)["callId"], &rejected["reason"]),
            (&json!(call), &json!(seen))
        );
    }
    // The caller gives up, as the web client says it and as the others do.
    for (frame, reason) in [("call_reject", json!("timeout")), ("call_hangup", Value::Null)] {
        let (call, rung) = ring(&mut ana, &mut ben, &to_ben).await;
        let end = json!({ "callId": call, "reason": reason });
        ana.send(enveloped(frame, &to_ben, &end)).await;
        assert_eq!(ben.next("call_hangup").await["callId"], rung.as_str());
    }
    ana.hears_nothing().await;
    ben.hears_nothing().await;
    let reasons: Vec<String> = sqlx::query_scalar("SELECT end_reason FROM call_sessions ORDER BY created_at, id")
        .fetch_all(&two.bridge.pool)
        .await
        .unwrap();
    let expected = ["declined", "busy", "declined", "declined", "cancelled", "cancelled"];
    assert_eq!(reasons, expected);
}

/// A call of Ana's that rings at Ben: as each of them knows it.
async fn ring(ana: &mut Phone, ben: &mut Phone, to_ben: &str) -> (String, String) {
    let call = new_call();
    let offer = json!({ "callId": call, "sdp": sdp("ana"), "withVideo": false });
    ana.send(flat("call_offer", to_ben, offer)).await;
    let rung = ben.next("call_offer").await;
    (call, rung["callId"].as_str().unwrap().to_owned())
}
