//! Looks into the rooms for what Synapse knows and has never pushed.
//!
//! Synapse keeps what it is about to push in memory, behind a position that it has already moved on. When it is restarted
//! or dies, or its database fails it at that moment, that is gone, and nothing ever tells us; and what happened to it while
//! we were away, nobody knows. So each such time is written down ([`Bridge::doubt`]), and from then on every room is in
//! doubt until it was looked into: before the next event that is pushed for it is taken, or in its turn, the most lively
//! room first ([`Bridge::look_into_rooms`]). Which rooms those are is in the database, so a restart forgets none.
//!
//! A room is read back to what was applied of it well before the outage, by our own clock: Synapse pushes a room in order,
//! so nothing is missing below. What was applied before is known by its event id and has no effect.

mod look_back;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use ruma::{OwnedRoomId, OwnedUserId};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::Bridge;
use super::ingest::{NotTaken, error_chain};
use super::sender::JobError;
use crate::domain::clock::Timestamp;
use crate::matrix::{HomeserverError, Retry};
use crate::store::StoreError;
use crate::store::outages::{self, Doubted};
use look_back::Way;

/// How long before an outage is noticed something may have been lost, with younger events taken after it. Synapse pushes
/// within moments.
const MARGIN: TimeDelta = TimeDelta::minutes(2);

/// How many rooms are looked into before it is asked again which are the most lively.
const ROOMS: i64 = 100;

/// How long between two rooms that nobody waits for.
const PACE: Duration = Duration::from_millis(20);

/// How long until it is asked again whether there are rooms in doubt.
const LOOK: Duration = Duration::from_millis(500);

/// How long a room that cannot be read holds up what is pushed for it. After that, order is lost and nothing else.
const PATIENCE: TimeDelta = TimeDelta::minutes(1);

/// How long Synapse waits for one room at a time.
const READING: Duration = Duration::from_secs(20);

/// How long until a room that could not be read has its next turn.
const AGAIN: TimeDelta = TimeDelta::seconds(15);

/// Whether any room may be in doubt, so that nobody has to ask as long as none is.
#[derive(Debug)]
pub(super) struct Doubts {
    /// How many outages this process has noticed; its start is the first.
    noticed: AtomicU64,
    /// How many of them there had been when the last room was looked into.
    over: AtomicU64,
    /// Rooms that could not be read.
    failing: Mutex<HashMap<String, Failing>>,
}

#[derive(Debug, Clone, Copy)]
struct Failing {
    first: Timestamp,
    last: Timestamp,
}

impl Default for Doubts {
    fn default() -> Self {
        Self {
            noticed: AtomicU64::new(1),
            over: AtomicU64::new(0),
            failing: Mutex::default(),
        }
    }
}

impl Doubts {
    fn any(&self) -> bool {
        self.noticed.load(Ordering::Acquire) != self.over.load(Ordering::Acquire)
    }

    fn failing(&self) -> MutexGuard<'_, HashMap<String, Failing>> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A room could not be read. Returns whether it has been so for longer than anybody waits.
    pub(super) fn failed(&self, room: &str, now: Timestamp) -> bool {
        let mut failing = self.failing();
        let entry = failing
            .entry(room.to_owned())
            .or_insert(Failing { first: now, last: now });
        if now - entry.last > PATIENCE {
            // That was another time.
            entry.first = now;
        }
        entry.last = now;
        now - entry.first > PATIENCE
    }

    /// A room was read, or never can be.
    pub(super) fn settled(&self, room: &str) {
        self.failing().remove(room);
    }

    /// Whether nobody waits for a room any more, and its next turn is not yet.
    fn is_given_up(&self, room: &str, now: Timestamp) -> bool {
        let failing = self.failing();
        failing
            .get(room)
            .is_some_and(|it| now - it.first > PATIENCE && now - it.last < AGAIN)
    }

    /// The rooms whose next turn is not yet.
    fn resting(&self, now: Timestamp) -> Vec<String> {
        let failing = self.failing();
        let resting = failing.iter().filter(|(_, it)| now - it.last < AGAIN);
        resting.map(|(room, _)| room.clone()).collect()
    }
}

/// Where an event belongs.
#[derive(Deserialize)]
struct Placed {
    room_id: String,
}

impl Bridge {
    /// Whether the homeserver or the database cannot work now. Both, because the two often share a Postgres, and Synapse
    /// also drops what it was about to push when its own database fails. Slow is not away.
    pub async fn something_is_away(&self) -> bool {
        // A profile, because it is read from Synapse's database.
        let homeserver = match self.homeserver().profile(&self.inner.settings.bot).await {
            Err(HomeserverError::Connect(_) | HomeserverError::Broken(_)) => true,
            Err(error) => error.status().is_some_and(|status| status >= 500),
            Ok(_) => false,
        };
        homeserver || !self.database_answers().await
    }

    /// Whether the database was restarted, and that has not been written down.
    #[must_use]
    pub fn database_restarted(&self) -> bool {
        self.inner.store.server().restarted()
    }

    /// Writes down that something may be missing in every room: something was away, which was noticed at `noticed`.
    ///
    /// # Errors
    /// When Postgres cannot work. Nothing that is pushed may be taken then.
    pub async fn doubt(&self, noticed: Timestamp) -> Result<(), StoreError> {
        let mut connection = self.inner.store.read().await?;
        outages::note(&mut connection, noticed).await?;
        self.inner.doubts.noticed.fetch_add(1, Ordering::AcqRel);
        // Met by this connection, if by none before.
        self.inner.store.server().trust();
        Ok(())
    }

