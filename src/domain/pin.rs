//! Messages that are pinned in a conversation. In Matrix they are one state event with the whole list
//! ([`m.room.pinned_events`](https://spec.matrix.org/v1.16/client-server-api/#mroompinned_events)); in Nova each is a thing of
//! its own.
//!
//! What the room says counts, but for what Nova has decided since: a pin that is set or taken back in Nova names the job
//! that tells the room, and until the room tells it back, what the room says of that message is older. Only a single
//! message is added to the room's list or taken from it, so that what others pin is never lost.

use super::clock::Timestamp;
use super::conversation::Kind;
use super::ids::{ConversationId, MessageId, OutboxId, UserId};
use super::power::Role;

/// How many messages a conversation has pinned at most. Of a longer list from Matrix the last ones are.
pub const MAX_PINS: usize = 100;

/// A message that is pinned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pin {
    /// Which.
    pub message: MessageId,
    /// Who pinned it.
    pub by: UserId,
    /// When.
    pub at: Timestamp,
}

/// What is known of a message that is pinned, or was until just now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Which.
    pub message: MessageId,
    /// Its event, once there is one. Without one the room cannot have it in its list.
    pub event: Option<String>,
    /// Whether it is pinned; otherwise it was taken back in Nova, and the room does not know yet.
    pub is_pinned: bool,
    /// What tells the room of it, as long as the room has not told it back.
    pub told_by: Option<OutboxId>,
}

/// What is to be written of pins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PinAct {
    /// A message is pinned.
    Pinned {
        /// Where.
        conversation: ConversationId,
        /// Which, by whom and when.
        pin: Pin,
        /// What tells the room; nothing where it came from there, or there is none.
        told_by: Option<OutboxId>,
    },
    /// A message is no longer pinned.
    Unpinned {
        /// Which.
        message: MessageId,
        /// What tells the room; nothing where it came from there, or there is none.
        told_by: Option<OutboxId>,
    },
    /// The room knows what this job had to tell, or never will.
    Told(OutboxId),
    /// What the room has pinned and is not there yet: the whole of it.
    Await {
        /// Where.
        conversation: ConversationId,
        /// Who set the list.
        by: UserId,
        /// When.
        at: Timestamp,
        /// The events.
        events: Vec<String>,
    },
    /// One of those came.
    Came {
        /// Where.
        conversation: ConversationId,
        /// The event.
        event: String,
    },
}

/// What has to change so that what is pinned is what the room lists: the messages to be pinned, in the order of the list,
/// and those that no longer are.
#[must_use]
pub fn difference(standing: &[Standing], listed: &[MessageId]) -> (Vec<MessageId>, Vec<MessageId>) {
    let mut new = Vec::new();
    for message in listed {
        if !new.contains(message) && standing.iter().all(|it| it.message != *message) {
            new.push(*message);
        }
    }
    let gone = standing
        .iter()
        .filter(|it| it.is_pinned && it.told_by.is_none() && it.event.is_some() && !listed.contains(&it.message))
        .map(|it| it.message)
        .collect();
    (new, gone)
}

/// What the room of a conversation lets people do who have the power for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// The power level of who pins.
    pub pin: i64,
    /// The power level of who addresses everybody.
    pub everybody: i64,
}

impl Needs {
    /// Where no room has said otherwise: as in rooms of our own.
    #[must_use]
    pub const fn of(kind: Kind) -> Self {
        match kind {
            Kind::Direct => Self { pin: 0, everybody: 50 },
            Kind::Group => Self { pin: 50, everybody: 50 },
        }
    }

    /// Whether somebody of this role pins.
    #[must_use]
    pub const fn pins(self, role: Role) -> bool {
        role.reaches(self.pin)
    }

    /// Whether somebody of this role addresses everybody.
    #[must_use]
    pub const fn addresses_everybody(self, role: Role) -> bool {
        role.reaches(self.everybody)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const fn message(number: u128) -> MessageId {
        MessageId(Uuid::from_u128(number))
    }

    fn standing(number: u128, is_pinned: bool, told_by: Option<u128>) -> Standing {
        Standing {
            message: message(number),
            event: Some(format!("${number}")),
            is_pinned,
            told_by: told_by.map(|id| OutboxId(Uuid::from_u128(id))),
        }
    }

    #[test]
    fn the_list_of_the_room_counts() {
        let there = [standing(1, true, None), standing(2, true, None)];
        let listed = [message(3), message(2), message(4), message(3)];
        assert_eq!(
            difference(&there, &listed),
            (vec![message(3), message(4)], vec![message(1)])
        );
        assert_eq!(difference(&there, &[message(2), message(1)]), (vec![], vec![]));
        assert_eq!(difference(&[], &[]), (vec![], vec![]));
    }

    #[test]
    fn but_not_for_what_it_has_not_been_told() {
        // Set in Nova, taken back in Nova, and said where the room cannot know of it.
        let nowhere = Standing {
            event: None,
            ..standing(3, true, None)
        };
        let there = [standing(1, true, Some(8)), standing(2, false, Some(9)), nowhere];
        assert_eq!(difference(&there, &[message(2)]), (vec![], vec![]));
    }

    #[test]
    fn power_decides() {
        let usual = Needs::of(Kind::Group);
        assert!(!usual.pins(Role::Moderator) && usual.pins(Role::Admin));
        assert!(!usual.addresses_everybody(Role::Member) && usual.addresses_everybody(Role::Admin));
        assert!(Needs::of(Kind::Direct).pins(Role::Member));
        let strict = Needs { pin: 101, ..usual };
        assert!(!strict.pins(Role::Admin) && strict.pins(Role::Owner));
    }
}
