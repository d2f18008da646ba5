//! The space of an account: a room that holds the rooms of its conversations, for its own Matrix clients.
//!
//! What is in it is never remembered here: the space's state says it, each child of ours with a mark. So what is to be
//! done is always the difference to what should be, and doing it twice changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use ruma::OwnedRoomId;

use super::feed::Change;
use super::ids::{ConversationId, UserId};
use super::ingest::Effects;

/// A room that the space should hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Child {
    /// Whose room.
    pub conversation: ConversationId,
    /// Which.
    pub room: OwnedRoomId,
}

/// A child that the space's state names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Which room.
    pub room: String,
    /// Whether it is one still; otherwise it was taken out.
    pub is_child: bool,
    /// The conversation that we put it there for; `None` where its owner did.
    pub ours: Option<ConversationId>,
}

/// What is to be changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    /// To be put in, or written anew.
    pub add: Vec<Child>,
    /// To be taken out.
    pub remove: Vec<String>,
}

/// What makes the space hold what it should. What its owner put there themselves stays as it is.
#[must_use]
pub fn difference(wanted: &[Child], listed: &[Listed]) -> Difference {
    let there: BTreeMap<&str, &Listed> = listed
        .iter()
        .filter(|child| child.is_child)
        .map(|child| (child.room.as_str(), child))
        .collect();
    let rooms: BTreeSet<&str> = wanted.iter().map(|child| child.room.as_str()).collect();
    let remove = there
        .values()
        .filter(|child| child.ours.is_some() && !rooms.contains(child.room.as_str()))
        .map(|child| child.room.clone())
        .collect();
    let stays = |child: &Child| {
        there
            .get(child.room.as_str())
            .is_some_and(|listed| listed.ours.is_none_or(|id| id == child.conversation))
    };
    let add = wanted.iter().filter(|child| !stays(child)).cloned().collect();
    Difference { add, remove }
}

/// Whose spaces a change can concern.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Concerned {
    /// People who come or go, and where.
    pub members: BTreeSet<(ConversationId, UserId)>,
    /// Conversations that get another room, or end, with everybody who takes part.
    pub conversations: BTreeSet<ConversationId>,
}

impl Concerned {
    /// By these effects.
    #[must_use]
    pub fn by(effects: &Effects) -> Self {
        let ended = effects.feed.iter().filter_map(|entry| match &entry.change {
            Some(Change::Deleted { .. }) => Some(entry.conversation),
            _ => None,
        });
        Self {
            members: effects
                .members
                .iter()
                .map(|edit| (edit.conversation, edit.user))
                .collect(),
            conversations: effects.portals.iter().map(|(id, _)| *id).chain(ended).collect(),
        }
    }

    /// Whether it concerns nobody.
    #[must_use]
    pub fn is_nobody(&self) -> bool {
        self.members.is_empty() && self.conversations.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::ingest::{MemberEdit, NewEntry};

    const TEA: ConversationId = ConversationId(Uuid::from_u128(1));
    const COFFEE: ConversationId = ConversationId(Uuid::from_u128(2));

    fn child(conversation: ConversationId, room: &str) -> Child {
        Child {
            conversation,
            room: room.try_into().unwrap(),
        }
    }

    fn listed(room: &str, is_child: bool, ours: Option<ConversationId>) -> Listed {
        Listed {
            room: room.to_owned(),
            is_child,
            ours,
        }
    }

    #[test]
    fn what_is_missing_is_added_and_what_is_too_much_removed() {
        let wanted = || vec![child(TEA, "!tea:x"), child(COFFEE, "!coffee:x")];
        let empty = difference(&wanted(), &[]);
        assert_eq!((empty.add, empty.remove.len()), (wanted(), 0));
        let done = [
            listed("!tea:x", true, Some(TEA)),
            listed("!coffee:x", true, Some(COFFEE)),
        ];
        assert_eq!(
            difference(&wanted(), &done),
            Difference::default(),
            "nothing is done twice"
        );
        let upgraded = [listed("!tea:x", true, Some(TEA)), listed("!old:x", true, Some(COFFEE))];
        let change = difference(&wanted(), &upgraded);
        assert_eq!(change.add, [child(COFFEE, "!coffee:x")]);
        assert_eq!(change.remove, ["!old:x"]);
        let taken_out = [listed("!tea:x", false, None), listed("!old:x", false, Some(COFFEE))];
        let change = difference(&wanted(), &taken_out);
        assert_eq!((change.add, change.remove.len()), (wanted(), 0));
    }

    #[test]
    fn what_its_owner_put_there_stays() {
        let own = [listed("!tea:x", true, None), listed("!games:x", true, None)];
        assert_eq!(difference(&[child(TEA, "!tea:x")], &own), Difference::default());
        assert_eq!(difference(&[], &own), Difference::default());
    }

    #[test]
    fn a_room_that_went_to_another_conversation_is_written_anew() {
        let there = [listed("!tea:x", true, Some(COFFEE))];
        let change = difference(&[child(TEA, "!tea:x")], &there);
        assert_eq!((change.add, change.remove.len()), (vec![child(TEA, "!tea:x")], 0));
    }

    #[test]
    fn members_rooms_and_ends_concern_spaces_and_words_do_not() {
        let user = UserId(Uuid::from_u128(0xA));
        let mut effects = Effects::default();
        let updated = Change::Updated {
            by: user,
            fields: Vec::new(),
        };
        effects.feed.push(NewEntry::change(TEA, updated));
        assert!(Concerned::by(&effects).is_nobody());
        effects.members.push(MemberEdit {
            conversation: TEA,
            user,
            member: None,
        });
        effects.portals.push((COFFEE, "!coffee:x".try_into().unwrap()));
        effects.feed.push(NewEntry::change(TEA, Change::Deleted { by: user }));
        let concerned = Concerned::by(&effects);
        assert_eq!(concerned.members, BTreeSet::from([(TEA, user)]));
        assert_eq!(concerned.conversations, BTreeSet::from([TEA, COFFEE]));
    }
}
