//! A ghost's name and picture in its rooms. The homeserver brings a changed profile into each room by itself, but Synapse
//! does so behind the request, stops where the next change comes, and leaves a room out where it fails: a name and a
//! picture that change at once make it race with itself. So each room is looked at, and set right.

use ruma::{RoomId, UserId};
use serde_json::Value;
use serde_json::value::to_raw_value;

use super::Bridge;
use super::accounts::ProvisionError;
use crate::domain::ids::UserId as NovaUser;
use crate::matrix::Profile;
use crate::matrix::translate::outbound;
use crate::store::{StoreError, people};

/// How often the rooms are gone through at most, until all show the profile.
const ROUNDS: usize = 4;

impl Bridge {
    /// Gives the ghost of an account its changed name and picture, here and in its rooms.
    pub(super) async fn change_profile(&self, user: NovaUser) -> Result<(), ProvisionError> {
        let mut connection = self.inner.store.read().await?;
        let account = people::account(&mut connection, user)
            .await?
            .ok_or(ProvisionError::NoAccount)?;
        drop(connection);
        self.provision(user).await?;
        // A new ghost is in no room. Whoever needed it first may have made it since, and then only looks twice.
        if account.synced_profile.is_none() {
            return Ok(());
        }
        self.show_in_rooms(&account.person.mxid).await
    }

    async fn show_in_rooms(&self, ghost: &UserId) -> Result<(), ProvisionError> {
        let Some(profile) = self.homeserver().profile(ghost).await? else {
            return Ok(());
        };
        let mut unlike = 0;
        for _ in 0..ROUNDS {
            unlike = 0;
            for room in self.homeserver().joined_rooms(ghost).await? {
                match self.show_in(ghost, &room, &profile).await {
                    Ok(true) => {}
                    // Only another look tells that it was not overwritten by what was under way.
                    Ok(false) => unlike += 1,
                    // Synapse races, or the ghost just left.
                    Err(ProvisionError::Homeserver(error)) if error.errcode() == Some("M_FORBIDDEN") => unlike += 1,
                    Err(error) => return Err(error),
                }
            }
            if unlike == 0 {
                return Ok(());
            }
        }
        tracing::warn!(ghost.id = %ghost, rooms = unlike, "rooms do not take a ghost's name and picture");
        Ok(())
    }

    /// Sets what a room shows of a ghost. Returns whether it was right already.
    async fn show_in(&self, ghost: &UserId, room: &RoomId, profile: &Profile) -> Result<bool, ProvisionError> {
        const MEMBER: &str = "m.room.member";
        let member = self
            .homeserver()
            .state_event(ghost, room, MEMBER, ghost.as_str())
            .await?;
        let shown = |key: &str| {
            let text = member.as_ref().and_then(|it| it.get(key)).and_then(Value::as_str);
            text.filter(|text| !text.is_empty())
        };
        if shown("membership") != Some("join")
            || (shown("displayname"), shown("avatar_url"))
                == (profile.display_name.as_deref(), profile.avatar_url.as_deref())
        {
            return Ok(true);
        }
        let content = to_raw_value(&outbound::member(profile)).map_err(StoreError::from)?;
        let set = self
            .homeserver()
            .send_state(ghost, room, MEMBER, ghost.as_str(), &content);
        set.await?;
        Ok(false)
    }
}
