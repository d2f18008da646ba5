//! What a client says, whichever way it comes in: REST and frames both end here.

use super::NovaState;
use super::dto::media::{self, Carrying, Wanted};
use super::error::ApiError;
use crate::bridge::messages::Said;
use crate::domain::ids::{ConversationId, UserId};
use crate::domain::media::Media;
use crate::domain::message::Message;

/// Says something, within the user's rate.
pub(super) async fn say(
    state: &NovaState,
    user: UserId,
    conversation: ConversationId,
    mut said: Said,
    carrying: Carrying,
) -> Result<Message, ApiError> {
    state.sends.check(user).map_err(ApiError::TooMany)?;
    let carried = match carrying.wanted(&state.links, &state.bridge)? {
        None => None,
        Some(Wanted::Place(place)) => Some(Media::Place(place)),
        Some(Wanted::File(file)) => Some(state.bridge.carried(user, *file).await?),
    };
    if let Some(media) = carried {
        said.text = media::said(media, said.text);
    }
    Ok(state.bridge.send_message(user, conversation, said).await?)
}
