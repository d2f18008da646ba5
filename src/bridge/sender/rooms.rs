//! Makes a conversation's room: once, whatever happens in between.

use std::collections::BTreeMap;

use ruma::{OwnedRoomId, UserId};
use uuid::Uuid;

use super::{Done, JobError};
use crate::bridge::Bridge;
use crate::domain::conversation::Conversation;
use crate::domain::ids::UserId as NovaUser;
use crate::domain::job::StoredJob;
use crate::domain::power::Role;
use crate::matrix::translate::outbound;
use crate::store::people::Profiles;
use crate::store::{conversations, people};

impl Bridge {
    pub(super) async fn create_room(&self, job: &StoredJob, ghost: &UserId) -> Result<Done, JobError> {
        let Some((conversation, people)) = self.to_be_made(job).await? else {
            return Ok(Done::Yes);
        };
        self.ensure_ghost(job.actor).await?;
        for account in people.values().filter(|person| person.is_nova) {
            self.ensure_ghost(account.id).await?;
        }
        let found = if job.uncertain {
            self.find_room(ghost, &job.id.to_string()).await?
        } else {
            None
        };
        let room = match found {
            Some(room) => room,
            None => self.make(job, ghost, &conversation, &people).await?,
        };
        Ok(Done::Room(room))
    }

    /// The conversation and its people, if it still lacks a room.
    async fn to_be_made(&self, job: &StoredJob) -> Result<Option<(Conversation, Profiles)>, JobError> {
        let Some(id) = job.conversation else { return Ok(None) };
        let mut connection = self.inner.store.read().await?;
        let Some(conversation) = conversations::find(&mut connection, id).await? else {
            return Ok(None);
        };
        if conversation.room.is_some() {
            return Ok(None);
        }
        let ids: Vec<Uuid> = conversation.members.keys().map(|user| user.0).collect();
        let people = people::profiles(&mut connection, &ids).await?;
        Ok(Some((conversation, people)))
    }

    async fn make(
        &self,
        job: &StoredJob,
        ghost: &UserId,
        conversation: &Conversation,
        people: &Profiles,
    ) -> Result<OwnedRoomId, JobError> {
        let role = |user: &NovaUser| {
            conversation
                .members
                .get(user)
                .map_or(Role::Member, |member| member.role)
        };
        let invited: BTreeMap<String, Role> = people
            .values()
            .filter(|person| person.id != job.actor)
            .map(|person| (person.mxid.to_string(), role(&person.id)))
            .collect();
        let avatar = match (&conversation.avatar_url, people.get(&job.actor)) {
            (Some(url), Some(owner)) => self.uploaded(owner, url).await?,
            _ => None,
        };
        let bot = self.inner.settings.bot.as_str();
        let body = outbound::create_room(conversation, job.id, ghost.as_str(), &invited, bot, avatar.as_deref());
        Ok(self.homeserver().create_room(ghost, &body).await?)
    }
}
