//! Nova users call each other, as their clients do: over REST and real sockets.

mod bad;
mod servers;

use std::collections::VecDeque;

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::bridge::{NovaUser, TestBridge};
use crate::support::socket::Socket;

const CANDIDATE: &str = "candidate:842163049 1 udp 1677729535 203.0.113.7 46154 typ srflx";

pub(crate) fn sdp(stream: &str) -> String {
    format!(
        "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n\
         a=sendrecv\r\na=msid:{stream} track\r\n"
    )
}

fn offer(stream: &str) -> Value {
    json!({ "type": "offer", "sdp": sdp(stream) })
}

fn answer(stream: &str) -> Value {
    json!({ "type": "answer", "sdp": sdp(stream) })
}

/// A device: a socket that asks and is answered, and keeps what it is shown meanwhile.
pub(crate) struct Device {
    socket: Socket,
    shown: VecDeque<Value>,
    asked: u32,
}

impl Device {
    async fn of(user: &NovaUser) -> Self {
        Self::at(user.socket().await).await
    }

    async fn at(mut socket: Socket) -> Self {
        Self {
            shown: socket.served().await,
            socket,
            asked: 0,
        }
    }

    /// Sends a frame, and waits for its answer.
    pub(crate) async fn ask(&mut self, mut frame: Value) -> Value {
        self.asked += 1;
        frame["request_id"] = json!(self.asked);
        self.socket.send(frame).await;
        loop {
            let frame = self.socket.frame().await;
            if frame["request_id"] == self.asked {
                return frame;
            }
            self.shown.push_back(frame);
        }
    }

    /// Sends a frame that is carried out.
    async fn does(&mut self, frame: Value) -> Value {
        let name = frame["type"].clone();
        let reply = self.ask(frame).await;
        assert_eq!(
            (&reply["type"], &reply["success"]),
            (&json!("ack"), &json!(true)),
            "{name}: {reply}"
        );
        reply
    }

    /// Sends a frame that is refused, and says with which code.
    async fn may_not(&mut self, frame: Value) -> String {
        let reply = self.ask(frame).await;
        assert_eq!(reply["type"], "error", "{reply}");
        reply["code"].as_str().unwrap().to_owned()
    }

    /// The next frame about calls; its type has to be this.
    pub(crate) async fn sees(&mut self, name: &str) -> Value {
        loop {
            let frame = match self.shown.pop_front() {
                Some(frame) => frame,
                None => self.socket.frame().await,
            };
            if frame["type"].as_str().is_some_and(|it| it.starts_with("call.")) {
                assert_eq!(frame["type"], name, "{frame}");
                return frame;
            }
        }
    }
}

/// Two people with a direct conversation.
pub(crate) struct Two {
    pub(crate) bridge: TestBridge,
    pub(crate) ana: NovaUser,
    pub(crate) ben: NovaUser,
    pub(crate) conversation: String,
}

impl Two {
    pub(crate) async fn new(pool: PgPool) -> Self {
        let bridge = TestBridge::start(pool).await;
        let (ana, ben) = (bridge.account("ana").await, bridge.account("ben").await);
        let (_, made) = ana
            .post("/conversations", json!({ "user_a": ana.id, "user_b": ben.id }))
            .await;
        Self {
            conversation: made["id"].as_str().unwrap().to_owned(),
            bridge,
            ana,
            ben,
        }
    }

    fn initiate(&self) -> Value {
        json!({ "type": "call.initiate", "conversation_id": self.conversation, "offer": offer("ana") })
    }

    /// Ana calls Ben, who answers: both devices and the call.
    async fn up(&self) -> (Device, Device, String) {
        let (mut at_ana, mut at_ben) = (Device::of(&self.ana).await, Device::of(&self.ben).await);
        let call = call_id(&at_ana.does(self.initiate()).await);
        at_ana.sees("call.initiated").await;
        at_ben.sees("call.initiated").await;
        at_ben
            .does(json!({ "type": "call.answer", "call_id": call, "answer": answer("ben") }))
            .await;
        at_ben.sees("call.answered_elsewhere").await;
        at_ben.sees("call.answered").await;
        at_ana.sees("call.answered").await;
        (at_ana, at_ben, call)
    }
}

