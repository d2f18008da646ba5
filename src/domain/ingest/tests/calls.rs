//! Which call an event belongs to, and whether it counts.

use proptest::prelude::*;

use super::*;
use crate::domain::call::{
    Call, CallAct, CallEvent, Candidate, EndReason, HangupReason, Input, News, Phase, Sdp, SignalAct, Version,
};
use crate::domain::conversation::Kind;

fn sdp() -> Sdp {
    Sdp::read("v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=msid:s t\r\n".to_owned()).unwrap()
}

fn meaning(call: &str, party: &str, age_ms: i64, act: CallAct) -> Meaning {
    let event = CallEvent {
        call: call.to_owned(),
        party: Some(party.to_owned()),
        version: Version::V1,
        age_ms,
        act,
    };
    Meaning::Call { event, marked: false }
}

fn invite_for(invitee: Option<&str>) -> CallAct {
    CallAct::Invite {
        offer: sdp(),
        metadata: None,
        lifetime_ms: 60_000,
        invitee: invitee.map(mxid),
    }
}

fn says(id: &str, sender: &str, call: &str, act: CallAct) -> InboundEvent {
    event(id, ROOM, sender, meaning(call, "P", 5, act))
}

fn rings(id: &str, call: &str) -> InboundEvent {
    says(id, ALICE, call, invite_for(None))
}

fn candidates(line: &str) -> CallAct {
    CallAct::Candidates(vec![Candidate {
        candidate: line.to_owned(),
        sdp_mid: None,
        sdp_mline_index: Some(0),
        username_fragment: None,
    }])
}

const HANGUP: CallAct = CallAct::Hangup(HangupReason::UserHangup);

/// Something of a call, for the properties.
pub(super) fn something() -> impl Strategy<Value = Meaning> {
    let invitee = proptest::option::of(proptest::sample::select(vec![ghost(ANNA), BOB.to_owned()]));
    let act = prop_oneof![
        5 => invitee.prop_map(|invitee| invite_for(invitee.as_deref())),
        2 => Just(HANGUP),
        2 => Just(candidates("c")),
        1 => Just(CallAct::Answer { answer: sdp(), metadata: None }),
        1 => Just(CallAct::Reject { busy: false }),
        1 => Just(CallAct::SelectAnswer { party: "P".to_owned() }),
        1 => Just(CallAct::Replaces),
    ];
    let age = prop_oneof![5 => Just(5_i64), 1 => Just(59_000)];
    let call = (proptest::sample::select(vec!["c1", "c2", "c3"]), age, act)
        .prop_map(|(call, age, act)| meaning(call, "P", age, act));
    let rtc = proptest::option::of("[ab]").prop_map(|session| Meaning::RtcRing {
        session,
        age_ms: 0,
        lifetime_ms: 30_000,
        is_video: false,
    });
    prop_oneof![6 => call, 1 => rtc]
}

/// The news that anybody was told, in order.
fn news(effects: &Effects) -> Vec<&News> {
    let changes = effects.feed.iter().filter_map(|entry| entry.change.as_ref());
    changes
        .filter_map(|change| {
            if let Change::Call { news, .. } = change {
                Some(news)
            } else {
                None
            }
        })
        .collect()
}

/// What is to be sent of calls.
fn signals(effects: &Effects) -> Vec<&SignalAct> {
    let jobs = effects.jobs.iter();
    jobs.filter_map(|job| {
        if let Job::Signal { signal, .. } = &job.job {
            Some(&signal.act)
        } else {
            None
        }
    })
    .collect()
}

/// The one call that has not ended.
fn running(model: &Model) -> Call {
    let mut running = model.calls.values().filter(|call| call.phase != Phase::Ended);
    let call = running.next().unwrap().clone();
    assert!(running.next().is_none());
    call
}

fn answer(model: &mut Model) {
    let mut call = running(model);
    let answer = Input::Answer {
        by: ANNA,
        answer: sdp(),
        metadata: None,
        dialect: crate::domain::call::Dialect::Nova,
        claim: None,
    };
    call.apply(now(), answer).unwrap();
    model.calls.insert(call.id, call);
}

#[test]
fn a_call_rings_for_the_nova_user_of_a_direct_conversation() {
    let (mut model, conversation) = with_direct();
    let (effects, _) = model.run(&[rings("$1", "c1")]);
    assert!(matches!(
        news(&effects)[..],
        [News::Initiated {
            invitee: Some(ANNA),
            ..
        }]
    ));
    assert_eq!(effects.feed[0].audience, Some(ANNA));
    let saved = &effects.calls[0];
    assert_eq!((saved.call.conversation, saved.was), (conversation, None));
    assert_eq!(saved.room.as_ref(), Some(&room(ROOM)));
    let leg = saved.call.matrix.as_ref().unwrap();
    assert!(leg.our_party.len() >= 8, "{}", leg.our_party);
    assert_eq!(effects.processed, ["$1"]);
}

