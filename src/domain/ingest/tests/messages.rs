//! What is said: new messages, echoes, and what only looks like one.

use super::*;

#[test]
fn messages_get_the_numbers_after_the_last_one() {
    let (mut model, id) = with_direct();
    model.conversations.get_mut(&id).unwrap().last_sequence = 41;
    let (effects, outcomes) = model.run(&[
        event("$1", ROOM, ALICE, text("one")),
        event("$2", ROOM, ALICE, text("two")),
    ]);
    assert_eq!(outcomes, [Outcome::Applied; 2]);
    let numbers: Vec<i64> = effects.messages.iter().map(|message| message.sequence).collect();
    assert_eq!(numbers, [42, 43]);
    assert!(effects.messages.iter().all(|message| message.delivery.is_none()));
    assert!(effects.processed.is_empty(), "a message's row remembers its event");
}

#[test]
fn an_echo_completes_its_message_and_tells_only_its_author() {
    let (mut model, id) = with_direct();
    let message = model.says(id, ANNA);
    let echo = marked_text("hello", Some(message));
    let (effects, outcomes) = model.run(&[event("$1", ROOM, &ghost(ANNA), echo.clone())]);
    assert_eq!(outcomes, [Outcome::Echo]);
    assert_eq!(effects.echoes, [(message, "$1".to_owned())]);
    assert!(effects.messages.is_empty());
    assert_eq!(
        (changes(&effects), effects.feed[0].audience),
        (vec!["delivery"], Some(ANNA))
    );
    let (effects, outcomes) = model.run(&[event("$2", ROOM, &ghost(ANNA), echo)]);
    assert_eq!(outcomes, [Outcome::Echo], "sent twice by accident, and told once");
    assert!(effects.echoes.is_empty() && effects.messages.is_empty() && effects.feed.is_empty());
}

#[test]
fn it_is_noted_after_which_message_an_event_stands() {
    let (mut model, id) = with_direct();
    let message = model.says(id, ANNA);
    let (effects, _) = model.run(&[
        event("$1", ROOM, ALICE, text("one")),
        event("$name", ROOM, ALICE, Meaning::Name(Some("Tea".to_owned()))),
        event("$odd", ROOM, ALICE, Meaning::Nothing),
        event("$2", ROOM, ALICE, text("two")),
        event("$echo", ROOM, &ghost(ANNA), marked_text("hello", Some(message))),
        event("$elsewhere", "!elsewhere:x", ALICE, Meaning::Nothing),
    ]);
    let noted: Vec<(&str, i64, bool)> = effects
        .places
        .iter()
        .map(|place| (place.event.as_str(), place.sequence, place.is_message))
        .collect();
    assert_eq!(noted, [("$name", 2, false), ("$odd", 2, false), ("$echo", 1, true)]);
}

#[test]
fn a_nova_user_who_writes_has_read() {
    let (mut model, id) = with_direct();
    let (effects, _) = model.run(&[
        event("$1", ROOM, ALICE, text("one")),
        event("$2", ROOM, &ghost(ANNA), text("two")),
    ]);
    let read = Read {
        conversation: id,
        user: ANNA,
        sequence: 2,
    };
    assert_eq!(effects.reads, [read], "of a Matrix user it is not asked");
}

#[test]
fn an_echo_in_a_batch_leaves_the_other_messages_what_they_are() {
    let (mut model, id) = with_direct();
    let message = model.says(id, ANNA);
    let (_, outcomes) = model.run(&[
        event("$1", ROOM, ALICE, text("one")),
        event("$2", ROOM, &ghost(ANNA), marked_text("hello", Some(message))),
        event("$3", ROOM, ALICE, text("two")),
    ]);
    assert_eq!(outcomes, [Outcome::Applied, Outcome::Echo, Outcome::Applied]);
}

#[test]
fn a_notice_of_the_bridge_is_nobodys_message_and_anybody_elses_is() {
    let (mut model, id) = with_direct();
    let (effects, outcomes) = model.run(&[
        event("$1", ROOM, &ghost(ANNA), notice("from the bridge")),
        event("$2", ROOM, BOT, notice("from the bridge too")),
        event("$3", ROOM, ALICE, notice("from Alice")),
    ]);
    assert_eq!(outcomes, [Outcome::Echo, Outcome::Ignored, Outcome::Applied]);
    let said: Vec<_> = effects.messages.iter().map(|it| (it.sender, &*it.text.plain)).collect();
    assert_eq!(said, [(model.person(ALICE), "from Alice")]);
    assert_eq!(model.conversations[&id].last_sequence, 1);
}

#[test]
fn a_marker_from_anybody_but_its_author_in_its_conversation_is_no_echo() {
    let (mut model, id) = with_direct();
    let elsewhere = event(
        "$other",
        OTHER_ROOM,
        ALICE,
        membership(&ghost(ANNA), RoomMembership::Invite),
    );
    model.run(&[elsewhere]);
    let message = model.says(id, ANNA);
    let unknown = MessageId(Uuid::from_u128(7));
    let forged = [
        event("$1", ROOM, ALICE, marked_text("forged", Some(message))),
        event("$2", ROOM, &ghost(BERT), marked_text("another ghost", Some(message))),
        event(
            "$3",
            OTHER_ROOM,
            &ghost(ANNA),
            marked_text("another room", Some(message)),
        ),
        event("$4", ROOM, &ghost(ANNA), marked_text("no such message", Some(unknown))),
    ];
    let (effects, outcomes) = model.run(&forged);
    assert_eq!(outcomes, [Outcome::Applied; 4]);
    assert!(effects.echoes.is_empty() && !model.marked[&message].delivered);
    assert_eq!(effects.messages.len(), 4, "all are messages like any other");
}

