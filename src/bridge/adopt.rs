//! Rooms that are older than the bridge: something is said in one that no conversation has, and a Nova user is in it.
//!
//! It becomes a conversation before what is said is taken, so that all of it is there, in order. Nothing that was said
//! before is brought.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use ruma::{OwnedRoomId, OwnedUserId};
use tokio::time::timeout;

use super::ingest::{NotTaken, error_chain};
use super::sender::JobError;
use super::{Bridge, CommandError};
use crate::domain::event::{Meaning, RawEvent};
use crate::domain::ids::UserId;
use crate::domain::ingest::{self, Context};
use crate::matrix::Retry;
use crate::matrix::translate::inbound;
use crate::store::outages;

/// How long it is looked for a Nova user who is in a room in which only others speak.
const SEARCH: Duration = Duration::from_secs(20);

/// How many accounts are asked for their rooms at once.
const SIDE_BY_SIDE: usize = 16;

/// How many accounts are read at once.
const ACCOUNTS: i64 = 500;

/// How often it starts over because somebody else wrote the same key first.
const ATTEMPTS: u8 = 5;

/// A room that no conversation has, and in which something is said.
#[derive(Debug)]
pub(super) struct Strange {
    pub(super) room: OwnedRoomId,
    /// The first event.
    first: String,
    /// Nova users who say something there.
    speakers: BTreeSet<UserId>,
}

impl Bridge {
    /// The rooms in which something is said, that no conversation has, and of which nobody knows whether they are ours.
    pub(super) fn strange_rooms(&self, context: &Context, events: &[RawEvent]) -> Vec<Strange> {
        let mut found: Vec<Strange> = Vec::new();
        for event in events.iter().filter_map(|event| event.decoded.as_ref().ok()) {
            let is_said = matches!(
                event.meaning,
                Meaning::Message { .. }
                    | Meaning::NotYet { .. }
                    | Meaning::Encrypted
                    | Meaning::Call { .. }
                    | Meaning::RtcRing { .. }
            );
            let room = &event.room;
            if !is_said
                || context.bots.iter().any(|bot| bot == event.sender.as_str())
                || context.rooms.contains_key(room)
                || context.management.contains(room)
                || context.seen.contains(&event.id)
                || self.inner.strangers.contains_key(room)
            {
                continue;
            }
            let speaker = self.ghosts().nova_user(event.sender.as_str());
            if let Some(strange) = found.iter_mut().find(|it| it.room == *room) {
                strange.speakers.extend(speaker);
            } else {
                found.push(Strange {
                    room: room.clone(),
                    first: event.id.clone(),
                    speakers: speaker.into_iter().collect(),
                });
            }
        }
        found
    }

    /// Makes a conversation of a strange room, if a Nova user is in it.
    pub(super) async fn adopt(&self, strange: Strange) -> Result<(), NotTaken> {
        let room = strange.room.as_str();
        let adopted = match self.try_adopt(&strange).await {
            Ok(adopted) => adopted,
            Err(JobError::Store(error)) => return Err(error.into()),
            Err(JobError::Homeserver(error)) if error.retry() == Retry::Never => {
                tracing::info!(room.id = room, error = %error_chain(&error), "a room cannot be read");
                false
            }
            Err(error) if self.inner.doubts.failed(room, self.now()) => {
                tracing::error!(room.id = room, error = %error_chain(&error), "a room cannot be read, and its events are put aside");
                return Ok(());
            }
            Err(error) => {
                tracing::warn!(room.id = room, error = %error_chain(&error), "a room cannot be read yet");
                return Err(NotTaken::NotYet);
            }
        };
        self.inner.doubts.settled(room);
        if !adopted {
            self.inner.strangers.insert(strange.room, ());
        }
        Ok(())
    }

