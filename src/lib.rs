//! `nova-bridge`: the Matrix application service of Nova.

pub mod domain;
pub mod matrix;
