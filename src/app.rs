//! The composition root.

pub mod connect;
