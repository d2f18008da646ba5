//! Looks into the rooms for what Synapse knows and has never pushed.
//!
//! Synapse keeps what it is about to push in memory, behind a position that it has already moved on. When it is restarted
//! or dies, or its database fails it at that moment, that is gone, and nothing ever tells us. So after every such time the
//! rooms are read back to shortly before. What was applied before is known by its event id and has no effect.

use chrono::{DateTime, TimeDelta};
use ruma::{OwnedRoomId, OwnedUserId};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Bridge;
use super::ingest::error_chain;
use super::sender::JobError;
use crate::domain::clock::Timestamp;
use crate::matrix::HomeserverError;
use crate::store::{StoreError, lists};

/// How long before an outage is noticed something may have been said that was not pushed. Synapse pushes within moments.
const MARGIN: TimeDelta = TimeDelta::minutes(2);

/// How many rooms are looked into, the most lively first.
const ROOMS: i64 = 1000;

/// Events to a page, and how many pages at most.
const PAGE: u16 = 100;
const PAGES: usize = 20;

/// The parts of an event that tell where to stop.
#[derive(Deserialize)]
struct Seen {
    #[serde(default)]
    origin_server_ts: i64,
    #[serde(default, rename = "type")]
    event_type: String,
    #[serde(default)]
    state_key: Option<String>,
    #[serde(default)]
    content: SeenContent,
}

#[derive(Default, Deserialize)]
struct SeenContent {
    #[serde(default)]
    membership: serde_json::Value,
}

impl Seen {
    fn is_about(&self, ghost: &OwnedUserId) -> bool {
        self.event_type == "m.room.member" && self.state_key.as_deref() == Some(ghost.as_str())
    }
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

    /// Whether the database was restarted, and the rooms have not been looked into since.
    #[must_use]
    pub fn database_restarted(&self) -> bool {
        self.inner.store.server().restarted()
    }

    /// Applies what was said in the rooms since shortly before `away` and was never pushed.
    ///
    /// # Errors
    /// When Postgres cannot work. A room that cannot be read is left out.
    pub async fn catch_up(&self, away: Timestamp) -> Result<(), StoreError> {
        let mut connection = self.inner.store.read().await?;
        // Met by this connection, if by none before.
        self.inner.store.server().trust();
        let run = self.inner.store.server().trusted();
        let rooms = lists::lively_rooms(&mut connection, ROOMS).await?;
        drop(connection);
        let since = away - MARGIN;
        for (room, ghost) in &rooms {
            let ids = (
                OwnedRoomId::try_from(room.as_str()),
                OwnedUserId::try_from(self.ghosts().mxid(*ghost)),
            );
            let (Ok(room), Ok(ghost)) = ids else { continue };
            let before = |seen: &Seen| {
                let at = DateTime::from_timestamp_millis(seen.origin_server_ts);
                seen.is_about(&ghost) || at.is_none_or(|at| at < since)
            };
            match self.said_since(&room, &ghost, before).await {
                Ok(events) => self.accept(&events, run).await?,
                Err(error) => {
                    tracing::warn!(room.id = %room, error = %error_chain(&error), "a room cannot be looked into");
                }
            }
        }
        self.inner.metrics.caught_up();
        tracing::info!(rooms = rooms.len(), "looked into the rooms for what was not pushed");
        Ok(())
    }

    /// Applies what was said in a room between a ghost's invite and its coming. Who and what is there now is not read from
    /// what was said.
    pub(super) async fn read_back_room(&self, room: &OwnedRoomId, ghost: &OwnedUserId) -> Result<(), JobError> {
        let run = self.inner.store.server().trusted();
        let invited = |seen: &Seen| seen.is_about(ghost) && seen.content.membership == "invite";
        let mut events = self.said_since(room, ghost, invited).await?;
        let is_state =
            |event: &RawValue| serde_json::from_str::<Seen>(event.get()).is_ok_and(|it| it.state_key.is_some());
        events.retain(|event| !is_state(event));
        Ok(self.accept(&events, run).await?)
    }

    /// The events of a room after the last one that is `before` them, the oldest first.
    async fn said_since(
        &self,
        room: &OwnedRoomId,
        ghost: &OwnedUserId,
        before: impl Fn(&Seen) -> bool,
    ) -> Result<Vec<Box<RawValue>>, HomeserverError> {
        let mut events = Vec::new();
        let mut from: Option<String> = None;
        'pages: for _ in 0..PAGES {
            let page = self.homeserver().messages(ghost, room, from.as_deref(), PAGE).await?;
            let ended = page.events.is_empty() || page.end.is_none();
            for event in page.events {
                let Ok(seen) = serde_json::from_str::<Seen>(event.get()) else {
                    continue;
                };
                if before(&seen) {
                    break 'pages;
                }
                events.push(event);
            }
            if ended {
                break;
            }
            from = page.end;
        }
        events.reverse();
        Ok(events)
    }
}
