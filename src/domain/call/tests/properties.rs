//! Any inputs in any order, at any time.

use chrono::TimeDelta;
use proptest::prelude::*;

use super::*;
use crate::domain::call::{
    Candidate, Description, DescriptionKind, EndReason, HangupReason, Input, Phase, Presence, StreamMetadata,
};

fn somebody() -> impl Strategy<Value = UserId> {
    prop_oneof![Just(ANNA), Just(BEN), Just(CARA), Just(ALICE)]
}

fn claim() -> impl Strategy<Value = Option<String>> {
    prop::option::of((0..2_u8).prop_map(|n| n.to_string()))
}

fn description() -> impl Strategy<Value = Description> {
    (any::<bool>(), 0..3_u8).prop_map(|(offer, n)| Description {
        kind: if offer {
            DescriptionKind::Offer
        } else {
            DescriptionKind::Answer
        },
        sdp: sdp(&format!("stream{n}")),
    })
}

fn candidates() -> impl Strategy<Value = Vec<Candidate>> {
    prop::collection::vec(0..4_u8, 1..4).prop_map(|numbers| {
        let of = |n| Candidate {
            // Now and then the end of them.
            candidate: if n == 0 {
                String::new()
            } else {
                format!("candidate:{n}")
            },
            sdp_mid: Some("0".to_owned()),
            sdp_mline_index: Some(0),
            username_fragment: None,
        };
        numbers.into_iter().map(of).collect()
    })
}

fn act() -> impl Strategy<Value = CallAct> {
    prop_oneof![
        Just(CallAct::Answer {
            answer: sdp("theirs"),
            metadata: None
        }),
        prop_oneof![Just("ourparty"), Just("ELEMENT"), Just("OTHER")].prop_map(|party| CallAct::SelectAnswer {
            party: party.to_owned()
        }),
        candidates().prop_map(CallAct::Candidates),
        any::<bool>().prop_map(|busy| CallAct::Reject { busy }),
        prop_oneof![
            Just(HangupReason::UserHangup),
            Just(HangupReason::Replaced),
            Just(HangupReason::InviteTimeout),
            Just(HangupReason::UserBusy),
            Just(HangupReason::IceFailed),
            Just(HangupReason::UnknownError),
        ]
        .prop_map(CallAct::Hangup),
        (description(), 0..60_000_i64).prop_map(|(description, lifetime_ms)| CallAct::Negotiate {
            description,
            metadata: None,
            lifetime_ms,
        }),
        (any::<bool>(), any::<bool>()).prop_map(|(audio, video)| CallAct::Metadata(StreamMetadata::of(
            &sdp("theirs"),
            audio,
            video
        ))),
        Just(CallAct::Replaces),
    ]
}

fn input() -> impl Strategy<Value = Input> {
    let dialect = prop_oneof![Just(Dialect::Nova), Just(Dialect::SocketIo), Just(Dialect::Frames)];
    let reason = prop_oneof![
        Just(EndReason::UserHangup),
        Just(EndReason::IceFailed),
        Just(EndReason::MediaFailed)
    ];
    prop_oneof![
        somebody().prop_map(|by| Input::Offer {
            by,
            offer: sdp("late"),
            metadata: None
        }),
        (somebody(), dialect.clone(), claim()).prop_map(|(by, dialect, claim)| Input::Accept { by, dialect, claim }),
        (somebody(), dialect.clone(), 0..2_u8, claim()).prop_map(|(by, dialect, n, claim)| Input::Answer {
            by,
            answer: sdp(&format!("answer{n}")),
            metadata: None,
            dialect,
            claim,
        }),
        (somebody(), any::<bool>()).prop_map(|(by, busy)| Input::Reject { by, busy }),
        (somebody(), reason).prop_map(|(by, reason)| Input::End { by, reason }),
        (somebody(), prop::option::of(somebody()), candidates()).prop_map(|(by, to, candidates)| Input::Candidates {
            by,
            to,
            candidates
        }),
        (somebody(), prop::option::of(somebody()), description()).prop_map(|(by, to, description)| Input::Negotiate {
            by,
            to,
            description,
            metadata: None
        }),
        (
            somebody(),
            prop::option::of(any::<bool>()),
            prop::option::of(any::<bool>())
        )
            .prop_map(|(by, audio, video)| Input::Media { by, audio, video }),
        (somebody(), dialect).prop_map(|(by, dialect)| Input::Join { by, sdp: None, dialect }),
        somebody().prop_map(|by| Input::Leave { by }),
        somebody().prop_map(|who| Input::Gone { who }),
        somebody().prop_map(|who| Input::Back { who }),
        somebody().prop_map(|who| Input::Left { who }),
        any::<bool>().prop_map(|answered| Input::Elsewhere { answered }),
        (
            prop_oneof![3 => Just(alice()), 1 => Just(OwnedUserId::try_from("@eve:example.org").unwrap())],
            prop_oneof![Just("ELEMENT"), Just("OTHER")],
            act(),
            0..90_000_i64
        )
            .prop_map(|(sender, party, act, age_ms)| Input::Matrix {
                sender,
                event: CallEvent {
                    age_ms,
                    ..event("any", party, act)
                },
            }),
        Just(Input::RoomLost),
        Just(Input::Refused {
            detail: "no".to_owned()
        }),
        Just(Input::Replace),
        Just(Input::Deadline),
    ]
}

