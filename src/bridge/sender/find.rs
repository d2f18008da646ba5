//! Looks for what an earlier try may have left in Matrix, by our marker (architecture §2).

use chrono::{DateTime, TimeDelta};
use ruma::{OwnedRoomId, RoomId, UserId};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::JobError;
use crate::bridge::Bridge;
use crate::domain::job::StoredJob;
use crate::matrix::translate::outbound::MARKER;
use crate::store::conversations;

/// How far back to look before the first try: the clocks of two machines differ.
const MARGIN: TimeDelta = TimeDelta::minutes(10);

/// Events to a page, and how many pages at most.
const PAGE: u16 = 100;
const PAGES: usize = 50;

/// The parts of an event that tell whether it is ours.
#[derive(Deserialize)]
struct Sent {
    event_id: String,
    sender: String,
    #[serde(default)]
    origin_server_ts: i64,
    #[serde(default)]
    content: Value,
}

impl Bridge {
    /// The event that carries our marker, if an earlier try of the job put it into the room.
    pub(super) async fn find_event(
        &self,
        ghost: &UserId,
        room: &RoomId,
        marker: &str,
        job: &StoredJob,
    ) -> Result<Option<String>, JobError> {
        let earliest = job.first_tried_at.unwrap_or(job.created_at) - MARGIN;
        let mut from: Option<String> = None;
        for _ in 0..PAGES {
            let page = self.homeserver().messages(ghost, room, from.as_deref(), PAGE).await?;
            let sent: Vec<Sent> = page.events.iter().filter_map(|raw| read(raw)).collect();
            let ours = |event: &&Sent| event.sender == ghost.as_str() && has(&event.content, marker);
            if let Some(event) = sent.iter().find(ours) {
                return Ok(Some(event.event_id.clone()));
            }
            let old =
                |event: &Sent| DateTime::from_timestamp_millis(event.origin_server_ts).is_some_and(|at| at < earliest);
            if sent.last().is_none_or(old) || page.end.is_none() {
                return Ok(None);
            }
            from = page.end;
        }
        Ok(None)
    }

    /// The room that carries our marker, if an earlier try of the job made it.
    pub(super) async fn find_room(&self, ghost: &UserId, marker: &str) -> Result<Option<OwnedRoomId>, JobError> {
        for room in self.homeserver().joined_rooms(ghost).await? {
            let mut connection = self.inner.store.read().await?;
            if conversations::of_room(&mut connection, room.as_str()).await?.is_some() {
                continue;
            }
            drop(connection);
            let create = self.homeserver().state_event(ghost, &room, "m.room.create", "").await?;
            if create.is_some_and(|content| has(&content, marker)) {
                return Ok(Some(room));
            }
        }
        Ok(None)
    }
}

fn read(raw: &RawValue) -> Option<Sent> {
    serde_json::from_str(raw.get()).ok()
}

fn has(content: &Value, marker: &str) -> bool {
    content.get(MARKER).and_then(Value::as_str) == Some(marker)
}
