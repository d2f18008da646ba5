//! A Nova client that made a conversation's room with its own Matrix login says which one it is.

use std::collections::BTreeSet;

use ruma::{OwnedRoomId, OwnedUserId};

use crate::bridge::{Bridge, CommandError};
use crate::domain::conversation::{Conversation, Kind};
use crate::domain::event::RawEvent;
use crate::domain::feed::Change;
use crate::domain::ids::{ConversationId, UserId};
use crate::domain::ingest::{self, Company, Effects, NewEntry};
use crate::domain::job::Job;
use crate::domain::power::Role;
use crate::matrix::translate::inbound;
use crate::matrix::{HomeserverError, Retry};
use crate::store::{Tx, conversations, outages, people};

const ELSEWHERE: &str = "the conversation has another room";
const TAKEN: &str = "the room belongs to another conversation";
const OTHERS: &str = "somebody is in the room who is not in the conversation";
const NOT_THERE: &str = "you are not in this room";

impl Bridge {
    /// Makes a room that the caller is in the room of a conversation that has none. Its people are invited; what was said
    /// in it before stays there, and so does what was said in Nova.
    ///
    /// # Errors
    /// When the caller is not in both, or may not change the group; when the conversation has another room, the room
    /// another conversation, or people in it whom the conversation does not have.
    pub async fn map_room(&self, user: UserId, id: ConversationId, room: &str) -> Result<(), CommandError> {
        let room = OwnedRoomId::try_from(room).map_err(|_| CommandError::Invalid("not a room id".to_owned()))?;
        let mut connection = self.inner.store.read().await?;
        let conversation = conversations::find(&mut connection, id).await?;
        drop(connection);
        if is_mapped(conversation.as_ref(), user, &room)? {
            return Ok(());
        }
        let ghost = OwnedUserId::try_from(self.ghosts().mxid(user))
            .map_err(|_| CommandError::Invalid("not a user id".to_owned()))?;
        let now = self.now();
        let state: Vec<RawEvent> = may_be_refused(self.homeserver().room_state(&ghost, &room).await)?
            .into_iter()
            .map(|raw| inbound::read(raw, now))
            .collect();
        let company = ingest::company(self.ghosts(), &self.bots(), &state);
        if !company.ghosts.contains(&user) {
            return Err(CommandError::Forbidden(NOT_THERE));
        }
        let newest = may_be_refused(self.homeserver().messages(&ghost, &room, None, 1).await)?;
        let newest = newest.events.into_iter().next().map(|raw| inbound::read(raw, now));
        let begins = newest.and_then(|event| event.decoded.ok()).map(|event| event.id);

        let mut connection = self.inner.store.read().await?;
        let other = conversations::of_room(&mut connection, room.as_str()).await?;
        if other.is_none() && outages::was_ours(&mut connection, room.as_str()).await? {
            return Err(CommandError::Conflict(TAKEN));
        }
        drop(connection);
        let now = self.now();
        let mut tx = self.inner.store.begin().await?;
        let both: Vec<ConversationId> = [id].into_iter().chain(other).collect();
        conversations::lock(&mut tx, &both).await?;
        let conversation = conversations::find(&mut tx, id).await?;
        if is_mapped(conversation.as_ref(), user, &room)? {
            return Ok(());
        }
        let Some(conversation) = conversation else {
            return Err(CommandError::NoSuchConversation);
        };
        may_join(&conversation, &company)?;
        let mut effects = Effects::default();
        if let Some(other) = other.filter(|other| *other != id) {
            self.make_way(&mut tx, &mut effects, other, (user, &conversation))
                .await?;
        }
        self.move_in(&mut tx, &mut effects, &conversation, user, (&room, &company))
            .await?;
        effects.begins.extend(begins.map(|event| (room.clone(), event)));
        let replay = effects.replay.clone();
        match self.commit(tx, &effects, now).await {
            Err(error) if error.conflict().is_some() => return Err(CommandError::Conflict(TAKEN)),
            other => other?,
        }
        Ok(self.replay_all(replay).await?)
    }

    /// The room became a conversation of its own when it was made. Nothing was said there: it makes way.
    async fn make_way(
        &self,
        tx: &mut Tx,
        effects: &mut Effects,
        other: ConversationId,
        (user, conversation): (UserId, &Conversation),
    ) -> Result<(), CommandError> {
        let Some(other) = conversations::find(tx, other).await? else {
            // Deleted: its room is free.
            return Ok(());
        };
        let mut members = other.members.keys();
        let fits = members.all(|member| conversation.members.contains_key(member));
        if other.created_by != user || other.last_sequence > 0 || !fits {
            return Err(CommandError::Conflict(TAKEN));
        }
        effects
            .feed
            .push(NewEntry::change(other.id, Change::Deleted { by: user }));
        conversations::delete(tx, other.id, self.now()).await?;
        Ok(())
    }

    async fn move_in(
        &self,
        tx: &mut Tx,
        effects: &mut Effects,
        conversation: &Conversation,
        user: UserId,
        (room, company): (&OwnedRoomId, &Company),
    ) -> Result<(), CommandError> {
        let (id, now) = (conversation.id, self.now());
        effects.portals.push((id, room.clone()));
        effects.replay.push(room.clone());
        if conversation.last_sequence > 0 {
            effects.moved.push(id);
        }
        let missing: Vec<uuid::Uuid> = conversation
            .members
            .keys()
            .filter(|member| !company.people.contains(member))
            .map(|member| member.0)
            .collect();
        for person in people::profiles(tx, &missing).await?.values() {
            let target = self.mxid(person);
            effects.jobs.push(self.job(id, user, Job::Invite { target }, now));
        }
        let room = room.to_string();
        effects.jobs.push(self.job(id, user, Job::SyncRoom { room }, now));
        Ok(())
    }
}

/// Whether there is nothing to do, or else whether the caller may do it.
fn is_mapped(conversation: Option<&Conversation>, user: UserId, room: &OwnedRoomId) -> Result<bool, CommandError> {
    let conversation = conversation.ok_or(CommandError::NoSuchConversation)?;
    let member = conversation.joined(user).ok_or(CommandError::NotMember)?;
    match &conversation.room {
        Some(mapped) if mapped == room => Ok(true),
        Some(_) => Err(CommandError::Conflict(ELSEWHERE)),
        // Whoever made the room owns it, and the room says what its people may do in the group.
        None if conversation.kind == Kind::Group && member.role < Role::Admin => {
            Err(CommandError::Forbidden("only admins choose the group's room"))
        }
        None => Ok(false),
    }
}

/// Nobody hears of a conversation by way of its room.
fn may_join(conversation: &Conversation, company: &Company) -> Result<(), CommandError> {
    let members: BTreeSet<UserId> = conversation.members.keys().copied().collect();
    if company.people.is_subset(&members) {
        Ok(())
    } else {
        Err(CommandError::Conflict(OTHERS))
    }
}

fn may_be_refused<A>(answer: Result<A, HomeserverError>) -> Result<A, CommandError> {
    match answer {
        Err(error) if error.retry() == Retry::Never => Err(CommandError::Forbidden(NOT_THERE)),
        other => Ok(other?),
    }
}
