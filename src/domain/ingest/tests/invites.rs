//! Ghosts that are invited, and the conversations that this makes.

use super::*;
use crate::domain::conversation::{Kind, Membership, pair};

#[test]
fn a_direct_invite_makes_a_direct_conversation_that_the_ghost_joins_at_once() {
    let mut model = Model::new();
    let (effects, outcomes) = model.run(&[event("$1", ROOM, ALICE, direct_invite(&ghost(ANNA)))]);
    assert_eq!(outcomes, [Outcome::Applied]);
    let id = model.of_room(ROOM);
    let made = &model.conversations[&id];
    assert_eq!(made.kind, Kind::Direct);
    for user in [ANNA, model.person(ALICE)] {
        assert_eq!(model.member(id, user).unwrap().membership, Membership::Joined);
    }
    assert_eq!(model.pairs[&pair(ANNA, model.person(ALICE))], id);
    assert_eq!(jobs(&effects), ["join", "sync_room"]);
    assert!(effects.jobs.iter().all(|job| job.actor == ANNA));
    assert_eq!(changes(&effects), ["created", "joined", "joined"]);
    assert_eq!(effects.replay, [room(ROOM)]);
}

#[test]
fn an_invite_to_a_group_makes_a_group_that_later_ghosts_come_to() {
    let (mut model, id) = with_group();
    assert_eq!(model.conversations[&id].kind, Kind::Group);
    let invite = membership(&ghost(BERT), RoomMembership::Invite);
    let (effects, _) = model.run(&[event("$2", ROOM, ALICE, invite)]);
    assert!(model.member(id, BERT).is_some());
    assert_eq!((model.conversations.len(), jobs(&effects)), (1, vec!["join"]));
    assert!(model.pairs.is_empty());
}

#[test]
fn a_second_direct_room_takes_the_conversation_over_and_the_ghost_leaves_the_first_one() {
    let (mut model, id) = with_direct();
    let (effects, _) = model.run(&[event("$2", OTHER_ROOM, ALICE, direct_invite(&ghost(ANNA)))]);
    assert_eq!((model.of_room(OTHER_ROOM), model.conversations.len()), (id, 1));
    assert!(model.rooms[&room(OTHER_ROOM)].current && !model.rooms[&room(ROOM)].current);
    assert_eq!(jobs(&effects), ["leave", "join", "sync_room"]);
    let leave = Job::Leave {
        room: Some(ROOM.to_owned()),
        notice: Some(format!("This conversation goes on in {OTHER_ROOM}.")),
    };
    assert_eq!(effects.jobs[0].job, leave);

    let late = [
        event("$3", ROOM, ALICE, text("still in the old room")),
        event(
            "$4",
            ROOM,
            &ghost(ANNA),
            membership(&ghost(ANNA), RoomMembership::Leave),
        ),
        event("$5", ROOM, ALICE, membership(BOB, RoomMembership::Invite)),
        event("$6", OTHER_ROOM, ALICE, text("and in the new one")),
    ];
    model.run(&late);
    let said: Vec<_> = model.messages.iter().map(|it| (it.conversation, it.sequence)).collect();
    assert_eq!(said, [(id, 1), (id, 2)]);
    assert!(model.member(id, ANNA).is_some(), "who leaves the old room stays");
    assert!(
        model.member(id, model.person(BOB)).is_none(),
        "who comes to the old room does not come"
    );
}

#[test]
fn two_direct_invites_in_one_batch_make_one_conversation() {
    let mut model = Model::new();
    model.run(&[
        event("$1", ROOM, ALICE, direct_invite(&ghost(ANNA))),
        event("$2", OTHER_ROOM, ALICE, direct_invite(&ghost(ANNA))),
    ]);
    assert_eq!(model.conversations.len(), 1);
    assert_eq!(model.of_room(ROOM), model.of_room(OTHER_ROOM));
}

