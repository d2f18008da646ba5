//! What is done to messages after they were said: edits, deletion, recall, reactions.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::clock::Timestamp;
use super::ids::{ActId, ConversationId, MessageId, UserId};
use super::message::{Gone, Message, Text};
use super::pin::PinAct;
use super::power::Role;

/// How long a Nova user may edit a message (nova-client-protocol §6.2). Matrix knows no such limit.
pub const EDIT_WINDOW: TimeDelta = TimeDelta::hours(24);

/// How long a message may be recalled (nova-client-protocol §6.2).
pub const RECALL_WINDOW: TimeDelta = TimeDelta::hours(2);

/// The longest reaction of a Nova user, in bytes (nova-client-protocol §6.2).
pub const MAX_EMOJI_BYTES: usize = 20;

/// The longest reaction of a Matrix user, in bytes: Matrix lets a whole sentence be one.
pub const MAX_KEY_BYTES: usize = 255;

/// What a Matrix event does to another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Act {
    /// Gives it another text (`m.replace`).
    Edit {
        /// The text.
        text: Text,
    },
    /// Reacts to it (`m.annotation`).
    React {
        /// An emoji, or any short text.
        key: String,
    },
    /// Takes it away (`m.room.redaction`): a message, an edit or a reaction.
    Redact,
    /// Is answered by it. Only for a message that came before what it answers.
    Answered {
        /// The answer.
        by: MessageId,
    },
}

/// Something done to an event, as long as that event is not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarlyAct {
    /// The event that does it.
    pub event: String,
    /// The event that it is done to.
    pub target: String,
    /// The conversation of its room.
    pub conversation: ConversationId,
    /// Who does it.
    pub sender: UserId,
    /// When, by the sender's server.
    pub at: Timestamp,
    /// What.
    pub act: Act,
}

/// One of the texts of an edited message, without the text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// When it was written, by the author's server. The newest one is shown; Matrix breaks ties by the event.
    pub at: Timestamp,
    /// The event that brought it; of our own one, once there is one.
    pub event: Option<String>,
    /// The edit.
    pub id: ActId,
}

/// A reaction to a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaction {
    /// Its id.
    pub id: ActId,
    /// To which message.
    pub message: MessageId,
    /// Whose.
    pub user: UserId,
    /// What it shows.
    pub emoji: String,
    /// The event that brought it; of our own one, once there is one.
    pub event: Option<String>,
    /// When it was made.
    pub at: Timestamp,
}

/// What is to be written of an act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageAct {
    /// A message has another text.
    Wrote {
        /// Which message.
        message: MessageId,
        /// The new version.
        version: Version,
        /// Its text.
        text: Text,
        /// Whether it is shown; otherwise a newer one came before it.
        is_shown: bool,
    },
    /// An edit was taken back; where it was shown, the text before it is shown again.
    Unwrote {
        /// Which message.
        message: MessageId,
        /// Which edit.
        edit: ActId,
        /// Whether it was shown.
        was_shown: bool,
    },
    /// A message is gone, with its texts and reactions.
    Gone {
        /// Which.
        message: MessageId,
        /// How.
        how: Gone,
    },
    /// A reaction is there.
    Reacted(Reaction),
    /// A reaction is gone, also in Matrix.
    Unreacted(ActId),
    /// A reaction was taken back in Nova; its event, if any, has still to be redacted.
    TookBack(ActId),
    /// The event of an edit or a reaction is known now.
    Carried(ActId, String),
    /// A message answers another one.
    Answers {
        /// The answer.
        message: MessageId,
        /// What it answers.
        target: MessageId,
    },
    /// A message is pinned, or no longer.
    Pin(PinAct),
    /// Kept until its target comes.
    Waits(EarlyAct),
    /// The early act of this event waits no more.
    Waited(String),
}

/// Why something is not done to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is somebody else's.
    #[error("you can only do this to your own messages")]
    NotYours,
    /// It was edited since.
    #[error("the message was edited meanwhile; its version is {current}")]
    Outdated {
        /// How often it was written.
        current: i64,
    },
    /// Too late to edit it.
    #[error("a message can be edited for 24 hours")]
    EditWindowOver,
    /// Too late to recall it.
    #[error("a message can be recalled for two hours")]
    RecallWindowOver,
    /// It was recalled.
    #[error("the message was recalled")]
    Recalled,
}

