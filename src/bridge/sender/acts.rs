//! Messages, and what is done to them. What is sent depends on how things are when its turn comes: the message before it
//! in the lane has its event then, and what was taken back meanwhile is not sent at all.

use ruma::{OwnedUserId, UserId};
use serde_json::Value;

use super::{Done, JobError};
use crate::bridge::Bridge;
use crate::domain::ids::{ActId, MessageId, UserId as NovaUser};
use crate::domain::job::{Redacted, StoredJob};
use crate::matrix::translate::outbound;
use crate::store::{Session, StoreError, acts, messages, people};

/// How Synapse refuses a reaction that is there already.
const DUPLICATE: &str = "M_DUPLICATE_ANNOTATION";

impl Bridge {
    /// Sends a message, or any other event of the conversation.
    pub(super) async fn send_said(
        &self,
        job: &StoredJob,
        ghost: &UserId,
        event_type: &str,
        mut content: Value,
        answers: Option<MessageId>,
    ) -> Result<Done, JobError> {
        let mut connection = self.inner.store.read().await?;
        let said = match job.message {
            Some(id) => messages::find(&mut connection, id).await?,
            None => None,
        };
        if let Some(said) = said.as_ref().filter(|it| it.gone.is_some()) {
            drop(connection);
            return self.nothing_more(job, ghost, &said.id.to_string()).await;
        }
        if let Some(target) = answers
            && let Some((event, author)) = answered(&mut connection, target, job.actor).await?
        {
            let thread = said.as_ref().and_then(|it| it.thread_root.as_deref());
            content = outbound::answering(content, &event, thread, author.as_deref());
        }
        drop(connection);
        self.send_event(job, ghost, event_type, content).await
    }

    pub(super) async fn send_edit(&self, job: &StoredJob, ghost: &UserId, id: ActId) -> Result<Done, JobError> {
        let mut connection = self.inner.store.read().await?;
        let edit = acts::outgoing_edit(&mut connection, id).await?;
        let answered = match edit.as_ref().and_then(|edit| edit.reply_to) {
            Some(target) => answered(&mut connection, target, job.actor).await?,
            None => None,
        };
        drop(connection);
        // In Matrix the edit that is sent last is shown, so one that is no longer shown in Nova must not be sent.
        match edit.filter(|edit| edit.is_shown) {
            Some(acts::OutgoingEdit {
                target: Some(target),
                text,
                told,
                thread_root,
                ..
            }) => {
                let author = answered
                    .filter(|(event, _)| outbound::tells_author(event, thread_root.as_deref()))
                    .and_then(|(_, author)| author);
                let content = outbound::edit(id, &target, &text, &told, author.as_deref());
                self.send_event(job, ghost, "m.room.message", content).await
            }
            // The message is not in Matrix: if it ever gets there, then with this text.
            Some(_) => Ok(Done::Yes),
            None => self.nothing_more(job, ghost, &id.to_string()).await,
        }
    }

    pub(super) async fn send_reaction(&self, job: &StoredJob, ghost: &UserId, id: ActId) -> Result<Done, JobError> {
        let mut connection = self.inner.store.read().await?;
        let reaction = acts::outgoing_reaction(&mut connection, id).await?;
        drop(connection);
        let Some(reaction) = reaction else {
            return self.nothing_more(job, ghost, &id.to_string()).await;
        };
        let Some(target) = reaction.target else {
            return Ok(Done::Yes);
        };
        let content = outbound::reaction(id, &target, &reaction.emoji);
        match self.send_event(job, ghost, "m.reaction", content).await {
            // Made by the user's own Matrix client, whose event is pushed to us.
            Err(JobError::Homeserver(error)) if error.errcode() == Some(DUPLICATE) => Ok(Done::Already),
            other => other,
        }
    }

    pub(super) async fn redact(&self, job: &StoredJob, ghost: &UserId, of: Redacted) -> Result<Done, JobError> {
        let mut connection = self.inner.store.read().await?;
        let event = acts::event_of(&mut connection, of).await?;
        drop(connection);
        let Some(event) = event else {
            return Ok(Done::Yes);
        };
        let room = self.room_of(job).await?;
        self.ensure_ghost(job.actor).await?;
        let transaction = job.id.to_string();
        let redact = || self.homeserver().redact(ghost, &room, &event, &transaction);
        let redacted = match redact().await {
            Err(error) if error.errcode() == Some("M_FORBIDDEN") => {
                self.mend(job, ghost, &room, error).await?;
                redact().await
            }
            other => other,
        };
        match redacted {
            Ok(_) => Ok(Done::Yes),
            // There is no such event, or no more.
            Err(error) if error.status() == Some(404) => Ok(Done::Already),
            Err(error) => Err(error.into()),
        }
    }

    /// Nothing is to be sent any more. An earlier try may have sent it all the same, which whoever redacts it has to know.
    pub(super) async fn nothing_more(&self, job: &StoredJob, ghost: &UserId, marker: &str) -> Result<Done, JobError> {
        if job.uncertain {
            let room = self.room_of(job).await?;
            if let Some(event_id) = self.find_in(job, ghost, &room, marker).await? {
                return Ok(Done::Sent(event_id));
            }
        }
        Ok(Done::Yes)
    }
}

/// The event of a message that is answered, where it has one, and its author unless that is who answers.
async fn answered(
    connection: &mut Session,
    target: MessageId,
    by: NovaUser,
) -> Result<Option<(String, Option<OwnedUserId>)>, StoreError> {
    let Some(target) = messages::find(connection, target).await? else {
        return Ok(None);
    };
    let Some(event) = target.event_id else { return Ok(None) };
    let author = people::person(connection, target.sender).await?;
    Ok(Some((event, author.filter(|it| it.id != by).map(|it| it.mxid))))
}
