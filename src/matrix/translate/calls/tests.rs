//! What is sent, pinned by snapshots; what is read, however it is written.

use chrono::{DateTime, TimeDelta};
use proptest::prelude::*;

use super::*;
use crate::domain::call::HangupReason;

const OFFER: &str = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=msid:s t\r\n";

fn now() -> Timestamp {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

fn sdp_of(text: &str) -> Sdp {
    Sdp::read(text.to_owned()).unwrap()
}

fn streams() -> StreamMetadata {
    let streams = json!({ "s": { "purpose": "m.usermedia", "audio_muted": false, "video_muted": true } });
    StreamMetadata::read(&streams).unwrap()
}

fn signal(version: Version, act: SignalAct) -> Signal {
    Signal {
        call: "~n.1".to_owned(),
        party: "nv3kQ9xT".to_owned(),
        version,
        act,
    }
}

fn acts() -> Vec<SignalAct> {
    let candidate = |candidate: &str, mid: Option<&str>, index, fragment: Option<&str>| Candidate {
        candidate: candidate.to_owned(),
        sdp_mid: mid.map(str::to_owned),
        sdp_mline_index: index,
        username_fragment: fragment.map(str::to_owned),
    };
    vec![
        SignalAct::Invite {
            offer: sdp_of(OFFER),
            metadata: Some(streams()),
            invitee: "@alice:hs".try_into().unwrap(),
            expires_at: now(),
            lifetime_ms: 60_000,
        },
        SignalAct::Answer {
            answer: sdp_of(OFFER),
            metadata: None,
        },
        SignalAct::SelectAnswer {
            party: "a/b+c=".to_owned(),
        },
        SignalAct::Candidates(vec![
            candidate("candidate:1", Some("0"), Some(0), Some("uf")),
            candidate("candidate:2", Some("1"), None, None),
            candidate("candidate:3", None, Some(2), None),
            candidate("candidate:4", Some("video"), None, None),
            candidate("", Some("0"), Some(0), Some("uf")),
        ]),
        SignalAct::Reject { busy: false },
        SignalAct::Reject { busy: true },
        SignalAct::End(HangupReason::UserHangup),
        SignalAct::End(HangupReason::UserBusy),
        SignalAct::Negotiate {
            description: Description {
                kind: DescriptionKind::Answer,
                sdp: sdp_of(OFFER),
            },
            metadata: streams(),
        },
        SignalAct::Metadata(streams()),
    ]
}

fn written(version: Version, said: Said) -> Vec<Option<(&'static str, Value)>> {
    let acts = acts().into_iter();
    acts.map(|act| write(&signal(version, act), said, 60_000)).collect()
}

#[test]
fn every_event_that_is_sent() {
    insta::assert_json_snapshot!(written(Version::V1, Said::Everything));
}

#[test]
fn every_event_that_is_sent_in_version_0() {
    insta::assert_json_snapshot!(written(Version::V0, Said::Everything));
}

#[test]
fn ends_are_said_by_what_was_said_before() {
    let ends = |version, said| -> Vec<Value> {
        let reasons = [
            HangupReason::UserHangup,
            HangupReason::UserBusy,
            HangupReason::InviteTimeout,
            HangupReason::Replaced,
        ];
        let ends = reasons.into_iter().map(SignalAct::End);
        ends.map(|act| {
            let sent = write(&signal(version, act), said, 0);
            sent.map_or(Value::Null, |(event_type, content)| {
                json!([event_type, content.get("reason")])
            })
        })
        .collect()
    };
    let (hangup, reject) = ("m.call.hangup", "m.call.reject");
    assert_eq!(
        ends(Version::V1, Said::NoInvite),
        [Value::Null, Value::Null, Value::Null, Value::Null]
    );
    assert_eq!(
        ends(Version::V1, Said::NoAnswer),
        [
            json!([reject, null]),
            json!([reject, "user_busy"]),
            json!([reject, null]),
            json!([reject, null])
        ]
    );
    let hangups = [
        json!([hangup, "user_hangup"]),
        json!([hangup, "user_busy"]),
        json!([hangup, "invite_timeout"]),
        json!([hangup, "user_hangup"]),
    ];
    assert_eq!(ends(Version::V1, Said::Everything), hangups);
    assert_eq!(ends(Version::V0, Said::NoAnswer), hangups);
    // Without an invite nothing of a call makes sense to anybody.
    let silent = written(Version::V1, Said::NoInvite);
    assert_eq!(silent.iter().filter(|it| it.is_some()).count(), 1, "{silent:?}");
}

#[test]
fn what_we_send_can_be_read_back() {
    for (event_type, content) in written(Version::V1, Said::Everything).into_iter().flatten() {
        let outside = Outside {
            unsigned: &Value::Null,
            sent_at: None,
            marked: true,
            now: now(),
        };
        let read = read(event_type, &content, outside).unwrap().unwrap();
        let Meaning::Call { event, marked } = read else {
            unreachable!("{event_type} is no call event")
        };
        assert_eq!(
            (event.call.as_str(), event.version, marked),
            ("~n.1", Version::V1, true)
        );
        assert_eq!(event.party.as_deref(), Some("nv3kQ9xT"));
    }
}

fn outside(unsigned: &Value, sent_at: Option<i64>) -> Outside<'_> {
    Outside {
        unsigned,
        sent_at,
        marked: false,
        now: now(),
    }
}

