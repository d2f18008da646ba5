//! Edits, reactions and redactions, in whatever order they come.

use proptest::prelude::*;

use super::*;
use crate::domain::act::MessageAct;

/// A direct conversation in which Alice has said something.
fn said() -> Model {
    let (mut model, _) = with_direct();
    model.run(&[event("$m", ROOM, ALICE, text("helo"))]);
    model
}

fn later(seconds: i64, mut event: InboundEvent) -> InboundEvent {
    event.at += TimeDelta::seconds(seconds);
    event
}

fn told(effects: &Effects, outcomes: &[Outcome]) -> (Vec<&'static str>, Vec<Outcome>) {
    (changes(effects), outcomes.to_vec())
}

#[test]
fn an_edit_of_the_author_is_told_once() {
    let mut model = said();
    let edit = event("$e", ROOM, ALICE, edit("$m", "hello"));
    let (effects, outcomes) = model.run(&[edit.clone(), edit.clone()]);
    assert_eq!(
        told(&effects, &outcomes),
        (vec!["edited"], vec![Outcome::Applied, Outcome::Duplicate])
    );
    assert_eq!(model.looks("$m").0.as_deref(), Some("hello"));
    let (effects, outcomes) = model.run(&[edit]);
    assert_eq!(told(&effects, &outcomes), (vec![], vec![Outcome::Duplicate]));
}

#[test]
fn nobody_else_edits_and_nobody_from_outside_does_anything() {
    let mut model = said();
    for (id, sender, meaning) in [
        ("$1", ghost(ANNA), edit("$m", "I owe Anna money")),
        ("$2", BOB.to_owned(), edit("$m", "x")),
        ("$3", BOB.to_owned(), reaction("$m", "👍")),
        ("$4", BOB.to_owned(), redaction("$m")),
        ("$5", ghost(BERT), redaction("$m")),
    ] {
        let (effects, outcomes) = model.run(&[event(id, ROOM, &sender, meaning)]);
        assert_eq!(told(&effects, &outcomes), (vec![], vec![Outcome::Ignored]), "{id}");
        assert!(effects.acts.is_empty());
        assert_eq!(effects.processed, [id], "it gets no effect later either");
    }
    let (effects, _) = model.run(&[event("$6", ROOM, &ghost(NOBODY), redaction("$m"))]);
    assert_eq!(reasons(&effects), [reason::UNKNOWN_ACCOUNT]);
    let (effects, _) = model.run(&[event("$7", OTHER_ROOM, ALICE, redaction("$m"))]);
    assert_eq!(reasons(&effects), [reason::UNKNOWN_ROOM]);
    let (_, outcomes) = model.run(&[event("$8", ROOM, BOT, redaction("$m"))]);
    assert_eq!(outcomes, [Outcome::Ignored]);
    assert_eq!(
        model.looks("$m"),
        (Some("helo".to_owned()), false, BTreeSet::new(), None)
    );
}

#[test]
fn an_event_of_another_conversation_cannot_be_touched() {
    let mut model = said();
    model.run(&[
        event(
            "$i",
            OTHER_ROOM,
            ALICE,
            membership(&ghost(BERT), RoomMembership::Invite),
        ),
        event("$o", OTHER_ROOM, ALICE, text("elsewhere")),
    ]);
    for (id, meaning) in [
        ("$1", edit("$m", "x")),
        ("$2", redaction("$m")),
        ("$3", reaction("$m", "x")),
    ] {
        let (_, outcomes) = model.run(&[event(id, OTHER_ROOM, ALICE, meaning)]);
        assert_eq!(outcomes, [Outcome::Ignored]);
    }
    let (effects, _) = model.run(&[event("$4", OTHER_ROOM, ALICE, answer("re", "$m", None))]);
    assert_eq!(effects.messages[0].reply_to, None, "nor is it quoted there");
}

#[test]
fn the_newest_edit_is_shown_whenever_it_comes_and_gives_way_when_it_is_redacted() {
    let mut model = said();
    let (effects, _) = model.run(&[later(9, event("$e2", ROOM, ALICE, edit("$m", "second")))]);
    assert_eq!(changes(&effects), ["edited"]);
    let (effects, outcomes) = model.run(&[later(5, event("$e1", ROOM, ALICE, edit("$m", "first")))]);
    assert_eq!(told(&effects, &outcomes), (vec![], vec![Outcome::Applied]));
    assert_eq!(model.looks("$m").0.as_deref(), Some("second"));
    for (id, redacted, shown) in [("$r2", "$e2", "first"), ("$r1", "$e1", "helo")] {
        let (effects, _) = model.run(&[event(id, ROOM, ALICE, redaction(redacted))]);
        assert_eq!(changes(&effects), ["edited"]);
        assert_eq!(model.looks("$m").0.as_deref(), Some(shown));
    }
    let (effects, outcomes) = model.run(&[event("$r3", ROOM, ALICE, redaction("$e2"))]);
    assert_eq!(
        told(&effects, &outcomes),
        (vec![], vec![Outcome::Applied]),
        "it waits for an $e2 that is gone"
    );
}

