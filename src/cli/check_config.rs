//! `check-config`: reads the configuration as `run` would, and prints what came of it.

use std::io::Write;
use std::path::Path;

use crate::config::{self, Environment};

/// Prints the effective configuration without its secrets.
///
/// # Errors
/// The configuration cannot be used.
pub fn check_config(path: &Path, environment: &Environment, out: &mut dyn Write) -> anyhow::Result<()> {
    let config = config::load(path, environment)?;
    out.write_all(config.redacted()?.as_bytes())?;
    Ok(())
}
