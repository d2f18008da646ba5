//! A Nova user edits, deletes or recalls a message.

use chrono::TimeDelta;

use super::{address, checked};
use crate::bridge::conversations::BLOCKED;
use crate::bridge::{Bridge, CommandError};
use crate::domain::act::{self, MessageAct, Version};
use crate::domain::clock::Timestamp;
use crate::domain::feed::Change;
use crate::domain::ids::{ActId, ConversationId, MessageId, UserId};
use crate::domain::ingest::{Effects, NewEntry};
use crate::domain::job::{Job, Lane, NewJob, Redacted};
use crate::domain::message::{Delivery, Gone, Message, Text};
use crate::domain::power::Role;
use crate::store::{StoreError, Tx, conversations, messages, pins};

/// Which message is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Which {
    /// Its id.
    pub message: MessageId,
    /// The conversation that it must be in, where the client named one.
    pub conversation: Option<ConversationId>,
}

/// Another text for a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewrite {
    /// The text.
    pub plain: String,
    /// The same as HTML.
    pub formatted: Option<String>,
    /// How it is meant; as before, where nothing is said.
    pub style: Option<crate::domain::message::Style>,
    /// The version that the author has seen.
    pub version: Option<i64>,
}

impl Bridge {
    /// Gives a message another text, here and in Matrix.
    ///
    /// # Errors
    /// When the caller is blocked, it is not theirs, is gone, is older than 24 hours, or was edited since; or the text cannot
    /// be said.
    pub async fn edit_message(&self, user: UserId, which: Which, rewrite: Rewrite) -> Result<Message, CommandError> {
        let now = self.now();
        let mut tx = self.inner.store.begin().await?;
        let (mut message, _) = self.message_of(&mut tx, user, which).await?;
        heard(&mut tx, message.conversation, user).await?;
        let mut text = checked(Text {
            style: rewrite.style.unwrap_or(message.text.style),
            plain: rewrite.plain,
            formatted: rewrite.formatted,
            everybody: false,
            media: message.text.media.clone(),
        })?;
        act::may_edit(&message, user, rewrite.version, now)?;
        address(&mut tx, message.conversation, user, &mut text).await?;
        let id = ActId(self.id(now));
        let version = Version {
            // What is written now is the newest, whatever a Matrix client's clock said.
            at: message
                .edited_at
                .map_or(now, |before| now.max(before + TimeDelta::microseconds(1))),
            event: None,
            id,
        };
        message.version += 1;
        message.edited_at = Some(version.at);
        message.text.clone_from(&text);
        let mut effects = Effects {
            feed: vec![NewEntry::edited(message.conversation, message.id, user)],
            acts: vec![MessageAct::Wrote {
                message: message.id,
                version,
                text,
                is_shown: true,
            }],
            ..Effects::default()
        };
        if reaches_matrix(&message) {
            effects.jobs.push(act_job(&message, user, id, Job::Edit { edit: id }));
        }
        self.commit(tx, &effects, now).await?;
        Ok(message)
    }

    /// Deletes a message, here and in Matrix. One that is deleted stays so.
    ///
    /// # Errors
    /// When it is neither the caller's nor the caller an admin.
    pub async fn delete_message(&self, user: UserId, which: Which) -> Result<(), CommandError> {
        let now = self.now();
        let mut tx = self.inner.store.begin().await?;
        let (message, role) = self.message_of_any(&mut tx, user, which).await?;
        act::may_delete(&message, user, role)?;
        if message.gone == Some(Gone::Deleted) {
            return Ok(());
        }
        let pin = pins::find(&mut tx, message.id).await?;
        let told = Change::MessageDeleted {
            by: user,
            message: message.id,
        };
        let mut effects = self.taking_away(&message, user, Gone::Deleted, told, now);
        if pin.is_some() {
            self.take_down(&mut effects, &message, user, now);
        }
        Ok(self.take_away(tx, &message, &effects, now).await?)
    }

