//! How somebody keeps a conversation for themselves: muted, put away. Nobody else is told.

use crate::bridge::{Bridge, CommandError};
use crate::domain::feed::Change;
use crate::domain::ids::{ConversationId, UserId};
use crate::domain::ingest::{Effects, NewEntry};
use crate::store::conversations;

/// What of it changes. What is not given stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Keeping {
    /// Whether they want to hear nothing of it.
    pub muted: Option<bool>,
    /// Whether it is put away.
    pub archived: Option<bool>,
}

impl Bridge {
    /// Keeps a conversation otherwise than before. The user's other devices are told.
    ///
    /// # Errors
    /// When the user takes no part in it.
    pub async fn keep_conversation(
        &self,
        user: UserId,
        id: ConversationId,
        keeping: Keeping,
    ) -> Result<(), CommandError> {
        let now = self.now();
        let mut tx = self.inner.store.begin().await?;
        conversations::lock(&mut tx, &[id]).await?;
        match conversations::takes_part(&mut tx, id, user).await? {
            None => return Err(CommandError::NoSuchConversation),
            Some(false) => return Err(CommandError::NotMember),
            Some(true) => {}
        }
        let kept = conversations::keep(&mut tx, id, user, keeping.muted, keeping.archived).await?;
        if let Some((muted, archived)) = kept {
            let effects = Effects {
                feed: vec![NewEntry::change(id, Change::Kept { muted, archived }).only_for(user)],
                ..Effects::default()
            };
            self.commit(tx, &effects, now).await?;
        }
        Ok(())
    }
}
