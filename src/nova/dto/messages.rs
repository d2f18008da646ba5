//! Messages, as the service and as the gateway shows them.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Time;
use super::media::{self, Attachment, Shown};
use crate::domain::act;
use crate::domain::ghost::Ghosts;
use crate::domain::ids::{ConversationId, MessageId, UserId};
use crate::domain::media::Media;
use crate::domain::mention::addressed;
use crate::domain::message::{self as domain, Delivery, Gone, Style};
use crate::domain::pin;
use crate::nova::media::Links;
use crate::store::acts::{Reactor, Tally};
use crate::store::messages::Note;

/// What the author is told while a message waits; the same words as in the frame `message.delivery`.
const WAITS: &str = "the homeserver cannot be reached or is busy";

/// How many people reacted in the same way.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ReactionCount {
    /// What it shows. From Matrix it can be any short text.
    #[schema(example = "👍")]
    pub emoji: String,
    /// How many people.
    #[schema(example = 2)]
    pub count: i64,
    /// Whether the caller is one of them.
    #[schema(example = true)]
    pub user_reacted: bool,
}

impl From<Tally> for ReactionCount {
    fn from(tally: Tally) -> Self {
        Self {
            emoji: tally.emoji,
            count: tally.count,
            user_reacted: tally.is_own,
        }
    }
}

/// The reactions to a message.
#[derive(Debug, Serialize, ToSchema)]
pub struct Reactions {
    /// Which message.
    pub message_id: Uuid,
    /// The reactions, the first one first.
    pub reactions: Vec<ReactionBy>,
}

/// How many people reacted to a message in the same way, and who.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReactionBy {
    /// How many.
    #[serde(flatten)]
    pub count: ReactionCount,
    /// The first 50 of them, the first one first.
    pub users: Vec<ReactionUser>,
}

/// Somebody who reacted to a message.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReactionUser {
    /// Who.
    pub user_id: Uuid,
    /// What others call them, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "Ada Lovelace")]
    pub name: Option<String>,
}

impl Reactions {
    /// Those to the message, as `reactors` made them.
    #[must_use]
    pub fn new(message: Message, reactors: Vec<Reactor>) -> Self {
        let mut by: BTreeMap<String, Vec<ReactionUser>> = BTreeMap::new();
        for Reactor { emoji, user, name } in reactors {
            by.entry(emoji)
                .or_default()
                .push(ReactionUser { user_id: user.0, name });
        }
        let told = |count: ReactionCount| ReactionBy {
            users: by.remove(&count.emoji).unwrap_or_default(),
            count,
        };
        Self {
            message_id: message.id,
            reactions: message.reactions.into_iter().map(told).collect(),
        }
    }
}

/// A reaction of the caller's.
#[derive(Debug, Serialize, ToSchema)]
pub struct Reaction {
    /// Its id.
    pub id: Uuid,
    /// To which message.
    pub message_id: Uuid,
    /// Whose.
    pub user_id: Uuid,
    /// What it shows.
    #[schema(example = "👍")]
    pub emoji: String,
    /// When it was made.
    pub created_at: Time,
}

impl From<act::Reaction> for Reaction {
    fn from(reaction: act::Reaction) -> Self {
        Self {
            id: reaction.id.0,
            message_id: reaction.message.0,
            user_id: reaction.user.0,
            emoji: reaction.emoji,
            created_at: Time(reaction.at),
        }
    }
}

/// A message that was taken back.
#[derive(Debug, Serialize, ToSchema)]
pub struct Recalled {
    /// Which message.
    pub message_id: Uuid,
    /// Since when.
    pub recalled_at: Time,
    /// Always `recalled`.
    #[schema(value_type = String, example = "recalled")]
    pub status: &'static str,
}

