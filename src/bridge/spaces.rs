//! A space for each Nova account, where the admin wants that: whose spaces have work, and when. The work itself is
//! `sender::space`.

use chrono::TimeDelta;

use super::Bridge;
use crate::domain::clock::Timestamp;
use crate::domain::ids::UserId;
use crate::domain::ingest::Effects;
use crate::domain::job::{Job, Lane, NewJob};
use crate::domain::space::Concerned;
use crate::store::{StoreError, Tx, outbox, spaces};

/// How long a space that could not be made is left alone, unless its owner comes to a conversation.
const SECOND_TRY: TimeDelta = TimeDelta::days(1);

impl Bridge {
    /// Has the spaces of those follow whom effects concern that are just being written. Returns whether there are any.
    pub(super) async fn spaces_follow(
        &self,
        tx: &mut Tx,
        effects: &Effects,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        if !self.inner.settings.space_per_user {
            return Ok(false);
        }
        let concerned = Concerned::by(effects);
        if concerned.is_nobody() {
            return Ok(false);
        }
        let owners = spaces::owners(tx, &concerned).await?;
        let jobs: Vec<NewJob> = owners.into_iter().map(|user| self.space_job(user, now)).collect();
        outbox::add(tx, &jobs, now).await?;
        Ok(!jobs.is_empty())
    }

    /// Has the space of an account made that is there, unless it has one.
    pub(super) async fn want_space(&self, user: UserId) -> Result<(), StoreError> {
        if !self.inner.settings.space_per_user {
            return Ok(());
        }
        let now = self.now();
        let mut connection = self.inner.store.read().await?;
        if !spaces::is_missing(&mut connection, user, now - SECOND_TRY).await? {
            return Ok(());
        }
        outbox::add(&mut connection, &[self.space_job(user, now)], now).await?;
        self.inner.sender_wake.notify_one();
        Ok(())
    }

    fn space_job(&self, user: UserId, now: Timestamp) -> NewJob {
        NewJob {
            id: self.id(now).into(),
            lane: Lane::Space(user),
            actor: user,
            message: None,
            job: Job::SyncSpace,
        }
    }
}
