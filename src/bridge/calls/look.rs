//! Looking at calls.

use crate::bridge::{Bridge, CommandError};
use crate::domain::call::{Call, News, Phase, Refused};
use crate::domain::clock::Timestamp;
use crate::domain::ids::{CallId, ConversationId, UserId};
use crate::store::calls;

/// The most calls that are shown at once.
const MAX_SHOWN: i64 = 1000;

/// Something that a socket has to be shown because a call rings for its user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ringing {
    /// Where.
    pub conversation: ConversationId,
    /// Which call.
    pub call: CallId,
    /// Since when it rings.
    pub at: Timestamp,
    /// What is shown.
    pub news: News,
}

impl Bridge {
    /// A call.
    ///
    /// # Errors
    /// When there is no such call, or `by` takes no part in it.
    pub async fn call(&self, id: CallId, by: UserId) -> Result<Call, CommandError> {
        let mut connection = self.inner.store.read().await?;
        let call = calls::find(&mut connection, id).await?;
        let call = call.ok_or(CommandError::UnknownCall)?;
        if call.participant(by).is_none() {
            return Err(Refused::NotYours.into());
        }
        Ok(call)
    }

    /// The unfinished call of a conversation that `by` takes part in, or is called by.
    ///
    /// # Errors
    /// When Postgres fails.
    pub async fn call_in(&self, conversation: ConversationId, by: UserId) -> Result<Option<Call>, CommandError> {
        let mut connection = self.inner.store.read().await?;
        let calls = calls::unfinished(&mut connection, conversation).await?;
        Ok(calls.into_iter().find(|call| call.participant(by).is_some()))
    }

    /// The unfinished calls that somebody takes part in or is called by, the oldest first.
    ///
    /// # Errors
    /// When Postgres fails.
    pub async fn active_calls(&self, user: UserId) -> Result<Vec<Call>, CommandError> {
        let mut connection = self.inner.store.read().await?;
        let mut calls = calls::active(&mut connection, user).await?;
        // Of a call without an offer nobody but its caller knows yet.
        calls.retain(|call| call.phase != Phase::Preparing || call.initiator == user);
        Ok(calls)
    }

    /// The calls of somebody, the newest first; those before `before`, where it is given.
    ///
    /// # Errors
    /// When Postgres fails.
    pub async fn call_history(
        &self,
        user: UserId,
        before: Option<Timestamp>,
        limit: i64,
    ) -> Result<Vec<Call>, CommandError> {
        let mut connection = self.inner.store.read().await?;
        Ok(calls::history(&mut connection, user, before, limit.clamp(1, MAX_SHOWN)).await?)
    }

    /// All unfinished calls, the oldest first. For the admin.
    ///
    /// # Errors
    /// When Postgres fails.
    pub async fn all_active_calls(&self) -> Result<Vec<Call>, CommandError> {
        let mut connection = self.inner.store.read().await?;
        Ok(calls::all_unfinished(&mut connection, MAX_SHOWN).await?)
    }

    /// What a socket that opens now has to be shown: what rings for its user, in all conversations or in `only` one.
    ///
    /// # Errors
    /// When Postgres fails.
    pub async fn ringing_for(&self, user: UserId, only: Option<ConversationId>) -> Result<Vec<Ringing>, CommandError> {
        let calls = self.active_calls(user).await?;
        let here = calls
            .into_iter()
            .filter(|call| only.is_none_or(|only| only == call.conversation));
        Ok(here
            .flat_map(|call| {
                let (conversation, at, id) = (call.conversation, call.created_at, call.id);
                call.ring_for(user).into_iter().map(move |news| Ringing {
                    conversation,
                    call: id,
                    at,
                    news,
                })
            })
            .collect())
    }

    /// Lets calls ring for somebody, or not. A call that is there goes on.
    ///
    /// # Errors
    /// When there is no such account.
    pub async fn set_calls_enabled(&self, user: UserId, enabled: bool) -> Result<(), CommandError> {
        let mut connection = self.inner.store.read().await?;
        if calls::set_enabled(&mut connection, user, enabled).await? {
            Ok(())
        } else {
            Err(CommandError::NoSuchUser(user.to_string()))
        }
    }

    /// Whether calls ring for somebody.
    ///
    /// # Errors
    /// When there is no such account.
    pub async fn calls_enabled(&self, user: UserId) -> Result<bool, CommandError> {
        let mut connection = self.inner.store.read().await?;
        let enabled = calls::enabled(&mut connection, user).await?;
        enabled.ok_or_else(|| CommandError::NoSuchUser(user.to_string()))
    }
}
