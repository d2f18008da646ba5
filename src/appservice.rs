//! The side that Synapse talks to.

pub mod ping_responder;
pub mod registration;
