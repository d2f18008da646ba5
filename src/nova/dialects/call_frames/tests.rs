//! The translation, frame by frame.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod bad;

use chrono::{TimeZone, Utc};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::faults::Fault;
use super::wire::{self, Act, Kind, Reason};
use super::words::{self, Facts, Place};
use super::{acts, faults};
use crate::domain::call::{
    Call, Candidate, Description, DescriptionKind, Dialect, EndReason, Input, News, Phase, Place as Placed, Refused,
    Sdp, Topology,
};
use crate::domain::clock::Timestamp;
use crate::domain::ids::{CallId, ConversationId, ParticipantId, UserId};

const ANA: UserId = UserId(Uuid::from_u128(0xA));
const BEN: UserId = UserId(Uuid::from_u128(0xB));
const CALL: &str = "5f0c3b1e-9d47-4a06-b1c5-7e0a9f6d2c11";
const SDP: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=sendrecv\r\na=msid:s t\r\n";

fn now() -> Timestamp {
    Utc.with_ymd_and_hms(2026, 1, 2, 3, 4, 5).unwrap()
}

fn sdp() -> Sdp {
    Sdp::read(SDP.to_owned()).unwrap()
}

fn candidate(line: &str, fragment: Option<&str>) -> Candidate {
    Candidate {
        candidate: line.to_owned(),
        sdp_mid: Some("0".to_owned()),
        sdp_mline_index: Some(0),
        username_fragment: fragment.map(str::to_owned),
    }
}

/// The fields of each frame, besides the target.
fn body(kind: Kind) -> Value {
    match kind {
        Kind::Offer => json!({ "callId": CALL, "sdp": SDP, "withVideo": true }),
        Kind::Answer => json!({ "callId": CALL, "sdp": SDP }),
        Kind::Reject => json!({ "callId": CALL, "reason": "busy" }),
        Kind::Hangup => json!({ "callId": CALL }),
        Kind::Ice => {
            let candidate = json!({ "candidate": "candidate:1", "sdpMid": "0", "sdpMLineIndex": 0 });
            json!({ "callId": CALL, "candidate": candidate.to_string() })
        }
    }
}

