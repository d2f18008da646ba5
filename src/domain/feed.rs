//! The feed: what the sockets of a conversation are shown, in one order over all conversations (architecture §2).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::call::News;
use super::clock::Timestamp;
use super::conversation::{Kind, Membership};
use super::ids::{ActId, CallId, ConversationId, MessageId, UserId};
use super::message::{Delivery, Message};
use super::power::Role;
use super::request::Answer;

/// A place in the feed, and a frame's `stream_id`: `<position>-<n>`, the form of the ids that Nova's clients know.
///
/// Ordered over all conversations. Nothing is ever committed below a cursor that was handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Cursor {
    /// The feed's logical clock.
    pub position: i64,
    /// Order within one position.
    pub n: i32,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.position, self.n)
    }
}

/// A text that is no cursor.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not a stream id of the form <number>-<number>")]
pub struct BadCursor;

impl FromStr for Cursor {
    type Err = BadCursor;

    fn from_str(text: &str) -> Result<Self, BadCursor> {
        let (position, n) = text.split_once('-').ok_or(BadCursor)?;
        let position = position.parse().map_err(|_| BadCursor)?;
        let n = n.parse().map_err(|_| BadCursor)?;
        if position < 0 || n < 0 {
            return Err(BadCursor);
        }
        Ok(Self { position, n })
    }
}

/// One entry, as it was committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedEntry {
    /// Its place.
    pub cursor: Cursor,
    /// The conversation that it belongs to.
    pub conversation: ConversationId,
    /// Set when only this person may see it.
    pub audience: Option<UserId>,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub event: FeedEvent,
}

impl FeedEntry {
    /// Who has read something, where others are shown it: not those who block them, and not those whom they block.
    #[must_use]
    pub const fn reader(&self) -> Option<UserId> {
        match (&self.event, self.audience) {
            (FeedEvent::Change(Change::Read { by, .. }), None) => Some(*by),
            _ => None,
        }
    }
}

/// Who has read something, of all that is told, where others are shown it.
#[must_use]
pub fn readers(entries: &[FeedEntry]) -> Vec<Uuid> {
    entries.iter().filter_map(|entry| Some(entry.reader()?.0)).collect()
}

/// What happened in a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FeedEvent {
    /// Something was said. Stored once, with the messages.
    Message(Message),
    /// A message says something else now.
    Edited {
        /// Who wrote it.
        by: UserId,
        /// The message as it is.
        message: Message,
    },
    /// The audience is asked to come, by somebody who has said something.
    Requested {
        /// Who.
        by: UserId,
        /// What.
        message: Message,
    },
    /// Anything else. Stored with the entry.
    Change(Change),
}

