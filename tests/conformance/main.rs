//! A black-box suite for the appservice side of the Matrix appservice API: it plays the homeserver, and knows of the
//! bridge nothing but its URL and its token. `README.md` beside this file says how to run it against any bridge.
//!
//! Nothing here may use the crate that it is kept in.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends at the first thing that is not as it should be"
)]

mod cases;
mod support;
