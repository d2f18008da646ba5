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
    let numbers: Vec<(usize, i64)> = plain.messages.iter().map(|(at, it)| (*at, it.sequence)).collect();
    assert_eq!(numbers, [(0, 1), (1, 1), (0, 2)]);
    let rooms: Vec<(&str, usize)> = plain.rooms.iter().map(|it| (it.room.as_str(), it.newest)).collect();
    assert_eq!(rooms, [(OTHER_ROOM, 2), (ROOM, 1)]);
    assert_eq!(plain.senders.len(), 2, "the bot says nothing");
    assert_eq!(plain.outcomes, [Applied, Applied, Duplicate, Applied, Ignored]);
}

#[test]
fn a_nova_user_in_their_own_matrix_client_reads_as_well_which_is_more_than_a_message() {
    assert!(planned(vec![event("$1", ROOM, &ghost(ANNA), text("1"))]).is_none());
}

#[test]
fn a_transaction_that_says_nothing_is_not_for_it() {
    assert!(planned(vec![event("$1", ROOM, BOT, text("x"))]).is_none());
}
