//! The translation, word by word.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

use chrono::{TimeZone, Utc};
use ruma::server_name;
use serde_json::{Value, json};
use uuid::Uuid;

use super::acts::{self, Act};
use super::words::{self, Facts, Word};
use super::{proof, wire};
use crate::domain::call::{
    Call, Candidate, Description, DescriptionKind, Dialect, EndReason, Input, News, Peer, Place, Sdp, Topology,
};
use crate::domain::clock::Timestamp;
use crate::domain::ghost::Ghosts;
use crate::domain::ids::{ConversationId, UserId};

const ANA: UserId = UserId(Uuid::from_u128(0xA));
const BEN: UserId = UserId(Uuid::from_u128(0xB));
const SDP: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=sendrecv\r\na=msid:s t\r\n";

fn now() -> Timestamp {
    Utc.with_ymd_and_hms(2026, 1, 2, 3, 4, 5).unwrap()
}

fn ghosts() -> Ghosts {
    Ghosts::new(server_name!("ex.org"))
}

fn sdp(mark: &str) -> Sdp {
    Sdp::read(format!("{SDP}a=x-{mark}\r\n")).unwrap()
}

fn candidate(line: &str) -> Candidate {
    Candidate {
        candidate: line.to_owned(),
        sdp_mid: Some("0".to_owned()),
        sdp_mline_index: Some(0),
        username_fragment: None,
    }
}

fn placed(peer: Option<&str>) -> Call {
    let place = Place {
        conversation: ConversationId(Uuid::from_u128(0xC)),
        caller: ANA,
        caller_name: "Ana".to_owned(),
        caller_avatar: None,
        topology: Topology::Direct,
        callees: vec![BEN],
        peer: peer.map(|mxid| Peer {
            mxid: mxid.try_into().unwrap(),
            call: "~n.1".to_owned(),
            our_party: "aaaaaaaa".to_owned(),
        }),
        offer: None,
        metadata: None,
        is_video: Some(false),
        max_participants: 2,
        dialect: Dialect::SocketIo,
        ring_ms: 60_000,
        grace_ms: 30_000,
    };
    let mut next = 0x10;
    let mut ids = || {
        next += 1;
        Uuid::from_u128(next)
    };
    Call::place(now(), place, &mut ids).unwrap().0
}

fn facts(peer: Option<&str>) -> Facts {
    Facts::new(&ghosts(), &placed(peer), Some("!r:ex.org".to_owned()))
}

fn shown(words: &[Word]) -> Value {
    words
        .iter()
        .map(|it| json!({ "event": it.event, "body": it.body, "only_joined": it.only_joined }))
        .collect()
}

#[test]
fn a_ring_and_an_offer() {
    let facts = facts(None);
    let mut call = placed(None);
    let offer = Input::Offer {
        by: ANA,
        offer: sdp("offer"),
        metadata: None,
    };
    call.apply(now(), offer).unwrap();
    call.people[0].candidates = vec![candidate("candidate:1"), candidate("")];
    let mut words = vec![words::incoming(&facts, "Ana")];
    words.extend(words::offer(&facts, BEN, &call.people[0]));
    insta::assert_json_snapshot!(shown(&words));
}

#[test]
fn an_answer_of_somebody_in_matrix() {
    let facts = facts(Some("@bo:ex.org"));
    let mut words = words::taken(&facts, BEN);
    words.push(words::description(
        &facts,
        ANA,
        BEN,
        DescriptionKind::Answer,
        &sdp("answer"),
    ));
    words.extend(words::candidates(&facts, ANA, BEN, &[candidate("candidate:2")]));
    insta::assert_json_snapshot!(shown(&words));
}

#[test]
fn every_end() {
    let facts = facts(None);
    let ended = |by, reason| News::Ended {
        by,
        reason,
        duration_ms: 0,
        detail: None,
    };
    let missed = |reason| News::Missed {
        by: ANA,
        reason,
        is_video: false,
    };
    let rejected = News::Rejected {
        by: BEN,
        reason: EndReason::Declined,
    };
    let all = [
        ("hung up by the peer", ANA, ended(Some(BEN), EndReason::UserHangup)),
        ("hung up here", ANA, ended(Some(ANA), EndReason::UserHangup)),
        ("nobody answered", ANA, ended(None, EndReason::NoAnswer)),
        ("missed", BEN, missed(EndReason::NoAnswer)),
        ("taken back", BEN, missed(EndReason::Cancelled)),
        ("declined", ANA, rejected.clone()),
        ("declined here", BEN, rejected),
    ];
    let all: Value = all
        .iter()
        .map(|(what, me, news)| json!({ "what": what, "words": shown(&words::plain(&facts, *me, news)) }))
        .collect();
    insta::assert_json_snapshot!(all);
}

