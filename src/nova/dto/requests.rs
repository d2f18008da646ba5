//! What clients send. Fields that nobody knows are ignored, because old clients send some; what is there but cannot be
//! done is refused rather than dropped.

use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::bridge::conversations::{Keeping, Looks};
use crate::bridge::messages::{Rewrite, Said};
use crate::domain::conversation::Kind;
use crate::domain::ids::MessageId;
use crate::domain::message::{Style, Text};
use crate::nova::dto::media::Carrying;
use crate::nova::error::ApiError;

fn invalid(what: &str) -> ApiError {
    ApiError::Invalid(what.to_owned())
}

/// A kind by name, or by the gateway's number.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum KindName {
    /// 0 for direct, 1 for group.
    Number(i64),
    /// `direct` or `group`.
    Name(String),
}

impl KindName {
    fn kind(&self) -> Result<Kind, ApiError> {
        match self {
            Self::Number(0) => Some(Kind::Direct),
            Self::Number(1) => Some(Kind::Group),
            Self::Number(_) => None,
            Self::Name(name) => Kind::parse(name),
        }
        .ok_or_else(|| invalid("the type must be direct or group"))
    }
}

/// Opens a conversation, in any of the shapes that clients have used: `{user_a, user_b}`, `{type | conv_type, name?,
/// participant_ids}`, or the gateway's `{conversation_type, participant_ids, name}`. Ids are Nova's or Matrix ids.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(example = json!({"user_a": "3f2b8c1e-9d47-4a06-b1c5-7e0a9f6d2c11", "user_b": "8a6d0e42-51bf-4c39-9e7a-2b4f1d8c6a90"}))]
pub struct OpenConversation {
    /// One of two people; the caller is one of them.
    pub user_a: Option<String>,
    /// The other one.
    pub user_b: Option<String>,
    /// `direct` or `group`.
    #[serde(rename = "type")]
    pub kind: Option<KindName>,
    /// The same, by its first name.
    pub conv_type: Option<KindName>,
    /// The same, by the gateway's name and number: 0 for direct, 1 for group.
    pub conversation_type: Option<KindName>,
    /// Everybody in it. The caller need not be named.
    #[serde(default)]
    pub participant_ids: Vec<String>,
    /// A group's name.
    pub name: Option<String>,
    /// A group's description.
    pub description: Option<String>,
    /// A group's picture.
    pub avatar_url: Option<String>,
    /// Must not be true: the bridge reads what it carries.
    pub is_encrypted: Option<bool>,
}

/// What [`OpenConversation`] asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The direct conversation with this person.
    Direct(String),
    /// A new group.
    Group(Looks, Vec<String>),
}

impl OpenConversation {
    /// What is asked for, by somebody who `is_caller` knows.
    ///
    /// # Errors
    /// When it is not clear, or not the caller's to ask.
    pub fn wanted(self, is_caller: impl Fn(&str) -> bool) -> Result<Wanted, ApiError> {
        if self.is_encrypted == Some(true) {
            return Err(invalid("encrypted conversations cannot be bridged"));
        }
        if self.user_a.is_some() || self.user_b.is_some() {
            let (Some(one), Some(other)) = (self.user_a, self.user_b) else {
                return Err(invalid("user_a and user_b must both be given"));
            };
            return match (is_caller(&one), is_caller(&other)) {
                (true, _) => Ok(Wanted::Direct(other)),
                (false, true) => Ok(Wanted::Direct(one)),
                (false, false) => Err(ApiError::Forbidden("you can only open conversations of your own")),
            };
        }
        let kind = self.kind.or(self.conv_type).or(self.conversation_type);
        let kind = kind.ok_or_else(|| invalid("user_a and user_b, or a type and participant_ids, must be given"))?;
        let mut others: Vec<String> = self.participant_ids.into_iter().filter(|id| !is_caller(id)).collect();
        match kind.kind()? {
            Kind::Direct => {
                others.dedup();
                let only = others.pop().filter(|_| others.is_empty());
                let only = only.ok_or_else(|| invalid("a direct conversation has exactly one other participant"))?;
                Ok(Wanted::Direct(only))
            }
            Kind::Group => {
                let looks = Looks {
                    name: self.name,
                    description: self.description,
                    avatar_url: self.avatar_url,
                };
                Ok(Wanted::Group(looks, others))
            }
        }
    }
}

