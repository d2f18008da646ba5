//! Rooms in which somebody talks to the bot.

use super::{Planner, Verdict};
use crate::domain::bot::{BOT, lane_of};
use crate::domain::event::{InboundEvent, Meaning, MemberEvent, RoomMembership};
use crate::domain::job::{Job, Lane};

impl Planner<'_> {
    /// Somebody invites the bot, or sends it away.
    pub(super) fn bot_member(&mut self, event: &InboundEvent, member: &MemberEvent) -> Verdict {
        let talks = self.context.bots.first().is_some_and(|bot| *bot == member.target);
        if !talks || event.sender == member.target {
            return Verdict::Ignored;
        }
        match member.membership {
            RoomMembership::Invite if self.context.rooms.contains_key(&event.room) || self.is_ghost(&event.sender) => {
                // Element hides its call button in a room with a third member.
                let room = event.room.to_string();
                self.for_bot(event, Job::BotLeave { room });
            }
            RoomMembership::Invite => {
                self.context.management.insert(event.room.clone());
                self.effects.managed.push((event.room.clone(), event.sender.clone()));
                let (room, by) = (event.room.to_string(), event.sender.to_string());
                self.for_bot(event, Job::BotJoin { room, by });
            }
            RoomMembership::Leave | RoomMembership::Ban => self.no_longer_managed(event),
            RoomMembership::Join | RoomMembership::Knock => return Verdict::Ignored,
        }
        Verdict::Applied
    }

    /// Something happens where somebody talks to the bot.
    pub(super) fn managed(&mut self, event: &InboundEvent) -> Verdict {
        match &event.meaning {
            Meaning::Message { text, .. } => {
                let (room, by) = (event.room.to_string(), event.sender.to_string());
                let text = text.plain.clone();
                self.for_bot(event, Job::Command { room, by, text });
                Verdict::Applied
            }
            Meaning::Member(member) if self.is_bot(&member.target) => self.bot_member(event, member),
            // It becomes a conversation's room.
            Meaning::Member(member) if self.is_ghost(&member.target) => {
                self.no_longer_managed(event);
                self.for_bot(
                    event,
                    Job::BotLeave {
                        room: event.room.to_string(),
                    },
                );
                self.member(event, member)
            }
            // Alone it has nobody to talk to.
            Meaning::Member(member)
                if matches!(member.membership, RoomMembership::Leave | RoomMembership::Ban)
                    && member.target == event.sender =>
            {
                self.no_longer_managed(event);
                let room = event.room.to_string();
                self.for_bot(event, Job::BotLeave { room });
                Verdict::Applied
            }
            // Without a meaning here, and so remembered: the room may become a conversation's, where it would have one.
            Meaning::Member(_)
            | Meaning::Act { .. }
            | Meaning::NotYet { .. }
            | Meaning::Encrypted
            | Meaning::Create { .. }
            | Meaning::Name(_)
            | Meaning::Topic(_)
            | Meaning::Avatar(_)
            | Meaning::PowerLevels { .. }
            | Meaning::Pinned { .. }
            | Meaning::Tombstone { .. }
            | Meaning::Call { .. }
            | Meaning::RtcRing { .. } => Verdict::Applied,
            Meaning::Nothing => Verdict::Ignored,
        }
    }

    fn no_longer_managed(&mut self, event: &InboundEvent) {
        self.context.management.remove(&event.room);
        self.effects.unmanaged.push(event.room.clone());
    }

    fn for_bot(&mut self, event: &InboundEvent, job: Job) {
        self.job(Lane::Management(lane_of(event.room.as_str())), BOT, job);
    }
}