fn call_event(event_type: &str, content: &Value) -> CallEvent {
    match read(event_type, content, outside(&json!({}), None)) {
        Some(Ok(Meaning::Call { event, .. })) => event,
        other => unreachable!("{other:?}"),
    }
}

fn invite() -> Value {
    json!({ "call_id": "c", "party_id": "p", "version": "1", "lifetime": 60_000, "offer": { "type": "offer", "sdp": OFFER } })
}

#[test]
fn only_the_integer_0_is_version_0() {
    for (version, is) in [
        (json!(0), Version::V0),
        (json!("0"), Version::V1),
        (json!(1), Version::V1),
        (json!("1"), Version::V1),
        (json!("org.example"), Version::V1),
        (json!(null), Version::V1),
        (json!(0.5), Version::V1),
    ] {
        let mut content = invite();
        content["version"] = version;
        assert_eq!(call_event("m.call.invite", &content).version, is);
    }
    let mut without = invite();
    without.as_object_mut().unwrap().remove("version");
    assert_eq!(call_event("org.matrix.call.invite", &without).version, Version::V1);
}

#[test]
fn the_age_is_what_the_server_says_or_else_by_the_time_and_never_negative() {
    let age = |unsigned: Value, sent_at| match read("m.call.invite", &invite(), outside(&unsigned, sent_at)) {
        Some(Ok(Meaning::Call { event, .. })) => event.age_ms,
        other => unreachable!("{other:?}"),
    };
    let sent = |ago: i64| Some(now().timestamp_millis() - ago);
    assert_eq!(age(json!({ "age": 7 }), sent(1_000)), 7);
    assert_eq!(age(json!({ "age": "7" }), None), 7);
    assert_eq!(age(json!({ "age": -7 }), sent(1_000)), 0);
    assert_eq!(age(json!({ "age": null }), sent(1_000)), 1_000);
    assert_eq!(age(json!(null), sent(-5_000)), 0);
    assert_eq!(age(json!([]), None), 0);
}

#[test]
fn stable_metadata_wins_and_what_is_none_is_ignored() {
    let entry = |purpose: &str| json!({ "s": { "purpose": purpose } });
    for (stable, unstable, wanted) in [
        (entry("a"), entry("b"), Some(entry("a"))),
        (json!(null), entry("b"), Some(entry("b"))),
        (json!({ "s": 7 }), entry("b"), Some(entry("b"))),
        (json!("x"), json!(null), None),
    ] {
        let mut content = invite();
        content["sdp_stream_metadata"] = stable;
        content["org.matrix.msc3077.sdp_stream_metadata"] = unstable;
        let CallAct::Invite { metadata, .. } = call_event("m.call.invite", &content).act else {
            unreachable!("an invite")
        };
        assert_eq!(metadata, wanted.as_ref().and_then(StreamMetadata::read));
    }
}

#[test]
fn candidates_are_read_one_by_one() {
    let list = json!([
        { "candidate": "a", "sdpMid": "0", "sdpMLineIndex": 0, "usernameFragment": "u" },
        { "candidate": "b", "sdpMid": "", "sdpMLineIndex": null, "usernameFragment": null },
        { "candidate": "c", "sdpMLineIndex": "2" },
        { "candidate": "d", "sdpMid": 7, "sdpMLineIndex": 70_000 },
        { "candidate": null }, { "candidate": 7 }, {}, null, "x",
        { "candidate": "x".repeat(MAX_CANDIDATE + 1), "sdpMid": "0" },
        { "candidate": "nul\u{0}", "sdpMid": "0" },
        { "candidate": "" },
    ]);
    let CallAct::Candidates(read) = call_event("m.call.candidates", &json!({ "call_id": "c", "candidates": list })).act
    else {
        unreachable!("candidates")
    };
    insta::assert_json_snapshot!(read);
}

