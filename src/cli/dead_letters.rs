//! `dead-letters`: what could not be applied or sent, seen, tried again and dropped.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, ensure};
use uuid::Uuid;

use super::{DeadLettersCommand, Which, connected, table};
use crate::app::connect;
use crate::bridge::{Bridge, CommandError};
use crate::config::{self, Config, Environment};
use crate::store::dead_letters::{self, Listed};
use crate::store::{Store, StoreError};

/// Carries out one of the commands.
///
/// # Errors
/// The database cannot be used, there is no such letter, or what was tried again failed again.
pub async fn dead_letters(
    command: DeadLettersCommand,
    path: &Path,
    environment: &Environment,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let config = config::load(path, environment)?;
    match command {
        DeadLettersCommand::List => list(&config, out).await,
        DeadLettersCommand::Retry(which) => retry(which, &config, out).await,
        DeadLettersCommand::Drop(which) => discard(which, &config, out).await,
    }
}

async fn list(config: &Config, out: &mut dyn Write) -> anyhow::Result<()> {
    let store = connect::store(config).await?;
    let columns = [
        "ID",
        "DIRECTION",
        "REASON",
        "SINCE",
        "ROOM",
        "EVENT",
        "CONVERSATION",
        "ACTOR",
        "MESSAGE",
        "DETAIL",
    ];
    table::header(out, columns)?;
    for letter in all(&store).await? {
        let text = |id: Option<Uuid>| id.map(|id| id.to_string());
        table::row(
            out,
            [
                Some(&letter.id.to_string()),
                Some(&letter.direction),
                Some(&letter.reason),
                Some(&letter.created_at.format("%Y-%m-%dT%H:%M:%SZ").to_string()),
                letter.room.as_deref(),
                letter.event_id.as_deref(),
                text(letter.conversation).as_deref(),
                text(letter.actor).as_deref(),
                text(letter.message).as_deref(),
                Some(&letter.detail),
            ],
        )?;
    }
    Ok(())
}

async fn retry(which: Which, config: &Config, out: &mut dyn Write) -> anyhow::Result<()> {
    let bridge = connected::bridge(config).await?;
    let mut kept = 0_usize;
    for id in ids(which, &bridge).await? {
        match bridge.retry_dead_letter(id).await {
            Ok(()) if is_there(&bridge, id).await? => {
                kept += 1;
                writeln!(out, "failed again {id}")?;
            }
            Ok(()) => writeln!(out, "retried {id}")?,
            Err(error) => unless_gone(error, which, id, out)?,
        }
    }
    ensure!(
        kept == 0,
        "{kept} failed again; `nova-bridge dead-letters list` says why"
    );
    Ok(())
}

async fn discard(which: Which, config: &Config, out: &mut dyn Write) -> anyhow::Result<()> {
    let bridge = connected::bridge(config).await?;
    for id in ids(which, &bridge).await? {
        match bridge.drop_dead_letter(id).await {
            Ok(()) => writeln!(out, "dropped {id}")?,
            Err(error) => unless_gone(error, which, id, out)?,
        }
    }
    Ok(())
}

/// Of all letters, one may have gone since they were listed; the one that was asked for must be there.
fn unless_gone(error: CommandError, which: Which, id: Uuid, out: &mut dyn Write) -> anyhow::Result<()> {
    let gone = matches!(error, CommandError::NoSuchDeadLetter);
    if gone && which.all {
        writeln!(out, "gone {id}")?;
        return Ok(());
    }
    let context = if gone {
        format!("{id}: `nova-bridge dead-letters list` shows what there is")
    } else {
        format!("{id} stays as it is")
    };
    Err(error).context(context)
}

async fn ids(which: Which, bridge: &Bridge) -> Result<Vec<Uuid>, StoreError> {
    match which.id {
        Some(id) => Ok(vec![id]),
        None => Ok(all(bridge.store()).await?.into_iter().map(|letter| letter.id).collect()),
    }
}

/// All of them at once: letters that come and go meanwhile would shift pages.
async fn all(store: &Store) -> Result<Vec<Listed>, StoreError> {
    let mut connection = store.read().await?;
    dead_letters::list(&mut connection, i64::MAX, 0).await
}

async fn is_there(bridge: &Bridge, id: Uuid) -> Result<bool, StoreError> {
    let mut connection = bridge.store().read().await?;
    Ok(dead_letters::conversation_of(&mut connection, id).await?.is_some())
}
