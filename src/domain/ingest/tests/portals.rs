//! Rooms of ours that are made, renamed, upgraded and encrypted.

use super::*;

fn create(marker: Option<OutboxId>) -> Meaning {
    Meaning::Create {
        marker,
        creators: Vec::new(),
        sender_is_creator: false,
        is_space: false,
    }
}

#[test]
fn the_creation_of_our_own_room_completes_the_job_whose_answer_was_lost() {
    let mut model = Model::new();
    let (id, job) = model.being_made(ANNA, ALICE);
    let anna = ghost(ANNA);
    let (effects, _) = model.run(&[
        event("$1", ROOM, &anna, create(Some(job))),
        event("$2", ROOM, &anna, membership(&anna, RoomMembership::Join)),
        event("$3", ROOM, &anna, direct_invite(ALICE)),
    ]);
    assert_eq!((model.of_room(ROOM), model.conversations.len()), (id, 1));
    assert_eq!(effects.done_jobs, [job]);
    assert!(
        effects.jobs.is_empty() && effects.feed.is_empty(),
        "nothing about it is news"
    );
}

#[test]
fn a_creation_with_a_forged_marker_completes_nothing() {
    for sender in [ALICE.to_owned(), ghost(BERT)] {
        let mut model = Model::new();
        let (_, job) = model.being_made(ANNA, ALICE);
        let (effects, outcomes) = model.run(&[event("$1", ROOM, &sender, create(Some(job)))]);
        assert_eq!(outcomes, [Outcome::Ignored]);
        assert!(effects.portals.is_empty() && model.creating.contains_key(&job));
    }
}

#[test]
fn our_room_that_lost_the_race_stays_part_of_the_conversation_until_it_is_left() {
    let mut model = Model::new();
    let (id, job) = model.being_made(ANNA, ALICE);
    model.run(&[event("$1", ROOM, ALICE, direct_invite(&ghost(ANNA)))]);
    let anna = ghost(ANNA);
    let (effects, _) = model.run(&[
        event("$2", OTHER_ROOM, &anna, create(Some(job))),
        event("$3", OTHER_ROOM, &anna, membership(&anna, RoomMembership::Join)),
        event("$4", OTHER_ROOM, ALICE, text("I answer in yours")),
        event("$5", OTHER_ROOM, &anna, membership(&anna, RoomMembership::Leave)),
    ]);
    assert_eq!(model.conversations.len(), 1, "it makes no second conversation");
    assert_eq!(effects.former, [(id, room(OTHER_ROOM))]);
    assert_eq!(model.messages[0].conversation, id);
    assert!(model.rooms[&room(ROOM)].current && model.member(id, ANNA).is_some());
}

#[test]
fn a_creation_that_the_sender_wrote_down_meanwhile_is_recognised() {
    let mut model = Model::new();
    let (id, job) = model.being_made(ANNA, ALICE);
    model.conversations.get_mut(&id).unwrap().room = Some(room(ROOM));
    let creators = Meaning::Create {
        marker: Some(job),
        creators: Vec::new(),
        sender_is_creator: true,
        is_space: false,
    };
    let events = [
        event("$1", ROOM, &ghost(ANNA), creators),
        event("$2", ROOM, ALICE, text("there already")),
    ];
    let context = model.context(&events);
    assert!(
        context.rooms.is_empty(),
        "the portal was committed after the rooms were looked up"
    );
    let raws = events.map(|event| RawEvent {
        raw: serde_json::value::to_raw_value("x").unwrap(),
        decoded: Ok(event),
    });
    let (effects, outcomes) = plan(context, raws.into(), &mut || Uuid::from_u128(1));
    assert_eq!(outcomes, [Outcome::Applied; 2]);
    assert_eq!(effects.creators, [(room(ROOM), vec![ghost(ANNA)])]);
    assert_eq!((effects.portals.len(), effects.messages.len()), (0, 1));
}

#[test]
fn a_tombstone_moves_the_conversation_and_its_ghosts_follow() {
    let (mut model, id) = with_group();
    let tombstone = Meaning::Tombstone {
        replacement: room(OTHER_ROOM),
    };
    let (effects, _) = model.run(&[event("$1", ROOM, ALICE, tombstone.clone())]);
    assert_eq!(
        (model.of_room(OTHER_ROOM), model.rooms[&room(ROOM)].current),
        (id, false)
    );
    assert_eq!(jobs(&effects), ["join", "sync_room"]);
    let (effects, outcomes) = model.run(&[event("$2", ROOM, ALICE, tombstone)]);
    assert_eq!((outcomes, jobs(&effects).len()), (vec![Outcome::Ignored], 0));
    model.run(&[event("$3", OTHER_ROOM, BOB, membership(BOB, RoomMembership::Join))]);
    assert!(model.member(id, model.person(BOB)).is_some());
}

#[test]
fn a_tombstone_that_points_to_somebody_elses_room_is_put_aside() {
    let (mut model, id) = with_group();
    let invite = membership(&ghost(ANNA), RoomMembership::Invite);
    model.run(&[event("$1", OTHER_ROOM, ALICE, invite)]);
    let tombstone = Meaning::Tombstone {
        replacement: room(OTHER_ROOM),
    };
    let (effects, _) = model.run(&[event("$2", ROOM, ALICE, tombstone)]);
    assert_eq!(reasons(&effects), [reason::UNKNOWN_ROOM]);
    assert!(model.of_room(ROOM) == id && model.of_room(OTHER_ROOM) != id);
}

#[test]
fn name_topic_and_picture_are_told_when_they_change() {
    let (mut model, _) = with_group();
    let name = Meaning::Name(Some("Club".to_owned()));
    let (effects, _) = model.run(&[
        event("$1", ROOM, ALICE, name.clone()),
        event("$2", ROOM, ALICE, Meaning::Topic(Some("Talk".to_owned()))),
        event("$3", ROOM, ALICE, Meaning::Avatar(Some("mxc://a/b".to_owned()))),
        event("$4", ROOM, ALICE, name),
        event("$5", ROOM, ALICE, Meaning::Topic(None)),
    ]);
    assert_eq!(changes(&effects), ["updated"; 4]);
    let last = effects.edits.last().unwrap();
    assert_eq!(last.name.as_deref(), Some("Club"));
    assert_eq!(
        (last.description.as_ref(), last.avatar_url.as_deref()),
        (None, Some("mxc://a/b"))
    );
}

#[test]
fn a_picture_that_nova_gave_keeps_its_own_address() {
    let (mut model, id) = with_group();
    let own = Some("https://cdn.example.org/p.png".to_owned());
    model.conversations.get_mut(&id).unwrap().avatar_url.clone_from(&own);
    let copy = Meaning::Avatar(Some("mxc://example.org/p".to_owned()));
    let (effects, _) = model.run(&[event("$1", ROOM, &ghost(ANNA), copy.clone())]);
    assert!(effects.edits.is_empty());
    let (effects, _) = model.run(&[event("$2", ROOM, ALICE, copy)]);
    assert_eq!(effects.edits.len(), 1, "somebody else's picture is another picture");
}
