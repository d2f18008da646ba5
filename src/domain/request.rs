//! Who may come to whom: blocks, whom somebody wants to be asked by first, and what becomes of such a request.
//!
//! A request is the place of a Nova user in a conversation that they have not come to yet. Nova's follows are not known
//! here: who has a direct conversation with somebody counts as followed and following.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::ids::UserId;
use super::message::shortened;

/// Who may open a chat with somebody, or add them to a group, without asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DmPermission {
    /// Everybody.
    #[default]
    Anyone,
    /// As `Mutuals`, because follows are not known.
    Followers,
    /// Whoever they have a direct conversation with.
    Mutuals,
    /// Nobody.
    Nobody,
}

impl DmPermission {
    /// The name in the database, the configuration and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Anyone => "anyone",
            Self::Followers => "followers",
            Self::Mutuals => "mutuals",
            Self::Nobody => "nobody",
        }
    }

    /// The permission of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Anyone, Self::Followers, Self::Mutuals, Self::Nobody]
            .into_iter()
            .find(|it| it.as_str() == name)
    }

    /// Whether somebody need not ask, given whether the two have a direct conversation that the one asked takes part in.
    #[must_use]
    pub const fn admits(self, acquainted: bool) -> bool {
        match self {
            Self::Anyone => true,
            Self::Followers | Self::Mutuals => acquainted,
            Self::Nobody => false,
        }
    }
}

/// What becomes of somebody who wants to bring a Nova user into a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// They come at once.
    Join,
    /// They are asked.
    Ask,
    /// They do not come, and hear nothing of it.
    Decline,
}

/// Whose doors are shut to whom.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Doors {
    /// Who blocks whom: the blocker first.
    pub blocks: HashSet<(UserId, UserId)>,
    /// Who wants to be asked by whom: the one asked first.
    pub asks: HashSet<(UserId, UserId)>,
}

impl Doors {
    /// What becomes of `by` who wants to bring `user` in.
    #[must_use]
    pub fn admission(&self, user: UserId, by: UserId) -> Admission {
        if self.blocks.contains(&(user, by)) {
            Admission::Decline
        } else if self.asks.contains(&(user, by)) {
            Admission::Ask
        } else {
            Admission::Join
        }
    }
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// They came.
    Accepted,
    /// They do not want to.
    Rejected,
    /// They are not wanted any more.
    Withdrawn,
}

impl Answer {
    /// The name in frames.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// The longest preview of a message, in bytes.
const MAX_PREVIEW: usize = 200;

/// The beginning of what somebody says who asks.
#[must_use]
pub fn preview(text: &str) -> String {
    shortened(text.to_owned(), MAX_PREVIEW)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn permissions_have_names_and_say_who_need_not_ask() {
        for (name, stranger, acquainted) in [
            ("anyone", true, true),
            ("followers", false, true),
            ("mutuals", false, true),
            ("nobody", false, false),
        ] {
            let permission = DmPermission::parse(name).unwrap();
            assert_eq!(permission.as_str(), name);
            assert_eq!(
                (permission.admits(false), permission.admits(true)),
                (stranger, acquainted),
                "{name}"
            );
        }
        assert_eq!(DmPermission::parse("Anyone"), None);
    }

    #[test]
    fn a_block_counts_more_than_a_wish_to_be_asked_and_only_one_way() {
        let (one, other) = (UserId(Uuid::from_u128(1)), UserId(Uuid::from_u128(2)));
        let mut doors = Doors::default();
        assert_eq!(doors.admission(one, other), Admission::Join);
        doors.asks.insert((one, other));
        assert_eq!(doors.admission(one, other), Admission::Ask);
        doors.blocks.insert((one, other));
        assert_eq!(doors.admission(one, other), Admission::Decline);
        assert_eq!(doors.admission(other, one), Admission::Join);
    }
}
