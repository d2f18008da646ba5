//! Who is there: Nova users by their sockets, Matrix users as their homeserver says. Off unless an admin wants it, and kept
//! nowhere.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::StreamExt;
use futures_util::stream::iter;
use moka::sync::Cache;
use ruma::OwnedUserId;
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::Bridge;
use super::ingest::error_chain;
use super::live::{Live, Seen};
use crate::domain::ephemeral::MatrixPresence;
use crate::domain::ids::UserId;
use crate::domain::presence::{Presences, Status};

/// How often it is looked who came and went; what comes and goes faster is not told.
const EVERY: Duration = Duration::from_secs(1);

/// How long Matrix may take to hear of it, and how many it hears of at once.
const PATIENCE: Duration = Duration::from_secs(5);
const REQUESTS: usize = 8;

/// Of how many Matrix users it is remembered whether they are there.
const REMEMBERED: u64 = 20_000;

/// Who is there, and of whom Matrix has not been told.
#[derive(Debug)]
pub(super) struct Presence {
    nova: Mutex<Presences>,
    matrix: Cache<UserId, (Status, bool)>,
    /// The last word on each.
    untold: Mutex<HashMap<UserId, Status>>,
    to_tell: Notify,
}

impl Default for Presence {
    fn default() -> Self {
        Self {
            nova: Mutex::default(),
            matrix: Cache::new(REMEMBERED),
            untold: Mutex::default(),
            to_tell: Notify::new(),
        }
    }
}

impl Presence {
    fn nova(&self) -> MutexGuard<'_, Presences> {
        self.nova.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn untold(&self) -> MutexGuard<'_, HashMap<UserId, Status>> {
        self.untold.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bridge {
    /// A Nova user has a socket, or none any more.
    pub(super) fn is_there(&self, user: UserId, there: bool) {
        if !self.inner.settings.presence {
            return;
        }
        let mut nova = self.inner.presence.nova();
        if there {
            nova.came(user, self.now());
        } else {
            nova.went(user, self.now());
        }
    }

    /// Whether somebody is there, where that is known and told at all.
    #[must_use]
    pub fn presence_of(&self, user: UserId, is_nova: bool) -> Option<Status> {
        let presence = &self.inner.presence;
        if !self.inner.settings.presence {
            return None;
        }
        if is_nova {
            Some(presence.nova().status(user))
        } else {
            presence.matrix.get(&user).map(|(status, _)| status)
        }
    }

    /// Whether a Matrix user is there, as Matrix says. Of our ghosts it only repeats what we said.
    pub(super) fn take_presence(&self, told: &MatrixPresence) {
        if !self.inner.settings.presence || self.ghosts().nova_user(told.user.as_str()).is_some() {
            return;
        }
        let user = self.ghosts().person(told.user.as_str());
        let is = (told.status, told.currently_active);
        let known = &self.inner.presence.matrix;
        if known.get(&user) == Some(is) {
            return;
        }
        known.insert(user, is);
        let at = self.now();
        let last_active = told
            .last_active_ago_ms
            .and_then(TimeDelta::try_milliseconds)
            .and_then(|ago| at.checked_sub_signed(ago));
        let seen = Seen {
            user,
            status: told.status,
            currently_active: told.currently_active,
            last_active,
        };
        self.show(Live::Presence { seen, at });
    }

    /// Looks who comes and goes, and tells Matrix, until `stop`. Returns at once where nobody wants to know.
    pub async fn run_presence(&self, stop: CancellationToken) {
        if self.inner.settings.presence {
            tokio::join!(self.watch_presence(&stop), self.send_presence(&stop));
        } else {
            stop.cancelled().await;
        }
    }

    async fn watch_presence(&self, stop: &CancellationToken) {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            let at = self.now();
            let told = self.inner.presence.nova().pass(at);
            if told.is_empty() {
                continue;
            }
            let untold = told.iter().map(|it| (it.user, it.status));
            self.inner.presence.untold().extend(untold);
            self.inner.presence.to_tell.notify_one();
            for it in told.into_iter().filter(|it| it.is_news) {
                let seen = Seen {
                    user: it.user,
                    status: it.status,
                    currently_active: it.status == Status::Online,
                    last_active: Some(at),
                };
                self.show(Live::Presence { seen, at });
            }
        }
    }

    async fn send_presence(&self, stop: &CancellationToken) {
        let presence = &self.inner.presence;
        while stop.run_until_cancelled(presence.to_tell.notified()).await.is_some() {
            let untold = std::mem::take(&mut *presence.untold());
            let told = untold.into_iter().map(|(user, status)| async move {
                let Ok(ghost) = OwnedUserId::try_from(self.ghosts().mxid(user)) else {
                    return;
                };
                match timeout(PATIENCE, self.homeserver().set_presence(&ghost, status)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => {
                        tracing::debug!(error = error_chain(&error), "Matrix is not told who is there");
                    }
                    Err(_) => tracing::debug!("Matrix takes too long to hear who is there"),
                }
            });
            let sent = iter(told).buffer_unordered(REQUESTS).collect::<()>();
            if stop.run_until_cancelled(sent).await.is_none() {
                return;
            }
        }
    }
}
