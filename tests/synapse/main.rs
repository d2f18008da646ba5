//! Both sides through a real Synapse.
//!
//! `./test synapse` starts a copy of its own and runs this. Against a copy that runs already:
//! `NOVA_DEV_ENV=synapse-dev/state/env cargo nextest run --profile synapse --test synapse`
//!
//! Each test makes its own people and rooms, so that the tests run side by side and again on the same copy.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "tests fail by panicking, and say why they are skipped"
)]

mod acts;
mod again;
mod appservice;
mod bot;
mod direct;
mod forward;
mod groups;
mod keeping;
mod knocks;
mod media;
mod mentions;
mod passing;
mod pins;
mod places;
mod profiles;
mod requests;
mod rights;
mod rooms;
#[expect(dead_code, reason = "the suites share it, and none uses all of it")]
#[path = "../support_e2e/mod.rs"]
mod support;
mod text;

use support::chat::{Chat, direct_chat};
