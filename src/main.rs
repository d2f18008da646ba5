//! The `nova-bridge` binary: parses the command line and leaves the rest to the library.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use nova_bridge::cli::{Cli, Exit};
use nova_bridge::config::Environment;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let exit = cli
        .execute(&Environment::of_process(), &mut io::stdout().lock())
        .unwrap_or_else(|error| {
            // Where stderr is closed there is nobody to tell.
            drop(writeln!(io::stderr(), "nova-bridge: {error:#}"));
            Exit::of(&error)
        });
    exit.into()
}
