//! Rebuilds when a migration changes, because the queries are checked against the schema they make.

fn main() {
    println!("cargo::rerun-if-changed=migrations");
    println!("cargo::rerun-if-changed=web");
}
