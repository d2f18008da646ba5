//! What a room has pinned, in whatever order it comes.

use proptest::prelude::*;

use super::*;
use crate::domain::pin::MAX_PINS;

fn list(events: &[&str]) -> Meaning {
    told_list(events, None)
}

fn told_list(events: &[&str], marker: Option<OutboxId>) -> Meaning {
    Meaning::Pinned {
        events: events.iter().map(|id| (*id).to_owned()).collect(),
        marker,
    }
}

/// A direct conversation in which Alice has said three things.
fn said() -> Model {
    let (mut model, _) = with_direct();
    model.run(&["$a", "$b", "$c"].map(|id| event(id, ROOM, ALICE, text(id))));
    model
}

/// Alice sets the list.
fn sets(model: &mut Model, id: &str, events: &[&str]) -> (Vec<&'static str>, Vec<Outcome>) {
    let (effects, outcomes) = model.run(&[event(id, ROOM, ALICE, list(events))]);
    (changes(&effects), outcomes)
}

#[test]
fn a_list_is_told_as_far_as_it_is_new() {
    let mut model = said();
    assert_eq!(
        sets(&mut model, "$1", &["$b"]),
        (vec!["pinned"], vec![Outcome::Applied])
    );
    assert_eq!(
        sets(&mut model, "$2", &["$b", "$a", "$a"]),
        (vec!["pinned"], vec![Outcome::Applied])
    );
    assert_eq!(model.pinned(), ["$b", "$a"]);
    assert_eq!(
        sets(&mut model, "$2", &["$b", "$a"]),
        (vec![], vec![Outcome::Duplicate])
    );
    assert_eq!(sets(&mut model, "$3", &["$a", "$b"]), (vec![], vec![Outcome::Applied]));
    assert_eq!(
        sets(&mut model, "$4", &["$c"]),
        (vec!["unpinned", "unpinned", "pinned"], vec![Outcome::Applied])
    );
    assert_eq!(
        sets(&mut model, "$1", &["$b"]),
        (vec![], vec![Outcome::Duplicate]),
        "late"
    );
    assert_eq!(model.pinned(), ["$c"]);
    assert_eq!(sets(&mut model, "$5", &[]).0, ["unpinned"]);
    assert!(model.pinned().is_empty());
}

#[test]
fn what_is_pinned_before_it_comes_is_pinned_when_it_comes() {
    let mut model = said();
    assert_eq!(sets(&mut model, "$1", &["$late", "$never", "$a"]).0, ["pinned"]);
    let (effects, _) = model.run(&[event("$late", ROOM, ALICE, text("at last"))]);
    assert_eq!(changes(&effects), ["message", "pinned"]);
    assert_eq!(model.pinned(), ["$a", "$late"]);
    assert_eq!(sets(&mut model, "$2", &["$late", "$a"]).0, [""; 0]);
    let (effects, _) = model.run(&[event("$never", ROOM, ALICE, text("too late"))]);
    assert_eq!(changes(&effects), ["message"], "it was taken down meanwhile");
    // All in one transaction, also where it is deleted at once.
    let (effects, _) = model.run(&[
        event("$3", ROOM, ALICE, list(&["$x", "$y"])),
        event("$r", ROOM, ALICE, redaction("$y")),
        event("$x", ROOM, ALICE, text("x")),
        event("$y", ROOM, ALICE, text("y")),
    ]);
    assert_eq!(
        changes(&effects),
        ["unpinned", "unpinned", "message", "pinned", "message", "gone"]
    );
    assert_eq!(model.pinned(), ["$x"]);
    assert!(model.acts.pins.early.is_empty());
}

#[test]
fn what_nova_has_decided_since_is_newer() {
    let mut model = said();
    sets(&mut model, "$1", &["$a"]);
    let (down, up) = (model.pins("$a", false), model.pins("$b", true));
    // The room does not know of either.
    assert_eq!(sets(&mut model, "$2", &["$a", "$c"]).0, ["pinned"]);
    assert_eq!(model.pinned(), ["$b", "$c"]);
    let echo = |id: &str, events: &[&str], job| event(id, ROOM, &ghost(ANNA), told_list(events, Some(job)));
    let (effects, outcomes) = model.run(&[echo("$3", &["$c"], down)]);
    assert_eq!((changes(&effects), outcomes), (vec![], vec![Outcome::Echo]));
    assert_eq!(effects.done_jobs, [down]);
    let (effects, _) = model.run(&[echo("$4", &["$c", "$b"], up)]);
    assert!(changes(&effects).is_empty());
    assert_eq!(model.pinned(), ["$b", "$c"]);
    // From now on the room knows better.
    assert_eq!(sets(&mut model, "$5", &["$a"]).0, ["unpinned", "unpinned", "pinned"]);
}

#[test]
fn an_echo_of_the_job_before_does_not_count_for_what_came_after_it() {
    let mut model = said();
    let up = model.pins("$a", true);
    let down = model.pins("$a", false);
    let echo = |id: &str, events: &[&str], job| event(id, ROOM, &ghost(ANNA), told_list(events, Some(job)));
    let (effects, _) = model.run(&[echo("$1", &["$a"], up)]);
    assert!(changes(&effects).is_empty());
    assert!(model.pinned().is_empty());
    let (effects, _) = model.run(&[echo("$2", &[], down)]);
    assert!(changes(&effects).is_empty());
    assert!(model.acts.pins.there.is_empty());
}

