//! What a client has seen: acknowledgements, and what is sent again for lack of them (nova-api §3).

use std::ops::Range;

use axum::extract::ws::WebSocket;

use super::{End, PAGE, Session, database};
use crate::domain::feed::Cursor;
use crate::store::{StoreError, feed};

/// How many acknowledgements until the floor is looked after.
const ACKS: u32 = 50;

impl Session {
    /// Makes sure that the user has a floor. Returns the positions of the feed that can be resumed from.
    pub(super) async fn set_floor(&self) -> Result<Range<i64>, StoreError> {
        let store = self.state.nova.bridge.store();
        let mut connection = store.read().await?;
        let first = self.since.map_or(self.cursor, |since| since.min(self.cursor));
        feed::floor(&mut connection, self.user, first).await?;
        let horizon = store.feed_horizon(&mut connection).await?;
        Ok(feed::pruned(&mut connection).await?..horizon.position)
    }

    pub(super) async fn acknowledge(&mut self, cursor: Cursor) -> Result<(), StoreError> {
        // What was never sent cannot have been seen.
        if cursor > self.cursor {
            return Ok(());
        }
        let mut connection = self.state.nova.bridge.store().read().await?;
        feed::acknowledge(&mut connection, self.user, cursor).await?;
        drop(connection);
        self.acks += 1;
        if self.acks >= ACKS {
            self.acks = 0;
            self.look_after_floor().await?;
        }
        Ok(())
    }

    /// Raises the floor over everything that is acknowledged without a gap. Returns it.
    pub(super) async fn look_after_floor(&self) -> Result<Cursor, StoreError> {
        let store = self.state.nova.bridge.store();
        let mut connection = store.read().await?;
        let mut floor = feed::floor(&mut connection, self.user, self.cursor).await?;
        loop {
            let below = self.cursor.position.saturating_add(1);
            let page = feed::of_user(&mut connection, self.user, None, floor, below, PAGE).await?;
            let cursors: Vec<Cursor> = page.entries.iter().map(|entry| entry.cursor).collect();
            let seen = feed::acknowledged(&mut connection, self.user, &cursors).await?;
            let run = cursors.iter().take_while(|cursor| seen.contains(cursor)).count();
            // What cannot be read is never sent, and nobody can acknowledge it.
            let top = if run == cursors.len() {
                page.last
            } else {
                run.checked_sub(1).and_then(|last| cursors.get(last).copied())
            };
            let Some(top) = top else { return Ok(floor) };
            floor = top;
            feed::raise_floor(&mut connection, self.user, floor).await?;
            if run < cursors.len() || !page.full {
                return Ok(floor);
            }
        }
    }

    /// Sends again everything from the oldest entry that is not acknowledged.
    pub(super) async fn resend(&mut self, socket: &mut WebSocket) -> Result<(), End> {
        let mut from = self.look_after_floor().await.map_err(|error| database(&error))?;
        while from < self.cursor {
            let part = self.read_feed(from).await.map_err(|error| database(&error))?;
            from = part.reached;
            for (entry, frames) in &part.entries {
                if entry.cursor <= self.cursor {
                    self.write_entry(socket, entry, frames).await?;
                }
            }
            if !part.more {
                break;
            }
        }
        self.flush(socket).await
    }
}
