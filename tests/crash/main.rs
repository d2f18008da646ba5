//! Parts die at random moments while everybody talks in both directions: messages, pictures, edits, reactions, deletions,
//! receipts. In the end both sides agree: every message once, in order, as its author has last left it, with the reactions
//! that were left, and nothing that was deleted.
//!
//! `./test crash` starts a copy of its own and runs this. Against a copy that runs already:
//! `NOVA_DEV_ENV=synapse-dev/state/env cargo nextest run --profile crash --test crash`
//!
//! `NOVA_CRASH_ROUNDS` (20) is how often the bridge is killed, the other parts less often; `NOVA_CRASH_SEED` repeats the
//! moments of an earlier run, which prints it.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "tests fail by panicking, and print what happened"
)]

mod blows;
mod burst;
mod cast;
mod check;
mod history;
mod insist;
mod plan;
mod rounds;
mod seals;
mod sides;
mod spaces;
#[expect(dead_code, reason = "the suites share it, and none uses all of it")]
#[path = "../support_e2e/mod.rs"]
mod support;

use blows::Blow;
use rounds::{play, rounds};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_the_bridge_is_killed() {
    play(&vec![Blow::KillBridge; rounds()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_postgres_is_killed() {
    play(&vec![Blow::KillPostgres; rounds().div_ceil(5)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_synapse_is_restarted() {
    play(&vec![Blow::RestartSynapse; rounds().div_ceil(5)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_synapse_is_killed() {
    play(&vec![Blow::KillSynapse; rounds().div_ceil(5)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_postgres_is_restarted() {
    play(&vec![Blow::RestartPostgres; rounds().div_ceil(5)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_the_bridge_is_restarted() {
    play(&vec![Blow::RestartBridge; rounds().div_ceil(5)]).await;
}
