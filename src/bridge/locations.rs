//! Where a Nova user is: said in a conversation, and from then on to be seen by those in it, until they stop.

use super::messages::Said;
use super::{Bridge, CommandError};
use crate::domain::feed::Change;
use crate::domain::ids::{ConversationId, UserId};
use crate::domain::ingest::{Effects, NewEntry};
use crate::domain::message::Message;
use crate::store::locations::{self, Shared};

impl Bridge {
    /// Says where the caller is, with a message that carries the place.
    ///
    /// # Errors
    /// As [`Bridge::send_message`].
    pub async fn share_location(
        &self,
        user: UserId,
        conversation: ConversationId,
        said: Said,
    ) -> Result<Message, CommandError> {
        self.say(user, conversation, said, true).await
    }

    /// Lets the conversation know no more where the caller is. Where they did not, nothing happens.
    ///
    /// # Errors
    /// When the caller takes no part in it.
    pub async fn stop_location(&self, user: UserId, id: ConversationId) -> Result<(), CommandError> {
        let now = self.now();
        let mut tx = self.inner.store.begin().await?;
        self.conversation_of(&mut tx, id, user).await?;
        if locations::stop(&mut tx, id, user).await? {
            let effects = Effects {
                feed: vec![NewEntry::change(id, Change::LocationStopped { by: user })],
                ..Effects::default()
            };
            self.commit(tx, &effects, now).await?;
        }
        Ok(())
    }

    /// Where people are who let the caller know.
    ///
    /// # Errors
    /// When Postgres fails.
    pub async fn people_around(&self, user: UserId) -> Result<Vec<Shared>, CommandError> {
        let mut connection = self.inner.store.read().await?;
        Ok(locations::around(&mut connection, user).await?)
    }
}
