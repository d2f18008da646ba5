//! A message as both sides understand it.

use serde::{Deserialize, Serialize};

use super::clock::Timestamp;
use super::ids::{ConversationId, MessageId, UserId};
use super::media::Media;

/// The longest text of one message, in bytes. An event is limited to 65,536 bytes with everything around the text,
/// which JSON escapes can double.
pub const MAX_TEXT_BYTES: usize = 32 * 1024;

/// How a text is meant: said, announced by a machine, or acted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Style {
    /// `m.text`.
    #[default]
    Plain,
    /// `m.notice`.
    Notice,
    /// `m.emote`.
    Emote,
}

impl Style {
    /// The name in the database and in frames.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Notice => "notice",
            Self::Emote => "emote",
        }
    }

    /// The style of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "plain" => Some(Self::Plain),
            "notice" => Some(Self::Notice),
            "emote" => Some(Self::Emote),
            _ => None,
        }
    }
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// How it is meant.
    pub style: Style,
    /// The plain text. Holds no NUL, which Postgres cannot store.
    pub plain: String,
    /// The same as HTML, limited to what Matrix allows in a message.
    pub formatted: Option<String>,
    /// Whether it addresses everybody (`@room`), from somebody who may.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub everybody: bool,
    /// What it carries. The text is a caption then, or else [`Media::label`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<Media>,
}

impl Text {
    /// A plain text without formatting.
    #[must_use]
    pub fn plain(text: impl Into<String>) -> Self {
        Self {
            style: Style::Plain,
            plain: text.into(),
            formatted: None,
            everybody: false,
            media: None,
        }
    }

    /// A file or a place, with a caption unless that is empty.
    #[must_use]
    pub fn carrying(media: Media, caption: &str) -> Self {
        let said = Self::plain(if caption.trim().is_empty() {
            media.label()
        } else {
            caption
        });
        Self {
            media: Some(media),
            ..said
        }
    }
}

/// How far a Nova user's message has come on its way to Matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Delivery {
    /// Waits for its first try.
    Pending,
    /// Tried in vain, will be tried again.
    Retrying,
    /// In the room.
    Sent,
    /// Refused for good; an admin can retry it.
    Failed,
}

impl Delivery {
    /// The name in the database and in frames.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Retrying => "retrying",
            Self::Sent => "sent",
            Self::Failed => "failed",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "pending" => Some(Self::Pending),
            "retrying" => Some(Self::Retrying),
            "sent" => Some(Self::Sent),
            "failed" => Some(Self::Failed),
            _ => None,
        }
    }
}

/// A message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its id, and the marker of its Matrix event.
    pub id: MessageId,
    /// Where it was said.
    pub conversation: ConversationId,
    /// Who said it.
    pub sender: UserId,
    /// Its gap-free number in the conversation, from 1.
    pub sequence: i64,
    /// What it says.
    pub text: Text,
    /// How often it was written, from 1.
    pub version: i64,
    /// When its text was written, where that is not the first one.
    pub edited_at: Option<Timestamp>,
    /// Set when its text is gone.
    pub gone: Option<Gone>,
    /// The message of the same conversation that it answers.
    pub reply_to: Option<MessageId>,
    /// The Matrix event that its thread begins with.
    pub thread_root: Option<String>,
    /// The Matrix event that carries it, once there is one.
    pub event_id: Option<String>,
    /// Its way to Matrix; `None` where there is no way to go.
    pub delivery: Option<Delivery>,
    /// When it was said.
    pub created_at: Timestamp,
}

/// How a message went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// It is as if it had never been said.
    Deleted,
    /// It was taken back: that it was said can still be seen.
    Recalled {
        /// Who took it back.
        by: UserId,
        /// When.
        at: Timestamp,
    },
}

/// Makes foreign text storable: Postgres holds no NUL, so it becomes U+FFFD.
#[must_use]
pub fn storable(text: String) -> String {
    if text.contains('\0') {
        text.replace('\0', "\u{fffd}")
    } else {
        text
    }
}

/// Cuts a text to at most `limit` bytes at a character boundary and says so with an ellipsis.
#[must_use]
pub fn shortened(mut text: String, limit: usize) -> String {
    const ELLIPSIS: &str = "…";
    if text.len() <= limit {
        return text;
    }
    let mut end = limit.saturating_sub(ELLIPSIS.len());
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    text.truncate(end);
    text.push_str(ELLIPSIS);
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_shortened_text_fits_and_begins_like_the_long_one(text in "\\PC{0,80}", limit in 3_usize..60) {
            let short = shortened(text.clone(), limit);
            prop_assert!(short.len() <= limit.max(3));
            prop_assert!(text.starts_with(short.trim_end_matches('…')));
            prop_assert_eq!(text.len() <= limit, short == text);
        }

        #[test]
        fn storable_text_has_no_nul_and_the_same_number_of_characters(text: String) {
            let stored = storable(text.clone());
            prop_assert!(!stored.contains('\0'));
            prop_assert_eq!(stored.chars().count(), text.chars().count());
        }
    }
}
