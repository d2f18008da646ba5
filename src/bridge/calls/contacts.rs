//! Whom somebody may call: the people of their direct conversations, by the codes that some clients know.

use crate::bridge::{Bridge, CommandError};
use crate::domain::call::Call;
use crate::domain::contact_code::ContactCode;
use crate::domain::conversation::Person;
use crate::domain::ids::{CallId, ConversationId, UserId};
use crate::store::{calls, contacts, conversations, people};

/// The most contacts that are shown.
const MAX_SHOWN: i64 = 1000;

/// Somebody who may be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// Who.
    pub person: Person,
    /// Where the two talk.
    pub conversation: ConversationId,
    /// Their code, for this user alone.
    pub code: String,
}

impl Bridge {
    /// The code by which `user` calls `peer`. It is made when it is first asked for, and stays.
    ///
    /// # Errors
    /// When Postgres fails, or there is no such person.
    pub async fn contact_code(&self, user: UserId, peer: UserId) -> Result<String, CommandError> {
        let mut connection = self.inner.store.read().await?;
        if let Some(code) = contacts::code(&mut connection, user, peer).await? {
            return Ok(code);
        }
        for attempt in 0..=u8::MAX {
            let wanted = ContactCode::derived(user, peer, attempt);
            contacts::add(&mut connection, user, peer, &wanted).await?;
            if let Some(code) = contacts::code(&mut connection, user, peer).await? {
                return Ok(code);
            }
        }
        Err(CommandError::Busy)
    }

    /// Whom `user` means by a code.
    ///
    /// # Errors
    /// When Postgres fails.
    pub async fn contact_of_code(&self, user: UserId, code: &ContactCode) -> Result<Option<UserId>, CommandError> {
        let mut connection = self.inner.store.read().await?;
        Ok(contacts::of_code(&mut connection, user, code).await?)
    }

    /// The conversation in which two people talk, if they do: who has none may not call.
    ///
    /// # Errors
    /// When Postgres fails.
    pub async fn direct_with(&self, user: UserId, peer: UserId) -> Result<Option<ConversationId>, CommandError> {
        let mut connection = self.inner.store.read().await?;
        let Some(found) = conversations::direct(&mut connection, user, peer).await? else {
            return Ok(None);
        };
        let there = conversations::takes_part(&mut connection, found, user).await?;
        Ok((there == Some(true)).then_some(found))
    }

    /// Everybody whom somebody may call, the liveliest conversation first.
    ///
    /// # Errors
    /// When Postgres fails.
    pub async fn contacts(&self, user: UserId) -> Result<Vec<Contact>, CommandError> {
        let mut connection = self.inner.store.read().await?;
        let found = contacts::of_user(&mut connection, user, MAX_SHOWN).await?;
        let ids: Vec<_> = found.iter().map(|(peer, _)| peer.0).collect();
        let mut profiles = people::profiles(&mut connection, &ids).await?;
        drop(connection);
        let mut shown = Vec::with_capacity(found.len());
        for (peer, conversation) in found {
            let Some(person) = profiles.remove(&peer) else { continue };
            shown.push(Contact {
                person,
                conversation,
                code: self.contact_code(user, peer).await?,
            });
        }
        Ok(shown)
    }

    /// The call that `caller` made under a key of their own.
    ///
    /// # Errors
    /// When Postgres fails.
    pub async fn call_by_key(&self, caller: UserId, key: &str) -> Result<Option<Call>, CommandError> {
        let mut connection = self.inner.store.read().await?;
        Ok(calls::by_key(&mut connection, caller, key).await?)
    }

    /// The key under which a call was made.
    ///
    /// # Errors
    /// When Postgres fails.
    pub async fn key_of_call(&self, call: CallId) -> Result<Option<String>, CommandError> {
        let mut connection = self.inner.store.read().await?;
        Ok(calls::key(&mut connection, call).await?)
    }
}
