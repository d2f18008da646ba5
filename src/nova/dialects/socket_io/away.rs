//! Who lost their socket in the middle of a call, and what they are shown when they are back: the published clients know
//! nothing of resuming, and their connections live on meanwhile.

use std::time::Duration;

use moka::sync::Cache;

use super::session::{End, Session, failed};
use crate::domain::call::{Call, News};
use crate::domain::feed::{Change, Cursor, FeedEvent};
use crate::domain::ids::UserId;

/// How long it is remembered: longer than anybody may be away from a call.
const LIFETIME: Duration = Duration::from_mins(2);

/// How many are remembered.
const PEOPLE: u64 = 10_000;

/// Up to where in the feed each has heard. Kept by one process: another one has nothing to show.
#[derive(Debug, Clone)]
pub struct Away(Cache<UserId, Cursor>);

impl Default for Away {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(PEOPLE).time_to_live(LIFETIME).build())
    }
}

impl Away {
    /// Somebody is gone.
    pub(super) fn note(&self, user: UserId, cursor: Cursor) {
        self.0.insert(user, cursor);
    }
}

impl Session {
    /// What the other side did in a call that is up, while the user had no socket.
    pub(super) async fn show_missed(&mut self, call: &Call, user: UserId) -> Result<(), End> {
        let (Some(mut from), Some(until)) = (self.state.away.0.remove(&user), self.cursor()) else {
            return Ok(());
        };
        loop {
            let page = self.read_feed(user, from).await.map_err(|error| failed(&error))?;
            for entry in page.entries.iter().filter(|it| it.cursor <= until) {
                if let FeedEvent::Change(Change::Call { call: id, news }) = &entry.event
                    && *id == call.id
                    && matches!(
                        news,
                        News::Candidates { .. } | News::Negotiate { .. } | News::MediaState { .. }
                    )
                {
                    Box::pin(self.tell(*id, news)).await?;
                }
            }
            match page.last {
                Some(last) if page.full && last < until => from = last,
                Some(_) | None => return Ok(()),
            }
        }
    }
}
