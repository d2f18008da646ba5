//! Whom an older room is for.

use serde_json::value::to_raw_value;

use super::*;
use crate::domain::event::RawEvent;

fn state(meanings: Vec<Meaning>) -> Vec<RawEvent> {
    let raw = |meaning| RawEvent {
        raw: to_raw_value("x").unwrap(),
        decoded: Ok(event("$state", ROOM, ALICE, meaning)),
    };
    meanings.into_iter().map(raw).collect()
}

fn of(meanings: Vec<Meaning>) -> Company {
    let ghosts = crate::domain::ghost::Ghosts::new(ruma::server_name!("example.org"));
    company(&ghosts, &[BOT.to_owned()], &state(meanings))
}

#[test]
fn two_people_without_a_name_are_alone_together() {
    let join = |who: &str| membership(who, RoomMembership::Join);
    let ana = ghost(ANNA);
    let name = || Meaning::Name(Some("Us".to_owned()));
    let two = || vec![join(ALICE), join(&ana)];
    for (more, direct, people) in [
        (vec![], true, 2),
        (vec![join(BOT)], true, 2),
        (vec![membership(BOB, RoomMembership::Leave)], true, 2),
        (vec![membership(BOB, RoomMembership::Invite)], false, 3),
        (vec![name()], false, 2),
        (vec![Meaning::Name(None)], true, 2),
    ] {
        let found = of(two().into_iter().chain(more.clone()).collect());
        assert_eq!((found.is_direct, found.people.len()), (direct, people), "{more:?}");
        assert_eq!(found.ghosts, BTreeSet::from([ANNA]));
    }
    let meant = of(vec![join(ALICE), direct_invite(&ana), name()]);
    assert!(meant.is_direct, "a direct chat may have a name");
    assert!(meant.ghosts.is_empty(), "who was only invited cannot read the room");
}

#[test]
fn rooms_of_our_own_are_told_by_their_marker_and_spaces_by_their_type() {
    let create = |marker, is_space| Meaning::Create {
        marker,
        creators: Vec::new(),
        sender_is_creator: true,
        is_space,
    };
    let none = |marker, is_space, sender: &str| {
        let ghosts = crate::domain::ghost::Ghosts::new(ruma::server_name!("example.org"));
        let event = RawEvent {
            raw: to_raw_value("x").unwrap(),
            decoded: Ok(event("$create", ROOM, sender, create(marker, is_space))),
        };
        company(&ghosts, &[], &[event]).is_none
    };
    let marker = || Some(OutboxId(Uuid::from_u128(7)));
    assert!(none(marker(), false, &ghost(ANNA)));
    assert!(none(None, true, ALICE), "a space");
    assert!(
        !none(None, false, &ghost(ANNA)),
        "a Nova user with a Matrix client of their own"
    );
    assert!(!none(marker(), false, ALICE), "anybody can write anything");
}
