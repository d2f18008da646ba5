//! A third person comes to a direct conversation: what two people said elsewhere stays between them.

use super::*;
use crate::domain::conversation::{Kind, Membership, pair};
use crate::domain::job::Lane;

/// Alice's conversation with Anna began in one room and goes on in the other, to which nobody else has come yet.
fn moved() -> (Model, ConversationId) {
    let (mut model, id) = with_direct();
    model.run(&[
        event("$secret", ROOM, ALICE, text("between us")),
        event("$second", OTHER_ROOM, ALICE, direct_invite(&ghost(ANNA))),
    ]);
    assert_eq!(model.of_room(OTHER_ROOM), id);
    (model, id)
}

/// The two still have their conversation, with its history and nobody else in it, and a room for it is being made.
fn stays_theirs(model: &Model, effects: &Effects, id: ConversationId) {
    let alice = model.person(ALICE);
    assert_eq!(model.pairs[&pair(ANNA, alice)], id);
    let direct = &model.conversations[&id];
    assert_eq!((direct.kind, &direct.room), (Kind::Direct, &None));
    let people: BTreeSet<UserId> = direct.members.keys().copied().collect();
    assert_eq!(people, BTreeSet::from([ANNA, alice]));
    let making: Vec<_> = effects.jobs.iter().filter(|job| job.job == Job::CreateRoom).collect();
    assert_eq!(making.len(), 1);
    assert_eq!((making[0].lane, making[0].actor), (Lane::Conversation(id), ANNA));
}

/// The room is a new group's, with these people in it.
fn is_group(model: &Model, id: ConversationId, people: &[UserId]) -> ConversationId {
    let group = model.of_room(OTHER_ROOM);
    assert_ne!(group, id);
    let state = &model.conversations[&group];
    assert_eq!((state.kind, state.last_sequence), (Kind::Group, 0));
    let there: BTreeSet<UserId> = state.members.keys().copied().collect();
    assert_eq!(there, people.iter().copied().collect());
    group
}

#[test]
fn a_chat_of_three_that_is_marked_direct_takes_nobodys_history_along() {
    let both = [
        event("$a", OTHER_ROOM, ALICE, direct_invite(&ghost(ANNA))),
        event("$b", OTHER_ROOM, ALICE, direct_invite(&ghost(BERT))),
    ];
    for batches in [vec![&both[..]], vec![&both[..1], &both[1..]]] {
        let (mut model, id) = with_direct();
        model.run(&[event("$secret", ROOM, ALICE, text("between us"))]);
        let mut last = Effects::default();
        for batch in batches {
            last = model.run(batch).0;
        }
        let alice = model.person(ALICE);
        let group = is_group(&model, id, &[ANNA, BERT, alice]);
        stays_theirs(&model, &last, id);
        let of_group: Vec<_> = last
            .jobs
            .iter()
            .filter(|it| it.lane == Lane::Conversation(group))
            .collect();
        assert_eq!(
            of_group.iter().map(|it| (it.actor, it.job.name())).collect::<Vec<_>>(),
            [(BERT, "join"), (BERT, "sync_room")]
        );
        model.run(&[event("$all", OTHER_ROOM, ALICE, text("to all"))]);
        let said: Vec<_> = model
            .messages
            .iter()
            .map(|it| (it.conversation, &*it.text.plain))
            .collect();
        assert_eq!(said, [(id, "between us"), (group, "to all")]);
    }
}

#[test]
fn the_third_person_may_be_invited_first() {
    let (mut model, id) = with_direct();
    model.run(&[event("$b", OTHER_ROOM, ALICE, direct_invite(&ghost(BERT)))]);
    let (effects, _) = model.run(&[event("$a", OTHER_ROOM, ALICE, direct_invite(&ghost(ANNA)))]);
    assert!(
        effects.split_off.is_empty(),
        "it began there, and nothing was said elsewhere"
    );
    is_group(&model, id, &[ANNA, BERT, model.person(ALICE)]);
    assert_eq!(model.of_room(ROOM), id, "the two have not even moved");
}

#[test]
fn whoever_comes_much_later_reads_nothing_of_before() {
    let (mut model, id) = moved();
    model.run(&[event("$1", OTHER_ROOM, ALICE, text("in the second room"))]);
    let (effects, _) = model.run(&[event(
        "$2",
        OTHER_ROOM,
        ALICE,
        membership(&ghost(BERT), RoomMembership::Invite),
    )]);
    is_group(&model, id, &[ANNA, BERT, model.person(ALICE)]);
    stays_theirs(&model, &effects, id);
    assert!(model.messages.iter().all(|it| it.conversation == id));
}

#[test]
fn a_matrix_user_can_be_the_third_person() {
    for how in [RoomMembership::Invite, RoomMembership::Join] {
        let (mut model, id) = moved();
        let (effects, _) = model.run(&[event("$b", OTHER_ROOM, BOB, membership(BOB, how))]);
        let bob = model.person(BOB);
        let group = is_group(&model, id, &[ANNA, model.person(ALICE), bob]);
        stays_theirs(&model, &effects, id);
        let expected = if how == RoomMembership::Join {
            Membership::Joined
        } else {
            Membership::Invited
        };
        assert_eq!(model.member(group, bob).unwrap().membership, expected);
        assert_eq!(
            jobs(&effects),
            ["create_room", "join", "sync_room"],
            "the roles are read from the room"
        );
        assert_eq!(changes(&effects), ["created", "joined", "joined", "joined"]);
    }
}

