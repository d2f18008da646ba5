//! People who knock on the room of a group.

use super::*;
use crate::domain::conversation::Membership;
use crate::domain::request::Answer;

/// A group that Anna owns and that Bert is in.
fn owned() -> (Model, ConversationId) {
    let (mut model, id) = with_group();
    model.run(&[
        event("$bert", ROOM, ALICE, membership(&ghost(BERT), RoomMembership::Invite)),
        event("$power", ROOM, ALICE, powers(&[(&ghost(ANNA), 100), (ALICE, 100)], 0)),
    ]);
    (model, id)
}

fn knock(id: &str, who: &str, reason: Option<&str>) -> InboundEvent {
    let member = MemberEvent {
        reason: reason.map(str::to_owned),
        display_name: Some("Bob".to_owned()),
        ..MemberEvent::new(mxid(who), RoomMembership::Knock)
    };
    event(id, ROOM, who, Meaning::Member(member))
}

/// Who is told of whose knocking, and what.
fn told(effects: &Effects) -> Vec<(Option<UserId>, UserId, Option<Answer>)> {
    let told = |entry: &NewEntry| match entry.change {
        Some(Change::Knocked { user, .. }) => Some((entry.audience, user, None)),
        Some(Change::KnockAnswered { user, answer, .. }) => Some((entry.audience, user, Some(answer))),
        _ => None,
    };
    effects.feed.iter().filter_map(told).collect()
}

#[test]
fn whoever_may_let_people_in_is_told_and_nobody_else() {
    let (mut model, id) = owned();
    let bob = model.person(BOB);
    let (effects, outcomes) = model.run(&[knock("$1", BOB, Some("it is me"))]);
    assert_eq!(outcomes, [Outcome::Applied]);
    assert_eq!(told(&effects), [(Some(ANNA), bob, None)]);
    let Some(Change::Knocked {
        username,
        display_name,
        reason,
        ..
    }) = &effects.feed[0].change
    else {
        unreachable!("{effects:?}")
    };
    assert_eq!(
        (username.as_str(), display_name.as_str(), reason.as_deref()),
        (BOB, "Bob", Some("it is me"))
    );
    assert_eq!(model.knocks[&(id, bob)].as_deref(), Some("it is me"));
    assert_eq!(model.member(id, bob), None, "they are not in");

    let (effects, outcomes) = model.run(&[knock("$1", BOB, Some("it is me"))]);
    assert_eq!((outcomes, told(&effects).len()), (vec![Outcome::Duplicate], 0));
    let (effects, _) = model.run(&[knock("$2", BOB, Some("it is me"))]);
    assert_eq!(told(&effects), [], "nothing new");
    let (effects, _) = model.run(&[knock("$3", BOB, None)]);
    assert_eq!(told(&effects), [(Some(ANNA), bob, None)], "another reason");
}

#[test]
fn knocking_ends_by_an_invite_a_coming_a_leaving_and_a_refusal() {
    let ends = [
        (
            ALICE,
            RoomMembership::Invite,
            Answer::Accepted,
            Some(Membership::Invited),
        ),
        (BOB, RoomMembership::Join, Answer::Accepted, Some(Membership::Joined)),
        (BOB, RoomMembership::Leave, Answer::Withdrawn, None),
        (ALICE, RoomMembership::Leave, Answer::Rejected, None),
        (ALICE, RoomMembership::Ban, Answer::Rejected, None),
    ];
    for (sender, how, answer, place) in ends {
        for together in [true, false] {
            let (mut model, id) = owned();
            let bob = model.person(BOB);
            let events = [knock("$1", BOB, None), event("$2", ROOM, sender, membership(BOB, how))];
            let effects = if together {
                let (effects, _) = model.run(&events);
                assert_eq!(effects.knocks, [], "nothing is written that is over");
                effects
            } else {
                model.run(&events[..1]);
                model.run(&events[1..]).0
            };
            assert_eq!(told(&effects).last(), Some(&(Some(ANNA), bob, Some(answer))));
            assert!(model.knocks.is_empty());
            assert_eq!(model.member(id, bob).map(|it| it.membership), place);
        }
    }
}