#[test]
fn a_reaction_counts_once_for_a_person_and_goes_with_its_redaction() {
    use Outcome::{Applied, Ignored};
    let mut model = said();
    let (effects, outcomes) = model.run(&[
        event("$r1", ROOM, ALICE, reaction("$m", "👍")),
        event("$r2", ROOM, ALICE, reaction("$m", "👍")),
        event("$r3", ROOM, &ghost(ANNA), reaction("$m", "👍")),
        event("$r4", ROOM, ALICE, reaction("$m", "🎉")),
        event("$r5", ROOM, ALICE, reaction("$m", " ")),
        event("$r6", ROOM, ALICE, reaction("$m", &"x".repeat(256))),
        event("$r7", ROOM, ALICE, reaction("$r1", "👍")),
    ]);
    assert_eq!(changes(&effects), ["reacted"; 3]);
    assert_eq!(
        outcomes,
        [Applied, Ignored, Applied, Applied, Ignored, Ignored, Ignored]
    );
    let (effects, _) = model.run(&[event("$x", ROOM, ALICE, redaction("$r3"))]);
    let gone = effects.feed[0].change.as_ref();
    assert!(
        matches!(gone, Some(Change::Unreacted { by, .. }) if *by == ANNA),
        "whoever takes it away"
    );
    assert_eq!(model.looks("$m").2.len(), 2);
}

#[test]
fn a_redacted_message_is_gone_for_good() {
    let mut model = said();
    let (effects, _) = model.run(&[
        event("$r", ROOM, ALICE, reaction("$m", "👍")),
        event("$e", ROOM, ALICE, edit("$m", "hello")),
        event("$x", ROOM, &ghost(ANNA), redaction("$m")),
    ]);
    assert_eq!(changes(&effects), ["reacted", "edited", "gone"]);
    let (effects, outcomes) = model.run(&[
        event("$x2", ROOM, ALICE, redaction("$m")),
        event("$e2", ROOM, ALICE, edit("$m", "again")),
        event("$r2", ROOM, ALICE, reaction("$m", "🎉")),
        event("$x3", ROOM, ALICE, redaction("$r")),
        event("$a", ROOM, ALICE, answer("re", "$m", None)),
    ]);
    // The reaction is forgotten by now: its redaction waits for nothing.
    assert_eq!(outcomes[..3], [Outcome::Ignored; 3]);
    assert_eq!(changes(&effects), ["message"]);
    assert!(effects.messages[0].reply_to.is_none() && model.acts.reactions.is_empty());
}

#[test]
fn what_we_sent_ourselves_is_noted_and_not_done_again() {
    let mut model = said();
    let message = model.messages[0].id;
    let id = model.reacts(message, ANNA, "👍");
    let echo = |event_id: &str, id| {
        let react = Act::React { key: "👍".to_owned() };
        event(event_id, ROOM, &ghost(ANNA), done_to("$m", react, Some(id)))
    };
    let (effects, outcomes) = model.run(&[echo("$r", id)]);
    assert_eq!(told(&effects, &outcomes), (vec![], vec![Outcome::Echo]));
    assert_eq!(effects.acts, [MessageAct::Carried(id, "$r".to_owned())]);
    // One that is gone by now does not come back to life.
    let (effects, outcomes) = model.run(&[echo("$r0", ActId(Uuid::from_u128(7)))]);
    assert_eq!(told(&effects, &outcomes), (vec![], vec![Outcome::Echo]));
    // Its redaction comes after it was taken back, and tells nobody anything new.
    model.takes_back(id);
    let (effects, _) = model.run(&[event("$x", ROOM, &ghost(ANNA), redaction("$r"))]);
    assert_eq!(
        (changes(&effects), effects.acts),
        (vec![], vec![MessageAct::Unreacted(id)])
    );
    // From anybody else a marker means nothing.
    let forged = done_to("$m", Act::Redact, Some(id));
    let (effects, _) = model.run(&[event("$f", ROOM, ALICE, forged)]);
    assert_eq!(changes(&effects), ["gone"]);
}

#[test]
fn a_reaction_that_both_clients_of_a_user_make_is_one() {
    let mut model = said();
    let message = model.messages[0].id;
    let id = model.reacts(message, ANNA, "👍");
    let (effects, _) = model.run(&[event("$r", ROOM, &ghost(ANNA), reaction("$m", "👍"))]);
    assert_eq!(effects.acts, [MessageAct::Carried(id, "$r".to_owned())]);
    assert!(effects.feed.is_empty());
}