    /// Takes a message back: everybody sees that there was one. Returns since when.
    ///
    /// # Errors
    /// When it is neither the caller's nor the caller an admin, it was recalled before, or is older than two hours.
    pub async fn recall_message(&self, user: UserId, which: Which) -> Result<Timestamp, CommandError> {
        let now = self.now();
        let mut tx = self.inner.store.begin().await?;
        let (message, role) = self.message_of(&mut tx, user, which).await?;
        act::may_recall(&message, user, role, now)?;
        let pin = pins::find(&mut tx, message.id).await?;
        let told = Change::Recalled {
            by: user,
            message: message.id,
        };
        let mut effects = self.taking_away(&message, user, Gone::Recalled { by: user, at: now }, told, now);
        if pin.is_some() {
            self.take_down(&mut effects, &message, user, now);
        }
        self.take_away(tx, &message, &effects, now).await?;
        Ok(now)
    }

    async fn take_away(
        &self,
        mut tx: Tx,
        message: &Message,
        effects: &Effects,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let owes = self.owe_for_unsent(&mut tx, message, now).await?;
        self.commit(tx, effects, now).await?;
        if owes {
            self.inner.receipts_wake.notify_one();
        }
        Ok(())
    }

    fn taking_away(&self, message: &Message, user: UserId, how: Gone, told: Change, now: Timestamp) -> Effects {
        let mut effects = Effects {
            acts: vec![MessageAct::Gone {
                message: message.id,
                how,
            }],
            feed: vec![NewEntry::change(message.conversation, told)],
            ..Effects::default()
        };
        // One that was recalled is redacted already.
        if message.gone.is_none() && reaches_matrix(message) {
            let of = Redacted::Message(message.id);
            let id = ActId(self.id(now));
            effects.jobs.push(act_job(message, user, id, Job::Redact { of }));
        }
        effects
    }

    /// Locks the conversation of a message that is not deleted, and that the caller takes part in with that role.
    pub(super) async fn message_of(
        &self,
        tx: &mut Tx,
        user: UserId,
        which: Which,
    ) -> Result<(Message, Role), CommandError> {
        let (message, role) = self.message_of_any(tx, user, which).await?;
        if message.gone == Some(Gone::Deleted) {
            return Err(CommandError::NoSuchMessage);
        }
        Ok((message, role))
    }

    async fn message_of_any(&self, tx: &mut Tx, user: UserId, which: Which) -> Result<(Message, Role), CommandError> {
        let none = || CommandError::NoSuchMessage;
        let conversation = match which.conversation {
            Some(conversation) => conversation,
            None => messages::find(tx, which.message).await?.ok_or_else(none)?.conversation,
        };
        conversations::lock(tx, &[conversation]).await?;
        let role = match conversations::role_in(tx, conversation, user).await? {
            Some(Some(role)) => role,
            Some(None) => return Err(CommandError::NotMember),
            None if which.conversation.is_some() => return Err(CommandError::NoSuchConversation),
            None => return Err(none()),
        };
        // As it is now that nobody else can change it.
        let message = messages::find(tx, which.message).await?;
        let message = message.filter(|it| it.conversation == conversation).ok_or_else(none)?;
        Ok((message, role))
    }
}

/// Refuses whom the other one of a direct conversation blocks. To take something back they need not be heard.
pub(super) async fn heard(tx: &mut Tx, conversation: ConversationId, user: UserId) -> Result<(), CommandError> {
    let place = conversations::place(tx, conversation, user).await?;
    if place.is_some_and(|place| place.is_blocked) {
        return Err(CommandError::Forbidden(BLOCKED));
    }
    Ok(())
}

/// Whether a message has an event, or will have one before the next job of its lane is done.
pub(super) fn reaches_matrix(message: &Message) -> bool {
    message.event_id.is_some() || matches!(message.delivery, Some(Delivery::Pending | Delivery::Retrying))
}

/// A job about a message, behind it in its lane. What it sends is marked by the act's id, which is its own.
pub(super) fn act_job(message: &Message, actor: UserId, id: ActId, job: Job) -> NewJob {
    NewJob {
        id: id.0.into(),
        lane: Lane::Conversation(message.conversation),
        actor,
        message: None,
        job,
    }
}
