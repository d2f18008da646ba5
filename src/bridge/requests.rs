//! Requests: Nova users who were asked to come to a conversation, and answer.

use super::conversations::members::{came, gone};
use super::{Bridge, CommandError};
use crate::domain::clock::Timestamp;
use crate::domain::conversation::{Conversation, Member, Membership, Person};
use crate::domain::feed::Change;
use crate::domain::ids::{ConversationId, UserId};
use crate::domain::ingest::{Effects, MemberEdit, NewEntry, NewRequest};
use crate::domain::job::Job;
use crate::domain::request::Answer;
use crate::store::people;
use crate::store::requests::{self, Request};

impl Bridge {
    /// What waits for somebody's answer.
    ///
    /// # Errors
    /// When Postgres fails.
    pub async fn requests(&self, user: UserId) -> Result<Vec<Request>, CommandError> {
        let mut connection = self.inner.store.read().await?;
        Ok(requests::list(&mut connection, user).await?)
    }

    /// Lets the caller come to a conversation that they were asked to. Who has come already stays. Returns who asked.
    ///
    /// # Errors
    /// When nobody asked, or they have answered otherwise.
    pub async fn accept_request(&self, user: UserId, id: ConversationId) -> Result<UserId, CommandError> {
        let now = self.now();
        let mut tx = self.inner.store.begin().await?;
        let conversation = self.locked(&mut tx, id).await?.ok_or(CommandError::NoSuchRequest)?;
        let asked = requests::asked(&mut tx, id, user).await?;
        let (by, membership) = asked.ok_or(CommandError::NoSuchRequest)?;
        if membership == Membership::Joined {
            return Ok(by);
        }
        let person = people::person(&mut tx, user)
            .await?
            .ok_or(CommandError::NoSuchRequest)?;
        let effects = self.coming(&conversation, &person, now);
        self.commit(tx, &effects, now).await?;
        Ok(by)
    }

    /// What it means that somebody comes who was asked.
    fn coming(&self, conversation: &Conversation, person: &Person, now: Timestamp) -> Effects {
        let (id, user) = (conversation.id, person.id);
        let role = conversation.members.get(&user).map(|member| member.role);
        let member = Member {
            role: role.unwrap_or_default(),
            membership: Membership::Joined,
        };
        let created = Change::Created {
            by: conversation.created_by,
            kind: conversation.kind,
            name: conversation.name.clone(),
        };
        let answer = Answer::Accepted;
        let mut effects = Effects {
            members: vec![MemberEdit {
                conversation: id,
                user,
                member: Some(member),
            }],
            departed: vec![(id, user)],
            feed: vec![
                NewEntry::change(id, came(user, person, member)),
                NewEntry::change(id, created).only_for(user),
                NewEntry::change(id, Change::Answered { answer }).only_for(user),
            ],
            ..Effects::default()
        };
        let mut job = |job| effects.jobs.push(self.job(id, user, job, now));
        if let Some(room) = conversation.room.as_ref().map(ToString::to_string) {
            job(Job::Join { room: room.clone() });
            job(Job::ReadBack { room: room.clone() });
            job(Job::SyncRoom { room });
        } else if conversation.has_portal {
            // Being made, or lost while nobody of ours was there to make another one.
            job(Job::CreateRoom);
        }
        effects
    }

    /// Declines what the caller was asked to come to.
    ///
    /// # Errors
    /// When nobody asked, or they have answered.
    pub async fn reject_request(&self, user: UserId, id: ConversationId) -> Result<(), CommandError> {
        let now = self.now();
        let mut tx = self.inner.store.begin().await?;
        let conversation = self.locked(&mut tx, id).await?.ok_or(CommandError::NoSuchRequest)?;
        let asked = conversation.members.get(&user);
        if asked.is_none_or(|member| member.membership != Membership::Invited) {
            return Err(CommandError::NoSuchRequest);
        }
        let mut effects = gone(&conversation, user, user);
        let answer = Answer::Rejected;
        effects
            .feed
            .push(NewEntry::change(id, Change::Answered { answer }).only_for(user));
        if conversation.has_portal {
            let leave = Job::Leave {
                room: None,
                notice: None,
            };
            effects.jobs.push(self.job(id, user, leave, now));
        }
        self.commit(tx, &effects, now).await?;
        Ok(())
    }
}

impl Effects {
    /// Asks those of these people to come who are Nova users and have not come.
    pub(super) fn ask(&mut self, conversation: ConversationId, by: UserId, people: &[(&Person, Member)]) {
        for (person, member) in people {
            if person.is_nova && member.membership == Membership::Invited {
                let user = person.id;
                self.requests.push(NewRequest { conversation, user, by });
                self.feed
                    .push(NewEntry::change(conversation, Change::Requested { by }).only_for(user));
            }
        }
    }
}
