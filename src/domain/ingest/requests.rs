//! Nova users who are asked before they come, and people whom somebody does not want to hear.

use super::{NewEntry, NewRequest, Planner};
use crate::domain::conversation::{Kind, Membership, pair};
use crate::domain::event::{InboundEvent, MemberEvent};
use crate::domain::feed::Change;
use crate::domain::ids::{ConversationId, UserId};
use crate::domain::request::{Admission, Answer};

/// What becomes of an invite.
pub(super) enum Admitted {
    /// They come at once.
    Yes,
    /// They are asked.
    Asked,
    /// They were asked before.
    Already,
    /// They do not come.
    No,
}

impl Planner<'_> {
    /// What becomes of the invite of a ghost, to the room of the conversation `known` or to one that has none yet.
    pub(super) fn admission(
        &self,
        event: &InboundEvent,
        member: &MemberEvent,
        known: Option<ConversationId>,
        ghost: UserId,
    ) -> Admitted {
        let by = self.context.ghosts.person(event.sender.as_str());
        let admission = self.context.doors.admission(ghost, by);
        // What Nova users do in Nova was decided there, and shows in the place of who is invited.
        if admission == Admission::Decline && !self.is_ghost(&event.sender) {
            return Admitted::No;
        }
        let place = |id| self.place_of(id, ghost);
        match known.and_then(place) {
            Some(Membership::Invited) => return Admitted::Already,
            Some(Membership::Joined) => return Admitted::Yes,
            None if self.is_bot(&event.sender) => return Admitted::Yes,
            None => {}
        }
        // The two have their conversation; this is but another room for it.
        let two = self.context.direct.get(&pair(by, ghost)).filter(|_| member.is_direct);
        if two.copied().and_then(place) == Some(Membership::Joined) {
            return Admitted::Yes;
        }
        match admission {
            Admission::Join => Admitted::Yes,
            Admission::Ask => Admitted::Asked,
            Admission::Decline => Admitted::No,
        }
    }

    /// Whether somebody is in a conversation, or was invited.
    pub(super) fn place_of(&self, conversation: ConversationId, user: UserId) -> Option<Membership> {
        let state = self.context.conversations.get(&conversation)?;
        state.members.get(&user).map(|member| member.membership)
    }

    /// Asks a Nova user to come to a conversation.
    pub(super) fn ask(&mut self, event: &InboundEvent, conversation: ConversationId, user: UserId) {
        let (conversation, came) = self.come(event, conversation, user, Membership::Invited);
        if !came {
            return;
        }
        let by = self.context.ghosts.person(event.sender.as_str());
        self.effects.requests.push(NewRequest { conversation, user, by });
        self.tell(conversation, user, Change::Requested { by });
    }

    /// Somebody who had been invited came. A Nova user hears of the conversation only now.
    pub(super) fn accepted(&mut self, conversation: ConversationId, user: UserId) {
        if !self.is_nova(user) {
            return;
        }
        let Some(state) = self.context.conversations.get(&conversation) else {
            return;
        };
        let (by, kind, name) = (state.created_by, state.kind, state.name.clone());
        self.tell(conversation, user, Change::Created { by, kind, name });
        let answer = Answer::Accepted;
        self.tell(conversation, user, Change::Answered { answer });
    }

    /// Somebody who had been invited, and had not come, left or was sent away by `by`.
    pub(super) fn asked_no_more(&mut self, conversation: ConversationId, user: UserId, by: UserId) {
        if !self.is_nova(user) {
            return;
        }
        let answer = if by == user {
            Answer::Rejected
        } else {
            Answer::Withdrawn
        };
        self.tell(conversation, user, Change::Answered { answer });
    }

    /// Whether somebody is not heard, because who else is in this direct conversation blocks them. In groups everybody is.
    pub(super) fn is_hushed(&self, conversation: ConversationId, sender: UserId) -> bool {
        let blocks = &self.context.doors.blocks;
        let state = self.context.conversations.get(&conversation);
        !blocks.is_empty()
            && state.is_some_and(|state| {
                let mut others = state.members.keys();
                state.kind == Kind::Direct && others.any(|user| blocks.contains(&(*user, sender)))
            })
    }

    pub(super) fn is_nova(&self, user: UserId) -> bool {
        self.context.profiles.get(&user).is_some_and(|person| person.is_nova)
    }

    /// Tells one person alone.
    fn tell(&mut self, conversation: ConversationId, user: UserId, change: Change) {
        self.effects
            .feed
            .push(NewEntry::change(conversation, change).only_for(user));
    }
}
