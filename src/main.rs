//! The `nova-bridge` binary: parses the command line and leaves the rest to the library.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use nova_bridge::cli::{Cli, Exit};
use nova_bridge::config::Environment;
use nova_bridge::telemetry;
use tikv_jemallocator::Jemalloc;

/// Gives back what is not needed any more, which the allocator of the system keeps: a third of the resident memory.
/// `.cargo/config.toml` has its settings.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let environment = Environment::of_process();
    run(cli, &environment)
        .unwrap_or_else(|error| {
            // Where stderr is closed there is nobody to tell.
            drop(writeln!(io::stderr(), "nova-bridge: {error:#}"));
            Exit::of(&error)
        })
        .into()
}

fn run(cli: Cli, environment: &Environment) -> anyhow::Result<Exit> {
    if cli.is_one_shot() {
        telemetry::init_one_shot(environment.variable("RUST_LOG"))?;
    }
    // Not locked: `run` logs to stdout from every thread.
    cli.execute(environment, &mut io::stdout())
}
