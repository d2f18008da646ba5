//! How each job is done. All can be done twice.

use ruma::{OwnedRoomId, OwnedUserId, RoomId, UserId};
use serde_json::Value;
use serde_json::value::to_raw_value;

use super::{Done, JobError};
use crate::bridge::Bridge;
use crate::domain::ids::UserId as NovaUser;
use crate::domain::job::{Job, StoredJob};
use crate::matrix::HomeserverError;
use crate::matrix::translate::outbound::{self, MARKER};
use crate::store::{conversations, people};

impl Bridge {
    pub(super) async fn perform(&self, job: &StoredJob) -> Result<Done, JobError> {
        let ghost = self.ghost_id(job.actor)?;
        match &job.job {
            Job::BotJoin { room, by } => return self.bot_join(job, room, by).await,
            Job::BotLeave { room } => return self.bot_leave(room).await,
            Job::Command { room, by, text } => return self.command(job, room, by, text).await,
            Job::ProvisionGhost => match self.change_profile(job.actor).await {
                // Deleted since: there is nothing to provide for.
                Err(crate::bridge::accounts::ProvisionError::NoAccount) => {}
                other => other?,
            },
            Job::DeactivateGhost => self.deactivate(&ghost).await?,
            Job::CreateRoom => return self.create_room(job, &ghost).await,
            Job::SendEvent {
                event_type,
                content,
                answers,
            } => {
                return self.send_said(job, &ghost, event_type, content.clone(), *answers).await;
            }
            Job::Edit { edit } => return self.send_edit(job, &ghost, *edit).await,
            Job::React { reaction } => return self.send_reaction(job, &ghost, *reaction).await,
            Job::Pin { message } => return self.send_pin(job, &ghost, *message).await,
            Job::Redact { of } => return self.redact(job, &ghost, *of).await,
            Job::SendMedia => return self.send_media(job, &ghost).await,
            Job::Join { room } => return self.join(job, &ghost, room).await,
            Job::SyncRoom { room } => self.sync_room(job, &ghost, room).await?,
            Job::ReadBack { room } => self.read_back(job, &ghost, room).await?,
            Job::Invite { target } => return self.invite(job, &ghost, target).await,
            Job::Leave { room, notice } => {
                return self.leave_room(job, &ghost, room.as_deref(), notice.as_deref()).await;
            }
            Job::Kick { target } => return self.kick(job, &ghost, target).await,
            Job::Signal { call, signal } => return self.send_signal(job, &ghost, *call, signal).await,
            Job::SyncSpace => return self.sync_space(job, &ghost).await,
            Job::SetPower { target, level } => self.set_power(job, &ghost, target, *level).await?,
            Job::SetState { event_type, content } => {
                self.set_state(job, &ghost, event_type, content.clone()).await?;
            }
        }
        Ok(Done::Yes)
    }

    fn ghost_id(&self, user: NovaUser) -> Result<OwnedUserId, JobError> {
        let mxid = self.ghosts().mxid(user);
        OwnedUserId::try_from(mxid).map_err(|_| JobError::Hopeless("the ghost's name is no Matrix id".to_owned()))
    }

    async fn deactivate(&self, ghost: &UserId) -> Result<(), JobError> {
        match self.homeserver().deactivate(ghost).await {
            // Never registered, or gone already.
            Err(error) if matches!(error.status(), Some(403 | 404)) => Ok(()),
            other => Ok(other?),
        }
    }

    /// The conversation's room. Without one there is nothing to talk to.
    pub(super) async fn room_of(&self, job: &StoredJob) -> Result<OwnedRoomId, JobError> {
        let none = || JobError::Hopeless("the conversation has no room".to_owned());
        let id = job.conversation.ok_or_else(none)?;
        let mut connection = self.inner.store.read().await?;
        let room = conversations::room_of(&mut connection, id).await?.ok_or_else(none)?;
        OwnedRoomId::try_from(room).map_err(|_| none())
    }

