//! What the suites against the real Synapse share: both sides' clients, and the way to the running copy.

pub(crate) mod api;
pub(crate) mod chat;
pub(crate) mod env;
pub(crate) mod matrix;
pub(crate) mod nova;
pub(crate) mod socket;
pub(crate) mod sync;
pub(crate) mod wait;
pub(crate) mod world;
