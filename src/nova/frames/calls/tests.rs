//! Every piece of news, as the frames that leave the process.

use std::sync::Arc;
use std::time::Duration;

use chrono::{TimeZone, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::domain::call::{EndReason, Topology};
use crate::domain::clock::{SystemClock, Timestamp};
use crate::domain::feed::{Change, Cursor, FeedEvent};
use crate::domain::ids::{ConversationId, ParticipantId, UserId};

const ALICE: UserId = UserId(Uuid::from_u128(0xA11CE));
const BOB: UserId = UserId(Uuid::from_u128(0xB0B));
const PART: ParticipantId = ParticipantId(Uuid::from_u128(0xFA27));

fn at(seconds: u32) -> Timestamp {
    Utc.with_ymd_and_hms(2026, 1, 8, 9, 15, seconds).unwrap()
}

fn shown(news: &News) -> Vec<Value> {
    let call = CallId(Uuid::from_u128(0xCA11));
    let entry = FeedEntry {
        cursor: Cursor {
            position: 1_767_863_730_123,
            n: 2,
        },
        conversation: ConversationId(Uuid::from_u128(0xC0)),
        audience: Some(BOB),
        at: at(30),
        event: FeedEvent::Change(Change::Call {
            call,
            news: news.clone(),
        }),
    };
    let url = "https://nova.example.org/".parse().unwrap();
    let links = Links::new(&url, b"secret", Duration::from_hours(24), Arc::new(SystemClock));
    frames(&entry, call, news, &links)
}

fn sdp() -> Sdp {
    Sdp::read("v=0\r\nm=audio 9 x 0\r\na=msid:s t\r\n".to_owned()).unwrap()
}

fn metadata() -> StreamMetadata {
    StreamMetadata::of(&sdp(), true, false)
}

fn initiated(topology: Topology) -> News {
    let direct = topology == Topology::Direct;
    News::Initiated {
        by: ALICE,
        name: "Alice".to_owned(),
        avatar: Some("mxc://example.org/alice".to_owned()),
        topology,
        is_video: direct,
        max_participants: if direct { 2 } else { 8 },
        invitee: direct.then_some(BOB),
        offer: direct.then(sdp),
        metadata: direct.then(metadata),
        expires_at: at(59),
        replaces: None,
    }
}

#[test]
fn it_rings() {
    insta::assert_json_snapshot!("initiated", shown(&initiated(Topology::Direct)));
    insta::assert_json_snapshot!("initiated_group", shown(&initiated(Topology::Group)));
}

#[test]
fn a_call_that_takes_the_place_of_ones_own_is_answered_by_itself() {
    let mut news = initiated(Topology::Direct);
    let News::Initiated { replaces, .. } = &mut news else {
        unreachable!()
    };
    *replaces = Some(CallId(Uuid::from_u128(7)));
    let frame = shown(&news).remove(0);
    assert_eq!(frame["replaces"], json!(Uuid::from_u128(7)));
    assert_eq!(frame["auto_accept"], true);
    assert!(shown(&initiated(Topology::Direct))[0].get("auto_accept").is_none());
}

#[test]
fn somebody_takes_it() {
    let answered = |answer| News::Answered {
        by: BOB,
        participant: PART,
        answer,
        metadata: Some(metadata()),
    };
    insta::assert_json_snapshot!("answered", shown(&answered(Some(sdp()))));
    assert!(shown(&answered(None)).is_empty());
    insta::assert_json_snapshot!(
        "answered_elsewhere",
        shown(&News::AnsweredElsewhere { participant: PART })
    );
}

#[test]
fn it_is_up() {
    let candidate = |line: &str, full: bool| Candidate {
        candidate: line.to_owned(),
        sdp_mid: full.then(|| "0".to_owned()),
        sdp_mline_index: full.then_some(0),
        username_fragment: full.then(|| "Qz1f".to_owned()),
    };
    let line = "candidate:842163049 1 udp 1677729535 203.0.113.7 46154 typ srflx";
    let candidates = News::Candidates {
        by: ALICE,
        candidates: vec![candidate(line, true), candidate("", false)],
    };
    insta::assert_json_snapshot!("ice_candidates", shown(&candidates));
    let negotiate = News::Negotiate {
        by: ALICE,
        description: Description {
            kind: DescriptionKind::Offer,
            sdp: sdp(),
        },
        metadata: Some(metadata()),
    };
    insta::assert_json_snapshot!("negotiate", shown(&negotiate));
    let media = News::MediaState {
        by: ALICE,
        audio: false,
        video: true,
        metadata: None,
    };
    insta::assert_json_snapshot!("media_state", shown(&media));
    let joined = News::ParticipantJoined {
        by: ALICE,
        participant: PART,
        sdp: Some(sdp()),
    };
    insta::assert_json_snapshot!("participant_joined", shown(&joined));
    let left = News::ParticipantLeft {
        by: ALICE,
        participant: PART,
    };
    insta::assert_json_snapshot!("participant_left", shown(&left));
}

#[test]
fn it_is_over() {
    let rejected = News::Rejected {
        by: BOB,
        reason: EndReason::Busy,
    };
    insta::assert_json_snapshot!("rejected", shown(&rejected));
    let missed = News::Missed {
        by: ALICE,
        reason: EndReason::NoAnswer,
        is_video: true,
    };
    insta::assert_json_snapshot!("missed", shown(&missed));
    let ended = |by, detail: Option<&str>| News::Ended {
        by,
        reason: EndReason::UserHangup,
        duration_ms: 61_250,
        detail: detail.map(str::to_owned),
    };
    insta::assert_json_snapshot!("ended", shown(&ended(Some(ALICE), None)));
    insta::assert_json_snapshot!("ended_by_itself", shown(&ended(None, Some("the room is gone"))));
}