#[test]
fn a_third_person_makes_a_direct_conversation_a_group() {
    let (mut model, id) = with_direct();
    let (effects, _) = model.run(&[event("$2", ROOM, ALICE, membership(BOB, RoomMembership::Invite))]);
    assert_eq!(effects.regrouped, [id]);
    assert_eq!(model.conversations[&id].kind, Kind::Group);
    assert_eq!(
        model.member(id, model.person(BOB)).unwrap().membership,
        Membership::Invited
    );
    model.run(&[event("$3", OTHER_ROOM, ALICE, direct_invite(&ghost(ANNA)))]);
    assert_ne!(
        model.of_room(OTHER_ROOM),
        id,
        "the pair is free for a direct conversation again"
    );
}

#[test]
fn a_conversation_that_becomes_a_group_frees_its_pair_within_the_batch() {
    let mut model = Model::new();
    model.run(&[
        event("$1", ROOM, ALICE, direct_invite(&ghost(ANNA))),
        event("$2", ROOM, ALICE, membership(BOB, RoomMembership::Invite)),
        event("$3", OTHER_ROOM, ALICE, direct_invite(&ghost(ANNA))),
    ]);
    let (first, second) = (model.of_room(ROOM), model.of_room(OTHER_ROOM));
    assert_eq!(model.conversations[&first].kind, Kind::Group);
    assert_eq!(model.conversations[&second].kind, Kind::Direct);
    assert_eq!(model.pairs.into_values().collect::<Vec<_>>(), [second]);
}

#[test]
fn an_invite_of_a_ghost_without_account_is_put_aside() {
    let mut model = Model::new();
    let (effects, outcomes) = model.run(&[event("$1", ROOM, ALICE, direct_invite(&ghost(NOBODY)))]);
    assert_eq!(outcomes, [Outcome::DeadLetter]);
    assert_eq!(reasons(&effects), [reason::UNKNOWN_ACCOUNT]);
    assert!(model.conversations.is_empty());
}

#[test]
fn a_ghost_that_joins_a_room_by_itself_brings_it_to_nova() {
    let mut model = Model::new();
    let join = membership(&ghost(ANNA), RoomMembership::Join);
    let (effects, _) = model.run(&[event("$1", ROOM, &ghost(ANNA), join)]);
    let id = model.of_room(ROOM);
    assert!(model.member(id, ANNA).is_some());
    assert_eq!(jobs(&effects), ["sync_room"]);
}

#[test]
fn strangers_make_nothing() {
    let mut model = Model::new();
    let (effects, outcomes) = model.run(&[
        event("$2", ROOM, ALICE, membership(BOB, RoomMembership::Join)),
        event("$3", ROOM, ALICE, membership(BOB, RoomMembership::Leave)),
        event("$4", ROOM, ALICE, Meaning::Name(Some("Club".to_owned()))),
        event("$5", ROOM, ALICE, powers(&[], 0)),
        event(
            "$6",
            ROOM,
            ALICE,
            Meaning::Tombstone {
                replacement: room(OTHER_ROOM),
            },
        ),
    ]);
    assert_eq!(outcomes, [Outcome::Ignored; 5]);
    assert!(effects.jobs.is_empty() && effects.feed.is_empty() && model.conversations.is_empty());
}

#[test]
fn state_that_meant_nothing_gets_no_meaning_when_its_batch_is_repeated() {
    let mut model = Model::new();
    let batch = [
        event("$1", ROOM, BOB, membership(BOB, RoomMembership::Leave)),
        event("$2", ROOM, ALICE, membership(&ghost(ANNA), RoomMembership::Invite)),
        event("$3", ROOM, BOB, membership(BOB, RoomMembership::Join)),
    ];
    model.run(&batch);
    let (_, outcomes) = model.run(&batch);
    assert_eq!(outcomes, [Outcome::Duplicate; 3]);
    assert!(model.member(model.of_room(ROOM), model.person(BOB)).is_some());
}
