//! The bot's own jobs: to come, to go, and to answer.

use ruma::{OwnedRoomId, OwnedUserId, RoomId};
use serde_json::json;
use serde_json::value::to_raw_value;

use super::jobs::{room_id, user_id};
use super::{Done, JobError};
use crate::bridge::Bridge;
use crate::domain::bot::HELP;
use crate::domain::job::StoredJob;
use crate::matrix::HomeserverError;
use crate::store::StoreError;

/// What is said in a room with several people.
const NOT_HERE: &str = "I answer only where I am alone with one person. Please invite me to a direct chat.";

impl Bridge {
    pub(super) async fn bot_join(&self, job: &StoredJob, room: &str, by: &str) -> Result<Done, JobError> {
        let (room, by) = (room_id(room)?, user_id(by)?);
        if !self.listens_to(&by) {
            tracing::info!(user.id = %by, "somebody who may not talk to the bot invited it");
            return self.bot_leave(room.as_str()).await;
        }
        match self.homeserver().join(self.bot(), &room).await {
            Ok(()) => {}
            Err(error) if is_over(&error) => return Ok(Done::Yes),
            Err(error) => return Err(error.into()),
        }
        if self.others_in(&room).await? > 1 {
            self.bot_says(job, &room, NOT_HERE).await?;
            return self.bot_leave(room.as_str()).await;
        }
        self.bot_says(job, &room, &format!("Hello. I understand:\n\n{HELP}"))
            .await
    }

    pub(super) async fn bot_leave(&self, room: &str) -> Result<Done, JobError> {
        match self.homeserver().leave(self.bot(), &room_id(room)?, None).await {
            Err(error) if !is_over(&error) => Err(error.into()),
            Ok(()) | Err(_) => Ok(Done::Yes),
        }
    }

    pub(super) async fn command(&self, job: &StoredJob, room: &str, by: &str, text: &str) -> Result<Done, JobError> {
        let (room, by) = (room_id(room)?, user_id(by)?);
        if self.others_in(&room).await? > 1 {
            return self.bot_says(job, &room, NOT_HERE).await;
        }
        let answer = self.obey(&by, text).await?;
        self.bot_says(job, &room, &answer).await
    }

    fn bot(&self) -> &OwnedUserId {
        &self.inner.settings.bot
    }

    async fn others_in(&self, room: &OwnedRoomId) -> Result<usize, JobError> {
        match self.homeserver().joined_members(self.bot(), room).await {
            Ok(members) => Ok(members.iter().filter(|it| *it != self.bot()).count()),
            // Put out since: nobody is there to be told anything.
            Err(error) if is_over(&error) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }

    async fn bot_says(&self, job: &StoredJob, room: &RoomId, text: &str) -> Result<Done, JobError> {
        let content = to_raw_value(&json!({ "msgtype": "m.notice", "body": text })).map_err(StoreError::from)?;
        let transaction = job.id.to_string();
        let sent = self
            .homeserver()
            .send_event(self.bot(), room, "m.room.message", &transaction, &content)
            .await;
        match sent {
            Err(error) if !is_over(&error) => Err(error.into()),
            Ok(_) | Err(_) => Ok(Done::Yes),
        }
    }
}

/// The bot is not in the room, and nothing that it could do changes that.
fn is_over(error: &HomeserverError) -> bool {
    matches!(
        error.errcode(),
        Some("M_FORBIDDEN" | "M_NOT_FOUND" | "M_BAD_STATE" | "M_UNKNOWN_ROOM")
    )
}
