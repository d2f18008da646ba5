//! `accounts`: provisions Nova accounts.
//!
//! What is written here is carried out by the bridge that runs: it finds the job in the outbox by itself.

use std::io::Write;
use std::path::Path;

use super::{AccountsCommand, PutAccount, connected, table};
use crate::app::connect;
use crate::bridge::accounts::AccountProfile;
use crate::config::{self, Config, Environment};
use crate::store::people;

/// How many accounts are read at once.
const PAGE: i64 = 500;

/// Carries out one of the commands.
///
/// # Errors
/// The database cannot be used, or the account makes no sense.
pub async fn accounts(
    command: AccountsCommand,
    path: &Path,
    environment: &Environment,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let config = config::load(path, environment)?;
    match command {
        AccountsCommand::Put(account) => put(account, &config, out).await,
        AccountsCommand::List => list(&config, out).await,
    }
}

async fn put(account: PutAccount, config: &Config, out: &mut dyn Write) -> anyhow::Result<()> {
    let bridge = connected::bridge(config).await?;
    let profile = AccountProfile {
        username: account.username,
        display_name: account.display_name,
        avatar_url: account.avatar_url.map(Into::into),
    };
    let changed = bridge.put_account(account.user, profile).await?;
    if let Some(enabled) = account.calls {
        bridge.set_calls_enabled(account.user, enabled).await?;
    }
    let done = if changed { "written" } else { "unchanged" };
    writeln!(out, "{done} {} {}", account.user, bridge.ghosts().mxid(account.user))?;
    Ok(())
}

async fn list(config: &Config, out: &mut dyn Write) -> anyhow::Result<()> {
    let store = connect::store(config).await?;
    table::header(out, ["ID", "USERNAME", "DISPLAY NAME", "AVATAR", "MATRIX ID"])?;
    let mut after = None;
    loop {
        let mut connection = store.read().await?;
        let page = people::accounts(&mut connection, after, PAGE).await?;
        drop(connection);
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.id);
        for person in &page {
            table::row(
                out,
                [
                    Some(&person.id.to_string()),
                    person.username.as_deref(),
                    person.display_name.as_deref(),
                    person.avatar_url.as_deref(),
                    Some(person.mxid.as_str()),
                ],
            )?;
        }
    }
}
