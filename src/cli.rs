//! The command line: what can be asked of the binary, and with which exit code it answers.
//!
//! Data goes to `out` (stdout), everything said to the person goes to stderr. A command is a thin function in a module of
//! its own.

pub mod accounts;
pub mod check_config;
mod connected;
pub mod dead_letters;
pub mod doctor;
mod exit;
pub mod generate_config;
pub mod generate_key;
pub mod generate_registration;
pub mod migrate;
pub mod run;
pub mod seal;
mod table;
pub mod token;

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use tokio::runtime::{Builder, Runtime};
use url::Url;
use uuid::Uuid;

pub use self::exit::Exit;
use crate::config::{Environment, LogFormat, Logging};
use crate::domain::clock::SystemClock;
use crate::domain::ids::UserId;
use crate::telemetry::{self, Format, Output, TelemetryError};

/// Matrix application service of Nova: chat and calls between Nova's clients and Element.
#[derive(Debug, Parser)]
#[command(name = "nova-bridge", version, arg_required_else_help = false, after_help = Exit::TABLE)]
pub struct Cli {
    /// The configuration file.
    #[arg(
        short,
        long,
        global = true,
        env = "NOVA_BRIDGE_CONFIG",
        hide_env_values = true,
        default_value = "config.yaml",
        value_name = "FILE"
    )]
    pub config: PathBuf,

    /// What to do; `run` where nothing is said.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What can be asked of the binary.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the bridge (also without any command).
    Run(RunArgs),
    /// Bring the database to this version's schema.
    Migrate,
    /// Check the configuration and print the effective one, without secrets.
    CheckConfig,
    /// Print a commented example configuration.
    GenerateConfig,
    /// Write a registration with new tokens, for Synapse and the bridge.
    GenerateRegistration(generate_registration::GenerateRegistrationArgs),
    /// Print a fresh master key for the encryption at rest.
    GenerateKey,
    /// Seal what lies in the database by the first master key (also while the bridge runs).
    Seal,
    /// Try each connection and name the broken one with its cure.
    Doctor,
    /// Print a token of a Nova user, signed with a key of yours (for development).
    Token(token::TokenArgs),
    /// Show, retry or drop what could not be applied or sent.
    #[command(subcommand)]
    DeadLetters(DeadLettersCommand),
    /// Provision Nova accounts.
    #[command(subcommand)]
    Accounts(AccountsCommand),
}

/// `run`
#[derive(Debug, Clone, Default, Args)]
pub struct RunArgs {
    /// Refuse to start, instead of migrating, when the database is of an older schema.
    #[arg(long)]
    pub no_migrate: bool,

    /// Write the addresses of the listeners to a file (KEY=VALUE lines) once they are bound.
    #[arg(long, value_name = "FILE")]
    pub print_addresses_to: Option<PathBuf>,
}

/// `dead-letters`
#[derive(Debug, Clone, Subcommand)]
pub enum DeadLettersCommand {
    /// Show all.
    List,
    /// Try again.
    Retry(Which),
    /// Give up for good.
    Drop(Which),
}

/// One dead letter or all of them.
#[derive(Debug, Clone, Copy, Args)]
#[group(required = true, multiple = false)]
pub struct Which {
    /// Its id, as `dead-letters list` shows it.
    pub id: Option<Uuid>,

    /// All of them.
    #[arg(long)]
    pub all: bool,
}

/// `accounts`
#[derive(Debug, Clone, Subcommand)]
pub enum AccountsCommand {
    /// Create an account, or change its profile.
    Put(PutAccount),
    /// Show all.
    List,
}

/// `accounts put`
#[derive(Debug, Clone, Args)]
pub struct PutAccount {
    /// The account's UUID in Nova.
    pub user: UserId,

    /// The name that the person is found by.
    #[arg(long, value_name = "NAME")]
    pub username: String,

    /// The name that is shown.
    #[arg(long, value_name = "NAME")]
    pub display_name: Option<String>,

    /// Where the avatar is.
    #[arg(long, value_name = "URL")]
    pub avatar_url: Option<Url>,

    /// Whether calls ring for the person; stays as it is where nothing is said.
    #[arg(long, value_name = "BOOL")]
    pub calls: Option<bool>,
}

/// Begins to log as the configuration wants, for `run`.
///
/// # Errors
/// `RUST_LOG` cannot be read, or logging has begun before.
pub fn begin_logging(logging: &Logging, environment: &Environment) -> Result<(), TelemetryError> {
    let format = match logging.format {
        LogFormat::Json => Format::Json,
        LogFormat::Text => Format::Text,
    };
    telemetry::init(&logging.level, format, environment.variable("RUST_LOG"), Output::Stdout)
}

impl Cli {
    /// Whether it does one thing and ends: then stdout is for data, and the log goes to stderr.
    #[must_use]
    pub fn is_one_shot(&self) -> bool {
        !matches!(self.command, None | Some(Command::Run(_)))
    }

    /// Does what was asked.
    ///
    /// # Errors
    /// The command failed; [`Exit::of`] gives the exit code of the error.
    pub fn execute(self, environment: &Environment, out: &mut dyn Write) -> anyhow::Result<Exit> {
        match self.command.unwrap_or_else(|| Command::Run(RunArgs::default())) {
            Command::CheckConfig => check_config::check_config(&self.config, environment, out)?,
            Command::GenerateConfig => generate_config::generate_config(out)?,
            Command::GenerateRegistration(args) => {
                generate_registration::generate_registration(&args, &self.config, environment, &mut rand::rng(), out)?;
            }
            Command::GenerateKey => generate_key::generate_key(&mut rand::rng(), out)?,
            Command::Seal => runtime()?.block_on(seal::seal(&self.config, environment, out))?,
            Command::Token(args) => token::token(&args, &SystemClock, &mut rand::rng(), out)?,
            Command::Migrate => runtime()?.block_on(migrate::migrate(&self.config, environment, out))?,
            Command::Doctor => return runtime()?.block_on(doctor::doctor(&self.config, environment, out)),
            Command::DeadLetters(command) => {
                runtime()?.block_on(dead_letters::dead_letters(command, &self.config, environment, out))?;
            }
            Command::Accounts(command) => {
                runtime()?.block_on(accounts::accounts(command, &self.config, environment, out))?;
            }
            Command::Run(args) => return run::run(&args, &self.config, environment),
        }
        Ok(Exit::Done)
    }
}

/// What a command that does one thing needs to wait for others.
fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

#[cfg(test)]
mod tests;
