//! Rooms that turn out to be spaces.

use super::*;

fn created(is_space: bool) -> Meaning {
    Meaning::Create {
        marker: None,
        creators: Vec::new(),
        sender_is_creator: false,
        is_space,
    }
}

fn invited(to_space: bool) -> Meaning {
    Meaning::Member(MemberEvent {
        to_space,
        ..MemberEvent::new(mxid(&ghost(ANNA)), RoomMembership::Invite)
    })
}

fn joined() -> Meaning {
    membership(&ghost(ANNA), RoomMembership::Join)
}

#[test]
fn a_space_that_a_ghost_makes_is_no_conversation() {
    let made = || {
        [
            event("$1", ROOM, &ghost(ANNA), created(true)),
            event("$2", ROOM, &ghost(ANNA), joined()),
            event("$3", ROOM, &ghost(ANNA), Meaning::Name(Some("Nova".to_owned()))),
            event("$4", ROOM, &ghost(ANNA), text("nobody hears this")),
        ]
    };
    let mut model = Model::new();
    let (effects, outcomes) = model.run(&made());
    assert_eq!(outcomes, [Outcome::Applied; 4]);
    assert_eq!(effects.spaces, [room(ROOM)]);
    assert!(model.conversations.is_empty() && effects.jobs.is_empty() && effects.dead_letters.is_empty());
    let mut model = Model::new();
    for event in made() {
        model.run(&[event]);
    }
    assert!(model.conversations.is_empty(), "one by one, too");
}

#[test]
fn a_ghost_that_is_invited_to_a_space_neither_joins_nor_leaves() {
    let mut model = Model::new();
    let (effects, outcomes) = model.run(&[event("$1", ROOM, ALICE, invited(true))]);
    assert_eq!((outcomes, jobs(&effects).len()), (vec![Outcome::Applied], 0));
    // The Nova user comes with a Matrix client of their own.
    model.run(&[event("$2", ROOM, &ghost(ANNA), joined())]);
    assert!(model.conversations.is_empty());
    let (effects, _) = model.run(&[event("$3", OTHER_ROOM, ALICE, invited(false))]);
    assert!(jobs(&effects).contains(&"join"), "other rooms are as ever");
}

#[test]
fn who_says_falsely_that_a_room_is_a_space_keeps_nobody_out() {
    let mut model = Model::new();
    model.run(&[event("$1", ROOM, BOB, invited(true))]);
    let (effects, outcomes) = model.run(&[event("$2", ROOM, ALICE, invited(false))]);
    assert_eq!((outcomes, effects.no_spaces.len()), (vec![Outcome::Applied], 1));
    assert!(jobs(&effects).contains(&"join") && model.spaces.is_empty());
    let mut model = Model::new();
    let both = [
        event("$1", ROOM, BOB, invited(true)),
        event("$2", ROOM, ALICE, invited(false)),
    ];
    model.run(&both);
    assert!(model.spaces.is_empty() && model.conversations.len() == 1, "at once");
}

#[test]
fn an_invite_cannot_say_that_a_conversation_is_a_space() {
    let (mut model, id) = with_group();
    model.run(&[event("$1", ROOM, BOB, invited(true))]);
    assert!(model.spaces.is_empty() && model.conversations.contains_key(&id));
}

#[test]
fn no_conversation_moves_into_a_space() {
    let (mut model, id) = with_group();
    model.run(&[event("$1", OTHER_ROOM, BOB, invited(true))]);
    let replacement = room(OTHER_ROOM);
    let (effects, _) = model.run(&[event("$2", ROOM, ALICE, Meaning::Tombstone { replacement })]);
    assert_eq!(model.of_room(ROOM), id);
    assert_eq!(effects.dead_letters.len(), 1);
}

#[test]
fn a_room_that_was_taken_for_a_conversations_is_none_once_it_shows() {
    let mut model = Model::new();
    model.run(&[event("$1", ROOM, &ghost(ANNA), joined())]);
    let id = model.of_room(ROOM);
    let (effects, _) = model.run(&[
        event("$2", ROOM, ALICE, created(true)),
        event("$3", ROOM, ALICE, Meaning::Name(Some("Games".to_owned()))),
    ]);
    assert_eq!(effects.dissolved, [id]);
    assert_eq!(changes(&effects), ["deleted"]);
    assert!(model.conversations.is_empty() && model.rooms.is_empty());
}

#[test]
fn what_was_said_is_not_lost_because_a_room_is_a_space() {
    let (mut model, id) = with_direct();
    model.run(&[event("$1", ROOM, ALICE, created(true))]);
    assert!(model.conversations.contains_key(&id), "of two people");
    let (mut model, id) = with_group();
    model.run(&[event("$1", ROOM, ALICE, text("hello"))]);
    let (effects, _) = model.run(&[event("$2", ROOM, ALICE, created(true))]);
    assert_eq!(effects.dissolved, []);
    assert!(model.conversations.contains_key(&id), "with a message");
}