fn call_id(reply: &Value) -> String {
    reply["call_id"].as_str().unwrap().to_owned()
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn one_calls_and_the_first_device_that_answers_has_it(pool: PgPool) {
    let two = Two::new(pool).await;
    let mut at_ana = Device::of(&two.ana).await;
    let (mut phone, mut tablet) = (Device::of(&two.ben).await, Device::of(&two.ben).await);
    let placed = at_ana.does(two.initiate()).await;
    assert_eq!(
        (&placed["status"], &placed["id"]),
        (&json!("ringing"), &placed["call_id"])
    );
    assert!(placed["ice_servers"].is_array() && placed["participant_id"].is_string());
    let call = call_id(&placed);
    at_ana.sees("call.initiated").await;
    for device in [&mut phone, &mut tablet] {
        let ring = device.sees("call.initiated").await;
        assert_eq!(ring["offer"], offer("ana"));
        assert_eq!((&ring["sdp"], &ring["call_id"]), (&json!(sdp("ana")), &json!(call)));
        assert_eq!(ring["caller"], json!({ "id": two.ana.id, "name": "ANA" }));
        assert_eq!(
            (&ring["invitee"], &ring["user_id"]),
            (&json!(two.ben.id), &json!(two.ana.id))
        );
    }
    let answered = phone
        .does(json!({ "type": "call.answer", "conversation_id": two.conversation, "answer": answer("ben") }))
        .await;
    let late = json!({ "type": "call.answer", "call_id": call, "answer": answer("tablet") });
    assert_eq!(tablet.may_not(late).await, "CALL_CONFLICT");
    for device in [&mut phone, &mut tablet] {
        let elsewhere = device.sees("call.answered_elsewhere").await;
        assert_eq!(elsewhere["participant_id"], answered["participant_id"]);
        device.sees("call.answered").await;
    }
    let heard = at_ana.sees("call.answered").await;
    assert_eq!((&heard["answer"], &heard["sdp"]), (&answer("ben"), &json!(sdp("ben"))));
    assert_eq!(
        (&heard["participant_id"], &heard["answerer_id"]),
        (&answered["participant_id"], &json!(two.ben.id))
    );
    let (status, over_rest) = two
        .ben
        .post(&format!("/calls/{call}/answer"), json!({ "answer_sdp": sdp("rest") }))
        .await;
    assert_eq!((status, &over_rest["code"]), (409, &json!("CALL_CONFLICT")));

    let ended = at_ana
        .does(json!({ "type": "call.hangup", "call_id": call.to_uppercase(), "reason": "media_failed" }))
        .await;
    assert_eq!(
        (&ended["status"], &ended["reason"]),
        (&json!("failed"), &json!("media_failed"))
    );
    for device in [&mut at_ana, &mut phone, &mut tablet] {
        let end = device.sees("call.ended").await;
        assert_eq!(
            (&end["reason"], &end["ended_by"]),
            (&json!("media_failed"), &json!(two.ana.id))
        );
        assert!(end["duration_ms"].is_i64());
    }
    let again = at_ana.does(json!({ "type": "call.hangup", "call_id": call })).await;
    assert_eq!(again["reason"], "media_failed");
    let nothing = json!({ "type": "call.hangup", "conversation_id": two.conversation });
    assert_eq!(at_ana.may_not(nothing).await, "CALL_NOT_FOUND");
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn candidates_go_to_the_other_side_in_order_and_come_back_to_nobody(pool: PgPool) {
    let two = Two::new(pool).await;
    let (mut at_ana, mut at_ben, call) = two.up().await;
    // Pipelined, without waiting for answers.
    for n in 0..300 {
        let frame = json!({ "type": "call.ice", "call_id": call, "candidate": format!("{CANDIDATE} {n}"), "sdp_mid": "0",
            "sdp_mline_index": 0, "username_fragment": "u" });
        at_ana.socket.send(frame).await;
    }
    for n in 0..300 {
        let seen = at_ben.sees("call.ice_candidate").await;
        assert_eq!(seen["candidate"], format!("{CANDIDATE} {n}"));
        assert_eq!((&seen["user_id"], &seen["sdp_mid"]), (&json!(two.ana.id), &json!("0")));
        assert_eq!(
            (&seen["sdp_mline_index"], &seen["username_fragment"]),
            (&json!(0), &json!("u"))
        );
    }
    two.ana.say(&two.conversation, "nobody is kept from talking").await;
    let back = json!({ "candidate": { "candidate": CANDIDATE, "sdpMid": "1", "sdpMLineIndex": 1 } });
    let (status, received) = two.ben.post(&format!("/calls/{call}/ice-candidate"), back).await;
    assert_eq!((status, &received["status"]), (200, &json!("received")));
    let seen = at_ana.sees("call.ice_candidate").await;
    assert_eq!(
        (&seen["user_id"], &seen["sdp_mid"]),
        (&json!(two.ben.id), &json!("1")),
        "no echo before it"
    );
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_call_that_is_up_is_changed_from_both_sides(pool: PgPool) {
    let two = Two::new(pool).await;
    let (mut at_ana, mut at_ben, call) = two.up().await;
    at_ana
        .does(json!({ "type": "call.negotiate", "call_id": call, "description": offer("screen") }))
        .await;
    let asked = at_ben.sees("call.negotiate").await;
    assert_eq!(
        (&asked["description"], &asked["sdp"]),
        (&offer("screen"), &json!(sdp("screen")))
    );
    assert_eq!(asked["sdp_stream_metadata"]["screen"]["purpose"], "m.usermedia");
    at_ben
        .does(json!({ "type": "call.negotiate", "call_id": call, "description": answer("ben2") }))
        .await;
    assert_eq!(at_ana.sees("call.negotiate").await["description"], answer("ben2"));
    at_ben
        .does(json!({ "type": "call.media", "call_id": call, "audio_enabled": false }))
        .await;
    let media = at_ana.sees("call.media_state").await;
    assert_eq!(
        (&media["audio_enabled"], &media["video_enabled"], &media["user_id"]),
        (&json!(false), &json!(false), &json!(two.ben.id))
    );
    two.ana
        .post(&format!("/calls/{call}/toggle-video"), json!({ "enabled": true }))
        .await;
    let media = at_ben.sees("call.media_state").await;
    assert_eq!(
        (&media["audio_enabled"], &media["video_enabled"]),
        (&json!(true), &json!(true))
    );
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_callee_declines_and_a_caller_gives_up(pool: PgPool) {
    let two = Two::new(pool).await;
    let (mut at_ana, mut at_ben) = (Device::of(&two.ana).await, Device::of(&two.ben).await);
    let call = call_id(&at_ana.does(two.initiate()).await);
    at_ana.sees("call.initiated").await;
    at_ben.sees("call.initiated").await;
    at_ben
        .does(json!({ "type": "call.reject", "call_id": call, "reason": "busy" }))
        .await;
    for device in [&mut at_ana, &mut at_ben] {
        let no = device.sees("call.rejected").await;
        assert_eq!(
            (&no["reason"], &no["rejected_by"]),
            (&json!("busy"), &json!(two.ben.id))
        );
    }
    let reject = json!({ "type": "call.reject", "call_id": call });
    assert_eq!(at_ben.may_not(reject).await, "CALL_CONFLICT");

    let call = call_id(&at_ana.does(two.initiate()).await);
    at_ana.sees("call.initiated").await;
    at_ben.sees("call.initiated").await;
    at_ana.does(json!({ "type": "call.hangup", "call_id": call })).await;
    let missed = at_ben.sees("call.missed").await;
    assert_eq!(
        (&missed["reason"], &missed["initiator_id"]),
        (&json!("cancelled"), &json!(two.ana.id))
    );
    assert_eq!(at_ana.sees("call.ended").await["reason"], "cancelled");
    let (_, history) = two.ben.get("/api/v1/calls/history").await;
    let reasons: Vec<&Value> = history.as_array().unwrap().iter().map(|it| &it["reason"]).collect();
    assert_eq!(reasons, ["cancelled", "busy"]);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_socket_that_opens_while_it_rings_is_shown_it(pool: PgPool) {
    let mut two = Two::new(pool).await;
    let mut at_ana = Device::of(&two.ana).await;
    let call = call_id(&at_ana.does(two.initiate()).await);
    at_ana
        .does(json!({ "type": "call.ice", "call_id": call, "candidate": CANDIDATE }))
        .await;
    let mut late = Device::of(&two.ben).await;
    assert_eq!(late.sees("call.initiated").await["offer"], offer("ana"));
    assert_eq!(late.sees("call.ice_candidate").await["candidate"], CANDIDATE);
    let only = two
        .ben
        .socket_with(&format!("&conversation_id={}", two.conversation))
        .await;
    assert_eq!(
        Device::at(only).await.sees("call.initiated").await["call_id"],
        json!(call)
    );
    let (_, other) = two.ben.post("/conversations/groups", json!({ "name": "Tea" })).await;
    let elsewhere = two
        .ben
        .socket_with(&format!("&conversation_id={}", other["id"].as_str().unwrap()))
        .await;
    let mut elsewhere = Device::at(elsewhere).await;
    let reject = json!({ "type": "call.reject", "call_id": call });
    assert_eq!(
        elsewhere.may_not(reject.clone()).await,
        "INVALID_REQUEST",
        "not on this socket"
    );
    let rings = |frame: &Value| frame["type"].as_str().is_some_and(|name| name.starts_with("call."));
    assert!(
        !elsewhere.shown.iter().any(rings),
        "it does not ring here: {:?}",
        elsewhere.shown
    );

    two.bridge.restart().await;
    let ben = two.ben.at(&two.bridge);
    let mut after = Device::of(&ben).await;
    assert_eq!(after.sees("call.initiated").await["call_id"], json!(call));
    assert_eq!(after.sees("call.ice_candidate").await["candidate"], CANDIDATE);
    after.does(reject).await;
    after.sees("call.rejected").await;
    let mut afterwards = Device::of(&ben).await;
    assert_eq!(
        afterwards.ask(json!({ "type": "call.leave" })).await["code"],
        "INVALID_REQUEST"
    );
    assert!(afterwards.shown.is_empty(), "it rings no more: {:?}", afterwards.shown);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_call_lasts_while_there_is_a_socket(pool: PgPool) {
    let two = Two::new(pool).await;
    let (at_ana, at_ben, call) = two.up().await;
    drop(at_ben);
    let state = async |wanted: &str| {
        loop {
            let (_, people) = two.ana.get(&format!("/calls/{call}/participants")).await;
            let ben = people["participants"]
                .as_array()
                .unwrap()
                .iter()
                .find(|it| it["user_id"] == json!(two.ben.id))
                .cloned();
            if ben.unwrap()["connection_state"] == wanted {
                return;
            }
        }
    };
    state("disconnected").await;
    let _back = Device::of(&two.ben).await;
    state("connected").await;
    drop(at_ana);
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_group_meets_in_a_mesh(pool: PgPool) {
    let two = Two::new(pool).await;
    let cleo = two.bridge.account("cleo").await;
    let group = json!({ "name": "Tea", "member_ids": [two.ben.id, cleo.id] });
    let (_, group) = two.ana.post("/conversations/groups", group).await;
    let (mut at_ana, mut at_ben, mut at_cleo) = (
        Device::of(&two.ana).await,
        Device::of(&two.ben).await,
        Device::of(&cleo).await,
    );
    let placed = at_ana
        .does(json!({ "type": "call.initiate", "conversation_id": group["id"], "call_type": "group", "max_participants": 8 }))
        .await;
    let call = call_id(&placed);
    for device in [&mut at_ana, &mut at_ben, &mut at_cleo] {
        let ring = device.sees("call.initiated").await;
        assert_eq!(
            (&ring["call_type"], &ring["max_participants"]),
            (&json!("group"), &json!(8))
        );
    }
    let joined = at_ben
        .does(json!({ "type": "call.join", "call_id": call, "sdp": sdp("ben") }))
        .await;
    assert_eq!(joined["participants"][0]["user_id"], json!(two.ana.id));
    at_ben.sees("call.answered_elsewhere").await;
    let came = at_ana.sees("call.participant_joined").await;
    assert_eq!(
        (&came["user_id"], &came["participant_id"], &came["sdp"]),
        (&json!(two.ben.id), &joined["participant_id"], &json!(sdp("ben")))
    );
    at_cleo.sees("call.participant_joined").await;
    let third = at_cleo.does(json!({ "type": "call.join", "call_id": call })).await;
    assert_eq!(
        (&third["current_participant_count"], &third["max_participants"]),
        (&json!(3), &json!(8))
    );
    at_cleo.sees("call.answered_elsewhere").await;
    at_ana.sees("call.participant_joined").await;
    at_ben.sees("call.participant_joined").await;

    // Each to each, by the user's id or by that of their part.
    let to_cleo = json!({ "type": "call.negotiate", "call_id": call, "description": offer("a"), "to": cleo.id });
    at_ana.does(to_cleo).await;
    let to_ben = json!({ "type": "call.ice", "call_id": call, "candidate": CANDIDATE, "to": joined["participant_id"] });
    at_ana.does(to_ben).await;
    assert_eq!(at_cleo.sees("call.negotiate").await["user_id"], json!(two.ana.id));
    assert_eq!(at_ben.sees("call.ice_candidate").await["user_id"], json!(two.ana.id));
    let to_nobody = json!({ "type": "call.ice", "call_id": call, "candidate": CANDIDATE });
    assert_eq!(at_ana.may_not(to_nobody).await, "INVALID_REQUEST");

    at_ben.does(json!({ "type": "call.leave", "call_id": call })).await;
    for device in [&mut at_ana, &mut at_cleo, &mut at_ben] {
        let left = device.sees("call.participant_left").await;
        assert_eq!(
            (&left["user_id"], &left["participant_id"]),
            (&json!(two.ben.id), &joined["participant_id"])
        );
    }
    let (_, active) = cleo.get("/calls/active").await;
    assert_eq!(active["calls"][0]["call_id"], json!(call));
    let (status, all) = two.bridge.admin(Method::GET, "/calls/active", None).await;
    assert_eq!(
        (status, &all["total"], &all["calls"][0]["call_id"]),
        (200, &json!(1), &json!(call))
    );
    at_cleo.does(json!({ "type": "call.hangup", "call_id": call })).await;
    at_ana.sees("call.participant_left").await;
    at_ana.does(json!({ "type": "call.hangup", "call_id": call })).await;
    assert_eq!(at_ana.sees("call.ended").await["reason"], "user_hangup");
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn who_wants_no_calls_is_not_rung(pool: PgPool) {
    let two = Two::new(pool).await;
    let path = format!("/accounts/{}", two.ben.id);
    let off = json!({ "username": "ben", "calls_enabled": false });
    let (status, account) = two.bridge.admin(Method::PUT, &path, Some(off)).await;
    assert_eq!((status, &account["calls_enabled"]), (200, &json!(false)));
    let mut at_ana = Device::of(&two.ana).await;
    assert_eq!(at_ana.may_not(two.initiate()).await, "AUTHORIZATION_ERROR");
    let unchanged = json!({ "username": "ben" });
    let (_, account) = two.bridge.admin(Method::PUT, &path, Some(unchanged)).await;
    assert_eq!(account["calls_enabled"], false);
    let on = json!({ "username": "ben", "calls_enabled": true });
    two.bridge.admin(Method::PUT, &path, Some(on)).await;
    at_ana.does(two.initiate()).await;
}
