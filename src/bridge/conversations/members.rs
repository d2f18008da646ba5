//! Members that come, go and rise.

use crate::bridge::{Bridge, CommandError};
use crate::domain::conversation::{Conversation, Kind, Member, Person};
use crate::domain::feed::Change;
use crate::domain::ids::{ConversationId, UserId};
use crate::domain::ingest::{Effects, MemberEdit, NewEntry};
use crate::domain::job::Job;
use crate::domain::power::Role;
use crate::store::{Tx, people};

use super::arriving;

impl Bridge {
    /// Adds people to a group. Nova users are in at once, unless they want to be asked; Matrix users are invited; who is there
    /// already stays.
    ///
    /// # Errors
    /// When the caller is no member, nobody knows one of the people, or a role is above the caller's.
    pub async fn add_members(
        &self,
        user: UserId,
        id: ConversationId,
        who: &[String],
        role: Role,
    ) -> Result<(), CommandError> {
        let mut persons = Vec::with_capacity(who.len());
        for text in who {
            persons.push(self.resolve(text).await?);
        }
        let now = self.now();
        let mut tx = self.inner.store.begin().await?;
        let conversation = self.group_of(&mut tx, id, user, Role::Member, "").await?;
        let own = conversation.joined(user).map_or(Role::Member, |member| member.role);
        if role > Role::Member && !own.manages(role) {
            return Err(CommandError::Forbidden(
                "you cannot give a role that is not below your own",
            ));
        }
        let doors = self.doors(&mut tx, user, &persons).await?;
        let mut effects = Effects::default();
        let mut portal = conversation.has_portal;
        for person in &persons {
            if conversation.members.contains_key(&person.id) {
                continue;
            }
            let member = arriving(person, role, doors.admission(person.id, user));
            if !person.is_nova {
                effects.met.push(person.clone());
                if !portal {
                    portal = true;
                    effects.wants_portal.push(id);
                    effects.jobs.push(self.job(id, user, Job::CreateRoom, now));
                }
            }
            effects.members.push(MemberEdit {
                conversation: id,
                user: person.id,
                member: Some(member),
            });
            effects.departed.push((id, person.id));
            effects.feed.push(NewEntry::change(id, came(user, person, member)));
            effects.ask(id, user, &[(person, member)]);
            if conversation.has_portal {
                effects.jobs.push(self.job(
                    id,
                    user,
                    Job::Invite {
                        target: self.mxid(person),
                    },
                    now,
                ));
                if role > Role::Member {
                    let job = Job::SetPower {
                        target: self.mxid(person),
                        level: role.power(),
                    };
                    effects.jobs.push(self.job(id, user, job, now));
                }
            }
        }
        self.commit(tx, &effects, now).await?;
        Ok(())
    }

    /// Removes somebody from a group, or lets the caller leave it.
    ///
    /// # Errors
    /// When the caller may not, or the last owner would go and others stay.
    pub async fn remove_member(&self, user: UserId, id: ConversationId, target: UserId) -> Result<(), CommandError> {
        if user == target {
            return self.leave(user, id).await;
        }
        let now = self.now();
        let mut tx = self.inner.store.begin().await?;
        let conversation = self.group_of(&mut tx, id, user, Role::Member, "").await?;
        let own = conversation.joined(user).map_or(Role::Member, |member| member.role);
        let Some(theirs) = conversation.members.get(&target) else {
            return Err(CommandError::NoSuchUser(target.to_string()));
        };
        if !own.manages(theirs.role) {
            return Err(CommandError::Forbidden(
                "you can only remove members below your own role",
            ));
        }
        let mut effects = gone(&conversation, user, target);
        self.leave_calls(&mut tx, &mut effects, &conversation, &[target])
            .await?;
        if conversation.has_portal
            && let Some(person) = people::person(&mut tx, target).await?
        {
            effects.jobs.push(self.job(
                id,
                user,
                Job::Kick {
                    target: self.mxid(&person),
                },
                now,
            ));
        }
        self.commit(tx, &effects, now).await?;
        Ok(())
    }

