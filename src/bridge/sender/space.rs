//! Makes an account's space, once, and brings what is in it in step.

use ruma::{OwnedRoomId, RoomId, UserId};
use serde_json::Value;
use serde_json::value::to_raw_value;

use super::{Done, JobError};
use crate::bridge::Bridge;
use crate::bridge::accounts::ProvisionError;
use crate::domain::job::StoredJob;
use crate::domain::space::difference;
use crate::matrix::translate::space;
use crate::store::StoreError;
use crate::store::spaces::{self, Space};

impl Bridge {
    pub(super) async fn sync_space(&self, job: &StoredJob, ghost: &UserId) -> Result<Done, JobError> {
        if !self.inner.settings.space_per_user {
            return Ok(Done::Yes);
        }
        match self.ensure_ghost(job.actor).await {
            // Deleted since: nobody looks into it.
            Err(ProvisionError::NoAccount) => return Ok(Done::Yes),
            other => other?,
        }
        let space = self.space_of(job, ghost).await?;
        let mut connection = self.inner.store.read().await?;
        let others = spaces::waiting(&mut connection, job.actor).await?;
        let wanted = spaces::children(&mut connection, job.actor).await?;
        drop(connection);
        let state = match self.homeserver().room_state(ghost, &space).await {
            // Its owner left it. They do not get another one.
            Err(error) if error.errcode() == Some("M_FORBIDDEN") => {
                tracing::info!(room.id = %space, "a space was left by its owner");
                return Ok(Done::WithOthers(others));
            }
            other => other?,
        };
        let todo = difference(&wanted, &space::listed(&state));
        for room in &todo.remove {
            self.set_child(ghost, &space, room, space::no_child()).await?;
        }
        for child in &todo.add {
            let content = space::child(child.conversation, self.ghosts().server());
            self.set_child(ghost, &space, child.room.as_str(), content).await?;
        }
        Ok(Done::WithOthers(others))
    }

    /// The account's space. Whoever began to make one and did not come back may have made it: then it is found by its mark.
    async fn space_of(&self, job: &StoredJob, ghost: &UserId) -> Result<OwnedRoomId, JobError> {
        let mut connection = self.inner.store.read().await?;
        let found = match spaces::of(&mut connection, job.actor).await? {
            Space::Made(room) => return Ok(room),
            Space::None => None,
            Space::Begun => self.find_room(ghost, &space::marker(job.actor)).await?,
        };
        let now = self.now();
        spaces::begin(&mut connection, job.actor, now).await?;
        drop(connection);
        let room = if let Some(room) = found {
            room
        } else {
            let body = space::create_space(job.actor, ghost);
            self.homeserver().create_room(ghost, &body).await?
        };
        let mut tx = self.inner.store.begin().await?;
        spaces::made(&mut tx, job.actor, room.as_str(), now).await?;
        tx.commit().await?;
        Ok(room)
    }

    async fn set_child(&self, ghost: &UserId, space: &RoomId, room: &str, content: Value) -> Result<(), JobError> {
        let content = to_raw_value(&content).map_err(StoreError::from)?;
        self.homeserver()
            .send_state(ghost, space, space::CHILD, room, &content)
            .await?;
        Ok(())
    }
}