#[test]
fn a_change_and_a_switch() {
    let facts = facts(None);
    let news = News::Negotiate {
        by: BEN,
        description: Description {
            kind: DescriptionKind::Offer,
            sdp: sdp("again"),
        },
        metadata: None,
    };
    assert_eq!(words::plain(&facts, BEN, &news), []);
    let mut words = words::plain(&facts, ANA, &news);
    words.extend(words::switched(&facts.name(BEN), (true, true), (false, true)));
    words.extend(words::switched(&facts.name(BEN), (false, true), (false, false)));
    insta::assert_json_snapshot!(shown(&words));
}

#[test]
fn what_is_said_means_something_else_at_each_time() {
    let mut call = placed(None);
    let offer = |mark| Act::Offer(sdp(mark));
    let first = acts::input(&call, ANA, offer("1")).unwrap();
    assert!(matches!(first, Input::Offer { .. }));
    assert_eq!(acts::input(&call, BEN, offer("1")), None, "only the caller offers");
    call.apply(now(), first).unwrap();
    assert_eq!(acts::input(&call, ANA, offer("1")), None, "again, while it rings");

    let accept = Input::Accept {
        by: BEN,
        dialect: Dialect::SocketIo,
        claim: None,
    };
    call.apply(now(), accept).unwrap();
    let answer = acts::input(&call, BEN, Act::Answer(sdp("2"), false)).unwrap();
    assert!(matches!(answer, Input::Answer { .. }));
    call.apply(now(), answer).unwrap();
    assert_eq!(
        acts::input(&call, BEN, Act::Answer(sdp("3"), false)),
        None,
        "answered twice"
    );
    assert_eq!(acts::input(&call, ANA, offer("1")), None, "the same offer again");
    assert!(matches!(
        acts::input(&call, ANA, offer("4")),
        Some(Input::Negotiate { .. })
    ));
    let asked = acts::input(&call, BEN, Act::Answer(sdp("5"), true));
    assert!(matches!(asked, Some(Input::Negotiate { .. })));

    let muted = |audio| Act::Media {
        audio: Some(audio),
        video: None,
    };
    assert_eq!(acts::input(&call, ANA, muted(true)), None, "it is on");
    let off = acts::input(&call, ANA, muted(false)).unwrap();
    call.apply(now(), off).unwrap();
    assert_eq!(acts::input(&call, ANA, muted(false)), None, "over REST and the socket");

    let end = acts::input(&call, ANA, Act::End).unwrap();
    call.apply(now(), end).unwrap();
    assert_eq!(acts::input(&call, BEN, Act::End), None);
    assert_eq!(acts::input(&call, BEN, Act::Candidate(candidate("candidate:9"))), None);
}

#[test]
fn what_is_too_long_or_malformed_is_refused() {
    let kind = DescriptionKind::Offer;
    assert!(wire::description(&json!({ "type": "offer", "sdp": SDP }), kind).is_some());
    assert!(wire::description(&json!({ "type": "answer", "sdp": SDP }), kind).is_none());
    assert!(wire::description(&json!({ "type": "offer", "sdp": 7 }), kind).is_none());
    let long = format!("v=0{}", "x".repeat(64 * 1024));
    assert!(wire::description(&json!({ "type": "offer", "sdp": long }), kind).is_none());

    let longest = "c".repeat(4 * 1024);
    assert!(wire::candidate(&json!({ "candidate": longest })).is_some());
    assert!(wire::candidate(&json!({ "candidate": format!("{longest}c") })).is_none());
    assert!(wire::candidate(&json!({ "candidate": "c", "sdpMLineIndex": -1 })).is_none());
    assert!(wire::candidate(&json!("candidate:1")).is_none());
    assert!(wire::candidate(&Value::Null).unwrap().is_end());

    assert_eq!(wire::id(&json!({ "userId": "x".repeat(256) }), "userId"), None);
    assert_eq!(wire::id(&json!({ "userId": "" }), "userId"), None);
    assert!(wire::call_id("0123456789abcdef0123456789abcdef").is_some());
    assert!(wire::call_id("0123456789abcdef").is_none());
    let call = placed(None).id;
    assert_eq!(wire::call_id(&wire::shown_id(call)), Some(call));
    assert_eq!(wire::user(&ghosts(), &ghosts().mxid(ANA)), Some(ANA));
    assert_eq!(wire::user(&ghosts(), &ANA.to_string()), Some(ANA));
    assert_eq!(wire::user(&ghosts(), "@bo:ex.org"), None);
}

#[test]
fn a_connection_shows_its_token_in_one_of_three_ways() {
    let auth = json!({ "token": "b" });
    let of = proof::of_connection;
    assert_eq!(of("/u/a", Some("token=c"), Some(&auth)).as_deref(), Some("a"));
    assert_eq!(of("/", Some("token=c"), Some(&auth)).as_deref(), Some("b"));
    assert_eq!(of("/", Some("EIO=4&token=c"), None).as_deref(), Some("c"));
    assert_eq!(of("/", Some("EIO=4"), Some(&json!({ "token": 1 }))), None);
}