/// A message.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Message {
    /// Its id.
    #[schema(example = "5d90b7f3-6c2e-4e8b-a1d4-0f7c3b9e8d26")]
    pub id: Uuid,
    /// Where it was said.
    #[schema(example = "c7e41a52-0b9d-4f38-8d16-5a3e9c2b7f04")]
    pub conversation_id: Uuid,
    /// Who said it.
    #[schema(example = "3f2b8c1e-9d47-4a06-b1c5-7e0a9f6d2c11")]
    pub sender_id: Uuid,
    /// Its number in the conversation, from 1, without gaps.
    #[schema(example = 42)]
    pub sequence_number: i64,
    /// When it was said.
    pub created_at: Time,
    /// What it says.
    #[schema(example = "Hello")]
    pub content: String,
    /// `text`, `image`, `video`, `audio`, `file` or `location`. A file without a caption has its name for `content`.
    #[schema(value_type = String, example = "text")]
    pub message_type: &'static str,
    /// What it carries.
    #[serde(flatten)]
    pub shown: Shown,
    /// `notice` (said by a machine) or `emote` (acted); absent for ordinary text.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "emote")]
    pub style: Option<Style>,
    /// The same as HTML, limited to what Matrix allows in a message.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "<b>Hello</b>")]
    pub formatted_content: Option<String>,
    /// Always false.
    #[schema(example = false)]
    pub encrypted: bool,
    /// How often it was written, from 1.
    #[schema(example = 1)]
    pub version_number: i64,
    /// The Matrix event that carries it, once there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "$event")]
    pub matrix_event_id: Option<String>,
    /// The caller's own messages only: `pending`, `retrying`, `sent` or `failed` on the way to Matrix.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "sent")]
    pub delivery_status: Option<Delivery>,
    /// The caller's own messages only: why it is not sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery_detail: Option<String>,
    /// The caller's own messages only: the key that it was sent under.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// When it was last edited; absent where it never was.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "2026-01-08T09:16:30Z")]
    pub edited_at: Option<Time>,
    /// The same, by its older name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Time>,
    /// When it was taken back; its content is empty then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recalled_at: Option<Time>,
    /// Whom it addresses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<Uuid>,
    /// Whether it addresses everybody; absent where it does not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub mentions_room: bool,
    /// The message that it answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_to_message_id: Option<Uuid>,
    /// The Matrix event that its thread begins with. Whoever answers it answers in that thread.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "$root")]
    pub thread_root_event_id: Option<String>,
    /// How much was said in the thread that begins with it; absent where nothing was.
    #[serde(skip_serializing_if = "is_nothing")]
    #[schema(required = false, example = 3)]
    pub thread_answers: i64,
    /// The reactions to it, the first one first.
    pub reactions: Vec<ReactionCount>,
    /// Its file, and those that were added afterwards.
    pub attachments: Vec<Attachment>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
const fn is_nothing(count: &i64) -> bool {
    *count == 0
}

/// A thread: a message, and what was said in answer to it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Thread {
    /// The Matrix event that it begins with; nothing where the message is in no thread and not in Matrix.
    #[schema(example = "$root")]
    pub root_event_id: Option<String>,
    /// The message that it begins with; nothing where it is not here (any more).
    pub root: Option<Message>,
    /// What was said, the oldest first, without the root.
    pub messages: Vec<Message>,
    /// Whether there are more after these.
    #[schema(example = false)]
    pub has_more: bool,
}

impl Thread {
    /// A thread that nobody has answered in, nor can yet.
    #[must_use]
    pub const fn nothing_to(root: Message) -> Self {
        Self {
            root_event_id: None,
            root: Some(root),
            messages: Vec::new(),
            has_more: false,
        }
    }
}

