//! `bot`: who may talk to the bridge's bot.

use std::collections::BTreeMap;

use ruma::{OwnedServerName, OwnedUserId};

use super::error::Problem;
use super::file::BotSection;
use super::values::Problems;

/// `bot`
#[derive(Debug, Clone)]
pub struct Bot {
    /// What people may do: by Matrix id, by server name, and `*` for everybody else.
    pub permissions: BTreeMap<String, BotLevel>,
}

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BotLevel {
    /// Nothing.
    None,
    /// Everything that concerns themselves.
    User,
    /// Everything.
    Admin,
}

const LEVELS: [(&str, BotLevel); 3] = [
    ("none", BotLevel::None),
    ("user", BotLevel::User),
    ("admin", BotLevel::Admin),
];

impl Bot {
    pub(super) fn to_section(&self) -> BotSection {
        let name = |level: &BotLevel| LEVELS.iter().find(|(_, it)| it == level).map_or("", |(name, _)| *name);
        let permissions = self.permissions.iter();
        BotSection {
            permissions: permissions
                .map(|(who, it)| (who.clone(), name(it).to_owned()))
                .collect(),
        }
    }
}

pub(super) fn bot(section: &BotSection, problems: Problems<'_>) -> Option<Bot> {
    let mut permissions = BTreeMap::new();
    for (who, name) in &section.permissions {
        let key = format!("bot.permissions.{who}");
        let known = who == "*"
            || OwnedUserId::try_from(who.as_str()).is_ok()
            || OwnedServerName::try_from(who.as_str()).is_ok();
        let level = LEVELS.iter().find(|(it, _)| it == name);
        match level {
            _ if !known => problems.push(Problem::new(
                key,
                "names nobody",
                "write a Matrix id, a server name, or \"*\" for everybody else",
            )),
            None => problems.push(Problem::new(
                key,
                format!("is {name:?}"),
                "write one of none, user, admin",
            )),
            Some((_, level)) => drop(permissions.insert(who.clone(), *level)),
        }
    }
    (permissions.len() == section.permissions.len()).then_some(Bot { permissions })
}
