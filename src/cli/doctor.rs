//! `doctor`: walks each leg of the bridge's connections and names the broken one with its cure.
//!
//! The walk knows how a leg can fail, what an admin does about it, and which leg needs which other. How a leg is tried
//! comes in as a function, so that the walk is tested without a network; `check` holds the real ones.

mod check;
mod failure;
mod report;

use std::io::Write;
use std::path::Path;

use self::check::Checks;
pub use self::failure::{Answer, Failure, Ping};
pub use self::report::Report;
use self::report::Step;
use super::Exit;
use crate::config::Environment;
use crate::domain::clock::{Clock, SystemClock};
use crate::domain::random::{Random, SystemRandom};

/// Tries everything, and reports.
///
/// # Errors
/// `out` does not take the report. What is broken is no error, but the exit code.
pub async fn doctor(path: &Path, environment: &Environment, out: &mut dyn Write) -> anyhow::Result<Exit> {
    let id = SystemRandom.id(SystemClock.now());
    let mut checks = Checks::new(path, environment, format!("doctor-{id}"));
    let report = walk(async |leg| checks.check(leg).await).await;
    report.write(out)?;
    Ok(report.exit())
}

/// One thing to try, in the order in which they are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Leg {
    /// The configuration can be used.
    Configuration,
    /// The registration is there and fits the configuration.
    Registration,
    /// The database takes connections.
    Database,
    /// Its schema is that of this version.
    Migrations,
    /// What people say is sealed in it, and every key is there.
    Sealing,
    /// The homeserver answers.
    Homeserver,
    /// It knows our token.
    Token,
    /// It is the server that the configuration says.
    Domain,
    /// Our namespace covers the ghosts.
    Namespace,
    /// It reaches us, and shows the right token.
    Ping,
    /// Calls get through firewalls.
    Turn,
}

impl Leg {
    /// All, in order.
    pub const ALL: [Self; 11] = [
        Self::Configuration,
        Self::Registration,
        Self::Database,
        Self::Migrations,
        Self::Sealing,
        Self::Homeserver,
        Self::Token,
        Self::Domain,
        Self::Namespace,
        Self::Ping,
        Self::Turn,
    ];

    /// Its name in the report.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Registration => "registration",
            Self::Database => "database",
            Self::Migrations => "migrations",
            Self::Sealing => "sealing",
            Self::Homeserver => "homeserver",
            Self::Token => "token",
            Self::Domain => "domain",
            Self::Namespace => "namespace",
            Self::Ping => "ping",
            Self::Turn => "turn",
        }
    }

    /// What must have gone well before it makes sense to try this one.
    #[must_use]
    pub fn needs(self) -> &'static [Self] {
        match self {
            Self::Configuration => &[],
            Self::Registration | Self::Database | Self::Homeserver => &[Self::Configuration],
            Self::Migrations => &[Self::Database],
            Self::Sealing => &[Self::Migrations],
            Self::Token => &[Self::Registration, Self::Homeserver],
            Self::Domain | Self::Ping | Self::Turn => &[Self::Token],
            // The ghosts carry the domain.
            Self::Namespace => &[Self::Token, Self::Domain],
        }
    }
}

/// Tries every leg whose needs are met. `check` answers with what it found, in a few words.
pub async fn walk(mut check: impl AsyncFnMut(Leg) -> Result<String, Failure>) -> Report {
    let mut report = Report::default();
    for leg in Leg::ALL {
        let missing = leg.needs().iter().copied().find(|&need| !report.went_well(need));
        let step = match missing {
            Some(need) => Step::Skipped(need),
            None => match check(leg).await {
                Ok(found) => Step::Well(found),
                Err(failure) if failure.is_advice() => Step::Wanting(failure),
                Err(failure) => Step::Broken(failure),
            },
        };
        report.add(leg, step);
    }
    report
}

#[cfg(test)]
mod tests;