/// Starts a chat with a Matrix user.
#[derive(Debug, Deserialize, ToSchema)]
pub struct OpenMatrix {
    /// The Matrix id.
    #[schema(example = "@alice:example.org")]
    pub mxid: String,
}

/// Makes a group.
#[derive(Debug, Deserialize, ToSchema)]
pub struct CreateGroup {
    /// Its name, of 1 to 255 characters.
    #[schema(example = "Tea")]
    pub name: String,
    /// Its description, of at most 1000 characters.
    pub description: Option<String>,
    /// Its picture.
    pub avatar_url: Option<String>,
    /// Everybody in it: Nova's ids and Matrix ids. The caller need not be named.
    #[serde(default, alias = "participant_ids")]
    #[schema(example = json!(["8a6d0e42-51bf-4c39-9e7a-2b4f1d8c6a90", "@alice:example.org"]))]
    pub member_ids: Vec<String>,
}

/// Changes a group for everybody, and how the caller keeps any conversation. What is not given stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct Settings {
    /// Its name, of 1 to 255 characters.
    #[schema(example = "Tea and biscuits")]
    pub name: Option<String>,
    /// Its description, of at most 1000 characters.
    pub description: Option<String>,
    /// Its picture: an address, or the `url` or `s3_key` of a picture that the caller has uploaded.
    pub avatar_url: Option<String>,
    /// Whether the caller wants to hear nothing of it.
    #[serde(alias = "muted")]
    #[schema(example = true)]
    pub is_muted: Option<bool>,
    /// Whether the caller puts it away.
    #[serde(alias = "archived")]
    pub is_archived: Option<bool>,
}

impl Settings {
    /// How the caller keeps it, where that is said.
    #[must_use]
    pub fn keeping(&self) -> Option<Keeping> {
        let keeping = Keeping {
            muted: self.is_muted,
            archived: self.is_archived,
        };
        Some(keeping).filter(|keeping| *keeping != Keeping::default())
    }

    /// What everybody sees, where that is said, or where nothing is.
    #[must_use]
    pub fn looks(self) -> Option<Looks> {
        let personal = self.keeping().is_some();
        let looks = Looks {
            name: self.name,
            description: self.description,
            avatar_url: self.avatar_url,
        };
        Some(looks).filter(|looks| !personal || *looks != Looks::default())
    }
}

/// Adds one or more people.
#[derive(Debug, Deserialize, ToSchema)]
pub struct AddMembers {
    /// A person: Nova's id or a Matrix id.
    #[schema(example = "8a6d0e42-51bf-4c39-9e7a-2b4f1d8c6a90")]
    pub user_id: Option<String>,
    /// More people.
    #[serde(default)]
    pub user_ids: Vec<String>,
    /// `member`, `moderator` or `admin`.
    #[schema(example = "member")]
    pub role: Option<String>,
}

/// Gives somebody a role.
#[derive(Debug, Deserialize, ToSchema)]
pub struct SetRole {
    /// `member`, `moderator`, `admin` or `owner`.
    #[schema(example = "admin")]
    pub role: String,
}

/// Says something in a conversation.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(example = json!({"content": "Hello", "idempotency_key": "7c1f"}))]
pub struct SendMessage {
    /// The text.
    pub content: Option<String>,
    /// The text, by its older name.
    pub plaintext: Option<String>,
    /// The same as HTML. What Matrix does not allow in a message is taken out.
    pub formatted_content: Option<String>,
    /// `plain`, `notice` or `emote`.
    pub style: Option<String>,
    /// A key of the client's own: a message under a key that was used before is not sent again.
    pub idempotency_key: Option<String>,
    /// The message that it answers, of the same conversation; absent or empty where it answers none.
    pub reply_to_message_id: Option<String>,
    /// The message that begins the thread in which it is said, or any message of that thread; absent or empty where it is in
    /// none. Whoever answers a message of a thread is in that thread anyway.
    pub thread_root_message_id: Option<String>,
    /// A file or a place; the text is its caption then, and may be missing.
    #[serde(flatten)]
    pub carrying: Carrying,
}

