//! Conversations.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Time;
use super::members::Member;
use crate::domain::conversation::Kind;
use crate::nova::{Settings, avatars};
use crate::store::lists::{LastMessage, Summary};

/// A conversation: the small object of the first service, the gateway's `RestConversation` and the documented one.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[expect(clippy::struct_excessive_bools, reason = "they do not depend on each other")]
pub struct Conversation {
    /// Its id.
    #[schema(example = "c7e41a52-0b9d-4f38-8d16-5a3e9c2b7f04")]
    pub id: Uuid,
    /// `direct` or `group`.
    #[serde(rename = "type")]
    #[schema(value_type = String, example = "group")]
    pub conversation_type: Kind,
    /// The same, by its older name.
    #[schema(value_type = String, example = "group")]
    pub kind: Kind,
    /// A group's name. Below `/api/v2/chat` a direct conversation carries the other one's.
    #[schema(example = "Tea")]
    pub name: Option<String>,
    /// A group's description.
    pub description: Option<String>,
    /// A group's picture. Below `/api/v2/chat` a direct conversation carries the other one's.
    pub avatar_url: Option<String>,
    /// Who made it.
    #[schema(example = "3f2b8c1e-9d47-4a06-b1c5-7e0a9f6d2c11")]
    pub created_by: Uuid,
    /// When it was made.
    pub created_at: Time,
    /// When something last happened in it.
    pub updated_at: Time,
    /// The first 50 members; all of them are at `/conversations/{id}/members`. Always empty below `/api/v2/chat`, where
    /// the iOS app fails to decode a conversation that has any.
    pub members: Vec<Member>,
    /// How many members it has.
    #[schema(example = 2)]
    pub member_count: i64,
    /// The newest message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_message: Option<Preview>,
    /// The newest message's id.
    #[schema(example = "5d90b7f3-6c2e-4e8b-a1d4-0f7c3b9e8d26")]
    pub last_message_id: Option<Uuid>,
    /// The Matrix room, once there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "!room:example.org")]
    pub matrix_room_id: Option<String>,
    /// Always `search_enabled`, also where nothing is searched: the bridge reads what it carries, and to the only other value
    /// that clients know, `strict_e2e`, they encrypt.
    #[schema(value_type = String, example = "search_enabled")]
    pub privacy_mode: &'static str,
    /// Whether what is said is found by its words: whether the admin has an index of them kept.
    #[schema(example = true)]
    pub is_searchable: bool,
    /// Always false: see `privacy_mode`.
    #[schema(example = false)]
    pub is_encrypted: bool,
    /// How many messages the caller has not read.
    #[schema(example = 2)]
    pub unread_count: i64,
    /// Whether the caller wants to hear nothing of it.
    #[schema(example = false)]
    pub is_muted: bool,
    /// Whether the caller has put it away.
    #[schema(example = false)]
    pub is_archived: bool,
}

/// The newest message of a conversation.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Preview {
    /// Its id.
    #[schema(example = "5d90b7f3-6c2e-4e8b-a1d4-0f7c3b9e8d26")]
    id: Uuid,
    /// What it says.
    #[schema(example = "Hello")]
    content: String,
    /// Who said it.
    #[schema(example = "3f2b8c1e-9d47-4a06-b1c5-7e0a9f6d2c11")]
    sender_id: Uuid,
    /// When.
    timestamp: Time,
}

impl From<LastMessage> for Preview {
    fn from(message: LastMessage) -> Self {
        Self {
            id: message.id,
            content: message.content,
            sender_id: message.sender.0,
            timestamp: Time(message.created_at),
        }
    }
}

impl Conversation {
    /// As `summary` has it, with `members`.
    #[must_use]
    pub fn new(summary: Summary, members: Vec<Member>, settings: &Settings) -> Self {
        Self {
            id: summary.id.0,
            conversation_type: summary.kind,
            kind: summary.kind,
            avatar_url: avatars::shown(&settings.public_url, summary.id.0, summary.avatar_url.as_deref()),
            name: summary.name,
            description: summary.description,
            created_by: summary.created_by.0,
            created_at: Time(summary.created_at),
            updated_at: Time(summary.updated_at),
            members,
            member_count: summary.member_count,
            last_message_id: summary.last_message.as_ref().map(|message| message.id),
            last_message: summary.last_message.map(Preview::from),
            matrix_room_id: summary.room,
            privacy_mode: "search_enabled",
            is_searchable: settings.search,
            is_encrypted: false,
            unread_count: summary.unread,
            is_muted: summary.is_muted,
            is_archived: summary.is_archived,
        }
    }

    /// As the gateway shows it to `viewer`: no members, because the iOS app cannot decode them (nova-client-protocol
    /// §6.6), and so the other one's name and picture where it would be made from them.
    #[must_use]
    pub fn for_gateway(mut self, viewer: Uuid) -> Self {
        let members = std::mem::take(&mut self.members);
        if self.kind == Kind::Direct
            && let Some(other) = members.into_iter().find(|member| member.user_id != viewer)
        {
            self.name = self.name.or(Some(other.display_name));
            self.avatar_url = self.avatar_url.or(other.avatar_url);
        }
        self
    }
}

/// A page of conversations, the most lively first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Conversations {
    /// The conversations.
    pub conversations: Vec<Conversation>,
    /// How many there are on all pages.
    #[schema(example = 1)]
    pub total: i64,
    /// The size of a page.
    #[schema(example = 1000)]
    pub limit: i64,
    /// How many were left out before.
    #[schema(example = 0)]
    pub offset: i64,
}