/// A change that is not a message, as the feed stores it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Change {
    /// The conversation exists; told to its first members.
    Created {
        /// Who made it.
        by: UserId,
        /// Two people or a group.
        kind: Kind,
        /// A group's name.
        name: Option<String>,
    },
    /// The conversation looks different.
    Updated {
        /// Who changed it.
        by: UserId,
        /// Any of `name`, `description`, `avatar_url`.
        fields: Vec<UpdatedField>,
    },
    /// The conversation is gone for everybody.
    Deleted {
        /// Who deleted it.
        by: UserId,
    },
    /// Somebody came, or was invited.
    MemberJoined {
        /// Who brought them in; themselves when they came on their own.
        by: UserId,
        /// Who came.
        user: UserId,
        /// Their handle.
        username: String,
        /// Their name.
        display_name: String,
        /// What they may do.
        role: Role,
        /// Whether they take part already.
        membership: Membership,
    },
    /// Somebody left, or was removed.
    MemberLeft {
        /// Who did it; the same as `user` when they left on their own.
        by: UserId,
        /// Who is gone.
        user: UserId,
    },
    /// Somebody asks to be let in, and the audience may do that.
    Knocked {
        /// Who.
        user: UserId,
        /// Their handle.
        username: String,
        /// Their name.
        display_name: String,
        /// Why, in their words.
        reason: Option<String>,
    },
    /// Somebody asks that no more.
    KnockAnswered {
        /// Who answered; themselves where they took it back.
        by: UserId,
        /// Whom.
        user: UserId,
        /// What became of it.
        answer: Answer,
    },
    /// The audience is asked to come.
    Requested {
        /// By whom.
        by: UserId,
    },
    /// The audience is asked no more.
    Answered {
        /// What became of it.
        answer: Answer,
    },
    /// Somebody no longer lets the conversation know where they are.
    LocationStopped {
        /// Who.
        by: UserId,
    },
    /// Somebody may do more or less than before.
    RoleChanged {
        /// Who decided.
        by: UserId,
        /// Whose role.
        user: UserId,
        /// Before.
        old: Role,
        /// Now.
        new: Role,
    },
    /// Something happened in a call of the audience.
    Call {
        /// Which.
        call: CallId,
        /// What.
        news: News,
    },
    /// The audience keeps the conversation otherwise than before.
    Kept {
        /// Whether they want to hear nothing of it.
        muted: bool,
        /// Whether they have put it away.
        archived: bool,
    },
    /// Somebody has read everything up to a message.
    Read {
        /// Who.
        by: UserId,
        /// The message.
        message: MessageId,
        /// Its number.
        sequence: i64,
    },
    /// A message says something else now. The entry names the message as well, which has the text.
    Edited {
        /// Who wrote it.
        by: UserId,
    },
    /// A message is gone.
    MessageDeleted {
        /// Who deleted it.
        by: UserId,
        /// Which.
        message: MessageId,
    },
    /// A message was taken back.
    Recalled {
        /// Who took it back.
        by: UserId,
        /// Which.
        message: MessageId,
    },
    /// Somebody reacted to a message.
    Reacted {
        /// Who.
        by: UserId,
        /// To which.
        message: MessageId,
        /// The reaction.
        reaction: ActId,
        /// What it shows.
        emoji: String,
    },
    /// A reaction is gone.
    Unreacted {
        /// Whose.
        by: UserId,
        /// To which message.
        message: MessageId,
        /// The reaction.
        reaction: ActId,
        /// What it showed.
        emoji: String,
    },
    /// All of somebody's reactions to a message are gone.
    UnreactedAll {
        /// Whose.
        by: UserId,
        /// To which message.
        message: MessageId,
    },
    /// A message is pinned.
    Pinned {
        /// Who pinned it.
        by: UserId,
        /// Which.
        message: MessageId,
    },
    /// A message is no longer pinned.
    Unpinned {
        /// Who took it down.
        by: UserId,
        /// Which.
        message: MessageId,
    },
    /// A message of the audience came further on its way to Matrix, or did not.
    Delivery {
        /// Which message.
        message: MessageId,
        /// How far.
        state: Delivery,
        /// Why not, in words for people.
        detail: Option<String>,
        /// The Matrix event, once there is one.
        event_id: Option<String>,
    },
}

impl Change {
    /// Who is no member any more since then.
    #[must_use]
    pub const fn left(&self) -> Option<UserId> {
        match self {
            Self::MemberLeft { user, .. } => Some(*user),
            Self::Created { .. }
            | Self::Updated { .. }
            | Self::Deleted { .. }
            | Self::MemberJoined { .. }
            | Self::RoleChanged { .. }
            | Self::Knocked { .. }
            | Self::KnockAnswered { .. }
            | Self::Requested { .. }
            | Self::Answered { .. }
            | Self::LocationStopped { .. }
            | Self::Call { .. }
            | Self::Read { .. }
            | Self::Kept { .. }
            | Self::Edited { .. }
            | Self::MessageDeleted { .. }
            | Self::Recalled { .. }
            | Self::Reacted { .. }
            | Self::Unreacted { .. }
            | Self::UnreactedAll { .. }
            | Self::Pinned { .. }
            | Self::Unpinned { .. }
            | Self::Delivery { .. } => None,
        }
    }
}

/// What of a conversation can change, by the names that clients know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpdatedField {
    /// The name.
    Name,
    /// The description.
    Description,
    /// The picture.
    AvatarUrl,
}

impl UpdatedField {
    /// The name in frames.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Description => "description",
            Self::AvatarUrl => "avatar_url",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_survives_its_text(position in 0..i64::MAX, n in 0..i32::MAX) {
            let cursor = Cursor { position, n };
            prop_assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }

        #[test]
        fn no_text_panics(text: String) {
            if let Ok(cursor) = text.parse::<Cursor>() {
                prop_assert!(cursor.position >= 0 && cursor.n >= 0);
            }
        }
    }
}
