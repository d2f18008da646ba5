//! The table of architecture §6: which layer may know which other one, and which crates belong to which layers.
//!
//! Tests may know everything and are left out.

#[path = "layering/source.rs"]
mod source;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use source::{Source, has_path};

/// The layers that each top-level module may name besides itself, the upper ones first.
const LAYERS: &[(&str, &[&str])] = &[
    ("main", &["cli", "config", "telemetry"]),
    ("lib", &[]),
    (
        "cli",
        &[
            "app",
            "appservice::ping_responder",
            "appservice::registration",
            "bridge",
            "config",
            "domain",
            "lifecycle",
            "matrix",
            "metrics",
            "seal",
            "store",
            "telemetry",
        ],
    ),
    (
        "app",
        &[
            "appservice",
            "bridge",
            "config",
            "domain",
            "health",
            "lifecycle",
            "matrix",
            "metrics",
            "nova",
            "seal",
            "store",
            "telemetry",
        ],
    ),
    ("appservice", &["bridge", "domain", "metrics", "store::StoreError"]),
    ("nova", &["bridge", "domain", "metrics", "store"]),
    ("bridge", &["domain", "matrix", "metrics", "store"]),
    ("matrix", &["domain", "metrics"]),
    ("store", &["domain", "seal"]),
    ("health", &["metrics"]),
    ("config", &["seal"]),
    ("domain", &[]),
    ("lifecycle", &[]),
    ("metrics", &[]),
    ("seal", &[]),
    ("telemetry", &[]),
];

/// Crates that only some layers may name.
const CRATES: &[(&str, &[&str])] = &[
    ("axum", &["app", "appservice", "health", "metrics", "nova"]),
    ("sqlx", &["app", "store"]),
    ("reqwest", &["matrix"]),
    ("ruma::api", &["appservice", "matrix"]),
];

/// All that the domain may import.
const DOMAIN_CRATES: &[&str] = &[
    "chrono",
    "ruma",
    "serde",
    "serde_json",
    "std",
    "thiserror",
    "unicode_normalization",
    "unicode_segmentation",
    "uuid",
];

/// What is wrong with one file, in words.
fn violations(source: &Source) -> Vec<String> {
    let layer = source.layer();
    let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == layer) else {
        return vec![format!(
            "{source}: the layer `{layer}` is not in the table of tests/it/layering.rs"
        )];
    };
    let mut found = BTreeSet::new();
    for path in source.inner_paths() {
        let own = path == layer || has_path(&path, layer);
        if !own && !allowed.iter().any(|allowed| has_path(&path, allowed)) {
            found.insert(format!("{source}: `{layer}` must not know `{path}`"));
        }
    }
    for (name, layers) in CRATES {
        if !layers.contains(&layer) && source.names_crate(name) {
            found.insert(format!("{source}: the crate `{name}` belongs to {}", layers.join(", ")));
        }
    }
    if layer == "domain" {
        for name in source.imported_crates() {
            if !DOMAIN_CRATES.contains(&name.as_str()) {
                found.insert(format!("{source}: the domain must not know the crate `{name}`"));
            }
        }
    }
    found.into_iter().collect()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

#[test]
fn every_layer_knows_only_the_layers_below_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut read = 0;
    for path in rust_files(&root) {
        let name = path.strip_prefix(&root).unwrap();
        let is_test = name
            .components()
            .any(|part| matches!(part.as_os_str().to_str(), Some("tests" | "tests.rs")));
        if !is_test {
            read += 1;
            let text = fs::read_to_string(&path).unwrap();
            found.extend(violations(&Source::new(name.to_str().unwrap(), &text)));
        }
    }
    assert!(read > 30, "the sources are where this test looks for them");
    found.sort();
    assert!(found.is_empty(), "architecture §6 is broken:\n  {}", found.join("\n  "));
}

fn judged(path: &str, text: &str) -> Vec<String> {
    violations(&Source::new(path, text))
}

#[test]
fn a_violation_is_found_however_it_is_written() {
    for (path, text) in [
        ("domain/message.rs", "use crate::store::Store;"),
        ("domain/message.rs", "fn f() { crate::store::ping() }"),
        (
            "domain/message.rs",
            "use crate::{domain::clock::Clock, store::{Store, Tx}};",
        ),
        ("domain/message.rs", "use super::super::store::Store;"),
        ("domain.rs", "use super::store::Store;"),
        ("domain/message.rs", "use tokio::time::sleep;"),
        ("domain/message.rs", "use ::sqlx::PgPool;"),
        ("store/feed.rs", "use crate::bridge::Bridge;"),
        ("matrix.rs", "use crate::store::{feed, messages};"),
        ("nova/rest.rs", "use crate::matrix::Homeserver;"),
        ("appservice/error.rs", "use crate::store::feed;"),
        ("cli/run.rs", "use crate::appservice::router;"),
        ("cli.rs", "use crate::nova::hub::Hub;"),
        ("bridge/sender.rs", "use axum::Router;"),
        ("bridge/sender.rs", "fn f(pool: &sqlx::PgPool) {}"),
        ("nova/rest.rs", "use reqwest::Client;"),
        ("bridge/sender.rs", "use ruma::api::client::room;"),
        ("bridge/sender.rs", "use ruma::{OwnedRoomId, api::client::room};"),
        ("main.rs", "use nova_bridge::store::Store;"),
        ("mystery.rs", ""),
    ] {
        assert!(!judged(path, text).is_empty(), "{path}: {text}");
    }
}

#[test]
fn what_is_allowed_said_in_comments_or_part_of_a_test_is_no_violation() {
    for (path, text) in [
        (
            "nova/rest.rs",
            "use crate::store::lists;\nuse super::super::bridge::Bridge;",
        ),
        (
            "domain/ingest/rooms.rs",
            "use super::{Effects, reason};\nuse crate::domain::ids::UserId;",
        ),
        (
            "domain/message.rs",
            "//! See [`crate::store`].\n/* use crate::store::Store; */",
        ),
        (
            "domain/message.rs",
            "const TEXT: &str = \"use crate::store::\\\"Store;\"; const C: char = '\"';",
        ),
        (
            "domain/message.rs",
            "const TEXT: &str = r#\"crate::store::\"Store\"#; fn f<'a>(x: &'a str) {}",
        ),
        (
            "domain/message.rs",
            "#[cfg(test)]\nmod tests {\n use crate::store::Store;\n fn f() {}\n}",
        ),
        ("nova/openapi.rs", "use utoipa_axum::router::OpenApiRouter;"),
        ("nova.rs", "use utoipa_axum::router::OpenApiRouter;\nuse axum::Router;"),
        ("bridge/sender.rs", "use ruma::{OwnedRoomId, RoomId};"),
        ("matrix/rooms.rs", "use ruma::api::client::room;"),
        ("cli/run.rs", "use crate::appservice::registration::Registration;"),
        ("main.rs", "use nova_bridge::cli::Cli;"),
    ] {
        assert_eq!(judged(path, text), Vec::<String>::new(), "{path}: {text}");
    }
}