#[test]
fn who_and_what_does_not_count_has_no_effect() {
    let (mut model, _) = with_direct();
    let former = event(
        "$former",
        "!gone:example.org",
        ALICE,
        meaning("c", "P", 5, invite_for(None)),
    );
    let mut ours = says("$ours", &ghost(ANNA), "c", invite_for(None));
    if let Meaning::Call { marked, .. } = &mut ours.meaning {
        *marked = true;
    }
    let nothing = [
        says("$stranger", BOB, "c", invite_for(None)),
        says("$ghost", &ghost(ANNA), "c", invite_for(None)),
        says("$bot", BOT, "c", invite_for(None)),
        says("$other", ALICE, "c", invite_for(Some(BOB))),
        ours,
        former,
    ];
    for event in nothing {
        let (effects, outcomes) = model.run(std::slice::from_ref(&event));
        assert!(
            effects.calls.is_empty() && effects.early.is_empty() && effects.jobs.is_empty(),
            "{event:?}"
        );
        assert_eq!(outcomes, [Outcome::Ignored]);
    }
    let (effects, _) = model.run(&[says("$her", ALICE, "c", invite_for(Some(&ghost(ANNA))))]);
    assert_eq!(effects.calls.len(), 1);
}

#[test]
fn what_comes_before_its_invite_is_taken_with_it_from_the_same_batch_and_from_before() {
    let (mut model, _) = with_direct();
    let (effects, _) = model.run(&[says("$1", ALICE, "c1", candidates("a"))]);
    assert_eq!(effects.early.len(), 1);
    let (effects, _) = model.run(&[says("$2", ALICE, "c1", candidates("b")), rings("$3", "c1")]);
    assert!(effects.early.is_empty(), "it is not kept for later");
    assert_eq!(effects.early_taken, [(room(ROOM), "c1".to_owned())]);
    let lines: Vec<&str> = news(&effects)
        .iter()
        .filter_map(|it| {
            if let News::Candidates { candidates, .. } = it {
                Some(candidates)
            } else {
                None
            }
        })
        .flatten()
        .map(|it| it.candidate.as_str())
        .collect();
    assert_eq!(lines, ["a", "b"]);
    assert!(model.early.is_empty());
}

#[test]
fn a_hangup_before_the_invite_is_a_missed_call_and_too_much_is_not_kept() {
    let (mut model, _) = with_direct();
    model.run(&[says("$1", ALICE, "c1", HANGUP)]);
    let (effects, _) = model.run(&[rings("$2", "c1")]);
    assert!(matches!(news(&effects)[..], [News::Missed { .. }]));
    let many: Vec<InboundEvent> = (0..120)
        .map(|n| says(&format!("$m{n}"), ALICE, "c2", candidates("x")))
        .collect();
    let (effects, _) = model.run(&many);
    assert_eq!(effects.early.len(), 100);
    let (effects, _) = model.run(&[says("$late", ALICE, "c2", candidates("x"))]);
    assert!(effects.early.is_empty());
}

#[test]
fn a_known_id_rings_once_and_what_follows_an_end_is_nothing() {
    let (mut model, _) = with_direct();
    model.run(&[rings("$1", "c1")]);
    let (effects, _) = model.run(&[rings("$2", "c1")]);
    assert!(effects.calls.is_empty());
    model.run(&[says("$3", ALICE, "c1", HANGUP)]);
    let (effects, _) = model.run(&[
        rings("$4", "c1"),
        says("$5", ALICE, "c1", candidates("x")),
        says("$6", ALICE, "c1", HANGUP),
    ]);
    assert!(effects.calls.is_empty() && effects.early.is_empty());
}

#[test]
fn a_new_call_of_the_peer_takes_the_place_of_their_old_one() {
    let (mut model, _) = with_direct();
    model.run(&[rings("$1", "c1")]);
    let (effects, _) = model.run(&[rings("$2", "c2")]);
    assert!(matches!(
        news(&effects)[..],
        [
            News::Missed {
                reason: EndReason::Cancelled,
                ..
            },
            News::Initiated { replaces: None, .. }
        ]
    ));
    assert!(signals(&effects).is_empty());
}

#[test]
fn who_is_in_a_call_is_busy_here_and_elsewhere() {
    let (mut model, _) = with_direct();
    let invite = event("$room", OTHER_ROOM, BOB, direct_invite(&ghost(ANNA)));
    model.run(&[invite]);
    model.run(&[rings("$1", "c1")]);
    answer(&mut model);
    let elsewhere = event("$2", OTHER_ROOM, BOB, meaning("b", "P", 5, invite_for(None)));
    for event in [rings("$3", "c3"), elsewhere] {
        let (effects, _) = model.run(&[event]);
        assert_eq!(signals(&effects), [&SignalAct::Reject { busy: true }]);
        assert!(matches!(
            news(&effects)[..],
            [News::Missed {
                reason: EndReason::Busy,
                ..
            }]
        ));
    }
    assert_eq!(running(&model).phase, Phase::Connected);
}

#[test]
fn who_wants_no_calls_is_told_of_none() {
    let (mut model, _) = with_direct();
    model.off.insert(ANNA);
    let (effects, _) = model.run(&[rings("$1", "c1")]);
    assert_eq!(signals(&effects), [&SignalAct::Reject { busy: false }]);
    assert!(news(&effects).is_empty());
}