fn map(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// As the web client writes it.
fn flat(kind: Kind, body: &Value) -> Map<String, Value> {
    let mut frame = map(body);
    frame.insert("type".to_owned(), json!(kind.name()));
    frame.insert("targetId".to_owned(), json!("P3R8WZ"));
    frame
}

/// As the others write it.
fn enveloped(kind: Kind, body: &Value) -> Map<String, Value> {
    map(&json!({ "type": kind.name(), "target": "P3R8WZ", "payload": body }))
}

fn facts() -> Facts {
    Facts {
        call: CALL.parse().unwrap(),
        peer: "P3R8WZ".to_owned(),
    }
}

/// A call of Ana's to Ben that rings.
fn ringing() -> Call {
    let place = Placed {
        conversation: ConversationId(Uuid::from_u128(0xC)),
        caller: ANA,
        caller_name: "Ana".to_owned(),
        caller_avatar: None,
        topology: Topology::Direct,
        callees: vec![BEN],
        peer: None,
        offer: Some(sdp()),
        metadata: None,
        is_video: Some(false),
        max_participants: 2,
        dialect: Dialect::Frames,
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

#[test]
fn each_frame_is_read_in_both_shapes() {
    for kind in Kind::ALL {
        assert_eq!(Kind::parse(kind.name()), Some(kind));
        let read = wire::read(kind, &flat(kind, &body(kind))).unwrap();
        assert_eq!(read, wire::read(kind, &enveloped(kind, &body(kind))).unwrap());
        assert_eq!((read.call.to_string().as_str(), read.target.as_str()), (CALL, "P3R8WZ"));
        let expected = match kind {
            Kind::Offer => Act::Offer {
                sdp: sdp(),
                with_video: Some(true),
            },
            Kind::Answer => Act::Answer(sdp()),
            Kind::Reject => Act::Reject(Reason::Busy),
            Kind::Hangup => Act::Hangup,
            Kind::Ice => Act::Ice(vec![candidate("candidate:1", None)]),
        };
        assert_eq!(read.act, expected);
    }
    assert_eq!(Kind::parse("call.offer"), None);
}

#[test]
fn reasons_that_nobody_knows_are_a_no() {
    for (reason, expected) in [
        (json!("busy"), Reason::Busy),
        (json!("declined"), Reason::Declined),
        (json!("timeout"), Reason::Declined),
        (json!("error"), Reason::Declined),
        (Value::Null, Reason::Declined),
    ] {
        let frame = flat(Kind::Reject, &json!({ "callId": CALL, "reason": reason }));
        assert_eq!(wire::read(Kind::Reject, &frame).unwrap().act, Act::Reject(expected));
    }
}

fn participant() -> ParticipantId {
    ParticipantId(Uuid::from_u128(0x1B))
}

fn ended(by: Option<UserId>, reason: EndReason) -> News {
    News::Ended {
        by,
        reason,
        duration_ms: 0,
        detail: None,
    }
}

fn initiated() -> News {
    News::Initiated {
        by: ANA,
        name: "Ana".to_owned(),
        avatar: None,
        topology: Topology::Direct,
        is_video: true,
        max_participants: 2,
        invitee: Some(BEN),
        offer: Some(sdp()),
        metadata: None,
        expires_at: now(),
        replaces: None,
    }
}

#[test]
fn each_piece_of_news_in_the_words_of_the_dialect() {
    let answered = News::Answered {
        by: BEN,
        participant: participant(),
        answer: Some(sdp()),
        metadata: None,
    };
    let candidates = News::Candidates {
        by: ANA,
        candidates: vec![
            candidate("candidate:1", None),
            candidate("candidate:2", Some("abcd")),
            candidate("", None),
        ],
    };
    let rejected = |reason| News::Rejected { by: BEN, reason };
    let missed = |reason| News::Missed {
        by: ANA,
        reason,
        is_video: false,
    };
    let elsewhere = News::AnsweredElsewhere {
        participant: participant(),
    };
    let shown: Value = [
        ("rings", BEN, initiated()),
        ("rings, to the caller", ANA, initiated()),
        ("answered", ANA, answered.clone()),
        ("answered, to the callee", BEN, answered),
        ("candidates", BEN, candidates.clone()),
        ("one's own candidates", ANA, candidates),
        ("answered elsewhere", BEN, elsewhere),
        ("declined", ANA, rejected(EndReason::Declined)),
        ("busy", ANA, rejected(EndReason::Busy)),
        ("declined on another device", BEN, rejected(EndReason::Declined)),
        ("not answered", BEN, missed(EndReason::NoAnswer)),
        ("taken back", BEN, missed(EndReason::Cancelled)),
        ("not answered, to the caller", ANA, ended(None, EndReason::NoAnswer)),
        ("hung up", ANA, ended(Some(BEN), EndReason::UserHangup)),
        ("lost", BEN, ended(None, EndReason::Lost)),
    ]
    .into_iter()
    .map(|(what, me, news)| json!({ "what": what, "frames": words::of_news(&facts(), me, &news) }))
    .collect();
    insta::assert_json_snapshot!(shown);
}

#[test]
fn mute_and_changes_are_not_told() {
    let description = Description {
        kind: DescriptionKind::Offer,
        sdp: sdp(),
    };
    let changes = [
        News::Negotiate {
            by: ANA,
            description,
            metadata: None,
        },
        News::MediaState {
            by: ANA,
            audio: false,
            video: false,
            metadata: None,
        },
    ];
    for news in changes {
        assert_eq!(words::of_news(&facts(), BEN, &news), Vec::<Value>::new());
    }
}

#[test]
fn a_device_hears_of_a_call_until_another_one_has_it() {
    let elsewhere = News::AnsweredElsewhere {
        participant: participant(),
    };
    let end = ended(Some(ANA), EndReason::UserHangup);
    // It rings, another one takes it, and that is the last that this one hears.
    let (rings, shown) = Place::Unsure.after(BEN, &initiated());
    assert!(shown && rings == Place::Rings);
    assert_eq!(rings.after(BEN, &initiated()), (Place::Rings, false), "once");
    assert_eq!(rings.after(BEN, &elsewhere), (Place::Over, true));
    assert_eq!(Place::Over.after(BEN, &end), (Place::Over, false));
    // The one that took it goes on; one that came back may be it.
    for place in [Place::Here, Place::Unsure] {
        assert_eq!(place.after(BEN, &elsewhere), (place, false));
        assert_eq!(place.after(BEN, &end), (place, true));
    }
    // Who calls is not rung.
    assert_eq!(Place::Here.after(ANA, &initiated()), (Place::Here, false));
    assert_eq!(Place::Unsure.after(ANA, &initiated()), (Place::Unsure, false));
}

#[test]
fn what_a_frame_means_depends_on_who_says_it_and_when() {
    let mut call = ringing();
    let offer = || Act::Offer {
        sdp: sdp(),
        with_video: None,
    };
    assert_eq!(acts::input(&call, ANA, offer()), Ok(None), "the same offer again");
    assert_eq!(acts::input(&call, BEN, offer()), Err(Refused::NotYours));
    let no = Act::Reject(Reason::Declined);
    assert!(
        matches!(acts::input(&call, ANA, no.clone()), Ok(Some(Input::End { .. }))),
        "a caller cancels"
    );
    assert!(matches!(
        acts::input(&call, BEN, Act::Reject(Reason::Busy)),
        Ok(Some(Input::Reject { busy: true, .. }))
    ));
    let answer = acts::input(&call, BEN, Act::Answer(sdp())).unwrap().unwrap();
    assert!(matches!(
        answer,
        Input::Answer {
            metadata: None,
            dialect: Dialect::Frames,
            ..
        }
    ));
    call.apply(now(), answer).unwrap();
    assert_eq!(call.phase, Phase::Connected);
    let hangup = acts::input(&call, BEN, Act::Hangup).unwrap().unwrap();
    call.apply(now(), hangup).unwrap();
    // An end is an end, however often; everything else comes too late.
    assert_eq!(acts::input(&call, ANA, Act::Hangup), Ok(None));
    assert_eq!(acts::input(&call, BEN, no), Ok(None));
    assert_eq!(acts::input(&call, ANA, offer()), Err(Refused::Ended));
    for late in [Act::Answer(sdp()), Act::Ice(vec![candidate("candidate:1", None)])] {
        let input = acts::input(&call, BEN, late).unwrap().unwrap();
        let before = call.clone();
        assert!(call.apply(now(), input).is_err());
        assert_eq!(call, before);
    }
}

#[test]
fn a_refused_offer_is_an_error_and_the_end_of_the_ringing() {
    let fault = Fault::no_peer("P3R8WZ", Some(CALL.parse().unwrap())).ends(facts(), false);
    let frames: Vec<Value> = fault
        .frames(Some(&json!(7)))
        .iter()
        .map(|it| serde_json::from_str(it).unwrap())
        .collect();
    insta::assert_json_snapshot!(frames);
    assert_eq!(faults::text(&json!({ "a": 1 })).as_str(), r#"{"a":1}"#);
}

#[test]
fn a_key_holds_the_id_of_its_caller() {
    let id: Uuid = CALL.parse().unwrap();
    assert_eq!(wire::id_of_key(&wire::key(id)), Some(id));
    assert_eq!(wire::id_of_key(CALL), None, "a key of another protocol");
}

proptest! {
    #[test]
    fn a_call_is_shown_under_an_id_of_version_4_and_found_by_it(millis in 0..1_u64 << 48, random: [u8; 10]) {
        let call = CallId(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid());
        let shown = wire::shown_id(call);
        prop_assert_eq!(shown.get_version_num(), 4);
        prop_assert_eq!(shown.get_variant(), uuid::Variant::RFC4122);
        prop_assert_eq!(wire::call_id(shown), call);
    }
}
