//! `seal`: seals everything by the first key, beside the bridge that runs, and says which keys may go then.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, bail, ensure};

use crate::app::connect;
use crate::config::{self, Environment};
use crate::store::reseal::{Column, step};
use crate::store::{Store, keys};

/// How many rounds are made for rows that are always in somebody's hand.
const ROUNDS: usize = 20;

/// How many sealed rows are worth a line.
const LINE: u64 = 10_000;

/// Seals what is plain, and what older keys sealed. May be broken off, and begun again, at any time.
///
/// # Errors
/// There is no key, the database cannot be used, or texts do not open.
pub async fn seal(path: &Path, environment: &Environment, out: &mut dyn Write) -> anyhow::Result<()> {
    let config = config::load(path, environment)?;
    let first = config.encryption_at_rest.keys.first();
    let first = first.context("encryption_at_rest.keys is empty: `nova-bridge generate-key` prints a key")?;
    let store = connect::store(&config).await?;
    everything(&store, out).await?;
    // What was sealed otherwise meanwhile; from here on nobody can.
    let retiring = keys::retire(&store).await?;
    everything(&store, out).await?;
    for id in &retiring.busy {
        writeln!(out, "the key {id} has to stay: a bridge that runs seals by it")?;
    }
    if retiring.unsealed {
        writeln!(out, "a bridge that runs does not seal at all")?;
    }
    let waits = retiring.unsealed || !retiring.busy.is_empty();
    for id in retiring.forget().await? {
        writeln!(out, "the key {id} may be removed from encryption_at_rest.keys")?;
    }
    if waits {
        bail!("restart every bridge with this configuration, and run this again");
    }
    writeln!(out, "everything is sealed by the key {first}")?;
    Ok(())
}

/// Rounds over all columns, until one finds nothing to do.
async fn everything(store: &Store, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut left = 0;
    for _ in 0..ROUNDS {
        left = 0;
        let mut sealed = 0;
        let mut damaged = Vec::new();
        for column in Column::ALL {
            let done = whole(store, column, out).await?;
            sealed += done.sealed;
            left += done.left;
            damaged.extend(done.damaged);
        }
        if sealed > 0 || left > 0 {
            continue;
        }
        ensure!(
            damaged.is_empty(),
            "these do not open, and stay as they are:\n  {}",
            damaged.join("\n  ")
        );
        return Ok(());
    }
    bail!("{left} rows are always in use: run this again")
}

#[derive(Default)]
struct Done {
    sealed: u64,
    left: u64,
    damaged: Vec<String>,
}

/// All rows of a column, once.
async fn whole(store: &Store, column: Column, out: &mut dyn Write) -> anyhow::Result<Done> {
    let mut done = Done::default();
    let mut told = 0;
    let mut after: Option<String> = None;
    let mut connection = store.read().await?;
    loop {
        let found = step(&mut connection, column, after.as_deref()).await?;
        done.sealed += found.sealed;
        done.left += found.left;
        let name = column.name();
        done.damaged
            .extend(found.damaged.iter().map(|key| format!("{name} of {key}")));
        let ends = found.last.is_none();
        if done.sealed > told && (ends || done.sealed - told >= LINE) {
            told = done.sealed;
            writeln!(out, "{name}: {told} sealed")?;
        }
        if ends {
            return Ok(done);
        }
        after = found.last;
    }
}
