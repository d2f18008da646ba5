//! The side that Synapse talks to.

pub mod registration;
