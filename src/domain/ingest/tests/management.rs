//! Rooms in which somebody talks to the bot.

use super::*;

fn invite_of_bot() -> Meaning {
    membership(BOT, RoomMembership::Invite)
}

fn managed() -> Model {
    let mut model = Model::new();
    model.run(&[event("$1", ROOM, ALICE, invite_of_bot())]);
    model
}

#[test]
fn the_bot_comes_where_it_is_invited_and_answers_there() {
    let mut model = Model::new();
    let (effects, outcomes) = model.run(&[event("$1", ROOM, ALICE, invite_of_bot())]);
    assert_eq!((outcomes, jobs(&effects)), (vec![Outcome::Applied], vec!["bot_join"]));
    let (effects, outcomes) = model.run(&[
        event("$2", ROOM, BOT, membership(BOT, RoomMembership::Join)),
        event("$3", ROOM, BOT, text("Hello.")),
        event("$4", ROOM, ALICE, text("help")),
        event("$4", ROOM, ALICE, text("help")),
    ]);
    let duplicate = Outcome::Duplicate;
    assert_eq!(
        outcomes,
        [Outcome::Ignored, Outcome::Ignored, Outcome::Applied, duplicate]
    );
    assert_eq!(jobs(&effects), ["command"]);
    assert!(model.conversations.is_empty(), "it is nobody's conversation");
    assert!(model.feed.is_empty());
}

#[test]
fn one_room_is_answered_in_order_and_waits_for_no_other() {
    let mut model = managed();
    let (effects, _) = model.run(&[
        event("$2", OTHER_ROOM, BOB, invite_of_bot()),
        event("$3", ROOM, ALICE, text("ping")),
        event("$4", ROOM, ALICE, text("help")),
    ]);
    let lanes: Vec<_> = effects.jobs.iter().map(|job| job.lane).collect();
    assert!(lanes[0] != lanes[1] && lanes[1] == lanes[2]);
}

#[test]
fn it_does_not_come_to_conversations() {
    let (mut model, _) = with_direct();
    let (effects, _) = model.run(&[event("$2", ROOM, ALICE, invite_of_bot())]);
    assert_eq!(jobs(&effects), ["bot_leave"]);
    assert!(model.management.is_empty());
    let (effects, _) = model.run(&[event("$3", ROOM, ALICE, text("help"))]);
    assert_eq!(jobs(&effects), Vec::<&str>::new(), "said to Anna");
    assert_eq!(changes(&effects), ["message"]);
}

#[test]
fn it_goes_when_it_is_left_alone_or_put_out() {
    let mut model = managed();
    let (effects, _) = model.run(&[event("$2", ROOM, ALICE, membership(ALICE, RoomMembership::Leave))]);
    assert_eq!(jobs(&effects), ["bot_leave"]);
    assert!(model.management.is_empty());

    let mut model = managed();
    let (effects, _) = model.run(&[event("$2", ROOM, ALICE, membership(BOT, RoomMembership::Ban))]);
    assert_eq!(jobs(&effects), Vec::<&str>::new());
    assert!(model.management.is_empty());
}

#[test]
fn where_a_ghost_is_invited_it_makes_way() {
    let mut model = managed();
    let (effects, _) = model.run(&[event("$2", ROOM, ALICE, direct_invite(&ghost(ANNA)))]);
    assert_eq!(jobs(&effects), ["bot_leave", "join", "sync_room"]);
    assert!(model.management.is_empty());
    assert!(model.conversations.contains_key(&model.of_room(ROOM)));
}

#[test]
fn what_was_said_to_the_bot_is_said_to_nobody_later() {
    let mut model = managed();
    let image = Meaning::NotYet {
        kind: "m.image".to_owned(),
        marker: None,
    };
    let said = [event("$2", ROOM, ALICE, image), event("$3", ROOM, ALICE, text("help"))];
    model.run(&said);
    model.run(&[event("$4", ROOM, ALICE, direct_invite(&ghost(ANNA)))]);
    let (effects, outcomes) = model.run(&said);
    assert_eq!(outcomes, [Outcome::Duplicate; 2]);
    assert!(effects.dead_letters.is_empty() && effects.messages.is_empty());
}
