//! `generate-registration`: a registration with new tokens, and what to do with it.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use rand::{CryptoRng, Rng};

use crate::appservice::registration;
use crate::config::{self, Environment};

/// `generate-registration`
#[derive(Debug, Clone, Args)]
pub struct GenerateRegistrationArgs {
    /// Where to write it; `-` is stdout [default: what the configuration names].
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Overwrite a registration that exists. Synapse then has to load the new one.
    #[arg(long)]
    pub force: bool,
}

/// Writes the registration. Of the configuration only `homeserver.domain` and `appservice` have to be right.
///
/// # Errors
/// The configuration lacks what is needed, or the file cannot be written.
pub fn generate_registration(
    args: &GenerateRegistrationArgs,
    config: &Path,
    environment: &Environment,
    rng: &mut (impl CryptoRng + Rng),
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let settings = config::load_for_registration(config, environment)?;
    let text = registration::generate(&settings.domain, &settings.url, rng);
    let path = args.output.as_ref().unwrap_or(&settings.file);
    if path == Path::new("-") {
        out.write_all(text.as_bytes())?;
        return Ok(());
    }
    registration::write(path, &text, args.force)?;
    let shown = std::path::absolute(path).unwrap_or_else(|_| path.clone());
    writeln!(
        out,
        "Wrote {}. Now let Synapse read it: add to its homeserver.yaml",
        path.display()
    )?;
    writeln!(out, "\n  app_service_config_files:\n    - {}\n", shown.display())?;
    writeln!(
        out,
        "and restart Synapse. The file holds secrets; Synapse's user needs to read it, others must not."
    )?;
    Ok(())
}