#[test]
fn reasons_and_defaults() {
    let act = |event_type: &str, content: Value| call_event(event_type, &content).act;
    let hangup = |reason: Value| act("m.call.hangup", json!({ "call_id": "c", "reason": reason }));
    assert_eq!(hangup(json!(null)), CallAct::Hangup(HangupReason::UserHangup));
    assert_eq!(hangup(json!("userHangup")), CallAct::Hangup(HangupReason::UserHangup));
    assert_eq!(hangup(json!("replaced")), CallAct::Hangup(HangupReason::Replaced));
    assert_eq!(hangup(json!(["x"])), CallAct::Hangup(HangupReason::UserHangup));
    assert_eq!(hangup(json!("what")), CallAct::Hangup(HangupReason::UnknownError));
    let reject = act("m.call.reject", json!({ "call_id": "c", "reason": "user_busy" }));
    assert_eq!(reject, CallAct::Reject { busy: true });
    let mut short = invite();
    short.as_object_mut().unwrap().remove("lifetime");
    short["invitee"] = json!("@nova:hs");
    let CallAct::Invite {
        lifetime_ms, invitee, ..
    } = act("m.call.invite", short)
    else {
        unreachable!("an invite")
    };
    assert_eq!((lifetime_ms, invitee.unwrap().as_str()), (60_000, "@nova:hs"));
    let others = [
        "m.call.asserted_identity",
        "m.call.reject_replacement",
        "m.call.member",
        "m.call.",
        "m.callx",
    ];
    for other in others {
        assert!(read(other, &invite(), outside(&json!({}), None)).is_none(), "{other}");
    }
}

#[test]
fn what_lacks_what_it_needs_is_malformed() {
    let broken = [
        ("m.call.invite", json!({ "call_id": "c" })),
        ("m.call.invite", json!({ "call_id": "c", "offer": "v=0" })),
        (
            "m.call.invite",
            json!({ "call_id": "c", "offer": { "sdp": "x".repeat(70_000) } }),
        ),
        ("m.call.invite", json!({ "call_id": 7, "offer": { "sdp": OFFER } })),
        (
            "m.call.invite",
            json!({ "call_id": "c", "offer": { "sdp": OFFER }, "invitee": "nobody" }),
        ),
        ("m.call.answer", json!({ "call_id": "", "answer": { "sdp": OFFER } })),
        ("m.call.candidates", json!({ "call_id": "c", "candidates": {} })),
        ("m.call.hangup", json!({ "call_id": "x\u{0}" })),
        (
            "m.call.negotiate",
            json!({ "call_id": "c", "description": { "sdp": OFFER } }),
        ),
        (
            "m.call.select_answer",
            json!({ "call_id": "c", "selected_party_id": null }),
        ),
        ("org.matrix.call.sdp_stream_metadata_changed", json!({ "call_id": "c" })),
    ];
    for (event_type, content) in broken {
        let read = read(event_type, &content, outside(&json!({}), None)).unwrap();
        let what = read.unwrap_err();
        assert!(!what.contains("v=0"), "{what}");
    }
}

#[test]
fn rings_of_matrixrtc_under_each_name() {
    let ring = |event_type: &str, content: Value| read(event_type, &content, outside(&json!({ "age": 3 }), None));
    let relation = json!({ "rel_type": "m.reference", "event_id": "$m" });
    let stable = json!({ "application": { "notification_type": "ring", "lifetime": 9 }, "m.relates_to": relation });
    let wanted = |session: Option<&str>, lifetime_ms| Meaning::RtcRing {
        session: session.map(str::to_owned),
        age_ms: 3,
        lifetime_ms,
        is_video: false,
    };
    assert_eq!(
        ring("m.rtc.notification", stable).unwrap().unwrap(),
        wanted(Some("$m"), 9)
    );
    let older = json!({ "notify_type": "ring", "call_id": "" });
    assert_eq!(
        ring("org.matrix.msc4075.call.notify", older).unwrap().unwrap(),
        wanted(None, 30_000)
    );
    let quiet = json!({ "notification_type": "notification" });
    assert!(ring("org.matrix.msc4075.rtc.notification", quiet).is_none());
}

proptest! {
    #[test]
    fn no_content_panics(name in "[a-z_]{1,30}", key in "[a-z_]{1,20}", text: String, number: i64) {
        let content = json!({ "call_id": text, key: { "sdp": text, "type": number }, "candidates": [{ "candidate": text }] });
        for prefix in ["m.call.", "org.matrix.call.", ""] {
            drop(read(&format!("{prefix}{name}"), &content, outside(&json!({ "age": number }), Some(number))));
        }
    }
}
