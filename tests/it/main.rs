//! The integration tests: one binary, so that it links once.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod call_frames;
mod calls;
mod chat;
mod cli;
mod decoders;
mod fake_homeserver;
mod gauges;
mod homeserver_client;
mod homeserver_errors;
mod homeserver_media;
mod homeserver_requests;
mod layering;
mod line;
mod media;
mod nova_calls;
mod sealing;
mod small_pool;
mod support;
