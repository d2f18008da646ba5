//! A third person comes to a direct conversation.
//!
//! Where the conversation began in that very room, it becomes a group: whoever comes could have read it there. Otherwise
//! it holds what was said between two people elsewhere, and Element marks chats of several people as direct too: so the
//! room becomes a group of its own, and the two keep their conversation, which gets another room.

use std::collections::BTreeMap;

use super::Planner;
use crate::domain::conversation::{Conversation, Kind, Membership};
use crate::domain::event::InboundEvent;
use crate::domain::ids::{ConversationId, UserId};
use crate::domain::job::{Job, Lane};

impl Planner<'_> {
    /// Whether `user` is no third person there: it is a group, or theirs.
    pub(super) fn is_for(&self, conversation: ConversationId, user: UserId) -> bool {
        let direct = |state: &Conversation| state.kind == Kind::Direct;
        !self.context.conversations.get(&conversation).is_some_and(direct)
            || self
                .context
                .direct
                .iter()
                .any(|((one, other), id)| *id == conversation && (*one == user || *other == user))
    }

    /// The conversation that somebody comes to who comes to the event's room, which is that of `conversation` now.
    pub(super) fn open_to(
        &mut self,
        event: &InboundEvent,
        conversation: ConversationId,
        user: UserId,
    ) -> ConversationId {
        if self.is_for(conversation, user) {
            return conversation;
        }
        if self.context.moved.contains(&conversation) {
            return self.split(event, conversation);
        }
        if let Some(state) = self.context.conversations.get_mut(&conversation) {
            state.kind = Kind::Group;
        }
        self.effects.regrouped.push(conversation);
        self.effects.pairs.retain(|(_, _, made)| *made != conversation);
        self.context.direct.retain(|_, direct| *direct != conversation);
        conversation
    }

    /// Makes the event's room a group of the people in it. The direct conversation loses it, if it was its current one,
    /// and gets another.
    fn split(&mut self, event: &InboundEvent, direct: ConversationId) -> ConversationId {
        let Some(old) = self.context.conversations.get_mut(&direct) else {
            return direct;
        };
        let sender = self.context.ghosts.person(event.sender.as_str());
        let known = self.context.people.contains(&sender);
        let by = if known { sender } else { old.created_by };
        let lost = old.room.take_if(|room| *room == event.room).is_some();
        let people = if lost { old.members.clone() } else { BTreeMap::new() };
        let id = self.found(event, by, Kind::Group, None);
        if let Some(portal) = self.context.rooms.get_mut(&event.room) {
            portal.conversation = id;
            portal.current = true;
        }
        self.effects.split_off.push((id, direct));
        self.effects.portals.push((id, event.room.clone()));
        for (user, member) in &people {
            if member.membership == Membership::Invited && self.is_nova(*user) {
                self.ask(event, id, *user);
            } else {
                self.come(event, id, *user, member.membership);
            }
        }
        if !lost && known {
            self.come(event, id, sender, Membership::Joined);
        }
        if lost {
            self.leave_to_group(event, direct, id);
        }
        id
    }

    /// What is left to do about a room that a direct conversation lost to a group.
    fn leave_to_group(&mut self, event: &InboundEvent, direct: ConversationId, group: ConversationId) {
        let room = event.room.to_string();
        // Whoever was about to leave the room by way of the direct conversation leaves it all the same.
        let departing: Vec<UserId> = self
            .context
            .departing
            .iter()
            .filter(|(conversation, _)| *conversation == direct)
            .map(|(_, user)| *user)
            .collect();
        for user in departing {
            self.context.departing.insert((group, user));
            self.effects.departures.push((group, user));
            let leave = Job::Leave {
                room: Some(room.clone()),
                notice: None,
            };
            self.job(Lane::Conversation(group), user, leave);
        }
        self.room_lost(direct);
        if let Some(ghost) = self.nova_members(direct).first().copied() {
            self.job(Lane::Conversation(direct), ghost, Job::CreateRoom);
        }
    }

    /// Reads who and what is in the room of a group that was split off, as one of ours who is in it.
    pub(super) fn read_room(&mut self, event: &InboundEvent, group: ConversationId) {
        if let Some(ghost) = self.nova_members(group).first().copied() {
            let room = event.room.to_string();
            let lane = Lane::Conversation(group);
            self.job(lane, ghost, Job::Join { room: room.clone() });
            self.job(lane, ghost, Job::SyncRoom { room });
        }
    }
}
