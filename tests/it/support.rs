//! What the integration tests share.

pub(crate) mod address;
pub(crate) mod bridge;
pub(crate) mod homeserver;
pub(crate) mod socket;
