//! Rooms: making them, their members, their state, their aliases.

use http::Method;
use ruma::api::client::alias::{create_alias, get_alias};
use ruma::api::client::membership::invite_user::v3::{InvitationRecipient, InviteUserId};
use ruma::api::client::membership::{
    ban_user, invite_user, join_room_by_id, joined_members, joined_rooms, kick_user, leave_room,
};
use ruma::api::client::state::{get_state_event_for_key, get_state_events};
use ruma::{OwnedRoomId, OwnedUserId, RoomAliasId, RoomId, UserId};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::client::Homeserver;
use super::error::HomeserverError;
use super::observer::Endpoint;
use super::wire::in_path;

impl Homeserver {
    /// Makes a room. `body` goes out as it is. **Not** idempotent: look for the room before a second try.
    ///
    /// # Errors
    ///
    /// See [`HomeserverError`].
    pub async fn create_room(&self, ghost: &UserId, body: &Value) -> Result<OwnedRoomId, HomeserverError> {
        #[derive(Deserialize)]
        struct Answer {
            room_id: OwnedRoomId,
        }
        let path = (Method::POST, "/_matrix/client/v3/createRoom");
        let answer: Answer = self
            .request_raw(Endpoint::CreateRoom, Some(ghost), path, Some(body))
            .await?;
        Ok(answer.room_id)
    }

    /// The content of one state event as it is now, or `None` where the room has none.
    ///
    /// # Errors
    ///
    /// `M_FORBIDDEN` where the ghost is not in the room.
    pub async fn state_event(
        &self,
        ghost: &UserId,
        room: &RoomId,
        event_type: &str,
        state_key: &str,
    ) -> Result<Option<Value>, HomeserverError> {
        let request =
            get_state_event_for_key::v3::Request::new(in_path(room)?, in_path(event_type)?, in_path(state_key)?);
        match self.request(Endpoint::StateEvent, Some(ghost), request).await {
            Ok(answer) => serde_json::from_str(answer.event_or_content.get())
                .map(Some)
                .map_err(HomeserverError::unreadable),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All state of the room, as whole events.
    ///
    /// # Errors
    ///
    /// `M_FORBIDDEN` where the ghost is not in the room.
    pub async fn room_state(&self, ghost: &UserId, room: &RoomId) -> Result<Vec<Box<RawValue>>, HomeserverError> {
        let request = get_state_events::v3::Request::new(in_path(room)?);
        let answer = self.request(Endpoint::RoomState, Some(ghost), request).await?;
        Ok(answer.room_state.into_iter().map(ruma::serde::Raw::into_json).collect())
    }

    /// Joins the ghost; joining twice is no error.
    ///
    /// # Errors
    ///
    /// `M_FORBIDDEN` where the ghost is neither invited nor free to enter, `M_BAD_STATE` where it is banned.
    pub async fn join(&self, ghost: &UserId, room: &RoomId) -> Result<(), HomeserverError> {
        self.request(
            Endpoint::Join,
            Some(ghost),
            join_room_by_id::v3::Request::new(in_path(room)?),
        )
        .await?;
        Ok(())
    }

    /// Takes the ghost out of the room, or declines its invite.
    ///
    /// # Errors
    ///
    /// `M_FORBIDDEN` where the ghost is not in the room.
    pub async fn leave(&self, ghost: &UserId, room: &RoomId, reason: Option<&str>) -> Result<(), HomeserverError> {
        let mut request = leave_room::v3::Request::new(in_path(room)?);
        request.reason = reason.map(str::to_owned);
        self.request(Endpoint::Leave, Some(ghost), request).await?;
        Ok(())
    }

    /// Invites `target`.
    ///
    /// # Errors
    ///
    /// `M_FORBIDDEN` where the ghost may not, or `target` is in the room or banned.
    pub async fn invite(
        &self,
        ghost: &UserId,
        room: &RoomId,
        target: &UserId,
        reason: Option<&str>,
    ) -> Result<(), HomeserverError> {
        let mut recipient = InviteUserId::new(target.to_owned());
        recipient.reason = reason.map(str::to_owned);
        let request = invite_user::v3::Request::new(in_path(room)?, InvitationRecipient::UserId(recipient));
        self.request(Endpoint::Invite, Some(ghost), request).await?;
        Ok(())
    }

    /// Removes `target`.
    ///
    /// # Errors
    ///
    /// `M_FORBIDDEN` where the ghost may not.
    pub async fn kick(
        &self,
        ghost: &UserId,
        room: &RoomId,
        target: &UserId,
        reason: Option<&str>,
    ) -> Result<(), HomeserverError> {
        let mut request = kick_user::v3::Request::new(in_path(room)?, target.to_owned());
        request.reason = reason.map(str::to_owned);
        self.request(Endpoint::Kick, Some(ghost), request).await?;
        Ok(())
    }

    /// Removes `target` and keeps them out.
    ///
    /// # Errors
    ///
    /// `M_FORBIDDEN` where the ghost may not.
    pub async fn ban(
        &self,
        ghost: &UserId,
        room: &RoomId,
        target: &UserId,
        reason: Option<&str>,
    ) -> Result<(), HomeserverError> {
        let mut request = ban_user::v3::Request::new(in_path(room)?, target.to_owned());
        request.reason = reason.map(str::to_owned);
        self.request(Endpoint::Ban, Some(ghost), request).await?;
        Ok(())
    }

    /// The rooms that the ghost is in.
    ///
    /// # Errors
    ///
    /// See [`HomeserverError`].
    pub async fn joined_rooms(&self, ghost: &UserId) -> Result<Vec<OwnedRoomId>, HomeserverError> {
        let answer = self
            .request(Endpoint::JoinedRooms, Some(ghost), joined_rooms::v3::Request::new())
            .await?;
        Ok(answer.joined_rooms)
    }

    /// Who is in a room that the ghost is in.
    ///
    /// # Errors
    ///
    /// `M_FORBIDDEN` where the ghost is not in it.
    pub async fn joined_members(&self, ghost: &UserId, room: &RoomId) -> Result<Vec<OwnedUserId>, HomeserverError> {
        let request = joined_members::v3::Request::new(in_path(room)?);
        let answer = self.request(Endpoint::JoinedMembers, Some(ghost), request).await?;
        Ok(answer.joined.into_keys().collect())
    }

    /// The room behind an alias, or `None` where nobody has it.
    ///
    /// # Errors
    ///
    /// See [`HomeserverError`].
    pub async fn resolve_alias(&self, alias: &RoomAliasId) -> Result<Option<OwnedRoomId>, HomeserverError> {
        let request = get_alias::v3::Request::new(in_path(alias)?);
        match self.request(Endpoint::ResolveAlias, None, request).await {
            Ok(answer) => Ok(Some(answer.room_id)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Gives the room an alias.
    ///
    /// # Errors
    ///
    /// 409 `M_UNKNOWN` where the alias is taken, `M_EXCLUSIVE` where our registration does not claim its like.
    pub async fn create_alias(
        &self,
        ghost: &UserId,
        alias: &RoomAliasId,
        room: &RoomId,
    ) -> Result<(), HomeserverError> {
        let request = create_alias::v3::Request::new(in_path(alias)?, room.to_owned());
        self.request(Endpoint::CreateAlias, Some(ghost), request).await?;
        Ok(())
    }
}
