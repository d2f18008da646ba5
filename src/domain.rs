//! The pure core: what a conversation, a ghost, a message and a feed entry are, and which rules hold between them.
//!
//! Knows neither the network nor the database nor the clock: time and randomness come in as parameters.

pub mod act;
pub mod bot;
pub mod call;
pub mod clock;
pub mod contact_code;
pub mod conversation;
pub mod ephemeral;
pub mod event;
pub mod feed;
pub mod ghost;
pub mod ids;
pub mod ingest;
pub mod job;
pub mod media;
pub mod mention;
pub mod message;
pub mod pin;
pub mod power;
pub mod presence;
pub mod random;
pub mod receipt;
pub mod request;
pub mod search;
pub mod space;
pub mod typing;
