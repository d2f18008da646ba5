//! Spaces: rooms that hold rooms. Nothing in them is anybody's conversation.

use super::{NewEntry, Planner};
use crate::domain::event::{InboundEvent, Meaning};
use crate::domain::feed::Change;

impl Planner<'_> {
    /// Whether an event is one of a space, so that it has no meaning here: also the one that shows that the room is one.
    pub(super) fn is_of_space(&mut self, event: &InboundEvent) -> bool {
        let room = &event.room;
        let is_known = self.context.spaces.contains(room);
        let news = !is_known
            && match &event.meaning {
                Meaning::Create { is_space, .. } => *is_space,
                // Whoever invites may say what they like, but not of a room that is known. The bot answers by itself.
                Meaning::Member(member) => {
                    member.to_space && !self.is_bot(&member.target) && !self.context.rooms.contains_key(room)
                }
                _ => false,
            };
        if news {
            self.context.spaces.insert(room.clone());
            self.effects.spaces.push(room.clone());
            self.dissolve(event);
        }
        is_known || news
    }

    /// The room was taken for a conversation's: somebody of Nova came to it with a Matrix client of their own, and what it
    /// is shows only now.
    fn dissolve(&mut self, event: &InboundEvent) {
        let Some(portal) = self.context.rooms.remove(&event.room) else {
            return;
        };
        if !portal.current {
            return;
        }
        if let Some(state) = self.context.conversations.remove(&portal.conversation) {
            self.effects.dissolved.push(state.id);
            let by = state.created_by;
            self.effects.feed.push(NewEntry::change(state.id, Change::Deleted { by }));
        }
    }
}
