//! The benchmark of the bridge, run by `./bench`; `docs/benchmarks.md` says what it measures and why.
//!
//! It starts the real binary beside a homeserver that does nothing, pushes transactions at it as Synapse does, and
//! counts what WebSocket clients are shown. What nobody can go below, and a bare handler in Node for comparison, are
//! measured in the same rounds, because absolute numbers mean nothing on shared machines.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a benchmark that cannot go on ends by panicking"
)]
#![expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "counts become rates")]

mod bridge_process;
mod calls;
mod floor;
mod homeserver;
mod line;
mod mixed;
mod peer;
mod process;
mod reading;
mod results;
mod runs;
mod sockets;
mod town;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use runs::{Bench, Sizes};
use sqlx::Connection;
use sqlx::postgres::PgConnection;

/// Measures the bridge.
#[derive(Debug, Parser)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
struct Options {
    /// Only these parts: throughput, backlog, burst, send, calls, reading, mixed, idle.
    #[arg(value_parser = ["throughput", "backlog", "burst", "send", "calls", "reading", "mixed", "idle"])]
    parts: Vec<String>,
    /// Fewer rounds and smaller ones.
    #[arg(long)]
    quick: bool,
    /// Fail where a target is not met.
    #[arg(long)]
    strict: bool,
    /// Without the comparison with Node.
    #[arg(long)]
    no_peer: bool,
    /// How many rooms the large run has.
    #[arg(long, default_value_t = 10_000)]
    rooms: usize,
    /// What `cargo bench` says to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
    /// A Postgres in which databases may be made.
    #[arg(long, env = "DATABASE_URL")]
    database_url: String,
    /// Where files go.
    #[arg(long, default_value = "target/bench")]
    directory: PathBuf,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(measure(&options))
}

async fn measure(options: &Options) -> ExitCode {
    let wants = |part: &str| options.parts.is_empty() || options.parts.iter().any(|it| it == part);
    let sizes = if options.quick {
        Sizes::quick(options.rooms)
    } else {
        Sizes::full(options.rooms)
    };
    let directory = std::path::absolute(&options.directory).unwrap();
    let databases = ["bench_floor", "bench_bridge", "bench_peer"];
    let [floor, bridge, peer] = make_databases(&options.database_url, databases).await;
    let peer = (!options.no_peer).then_some(peer.as_str());
    let mut bench = Bench::start(sizes, &directory, &floor, &bridge, peer).await;
    if wants("throughput") {
        bench.throughput().await;
    }
    if wants("backlog") {
        bench.backlog().await;
    }
    if wants("send") {
        bench.send().await;
    }
    if wants("burst") {
        bench.burst().await;
    }
    if wants("calls") {
        bench.calls().await;
    }
    if wants("mixed") {
        bench.mixed().await;
    }
    if wants("reading") {
        bench.reading(&bridge).await;
    }
    if wants("idle") {
        bench.idle().await;
    }
    let results = bench.finish();
    let file = directory.join("result.json");
    std::fs::write(&file, serde_json::to_vec_pretty(&results.json()).unwrap()).unwrap();
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}\nwritten to {}", results.table(), file.display()).unwrap();
    if options.strict && !results.all_met() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

/// Empty databases beside the one of `url`, and their addresses.
async fn make_databases<const N: usize>(url: &str, names: [&'static str; N]) -> [String; N] {
    let mut connection = PgConnection::connect(url).await.expect("Postgres lets us in");
    for name in names {
        for statement in [
            format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
            format!("CREATE DATABASE {name}"),
        ] {
            sqlx::query(sqlx::AssertSqlSafe(statement))
                .execute(&mut connection)
                .await
                .unwrap();
        }
    }
    let mut parsed: url::Url = url.parse().expect("DATABASE_URL is a URL");
    names.map(|name| {
        parsed.set_path(name);
        parsed.to_string()
    })
}
