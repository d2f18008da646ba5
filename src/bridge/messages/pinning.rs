//! A Nova user pins a message, and takes it down.

use super::acts::{Which, act_job, heard, reaches_matrix};
use crate::bridge::{Bridge, CommandError};
use crate::domain::act::{MessageAct, Refused};
use crate::domain::clock::Timestamp;
use crate::domain::feed::Change;
use crate::domain::ids::{ActId, ConversationId, OutboxId, UserId};
use crate::domain::ingest::{Effects, NewEntry};
use crate::domain::job::Job;
use crate::domain::message::Message;
use crate::domain::pin::{MAX_PINS, Pin, PinAct};
use crate::domain::power::Role;
use crate::store::{Tx, pins};

impl Bridge {
    /// Pins a message, here and in Matrix. One that is pinned stays as it is. Returns where it is pinned.
    ///
    /// # Errors
    /// When the room asks for more power than the caller has, the caller is blocked, the message is gone, or too many are
    /// pinned.
    pub async fn pin(&self, user: UserId, which: Which) -> Result<(ConversationId, Pin), CommandError> {
        let now = self.now();
        let mut tx = self.inner.store.begin().await?;
        let (message, role) = self.message_of(&mut tx, user, which).await?;
        heard(&mut tx, message.conversation, user).await?;
        may_pin(&mut tx, &message, role).await?;
        if message.gone.is_some() {
            return Err(Refused::Recalled.into());
        }
        let pinned = pins::list(&mut tx, message.conversation).await?;
        if let Some(there) = pinned.iter().find(|it| it.message == message.id) {
            return Ok((message.conversation, *there));
        }
        if pinned.len() >= MAX_PINS {
            return Err(CommandError::Invalid(format!(
                "a conversation has at most {MAX_PINS} pinned messages"
            )));
        }
        let pin = Pin {
            message: message.id,
            by: user,
            at: now,
        };
        let mut effects = Effects::default();
        let told_by = self.tell_room(&mut effects, &message, user, now);
        effects.acts.push(MessageAct::Pin(PinAct::Pinned {
            conversation: message.conversation,
            pin,
            told_by,
        }));
        let change = Change::Pinned {
            by: user,
            message: message.id,
        };
        effects.feed.push(NewEntry::change(message.conversation, change));
        self.commit(tx, &effects, now).await?;
        Ok((message.conversation, pin))
    }

    /// Takes a pinned message down, here and in Matrix. What is not pinned need not be taken down.
    ///
    /// # Errors
    /// When the room asks for more power than the caller has, or there is no such message.
    pub async fn unpin(&self, user: UserId, which: Which) -> Result<(), CommandError> {
        let now = self.now();
        let mut tx = self.inner.store.begin().await?;
        let (message, role) = self.message_of(&mut tx, user, which).await?;
        may_pin(&mut tx, &message, role).await?;
        if pins::find(&mut tx, message.id).await?.is_none() {
            return Ok(());
        }
        let mut effects = Effects::default();
        let told_by = self.take_down(&mut effects, &message, user, now);
        effects.acts.push(MessageAct::Pin(PinAct::Unpinned {
            message: message.id,
            told_by,
        }));
        Ok(self.commit(tx, &effects, now).await?)
    }

    /// Tells everybody that a message is no longer pinned. Returns what tells the room, if there is one.
    pub(super) fn take_down(
        &self,
        effects: &mut Effects,
        message: &Message,
        user: UserId,
        now: Timestamp,
    ) -> Option<OutboxId> {
        let change = Change::Unpinned {
            by: user,
            message: message.id,
        };
        effects.feed.push(NewEntry::change(message.conversation, change));
        self.tell_room(effects, message, user, now)
    }

    fn tell_room(&self, effects: &mut Effects, message: &Message, user: UserId, now: Timestamp) -> Option<OutboxId> {
        reaches_matrix(message).then(|| {
            let job = Job::Pin { message: message.id };
            let job = act_job(message, user, ActId(self.id(now)), job);
            let id = job.id;
            effects.jobs.push(job);
            id
        })
    }
}

async fn may_pin(tx: &mut Tx, message: &Message, role: Role) -> Result<(), CommandError> {
    let needs = pins::needs(tx, &[message.conversation]).await?;
    if needs.values().all(|needs| needs.pins(role)) {
        Ok(())
    } else {
        Err(CommandError::Forbidden("you may not pin messages in this conversation"))
    }
}
