//! Roles ↔ power levels.

use serde::{Deserialize, Serialize};

/// What a member may do in a group, in rising order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Talks.
    #[default]
    Member,
    /// Removes members.
    Moderator,
    /// Changes the group and its members.
    Admin,
    /// May do everything.
    Owner,
}

/// Who may let people in who knock: what is needed to send them away in rooms of our own.
pub const LETS_IN: Role = Role::Admin;

impl Role {
    /// The name in the database and in frames.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Moderator => "moderator",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }

    /// The role of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "member" => Some(Self::Member),
            "moderator" => Some(Self::Moderator),
            "admin" => Some(Self::Admin),
            "owner" => Some(Self::Owner),
            _ => None,
        }
    }

    /// The power level that stands for it in a Matrix room.
    #[must_use]
    pub const fn power(self) -> i64 {
        match self {
            Self::Member => 0,
            Self::Moderator => 25,
            Self::Admin => 50,
            Self::Owner => 100,
        }
    }

    /// The role that a power level amounts to.
    #[must_use]
    pub const fn of_power(level: i64) -> Self {
        match level {
            100.. => Self::Owner,
            50..100 => Self::Admin,
            25..50 => Self::Moderator,
            _ => Self::Member,
        }
    }

    /// Whether somebody of this role has at least this power for certain. Owners may everything.
    #[must_use]
    pub const fn reaches(self, level: i64) -> bool {
        self.power() >= level || matches!(self, Self::Owner)
    }

    /// Whether this role may change, remove or give `other`: only what is strictly lower. Owners also make owners.
    #[must_use]
    pub fn manages(self, other: Self) -> bool {
        self >= Self::Moderator && self > other
    }
}

#[cfg(test)]
mod tests {
    use super::Role;

    #[test]
    fn each_role_survives_the_way_through_a_power_level() {
        for role in [Role::Member, Role::Moderator, Role::Admin, Role::Owner] {
            assert_eq!(Role::of_power(role.power()), role);
            assert_eq!(Role::parse(role.as_str()), Some(role));
            assert!(!role.manages(role));
            assert!(role.reaches(role.power()));
        }
        assert_eq!(Role::of_power(-5), Role::Member);
        assert_eq!(Role::of_power(i64::MAX), Role::Owner);
        assert!(Role::Owner.reaches(1000) && !Role::Admin.reaches(51) && Role::Member.reaches(-1));
    }
}
