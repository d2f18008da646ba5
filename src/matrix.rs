//! The way to the homeserver.

pub mod translate;
