//! Spaces: rooms that hold rooms. Nothing in them is anybody's conversation.

use ruma::RoomId;

use super::{NewEntry, Planner, Portal};
use crate::domain::conversation::Kind;
use crate::domain::event::{InboundEvent, Meaning, RoomMembership};
use crate::domain::feed::Change;

impl Planner<'_> {
    /// Whether an event is one of a space, so that it has no meaning here: also the one that shows that the room is one.
    pub(super) fn is_of_space(&mut self, event: &InboundEvent) -> bool {
        let room = &event.room;
        let is_known = self.context.spaces.contains(room);
        let shows = if let Meaning::Create { is_space, .. } = &event.meaning {
            *is_space && self.is_unused(room)
        } else if let Meaning::Member(member) = &event.meaning
            && member.membership == RoomMembership::Invite
            && self.is_ghost(&member.target)
        {
            // Whoever invites may say what they like: the last one counts, and none of a conversation's room. Where they
            // were wrong, the room's own state says so once somebody is in it.
            if is_known && !member.to_space {
                self.context.spaces.remove(room);
                self.effects.spaces.retain(|space| space != room);
                self.effects.no_spaces.push(room.clone());
                return false;
            }
            member.to_space && !self.context.rooms.contains_key(room)
        } else {
            false
        };
        let news = shows && !is_known;
        if news {
            self.context.spaces.insert(room.clone());
            self.effects.no_spaces.retain(|other| other != room);
            self.effects.spaces.push(room.clone());
            self.dissolve(event);
        }
        is_known || news
    }

    /// Whether nothing is lost where a room is no conversation's: it is none now, or nobody has said anything in it yet.
    fn is_unused(&self, room: &RoomId) -> bool {
        let Some(portal) = self.context.rooms.get(room) else {
            return true;
        };
        let state = self.context.conversations.get(&portal.conversation);
        portal.current && state.is_some_and(|state| state.kind == Kind::Group && state.last_sequence == 0)
    }

    /// The room was taken for a conversation's: somebody of Nova came to it with a Matrix client of their own, and what it
    /// is shows only now.
    fn dissolve(&mut self, event: &InboundEvent) {
        let Some(portal) = self.context.rooms.remove(&event.room) else {
            return;
        };
        // Nor are the rooms that it left behind anybody's.
        let is_other = |other: &Portal| other.conversation != portal.conversation;
        self.context.rooms.retain(|_, other| is_other(other));
        if let Some(state) = self.context.conversations.remove(&portal.conversation) {
            self.effects.dissolved.push(state.id);
            let by = state.created_by;
            self.effects
                .feed
                .push(NewEntry::change(state.id, Change::Deleted { by }));
        }
    }
}