    /// Lets the caller leave a conversation.
    ///
    /// # Errors
    /// When the caller is the last owner of a group and others stay.
    pub async fn leave(&self, user: UserId, id: ConversationId) -> Result<(), CommandError> {
        let now = self.now();
        let mut tx = self.inner.store.begin().await?;
        let conversation = self.conversation_of(&mut tx, id, user).await?;
        let owns = |member: &Member| member.role == Role::Owner;
        let owners = conversation.members.values().filter(|member| owns(member)).count();
        let last = owners == 1 && conversation.members.get(&user).is_some_and(owns);
        if conversation.kind == Kind::Group && last && conversation.members.len() > 1 {
            return Err(CommandError::Invalid(
                "the last owner cannot leave; make somebody else owner first".to_owned(),
            ));
        }
        let mut effects = gone(&conversation, user, user);
        self.leave_calls(&mut tx, &mut effects, &conversation, &[user]).await?;
        if conversation.has_portal {
            effects.jobs.push(self.job(
                id,
                user,
                Job::Leave {
                    room: None,
                    notice: None,
                },
                now,
            ));
        }
        self.commit(tx, &effects, now).await?;
        Ok(())
    }

    /// Gives somebody another role.
    ///
    /// # Errors
    /// When the caller's role is not above both the old and the new one. Owners make owners.
    pub async fn set_role(
        &self,
        user: UserId,
        id: ConversationId,
        target: UserId,
        role: Role,
    ) -> Result<(), CommandError> {
        let now = self.now();
        let mut tx = self.inner.store.begin().await?;
        let conversation = self
            .group_of(&mut tx, id, user, Role::Admin, "only admins give roles")
            .await?;
        let own = conversation.joined(user).map_or(Role::Member, |member| member.role);
        let Some(member) = conversation.members.get(&target).copied() else {
            return Err(CommandError::NoSuchUser(target.to_string()));
        };
        let makes_owner = own == Role::Owner && role == Role::Owner;
        if !own.manages(member.role) || !(own.manages(role) || makes_owner) {
            return Err(CommandError::Forbidden(
                "you can only give roles below your own to members below you",
            ));
        }
        if member.role == role {
            return Ok(());
        }
        let mut effects = Effects::default();
        let new = Member { role, ..member };
        effects.members.push(MemberEdit {
            conversation: id,
            user: target,
            member: Some(new),
        });
        let change = Change::RoleChanged {
            by: user,
            user: target,
            old: member.role,
            new: role,
        };
        effects.feed.push(NewEntry::change(id, change));
        if conversation.has_portal
            && let Some(person) = people::person(&mut tx, target).await?
        {
            let job = Job::SetPower {
                target: self.mxid(&person),
                level: role.power(),
            };
            effects.jobs.push(self.job(id, user, job, now));
        }
        self.commit(tx, &effects, now).await?;
        Ok(())
    }

    /// Locks a conversation that the caller takes part in.
    pub(in crate::bridge) async fn conversation_of(
        &self,
        tx: &mut Tx,
        id: ConversationId,
        user: UserId,
    ) -> Result<Conversation, CommandError> {
        let conversation = self.locked(tx, id).await?.ok_or(CommandError::NoSuchConversation)?;
        if conversation.joined(user).is_none() {
            return Err(CommandError::NotMember);
        }
        Ok(conversation)
    }

    /// Locks a group that the caller takes part in with at least this role.
    pub(in crate::bridge) async fn group_of(
        &self,
        tx: &mut Tx,
        id: ConversationId,
        user: UserId,
        least: Role,
        otherwise: &'static str,
    ) -> Result<Conversation, CommandError> {
        let conversation = self.conversation_of(tx, id, user).await?;
        if conversation.kind == Kind::Direct {
            return Err(CommandError::Invalid(
                "this is a direct conversation, not a group".to_owned(),
            ));
        }
        if conversation.joined(user).is_none_or(|member| member.role < least) {
            return Err(CommandError::Forbidden(otherwise));
        }
        Ok(conversation)
    }
}

pub(in crate::bridge) fn came(by: UserId, person: &Person, member: Member) -> Change {
    Change::MemberJoined {
        by,
        user: person.id,
        username: person.handle().to_owned(),
        display_name: person.shown_name().to_owned(),
        role: member.role,
        membership: member.membership,
    }
}

pub(in crate::bridge) fn gone(conversation: &Conversation, by: UserId, user: UserId) -> Effects {
    let id = conversation.id;
    Effects {
        members: vec![MemberEdit {
            conversation: id,
            user,
            member: None,
        }],
        // Until the room has said it too, it may still tell of their coming.
        departures: conversation.has_portal.then_some((id, user)).into_iter().collect(),
        feed: vec![NewEntry::change(id, Change::MemberLeft { by, user })],
        ..Effects::default()
    }
}