#[test]
fn what_is_known_of_the_room_stays_known() {
    let (mut model, id) = moved();
    let create = Meaning::Create {
        marker: None,
        creators: Vec::new(),
        sender_is_creator: true,
        is_space: false,
    };
    model.run(&[
        event("$1", OTHER_ROOM, ALICE, create),
        event("$2", OTHER_ROOM, ALICE, Meaning::Encrypted),
    ]);
    model.run(&[
        event("$3", OTHER_ROOM, ALICE, membership(BOB, RoomMembership::Invite)),
        event("$4", OTHER_ROOM, ALICE, powers(&[], 0)),
    ]);
    let portal = &model.rooms[&room(OTHER_ROOM)];
    assert!(portal.conversation != id && portal.encrypted);
    let alice = model.member(portal.conversation, model.person(ALICE)).unwrap();
    assert_eq!(alice.role, crate::domain::power::Role::Owner);
}

#[test]
fn a_conversation_that_nova_opened_and_element_took_over_is_split_too() {
    let mut model = Model::new();
    let (id, _) = model.being_made(ANNA, ALICE);
    model.says(id, ANNA);
    let (effects, _) = model.run(&[
        event("$a", OTHER_ROOM, ALICE, direct_invite(&ghost(ANNA))),
        event("$b", OTHER_ROOM, ALICE, direct_invite(&ghost(BERT))),
    ]);
    is_group(&model, id, &[ANNA, BERT, model.person(ALICE)]);
    stays_theirs(&model, &effects, id);
}

#[test]
fn an_upgraded_room_has_history_of_another_one() {
    let (mut model, id) = with_direct();
    let tombstone = Meaning::Tombstone {
        replacement: room(OTHER_ROOM),
    };
    model.run(&[event("$t", ROOM, ALICE, tombstone)]);
    let (effects, _) = model.run(&[event("$b", OTHER_ROOM, ALICE, membership(BOB, RoomMembership::Invite))]);
    stays_theirs(&model, &effects, id);
}

#[test]
fn a_conversation_that_was_split_can_be_split_again() {
    let (mut model, id) = moved();
    model.run(&[event("$b", OTHER_ROOM, ALICE, membership(BOB, RoomMembership::Invite))]);
    let third = "!three:example.org";
    model.run(&[event("$c", third, ALICE, direct_invite(&ghost(ANNA)))]);
    assert_eq!(model.of_room(third), id);
    let (effects, _) = model.run(&[event("$d", third, ALICE, membership(BOB, RoomMembership::Invite))]);
    stays_theirs(&model, &effects, id);
}

#[test]
fn who_is_invited_to_a_room_that_the_two_left_behind_gets_a_group_of_their_own() {
    for invite in [
        direct_invite(&ghost(BERT)),
        membership(&ghost(BERT), RoomMembership::Invite),
    ] {
        let (mut model, id) = moved();
        let (effects, _) = model.run(&[event("$b", ROOM, ALICE, invite)]);
        let group = model.of_room(ROOM);
        assert!(group != id && model.of_room(OTHER_ROOM) == id);
        assert!(model.rooms[&room(ROOM)].current && model.rooms[&room(OTHER_ROOM)].current);
        assert_eq!(jobs(&effects), ["join", "sync_room"], "the two keep their room");
        assert!(model.member(id, BERT).is_none() && model.member(group, BERT).is_some());
    }
}

#[test]
fn nobody_takes_the_place_of_somebody_who_left() {
    for move_first in [true, false] {
        let (mut model, id) = if move_first { moved() } else { with_direct() };
        let here = if move_first { OTHER_ROOM } else { ROOM };
        model.run(&[event(
            "$l",
            here,
            &ghost(ANNA),
            membership(&ghost(ANNA), RoomMembership::Leave),
        )]);
        let (effects, _) = model.run(&[event("$b", here, ALICE, direct_invite(&ghost(BERT)))]);
        assert_eq!(model.of_room(here) == id, !move_first);
        assert_eq!(model.conversations[&model.of_room(here)].kind, Kind::Group);
        assert!(
            !jobs(&effects).contains(&"create_room"),
            "nobody of ours is left to make one"
        );
    }
}

#[test]
fn whoever_was_about_to_leave_by_nova_leaves_the_group_too() {
    let (mut model, id) = moved();
    model.conversations.get_mut(&id).unwrap().members.remove(&ANNA);
    let events = [event(
        "$b",
        OTHER_ROOM,
        ALICE,
        membership(&ghost(BERT), RoomMembership::Invite),
    )];
    let mut context = model.context(&events);
    context.departing.insert((id, ANNA));
    let raws = events.map(|event| RawEvent {
        raw: serde_json::value::to_raw_value("x").unwrap(),
        decoded: Ok(event),
    });
    let (effects, _) = plan(context, raws.into(), &mut || Uuid::from_u128(1));
    let group = effects.conversations[0].id;
    assert_eq!(effects.departures, [(group, ANNA)]);
    let leave = Job::Leave {
        room: Some(OTHER_ROOM.to_owned()),
        notice: None,
    };
    assert!(
        effects
            .jobs
            .iter()
            .any(|it| it.actor == ANNA && it.lane == Lane::Conversation(group) && it.job == leave)
    );
}
