//! Who is told what at the end, and what the peer in Matrix is told.

use super::*;
use crate::domain::call::{EndReason, HangupReason, Input, Phase, Refused};

fn end(by: UserId) -> Input {
    Input::End {
        by,
        reason: EndReason::UserHangup,
    }
}

fn answer(by: UserId) -> Input {
    Input::Answer {
        by,
        answer: sdp("answer"),
        metadata: None,
        dialect: Dialect::Nova,
        claim: None,
    }
}

fn theirs(act: CallAct) -> Input {
    Input::Matrix {
        sender: alice(),
        event: event("any", "ELEMENT", act),
    }
}

#[test]
fn s03_hanging_up_tells_both_once() {
    let (mut call, _) = to_matrix();
    call.apply(
        after(1000),
        theirs(CallAct::Answer {
            answer: sdp("a"),
            metadata: None,
        }),
    )
    .unwrap();
    let effects = call.apply(after(5000), end(ANNA)).unwrap();
    assert_eq!(sent(&effects), [&SignalAct::End(HangupReason::UserHangup)]);
    let last = News::Ended {
        by: Some(ANNA),
        reason: EndReason::UserHangup,
        duration_ms: 4000,
        detail: None,
    };
    assert_eq!(told(&effects, ANNA), [&last]);
}

#[test]
fn s07_a_reject_is_confirmed() {
    let (mut call, _) = to_matrix();
    let effects = call
        .apply(after(1000), theirs(CallAct::Reject { busy: false }))
        .unwrap();
    assert_eq!(
        sent(&effects),
        [&SignalAct::SelectAnswer {
            party: "ELEMENT".to_owned()
        }]
    );
    assert!(matches!(
        told(&effects, ANNA)[..],
        [News::Rejected {
            reason: EndReason::Declined,
            by: ALICE
        }]
    ));
}

#[test]
fn s11_nobody_answers() {
    let (mut call, _) = to_matrix();
    assert_eq!(call.deadline(), Some(after(RING_MS)));
    assert_eq!(call.apply(after(RING_MS - 1), Input::Deadline), Ok(Vec::new()));
    let effects = call.apply(after(RING_MS), Input::Deadline).unwrap();
    assert_eq!(sent(&effects), [&SignalAct::End(HangupReason::InviteTimeout)]);
    assert!(matches!(
        told(&effects, ANNA)[..],
        [News::Ended {
            reason: EndReason::NoAnswer,
            ..
        }]
    ));
}

#[test]
fn s12_the_callers_own_client_stops_by_itself() {
    let (mut call, _) = from_matrix();
    let effects = call.apply(after(60_000), Input::Deadline).unwrap();
    assert_eq!(sent(&effects), Vec::<&SignalAct>::new());
    assert!(matches!(
        told(&effects, ANNA)[..],
        [News::Missed {
            reason: EndReason::NoAnswer,
            ..
        }]
    ));
}

#[test]
fn a_ring_that_is_longer_than_ours_is_rejected() {
    let (mut call, _) = Call::ring(
        start(),
        MatrixInvite {
            lifetime_ms: 120_000,
            ..invite()
        },
        &mut ids(),
    );
    let effects = call.apply(after(60_000), Input::Deadline).unwrap();
    assert_eq!(sent(&effects), [&SignalAct::Reject { busy: false }]);
}

#[test]
fn s13_a_call_that_is_taken_back_is_missed() {
    let (mut call, _) = from_matrix();
    let effects = call
        .apply(after(1000), theirs(CallAct::Hangup(HangupReason::UserHangup)))
        .unwrap();
    assert_eq!(sent(&effects), Vec::<&SignalAct>::new());
    assert!(matches!(
        told(&effects, ANNA)[..],
        [News::Missed {
            reason: EndReason::Cancelled,
            ..
        }]
    ));
}

#[test]
fn s19_who_answers_second_is_not_heard() {
    let (mut call, _) = to_matrix();
    call.apply(
        after(1000),
        theirs(CallAct::Answer {
            answer: sdp("a"),
            metadata: None,
        }),
    )
    .unwrap();
    let before = call.clone();
    for act in [
        CallAct::Answer {
            answer: sdp("b"),
            metadata: None,
        },
        CallAct::Hangup(HangupReason::UserHangup),
    ] {
        let other = Input::Matrix {
            sender: alice(),
            event: event("any", "OTHER", act),
        };
        assert_eq!(call.apply(after(2000), other), Ok(Vec::new()));
    }
    assert_eq!(call, before);
}

