//! Rooms that become portals, and what changes about them.

use std::collections::BTreeMap;

use ruma::{OwnedRoomId, OwnedUserId};
use serde_json::json;

use super::{ConversationEdit, MemberEdit, NewEntry, Planner, Portal, Verdict, reason};
use crate::domain::conversation::{Conversation, Kind, Member, Membership, pair};
use crate::domain::event::{InboundEvent, Meaning, MemberEvent, Shown};
use crate::domain::feed::{Change, UpdatedField};
use crate::domain::ids::{ConversationId, OutboxId, UserId};
use crate::domain::job::{Job, Lane};
use crate::domain::pin::Needs;
use crate::domain::power::Role;

/// What people read once when a room turns out to be encrypted.
pub(super) const ENCRYPTED_NOTICE: &str = "This room is encrypted, and Nova cannot read encrypted messages yet. \
    Please start an unencrypted chat; nothing that is said here arrives.";

impl Planner<'_> {
    /// The conversation that an invite of a ghost opens: the one direct conversation of the two, or a new one.
    pub(super) fn portal_for_invite(
        &mut self,
        event: &InboundEvent,
        member: &MemberEvent,
        ghost: UserId,
    ) -> ConversationId {
        let inviter = self.context.ghosts.person(event.sender.as_str());
        if self.context.ghosts.nova_user(event.sender.as_str()).is_none() {
            let shown = member.shown.as_ref().and_then(|shown| shown.inviter.as_ref());
            self.know(&event.sender, inviter, shown);
        }
        if !member.is_direct {
            let made = self.new_conversation(event, inviter, Kind::Group, member.shown.as_deref());
            self.come(event, made, inviter, Membership::Joined);
            return made;
        }
        let existing = self
            .context
            .rooms
            .get(&event.room)
            .map(|portal| portal.conversation)
            .or_else(|| self.context.direct.get(&pair(inviter, ghost)).copied())
            .filter(|id| self.context.conversations.contains_key(id));
        if let Some(conversation) = existing {
            let conversation = if self.is_for(conversation, ghost) {
                self.move_to(conversation, &event.room, ghost);
                conversation
            } else {
                self.open_to(event, conversation, ghost)
            };
            return self.come(event, conversation, inviter, Membership::Joined).0;
        }
        let made = self.new_conversation(event, inviter, Kind::Direct, None);
        self.context.direct.insert(pair(inviter, ghost), made);
        self.effects.pairs.push((inviter, ghost, made));
        self.come(event, made, inviter, Membership::Joined);
        made
    }

    /// Makes a conversation around a room that has none.
    pub(super) fn new_conversation(
        &mut self,
        event: &InboundEvent,
        by: UserId,
        kind: Kind,
        shown: Option<&Shown>,
    ) -> ConversationId {
        let id = self.found(event, by, kind, shown);
        self.become_portal(id, &event.room);
        id
    }

    /// A new conversation for the event's room, which becomes its portal in whatever way. It looks as is `shown` of it.
    pub(super) fn found(
        &mut self,
        event: &InboundEvent,
        by: UserId,
        kind: Kind,
        shown: Option<&Shown>,
    ) -> ConversationId {
        let id = ConversationId((self.new_id)());
        let shown = shown.cloned().unwrap_or_default();
        let name = shown.name;
        let conversation = Conversation {
            id,
            kind,
            name: name.clone(),
            description: shown.topic,
            avatar_url: shown.avatar_url,
            created_by: by,
            has_portal: true,
            room: Some(event.room.clone()),
            last_sequence: 0,
            members: BTreeMap::new(),
            created_at: self.context.now,
        };
        self.effects.conversations.push(conversation.clone());
        self.context.conversations.insert(id, conversation);
        self.effects
            .feed
            .push(NewEntry::change(id, Change::Created { by, kind, name }));
        id
    }

    pub(super) fn become_portal(&mut self, conversation: ConversationId, room: &OwnedRoomId) {
        for portal in self
            .context
            .rooms
            .values_mut()
            .filter(|portal| portal.conversation == conversation)
        {
            portal.current = false;
        }
        self.context.rooms.remove(room);
        self.belongs(conversation, room, true);
        if let Some(state) = self.context.conversations.get_mut(&conversation) {
            state.room = Some(room.clone());
            state.has_portal = true;
        }
        self.effects.portals.push((conversation, room.clone()));
        self.effects.replay.push(room.clone());
    }

    /// The conversation goes on in another room than before.
    pub(super) fn moves(&mut self, conversation: ConversationId) {
        self.room_lost(conversation);
        if self.context.moved.insert(conversation) {
            self.effects.moved.push(conversation);
        }
    }

    pub(super) fn belongs(&mut self, conversation: ConversationId, room: &OwnedRoomId, current: bool) {
        self.context.rooms.entry(room.clone()).or_insert_with(|| Portal {
            conversation,
            current,
            encrypted: false,
            creators: Vec::new(),
            state_version: 0,
        });
    }

    /// The Matrix user opened a new direct room with a ghost that they have a conversation with: the newest room wins,
    /// and the ghost leaves the old one, saying so.
    fn move_to(&mut self, conversation: ConversationId, room: &OwnedRoomId, ghost: UserId) {
        let old = self
            .context
            .conversations
            .get(&conversation)
            .and_then(|state| state.room.clone());
        if old.as_ref() == Some(room) {
            return;
        }
        self.become_portal(conversation, room);
        self.moves(conversation);
        if let Some(old) = old {
            let notice = format!("This conversation goes on in {room}.");
            let leave = Job::Leave {
                room: Some(old.into()),
                notice: Some(notice),
            };
            self.job(Lane::Conversation(conversation), ghost, leave);
        }
    }

    /// `m.room.create`: completes a room creation of ours whose answer we may have missed.
    pub(super) fn created(&mut self, event: &InboundEvent, marker: Option<OutboxId>, creators: Vec<String>) -> Verdict {
        let ghost = self.context.ghosts.nova_user(event.sender.as_str());
        if let Some((id, job)) = marker.and_then(|id| self.context.creating.get(&id).map(|job| (id, *job)))
            && ghost == Some(job.actor)
            && self
                .context
                .rooms
                .get(&event.room)
                .is_none_or(|portal| portal.conversation == job.conversation)
        {
            let room = self
                .context
                .conversations
                .get(&job.conversation)
                .map(|state| state.room.clone());
            match room {
                None => {}
                Some(None) => {
                    self.become_portal(job.conversation, &event.room);
                    self.effects.done_jobs.push(id);
                }
                // The sender was faster and wrote it down while we waited for the lock.
                Some(Some(room)) if room == event.room => self.belongs(job.conversation, &event.room, true),
                // A Matrix user opened a room at the same moment, and that one counts. Ours will be left; what is said
                // in it until then belongs to the conversation all the same.
                Some(Some(_)) => {
                    self.belongs(job.conversation, &event.room, false);
                    self.effects.former.push((job.conversation, event.room.clone()));
                }
            }
        }
        let Some(portal) = self.context.rooms.get_mut(&event.room) else {
            return Verdict::Ignored;
        };
        if !creators.is_empty() {
            self.effects.creators.push((event.room.clone(), creators.clone()));
            portal.creators = creators;
        }
        Verdict::Applied
    }

    /// Name, topic or picture of a room in use.
    pub(super) fn described(&mut self, event: &InboundEvent) -> Verdict {
        let Some(portal) = self.context.rooms.get(&event.room).filter(|portal| portal.current) else {
            return Verdict::Ignored;
        };
        let id = portal.conversation;
        let by = self.context.ghosts.person(event.sender.as_str());
        let Some(state) = self.context.conversations.get_mut(&id) else {
            return Verdict::Ignored;
        };
        let (field, slot, new) = match &event.meaning {
            Meaning::Name(name) => (UpdatedField::Name, &mut state.name, name),
            Meaning::Topic(topic) => (UpdatedField::Description, &mut state.description, topic),
            Meaning::Avatar(url) => (UpdatedField::AvatarUrl, &mut state.avatar_url, url),
            Meaning::Message { .. }
            | Meaning::Act { .. }
            | Meaning::NotYet { .. }
            | Meaning::Encrypted
            | Meaning::Member(_)
            | Meaning::Create { .. }
            | Meaning::PowerLevels { .. }
            | Meaning::Pinned { .. }
            | Meaning::Tombstone { .. }
            | Meaning::Call { .. }
            | Meaning::RtcRing { .. }
            | Meaning::Nothing => return Verdict::Ignored,
        };
        // A picture that Nova gave keeps its own address; the room's mxc is only a copy of it.
        let copy = field == UpdatedField::AvatarUrl
            && slot.as_deref().is_some_and(|url| !url.starts_with("mxc:"))
            && self.context.ghosts.nova_user(event.sender.as_str()).is_some();
        if *slot == *new || copy {
            return Verdict::Applied;
        }
        slot.clone_from(new);
        let edit = ConversationEdit {
            conversation: id,
            name: state.name.clone(),
            description: state.description.clone(),
            avatar_url: state.avatar_url.clone(),
        };
        self.effects.edit(edit, by, vec![field]);
        Verdict::Applied
    }

    /// Power levels become roles, and what these are good for. Direct conversations have none.
    pub(super) fn power_levels(
        &mut self,
        event: &InboundEvent,
        users: &BTreeMap<OwnedUserId, i64>,
        default: i64,
        needs: Needs,
    ) -> Verdict {
        let Some(portal) = self.context.rooms.get(&event.room).filter(|portal| portal.current) else {
            return Verdict::Ignored;
        };
        let (conversation, creators) = (portal.conversation, &portal.creators);
        let ghosts = &self.context.ghosts;
        let by = ghosts.person(event.sender.as_str());
        let mut roles: BTreeMap<UserId, Role> = users
            .iter()
            .map(|(id, level)| (ghosts.person(id.as_str()), Role::of_power(*level)))
            .collect();
        roles.extend(creators.iter().map(|id| (ghosts.person(id), Role::Owner)));
        let Some(state) = self.context.conversations.get_mut(&conversation) else {
            return Verdict::Applied;
        };
        if state.kind == Kind::Direct {
            // Nobody has a role here, so it is asked of nobody what all of ours have.
            let power = |user: &UserId| match roles.get(user) {
                Some(Role::Owner) => i64::MAX,
                _ => users
                    .iter()
                    .find(|(id, _)| ghosts.person(id.as_str()) == *user)
                    .map_or(default, |(_, level)| *level),
            };
            let ours = state
                .members
                .keys()
                .filter(|user| self.context.profiles.get(user).is_some_and(|it| it.is_nova));
            let pin = if ours.map(power).all(|power| power >= needs.pin) {
                0
            } else {
                needs.pin
            };
            self.effects.needs.push((conversation, Needs { pin, ..needs }));
            return Verdict::Applied;
        }
        self.context.needs.insert(conversation, needs);
        self.effects.needs.push((conversation, needs));
        for (user, member) in &mut state.members {
            let new = roles.get(user).copied().unwrap_or_else(|| Role::of_power(default));
            let old = std::mem::replace(&mut member.role, new);
            if old != new {
                self.effects.members.push(MemberEdit {
                    conversation,
                    user: *user,
                    member: Some(*member),
                });
                let change = Change::RoleChanged {
                    by,
                    user: *user,
                    old,
                    new,
                };
                self.effects.feed.push(NewEntry::change(conversation, change));
            }
        }
        Verdict::Applied
    }

    /// The room goes on elsewhere: the conversation goes with it, and its ghosts follow when they can.
    pub(super) fn tombstone(&mut self, event: &InboundEvent, replacement: &OwnedRoomId) -> Verdict {
        let Some(portal) = self.context.rooms.get(&event.room).filter(|portal| portal.current) else {
            return Verdict::Ignored;
        };
        let conversation = portal.conversation;
        if self
            .context
            .rooms
            .get(replacement)
            .is_some_and(|other| other.conversation != conversation)
        {
            return Verdict::dead(
                reason::UNKNOWN_ROOM,
                "the replacement room belongs to another conversation",
            );
        }
        if self.context.spaces.contains(replacement) {
            return Verdict::dead(reason::UNKNOWN_ROOM, "the replacement room is a space");
        }
        self.become_portal(conversation, replacement);
        self.moves(conversation);
        let ghosts = self.nova_members(conversation);
        let lane = Lane::Conversation(conversation);
        for ghost in &ghosts {
            let room = replacement.to_string();
            self.job(lane, *ghost, Job::Join { room });
        }
        if let Some(ghost) = ghosts.first() {
            let room = replacement.to_string();
            self.job(lane, *ghost, Job::SyncRoom { room });
        }
        Verdict::Applied
    }

    /// The room is encrypted: keep what was said, and tell its people once.
    pub(super) fn encrypted(&mut self, event: &InboundEvent) -> Verdict {
        let Some(portal) = self.context.rooms.get_mut(&event.room) else {
            return Verdict::unknown_room();
        };
        // In a room that was left behind nobody of ours is there to tell it.
        if portal.current && !std::mem::replace(&mut portal.encrypted, true) {
            let conversation = portal.conversation;
            self.effects.encrypted.push(event.room.clone());
            if let Some(ghost) = self.nova_members(conversation).first().copied() {
                self.notice(conversation, ghost, ENCRYPTED_NOTICE);
            }
        }
        Verdict::dead(reason::ENCRYPTED, "the room is encrypted")
    }

    /// Tells a room something, as one of its ghosts, that is nobody's message.
    pub(super) fn notice(&mut self, conversation: ConversationId, ghost: UserId, text: &str) {
        let content = json!({ "msgtype": "m.notice", "body": text, "m.mentions": {}, "social.nova.notice": true });
        let send = Job::SendEvent {
            event_type: "m.room.message".to_owned(),
            content,
            answers: None,
        };
        self.job(Lane::Conversation(conversation), ghost, send);
    }

    pub(super) fn nova_members(&self, conversation: ConversationId) -> Vec<UserId> {
        let Some(state) = self.context.conversations.get(&conversation) else {
            return Vec::new();
        };
        let joined = |member: &&Member| member.membership == Membership::Joined;
        state
            .members
            .iter()
            .filter(|(_, member)| joined(member))
            .map(|(user, _)| *user)
            .filter(|user| self.context.profiles.get(user).is_some_and(|person| person.is_nova))
            .collect()
    }
}
