//! Membership events: ghosts that are invited, people that come and go.

use ruma::OwnedUserId;

use super::requests::Admitted;
use super::{ConversationEdit, Effects, MemberEdit, NewEntry, Planner, Verdict, reason};
use crate::domain::conversation::{Kind, Member, Membership, Person, pair};
use crate::domain::event::{InboundEvent, MemberEvent, RoomMembership};
use crate::domain::feed::{Change, UpdatedField};
use crate::domain::ids::{ConversationId, UserId};
use crate::domain::job::{Job, Lane, NewJob};
use crate::domain::power::Role;

impl Planner<'_> {
    pub(super) fn member(&mut self, event: &InboundEvent, member: &MemberEvent) -> Verdict {
        if self.is_bot(&member.target) {
            return self.bot_member(event, member);
        }
        self.takes_place(member);
        match self.context.ghosts.nova_user(member.target.as_str()) {
            Some(ghost) if self.context.people.contains(&ghost) => self.ghost(event, member, ghost),
            Some(_) => Verdict::dead(reason::UNKNOWN_ACCOUNT, "the ghost belongs to no account"),
            None => self.matrix_user(event, member),
        }
    }

    fn ghost(&mut self, event: &InboundEvent, member: &MemberEvent, ghost: UserId) -> Verdict {
        if self.closes(event, member, ghost) {
            return Verdict::Ignored;
        }
        match member.membership {
            RoomMembership::Invite => {
                let known = self.context.rooms.get(&event.room).map(|portal| portal.conversation);
                // Nobody invites themselves.
                let bot = self.is_bot(&event.sender);
                if event.sender == member.target || known.is_none() && bot {
                    return Verdict::Ignored;
                }
                let inviter = self.context.ghosts.nova_user(event.sender.as_str());
                if inviter.is_some_and(|inviter| !self.context.people.contains(&inviter)) {
                    return Verdict::dead(reason::UNKNOWN_ACCOUNT, "the inviting ghost belongs to no account");
                }
                let membership = match self.admission(event, member, known, ghost) {
                    Admitted::Already => return Verdict::Applied,
                    Admitted::No => {
                        let room = Some(event.room.to_string());
                        self.job(Lane::Account(ghost), ghost, Job::Leave { room, notice: None });
                        return Verdict::Applied;
                    }
                    Admitted::Asked => Membership::Invited,
                    Admitted::Yes => Membership::Joined,
                };
                let conversation = match known {
                    Some(conversation) if !member.is_direct || bot => conversation,
                    _ => self.portal_for_invite(event, member, ghost),
                };
                if membership == Membership::Invited {
                    self.let_in(event, conversation, ghost);
                    self.ask(event, conversation, ghost);
                    return Verdict::Applied;
                }
                self.let_in(event, conversation, ghost);
                let (conversation, _) = self.come(event, conversation, ghost, Membership::Joined);
                let room = event.room.to_string();
                let lane = Lane::Conversation(conversation);
                self.job(lane, ghost, Job::Join { room: room.clone() });
                if known != Some(conversation) {
                    // What happened in the room before the ghost was invited was never pushed.
                    self.job(lane, ghost, Job::SyncRoom { room });
                }
                Verdict::Applied
            }
            RoomMembership::Join => {
                let conversation = if let Some(portal) = self.context.rooms.get(&event.room) {
                    portal.conversation
                } else {
                    // The Nova user joined with a Matrix client of their own: the room is theirs in Nova too.
                    let made = self.new_conversation(event, ghost, Kind::Group, None);
                    self.job(
                        Lane::Conversation(made),
                        ghost,
                        Job::SyncRoom {
                            room: event.room.to_string(),
                        },
                    );
                    made
                };
                let asked = self.place_of(conversation, ghost) == Some(Membership::Invited);
                self.let_in(event, conversation, ghost);
                let (came_to, _) = self.come(event, conversation, ghost, Membership::Joined);
                if came_to != conversation {
                    self.read_room(event, came_to);
                } else if asked {
                    // They came with a Matrix client of their own. Nobody was pushed what was there before.
                    let room = event.room.to_string();
                    let lane = Lane::Conversation(conversation);
                    self.job(lane, ghost, Job::ReadBack { room: room.clone() });
                    self.job(lane, ghost, Job::SyncRoom { room });
                }
                Verdict::Applied
            }
            RoomMembership::Leave | RoomMembership::Ban => self.gone(event, ghost),
            RoomMembership::Knock => self.knocks(event, member, ghost),
        }
    }

    /// Whether the room's conversation was deleted and the ghost has yet to leave: what Matrix still says of its coming makes no
    /// conversation. Its leaving is noted.
    fn closes(&mut self, event: &InboundEvent, member: &MemberEvent, ghost: UserId) -> bool {
        let place = (event.room.clone(), ghost);
        if self.context.rooms.contains_key(&event.room) || !self.context.closing.contains_key(&place) {
            return false;
        }
        if matches!(member.membership, RoomMembership::Leave | RoomMembership::Ban)
            && let Some(conversation) = self.context.closing.remove(&place)
        {
            self.effects.departed.push((conversation, ghost));
        }
        true
    }

    /// A Nova user made this room with a Matrix client of their own. That it is direct shows only now, when they invite the
    /// other one: it becomes the direct conversation of the two, unless they have one already.
    fn direct_by_own_client(
        &mut self,
        event: &InboundEvent,
        member: &MemberEvent,
        conversation: ConversationId,
        user: UserId,
    ) {
        let inviter = self.context.ghosts.person(event.sender.as_str());
        if member.membership != RoomMembership::Invite || !member.is_direct {
            return;
        }
        let Some(state) = self.context.conversations.get_mut(&conversation) else {
            return;
        };
        let alone = state.members.len() == 1 && state.members.contains_key(&inviter);
        let two = pair(inviter, user);
        if state.kind == Kind::Group && state.last_sequence == 0 && alone && !self.context.direct.contains_key(&two) {
            state.kind = Kind::Direct;
            self.context.direct.insert(two, conversation);
            self.effects.made_direct.push(conversation);
            self.effects.pairs.push((inviter, user, conversation));
        }
    }

    fn matrix_user(&mut self, event: &InboundEvent, member: &MemberEvent) -> Verdict {
        let Some(portal) = self.context.rooms.get(&event.room) else {
            // A room of strangers: only the ghosts in it would make it ours.
            return Verdict::Ignored;
        };
        // Who comes to a room that the conversation has left behind does not come to the conversation.
        if !portal.current {
            return Verdict::Ignored;
        }
        let conversation = portal.conversation;
        let user = self.context.ghosts.person(member.target.as_str());
        match member.membership {
            RoomMembership::Invite | RoomMembership::Join => {
                self.let_in(event, conversation, user);
                let renamed = self.know(&member.target, user, Some(member));
                self.direct_by_own_client(event, member, conversation, user);
                let membership = if member.membership == RoomMembership::Join {
                    Membership::Joined
                } else {
                    Membership::Invited
                };
                let (came_to, came) = self.come(event, conversation, user, membership);
                if came_to != conversation {
                    self.read_room(event, came_to);
                }
                if renamed && !came {
                    self.direct_looks_different(came_to, user);
                }
                Verdict::Applied
            }
            RoomMembership::Leave | RoomMembership::Ban => self.gone(event, user),
            RoomMembership::Knock => self.knocks(event, member, user),
        }
    }

    /// Gives somebody a place in a conversation, or, where they are a third person, in the group that is split off from
    /// it. Returns where, and whether that is news.
    pub(super) fn come(
        &mut self,
        event: &InboundEvent,
        conversation: ConversationId,
        user: UserId,
        membership: Membership,
    ) -> (ConversationId, bool) {
        let conversation = self.open_to(event, conversation, user);
        if self.context.departing.contains(&(conversation, user)) {
            return (conversation, false);
        }
        let by = self.context.ghosts.person(event.sender.as_str());
        let Some(state) = self.context.conversations.get_mut(&conversation) else {
            return (conversation, false);
        };
        let before = state.members.get(&user).copied();
        if before.is_some_and(|member| member.membership == membership || member.membership == Membership::Joined) {
            return (conversation, false);
        }
        let member = Member {
            role: before.map_or_else(Role::default, |member| member.role),
            membership,
        };
        state.members.insert(user, member);
        self.effects.members.push(MemberEdit {
            conversation,
            user,
            member: Some(member),
        });
        let (username, display_name) = self.context.profiles.get(&user).map_or_else(
            || (user.to_string(), user.to_string()),
            |person| (person.handle().to_owned(), person.shown_name().to_owned()),
        );
        let change = Change::MemberJoined {
            by,
            user,
            username,
            display_name,
            role: member.role,
            membership,
        };
        self.effects.feed.push(NewEntry::change(conversation, change));
        if before.is_some() {
            self.accepted(conversation, user);
        }
        (conversation, true)
    }

    pub(super) fn gone(&mut self, event: &InboundEvent, user: UserId) -> Verdict {
        let Some(portal) = self.context.rooms.get(&event.room) else {
            return Verdict::Ignored;
        };
        // Who leaves a room that the conversation has left behind stays in the conversation.
        if !portal.current {
            return Verdict::Ignored;
        }
        let conversation = portal.conversation;
        if self.context.departing.remove(&(conversation, user)) {
            self.effects.departed.push((conversation, user));
        }
        let by = self.context.ghosts.person(event.sender.as_str());
        self.turned_away(conversation, user, by);
        let Some(state) = self.context.conversations.get_mut(&conversation) else {
            return Verdict::Ignored;
        };
        if let Some(before) = state.members.remove(&user) {
            self.effects.members.push(MemberEdit {
                conversation,
                user,
                member: None,
            });
            self.effects
                .feed
                .push(NewEntry::change(conversation, Change::MemberLeft { by, user }));
            if before.membership == Membership::Invited {
                self.asked_no_more(conversation, user, by);
            }
        }
        self.left_calls(conversation, user);
        Verdict::Applied
    }

    /// Makes a Matrix user known, with the profile that the event shows. Returns whether name or picture changed.
    pub(super) fn know(&mut self, mxid: &OwnedUserId, id: UserId, member: Option<&MemberEvent>) -> bool {
        // Whoever invites somebody need not know their profile; whoever joins shows all that there is.
        let shown = member.filter(|member| {
            member.membership == RoomMembership::Join || member.display_name.is_some() || member.avatar_url.is_some()
        });
        let profile = Person {
            id,
            mxid: mxid.clone(),
            is_nova: false,
            username: None,
            display_name: shown.and_then(|member| member.display_name.clone()),
            avatar_url: shown.and_then(|member| member.avatar_url.clone()),
        };
        let new = self.context.people.insert(id);
        if shown.is_none() {
            if new {
                self.context.profiles.entry(id).or_insert_with(|| profile.clone());
                self.effects.met.push(profile);
            }
            return false;
        }
        let before = self.context.profiles.insert(id, profile.clone());
        let changed = before.as_ref().is_some_and(|before| {
            before.display_name != profile.display_name || before.avatar_url != profile.avatar_url
        });
        if before.is_none() || changed {
            self.effects.people.push(profile);
        }
        changed
    }

    /// A direct conversation is called after the other one: tell it when they change.
    fn direct_looks_different(&mut self, conversation: ConversationId, user: UserId) {
        if self
            .context
            .conversations
            .get(&conversation)
            .is_some_and(|state| state.kind == Kind::Direct)
        {
            let fields = vec![UpdatedField::Name, UpdatedField::AvatarUrl];
            self.effects
                .feed
                .push(NewEntry::change(conversation, Change::Updated { by: user, fields }));
        }
    }

    pub(super) fn job(&mut self, lane: Lane, actor: UserId, job: Job) {
        self.effects.jobs.push(NewJob {
            id: (self.new_id)().into(),
            lane,
            actor,
            message: None,
            job,
        });
    }
}

impl Effects {
    pub(super) fn edit(&mut self, edit: ConversationEdit, by: UserId, fields: Vec<UpdatedField>) {
        let conversation = edit.conversation;
        self.edits.push(edit);
        self.feed
            .push(NewEntry::change(conversation, Change::Updated { by, fields }));
    }
}