    /// Looks into the rooms that are in doubt, one after the other, until `stop`.
    pub async fn keep_rooms_sound(&self, stop: CancellationToken) {
        let look = async {
            loop {
                if self.inner.doubts.any() {
                    match self.look_into_rooms(ROOMS, PACE).await {
                        Ok(0) | Err(_) => {}
                        Ok(_) => continue,
                    }
                }
                sleep(LOOK).await;
            }
        };
        stop.run_until_cancelled(look).await;
    }

    /// Looks into the `limit` most lively of the rooms that are in doubt, with a rest of `pace` after each. Returns how
    /// many there were: none are left, or can be read now, where it is 0.
    ///
    /// # Errors
    /// When Postgres cannot work.
    pub async fn look_into_rooms(&self, limit: i64, pace: Duration) -> Result<usize, StoreError> {
        let doubts = &self.inner.doubts;
        let noticed = doubts.noticed.load(Ordering::Acquire);
        let resting = doubts.resting(self.now());
        let mut connection = self.inner.store.read().await?;
        let newest = outages::newest(&mut connection).await?;
        let rooms = outages::doubted(&mut connection, None, &resting, limit).await?;
        if rooms.is_empty() && resting.is_empty() {
            outages::forget(&mut connection, newest).await?;
            if doubts.over.swap(noticed, Ordering::AcqRel) != noticed {
                self.inner.metrics.caught_up();
                tracing::info!("all rooms have been looked into for what was not pushed");
            }
        }
        drop(connection);
        for room in &rooms {
            match self.look_into(room).await {
                Ok(()) => {}
                Err(JobError::Store(error)) => return Err(error),
                // Not the room's fault.
                Err(_) if self.something_is_away().await => return Ok(0),
                Err(error) => {
                    doubts.failed(&room.room, self.now());
                    tracing::warn!(room.id = %room.room, error = %error_chain(&error), "a room cannot be looked into yet");
                }
            }
            sleep(pace).await;
        }
        Ok(rooms.len())
    }

    /// Looks into the rooms of events that were pushed, as far as they are in doubt: what is missing is older.
    pub(super) async fn look_into_rooms_of(&self, events: &[Box<RawValue>]) -> Result<(), NotTaken> {
        let doubts = &self.inner.doubts;
        if !doubts.any() {
            return Ok(());
        }
        let mut rooms: Vec<String> = events
            .iter()
            .filter_map(|event| serde_json::from_str::<Placed>(event.get()).ok())
            .map(|placed| placed.room_id)
            .collect();
        rooms.sort_unstable();
        rooms.dedup();
        let mut connection = self.inner.store.read().await?;
        let rooms = outages::doubted(&mut connection, Some(&rooms), &[], i64::MAX).await?;
        drop(connection);
        for room in rooms {
            if doubts.is_given_up(&room.room, self.now()) {
                continue;
            }
            let looked = timeout(READING, Box::pin(self.look_into(&room))).await;
            match looked.unwrap_or(Err(JobError::NotYet("reading it takes too long"))) {
                Ok(()) => {}
                Err(JobError::Store(error)) => return Err(error.into()),
                Err(error) if doubts.failed(&room.room, self.now()) => {
                    tracing::error!(
                        room.id = %room.room, error = %error_chain(&error),
                        "a room cannot be looked into; what is pushed now comes before what may be missing"
                    );
                }
                Err(error) => {
                    tracing::warn!(room.id = %room.room, error = %error_chain(&error), "a room cannot be looked into yet");
                    return Err(NotTaken::NotYet);
                }
            }
        }
        Ok(())
    }

    /// Applies what is missing of a room, as whichever of its Nova users may read it.
    async fn look_into(&self, doubted: &Doubted) -> Result<(), JobError> {
        let run = self.inner.store.server().trusted();
        let mut refused = None;
        for reader in &doubted.readers {
            let ids = (
                OwnedRoomId::try_from(doubted.room.as_str()),
                OwnedUserId::try_from(self.ghosts().mxid(*reader)),
            );
            let (Ok(room), Ok(ghost)) = ids else { continue };
            let way = Way {
                ghost: &ghost,
                room: &room,
                sound: Some(doubted.since - MARGIN),
                begins_with: doubted.begins_with.as_deref(),
                to_invite: false,
            };
            match self.look_back(way, run).await {
                Err(JobError::Homeserver(error)) if error.retry() == Retry::Never => refused = Some(error),
                Err(error) => return Err(error),
                Ok(whole) => {
                    if !whole {
                        self.inner.metrics.look_was_cut();
                        tracing::error!(
                            room.id = %room,
                            "more was said in a room than is read back; what is older than that is missing in Nova"
                        );
                    }
                    refused = None;
                    break;
                }
            }
        }
        if let Some(error) = refused {
            tracing::warn!(room.id = %doubted.room, error = %error_chain(&error), "a room cannot be looked into");
        }
        let mut connection = self.inner.store.read().await?;
        outages::looked_into(&mut connection, &doubted.room, doubted.outage).await?;
        self.inner.doubts.settled(&doubted.room);
        Ok(())
    }

    /// Applies what was said in a room between a ghost's invite and its coming. Who and what is there now is not read from
    /// what was said.
    pub(super) async fn read_back_room(&self, room: &OwnedRoomId, ghost: &OwnedUserId) -> Result<(), JobError> {
        let run = self.inner.store.server().trusted();
        let way = Way {
            ghost,
            room,
            sound: None,
            begins_with: None,
            to_invite: true,
        };
        self.look_back(way, run).await?;
        Ok(())
    }
}