    async fn try_adopt(&self, strange: &Strange) -> Result<bool, JobError> {
        let mut connection = self.inner.store.read().await?;
        // What is still said in the room of a deleted conversation.
        if outages::was_ours(&mut connection, strange.room.as_str()).await? {
            return Ok(false);
        }
        drop(connection);
        let Some(ghost) = self.one_of_ours_in(strange).await? else {
            tracing::info!(room.id = %strange.room, "no Nova user was found in a room that no conversation has");
            return Ok(false);
        };
        let mxid = self.ghost_mxid(ghost)?;
        let state = self.homeserver().room_state(&mxid, &strange.room).await?;
        let now = self.now();
        let read = || -> Vec<RawEvent> { state.iter().map(|raw| inbound::read(raw.clone(), now)).collect() };
        let company = ingest::company(self.ghosts(), &self.bots(), &read());
        if company.is_none {
            return Ok(false);
        }
        // Nova users whom only the profile source knows become known.
        for other in &company.ghosts {
            self.find(*other).await?;
        }
        let mut attempt = 0;
        loop {
            attempt += 1;
            let now = self.now();
            let events = read();
            let mut tx = self.inner.store.begin().await?;
            let context = self.enter_with(&mut tx, &events, company.two(), now).await?;
            if context.rooms.contains_key(&strange.room) {
                return Ok(true);
            }
            let effects = ingest::adopt(
                context,
                &strange.room,
                (ghost, &company),
                &strange.first,
                events,
                &mut || self.id(now),
            );
            match self.commit(tx, &effects, now).await {
                Err(error) if error.conflict().is_some() && attempt < ATTEMPTS => {}
                done => {
                    done?;
                    tracing::info!(room.id = %strange.room, "an older room became a conversation");
                    // What was put aside for the room is older than what comes now.
                    self.replay_all(effects.replay).await?;
                    return Ok(true);
                }
            }
        }
    }

    /// A Nova user who is in the room: who speaks there, or else whoever says so when asked for their rooms.
    async fn one_of_ours_in(&self, strange: &Strange) -> Result<Option<UserId>, JobError> {
        for speaker in &strange.speakers {
            if self.find(*speaker).await? && self.is_in(*speaker, &strange.room).await? {
                return Ok(Some(*speaker));
            }
        }
        let search = async {
            let mut last = None;
            loop {
                let mut connection = self.inner.store.read().await?;
                let accounts = outages::accounts_after(&mut connection, last, ACCOUNTS).await?;
                drop(connection);
                let Some(newest) = accounts.last().copied() else {
                    return Ok(None);
                };
                let mut asked = stream::iter(accounts)
                    .map(|account| async move { (account, self.is_in(account, &strange.room).await) })
                    .buffer_unordered(SIDE_BY_SIDE);
                while let Some((account, is_in)) = asked.next().await {
                    if is_in? {
                        return Ok(Some(account));
                    }
                }
                last = Some(newest);
            }
        };
        if let Ok(found) = timeout(SEARCH, search).await {
            return found;
        }
        tracing::warn!(room.id = %strange.room, "nobody was found in a room in time");
        Ok(None)
    }

    async fn is_in(&self, user: UserId, room: &OwnedRoomId) -> Result<bool, JobError> {
        match self.homeserver().joined_rooms(&self.ghost_mxid(user)?).await {
            Ok(rooms) => Ok(rooms.contains(room)),
            // A ghost that the homeserver does not have is nowhere.
            Err(error) if error.retry() == Retry::Never => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether there is such an account.
    async fn find(&self, user: UserId) -> Result<bool, JobError> {
        match self.find_account(user).await {
            Ok(found) => Ok(found.is_some()),
            Err(CommandError::Store(error)) => Err(error.into()),
            Err(error) => {
                tracing::info!(user.id = %user, %error, "an account cannot be looked up");
                Ok(false)
            }
        }
    }

    fn ghost_mxid(&self, user: UserId) -> Result<OwnedUserId, JobError> {
        OwnedUserId::try_from(self.ghosts().mxid(user))
            .map_err(|_| JobError::Hopeless("the ghost's name is no Matrix id".to_owned()))
    }
}
