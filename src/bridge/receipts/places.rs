//! After which message of its conversation an event stands that is none: people read up to reactions and names, too. Kept
//! in memory, for the newest of each conversation: older ones nobody reads any more.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use moka::sync::Cache;

use crate::domain::ids::ConversationId;
use crate::domain::ingest::Place;

/// How many conversations are remembered, and how many events of each.
const CONVERSATIONS: u64 = 2_000;
const EVENTS: usize = 32;

type Newest = Arc<Mutex<VecDeque<(String, i64)>>>;

/// The places of the newest events.
#[derive(Debug)]
pub(in crate::bridge) struct Places(Cache<ConversationId, Newest>);

impl Default for Places {
    fn default() -> Self {
        Self(Cache::new(CONVERSATIONS))
    }
}

impl Places {
    /// Takes in what a transaction showed, in order.
    pub(in crate::bridge) fn note(&self, places: Vec<Place>) {
        for place in places {
            let newest = if place.is_message {
                let Some(newest) = self.0.get(&place.conversation) else {
                    continue;
                };
                newest
            } else {
                self.0.get_with(place.conversation, Newest::default)
            };
            let mut newest = newest.lock().unwrap_or_else(PoisonError::into_inner);
            if place.is_message {
                // Said in Nova before these came, and in the room only after them.
                for (_, before) in newest.iter_mut().filter(|(_, before)| *before >= place.sequence) {
                    *before = place.sequence - 1;
                }
            } else {
                if newest.len() >= EVENTS {
                    newest.pop_front();
                }
                newest.push_back((place.event, place.sequence));
            }
        }
    }

    /// The number of the message before an event, if that is known and there is one.
    pub(super) fn before(&self, conversation: ConversationId, event: &str) -> Option<i64> {
        let newest = self.0.get(&conversation)?;
        let newest = newest.lock().unwrap_or_else(PoisonError::into_inner);
        let found = newest.iter().rev().find(|(other, _)| other == event);
        found.map(|(_, before)| *before).filter(|before| *before > 0)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const HERE: ConversationId = ConversationId(Uuid::from_u128(1));

    fn place(event: &str, sequence: i64, is_message: bool) -> Place {
        Place {
            event: event.to_owned(),
            conversation: HERE,
            sequence,
            is_message,
        }
    }

    #[test]
    fn an_event_stands_after_the_messages_that_the_room_had_before_it() {
        let places = Places::default();
        places.note(vec![place("$echo-of-1", 1, true), place("$name", 3, false)]);
        assert_eq!(places.before(HERE, "$name"), Some(3));
        // The second and third were on their way.
        places.note(vec![place("$echo-of-2", 2, true), place("$topic", 3, false)]);
        assert_eq!(places.before(HERE, "$name"), Some(1));
        places.note(vec![place("$echo-of-3", 3, true)]);
        assert_eq!(places.before(HERE, "$name"), Some(1));
        assert_eq!(places.before(HERE, "$topic"), Some(2));
        assert_eq!(places.before(HERE, "$other"), None);
        assert_eq!(places.before(ConversationId(Uuid::from_u128(2)), "$name"), None);
    }

    #[test]
    fn before_the_first_message_nothing_can_be_read() {
        let places = Places::default();
        places.note(vec![place("$name", 1, false), place("$echo-of-1", 1, true)]);
        assert_eq!(places.before(HERE, "$name"), None);
    }

    #[test]
    fn only_the_newest_are_remembered() {
        let places = Places::default();
        places.note((0..100).map(|n| place(&format!("${n}"), 7, false)).collect());
        assert_eq!(places.before(HERE, "$99"), Some(7));
        assert_eq!(places.before(HERE, "$67"), None);
    }
}
