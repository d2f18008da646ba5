//! `generate-key`: a master key for `encryption_at_rest.keys`.

use std::io::Write;

use rand::{CryptoRng, Rng};

use crate::seal;

/// Prints a fresh one.
///
/// # Errors
/// `out` does not take it.
pub fn generate_key(random: &mut (impl Rng + CryptoRng), out: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(out, "{}", seal::fresh(random.random()))?;
    Ok(())
}
