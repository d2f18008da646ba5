//! What people say to the bridge's bot, and who may. The bot answers in management rooms: rooms that it shares with one
//! person.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use ruma::UserId as MatrixId;
use uuid::{Uuid, uuid};

use super::ids::UserId;

/// In jobs of the bot's: it is no account.
pub const BOT: UserId = UserId(Uuid::nil());

/// What a command may begin with. In a management room it need not.
pub const PREFIX: &str = "!nova";

/// What `help` says.
pub const HELP: &str = "\
help: this list
ping: whether the bridge is there, and how fast it reaches the homeserver
who NAME: the Nova users of that name, with their Matrix ids
open NAME or ID: have a Nova user invite you to a chat
link NAME or ID: a link to a Nova user that you can pass on
calls, calls on, calls off: whether Nova users can ring you
status: how the bridge is doing (admins)
retry ID, retry all: try again what could not be delivered (admins)";

/// The namespace of the lanes of management rooms.
const LANES: Uuid = uuid!("6d0c5b8e-8b0f-4f0e-9d53-0b2d3b7f0a51");

/// The lane of a management room: commands of one room are answered in order, and none waits for another room's.
#[must_use]
pub fn lane_of(room: &str) -> Uuid {
    Uuid::new_v5(&LANES, room.as_bytes())
}

/// What is asked of the bot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// What it can do.
    Help,
    /// Whether it is there.
    Ping,
    /// How the bridge is doing.
    Status,
    /// Who is called so.
    Who(String),
    /// A chat with a Nova user.
    Open(String),
    /// A link to a Nova user.
    Link(String),
    /// Another try for a dead letter.
    Retry(Uuid),
    /// Another try for all dead letters.
    RetryAll,
    /// Whether calls ring for who asks.
    Calls,
    /// That they shall, or not.
    SetCalls(bool),
    /// Something else.
    Unknown,
}

impl Command {
    /// Reads what was said.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let text = text.trim();
        let text = text.strip_prefix(PREFIX).unwrap_or(text);
        let mut words = text.split_whitespace();
        let verb = words.next().unwrap_or("help").to_lowercase();
        let rest = words.collect::<Vec<_>>().join(" ");
        match (verb.as_str(), rest.as_str()) {
            ("help" | "?", _) => Self::Help,
            ("ping", "") => Self::Ping,
            ("status", "") => Self::Status,
            ("who", name) if !name.is_empty() => Self::Who(rest),
            ("open", name) if !name.is_empty() => Self::Open(rest),
            ("link", name) if !name.is_empty() => Self::Link(rest),
            ("retry", "all") => Self::RetryAll,
            ("retry", id) => id.parse().map_or(Self::Unknown, Self::Retry),
            ("calls", "") => Self::Calls,
            ("calls", "on") => Self::SetCalls(true),
            ("calls", "off") => Self::SetCalls(false),
            _ => Self::Unknown,
        }
    }

    /// Who may ask for it.
    #[must_use]
    pub const fn needs(&self) -> Level {
        match self {
            Self::Status | Self::Retry(_) | Self::RetryAll => Level::Admin,
            Self::Help
            | Self::Ping
            | Self::Who(_)
            | Self::Open(_)
            | Self::Link(_)
            | Self::Calls
            | Self::SetCalls(_)
            | Self::Unknown => Level::User,
        }
    }
}

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing: the bot does not come.
    None,
    /// Everything that concerns themselves.
    User,
    /// Everything.
    Admin,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::User => "user",
            Self::Admin => "admin",
        })
    }
}

/// A level that there is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be none, user or admin")]
pub struct UnknownLevel;

impl FromStr for Level {
    type Err = UnknownLevel;

    fn from_str(text: &str) -> Result<Self, UnknownLevel> {
        match text {
            "none" => Ok(Self::None),
            "user" => Ok(Self::User),
            "admin" => Ok(Self::Admin),
            _ => Err(UnknownLevel),
        }
    }
}

/// Who may what: by Matrix id, by server name, and `*` for everybody else. The nearest one counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permissions(pub BTreeMap<String, Level>);

impl Permissions {
    /// What somebody may do.
    #[must_use]
    pub fn level(&self, user: &MatrixId) -> Level {
        [user.as_str(), user.server_name().as_str(), "*"]
            .into_iter()
            .find_map(|key| self.0.get(key).copied())
            .unwrap_or(Level::None)
    }
}

#[cfg(test)]
mod tests {
    use ruma::user_id;

    use super::*;

    #[test]
    fn commands_are_read_with_and_without_their_prefix() {
        for (text, wanted) in [
            ("!nova help", Command::Help),
            ("!nova", Command::Help),
            ("", Command::Help),
            ("  HELP me", Command::Help),
            ("!nova  ping ", Command::Ping),
            ("ping pong", Command::Unknown),
            ("status", Command::Status),
            ("who anna", Command::Who("anna".to_owned())),
            ("who", Command::Unknown),
            ("open  @nova-x:y  ", Command::Open("@nova-x:y".to_owned())),
            ("link Anna Berg", Command::Link("Anna Berg".to_owned())),
            ("retry all", Command::RetryAll),
            (
                "retry 01a1fcb0-cd23-7c4a-b607-f416fc0589fb",
                Command::Retry(uuid!("01a1fcb0-cd23-7c4a-b607-f416fc0589fb")),
            ),
            ("retry everything", Command::Unknown),
            ("calls", Command::Calls),
            ("calls on", Command::SetCalls(true)),
            ("!nova calls off", Command::SetCalls(false)),
            ("calls perhaps", Command::Unknown),
            ("hello there", Command::Unknown),
        ] {
            assert_eq!(Command::read(text), wanted, "{text:?}");
        }
    }

    #[test]
    fn the_nearest_permission_counts() {
        let of = |entries: &[(&str, Level)]| {
            Permissions(entries.iter().map(|(key, level)| ((*key).to_owned(), *level)).collect())
        };
        let permissions = of(&[
            ("*", Level::User),
            ("example.org", Level::None),
            ("@root:example.org", Level::Admin),
        ]);
        for (user, level) in [
            (user_id!("@root:example.org"), Level::Admin),
            (user_id!("@alice:example.org"), Level::None),
            (user_id!("@bob:elsewhere.org"), Level::User),
        ] {
            assert_eq!(permissions.level(user), level, "{user}");
        }
        assert_eq!(of(&[]).level(user_id!("@alice:example.org")), Level::None);
    }

    #[test]
    fn what_is_for_admins_is_not_for_others() {
        assert!(Command::Status.needs() > Level::User);
        assert!(Command::RetryAll.needs() > Level::User);
        assert!(Command::Help.needs() <= Level::User);
    }
}