    pub(super) async fn send_event(
        &self,
        job: &StoredJob,
        ghost: &UserId,
        event_type: &str,
        mut content: Value,
    ) -> Result<Done, JobError> {
        let room = self.room_of(job).await?;
        let marker = match content.get(MARKER).and_then(Value::as_str) {
            Some(marker) => marker.to_owned(),
            None => job.id.to_string(),
        };
        if let Some(map) = content.as_object_mut() {
            map.entry(MARKER).or_insert_with(|| Value::String(marker.clone()));
        }
        self.ensure_ghost(job.actor).await?;
        if job.uncertain
            && let Some(event_id) = self.find_in(job, ghost, &room, &marker).await?
        {
            return Ok(Done::Sent(event_id));
        }
        let content = to_raw_value(&content).map_err(crate::store::StoreError::from)?;
        let transaction = job.id.to_string();
        let send = || {
            self.homeserver()
                .send_event(ghost, &room, event_type, &transaction, &content)
        };
        let event_id = match send().await {
            Err(error) if error.errcode() == Some("M_FORBIDDEN") => {
                self.mend(job, ghost, &room, error).await?;
                send().await?
            }
            other => other?,
        };
        Ok(Done::Sent(event_id.to_string()))
    }

    /// Something was forbidden: the ghost is not in the room, or the homeserver forgot it. When this returns, what can be
    /// mended is mended, and it is worth another try.
    pub(super) async fn mend(
        &self,
        job: &StoredJob,
        ghost: &UserId,
        room: &RoomId,
        forbidden: HomeserverError,
    ) -> Result<(), JobError> {
        self.doubt_ghost(job.actor);
        self.ensure_ghost(job.actor).await?;
        match self.homeserver().join(ghost, room).await {
            Ok(()) => Ok(()),
            Err(join) if matches!(join.retry(), crate::matrix::Retry::Never) => Err(forbidden.into()),
            Err(join) => Err(join.into()),
        }
    }

    /// As [`Self::find_event`]; a ghost that may not read the room cannot have sent anything there.
    pub(super) async fn find_in(
        &self,
        job: &StoredJob,
        ghost: &UserId,
        room: &RoomId,
        marker: &str,
    ) -> Result<Option<String>, JobError> {
        match self.find_event(ghost, room, marker, job).await {
            Err(JobError::Homeserver(error)) if error.errcode() == Some("M_FORBIDDEN") => Ok(None),
            other => other,
        }
    }

    async fn join(&self, job: &StoredJob, ghost: &UserId, room: &str) -> Result<Done, JobError> {
        let room = room_id(room)?;
        self.ensure_ghost(job.actor).await?;
        let joined = match self.homeserver().join(ghost, &room).await {
            Err(error) if error.errcode() == Some("M_FORBIDDEN") => {
                self.doubt_ghost(job.actor);
                self.ensure_ghost(job.actor).await?;
                self.homeserver().join(ghost, &room).await
            }
            other => other,
        };
        match joined {
            Ok(()) => {}
            // The invite is gone, or there was none: another one brings another job.
            Err(error) if matches!(error.errcode(), Some("M_FORBIDDEN" | "M_BAD_STATE" | "M_NOT_FOUND")) => {
                tracing::info!(room.id = %room, %error, "a ghost may not join");
            }
            Err(error) => return Err(error.into()),
        }
        Ok(Done::Yes)
    }

