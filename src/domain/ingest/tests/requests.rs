//! Nova users who are asked before they come, and people who are blocked.

use super::*;
use crate::domain::conversation::{Kind, Membership};
use crate::domain::event::Shown;
use crate::domain::request::Answer;

/// A model in which Anna wants to be asked by Alice.
fn asking() -> Model {
    let mut model = Model::new();
    let alice = model.person(ALICE);
    model.doors.asks.insert((ANNA, alice));
    model
}

/// A model in which Anna blocks Alice, who invited her before that.
fn blocking() -> (Model, ConversationId) {
    let (mut model, id) = with_direct();
    let alice = model.person(ALICE);
    model.doors.blocks.insert((ANNA, alice));
    (model, id)
}

fn place(model: &Model, id: ConversationId) -> Option<Membership> {
    model.member(id, ANNA).map(|member| member.membership)
}

fn answers(effects: &Effects) -> Vec<(Option<UserId>, Answer)> {
    let answer = |entry: &NewEntry| match entry.change {
        Some(Change::Answered { answer }) => Some((entry.audience, answer)),
        _ => None,
    };
    effects.feed.iter().filter_map(answer).collect()
}

#[test]
fn who_wants_to_be_asked_stays_invited_and_is_told_alone() {
    for invite in [
        direct_invite(&ghost(ANNA)),
        membership(&ghost(ANNA), RoomMembership::Invite),
    ] {
        let mut model = asking();
        let (effects, outcomes) = model.run(&[event("$1", ROOM, ALICE, invite.clone())]);
        assert_eq!(outcomes, [Outcome::Applied]);
        let id = model.of_room(ROOM);
        assert_eq!(place(&model, id), Some(Membership::Invited));
        assert_eq!(jobs(&effects), Vec::<&str>::new(), "the ghost does not join");
        let by = model.person(ALICE);
        assert_eq!(
            effects.requests,
            [NewRequest {
                conversation: id,
                user: ANNA,
                by
            }]
        );
        let told = effects.feed.last().unwrap();
        assert_eq!(
            (told.audience, &told.change),
            (Some(ANNA), &Some(Change::Requested { by }))
        );

        // The same invite, under another id and in whatever shape, asks nothing again.
        let (effects, _) = model.run(&[event("$2", ROOM, ALICE, invite)]);
        assert!(effects.requests.is_empty() && effects.feed.is_empty() && effects.jobs.is_empty());
    }
}

#[test]
fn a_request_shows_the_group_and_who_asks_as_the_invite_does() {
    let shown = |target: &str, is_direct| {
        let inviter = Some(MemberEvent {
            display_name: Some("Alice".to_owned()),
            avatar_url: Some("mxc://e/alice".to_owned()),
            ..MemberEvent::new(mxid(ALICE), RoomMembership::Join)
        });
        let shown = Shown {
            name: Some("Tea".to_owned()),
            topic: Some("and biscuits".to_owned()),
            avatar_url: Some("mxc://e/tea".to_owned()),
            inviter,
        };
        Meaning::Member(MemberEvent {
            is_direct,
            shown: Some(Box::new(shown)),
            ..MemberEvent::new(mxid(target), RoomMembership::Invite)
        })
    };
    for (is_direct, expected) in [
        (false, [Some("Tea"), Some("and biscuits"), Some("mxc://e/tea")]),
        (true, [None; 3]),
    ] {
        let mut model = asking();
        let (effects, _) = model.run(&[event("$1", ROOM, ALICE, shown(&ghost(ANNA), is_direct))]);
        let made = &effects.conversations[0];
        let looks = [&made.name, &made.description, &made.avatar_url].map(|it| it.as_deref());
        assert_eq!(looks, expected, "a direct conversation is called after the other one");
        let alice = &effects.people[0];
        assert_eq!(
            (alice.id, alice.display_name.as_deref(), alice.avatar_url.as_deref()),
            (model.person(ALICE), Some("Alice"), Some("mxc://e/alice"))
        );
    }
}

#[test]
fn two_invites_of_one_batch_ask_once() {
    let mut model = asking();
    let (effects, _) = model.run(&[
        event("$1", ROOM, ALICE, direct_invite(&ghost(ANNA))),
        event("$2", OTHER_ROOM, ALICE, direct_invite(&ghost(ANNA))),
    ]);
    assert_eq!((model.conversations.len(), effects.requests.len()), (1, 1));
    assert_eq!(changes(&effects).iter().filter(|it| **it == "requested").count(), 1);
    assert_eq!(model.of_room(ROOM), model.of_room(OTHER_ROOM));
}

#[test]
fn who_is_in_the_conversation_is_not_asked_when_it_moves() {
    let (mut model, id) = with_direct();
    let alice = model.person(ALICE);
    model.doors.asks.insert((ANNA, alice));
    let (effects, _) = model.run(&[event("$2", OTHER_ROOM, ALICE, direct_invite(&ghost(ANNA)))]);
    assert_eq!(
        (model.of_room(OTHER_ROOM), place(&model, id)),
        (id, Some(Membership::Joined))
    );
    assert_eq!(jobs(&effects), ["leave", "join", "sync_room"]);
    assert!(effects.requests.is_empty());
}

