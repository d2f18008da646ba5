//! `nova-bridge`: the Matrix application service of Nova.

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
pub mod store;
pub mod telemetry;