#[test]
fn a_ghost_without_marker_speaks_for_its_nova_user() {
    let (mut model, _) = with_direct();
    let (effects, _) = model.run(&[event("$1", ROOM, &ghost(ANNA), text("from my own client"))]);
    assert_eq!(
        (effects.messages[0].sender, effects.messages[0].delivery),
        (ANNA, Some(Delivery::Sent))
    );
    assert!(effects.people.is_empty());
}

#[test]
fn whoever_registers_another_spelling_of_a_ghost_speaks_for_themselves() {
    let (mut model, id) = with_direct();
    let squatter = format!("@nova-{}:example.org", ANNA.0.simple());
    let (effects, _) = model.run(&[
        event("$1", ROOM, &squatter, text("I am Anna")),
        event("$2", ROOM, &squatter, membership(&squatter, RoomMembership::Leave)),
    ]);
    assert_eq!(effects.messages[0].sender, model.person(&squatter));
    assert_ne!(effects.messages[0].sender, ANNA);
    assert!(model.member(id, ANNA).is_some(), "and leaves for nobody else");
}

#[test]
fn a_ghost_without_account_is_not_believed() {
    let (mut model, _) = with_direct();
    let (effects, _) = model.run(&[event("$1", ROOM, &ghost(NOBODY), text("boo"))]);
    assert_eq!(reasons(&effects), [reason::UNKNOWN_ACCOUNT]);
}

#[test]
fn what_is_said_in_an_unknown_room_is_put_aside_and_its_sender_stays_unknown() {
    let mut model = Model::new();
    let (effects, outcomes) = model.run(&[
        event("$1", ROOM, ALICE, text("hello?")),
        event("$2", ROOM, ALICE, Meaning::Encrypted),
        event(
            "$3",
            ROOM,
            ALICE,
            Meaning::NotYet {
                kind: "m.image".to_owned(),
                marker: None,
            },
        ),
    ]);
    assert_eq!(outcomes, [Outcome::DeadLetter; 3]);
    assert_eq!(reasons(&effects), [reason::UNKNOWN_ROOM; 3]);
    assert!(effects.people.is_empty());
}

#[test]
fn duplicates_inside_a_batch_and_across_batches_are_told_apart_from_news() {
    let (mut model, _) = with_direct();
    let message = event("$1", ROOM, ALICE, text("once"));
    let (effects, outcomes) = model.run(&[message.clone(), message.clone()]);
    assert_eq!(outcomes, [Outcome::Applied, Outcome::Duplicate]);
    assert_eq!(effects.messages.len(), 1);
    let (_, outcomes) = model.run(&[message]);
    assert_eq!(outcomes, [Outcome::Duplicate]);
}

#[test]
fn what_cannot_be_carried_yet_is_kept_and_its_own_echo_is_not() {
    let (mut model, id) = with_direct();
    let message = model.says(id, ANNA);
    let image = |marker| Meaning::NotYet {
        kind: "m.image".to_owned(),
        marker,
    };
    let (effects, outcomes) = model.run(&[
        event("$1", ROOM, ALICE, image(None)),
        event("$2", ROOM, &ghost(ANNA), image(Some(message))),
    ]);
    assert_eq!(outcomes, [Outcome::DeadLetter, Outcome::Echo]);
    assert_eq!(reasons(&effects), [reason::NOT_CARRIED_YET]);
    assert_eq!(effects.dead_letters[0].conversation, Some(id));
    assert_eq!(effects.echoes.len(), 1);
}

#[test]
fn an_encrypted_room_is_told_once_and_everything_is_kept() {
    let (mut model, _) = with_direct();
    let (effects, _) = model.run(&[
        event("$1", ROOM, ALICE, Meaning::Encrypted),
        event("$2", ROOM, ALICE, Meaning::Encrypted),
    ]);
    assert_eq!(reasons(&effects), [reason::ENCRYPTED; 2]);
    assert_eq!(jobs(&effects), ["send_event"]);
    let (effects, _) = model.run(&[event("$3", ROOM, ALICE, Meaning::Encrypted)]);
    assert!(effects.jobs.is_empty());
}

#[test]
fn a_room_that_was_left_behind_is_not_told_that_it_is_encrypted() {
    let (mut model, _) = with_direct();
    model.run(&[event("$1", OTHER_ROOM, ALICE, direct_invite(&ghost(ANNA)))]);
    for id in ["$2", "$3"] {
        let (effects, _) = model.run(&[event(id, ROOM, ALICE, Meaning::Encrypted)]);
        assert!(effects.jobs.is_empty() && effects.encrypted.is_empty());
        assert_eq!(reasons(&effects), [reason::ENCRYPTED]);
    }
}

#[test]
fn an_event_that_cannot_be_read_is_kept_once() {
    let model = Model::new();
    let broken = |event_id: Option<&str>| RawEvent {
        raw: serde_json::value::to_raw_value("x").unwrap(),
        decoded: Err(crate::domain::event::Malformed {
            what: "no JSON".to_owned(),
            event_id: event_id.map(str::to_owned),
            room: None,
        }),
    };
    let context = model.context(&[]);
    let events = vec![broken(Some("$1")), broken(Some("$1")), broken(None)];
    let (effects, outcomes) = plan(context, events, &mut || Uuid::nil());
    assert_eq!(outcomes, [Outcome::DeadLetter, Outcome::Duplicate, Outcome::DeadLetter]);
    assert_eq!(reasons(&effects), [reason::MALFORMED; 2]);
}
