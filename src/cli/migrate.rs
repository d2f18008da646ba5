//! `migrate`: brings the database to this version's schema.

use std::io::Write;
use std::path::Path;

use crate::app::connect;
use crate::config::{self, Environment};
use crate::store::connect::place_of;

/// Takes the steps that are missing, and says which.
///
/// # Errors
/// The database cannot be reached, or is of another version.
pub async fn migrate(path: &Path, environment: &Environment, out: &mut dyn Write) -> anyhow::Result<()> {
    let config = config::load(path, environment)?;
    let pool = connect::database(&config).await?.pool;
    for step in connect::migrate(&pool).await? {
        writeln!(out, "applied {} {}", step.version, step.description)?;
    }
    writeln!(out, "the schema of {} is up to date", place_of(&pool))?;
    Ok(())
}
