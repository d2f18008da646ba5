//! `nova-bridge run`: the bridge itself, until a signal.

use std::path::Path;

use tokio::runtime::Builder;

use super::{Exit, RunArgs, begin_logging};
use crate::app::{self, Options};
use crate::config::{self, Environment};
use crate::lifecycle::Stopped;

/// Runs the bridge.
///
/// # Errors
/// When it cannot start.
pub fn run(args: &RunArgs, file: &Path, environment: &Environment) -> anyhow::Result<Exit> {
    let config = config::load(file, environment)?;
    begin_logging(&config.logging, environment)?;
    let options = Options {
        no_migrate: args.no_migrate,
        print_addresses_to: args.print_addresses_to.as_deref(),
    };
    let stopped = Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(app::run(config, options))?;
    Ok(match stopped {
        Stopped::Clean | Stopped::Forced => Exit::Done,
        Stopped::TaskFailed => Exit::Failed,
    })
}
