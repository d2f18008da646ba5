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

use support::matrix::MatrixUser;
use support::nova::NovaUser;
use support::world::World;

/// Who talks to whom, and where.
struct Chat {
    nova: NovaUser,
    matrix: MatrixUser,
    room: String,
    conversation: String,
}

/// A direct chat that the Matrix user opened.
async fn direct_chat(world: &World) -> Chat {
    let (nova, matrix) = tokio::join!(world.nova_user("ana"), world.matrix_user("elena"));
    let room = matrix.create_dm(&nova.mxid).await;
    matrix.sees_member(&room, &nova.mxid, "join").await;
    let conversation = nova.conversation_of(&room).await;
    Chat {
        nova,
        matrix,
        room,
        conversation,
    }
}
