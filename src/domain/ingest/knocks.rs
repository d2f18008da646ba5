//! People who knock on the room of a group: whoever of Nova may let them in is told.

use super::{Knock, NewEntry, Planner, Verdict};
use crate::domain::conversation::{Kind, Membership};
use crate::domain::event::{InboundEvent, MemberEvent};
use crate::domain::feed::Change;
use crate::domain::ids::{ConversationId, UserId};
use crate::domain::power::{LETS_IN, Role};
use crate::domain::request::Answer;

impl Planner<'_> {
    /// What an event of somebody's membership takes the place of is older. Where it comes later, it has no meaning.
    pub(super) fn takes_place(&mut self, member: &MemberEvent) {
        if let Some(replaced) = &member.replaces
            && self.context.seen.insert(replaced.clone())
        {
            self.effects.processed.push(replaced.clone());
        }
    }

    /// Somebody asks to be let in.
    pub(super) fn knocks(&mut self, event: &InboundEvent, member: &MemberEvent, user: UserId) -> Verdict {
        let Some(portal) = self.context.rooms.get(&event.room).filter(|portal| portal.current) else {
            return Verdict::Ignored;
        };
        let conversation = portal.conversation;
        let is_group = |id| {
            self.context
                .conversations
                .get(id)
                .is_some_and(|it| it.kind == Kind::Group)
        };
        if event.sender != member.target || !is_group(&conversation) {
            return Verdict::Ignored;
        }
        match self.place_of(conversation, user) {
            // Nova has let them in already: their invite is on its way.
            Some(Membership::Invited) => return Verdict::Ignored,
            // Nobody knocks who is in: that they left comes later, or never.
            Some(Membership::Joined) => drop(self.gone(event, user)),
            None => {}
        }
        // Nova has turned them away, and the room does not know yet.
        if self.context.departing.contains(&(conversation, user)) {
            return Verdict::Ignored;
        }
        if self.context.ghosts.nova_user(member.target.as_str()).is_none() {
            self.know(&member.target, user, Some(member));
        }
        let reason = member.reason.clone();
        let key = (conversation, user);
        if self.context.knocks.insert(key, reason.clone()).as_ref() == Some(&reason) {
            return Verdict::Applied;
        }
        let (username, display_name) = self.context.profiles.get(&user).map_or_else(
            || (member.target.to_string(), member.target.to_string()),
            |person| (person.handle().to_owned(), person.shown_name().to_owned()),
        );
        self.tell_doormen(
            conversation,
            &Change::Knocked {
                user,
                username,
                display_name,
                reason: reason.clone(),
            },
        );
        self.effects.unknocked.retain(|gone| *gone != key);
        self.effects.knocks.push(Knock {
            conversation,
            user,
            room: event.room.clone(),
            reason,
            at: event.at,
        });
        Verdict::Applied
    }

    /// Somebody who knocked is invited, or came.
    pub(super) fn let_in(&mut self, event: &InboundEvent, conversation: ConversationId, user: UserId) {
        let by = self.context.ghosts.person(event.sender.as_str());
        self.knocks_no_more(conversation, user, by, Answer::Accepted);
    }

    /// Somebody who knocked left, or was sent away by `by`.
    pub(super) fn turned_away(&mut self, conversation: ConversationId, user: UserId, by: UserId) {
        let answer = if by == user {
            Answer::Withdrawn
        } else {
            Answer::Rejected
        };
        self.knocks_no_more(conversation, user, by, answer);
    }

    fn knocks_no_more(&mut self, conversation: ConversationId, user: UserId, by: UserId, answer: Answer) {
        let key = (conversation, user);
        if self.context.knocks.remove(&key).is_none() {
            return;
        }
        self.effects
            .knocks
            .retain(|knock| (knock.conversation, knock.user) != key);
        self.effects.unknocked.push(key);
        self.tell_doormen(conversation, &Change::KnockAnswered { by, user, answer });
    }

    /// Tells the Nova users who may let somebody in.
    fn tell_doormen(&mut self, conversation: ConversationId, change: &Change) {
        let is_doorman = |user: &UserId| self.role_of(conversation, *user).is_some_and(|role| role >= LETS_IN);
        let doormen: Vec<UserId> = self.nova_members(conversation).into_iter().filter(is_doorman).collect();
        for user in doormen {
            let entry = NewEntry::change(conversation, change.clone());
            self.effects.feed.push(entry.only_for(user));
        }
    }

    fn role_of(&self, conversation: ConversationId, user: UserId) -> Option<Role> {
        let state = self.context.conversations.get(&conversation)?;
        state.joined(user).map(|member| member.role)
    }
}
