//! `nova-bridge`: the Matrix application service of Nova.

pub mod config;
pub mod domain;