#[test]
fn a_users_own_matrix_client_acts_for_them() {
    let mut model = said();
    let (effects, _) = model.run(&[
        event("$own", ROOM, &ghost(ANNA), text("mine")),
        event("$e", ROOM, &ghost(ANNA), edit("$own", "mine!")),
        event("$x", ROOM, &ghost(ANNA), redaction("$own")),
    ]);
    assert_eq!(changes(&effects), ["message", "edited", "gone"]);
}

#[test]
fn what_comes_before_our_own_event_is_known_waits_for_its_echo() {
    let (mut model, id) = with_direct();
    let message = model.says(id, ANNA);
    let (effects, outcomes) = model.run(&[event("$r", ROOM, ALICE, reaction("$ours", "👍"))]);
    assert_eq!(told(&effects, &outcomes), (vec![], vec![Outcome::Applied]));
    // The sender has noted the event meanwhile; the echo comes all the same.
    model.marked.get_mut(&message).unwrap().delivered = true;
    let (effects, _) = model.run(&[event("$ours", ROOM, &ghost(ANNA), marked_text("x", Some(message)))]);
    assert_eq!(changes(&effects), ["reacted"]);
    assert!(model.acts.early.is_empty());
}

#[test]
fn answers_name_what_they_answer_and_stay_in_their_thread() {
    let mut model = said();
    let (effects, _) = model.run(&[
        event("$1", ROOM, ALICE, answer("yes", "$m", None)),
        event("$2", ROOM, ALICE, answer("in the thread", "$m", Some("$m"))),
        event("$3", ROOM, ALICE, answer("too early", "$late", None)),
    ]);
    let m = model.acts.answers[&effects.messages[0].id];
    assert_eq!(effects.messages[1].reply_to, Some(m));
    assert_eq!(effects.messages[1].thread_root.as_deref(), Some("$m"));
    assert_eq!(effects.messages[2].reply_to, None);
    model.run(&[event("$late", ROOM, ALICE, text("what was answered"))]);
    assert_eq!(model.looks("$3").3.as_deref(), Some("$late"));
}

/// A message and what is done to it, of which nothing depends on what came first.
fn story() -> Vec<InboundEvent> {
    vec![
        event("$m", ROOM, ALICE, text("helo")),
        later(1, event("$e1", ROOM, ALICE, edit("$m", "hello"))),
        later(2, event("$e2", ROOM, ALICE, edit("$m", "hullo"))),
        event("$xe", ROOM, ALICE, redaction("$e2")),
        event("$r1", ROOM, ALICE, reaction("$m", "👍")),
        event("$r2", ROOM, &ghost(ANNA), reaction("$m", "👍")),
        event("$xr", ROOM, &ghost(ANNA), redaction("$r2")),
        event("$a", ROOM, &ghost(ANNA), answer("yes", "$m", Some("$m"))),
        event("$ra", ROOM, ALICE, reaction("$a", "🎉")),
        event("$g", ROOM, ALICE, text("gone")),
        event("$eg", ROOM, ALICE, edit("$g", "x")),
        event("$rg", ROOM, ALICE, reaction("$g", "x")),
        event("$xg", ROOM, ALICE, redaction("$g")),
    ]
}

proptest! {
    #[test]
    fn the_order_of_coming_makes_no_difference_to_how_it_looks(
        events in Just(story()).prop_shuffle(),
        cuts in proptest::collection::vec(0..=13_usize, 3),
        again in proptest::collection::vec(0..13_usize, 0..6),
    ) {
        let (mut model, _) = with_direct();
        let mut cuts = cuts;
        cuts.extend([0, events.len()]);
        cuts.sort_unstable();
        for (from, to) in cuts.iter().zip(&cuts[1..]) {
            model.run(&events[*from..*to]);
            for index in again.iter().filter(|index| *index < to) {
                model.run(&events[*index..=*index]);
            }
        }
        let one = |user: UserId, emoji: &str| BTreeSet::from([(user, emoji.to_owned())]);
        let alice = model.person(ALICE);
        prop_assert_eq!(model.looks("$m"), (Some("hello".to_owned()), false, one(alice, "👍"), None));
        let answered = (Some("yes".to_owned()), false, one(alice, "🎉"), Some("$m".to_owned()));
        prop_assert_eq!(model.looks("$a"), answered);
        prop_assert!(model.looks("$g").1 && model.looks("$g").2.is_empty());
        prop_assert!(model.acts.early.is_empty(), "{:?}", model.acts.early);
    }
}