/// Whether `user` may give a message another text that they think of as of that version.
///
/// # Errors
/// Why not.
pub fn may_edit(message: &Message, user: UserId, version: Option<i64>, now: Timestamp) -> Result<(), Refused> {
    if message.sender != user {
        return Err(Refused::NotYours);
    }
    if message.gone.is_some() {
        return Err(Refused::Recalled);
    }
    if now - message.created_at > EDIT_WINDOW {
        return Err(Refused::EditWindowOver);
    }
    match version {
        Some(version) if version != message.version => Err(Refused::Outdated {
            current: message.version,
        }),
        Some(_) | None => Ok(()),
    }
}

/// Whether somebody of this role may delete a message.
///
/// # Errors
/// Why not.
pub fn may_delete(message: &Message, user: UserId, role: Role) -> Result<(), Refused> {
    if message.sender == user || role >= Role::Admin {
        Ok(())
    } else {
        Err(Refused::NotYours)
    }
}

/// Whether somebody of this role may recall a message.
///
/// # Errors
/// Why not.
pub fn may_recall(message: &Message, user: UserId, role: Role, now: Timestamp) -> Result<(), Refused> {
    may_delete(message, user, role)?;
    if message.gone.is_some() {
        return Err(Refused::Recalled);
    }
    if now - message.created_at > RECALL_WINDOW {
        return Err(Refused::RecallWindowOver);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use uuid::Uuid;

    use super::*;
    use crate::domain::message::Delivery;

    const ANNA: UserId = UserId(Uuid::from_u128(0xA));
    const BERT: UserId = UserId(Uuid::from_u128(0xB));

    fn after(hours: i64) -> Timestamp {
        DateTime::UNIX_EPOCH + TimeDelta::hours(hours)
    }

    fn message() -> Message {
        Message {
            id: MessageId(Uuid::from_u128(1)),
            conversation: ConversationId(Uuid::from_u128(2)),
            sender: ANNA,
            sequence: 1,
            text: Text::plain("hello"),
            version: 3,
            edited_at: None,
            gone: None,
            reply_to: None,
            thread_root: None,
            event_id: None,
            delivery: Some(Delivery::Sent),
            created_at: after(0),
        }
    }

    fn recalled() -> Message {
        let gone = Some(Gone::Recalled { by: ANNA, at: after(1) });
        Message { gone, ..message() }
    }

    #[test]
    fn only_the_author_edits_within_a_day_and_what_they_have_seen() {
        let message = message();
        assert_eq!(may_edit(&message, ANNA, None, after(24)), Ok(()));
        assert_eq!(may_edit(&message, ANNA, Some(3), after(24)), Ok(()));
        let late = after(24) + TimeDelta::microseconds(1);
        for (user, version, now, refused) in [
            (BERT, Some(3), after(0), Refused::NotYours),
            (ANNA, Some(3), late, Refused::EditWindowOver),
            (ANNA, Some(2), after(1), Refused::Outdated { current: 3 }),
            (ANNA, Some(4), after(1), Refused::Outdated { current: 3 }),
        ] {
            assert_eq!(may_edit(&message, user, version, now), Err(refused));
        }
        assert_eq!(may_edit(&recalled(), ANNA, None, after(1)), Err(Refused::Recalled));
    }

    #[test]
    fn authors_and_admins_delete_and_recall() {
        let message = message();
        for (user, role, allowed) in [
            (ANNA, Role::Member, true),
            (BERT, Role::Member, false),
            (BERT, Role::Moderator, false),
            (BERT, Role::Admin, true),
            (BERT, Role::Owner, true),
        ] {
            assert_eq!(may_delete(&message, user, role).is_ok(), allowed);
            assert_eq!(may_recall(&message, user, role, after(2)).is_ok(), allowed);
        }
        let late = after(2) + TimeDelta::microseconds(1);
        let recall = |message: &Message, now| may_recall(message, ANNA, Role::Member, now);
        assert_eq!(recall(&message, late), Err(Refused::RecallWindowOver));
        assert_eq!(recall(&recalled(), late), Err(Refused::Recalled));
    }

    #[test]
    fn the_newest_version_is_the_one_with_the_latest_time_and_then_event() {
        let version = |hours, event: &str, id| Version {
            at: after(hours),
            event: Some(event.to_owned()),
            id: ActId(Uuid::from_u128(id)),
        };
        assert!(version(2, "$a", 1) > version(1, "$b", 2));
        assert!(version(1, "$b", 1) > version(1, "$a", 2));
    }
}
