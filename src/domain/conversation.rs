//! Conversations, their members, and the people in them.

use std::collections::BTreeMap;

use ruma::{OwnedRoomId, OwnedUserId};
use serde::{Deserialize, Serialize};

use super::clock::Timestamp;
use super::ids::{ConversationId, UserId};
use super::power::Role;

/// Two people, or a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Exactly two people; between the same two there is never a second one.
    Direct,
    /// Any number of people, with a name.
    Group,
}

impl Kind {
    /// The name in the database and in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Group => "group",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "direct" => Some(Self::Direct),
            "group" => Some(Self::Group),
            _ => None,
        }
    }
}

/// Whether a member takes part already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Membership {
    /// Asked to come; has not answered.
    Invited,
    /// Takes part.
    Joined,
}

impl Membership {
    /// The name in the database and in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invited => "invited",
            Self::Joined => "joined",
        }
    }

    /// The membership of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "invited" => Some(Self::Invited),
            "joined" => Some(Self::Joined),
            _ => None,
        }
    }
}

/// Somebody's place in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// What they may do.
    pub role: Role,
    /// Whether they take part already.
    pub membership: Membership,
}

/// A person: a Nova account with its ghost, or a Matrix user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Nova's id.
    pub id: UserId,
    /// The Matrix id; a Nova account's is its ghost's.
    pub mxid: OwnedUserId,
    /// Whether it is a Nova account.
    pub is_nova: bool,
    /// A Nova account's handle.
    pub username: Option<String>,
    /// What others call them.
    pub display_name: Option<String>,
    /// HTTP(S) address for Nova accounts, mxc address for Matrix users.
    pub avatar_url: Option<String>,
}

impl Person {
    /// A name to show where a name is needed.
    #[must_use]
    pub fn shown_name(&self) -> &str {
        self.display_name
            .as_deref()
            .or(self.username.as_deref())
            .filter(|name| !name.trim().is_empty())
            .unwrap_or_else(|| self.mxid.localpart())
    }

    /// The handle to show: a Nova account's username, a Matrix user's full id.
    #[must_use]
    pub fn handle(&self) -> &str {
        match &self.username {
            Some(username) if self.is_nova => username,
            _ => self.mxid.as_str(),
        }
    }
}

/// What the rules need to know of a conversation, read under its lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// Its id.
    pub id: ConversationId,
    /// Two people or a group.
    pub kind: Kind,
    /// A group's name.
    pub name: Option<String>,
    /// A group's description.
    pub description: Option<String>,
    /// A group's picture.
    pub avatar_url: Option<String>,
    /// Who made it.
    pub created_by: UserId,
    /// Whether it has or shall have a room.
    pub has_portal: bool,
    /// Its room, once there is one.
    pub room: Option<OwnedRoomId>,
    /// The number of its newest message.
    pub last_sequence: i64,
    /// Its members.
    pub members: BTreeMap<UserId, Member>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Conversation {
    /// The place of `user`, if they take part.
    #[must_use]
    pub fn joined(&self, user: UserId) -> Option<Member> {
        self.members
            .get(&user)
            .copied()
            .filter(|member| member.membership == Membership::Joined)
    }
}

/// The pair that a direct conversation is unique for, in the order that the database keeps it.
#[must_use]
pub fn pair(one: UserId, other: UserId) -> (UserId, UserId) {
    if one < other { (one, other) } else { (other, one) }
}