#[test]
fn who_takes_a_call_answers_it_and_no_other_device() {
    let (mut call, _) = from_matrix();
    let claims = |claim: &str| Input::Accept {
        by: ANNA,
        dialect: Dialect::Nova,
        claim: Some(claim.to_owned()),
    };
    let answers = |claim: Option<&str>| Input::Answer {
        by: ANNA,
        answer: sdp("answer"),
        metadata: None,
        dialect: Dialect::Nova,
        claim: claim.map(str::to_owned),
    };
    let told_all = call.apply(after(1000), claims("tablet")).unwrap();
    assert!(sent(&told_all).is_empty(), "Matrix hears only the answer");
    assert!(matches!(told(&told_all, ANNA)[..], [News::AnsweredElsewhere { .. }]));
    // Its reply was lost; the phone comes too late, with a claim of its own and without one.
    assert_eq!(call.apply(after(1000), claims("tablet")).unwrap(), []);
    assert_eq!(call.apply(after(1000), claims("phone")), Err(Refused::NotRinging));
    assert_eq!(
        call.apply(after(1000), answers(Some("phone"))),
        Err(Refused::NotRinging)
    );
    assert_eq!(call.apply(after(1000), answers(None)), Err(Refused::NotRinging));
    call.apply(after(2000), answers(Some("tablet"))).unwrap();
    assert_eq!(call.phase, Phase::Connected);
    assert_eq!(call.apply(after(3000), answers(Some("tablet"))).unwrap(), []);
}

#[test]
fn s31_a_session_that_stays_away_ends_the_call() {
    let (mut call, _) = from_matrix();
    call.apply(after(1000), answer(ANNA)).unwrap();
    call.apply(after(2000), Input::Gone { who: ANNA }).unwrap();
    assert_eq!(call.deadline(), Some(after(2000 + GRACE_MS)));
    let effects = call.apply(after(2000 + GRACE_MS), Input::Deadline).unwrap();
    assert_eq!(sent(&effects), [&SignalAct::End(HangupReason::UnknownError)]);
    assert_eq!(call.reason, Some(EndReason::Lost));
}

#[test]
fn s30_a_session_that_comes_back_in_time_ends_nothing() {
    let (mut call, _) = from_matrix();
    call.apply(after(1000), answer(ANNA)).unwrap();
    call.apply(after(2000), Input::Gone { who: ANNA }).unwrap();
    call.apply(after(12_000), Input::Back { who: ANNA }).unwrap();
    assert_eq!(call.apply(after(40_000), Input::Deadline), Ok(Vec::new()));
    assert_eq!(call.phase, Phase::Connected);
}

#[test]
fn s37_an_invite_that_is_nearly_over_does_not_ring() {
    let (call, effects) = Call::ring(
        start(),
        MatrixInvite {
            age_ms: 58_000,
            ..invite()
        },
        &mut ids(),
    );
    assert_eq!((call.phase, sent(&effects)), (Phase::Ended, Vec::new()));
    assert!(matches!(told(&effects, ANNA)[..], [News::Missed { .. }]));
}

#[test]
fn s09_who_is_busy_is_not_rung() {
    let (_, effects) = Call::ring(start(), MatrixInvite { busy: true, ..invite() }, &mut ids());
    assert_eq!(sent(&effects), [&SignalAct::Reject { busy: true }]);
    assert!(matches!(
        told(&effects, ANNA)[..],
        [News::Missed {
            reason: EndReason::Busy,
            ..
        }]
    ));
}

#[test]
fn s56_an_answer_of_somebody_else_was_chosen() {
    let (mut call, _) = from_matrix();
    call.apply(after(1000), answer(ANNA)).unwrap();
    let effects = call
        .apply(
            after(2000),
            theirs(CallAct::SelectAnswer {
                party: "OTHER".to_owned(),
            }),
        )
        .unwrap();
    assert_eq!(sent(&effects), Vec::<&SignalAct>::new());
    assert!(matches!(
        told(&effects, ANNA)[..],
        [News::Ended {
            reason: EndReason::AnsweredElsewhere,
            ..
        }]
    ));
}

#[test]
fn a_group_call_ends_when_the_last_one_leaves() {
    let (mut call, _) = group();
    let join = |by| Input::Join {
        by,
        sdp: None,
        dialect: Dialect::Nova,
    };
    call.apply(after(1000), join(BEN)).unwrap();
    call.apply(after(2000), Input::Leave { by: ANNA }).unwrap();
    assert_eq!(call.phase, Phase::Connected);
    let effects = call.apply(after(3000), Input::Leave { by: BEN }).unwrap();
    // Who left before could have come back until now; who never came was told of a missed call.
    for (user, ended) in [(ANNA, true), (BEN, true), (CARA, false)] {
        let [last] = told(&effects, user)[..] else {
            unreachable!("{user} is told once")
        };
        assert_eq!(matches!(last, News::Ended { .. }), ended);
    }
    assert_eq!(call.phase, Phase::Ended);
}
