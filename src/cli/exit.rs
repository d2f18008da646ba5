//! Exit codes: scripts and systemd units rely on them.

use std::error::Error;
use std::process::ExitCode;

use crate::appservice::registration::RegistrationError;
use crate::bridge::CommandError;
use crate::config::ConfigError;
use crate::lifecycle::Stopped;
use crate::matrix::HomeserverError;
use crate::store::StoreError;
use crate::store::connect::ConnectError;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// Everything is as it should be.
    Done = 0,
    /// It failed, for a reason that has no code of its own.
    Failed = 1,
    /// The command line is wrong; clap ends the process with this one.
    Usage = 2,
    /// The configuration or the registration is wrong.
    Configuration = 3,
    /// The database cannot be used.
    Database = 4,
    /// The homeserver does not answer.
    HomeserverUnreachable = 5,
    /// The homeserver refuses us: token, domain or namespace.
    HomeserverRefuses = 6,
    /// Synapse cannot reach us.
    Unreachable = 7,
}

impl Exit {
    /// For `--help`.
    pub(super) const TABLE: &str = "Exit codes:\n  \
        0  ok\n  \
        1  failed\n  \
        2  usage\n  \
        3  configuration or registration\n  \
        4  database\n  \
        5  homeserver unreachable\n  \
        6  homeserver refuses us (token, domain, namespace)\n  \
        7  Synapse cannot reach us";

    /// The number.
    #[must_use]
    #[expect(clippy::as_conversions, reason = "the discriminant of a repr(u8) enum is its number")]
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The code of an error that ended a command.
    #[must_use]
    pub fn of(error: &anyhow::Error) -> Self {
        error.chain().find_map(Self::of_cause).unwrap_or(Self::Failed)
    }

    fn of_cause(cause: &(dyn Error + 'static)) -> Option<Self> {
        if cause.is::<ConfigError>() || cause.is::<RegistrationError>() {
            return Some(Self::Configuration);
        }
        if let Some(error) = cause.downcast_ref::<ConnectError>() {
            return Some(error.into());
        }
        if cause.is::<StoreError>() {
            return Some(Self::Database);
        }
        if let Some(error) = cause.downcast_ref::<HomeserverError>() {
            return Some(error.into());
        }
        // Transparent errors are no links of the chain.
        match cause.downcast_ref::<CommandError>()? {
            CommandError::Store(_) => Some(Self::Database),
            CommandError::Homeserver(error) => Some(error.into()),
            CommandError::NoSuchConversation
            | CommandError::NoSuchMessage
            | CommandError::NoSuchRequest
            | CommandError::NoSuchKnock
            | CommandError::NoSuchFile
            | CommandError::File(_)
            | CommandError::NoSuchDeadLetter
            | CommandError::NoSuchUser(_)
            | CommandError::NotMember
            | CommandError::Forbidden(_)
            | CommandError::Invalid(_)
            | CommandError::UnknownCall
            | CommandError::CallsOff
            | CommandError::InCall { .. }
            | CommandError::Message(_)
            | CommandError::Call(_)
            | CommandError::Busy
            | CommandError::Conflict(_) => None,
        }
    }
}

impl From<&ConnectError> for Exit {
    fn from(error: &ConnectError) -> Self {
        match error {
            ConnectError::KeysMissing { .. } | ConnectError::OtherKey { .. } => Self::Configuration,
            ConnectError::Address { .. }
            | ConnectError::Unreachable { .. }
            | ConnectError::Refuses { .. }
            | ConnectError::Behind { .. }
            | ConnectError::Foreign { .. }
            | ConnectError::Failed { .. } => Self::Database,
        }
    }
}

impl From<&HomeserverError> for Exit {
    fn from(error: &HomeserverError) -> Self {
        match error {
            HomeserverError::Connect(_)
            | HomeserverError::Timeout(_)
            | HomeserverError::Broken(_)
            | HomeserverError::Unreadable(_) => Self::HomeserverUnreachable,
            HomeserverError::Refused(refusal) => match refusal.status {
                401 | 403 if refusal.errcode.is_some() => Self::HomeserverRefuses,
                // A proxy's words, or a server in trouble.
                _ if refusal.errcode.is_none() || refusal.status >= 500 => Self::HomeserverUnreachable,
                _ => Self::Failed,
            },
            HomeserverError::Setup(_)
            | HomeserverError::Request(_)
            | HomeserverError::TooLarge { .. }
            | HomeserverError::Unsuitable(_) => Self::Failed,
        }
    }
}

impl From<Stopped> for Exit {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            // Whoever gave the second signal wanted it so, and what was not finished waits in the database.
            Stopped::Clean | Stopped::Forced => Self::Done,
            Stopped::TaskFailed => Self::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}
