//! What a Nova user decides about others: whom they block, and who need not ask.

use super::live::Live;
use super::{Bridge, CommandError};
use crate::domain::ids::UserId;
use crate::domain::message::storable;
use crate::domain::request::{Admission, DmPermission};
use crate::store::blocks::{self, Block, Relation};
use crate::store::{people, requests};

/// The longest reason of a block, in characters.
const MAX_REASON: usize = 255;

impl Bridge {
    /// Blocks somebody: they cannot open a chat with the caller, write or call in the one they have, and what they ask is
    /// rejected. Returns whether that is news.
    ///
    /// # Errors
    /// When nobody knows them, or the reason is too long.
    pub async fn block(&self, user: UserId, other: &str, reason: Option<String>) -> Result<bool, CommandError> {
        let other = self.resolve(other).await?;
        if other.id == user {
            return Err(CommandError::Invalid("you cannot block yourself".to_owned()));
        }
        let reason = reason.map(storable).filter(|reason| !reason.trim().is_empty());
        if reason
            .as_ref()
            .is_some_and(|reason| reason.chars().count() > MAX_REASON)
        {
            return Err(CommandError::Invalid(format!(
                "reason must have at most {MAX_REASON} characters"
            )));
        }
        let now = self.now();
        let mut tx = self.inner.store.begin().await?;
        if !other.is_nova {
            people::know(&mut tx, std::slice::from_ref(&other), &[], now).await?;
        }
        let news = blocks::block(&mut tx, user, other.id, reason.as_deref(), now).await?;
        let asked = requests::between(&mut tx, user, other.id).await?;
        tx.commit().await?;
        if news {
            self.tell_block(user, other.id, true);
        }
        for conversation in asked {
            match self.reject_request(user, conversation).await {
                // Answered or taken back in the meantime.
                Ok(()) | Err(CommandError::NoSuchRequest) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(news)
    }

    /// Blocks somebody no more. Returns whether they were blocked.
    ///
    /// # Errors
    /// When Postgres fails.
    pub async fn unblock(&self, user: UserId, other: UserId) -> Result<bool, CommandError> {
        let mut connection = self.inner.store.read().await?;
        let news = blocks::unblock(&mut connection, user, other).await?;
        if news {
            self.tell_block(user, other, false);
        }
        Ok(news)
    }

    /// Tells somebody's own clients whom they block.
    fn tell_block(&self, by: UserId, user: UserId, blocks: bool) {
        let at = self.now();
        self.show(Live::Block { by, user, blocks, at });
    }

    /// Whom somebody blocks.
    ///
    /// # Errors
    /// When Postgres fails.
    pub async fn blocks(&self, user: UserId) -> Result<Vec<Block>, CommandError> {
        let mut connection = self.inner.store.read().await?;
        Ok(blocks::list(&mut connection, user).await?)
    }

    /// What somebody is to the caller.
    ///
    /// # Errors
    /// When nobody knows them.
    pub async fn relation(&self, user: UserId, other: UserId) -> Result<Relation, CommandError> {
        let mut connection = self.inner.store.read().await?;
        if people::person(&mut connection, other).await?.is_none() {
            return Err(CommandError::NoSuchUser(other.to_string()));
        }
        Ok(blocks::relation(&mut connection, user, other).await?)
    }

    /// Who need not ask somebody.
    ///
    /// # Errors
    /// When Postgres fails.
    pub async fn dm_permission(&self, user: UserId) -> Result<DmPermission, CommandError> {
        let mut connection = self.inner.store.read().await?;
        let own = blocks::permission(&mut connection, user).await?;
        Ok(own.unwrap_or(self.inner.settings.dm_permission))
    }

    /// Decides who need not ask the caller. What was asked before stays asked.
    ///
    /// # Errors
    /// When Postgres fails.
    pub async fn set_dm_permission(&self, user: UserId, permission: DmPermission) -> Result<(), CommandError> {
        let mut connection = self.inner.store.read().await?;
        Ok(blocks::set_permission(&mut connection, user, permission).await?)
    }

    /// Whether `by` may bring a Nova user into a chat.
    pub(super) async fn admits(&self, user: UserId, by: UserId) -> Result<Admission, CommandError> {
        let mut connection = self.inner.store.read().await?;
        let usual = self.inner.settings.dm_permission;
        let doors = blocks::doors(&mut connection, by, &[user], usual).await?;
        Ok(doors.admission(user, by))
    }
}
