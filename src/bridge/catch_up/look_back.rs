//! Reads a room back, page by page, to where it is known, and applies what is not known, the oldest first.
//!
//! Where to stop is told by event ids alone: what an event says about its time is chosen by whoever sent it.

use std::collections::HashMap;

use ruma::{OwnedRoomId, OwnedUserId};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::Bridge;
use super::super::sender::JobError;
use crate::domain::clock::Timestamp;
use crate::store::outages;
use crate::store::server::Run;

/// Events to a page.
const PAGE: u16 = 100;

/// How many pages are read back at most.
const PAGES: usize = 1000;

/// The parts of an event that tell where to stop, and what not to take.
#[derive(Deserialize)]
pub(super) struct Seen {
    event_id: String,
    #[serde(default, rename = "type")]
    event_type: String,
    #[serde(default)]
    state_key: Option<String>,
    #[serde(default)]
    content: SeenContent,
    #[serde(default)]
    unsigned: SeenUnsigned,
}

#[derive(Default, Deserialize)]
struct SeenContent {
    #[serde(default)]
    membership: serde_json::Value,
}

#[derive(Default, Deserialize)]
struct SeenUnsigned {
    #[serde(default)]
    prev_content: Option<SeenContent>,
    #[serde(default)]
    redacted_because: Option<serde::de::IgnoredAny>,
}

impl Seen {
    fn is_about(&self, ghost: &OwnedUserId) -> bool {
        self.event_type == "m.room.member" && self.state_key.as_deref() == Some(ghost.as_str())
    }

    /// Whether the ghost came to the room, and did not only change its name.
    fn is_coming_of(&self, ghost: &OwnedUserId) -> bool {
        let was_there = |before: &SeenContent| before.membership == "join";
        self.is_about(ghost)
            && self.content.membership == "join"
            && !self.unsigned.prev_content.as_ref().is_some_and(was_there)
    }
}

/// How a room is read back.
#[derive(Clone, Copy)]
pub(super) struct Way<'a> {
    /// As whom.
    pub(super) ghost: &'a OwnedUserId,
    /// The room.
    pub(super) room: &'a OwnedRoomId,
    /// What was applied before is known to be whole: what lies below is not looked at.
    pub(super) sound: Option<Timestamp>,
    /// The event below which nothing is taken. It is taken itself.
    pub(super) begins_with: Option<&'a str>,
    /// Whether to go on to the ghost's invite, for what was said until it came; otherwise it ends where it came.
    pub(super) to_invite: bool,
}

impl Way<'_> {
    fn ends_above(&self, seen: &Seen, known: Option<bool>) -> bool {
        let begun = if self.to_invite {
            seen.is_about(self.ghost) && seen.content.membership == "invite"
        } else {
            seen.is_coming_of(self.ghost)
        };
        begun || self.sound.is_some() && known == Some(true)
    }

    /// What an event is no longer, or what is read otherwise, is not taken.
    fn takes(&self, seen: &Seen) -> bool {
        if seen.state_key.is_some() {
            !self.to_invite
        } else {
            seen.unsigned.redacted_because.is_none()
        }
    }
}

/// What was found on the way back.
#[derive(Default)]
struct Found {
    /// Where each page begins, the newest first.
    pages: Vec<Option<String>>,
    /// What is to be applied of the last of them, the newest first.
    last: Vec<Box<RawValue>>,
    /// The newest event of each piece of state. The ones before it have been replaced, and would only undo it for a moment.
    state: HashMap<(String, String), String>,
    /// Whether the bound was reached.
    is_cut: bool,
}

impl Found {
    fn is_newest(&mut self, seen: Seen) -> bool {
        let Some(key) = seen.state_key else { return true };
        let newest = self.state.entry((seen.event_type, key));
        *newest.or_insert_with(|| seen.event_id.clone()) == seen.event_id
    }
}

impl Bridge {
    /// Applies what is not known of a room, in order. Returns whether all of it could be found.
    pub(super) async fn look_back(&self, way: Way<'_>, run: Run) -> Result<bool, JobError> {
        let mut found = self.find_end(way).await?;
        // Newest first, so the last page that was read holds the oldest events.
        let mut events = std::mem::take(&mut found.last);
        found.pages.pop();
        loop {
            events.reverse();
            self.apply(&events, run).await?;
            let Some(from) = found.pages.pop() else { break };
            let page = self
                .homeserver()
                .messages(way.ghost, way.room, from.as_deref(), PAGE)
                .await?;
            (events, _) = self.unknown(way, page.events, &mut found).await?;
        }
        Ok(!found.is_cut)
    }

    /// Goes back to where the room is known. Of what is in between only the oldest page is kept: there may be much.
    async fn find_end(&self, way: Way<'_>) -> Result<Found, JobError> {
        let mut found = Found::default();
        let mut from: Option<String> = None;
        loop {
            let page = self
                .homeserver()
                .messages(way.ghost, way.room, from.as_deref(), PAGE)
                .await?;
            let beginning = page.events.is_empty() || page.end.is_none();
            found.pages.push(from);
            let (unknown, ended) = self.unknown(way, page.events, &mut found).await?;
            found.last = unknown;
            found.is_cut = !ended && !beginning && found.pages.len() >= PAGES;
            if ended || beginning || found.is_cut {
                return Ok(found);
            }
            from = page.end;
        }
    }

    /// Of a page, the newest event first, what is to be applied, and whether the way ends on it.
    async fn unknown(
        &self,
        way: Way<'_>,
        page: Vec<Box<RawValue>>,
        found: &mut Found,
    ) -> Result<(Vec<Box<RawValue>>, bool), JobError> {
        let events: Vec<(Box<RawValue>, Seen)> = page
            .into_iter()
            .filter_map(|event| serde_json::from_str(event.get()).ok().map(|seen| (event, seen)))
            .collect();
        let ids: Vec<String> = events.iter().map(|(_, seen)| seen.event_id.clone()).collect();
        let mut connection = self.inner.store.read().await?;
        let known = outages::known(&mut connection, &ids, way.sound.unwrap_or_default()).await?;
        drop(connection);
        let mut unknown = Vec::new();
        for (event, seen) in events {
            let known = known.get(&seen.event_id).copied();
            if way.ends_above(&seen, known) {
                return Ok((unknown, true));
            }
            let begins = way.begins_with == Some(seen.event_id.as_str());
            let takes = known.is_none() && way.takes(&seen);
            // Noted for what is known, too.
            if found.is_newest(seen) && takes {
                unknown.push(event);
            }
            if begins {
                return Ok((unknown, true));
            }
        }
        Ok((unknown, false))
    }
}
