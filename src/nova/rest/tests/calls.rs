//! Calls over REST: each form of each request, and whatever can be wrong with one.

use serde_json::{Value, json};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use super::{ALICE, App, BOB, CAROL};
use crate::domain::call::{Call, Input, News};

mod bad;
mod bodies;
mod ends;
mod servers;

const CANDIDATE: &str = "candidate:842163049 1 udp 1677729535 203.0.113.7 46154 typ srflx";

fn sdp(stream: &str) -> String {
    format!(
        "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n\
         a=sendrecv\r\na=msid:{stream} track\r\n"
    )
}

/// Two people, or a group of three, and a call.
struct Stage {
    app: App,
    conversation: String,
    call: String,
}

impl Stage {
    async fn ringing(pool: PgPool) -> Self {
        let app = App::new(pool).await;
        let conversation = app.direct().await;
        let placed = app
            .post(
                ALICE,
                &format!("/conversations/{conversation}/calls"),
                &json!({ "initiator_sdp": sdp("alice") }),
            )
            .await;
        assert_eq!(placed.status, 201, "{placed:?}");
        Self {
            call: placed.id(),
            app,
            conversation,
        }
    }

    async fn up(pool: PgPool) -> Self {
        let stage = Self::ringing(pool).await;
        let answered = stage.post(BOB, "answer", json!({ "answer_sdp": sdp("bob") })).await;
        assert_eq!(answered.0, 200, "{answered:?}");
        stage
    }

    async fn group(pool: PgPool) -> Self {
        let app = App::new(pool).await;
        let body = json!({ "name": "Tea", "member_ids": [BOB, CAROL] });
        let conversation = app.post(ALICE, "/conversations/groups", &body).await.id();
        let body = json!({ "call_type": "group", "is_video": true });
        let placed = app
            .post(ALICE, &format!("/conversations/{conversation}/calls"), &body)
            .await;
        assert_eq!(placed.status, 201, "{placed:?}");
        Self {
            call: placed.id(),
            app,
            conversation,
        }
    }

    async fn post(&self, user: &str, act: &str, body: Value) -> (u16, Value) {
        let path = format!("/calls/{}/{act}", self.call);
        let answer = self.app.post(user, &path, &body).await;
        (answer.status.as_u16(), answer.body)
    }

    async fn status(&self, user: &str) -> Value {
        self.app.get(user, &format!("/calls/{}/status", self.call)).await.body
    }

    async fn state(&self) -> Call {
        let bridge = &self.app.state.bridge;
        bridge
            .call(self.call.parse().unwrap(), ALICE.parse().unwrap())
            .await
            .unwrap()
    }

    /// What a person was told of calls, in order.
    async fn told(&self, user: &str) -> Vec<News> {
        let payloads: Vec<String> = sqlx::query_scalar(
            "SELECT payload::text FROM conversation_feed
             WHERE audience = $1::uuid AND payload->>'type' = 'call' ORDER BY position, n",
        )
        .bind(user)
        .fetch_all(&self.app.pool)
        .await
        .unwrap();
        payloads
            .iter()
            .map(|payload| {
                serde_json::from_value(serde_json::from_str::<Value>(payload).unwrap()["news"].clone()).unwrap()
            })
            .collect()
    }

