//! Members of conversations.

use serde::Serialize;
use url::Url;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Time;
use crate::domain::conversation::Membership;
use crate::domain::power::Role;
use crate::domain::presence::Status;
use crate::nova::avatars;
use crate::store::knocks::Knocker;
use crate::store::lists::ListedMember;

/// A member of a conversation.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Member {
    /// A Nova account, or the stable id of a Matrix user.
    #[schema(example = "8a6d0e42-51bf-4c39-9e7a-2b4f1d8c6a90")]
    pub user_id: Uuid,
    /// The handle; a Matrix user's full Matrix id.
    #[schema(example = "bob")]
    pub username: String,
    /// The name to show.
    #[schema(example = "Bob")]
    pub display_name: String,
    /// The picture.
    pub avatar_url: Option<String>,
    /// The picture once more, by its older name.
    pub avatar: Option<String>,
    /// `member`, `moderator`, `admin` or `owner`.
    #[schema(value_type = String, example = "member")]
    pub role: Role,
    /// Since when.
    pub joined_at: Time,
    /// `joined`, or `invited` while a Matrix user has not accepted.
    #[schema(value_type = String, example = "joined")]
    pub membership: Membership,
    /// The number of the newest message that they have read, or wrote in Nova.
    #[schema(example = 42)]
    pub last_read_sequence: i64,
    /// `online`, `unavailable` or `offline`, where that is known and the admin lets it be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "online")]
    pub presence: Option<Status>,
    /// The Matrix id: a Matrix user's own, or that of the account's ghost.
    #[schema(example = "@nova-8a6d0e42-51bf-4c39-9e7a-2b4f1d8c6a90:example.org")]
    pub matrix_user_id: String,
}

impl Member {
    /// As `listed`, with links below `public_url`; `presence` says whether they are there.
    #[must_use]
    pub fn new(listed: &ListedMember, presence: Option<Status>, public_url: &Url) -> Self {
        let person = &listed.person;
        let avatar_url = avatars::shown(public_url, person.id.0, person.avatar_url.as_deref());
        Self {
            user_id: person.id.0,
            username: person.handle().to_owned(),
            display_name: person.shown_name().to_owned(),
            avatar: avatar_url.clone(),
            avatar_url,
            role: listed.member.role,
            joined_at: Time(listed.joined_at),
            membership: listed.member.membership,
            last_read_sequence: listed.read,
            presence,
            matrix_user_id: person.mxid.to_string(),
        }
    }
}

/// Somebody who asks to be let into a group.
#[derive(Debug, Serialize, ToSchema)]
pub struct Knock {
    /// A Nova account, or the stable id of a Matrix user.
    #[schema(example = "8a6d0e42-51bf-4c39-9e7a-2b4f1d8c6a90")]
    pub user_id: Uuid,
    /// The handle; a Matrix user's full Matrix id.
    #[schema(example = "@elena:example.com")]
    pub username: String,
    /// The name to show.
    #[schema(example = "Elena")]
    pub display_name: String,
    /// The picture.
    pub avatar_url: Option<String>,
    /// The Matrix id: a Matrix user's own, or that of the account's ghost.
    #[schema(example = "@elena:example.com")]
    pub matrix_user_id: String,
    /// Why, in their words.
    #[schema(example = "Ana told me about you")]
    pub reason: Option<String>,
    /// Since when.
    pub created_at: Time,
}

impl Knock {
    /// As `knocker`, with links below `public_url`.
    #[must_use]
    pub fn new(knocker: Knocker, public_url: &Url) -> Self {
        let person = knocker.person;
        Self {
            user_id: person.id.0,
            username: person.handle().to_owned(),
            display_name: person.shown_name().to_owned(),
            avatar_url: avatars::shown(public_url, person.id.0, person.avatar_url.as_deref()),
            matrix_user_id: person.mxid.to_string(),
            reason: knocker.reason,
            created_at: Time(knocker.at),
        }
    }
}

/// Who knocks, the first one first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Knocks {
    /// At most 200.
    pub knocks: Vec<Knock>,
}

/// A page of members, in the order of their coming.
#[derive(Debug, Serialize, ToSchema)]
pub struct Members {
    /// The members.
    pub members: Vec<Member>,
    /// How many there are on all pages.
    #[schema(example = 2)]
    pub total: i64,
}
