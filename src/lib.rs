//! `nova-bridge`: the Matrix application service of Nova, and the chat server of Nova's clients.
//!
//! # How it is built
//!
//! ```text
//!   Synapse ──PUT /transactions──▶ appservice ─┐                        ┌─ nova ◀──REST, WebSocket── Nova's clients
//!                                              ▼                        ▼
//!                                            bridge ── the use cases ── bridge
//!                                              │   one transaction each    ▲
//!                              domain ◀────────┤                           │ feed (in the order of its cursors)
//!                         (the rules, pure)    ▼                           │
//!                                            store ─── Postgres ───────────┘
//!                                              │ outbox (one lane per conversation)
//!   Synapse ◀──as the ghosts── matrix ◀────────┘
//! ```
//!
//! - A transaction from Synapse is *decoded* ([`matrix::translate::inbound`]), *planned* ([`domain::ingest`], pure) and
//!   *applied* ([`store::apply`]) in one commit. Only then is it answered.
//! - What a Nova user does goes the same way: one commit that holds the rows, the feed entries, and the requests that
//!   Matrix is to be asked ([`domain::job`]). Nobody waits for Matrix.
//! - [`bridge::sender`] works off the outbox, lane by lane; [`bridge::feed`] follows the feed and hands it to
//!   [`nova::hub`], which knows the sockets.
//!
//! # Who may import whom
//!
//! ```text
//! main → cli → app → { appservice, nova, bridge, matrix, store, metrics, lifecycle, config, telemetry }
//! appservice → bridge, domain, metrics          nova   → bridge, domain, store (reads), metrics
//! bridge     → domain, store, matrix, metrics   matrix → domain, metrics
//! store      → domain, seal                     domain → std, serde, thiserror, ruma identifiers only
//! config     → seal                             seal   → nothing (pure, like the domain)
//! ```
//!
//! `axum` lives in appservice, nova, health and metrics; `sqlx` in store; `reqwest` and `ruma::api` in matrix.
//! `tests/it/layering.rs` keeps this table.

pub mod app;
pub mod appservice;
pub mod bridge;
pub mod cli;
pub mod config;
pub mod domain;
pub mod health;
pub mod lifecycle;
pub mod matrix;
pub mod metrics;
pub mod nova;
pub mod seal;
pub mod store;
pub mod telemetry;
