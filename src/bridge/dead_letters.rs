//! An admin has a second look at what failed.

use uuid::Uuid;

use super::{Bridge, CommandError};
use crate::domain::feed::Change;
use crate::domain::ids::MessageId;
use crate::domain::ingest::{Effects, NewEntry};
use crate::domain::job::{Job, Lane, NewJob};
use crate::domain::message::{Delivery, Message};
use crate::matrix::translate::outbound;
use crate::store::dead_letters::{self, Taken};
use crate::store::{conversations, messages};

impl Bridge {
    /// Tries a dead letter again: an event is applied, a job goes to the end of its lane. What fails again is kept again.
    ///
    /// # Errors
    /// When there is no such letter.
    pub async fn retry_dead_letter(&self, id: Uuid) -> Result<(), CommandError> {
        if self.retry_event(id).await?.is_some() {
            return Ok(());
        }
        let now = self.now();
        let mut tx = self.inner.store.begin().await?;
        let conversation = dead_letters::conversation_of(&mut tx, id)
            .await?
            .ok_or(CommandError::NoSuchDeadLetter)?;
        conversations::lock(&mut tx, conversation.as_slice()).await?;
        let Some(Taken {
            conversation,
            actor,
            message,
            job,
        }) = dead_letters::take_job(&mut tx, id).await?
        else {
            return Err(CommandError::NoSuchDeadLetter);
        };
        let carried = match message {
            Some(message) => messages::find(&mut tx, message).await?,
            None => None,
        };
        if carried
            .as_ref()
            .is_some_and(|it| it.delivery == Some(Delivery::Sent) || it.gone.is_some())
        {
            // Its echo came after all, or it was taken back: it must not be sent again.
            tx.commit().await?;
            return Ok(());
        }
        let job = as_it_is_now(job, carried);
        let lane = match conversation {
            Some(conversation) => Lane::Conversation(conversation),
            None if matches!(job, Job::SyncSpace) => Lane::Space(actor),
            None => Lane::Account(actor),
        };
        let mut effects = Effects {
            // A new id: the homeserver may remember the old one together with its refusal.
            jobs: vec![NewJob {
                id: self.id(now).into(),
                lane,
                actor,
                message,
                job,
            }],
            ..Effects::default()
        };
        if let Some((message, conversation)) = message.zip(conversation)
            && messages::set_delivery(&mut tx, message, Delivery::Pending, None).await?
        {
            effects
                .feed
                .push(delivery(conversation, actor, message, Delivery::Pending, None, None));
        }
        self.commit(tx, &effects, now).await?;
        Ok(())
    }

    /// Drops a dead letter for good.
    ///
    /// # Errors
    /// When there is no such letter.
    pub async fn drop_dead_letter(&self, id: Uuid) -> Result<(), CommandError> {
        let mut connection = self.inner.store.read().await?;
        if dead_letters::discard(&mut connection, id).await? {
            Ok(())
        } else {
            Err(CommandError::NoSuchDeadLetter)
        }
    }
}

/// A message that was edited after it was refused is sent with its new text: its edits had nothing to be sent to.
fn as_it_is_now(job: Job, message: Option<Message>) -> Job {
    match (job, message.filter(|it| it.version > 1)) {
        (
            Job::SendEvent {
                event_type, answers, ..
            },
            Some(message),
        ) => Job::SendEvent {
            event_type,
            content: outbound::message(message.id, &message.text),
            answers,
        },
        (job, _) => job,
    }
}

/// Tells the author of a message how far it has come.
pub(super) fn delivery(
    conversation: crate::domain::ids::ConversationId,
    author: crate::domain::ids::UserId,
    message: MessageId,
    state: Delivery,
    detail: Option<String>,
    event_id: Option<String>,
) -> NewEntry {
    let change = Change::Delivery {
        message,
        state,
        detail,
        event_id,
    };
    NewEntry::change(conversation, change).only_for(author)
}
