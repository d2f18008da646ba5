//! People that come, go, rise and are renamed.

use super::*;
use crate::domain::conversation::Membership;
use crate::domain::power::Role;

#[test]
fn a_matrix_user_is_invited_joins_and_leaves() {
    let (mut model, id) = with_group();
    let bob = model.person(BOB);
    let (invited, _) = model.run(&[event("$1", ROOM, ALICE, membership(BOB, RoomMembership::Invite))]);
    assert_eq!(model.member(id, bob).unwrap().membership, Membership::Invited);
    assert_eq!(changes(&invited), ["joined"]);
    let (joined, _) = model.run(&[event("$2", ROOM, BOB, named(BOB, "Bob"))]);
    assert_eq!(model.member(id, bob).unwrap().membership, Membership::Joined);
    assert!(matches!(
        &joined.feed[0].change,
        Some(Change::MemberJoined { by, username, display_name, .. })
            if *by == bob && username == BOB && display_name == "Bob"
    ));
    let (again, outcomes) = model.run(&[event("$3", ROOM, BOB, named(BOB, "Bob"))]);
    assert_eq!((changes(&again).len(), outcomes), (0, vec![Outcome::Applied]));
    let (left, _) = model.run(&[event("$4", ROOM, BOB, membership(BOB, RoomMembership::Leave))]);
    assert_eq!((changes(&left), model.member(id, bob)), (vec!["left"], None));
}

#[test]
fn kicks_and_bans_tell_who_did_it() {
    for how in [RoomMembership::Leave, RoomMembership::Ban] {
        let (mut model, id) = with_group();
        let (effects, _) = model.run(&[event("$1", ROOM, ALICE, membership(&ghost(ANNA), how))]);
        let left = Change::MemberLeft {
            by: model.person(ALICE),
            user: ANNA,
        };
        assert_eq!(effects.feed, [NewEntry::change(id, left)]);
        let (effects, _) = model.run(&[event("$2", ROOM, ALICE, membership(&ghost(ANNA), how))]);
        assert!(effects.feed.is_empty(), "who is gone cannot go again");
    }
}

#[test]
fn a_leave_before_the_join_it_belongs_to_changes_nothing() {
    let (mut model, id) = with_group();
    let (effects, _) = model.run(&[
        event("$2", ROOM, BOB, membership(BOB, RoomMembership::Leave)),
        event("$3", ROOM, BOB, membership(BOB, RoomMembership::Knock)),
    ]);
    assert!(effects.feed.is_empty() && effects.members.is_empty());
    assert_eq!(model.member(id, model.person(BOB)), None);
}

#[test]
fn an_invite_that_comes_after_the_join_takes_nothing_back() {
    let (mut model, id) = with_group();
    model.run(&[
        event("$1", ROOM, BOB, membership(BOB, RoomMembership::Join)),
        event("$2", ROOM, ALICE, membership(BOB, RoomMembership::Invite)),
    ]);
    assert_eq!(
        model.member(id, model.person(BOB)).unwrap().membership,
        Membership::Joined
    );
}

#[test]
fn power_levels_become_roles_and_only_changes_are_told() {
    let (mut model, id) = with_group();
    let alice = model.person(ALICE);
    let levels = powers(&[(ALICE, 100), (&ghost(ANNA), 50), (BOB, 25)], 0);
    let (effects, _) = model.run(&[event("$1", ROOM, ALICE, levels.clone())]);
    assert_eq!(changes(&effects), ["role", "role"]);
    assert_eq!(model.member(id, alice).unwrap().role, Role::Owner);
    assert_eq!(model.member(id, ANNA).unwrap().role, Role::Admin);
    let (effects, _) = model.run(&[event("$2", ROOM, ALICE, levels)]);
    assert!(effects.feed.is_empty());
    model.run(&[event("$3", ROOM, ALICE, powers(&[(ALICE, 100)], 30))]);
    assert_eq!(
        model.member(id, ANNA).unwrap().role,
        Role::Moderator,
        "the default counts for everybody else"
    );
}

#[test]
fn creators_of_new_rooms_are_owners_whatever_the_levels_say() {
    let (mut model, id) = with_group();
    let create = Meaning::Create {
        marker: None,
        creators: vec![mxid(&ghost(ANNA))],
        sender_is_creator: true,
        is_space: false,
    };
    model.run(&[event("$1", ROOM, ALICE, create)]);
    assert_eq!(model.rooms[&room(ROOM)].creators, [ghost(ANNA), ALICE.to_owned()]);
    model.run(&[event("$2", ROOM, ALICE, powers(&[], 0))]);
    for user in [ANNA, model.person(ALICE)] {
        assert_eq!(model.member(id, user).unwrap().role, Role::Owner);
    }
}

#[test]
fn a_direct_conversation_has_no_roles() {
    let (mut model, id) = with_direct();
    let (effects, _) = model.run(&[event("$1", ROOM, ALICE, powers(&[(ALICE, 100)], 0))]);
    assert!(effects.feed.is_empty());
    assert_eq!(model.member(id, model.person(ALICE)).unwrap().role, Role::Member);
}

#[test]
fn a_new_name_is_kept_and_told_where_it_shows() {
    let (mut model, id) = with_direct();
    model.run(&[event("$1", ROOM, ALICE, named(ALICE, "Alice"))]);
    let (effects, _) = model.run(&[event("$2", ROOM, ALICE, named(ALICE, "Alice B."))]);
    assert_eq!(changes(&effects), ["updated"]);
    assert_eq!(effects.feed[0].conversation, id);
    assert_eq!(
        model.people[&model.person(ALICE)].display_name.as_deref(),
        Some("Alice B.")
    );
    let (effects, _) = model.run(&[event("$3", ROOM, ALICE, named(ALICE, "Alice B."))]);
    assert!(effects.feed.is_empty() && effects.people.is_empty());
}

#[test]
fn who_takes_name_and_picture_away_has_none_from_then_on() {
    let (mut model, _) = with_direct();
    let alice = model.person(ALICE);
    model.run(&[event("$1", ROOM, ALICE, named(ALICE, "Alice"))]);
    let nameless = membership(ALICE, RoomMembership::Join);
    let (effects, _) = model.run(&[event("$2", ROOM, ALICE, nameless.clone())]);
    assert_eq!((changes(&effects), effects.people.len()), (vec!["updated"], 1));
    assert_eq!(model.people[&alice].display_name, None);
    let (effects, _) = model.run(&[event("$3", ROOM, ALICE, nameless)]);
    assert!(
        effects.feed.is_empty() && effects.people.is_empty(),
        "that is told once"
    );
}

#[test]
fn an_invite_without_a_profile_says_nothing_about_it() {
    let (mut model, _) = with_group();
    model.run(&[
        event("$1", ROOM, BOB, named(BOB, "Bob")),
        event("$2", ROOM, BOB, membership(BOB, RoomMembership::Leave)),
    ]);
    let (effects, _) = model.run(&[event("$3", ROOM, ALICE, membership(BOB, RoomMembership::Invite))]);
    assert!(effects.people.is_empty());
    assert_eq!(model.people[&model.person(BOB)].display_name.as_deref(), Some("Bob"));
}
