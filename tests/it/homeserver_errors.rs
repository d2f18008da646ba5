//! What the homeserver client makes of trouble.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use nova_bridge::matrix::{Endpoint, Homeserver, HomeserverError, Outcome, Retry, Settings};
use serde_json::json;

use crate::homeserver_client::{ghost, other_ghost, raw, room, settings, start};
use crate::support::address::free_address;
use crate::support::homeserver::{FakeHomeserver, Fault, Gate, On};

const HELLO: &str = r#"{"body":"hello","msgtype":"m.text"}"#;

fn judged(error: &HomeserverError) -> (Retry, bool, Option<u16>) {
    (error.retry(), error.outcome_unknown(), error.status())
}

#[tokio::test]
async fn each_kind_of_refusal_is_judged() {
    let (homeserver, client) = start().await;
    let room = room(&client).await;
    let html = |status| Fault::Body(status, "text/html", "<html>Bad Gateway</html>".into());
    let cases = [
        (
            Fault::Status(429, "M_LIMIT_EXCEEDED", Some(700)),
            Retry::After(Duration::from_millis(700)),
            false,
            Some(429),
        ),
        (
            Fault::Status(429, "M_LIMIT_EXCEEDED", None),
            Retry::Backoff,
            false,
            Some(429),
        ),
        (Fault::Status(500, "M_UNKNOWN", None), Retry::Backoff, true, Some(500)),
        (html(502), Retry::Backoff, true, Some(502)),
        (html(504), Retry::Backoff, true, Some(504)),
        (
            Fault::Status(401, "M_UNKNOWN_TOKEN", None),
            Retry::Backoff,
            false,
            Some(401),
        ),
        (Fault::Status(403, "M_FORBIDDEN", None), Retry::Never, false, Some(403)),
        (Fault::Status(413, "M_TOO_LARGE", None), Retry::Never, false, Some(413)),
        (html(200), Retry::Backoff, true, None),
        (
            Fault::Body(200, "application/json", "{}".into()),
            Retry::Backoff,
            true,
            None,
        ),
        (Fault::Drop, Retry::Backoff, true, None),
    ];
    for (fault, retry, unknown, status) in cases {
        let name = format!("{fault:?}");
        homeserver.fail_next(On::Send, fault);
        let error = client
            .send_event(ghost(), &room, "m.room.message", "1", &raw(HELLO))
            .await
            .unwrap_err();
        assert_eq!(judged(&error), (retry, unknown, status), "{name}: {error}");
    }
    assert!(homeserver.texts(room.as_str()).is_empty());
    client
        .send_event(ghost(), &room, "m.room.message", "1", &raw(HELLO))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_wrong_token_is_told_by_its_errcode_and_never_shown() {
    let homeserver = FakeHomeserver::start().await;
    let settings = Settings {
        as_token: "wrong-secret".into(),
        ..settings(&homeserver)
    };
    let client = Homeserver::new(settings).unwrap();
    let error = client.whoami(None).await.unwrap_err();
    assert_eq!(
        (error.errcode(), error.retry()),
        (Some("M_UNKNOWN_TOKEN"), Retry::Backoff)
    );
    assert!(!format!("{error:?} {client:?}").contains("wrong-secret"));
}

#[tokio::test]
async fn nobody_listening_is_no_unknown_outcome() {
    let nobody = free_address();
    let url = format!("http://{nobody}").parse().unwrap();
    let client = Homeserver::new(Settings::new(url, "as-token".into(), Duration::from_secs(30))).unwrap();
    let error = client.create_room(ghost(), &json!({})).await.unwrap_err();
    assert!(matches!(error, HomeserverError::Connect(_)), "{error:?}");
    assert_eq!(judged(&error), (Retry::Backoff, false, None));
}

#[tokio::test]
async fn a_time_out_leaves_the_outcome_unknown_whether_it_took_effect_or_not() {
    let (homeserver, patient) = start().await;
    let room = room(&patient).await;
    let settings = Settings {
        request_timeout: Duration::from_secs(1),
        ..settings(&homeserver)
    };
    let client = Homeserver::new(settings).unwrap();
    let gate = Gate::new();
    homeserver.fail_next(On::Send, Fault::Hang(gate.clone()));
    let held = client
        .send_event(ghost(), &room, "m.room.message", "1", &raw(HELLO))
        .await
        .unwrap_err();
    assert_eq!(judged(&held), (Retry::Backoff, true, None));
    assert!(homeserver.texts(room.as_str()).is_empty());
    homeserver.fail_next(On::Send, Fault::Slow(Duration::from_mins(1)));
    let slow = client
        .send_event(ghost(), &room, "m.room.message", "2", &raw(HELLO))
        .await
        .unwrap_err();
    assert!(matches!(slow, HomeserverError::Timeout(_)), "{slow:?}");
    assert_eq!(judged(&slow), (Retry::Backoff, true, None));
    assert_eq!(homeserver.texts(room.as_str()), ["hello"]);
}

#[tokio::test]
async fn a_held_request_goes_on_when_its_gate_opens() {
    let (homeserver, client) = start().await;
    let room = room(&client).await;
    let gate = Gate::new();
    homeserver.fail_next(On::Path("/send/m.room.message/"), Fault::Hang(gate.clone()));
    let content = raw(HELLO);
    let sending = client.send_event(ghost(), &room, "m.room.message", "1", &content);
    let (sent, ()) = tokio::join!(sending, async {
        gate.reached().await;
        assert!(homeserver.texts(room.as_str()).is_empty());
        gate.release();
    });
    sent.unwrap();
    let texts = homeserver.wait_for("the message", |world| {
        Some(world.rooms[room.as_str()].texts()).filter(|t| !t.is_empty())
    });
    assert_eq!(texts.await, ["hello"]);
}

#[tokio::test]
async fn after_a_lost_answer_the_same_transaction_id_gives_the_same_event() {
    let (homeserver, client) = start().await;
    let room = room(&client).await;
    let content = raw(HELLO);
    let send = async || {
        client
            .send_event(ghost(), &room, "m.room.message", "txn", &content)
            .await
    };
    homeserver.fail_next(On::Send, Fault::LoseAnswer);
    let lost = send().await.unwrap_err();
    assert!(matches!(lost, HomeserverError::Broken(_)), "{lost:?}");
    assert_eq!(judged(&lost), (Retry::Backoff, true, None));
    let first = send().await.unwrap();
    assert_eq!(send().await.unwrap(), first);
    assert_eq!(homeserver.texts(room.as_str()), ["hello"]);
    homeserver.restart();
    assert_ne!(send().await.unwrap(), first, "a restarted homeserver has forgotten");
    assert_eq!(homeserver.texts(room.as_str()), ["hello", "hello"]);
}

#[tokio::test]
async fn two_ghosts_that_share_a_transaction_id_lose_a_message() {
    let (homeserver, client) = start().await;
    let room = room(&client).await;
    client.invite(ghost(), &room, other_ghost(), None).await.unwrap();
    client.join(other_ghost(), &room).await.unwrap();
    let first = client
        .send_event(ghost(), &room, "m.room.message", "txn", &raw(HELLO))
        .await
        .unwrap();
    let second = client
        .send_event(other_ghost(), &room, "m.room.message", "txn", &raw(HELLO))
        .await
        .unwrap();
    assert_eq!(first, second);
    assert_eq!(homeserver.texts(room.as_str()), ["hello"]);
}

#[tokio::test]
async fn the_observer_learns_of_each_request_how_it_ended() {
    let (homeserver, _) = start().await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let settings = Settings {
        observer: {
            let seen = seen.clone();
            Arc::new(move |endpoint, outcome, _| seen.lock().unwrap().push((endpoint, outcome)))
        },
        ..settings(&homeserver)
    };
    let client = Homeserver::new(settings).unwrap();
    client.versions().await.unwrap();
    homeserver.fail_next(On::Whoami, Fault::Status(429, "M_LIMIT_EXCEEDED", None));
    homeserver.fail_next(On::Whoami, Fault::Status(503, "M_UNKNOWN", None));
    homeserver.fail_next(On::Whoami, Fault::Body(200, "text/html", "<html>".into()));
    homeserver.fail_next(On::Whoami, Fault::Drop);
    for _ in 0..4 {
        client.whoami(None).await.unwrap_err();
    }
    client
        .joined_rooms(ruma::user_id!("@alice:example.org"))
        .await
        .unwrap_err();
    let expected = [
        (Endpoint::Versions, Outcome::Ok),
        (Endpoint::Whoami, Outcome::RateLimited),
        (Endpoint::Whoami, Outcome::ServerError),
        (Endpoint::Whoami, Outcome::Unreadable),
        (Endpoint::Whoami, Outcome::NoAnswer),
        (Endpoint::JoinedRooms, Outcome::Refused),
    ];
    assert_eq!(*seen.lock().unwrap(), expected);
}

#[tokio::test]
async fn a_broken_homeserver_stays_broken_until_it_is_healed() {
    let (homeserver, client) = start().await;
    homeserver.fail_every(On::Any, Fault::Status(503, "M_UNKNOWN", None));
    for _ in 0..3 {
        assert_eq!(client.versions().await.unwrap_err().status(), Some(503));
    }
    homeserver.heal();
    client.versions().await.unwrap();
}

#[tokio::test]
async fn each_request_can_be_made_to_fail_alone() {
    let (homeserver, client) = start().await;
    let room = room(&client).await;
    macro_rules! fails {
        ($on:ident, $call:expr) => {
            homeserver.fail_next(On::$on, Fault::Status(503, "M_UNKNOWN", None));
            assert_eq!($call.await.unwrap_err().status(), Some(503), stringify!($on));
        };
    }
    fails!(State, client.room_state(ghost(), &room));
    fails!(CreateRoom, client.create_room(ghost(), &json!({})));
    fails!(Join, client.join(ghost(), &room));
    fails!(Leave, client.leave(ghost(), &room, None));
    fails!(Invite, client.invite(ghost(), &room, other_ghost(), None));
    fails!(Register, client.register("nova-x"));
    fails!(Profile, client.profile(ghost()));
    fails!(Upload, client.upload(ghost(), "image/png", "".into()));
    fails!(Thumbnail, client.thumbnail("mxc://example.org/m1", 1, 1));
    fails!(Messages, client.messages(ghost(), &room, None, 1));
    fails!(Ping, client.ping("nova", "1"));
    client.room_state(ghost(), &room).await.unwrap();
}

#[tokio::test]
async fn a_ping_tells_whether_the_homeserver_reaches_us() {
    let (homeserver, client) = start().await;
    assert_eq!(
        client.ping("nova", "1").await.unwrap_err().errcode(),
        Some("M_URL_NOT_SET")
    );
    let nobody = free_address();
    homeserver.set_appservice_url(&format!("http://{nobody}").parse().unwrap());
    assert_eq!(
        client.ping("nova", "1").await.unwrap_err().errcode(),
        Some("M_CONNECTION_FAILED")
    );
    crate::fake_homeserver::listener(&homeserver).await;
    assert_eq!(client.ping("nova", "1").await.unwrap(), Duration::from_millis(3));
}

#[tokio::test]
async fn an_answer_beyond_every_measure_is_given_up() {
    let (homeserver, client) = start().await;
    let huge = Fault::Body(200, "application/json", vec![b' '; (32 << 20) + 1].into());
    homeserver.fail_next(On::Whoami, huge);
    let error = client.whoami(None).await.unwrap_err();
    assert!(matches!(error, HomeserverError::TooLarge { .. }), "{error:?}");
    homeserver.fail_next(On::Whoami, Fault::Body(500, "text/plain", vec![b'x'; 1 << 20].into()));
    assert_eq!(client.whoami(None).await.unwrap_err().status(), Some(500));
}