#[test]
fn a_request_ends_when_its_invite_does() {
    let mut model = asking();
    model.run(&[event("$1", ROOM, ALICE, direct_invite(&ghost(ANNA)))]);
    let id = model.of_room(ROOM);
    let kick = membership(&ghost(ANNA), RoomMembership::Leave);
    let (effects, _) = model.run(&[event("$2", ROOM, ALICE, kick.clone())]);
    assert_eq!(place(&model, id), None);
    assert_eq!(answers(&effects), [(Some(ANNA), Answer::Withdrawn)]);

    model.run(&[event("$3", ROOM, ALICE, direct_invite(&ghost(ANNA)))]);
    let (effects, _) = model.run(&[event("$4", ROOM, &ghost(ANNA), kick)]);
    assert_eq!(answers(&effects), [(Some(ANNA), Answer::Rejected)]);
}

#[test]
fn who_comes_with_a_client_of_their_own_has_accepted() {
    let mut model = asking();
    model.run(&[event("$1", ROOM, ALICE, direct_invite(&ghost(ANNA)))]);
    let id = model.of_room(ROOM);
    let join = membership(&ghost(ANNA), RoomMembership::Join);
    let (effects, _) = model.run(&[event("$2", ROOM, &ghost(ANNA), join)]);
    assert_eq!(place(&model, id), Some(Membership::Joined));
    assert_eq!(answers(&effects), [(Some(ANNA), Answer::Accepted)]);
    assert_eq!(changes(&effects), ["joined", "created", "answered"]);
    assert_eq!(jobs(&effects), ["read_back", "sync_room"]);
}

#[test]
fn a_blocked_persons_invite_is_declined_at_once_and_shown_to_nobody() {
    for invite in [
        direct_invite(&ghost(ANNA)),
        membership(&ghost(ANNA), RoomMembership::Invite),
    ] {
        let mut model = asking();
        let alice = model.person(ALICE);
        model.doors.blocks.insert((ANNA, alice));
        let (effects, outcomes) = model.run(&[event("$1", ROOM, ALICE, invite)]);
        assert_eq!(outcomes, [Outcome::Applied]);
        assert!(model.conversations.is_empty() && effects.feed.is_empty());
        let leave = Job::Leave {
            room: Some(ROOM.to_owned()),
            notice: None,
        };
        assert_eq!((effects.jobs[0].actor, &effects.jobs[0].job), (ANNA, &leave));
    }
}

#[test]
fn a_blocked_person_takes_nothing_to_another_room() {
    let (mut model, id) = blocking();
    let (effects, _) = model.run(&[event("$2", OTHER_ROOM, ALICE, direct_invite(&ghost(ANNA)))]);
    assert_eq!(jobs(&effects), ["leave"]);
    assert_eq!(model.conversations[&id].room, Some(room(ROOM)));
}

#[test]
fn a_blocked_person_is_not_heard_in_a_direct_conversation() {
    let (mut model, id) = blocking();
    let said = [
        event("$2", ROOM, ALICE, text("psst")),
        event("$3", ROOM, ALICE, reaction("$2", "👍")),
    ];
    let (effects, _) = model.run(&said);
    assert!(effects.messages.is_empty() && effects.feed.is_empty());
    assert_eq!(model.conversations[&id].last_sequence, 0);
    // The other way round nothing changes, and what was not heard stays so.
    model.doors.blocks.clear();
    let (_, outcomes) = model.run(&said);
    assert_eq!(outcomes, [Outcome::Duplicate; 2]);
    model.doors.blocks.insert((model.person(ALICE), ANNA));
    let (effects, _) = model.run(&[event("$4", ROOM, ALICE, text("hello"))]);
    assert_eq!(effects.messages.len(), 1);
}

#[test]
fn a_blocked_person_is_heard_in_groups() {
    let (mut model, _) = with_group();
    let alice = model.person(ALICE);
    model.doors.blocks.insert((ANNA, alice));
    let (effects, _) = model.run(&[event("$2", ROOM, ALICE, text("hello"))]);
    assert_eq!(effects.messages.len(), 1);
}

#[test]
fn ghosts_that_nova_users_bring_are_where_nova_put_them() {
    let (mut model, id) = with_group();
    model.doors.blocks.insert((BERT, ANNA));
    // Nova made a request of it, and sent the invite.
    let member = model.member(id, ANNA).unwrap();
    let invited = Membership::Invited;
    let members = &mut model.conversations.get_mut(&id).unwrap().members;
    members.insert(
        BERT,
        crate::domain::conversation::Member {
            membership: invited,
            ..member
        },
    );
    let invite = membership(&ghost(BERT), RoomMembership::Invite);
    let (effects, _) = model.run(&[event("$2", ROOM, &ghost(ANNA), invite)]);
    assert!(effects.jobs.is_empty() && effects.feed.is_empty());
    assert_eq!(model.member(id, BERT).unwrap().membership, Membership::Invited);
}

#[test]
fn a_third_person_makes_a_group_of_a_request() {
    let mut model = asking();
    model.run(&[event("$1", ROOM, ALICE, direct_invite(&ghost(ANNA)))]);
    model.run(&[event("$2", ROOM, ALICE, membership(BOB, RoomMembership::Invite))]);
    let id = model.of_room(ROOM);
    assert_eq!(model.conversations[&id].kind, Kind::Group);
    assert_eq!(place(&model, id), Some(Membership::Invited));
}