#[test]
fn a_marker_counts_only_from_a_ghost() {
    let mut model = said();
    let job = model.pins("$a", true);
    let forged = event("$1", ROOM, ALICE, told_list(&[], Some(job)));
    let (effects, outcomes) = model.run(&[forged]);
    assert_eq!((changes(&effects), outcomes), (vec![], vec![Outcome::Applied]));
    assert_eq!(model.pinned(), ["$a"]);
}

#[test]
fn what_is_gone_is_no_longer_pinned() {
    let mut model = said();
    sets(&mut model, "$1", &["$a", "$b"]);
    let (effects, _) = model.run(&[event("$r", ROOM, ALICE, redaction("$a"))]);
    assert_eq!(changes(&effects), ["unpinned", "gone"]);
    assert_eq!(model.pinned(), ["$b"]);
    assert_eq!(sets(&mut model, "$2", &["$a", "$b", "$c"]).0, ["pinned"]);
    assert_eq!(model.pinned(), ["$b", "$c"]);
}

#[test]
fn only_messages_of_the_room_in_use_are_pinned() {
    let mut model = said();
    model.run(&[
        event(
            "$i",
            OTHER_ROOM,
            ALICE,
            membership(&ghost(BERT), RoomMembership::Invite),
        ),
        event("$o", OTHER_ROOM, ALICE, text("elsewhere")),
        event("$t", ROOM, ALICE, reaction("$a", "👍")),
    ]);
    assert_eq!(sets(&mut model, "$1", &["$o", "$t", "$a"]).0, ["pinned"]);
    assert_eq!(model.pinned(), ["$a"]);
    let (effects, outcomes) = model.run(&[event("$2", "!strange:x.org", ALICE, list(&["$a"]))]);
    assert_eq!((changes(&effects), outcomes), (vec![], vec![Outcome::Ignored]));
    assert_eq!(effects.processed, ["$2"]);
    // In a room that was left behind nobody has a say any more.
    let invite = event("$n", "!new:example.org", ALICE, direct_invite(&ghost(ANNA)));
    model.run(&[invite]);
    assert_eq!(sets(&mut model, "$3", &[]), (vec![], vec![Outcome::Ignored]));
    assert_eq!(model.pinned(), ["$a"]);
}

#[test]
fn of_a_long_list_the_last_ones_count() {
    let mut model = said();
    let mut long: Vec<String> = (0..MAX_PINS).map(|n| format!("$unknown{n}")).collect();
    long.insert(0, "$a".to_owned());
    let events: Vec<&str> = long.iter().map(String::as_str).collect();
    assert!(sets(&mut model, "$1", &events).0.is_empty());
    assert_eq!(model.acts.pins.early.len(), MAX_PINS);
    long.remove(1);
    let events: Vec<&str> = long.iter().map(String::as_str).collect();
    assert_eq!(sets(&mut model, "$2", &events).0, ["pinned"]);
}

#[test]
fn a_room_says_who_may() {
    let (mut model, group) = with_group();
    let needs = Needs { pin: 0, everybody: 25 };
    let levels = |needs| Meaning::PowerLevels {
        users: BTreeMap::from([(mxid(ALICE), 100)]),
        default: 0,
        needs,
    };
    let (effects, _) = model.run(&[event("$1", ROOM, ALICE, levels(needs))]);
    assert_eq!(effects.needs, [(group, needs)]);
    // Between two people there are no roles: what counts is whether the Nova user has the power.
    let (mut model, direct) = with_direct();
    let strict = Needs::of(Kind::Group);
    let (effects, _) = model.run(&[event("$1", ROOM, ALICE, levels(strict))]);
    assert_eq!(effects.needs, [(direct, strict)]);
    let strong = Meaning::PowerLevels {
        users: BTreeMap::from([(mxid(&ghost(ANNA)), 50)]),
        default: 0,
        needs: strict,
    };
    let (effects, _) = model.run(&[event("$2", ROOM, ALICE, strong)]);
    assert_eq!(effects.needs, [(direct, Needs { pin: 0, ..strict })]);
}

proptest! {
    /// Whatever comes between them: the last list is what is pinned, of the messages that are there.
    #[test]
    fn the_last_list_counts(steps in prop::collection::vec((0..6_usize, prop::collection::vec(0..6_usize, 0..5)), 1..12)) {
        let (mut model, _) = with_direct();
        let ids = ["$0", "$1", "$2", "$3", "$4", "$5"];
        let mut said = BTreeSet::new();
        for (n, (message, listed)) in steps.iter().enumerate() {
            let listed: Vec<&str> = listed.iter().map(|at| ids[*at]).collect();
            model.run(&[event(&format!("$list{n}"), ROOM, ALICE, list(&listed))]);
            model.run(&[event(ids[*message], ROOM, ALICE, text("x"))]);
            said.insert(ids[*message]);
            let expected: BTreeSet<String> =
                listed.iter().filter(|id| said.contains(**id)).map(|id| (*id).to_owned()).collect();
            prop_assert_eq!(model.pinned().into_iter().collect::<BTreeSet<_>>(), expected);
        }
    }
}
