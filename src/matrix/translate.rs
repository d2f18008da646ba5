//! Between Matrix's JSON and the domain's words, both ways. Pure, and pinned by snapshots.

pub mod calls;
pub mod ephemeral;
pub mod inbound;
pub mod media;
pub mod outbound;
pub mod space;
