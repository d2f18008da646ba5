//! What the cases share: where the bridge is, how it is called, and how to see what it delivered.

pub(crate) mod answer;
pub(crate) mod bridge;
pub(crate) mod call;
pub(crate) mod case;
pub(crate) mod delivered;
pub(crate) mod prepare;
pub(crate) mod probe;
pub(crate) mod settings;
