//! The short way: which transactions it takes, and what it plans.

use serde_json::value::to_raw_value;

use super::*;
use crate::domain::ghost::Ghosts;
use Outcome::{Applied, Duplicate, Ignored};

fn raw(event: InboundEvent) -> RawEvent {
    RawEvent {
        raw: to_raw_value("x").unwrap(),
        decoded: Ok(event),
    }
}

fn planned(events: Vec<InboundEvent>) -> Option<Plain> {
    let ghosts = Ghosts::new(ruma::server_name!("example.org"));
    let events = events.into_iter().map(raw).collect();
    plan_plain(ghosts, vec![BOT.to_owned()], now(), events, &mut Uuid::now_v7)
}

#[test]
fn only_new_messages_are_plain() {
    let marked = marked_text("x", Some(MessageId(Uuid::nil())));
    for (meaning, plain) in [
        (text("x"), true),
        (marked, false),
        (notice("x"), false),
        (Meaning::Encrypted, false),
        (Meaning::Nothing, false),
    ] {
        let events = [text("first"), meaning.clone()].map(|it| raw(event("$1", ROOM, ALICE, it)));
        assert_eq!(is_plain(&events), plain, "{meaning:?}");
    }
}

#[test]
fn messages_count_in_each_room_and_a_repeated_one_counts_once() {
    let plain = planned(vec![
        event("$1", OTHER_ROOM, ALICE, text("1")),
        event("$2", ROOM, ALICE, text("2")),
        event("$1", OTHER_ROOM, ALICE, text("1")),
        event("$3", OTHER_ROOM, BOB, text("3")),
        event("$4", ROOM, BOT, text("4")),
    ])
    .unwrap();
    assert_eq!(plain.parts.len(), 1, "they are few");
    let part = &plain.parts[0];
    let numbers: Vec<(usize, i64)> = part.messages.iter().map(|(at, it)| (*at, it.sequence)).collect();
    assert_eq!(numbers, [(0, 1), (1, 1), (0, 2)]);
    let rooms: Vec<(&str, usize)> = part.rooms.iter().map(|it| (it.room.as_str(), it.newest)).collect();
    assert_eq!(rooms, [(OTHER_ROOM, 2), (ROOM, 1)]);
    assert_eq!(part.senders.len(), 2, "the bot says nothing");
    assert_eq!(plain.outcomes, [Applied, Applied, Duplicate, Applied, Ignored]);
}

#[test]
fn many_messages_are_parts_that_share_no_room() {
    let rooms = |n: usize| format!("!{}:example.org", [0, 1, 1, 1, 2, 2, 3][n % 7]);
    let said = (0..100).map(|n| event(&format!("${n}"), &rooms(n), ALICE, text(&n.to_string())));
    let plain = planned(said.collect()).unwrap();
    assert_eq!(plain.outcomes, [Applied; 100]);
    assert_eq!(plain.parts.len(), 2);
    let mut seen: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for part in &plain.parts {
        assert!(part.messages.len() >= 25, "{} of a hundred", part.messages.len());
        let named: Vec<&str> = part.rooms.iter().map(|it| it.room.as_str()).collect();
        assert!(named.iter().all(|room| !seen.contains_key(room)), "{named:?}");
        for (place, message) in &part.messages {
            let said = seen.entry(named[*place]).or_default();
            said.push(&message.text.plain);
            assert_eq!(message.sequence, i64::try_from(said.len()).unwrap());
        }
        for room in &part.rooms {
            let last = &part.messages[room.newest].1.text.plain;
            assert_eq!(seen[room.room.as_str()].last(), Some(&last.as_str()));
        }
    }
    for (room, said) in seen {
        let expected: Vec<String> = (0..100).filter(|n| rooms(*n) == room).map(|n| n.to_string()).collect();
        assert_eq!(said, expected, "{room}");
    }
}

#[test]
fn a_nova_user_in_their_own_matrix_client_reads_as_well_which_is_more_than_a_message() {
    assert!(planned(vec![event("$1", ROOM, &ghost(ANNA), text("1"))]).is_none());
}

#[test]
fn a_transaction_that_says_nothing_is_not_for_it() {
    assert!(planned(vec![event("$1", ROOM, BOT, text("x"))]).is_none());
}