    async fn sync_room(&self, job: &StoredJob, ghost: &UserId, room: &str) -> Result<(), JobError> {
        let room = room_id(room)?;
        self.ensure_ghost(job.actor).await?;
        loop {
            let mut connection = self.inner.store.read().await?;
            let Some(version) = conversations::state_version(&mut connection, room.as_str()).await? else {
                return Ok(());
            };
            drop(connection);
            let state = match self.homeserver().room_state(ghost, &room).await {
                Ok(state) => state,
                Err(error) if error.errcode() == Some("M_FORBIDDEN") => {
                    tracing::info!(room.id = %room, "a room's state may not be read");
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            };
            if self.accept_state(state, &room, version).await? {
                return Ok(());
            }
        }
    }

    async fn read_back(&self, job: &StoredJob, ghost: &OwnedUserId, room: &str) -> Result<(), JobError> {
        let room = room_id(room)?;
        self.ensure_ghost(job.actor).await?;
        match Box::pin(self.read_back_room(&room, ghost)).await {
            Err(JobError::Homeserver(error)) if error.errcode() == Some("M_FORBIDDEN") => {
                tracing::info!(room.id = %room, "what was said in a room may not be read");
                Ok(())
            }
            other => other,
        }
    }

    async fn invite(&self, job: &StoredJob, ghost: &UserId, target: &str) -> Result<Done, JobError> {
        let room = self.room_of(job).await?;
        let target = user_id(target)?;
        self.ensure_ghost(job.actor).await?;
        if let Some(account) = self.ghosts().nova_user(target.as_str()) {
            self.ensure_ghost(account).await?;
        }
        let invited = self.homeserver().invite(ghost, &room, &target, None).await;
        self.unless_there(ghost, &room, &target, invited, &["invite", "join"])
            .await
    }

    async fn kick(&self, job: &StoredJob, ghost: &UserId, target: &str) -> Result<Done, JobError> {
        let room = self.room_of(job).await?;
        let target = user_id(target)?;
        self.ensure_ghost(job.actor).await?;
        let kicked = self.homeserver().kick(ghost, &room, &target, None).await;
        self.unless_there(ghost, &room, &target, kicked, &["leave", "ban"])
            .await
    }

    /// A refusal is none where the target's membership is what was wanted.
    async fn unless_there(
        &self,
        ghost: &UserId,
        room: &RoomId,
        target: &UserId,
        result: Result<(), HomeserverError>,
        wanted: &[&str],
    ) -> Result<Done, JobError> {
        match result {
            Err(error) if error.errcode() == Some("M_FORBIDDEN") => {
                let member = self
                    .homeserver()
                    .state_event(ghost, room, "m.room.member", target.as_str())
                    .await?;
                let membership = member
                    .as_ref()
                    .and_then(|it| it.get("membership"))
                    .and_then(Value::as_str);
                if wanted.contains(&membership.unwrap_or("leave")) {
                    Ok(Done::Already)
                } else {
                    Err(error.into())
                }
            }
            other => Ok(other.map(|()| Done::Yes)?),
        }
    }

    async fn leave_room(
        &self,
        job: &StoredJob,
        ghost: &UserId,
        room: Option<&str>,
        notice: Option<&str>,
    ) -> Result<Done, JobError> {
        let room = match room {
            Some(room) => room_id(room)?,
            None => match self.room_of(job).await {
                // A conversation that never got its room is left already.
                Err(JobError::Hopeless(_)) => return Ok(Done::Already),
                other => other?,
            },
        };
        self.ensure_ghost(job.actor).await?;
        if let Some(notice) = notice {
            let content = to_raw_value(&outbound::notice(notice)).map_err(crate::store::StoreError::from)?;
            let sent = self
                .homeserver()
                .send_event(ghost, &room, "m.room.message", &job.id.to_string(), &content)
                .await;
            // The notice is a courtesy; the leaving is not.
            if let Err(error) = sent
                && !matches!(error.retry(), crate::matrix::Retry::Never)
            {
                return Err(error.into());
            }
        }
        match self.homeserver().leave(ghost, &room, None).await {
            Err(error) if matches!(error.status(), Some(403 | 404)) => Ok(Done::Already),
            other => Ok(other.map(|()| Done::Yes)?),
        }
    }

    async fn set_power(&self, job: &StoredJob, ghost: &UserId, target: &str, level: i64) -> Result<(), JobError> {
        let room = self.room_of(job).await?;
        self.ensure_ghost(job.actor).await?;
        let levels = self
            .homeserver()
            .state_event(ghost, &room, "m.room.power_levels", "")
            .await?;
        let before = levels.unwrap_or_default();
        let after = outbound::with_power(before.clone(), target, level);
        if after != before {
            let content = to_raw_value(&after).map_err(crate::store::StoreError::from)?;
            self.homeserver()
                .send_state(ghost, &room, "m.room.power_levels", "", &content)
                .await?;
        }
        Ok(())
    }

    async fn set_state(
        &self,
        job: &StoredJob,
        ghost: &UserId,
        event_type: &str,
        mut content: Value,
    ) -> Result<(), JobError> {
        let room = self.room_of(job).await?;
        self.ensure_ghost(job.actor).await?;
        if event_type == "m.room.avatar"
            && let Some(url) = content.get("url").and_then(Value::as_str).map(str::to_owned)
        {
            let mut connection = self.inner.store.read().await?;
            let Some(owner) = people::person(&mut connection, job.actor).await? else {
                return Ok(());
            };
            drop(connection);
            let Some(mxc) = self.uploaded(&owner, &url).await? else {
                return Ok(());
            };
            content = serde_json::json!({ "url": mxc });
        }
        let content = to_raw_value(&content).map_err(crate::store::StoreError::from)?;
        self.homeserver()
            .send_state(ghost, &room, event_type, "", &content)
            .await?;
        Ok(())
    }
}

pub(super) fn room_id(text: &str) -> Result<OwnedRoomId, JobError> {
    OwnedRoomId::try_from(text).map_err(|_| JobError::Hopeless("the room's id is none".to_owned()))
}

pub(super) fn user_id(text: &str) -> Result<OwnedUserId, JobError> {
    OwnedUserId::try_from(text).map_err(|_| JobError::Hopeless("the target's id is no Matrix id".to_owned()))
}
