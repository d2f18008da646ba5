//! Exit codes: scripts and systemd units rely on them.

use std::process::ExitCode;

use crate::appservice::registration::RegistrationError;
use crate::config::ConfigError;

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
        let about_configuration =
            |cause: &&(dyn std::error::Error + 'static)| cause.is::<ConfigError>() || cause.is::<RegistrationError>();
        if error.chain().any(|cause| about_configuration(&cause)) {
            Self::Configuration
        } else {
            Self::Failed
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}
