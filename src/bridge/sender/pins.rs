//! What is pinned, on its way to the room.

use ruma::UserId;
use serde_json::value::to_raw_value;

use super::{Done, JobError};
use crate::bridge::Bridge;
use crate::domain::act::MessageAct;
use crate::domain::feed::Change;
use crate::domain::ids::MessageId;
use crate::domain::ingest::{Effects, NewEntry};
use crate::domain::job::StoredJob;
use crate::domain::pin::PinAct;
use crate::matrix::HomeserverError;
use crate::matrix::translate::outbound;
use crate::store::{StoreError, Tx, pins};

/// The state event with the list.
const LIST: &str = "m.room.pinned_events";

impl Bridge {
    /// Puts a message on the room's list or takes it off, as it is now. The list is read just before, so that what others
    /// have pinned stays on it.
    pub(super) async fn send_pin(&self, job: &StoredJob, ghost: &UserId, message: MessageId) -> Result<Done, JobError> {
        let mut connection = self.inner.store.read().await?;
        let outgoing = pins::outgoing(&mut connection, message).await?;
        drop(connection);
        let Some(outgoing) = outgoing else {
            return Ok(Done::Yes);
        };
        // What is not in Matrix cannot be pinned there.
        let Some(event) = &outgoing.event else {
            return Ok(Done::Yes);
        };
        self.ensure_ghost(job.actor).await?;
        let set = || self.set_pin(job, ghost, event, outgoing.is_pinned);
        let done = match set().await {
            Err(JobError::Homeserver(error)) if is_forbidden(&error) => {
                let room = self.room_of(job).await?;
                match self.mend(job, ghost, &room, error).await {
                    Ok(()) => set().await,
                    Err(error) => Err(error),
                }
            }
            other => other,
        };
        match done {
            // Whoever may delete a message need not be one who may pin. Clients do not show what is redacted.
            Err(JobError::Homeserver(error)) if outgoing.is_gone && is_forbidden(&error) => Ok(Done::Yes),
            other => other,
        }
    }

    async fn set_pin(&self, job: &StoredJob, ghost: &UserId, event: &str, is_pinned: bool) -> Result<Done, JobError> {
        let room = self.room_of(job).await?;
        let list = self.homeserver().state_event(ghost, &room, LIST, "").await?;
        let Some(content) = outbound::with_pin(list.as_ref(), event, is_pinned, job.id) else {
            return Ok(Done::Yes);
        };
        let content = to_raw_value(&content).map_err(StoreError::from)?;
        let sent = self.homeserver().send_state(ghost, &room, LIST, "", &content).await?;
        Ok(Done::Sent(sent.to_string()))
    }
}

fn is_forbidden(error: &HomeserverError) -> bool {
    error.errcode() == Some("M_FORBIDDEN")
}

/// The room will never hear of it, so it is not so in Nova either.
pub(super) async fn undo(tx: &mut Tx, job: &StoredJob, effects: &mut Effects) -> Result<(), StoreError> {
    let Some((conversation, pin, is_pinned)) = pins::told_by(tx, job.id).await? else {
        return Ok(());
    };
    let message = pin.message;
    let (act, change) = if is_pinned {
        let undone = PinAct::Unpinned { message, told_by: None };
        (undone, Change::Unpinned { by: job.actor, message })
    } else {
        let undone = PinAct::Pinned {
            conversation,
            pin,
            told_by: None,
        };
        (undone, Change::Pinned { by: pin.by, message })
    };
    effects.acts.push(MessageAct::Pin(act));
    effects.feed.push(NewEntry::change(conversation, change));
    Ok(())
}