impl SendMessage {
    /// What is to be said, and with what.
    ///
    /// # Errors
    /// When there is no text, or something that is not carried yet.
    pub fn said(self) -> Result<(Said, Carrying), ApiError> {
        let reply_to = named(
            self.reply_to_message_id.as_deref(),
            "reply_to_message_id must be a UUID",
        )?;
        let thread = named(
            self.thread_root_message_id.as_deref(),
            "thread_root_message_id must be a UUID",
        )?;
        let style = style(self.style.as_deref())?.unwrap_or_default();
        let plain = self.content.or(self.plaintext);
        let text = Text {
            style,
            plain: match plain {
                Some(plain) => plain,
                None if self.carrying.is_something() => String::new(),
                None => return Err(invalid("content is missing")),
            },
            formatted: self.formatted_content.filter(|html| !html.is_empty()),
            everybody: false,
            media: None,
        };
        let said = Said {
            text,
            idempotency_key: self.idempotency_key,
            reply_to,
            thread,
        };
        Ok((said, self.carrying))
    }
}

/// A message that is named, or none.
fn named(id: Option<&str>, complaint: &str) -> Result<Option<MessageId>, ApiError> {
    match id {
        None | Some("") => Ok(None),
        Some(id) => Ok(Some(id.parse().map_err(|_| invalid(complaint))?)),
    }
}

/// Says something, and where.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"conversation_id": "c7e41a52-0b9d-4f38-8d16-5a3e9c2b7f04", "plaintext": "Hello"}))]
pub struct SendMessageTo {
    /// Where.
    pub conversation_id: Uuid,
    /// What.
    #[serde(flatten)]
    pub message: SendMessage,
}

/// Says something in the gateway's words.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"conversation_id": "c7e41a52-0b9d-4f38-8d16-5a3e9c2b7f04", "content": "Hello",
    "message_type": 0, "media_url": "", "reply_to_message_id": ""}))]
pub struct GatewaySend {
    /// Where.
    pub conversation_id: Uuid,
    /// What.
    #[serde(flatten)]
    pub message: SendMessage,
}

/// Gives a message another text.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"content": "Hello!", "version_number": 1}))]
pub struct EditMessage {
    /// The text.
    pub content: Option<String>,
    /// The text, by its older name.
    pub plaintext: Option<String>,
    /// The text, by another older name.
    pub new_content: Option<String>,
    /// The same as HTML. What Matrix does not allow in a message is taken out.
    pub formatted_content: Option<String>,
    /// `plain`, `notice` or `emote`; as before where nothing is said.
    pub style: Option<String>,
    /// The version that the author has seen: 409 where it is not the current one.
    pub version_number: Option<i64>,
}

impl EditMessage {
    /// What is to be written.
    ///
    /// # Errors
    /// When there is no text.
    pub fn rewrite(self) -> Result<Rewrite, ApiError> {
        let plain = self.content.or(self.new_content).or(self.plaintext);
        Ok(Rewrite {
            plain: plain.ok_or_else(|| invalid("content is missing"))?,
            formatted: self.formatted_content.filter(|html| !html.is_empty()),
            style: style(self.style.as_deref())?,
            version: self.version_number,
        })
    }
}

/// Reacts to a message.
#[derive(Debug, Deserialize, ToSchema)]
pub struct React {
    /// An emoji, of 1 to 20 bytes.
    #[schema(example = "👍")]
    pub emoji: String,
}

fn style(name: Option<&str>) -> Result<Option<Style>, ApiError> {
    match name {
        None | Some("") => Ok(None),
        Some(name) => match Style::parse(name) {
            Some(style) => Ok(Some(style)),
            None => Err(invalid("style must be plain, notice or emote")),
        },
    }
}