impl Message {
    /// As `viewer` sees it.
    #[must_use]
    pub fn new(message: domain::Message, viewer: UserId, note: Option<&Note>, links: &Links, ghosts: &Ghosts) -> Self {
        let own = message.sender == viewer;
        let delivery = message.delivery.filter(|_| own);
        let detail = match delivery {
            Some(Delivery::Retrying) => Some(WAITS.to_owned()),
            Some(Delivery::Failed) => note.and_then(|note| note.refused.clone()),
            Some(Delivery::Pending | Delivery::Sent) | None => None,
        };
        let key = note.filter(|_| own).and_then(|note| note.idempotency_key.clone());
        let media = message.text.media.as_ref();
        let file = media.and_then(Media::file);
        let at = Time(message.created_at);
        let attachment = file.map(|file| Attachment::new(message.id.0, message.id.0, at, file, links));
        Self {
            mentions: addressed(&message.text, ghosts).into_iter().map(|it| it.0).collect(),
            mentions_room: message.text.everybody,
            message_type: media.map_or("text", Media::message_type),
            shown: Shown::new(message.id.0, media, links),
            attachments: attachment.into_iter().collect(),
            id: message.id.0,
            conversation_id: message.conversation.0,
            sender_id: message.sender.0,
            sequence_number: message.sequence,
            created_at: Time(message.created_at),
            content: message.text.plain,
            style: Some(message.text.style).filter(|style| *style != Style::Plain),
            formatted_content: message.text.formatted,
            encrypted: false,
            version_number: message.version,
            matrix_event_id: message.event_id,
            delivery_status: delivery,
            delivery_detail: detail,
            idempotency_key: key,
            edited_at: message.edited_at.map(Time),
            updated_at: message.edited_at.map(Time),
            recalled_at: match message.gone {
                Some(Gone::Recalled { at, .. }) => Some(Time(at)),
                Some(Gone::Deleted) | None => None,
            },
            reply_to_message_id: message.reply_to.map(|id| id.0),
            thread_root_event_id: message.thread_root,
            thread_answers: 0,
            reactions: Vec::new(),
        }
    }

    /// Many of them, each with its note and the reactions to it.
    #[must_use]
    pub fn list(
        messages: Vec<domain::Message>,
        viewer: UserId,
        notes: Vec<Note>,
        tallies: Vec<Tally>,
        links: &Links,
        ghosts: &Ghosts,
    ) -> Vec<Self> {
        let mut reactions: BTreeMap<MessageId, Vec<ReactionCount>> = BTreeMap::new();
        for tally in tallies {
            reactions.entry(tally.message).or_default().push(tally.into());
        }
        let notes: BTreeMap<MessageId, Note> = notes.into_iter().map(|note| (note.message, note)).collect();
        let shown = |message: domain::Message| {
            let note = notes.get(&message.id);
            let reactions = reactions.remove(&message.id).unwrap_or_default();
            Self {
                reactions,
                ..Self::new(message, viewer, note, links, ghosts)
            }
        };
        messages.into_iter().map(shown).collect()
    }
}

/// A message that is pinned.
#[derive(Debug, Serialize, ToSchema)]
pub struct Pinned {
    /// Which.
    pub message_id: Uuid,
    /// Where.
    pub conversation_id: Uuid,
    /// Who pinned it.
    pub pinned_by: Uuid,
    /// When.
    pub pinned_at: Time,
}

impl Pinned {
    /// Of this conversation.
    #[must_use]
    pub const fn new(pin: pin::Pin, conversation: ConversationId) -> Self {
        Self {
            message_id: pin.message.0,
            conversation_id: conversation.0,
            pinned_by: pin.by.0,
            pinned_at: Time(pin.at),
        }
    }
}

/// What is pinned in a conversation.
#[derive(Debug, Serialize, ToSchema)]
pub struct PinnedMessages {
    /// The conversation.
    pub conversation_id: Uuid,
    /// The messages, the one that was pinned last first.
    pub messages: Vec<Message>,
    /// Who pinned them and when, in the same order.
    pub pins: Vec<Pinned>,
}

