//! A Nova user reacts to a message, and takes it back.

use super::acts::{Which, act_job, heard, reaches_matrix};
use crate::bridge::{Bridge, CommandError};
use crate::domain::act::{MAX_EMOJI_BYTES, MessageAct, Reaction, Refused};
use crate::domain::clock::Timestamp;
use crate::domain::feed::Change;
use crate::domain::ids::{ActId, UserId};
use crate::domain::ingest::{Effects, NewEntry};
use crate::domain::job::{Job, Redacted};
use crate::domain::message::{Gone, Message};
use crate::store::acts;

/// Which of the caller's reactions to a message are taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// All of them.
    All,
    /// The one that shows this.
    Emoji(String),
    /// The one of this id.
    One(ActId),
}

impl Bridge {
    /// Reacts to a message, here and in Matrix. The same reaction again is the same.
    ///
    /// # Errors
    /// When the emoji is none, the message is gone, or the caller is blocked.
    pub async fn react(&self, user: UserId, which: Which, emoji: String) -> Result<Reaction, CommandError> {
        if emoji.trim().is_empty() || emoji.len() > MAX_EMOJI_BYTES || emoji.chars().any(char::is_control) {
            return Err(CommandError::Invalid(format!(
                "emoji must have 1 to {MAX_EMOJI_BYTES} bytes"
            )));
        }
        let now = self.now();
        let mut tx = self.inner.store.begin().await?;
        let (message, _) = self.message_of(&mut tx, user, which).await?;
        heard(&mut tx, message.conversation, user).await?;
        if matches!(message.gone, Some(Gone::Recalled { .. })) {
            return Err(Refused::Recalled.into());
        }
        let own = acts::reactions(&mut tx, message.id, user).await?;
        if let Some(there) = own.into_iter().find(|it| it.emoji == emoji) {
            return Ok(there);
        }
        let reaction = Reaction {
            id: ActId(self.id(now)),
            message: message.id,
            user,
            emoji,
            event: None,
            at: now,
        };
        let change = Change::Reacted {
            by: user,
            message: message.id,
            reaction: reaction.id,
            emoji: reaction.emoji.clone(),
        };
        let mut effects = Effects {
            acts: vec![MessageAct::Reacted(reaction.clone())],
            feed: vec![NewEntry::change(message.conversation, change)],
            ..Effects::default()
        };
        if reaches_matrix(&message) {
            let job = Job::React { reaction: reaction.id };
            effects.jobs.push(act_job(&message, user, reaction.id, job));
        }
        self.commit(tx, &effects, now).await?;
        Ok(reaction)
    }

    /// Takes back what the caller reacted with. What is not there need not be taken back.
    ///
    /// # Errors
    /// When there is no such message, or the reaction named is somebody else's.
    pub async fn unreact(&self, user: UserId, which: Which, taken: &Taken) -> Result<(), CommandError> {
        let now = self.now();
        let mut tx = self.inner.store.begin().await?;
        let (message, _) = self.message_of(&mut tx, user, which).await?;
        let own = acts::reactions(&mut tx, message.id, user).await?;
        let gone: Vec<&Reaction> = own
            .iter()
            .filter(|it| match taken {
                Taken::All => true,
                Taken::Emoji(emoji) => it.emoji == *emoji,
                Taken::One(id) => it.id == *id,
            })
            .collect();
        let Some(first) = gone.first() else {
            return match taken {
                Taken::One(id) if acts::is_somebodys(&mut tx, id.0).await? => Err(Refused::NotYours.into()),
                Taken::One(_) | Taken::All | Taken::Emoji(_) => Ok(()),
            };
        };
        let change = match taken {
            Taken::All => Change::UnreactedAll {
                by: user,
                message: message.id,
            },
            Taken::Emoji(_) | Taken::One(_) => Change::Unreacted {
                by: user,
                message: message.id,
                reaction: first.id,
                emoji: first.emoji.clone(),
            },
        };
        let mut effects = Effects {
            feed: vec![NewEntry::change(message.conversation, change)],
            ..Effects::default()
        };
        for reaction in gone {
            self.take_back(&mut effects, &message, reaction, now);
        }
        Ok(self.commit(tx, &effects, now).await?)
    }

    fn take_back(&self, effects: &mut Effects, message: &Message, reaction: &Reaction, now: Timestamp) {
        if reaction.event.is_none() && !reaches_matrix(message) {
            effects.acts.push(MessageAct::Unreacted(reaction.id));
            return;
        }
        effects.acts.push(MessageAct::TookBack(reaction.id));
        let of = Redacted::Reaction(reaction.id);
        let job = act_job(message, reaction.user, ActId(self.id(now)), Job::Redact { of });
        effects.jobs.push(job);
    }
}