fn beginning() -> impl Strategy<Value = (Call, Vec<Effect>)> {
    let unprepared = || {
        let place = Place {
            offer: None,
            ..placing(vec![BEN], Topology::Direct)
        };
        Call::place(start(), place, &mut ids()).unwrap()
    };
    (0..5_u8).prop_map(move |which| match which {
        0 => to_matrix(),
        1 => from_matrix(),
        2 => within_nova(),
        3 => group(),
        _ => unprepared(),
    })
}

/// What holds of every effect.
fn allowed(call: &Call, effect: &Effect) -> Result<(), TestCaseError> {
    match effect {
        Effect::Tell { to, news } => {
            prop_assert!(call.participant(*to).is_some(), "a stranger is told");
            prop_assert_ne!(*to, ALICE, "somebody in Matrix is told by frame");
            let own = matches!(news, News::Candidates { by, .. } | News::Negotiate { by, .. } | News::MediaState { by, .. } if by == to);
            prop_assert!(!own, "somebody is told what they said");
        }
        Effect::Send { actor, signal } => {
            let leg = call.matrix.as_ref().expect("a side in Matrix");
            prop_assert_eq!(
                (*actor, &signal.call, &signal.party),
                (leg.ghost, &leg.call, &leg.our_party)
            );
        }
        Effect::Cut | Effect::Log { .. } => {}
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn whatever_happens_some_things_hold(
        (mut call, mut all) in beginning(),
        inputs in prop::collection::vec((input(), 0..20_000_i64), 1..40),
    ) {
        let mut now = start();
        for (input, later) in inputs {
            now += TimeDelta::milliseconds(later);
            let before = call.clone();
            match call.apply(now, input) {
                Err(_) => prop_assert_eq!(&call, &before, "a refused input changed the call"),
                Ok(effects) => {
                    if before.phase == Phase::Ended {
                        prop_assert_eq!(&call, &before, "an ended call changed");
                        prop_assert!(effects.is_empty(), "an ended call did something: {:?}", effects);
                    }
                    for effect in &effects {
                        allowed(&call, effect)?;
                    }
                    all.extend(effects);
                }
            }
            prop_assert_eq!(call.phase == Phase::Ended, call.deadline().is_none());
            prop_assert_eq!(call.phase == Phase::Ended, call.ended_at.is_some());
            let text = serde_json::to_string(&call).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Call>(&text).unwrap(), &call);
            if call.phase == Phase::Ended {
                prop_assert!(!text.contains("v=0"), "SDP is kept");
            }
        }
        let count = |wanted: fn(&SignalAct) -> bool| sent(&all).into_iter().filter(|act| wanted(act)).count();
        prop_assert!(count(|act| matches!(act, SignalAct::Invite { .. })) <= 1, "said twice");
        prop_assert!(count(|act| matches!(act, SignalAct::Answer { .. })) <= 1, "said twice");
        prop_assert!(count(|act| matches!(act, SignalAct::SelectAnswer { .. })) <= 1, "said twice");
        prop_assert!(count(|act| matches!(act, SignalAct::End(_) | SignalAct::Reject { .. })) <= 1, "said twice");
        if call.topology == Topology::Direct {
            for user in [ANNA, BEN] {
                let news = told(&all, user);
                let last = news.iter().filter(|it| is_last(it)).count();
                prop_assert!(last <= 1, "{} endings", last);
                let heard = !news.is_empty();
                prop_assert_eq!(last == 1, heard && call.phase == Phase::Ended, "{:?}", news);
                prop_assert!(news.iter().position(|it| is_last(it)).is_none_or(|at| at + 1 == news.len()));
            }
        }
    }

    /// What the driver does when nothing happens: it always comes to an end, and never spins.
    #[test]
    fn time_alone_ends_every_call(
        (mut call, _) in beginning(),
        inputs in prop::collection::vec((input(), 0..5_000_i64), 0..15),
    ) {
        let mut now = start();
        for (input, later) in inputs {
            now += TimeDelta::milliseconds(later);
            drop(call.apply(now, input));
        }
        for _ in 0..100 {
            let Some(deadline) = call.deadline() else { return Ok(()) };
            now = now.max(deadline);
            call.apply(now, Input::Deadline).unwrap();
            prop_assert!(call.deadline().is_none_or(|next| next > now), "it spins at {:?}", call.phase);
        }
        prop_assert!(false, "it never ends");
    }

    /// Postgres may have to be asked twice: the same again changes nothing more.
    #[test]
    fn an_answer_that_comes_again_changes_nothing((mut call, _) in beginning(), by in somebody()) {
        let answer = Input::Answer { by, answer: sdp("again"), metadata: None, dialect: Dialect::Nova, claim: None };
        if call.apply(after(1000), answer.clone()).is_ok() {
            let once = call.clone();
            prop_assert_eq!(call.apply(after(2000), answer), Ok(Vec::new()));
            prop_assert_eq!(&call, &once);
            prop_assert!(call.participant(by).is_some_and(|it| it.presence == Presence::Joined));
        }
    }
}
