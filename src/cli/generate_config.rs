//! `generate-config`: the commented example.

use std::io::Write;

/// Prints the example.
///
/// # Errors
/// `out` does not take it.
pub fn generate_config(out: &mut dyn Write) -> anyhow::Result<()> {
    out.write_all(crate::config::EXAMPLE.as_bytes())?;
    Ok(())
}
