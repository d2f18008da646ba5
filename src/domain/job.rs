//! What the outbox asks of Matrix. Every job can be done twice without harm, or says how a first time is recognised.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::call::Signal;
use super::clock::Timestamp;
use super::ids::{ActId, CallId, ConversationId, MessageId, OutboxId, UserId};

/// One request, or one small series of requests, made as the ghost of an account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Job {
    /// Make sure that the homeserver knows the ghost, with the account's name and picture.
    ProvisionGhost,
    /// Take the ghost off the homeserver.
    DeactivateGhost,
    /// Make the conversation's room. Recognised by the marker in `m.room.create`.
    CreateRoom,
    /// Send an event to the conversation's room. Recognised by the marker in its content.
    SendEvent {
        /// Its type.
        event_type: String,
        /// Its content, marker included.
        content: Value,
        /// The message that it answers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        answers: Option<MessageId>,
    },
    /// Send an edit. Its text is read when it is sent. Recognised by the marker in its content, as is a reaction.
    Edit {
        /// Which.
        edit: ActId,
    },
    /// Send a reaction.
    React {
        /// Which.
        reaction: ActId,
    },
    /// Put a message on the list of what is pinned in the room, or take it off, as it is when it is sent.
    Pin {
        /// Which.
        message: MessageId,
    },
    /// Redact the event of something, as far as it has one.
    Redact {
        /// Of what.
        of: Redacted,
    },
    /// Send the message that carries a file or a place, once the file is on the homeserver. Recognised like an event.
    SendMedia,
    /// Join a room that invited the ghost, and read who and what is in it.
    Join {
        /// Which room.
        room: String,
    },
    /// Read who and what is in the room, and bring the conversation in step.
    SyncRoom {
        /// Which room.
        room: String,
    },
    /// Read what was said in a room between the ghost's invite and its coming: nobody was pushed that.
    ReadBack {
        /// Which room.
        room: String,
    },
    /// Invite somebody; a ghost then joins at once, unless it has to be asked.
    Invite {
        /// The Matrix id.
        target: String,
    },
    /// Leave a room, with an optional word before.
    Leave {
        /// Which room; the conversation's own when absent.
        room: Option<String>,
        /// A notice to leave behind.
        notice: Option<String>,
    },
    /// Remove somebody.
    Kick {
        /// The Matrix id.
        target: String,
    },
    /// Give somebody a power level.
    SetPower {
        /// The Matrix id.
        target: String,
        /// The level.
        level: i64,
    },
    /// Set a state event of the conversation's room.
    SetState {
        /// Its type.
        event_type: String,
        /// Its content.
        content: Value,
    },
    /// Make the account's space, where there is none yet, and put into it the rooms that belong there and no others.
    /// Recognised by the marker in `m.room.create`, and by the space's state.
    SyncSpace,
    /// The bot comes to a room that somebody invited it to, and says what it can do.
    BotJoin {
        /// Which room.
        room: String,
        /// Who.
        by: String,
    },
    /// The bot leaves a room.
    BotLeave {
        /// Which room.
        room: String,
    },
    /// The bot does what it is told, and answers.
    Command {
        /// Where.
        room: String,
        /// By whom.
        by: String,
        /// What they said.
        text: String,
    },
    /// Send an event of a call to the conversation's room. Recognised by the marker in its content.
    Signal {
        /// The call.
        call: CallId,
        /// What to say.
        signal: Signal,
    },
}

/// Whose event is redacted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Redacted {
    /// A message.
    Message(MessageId),
    /// A reaction.
    Reaction(ActId),
}

impl Job {
    /// Whether somebody waits for it with a telephone in their hand.
    #[must_use]
    pub const fn is_urgent(&self) -> bool {
        matches!(self, Self::Signal { .. })
    }

    /// Whether it holds what people said, and not only what is to be done.
    #[must_use]
    pub const fn holds_words(&self) -> bool {
        matches!(
            self,
            Self::SendEvent { .. } | Self::Leave { notice: Some(_), .. } | Self::Command { .. }
        )
    }