#[test]
fn a_group_is_told_once_where_calls_work() {
    let (mut model, conversation) = with_group();
    assert_eq!(model.conversations[&conversation].kind, Kind::Group);
    let (effects, _) = model.run(&[
        says("$1", ALICE, "c1", invite_for(Some(BOB))),
        says("$2", ALICE, "c1", HANGUP),
        says("$3", BOB, "c2", invite_for(None)),
    ]);
    assert!(effects.jobs.is_empty(), "not ours, no invite, no member");
    let (effects, _) = model.run(&[rings("$4", "c3"), rings("$5", "c4")]);
    assert_eq!(jobs(&effects), ["send_event"]);
    let (effects, _) = model.run(&[rings("$6", "c5")]);
    assert!(effects.jobs.is_empty() && effects.calls.is_empty());
}

#[test]
fn what_the_nova_users_own_client_does_stops_the_ringing() {
    let taken = CallAct::Answer {
        answer: sdp(),
        metadata: None,
    };
    for (act, reason) in [
        (taken, EndReason::AnsweredElsewhere),
        (CallAct::Reject { busy: false }, EndReason::Declined),
        (HANGUP, EndReason::Declined),
    ] {
        let (mut model, _) = with_direct();
        model.run(&[rings("$1", "c1")]);
        let ours = running(&model).matrix.unwrap().our_party;
        let echo = event("$2", ROOM, &ghost(ANNA), meaning("c1", &ours, 5, act.clone()));
        let (effects, _) = model.run(&[echo]);
        assert!(effects.calls.is_empty(), "what our own party sends is no news");
        let (effects, _) = model.run(&[says("$3", &ghost(BERT), "c1", act.clone())]);
        assert!(effects.calls.is_empty(), "another ghost has no part in it");
        let (effects, _) = model.run(&[says("$4", &ghost(ANNA), "c1", act)]);
        assert_eq!(effects.calls[0].call.reason, Some(reason));
        assert!(signals(&effects).is_empty());
    }
}

#[test]
fn who_leaves_ends_their_calls() {
    for (target, sender, reason) in [
        (ALICE.to_owned(), ALICE.to_owned(), EndReason::UserHangup),
        (ghost(ANNA), ALICE.to_owned(), EndReason::Error),
    ] {
        let (mut model, _) = with_direct();
        model.run(&[rings("$1", "c1")]);
        answer(&mut model);
        let left = event("$2", ROOM, &sender, membership(&target, RoomMembership::Leave));
        let (effects, _) = model.run(&[left]);
        assert_eq!(effects.calls[0].call.reason, Some(reason));
        assert!(signals(&effects).is_empty(), "nobody is there to hear it");
        assert_eq!(effects.cuts.len(), 1);
    }
}

#[test]
fn another_room_ends_the_calls_of_the_one_before() {
    let tombstone = Meaning::Tombstone {
        replacement: room(OTHER_ROOM),
    };
    for other in [
        event("$2", ROOM, ALICE, tombstone),
        event("$2", OTHER_ROOM, ALICE, direct_invite(&ghost(ANNA))),
    ] {
        let (mut model, _) = with_direct();
        model.run(&[rings("$1", "c1")]);
        answer(&mut model);
        let (effects, _) = model.run(&[other]);
        assert_eq!(effects.calls[0].call.reason, Some(EndReason::Error));
        assert!(signals(&effects).is_empty());
        let (effects, _) = model.run(&[rings("$3", "c2")]);
        assert!(effects.calls.is_empty(), "nobody is called in the room before");
    }
}

#[test]
fn a_call_that_nobody_can_take_is_declined_told_and_kept_once() {
    let ring = |id: &str, session: Option<&str>, age_ms| {
        let meaning = Meaning::RtcRing {
            session: session.map(str::to_owned),
            age_ms,
            lifetime_ms: 30_000,
            is_video: true,
        };
        event(id, ROOM, ALICE, meaning)
    };
    let (mut model, _) = with_direct();
    let (effects, _) = model.run(&[
        ring("$1", Some("$m"), 5),
        ring("$2", Some("$m"), 5),
        ring("$3", None, 5),
    ]);
    assert_eq!(
        jobs(&effects),
        ["send_event", "send_event"],
        "the decline and the notice"
    );
    assert!(matches!(news(&effects)[..], [News::Missed { is_video: true, .. }]));
    let call = &effects.calls[0].call;
    assert_eq!((call.phase, call.deadline()), (Phase::Ended, None));
    let (effects, _) = model.run(&[ring("$4", Some("$m"), 5)]);
    assert!(effects.jobs.is_empty() && effects.calls.is_empty());

    let (mut model, _) = with_direct();
    let (effects, _) = model.run(&[ring("$1", None, 30_000)]);
    assert_eq!(jobs(&effects), ["send_event"], "there is nothing to decline any more");
    assert!(matches!(news(&effects)[..], [News::Missed { .. }]));
    let (mut model, _) = with_group();
    let (effects, _) = model.run(&[ring("$1", None, 5)]);
    assert!(effects.jobs.is_empty() && effects.calls.is_empty());
}
