//! Two people who talk.

use super::matrix::MatrixUser;
use super::nova::NovaUser;
use super::world::World;

/// Who talks to whom, and where.
pub(crate) struct Chat {
    pub(crate) nova: NovaUser,
    pub(crate) matrix: MatrixUser,
    pub(crate) room: String,
    pub(crate) conversation: String,
}

/// A direct chat that the Matrix user opened.
pub(crate) async fn direct_chat(world: &World) -> Chat {
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