#[test]
fn what_replaced_a_knock_and_came_before_it_has_the_last_word() {
    let (mut model, _) = owned();
    let leave = MemberEvent {
        replaces: Some("$1".to_owned()),
        ..MemberEvent::new(mxid(BOB), RoomMembership::Leave)
    };
    model.run(&[event("$2", ROOM, BOB, Meaning::Member(leave))]);
    let (effects, outcomes) = model.run(&[knock("$1", BOB, None)]);
    assert_eq!((outcomes, told(&effects).len()), (vec![Outcome::Duplicate], 0));
    assert!(model.knocks.is_empty());
    let (effects, _) = model.run(&[knock("$3", BOB, None)]);
    assert_eq!(told(&effects).len(), 1, "a later one counts");
}

#[test]
fn a_nova_user_knocks_with_a_client_of_their_own() {
    let (mut model, id) = owned();
    model.run(&[event(
        "$left",
        ROOM,
        &ghost(BERT),
        membership(&ghost(BERT), RoomMembership::Leave),
    )]);
    let (effects, _) = model.run(&[knock("$1", &ghost(BERT), None)]);
    assert_eq!(told(&effects), [(Some(ANNA), BERT, None)]);
    let (effects, _) = model.run(&[event(
        "$2",
        ROOM,
        ALICE,
        membership(&ghost(BERT), RoomMembership::Invite),
    )]);
    assert_eq!(told(&effects), [(Some(ANNA), BERT, Some(Answer::Accepted))]);
    assert_eq!(model.member(id, BERT).unwrap().membership, Membership::Joined);
}

#[test]
fn who_is_in_must_have_left_to_knock() {
    let (mut model, id) = owned();
    let (alice, bob) = (model.person(ALICE), model.person(BOB));
    model.run(&[event("$1", ROOM, BOB, membership(BOB, RoomMembership::Join))]);
    let (effects, _) = model.run(&[knock("$2", BOB, None)]);
    assert_eq!(changes(&effects), ["left", "knocked"]);
    assert_eq!(model.member(id, bob), None);
    // Nova has invited them, which counts more.
    model.run(&[event("$3", ROOM, ALICE, membership(BOB, RoomMembership::Invite))]);
    let (effects, outcomes) = model.run(&[knock("$4", BOB, None)]);
    assert_eq!((told(&effects).len(), outcomes), (0, vec![Outcome::Ignored]));
    assert!(model.member(id, alice).is_some());
}

#[test]
fn nobody_knocks_on_direct_rooms_old_rooms_or_for_others() {
    let (mut model, _) = with_direct();
    model.run(&[knock("$1", BOB, None)]);
    assert!(model.knocks.is_empty(), "direct");
    let (mut model, _) = owned();
    let by_other = event("$1", ROOM, ALICE, membership(BOB, RoomMembership::Knock));
    assert_eq!(model.run(&[by_other]).1, [Outcome::Ignored]);
    let replacement = room(OTHER_ROOM);
    model.run(&[event("$2", ROOM, ALICE, Meaning::Tombstone { replacement })]);
    assert_eq!(model.run(&[knock("$3", BOB, None)]).1, [Outcome::Ignored]);
    assert!(model.knocks.is_empty());
}

#[test]
fn whom_nova_has_turned_away_knocks_no_more_until_the_room_says_so() {
    let (model, id) = owned();
    let bob = model.person(BOB);
    let events = [
        knock("$1", BOB, None),
        event("$2", ROOM, &ghost(ANNA), membership(BOB, RoomMembership::Leave)),
        knock("$3", BOB, None),
    ];
    let mut context = model.context(&events);
    context.departing.insert((id, bob));
    let raws = events.into_iter().map(|event| RawEvent {
        raw: serde_json::value::RawValue::NULL.to_owned(),
        decoded: Ok(event),
    });
    let mut ids = 0;
    let mut new_id = || {
        ids += 1;
        Uuid::from_u128(ids)
    };
    let (effects, outcomes) = plan(context, raws.collect(), &mut new_id);
    assert_eq!(outcomes, [Outcome::Ignored, Outcome::Applied, Outcome::Applied]);
    assert_eq!(effects.departed, [(id, bob)]);
    assert_eq!(told(&effects), [(Some(ANNA), bob, None)]);
}