/// A message as the gateway shows it: the type is a number, and what is not there is empty.
#[derive(Debug, Serialize, ToSchema)]
pub struct GatewayMessage {
    #[serde(flatten)]
    message: Untyped,
    /// 0 text, 1 image, 2 video, 3 audio, 4 file, 5 location.
    #[schema(example = 0)]
    message_type: u8,
    /// The same by name.
    #[serde(rename = "type")]
    #[schema(value_type = String, example = "text")]
    type_name: &'static str,
    /// A link to its file, good for a while; empty where there is none.
    #[schema(example = "")]
    media_url: String,
    /// What else it carries.
    #[serde(flatten)]
    shown: Shown,
    /// Its file, and those that were added afterwards.
    attachments: Vec<Attachment>,
    /// The message that it answers; empty where it answers none.
    #[schema(example = "")]
    reply_to_message_id: String,
    /// `sent`, or `failed` where Matrix refused the caller's own message for good.
    #[schema(value_type = String, example = "sent")]
    status: &'static str,
    /// When it was last written.
    updated_at: Time,
}

/// What both shapes of a message have in common.
#[derive(Debug, Serialize, ToSchema)]
struct Untyped {
    /// Its id.
    #[schema(example = "5d90b7f3-6c2e-4e8b-a1d4-0f7c3b9e8d26")]
    id: Uuid,
    /// Where it was said.
    #[schema(example = "c7e41a52-0b9d-4f38-8d16-5a3e9c2b7f04")]
    conversation_id: Uuid,
    /// Who said it.
    #[schema(example = "3f2b8c1e-9d47-4a06-b1c5-7e0a9f6d2c11")]
    sender_id: Uuid,
    /// Its number in the conversation, from 1, without gaps.
    #[schema(example = 42)]
    sequence_number: i64,
    /// When it was said.
    created_at: Time,
    /// What it says.
    #[schema(example = "Hello")]
    content: String,
    /// `notice` or `emote`; absent for ordinary text.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    style: Option<Style>,
    /// The same as HTML.
    #[serde(skip_serializing_if = "Option::is_none")]
    formatted_content: Option<String>,
    /// The Matrix event that carries it, once there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    matrix_event_id: Option<String>,
    /// The caller's own messages only: `pending`, `retrying`, `sent` or `failed` on the way to Matrix.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    delivery_status: Option<Delivery>,
    /// The caller's own messages only: why it is not sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery_detail: Option<String>,
    /// How often it was written, from 1.
    version_number: i64,
    /// When it was taken back; its content is empty then.
    #[serde(skip_serializing_if = "Option::is_none")]
    recalled_at: Option<Time>,
    /// The reactions to it, the first one first.
    reactions: Vec<ReactionCount>,
}

impl From<Message> for GatewayMessage {
    fn from(message: Message) -> Self {
        let failed = message.delivery_status == Some(Delivery::Failed);
        Self {
            message_type: media::number(message.message_type),
            type_name: message.message_type,
            media_url: message.shown.media_url.unwrap_or_default(),
            shown: Shown {
                media_url: None,
                ..message.shown
            },
            attachments: message.attachments,
            reply_to_message_id: message.reply_to_message_id.map(|id| id.to_string()).unwrap_or_default(),
            status: if failed { "failed" } else { "sent" },
            updated_at: message.edited_at.unwrap_or(message.created_at),
            message: Untyped {
                id: message.id,
                conversation_id: message.conversation_id,
                sender_id: message.sender_id,
                sequence_number: message.sequence_number,
                created_at: message.created_at,
                content: message.content,
                style: message.style,
                formatted_content: message.formatted_content,
                matrix_event_id: message.matrix_event_id,
                delivery_status: message.delivery_status,
                delivery_detail: message.delivery_detail,
                version_number: message.version_number,
                recalled_at: message.recalled_at,
                reactions: message.reactions,
            },
        }
    }
}

/// The gateway's answer to a message that was sent.
#[derive(Debug, Serialize, ToSchema)]
pub struct GatewaySent {
    /// The message.
    pub message: GatewayMessage,
}

/// The gateway's page of messages, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct GatewayMessages {
    /// The messages.
    pub messages: Vec<GatewayMessage>,
    /// Whether there are older ones.
    #[schema(example = false)]
    pub has_more: bool,
}