    /// A short name for logs and metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::ProvisionGhost => "provision_ghost",
            Self::DeactivateGhost => "deactivate_ghost",
            Self::CreateRoom => "create_room",
            Self::SendEvent { .. } => "send_event",
            Self::Edit { .. } => "edit",
            Self::React { .. } => "react",
            Self::Pin { .. } => "pin",
            Self::Redact { .. } => "redact",
            Self::SendMedia => "send_media",
            Self::Join { .. } => "join",
            Self::SyncRoom { .. } => "sync_room",
            Self::ReadBack { .. } => "read_back",
            Self::Invite { .. } => "invite",
            Self::Leave { .. } => "leave",
            Self::Kick { .. } => "kick",
            Self::SetPower { .. } => "set_power",
            Self::SetState { .. } => "set_state",
            Self::SyncSpace => "sync_space",
            Self::BotJoin { .. } => "bot_join",
            Self::BotLeave { .. } => "bot_leave",
            Self::Command { .. } => "command",
            Self::Signal { .. } => "signal",
        }
    }
}

/// A job that is about to be written to the outbox.
#[derive(Debug, Clone, PartialEq)]
pub struct NewJob {
    /// Its id, and the Matrix transaction id of what it sends.
    pub id: OutboxId,
    /// Whose turn it waits for.
    pub lane: Lane,
    /// The account whose ghost acts.
    pub actor: UserId,
    /// The message that it carries.
    pub message: Option<MessageId>,
    /// What to do.
    pub job: Job,
}

/// Jobs of one lane are done one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Everything that happens in a conversation's room.
    Conversation(ConversationId),
    /// The ghost of an account.
    Account(UserId),
    /// The space of an account. A lane of its own, so that two nodes never make two.
    Space(UserId),
    /// A room in which somebody talks to the bot.
    Management(uuid::Uuid),
    /// What is said in a call, which must not wait behind a photo.
    Call {
        /// The call.
        call: CallId,
        /// Where it is held.
        conversation: ConversationId,
    },
}

impl Lane {
    /// The lane's key in the database.
    #[must_use]
    pub fn key(self) -> uuid::Uuid {
        match self {
            Self::Conversation(id) => id.0,
            Self::Account(id) => id.0,
            Self::Space(id) => uuid::Uuid::new_v5(&id.0, b"space"),
            Self::Management(id) => id,
            Self::Call { call, .. } => call.0,
        }
    }

    /// The conversation that it belongs to, if any.
    #[must_use]
    pub const fn conversation(self) -> Option<ConversationId> {
        match self {
            Self::Conversation(id) | Self::Call { conversation: id, .. } => Some(id),
            Self::Account(_) | Self::Space(_) | Self::Management(_) => None,
        }
    }

    /// Whether somebody waits for it with a telephone in their hand.
    #[must_use]
    pub const fn is_urgent(self) -> bool {
        match self {
            Self::Call { .. } => true,
            Self::Conversation(_) | Self::Account(_) | Self::Space(_) | Self::Management(_) => false,
        }
    }
}

/// A job as the outbox holds it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredJob {
    /// Its place in the lane.
    pub seq: i64,
    /// Its id.
    pub id: OutboxId,
    /// The conversation, where there is one.
    pub conversation: Option<ConversationId>,
    /// The account whose ghost acts.
    pub actor: UserId,
    /// The message that it carries.
    pub message: Option<MessageId>,
    /// What to do.
    pub job: Job,
    /// How often it was tried.
    pub attempts: i32,
    /// Whether an earlier try may have taken effect without our knowing.
    pub uncertain: bool,
    /// When it was tried first.
    pub first_tried_at: Option<Timestamp>,
    /// When it was decided.
    pub created_at: Timestamp,
}

/// How long to wait before the next try, in milliseconds: doubling from half a second to two minutes, and up to a
/// quarter more so that many lanes do not knock at once. `jitter` is any random number.
#[must_use]
pub fn retry_delay_ms(attempts: i32, jitter: u32) -> i64 {
    const FIRST: i64 = 500;
    const LONGEST: i64 = 120_000;
    let doublings = attempts.saturating_sub(1).clamp(0, 16);
    let delay = FIRST
        .saturating_mul(1_i64.checked_shl(doublings.unsigned_abs()).unwrap_or(i64::MAX))
        .min(LONGEST);
    delay + delay / 4 * i64::from(jitter % 1000) / 1000
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::retry_delay_ms;

    proptest! {
        #[test]
        fn delays_grow_to_a_limit(attempts in 0..i32::MAX, jitter: u32) {
            let delay = retry_delay_ms(attempts, jitter);
            prop_assert!((500..=150_000).contains(&delay));
            prop_assert!(retry_delay_ms(attempts.saturating_add(1), 0) >= retry_delay_ms(attempts, 0));
        }
    }
}