    /// Lets the time pass, and whatever is due then happen.
    async fn passes(&self, seconds: i64, user: &str, status: &str) {
        self.app.wait(seconds);
        let stop = CancellationToken::new();
        let bridge = self.app.state.bridge.clone();
        tokio::select! {
            () = bridge.run_calls(stop.clone()) => unreachable!("nobody stops it"),
            () = async { while self.status(user).await["status"] != status {} } => stop.cancel(),
        }
    }
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_call_from_the_first_ring_to_the_end(pool: PgPool) {
    let app = App::new(pool).await;
    let conversation = app.direct().await;
    let body = json!({ "offer": { "type": "offer", "sdp": sdp("alice") }, "is_video": false, "idempotency_key": "1" });
    let path = format!("/conversations/{}/calls", conversation.to_uppercase());
    let placed = app.post(ALICE, &path, &body).await;
    assert_eq!(placed.status, 201, "{placed:?}");
    insta::assert_json_snapshot!("placed", placed.body);
    let again = app.post(ALICE, &path, &body).await;
    assert_eq!((again.status.as_u16(), again.id()), (201, placed.id()));
    let stage = Stage {
        call: placed.id(),
        app,
        conversation,
    };
    assert_eq!(stage.status(BOB).await["status"], "ringing");
    let other = stage.app.post(BOB, &path, &json!({ "offer": sdp("bob") })).await;
    assert_eq!(
        (other.status.as_u16(), &other.body["code"]),
        (409, &json!("CALL_CONFLICT"))
    );

    let answer = json!({ "answer": { "type": "answer", "sdp": sdp("bob") } });
    let (status, answered) = stage.post(BOB, "answer", answer.clone()).await;
    assert_eq!(status, 200, "{answered}");
    insta::assert_json_snapshot!("call_answered", answered);
    assert_eq!(
        stage.post(BOB, "answer", answer).await.0,
        200,
        "its reply may have been lost"
    );
    let (status, late) = stage.post(BOB, "answer", json!({ "answer": sdp("other") })).await;
    assert_eq!((status, &late["code"]), (409, &json!("CALL_CONFLICT")));
    assert_eq!(stage.post(BOB, "reject", json!({})).await.0, 409);

    stage.app.wait(61);
    let active = stage.app.get(ALICE, "/calls/active").await.body;
    insta::assert_json_snapshot!("active", active);
    assert_eq!(stage.app.get(CAROL, "/calls/active").await.body["calls"], json!([]));
    let (status, ended) = stage.post(BOB, "end", json!({ "reason": "user_hangup" })).await;
    assert_eq!(status, 200);
    insta::assert_json_snapshot!("call_ended", ended);
    let again = stage.post(ALICE, "end", json!({ "reason": "ice_failed" })).await;
    assert_eq!((again.0, &again.1["reason"]), (200, &json!("user_hangup")));
    assert_eq!(stage.app.get(ALICE, "/calls/active").await.body["calls"], json!([]));
    insta::assert_json_snapshot!("history", stage.app.get(BOB, "/calls/history").await.body);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn every_form_of_an_offer_and_of_an_answer_is_taken(pool: PgPool) {
    let app = App::new(pool).await;
    let conversation = app.direct().await;
    let object = |kind: &str, name: &str| json!({ "type": kind, "sdp": sdp(name) });
    for (path, offer, answer) in [
        (
            "",
            json!({ "offer": object("offer", "a") }),
            json!({ "answer": object("answer", "b") }),
        ),
        ("/api/v1", json!({ "offer": sdp("a") }), json!({ "answer": sdp("b") })),
        (
            "/api/v2/chat",
            json!({ "initiator_sdp": sdp("a"), "call_type": "direct", "max_participants": 2 }),
            json!({ "answer_sdp": sdp("b") }),
        ),
        (
            "",
            json!({ "sdp_offer": sdp("a"), "call_type": "audio", "conversation_id": conversation }),
            json!({ "sdp_answer": sdp("b") }),
        ),
        (
            "",
            json!({ "sdp": sdp("a"), "offer": null }),
            json!({ "sdp": object("answer", "b") }),
        ),
    ] {
        let placed = app
            .post(ALICE, &format!("{path}/conversations/{conversation}/calls"), &offer)
            .await;
        assert_eq!(placed.status, 201, "{offer} {placed:?}");
        let call = placed.id().to_uppercase();
        let answered = app.post(BOB, &format!("{path}/calls/{call}/answer"), &answer).await;
        assert_eq!(answered.status, 200, "{answer} {answered:?}");
        assert_eq!(answered.body["status"], "connected");
        let ended = app
            .raw(
                "POST",
                ALICE,
                &format!("{path}/calls/{call}/end"),
                axum::body::Body::empty(),
            )
            .await;
        assert_eq!((ended.status.as_u16(), &ended.body["success"]), (200, &json!(true)));
    }
    let body = json!({ "conversation_id": conversation, "offer": sdp("a") });
    let placed = app.post(ALICE, "/calls/matrix/initiate", &body).await;
    assert_eq!(placed.status, 201, "{placed:?}");
    let body = json!({ "call_id": placed.id(), "answer": sdp("b") });
    assert_eq!(
        app.post(BOB, "/calls/matrix/answer", &body).await.body["status"],
        "connected"
    );
    let body = json!({ "call_id": placed.id().to_uppercase() });
    assert_eq!(app.post(BOB, "/calls/matrix/end", &body).await.body["status"], "ended");
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn every_form_of_a_candidate_is_taken(pool: PgPool) {
    let stage = Stage::ringing(pool).await;
    let full = json!({ "candidate": CANDIDATE, "sdp_mid": "0", "sdp_mline_index": 0, "username_fragment": "u" });
    let browser = json!({ "candidate": CANDIDATE, "sdpMid": "0", "sdpMLineIndex": 0, "usernameFragment": "u" });
    for body in [
        full.clone(),
        browser.clone(),
        json!({ "candidate": browser }),
        json!({ "candidates": [full] }),
        json!({ "candidate": [browser] }),
    ] {
        let (status, answer) = stage.post(ALICE, "ice-candidate", body.clone()).await;
        assert_eq!(
            (status, &answer["status"]),
            (200, &json!("received")),
            "{body} {answer}"
        );
        assert_eq!(answer["success"], true);
    }
    let mut body = json!({ "candidate": CANDIDATE, "call_id": stage.call });
    assert_eq!(stage.app.post(ALICE, "/calls/ice-candidate", &body).await.status, 200);
    body["candidate"] = Value::Null;
    assert_eq!(stage.app.post(ALICE, "/calls/ice-candidate", &body).await.status, 200);
    let kept = &stage.state().await.people[0].candidates;
    assert_eq!(kept.len(), 7);
    assert!(
        kept[..5]
            .iter()
            .all(|it| *it == kept[0] && it.sdp_mid.as_deref() == Some("0")),
        "{kept:?}"
    );
    assert_eq!(
        (kept[0].sdp_mline_index, kept[0].username_fragment.as_deref()),
        (Some(0), Some("u"))
    );
    assert!(kept[6].is_end());
    let told: Vec<News> = stage.told(ALICE).await;
    assert!(
        !told.iter().any(|news| matches!(news, News::Candidates { .. })),
        "no echo"
    );
    let told = stage.told(BOB).await;
    assert_eq!(
        told.iter()
            .filter(|news| matches!(news, News::Candidates { .. }))
            .count(),
        7
    );
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn what_is_sent_can_be_changed_and_switched(pool: PgPool) {
    let stage = Stage::up(pool).await;
    let offer = json!({ "description": { "type": "offer", "sdp": sdp("screen") } });
    assert_eq!(stage.post(ALICE, "negotiate", offer).await.0, 200);
    let answer = json!({ "description": sdp("bob2"), "description_type": "answer" });
    assert_eq!(stage.post(BOB, "negotiate", answer).await.0, 200);
    assert_eq!(
        stage.post(ALICE, "toggle-audio", json!({ "enabled": false })).await.0,
        200
    );
    assert_eq!(stage.post(BOB, "toggle-video", json!({ "enabled": true })).await.0, 200);
    let told = |told: Vec<News>| -> Vec<String> {
        let said = told.into_iter().filter_map(|news| {
            if let News::Negotiate { description, .. } = &news {
                return Some(format!(
                    "{} {}",
                    description.kind.as_str(),
                    description.sdp.streams().join(" ")
                ));
            }
            if let News::MediaState { audio, video, .. } = news {
                return Some(format!("audio {audio} video {video}"));
            }
            None
        });
        said.collect()
    };
    assert_eq!(told(stage.told(BOB).await), ["offer screen", "audio false video false"]);
    assert_eq!(told(stage.told(ALICE).await), ["answer bob2", "audio true video true"]);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn an_offer_may_follow(pool: PgPool) {
    let app = App::new(pool).await;
    let conversation = app.direct().await;
    let path = format!("/conversations/{conversation}/calls");
    let placed = app.post(ALICE, &path, &json!({ "is_video": true })).await;
    assert_eq!(
        (placed.status.as_u16(), &placed.body["status"]),
        (201, &json!("ringing"))
    );
    let stage = Stage {
        call: placed.id(),
        app,
        conversation,
    };
    assert!(stage.told(BOB).await.is_empty(), "nobody knows of it yet");
    assert_eq!(stage.post(BOB, "answer", json!({ "answer": sdp("bob") })).await.0, 409);
    let offer = json!({ "offer": sdp("alice") });
    assert_eq!(stage.post(ALICE, "negotiate", offer).await.0, 200);
    assert!(matches!(
        stage.told(BOB).await.as_slice(),
        [News::Initiated { is_video: true, .. }]
    ));
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn candidates_have_a_limit_of_their_own_and_nobody_is_kept_from_hanging_up(pool: PgPool) {
    let stage = Stage::ringing(pool).await;
    let candidates = json!({ "candidate": "" });
    let full = loop {
        let (status, answer) = stage.post(ALICE, "ice-candidate", candidates.clone()).await;
        if status != 200 {
            break answer;
        }
    };
    assert_eq!(full["code"], "RATE_LIMITED");
    let path = format!("/conversations/{}/messages", stage.conversation);
    assert!(
        stage
            .app
            .post(ALICE, &path, &json!({ "content": "still" }))
            .await
            .status
            .is_success()
    );
    // A thousand requests would take a slow machine a minute.
    while stage.app.state.sends.check(ALICE.parse().unwrap()).is_ok() {}
    let more = stage.app.post(ALICE, &path, &json!({ "content": "more" })).await;
    assert_eq!(more.status, 429);
    assert_eq!(stage.post(ALICE, "end", json!({})).await.0, 200);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn who_takes_no_part_is_told_nothing(pool: PgPool) {
    let stage = Stage::ringing(pool).await;
    let before = stage.state().await;
    for (act, body) in bad::acts() {
        let (status, answer) = stage.post(CAROL, act, body).await;
        assert_eq!(
            (status, &answer["code"]),
            (403, &json!("AUTHORIZATION_ERROR")),
            "{act} {answer}"
        );
    }
    for look in ["status", "participants"] {
        assert_eq!(
            stage
                .app
                .get(CAROL, &format!("/calls/{}/{look}", stage.call))
                .await
                .status,
            403
        );
    }
    let path = format!("/conversations/{}/calls", stage.conversation);
    assert_eq!(
        stage.app.post(CAROL, &path, &json!({ "offer": sdp("x") })).await.status,
        403
    );
    assert_eq!(stage.state().await, before);
    let gone = Input::Gone {
        who: CAROL.parse().unwrap(),
    };
    assert!(before.clone().apply(before.created_at, gone).unwrap().is_empty());
}
