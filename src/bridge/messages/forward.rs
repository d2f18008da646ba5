//! A Nova user says once more, elsewhere, what somebody said.

use super::{Said, Which};
use crate::bridge::{Bridge, CommandError};
use crate::domain::ids::{ConversationId, UserId};
use crate::domain::media::Media;
use crate::domain::message::{Message, Text};

impl Bridge {
    /// Says a message again in another conversation, as the caller's own and with its file; `note` goes before it.
    ///
    /// # Errors
    /// When there is no such message, it is gone, or the caller takes no part in one of the two conversations.
    pub async fn forward_message(
        &self,
        user: UserId,
        which: Which,
        target: ConversationId,
        note: Option<String>,
    ) -> Result<Message, CommandError> {
        let mut tx = self.inner.store.begin().await?;
        let (message, _) = self.message_of(&mut tx, user, which).await?;
        drop(tx);
        if message.gone.is_some() {
            return Err(CommandError::NoSuchMessage);
        }
        let said = |text| Said {
            text,
            idempotency_key: None,
            reply_to: None,
            thread: None,
        };
        if let Some(note) = note.filter(|note| !note.trim().is_empty()) {
            self.send_message(user, target, said(Text::plain(note))).await?;
        }
        let mut text = message.text;
        if let Some(Media::File(file)) = &mut text.media {
            file.attached_to = None;
        }
        self.send_message(user, target, said(text)).await
    }
}
