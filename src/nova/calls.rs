//! What a client does in calls, whichever way it comes in: REST and frames both end here.

use super::NovaState;
use super::dto::calls::ice::IceServer;
use super::dto::calls::request::{Action, Which};
use super::dto::calls::{CallReply, JoinReply};
use super::error::ApiError;
use crate::bridge::CommandError;
use crate::bridge::calls::PlaceCall;
use crate::domain::call::{Call, DescriptionKind, Dialect, Input, Phase};
use crate::domain::ids::{ConversationId, UserId};
use uuid::Uuid;

/// Calls somebody.
pub(super) async fn place(state: &NovaState, user: UserId, wanted: PlaceCall) -> Result<CallReply, ApiError> {
    state.sends.check(user).map_err(ApiError::TooMany)?;
    let placed = state.bridge.place_call(user, wanted).await?;
    Ok(CallReply::new(&placed, Some(user), state.bridge.now()).with_ice(ice_servers(state, user).await))
}

/// Takes a call, or says what is sent in it: the reply says as whose part.
pub(super) async fn answer(
    state: &NovaState,
    user: UserId,
    which: Which,
    only: Option<ConversationId>,
    action: Action,
) -> Result<CallReply, ApiError> {
    let call = act(state, user, which, only, action).await?;
    Ok(CallReply::new(&call, Some(user), state.bridge.now()).with_ice(ice_servers(state, user).await))
}

/// Comes into a group call: the reply says who is there.
pub(super) async fn join(
    state: &NovaState,
    user: UserId,
    which: Which,
    only: Option<ConversationId>,
    action: Action,
) -> Result<JoinReply, ApiError> {
    let call = act(state, user, which, only, action).await?;
    Ok(JoinReply::new(&call, user, state.bridge.now()).with_ice(ice_servers(state, user).await))
}

async fn ice_servers(state: &NovaState, user: UserId) -> Vec<IceServer> {
    IceServer::list(&Box::pin(state.bridge.ice_servers(user)).await)
}

/// Does something in a call. A socket that is for one conversation says so in `only`.
pub(super) async fn act(
    state: &NovaState,
    user: UserId,
    which: Which,
    only: Option<ConversationId>,
    action: Action,
) -> Result<Call, ApiError> {
    count(state, user, &action)?;
    let bridge = &state.bridge;
    let (id, known) = match which {
        Which::In(conversation) => {
            let call = bridge.call_in(conversation, user).await?;
            let call = call.ok_or(CommandError::UnknownCall)?;
            (call.id, Some(call))
        }
        Which::Call(id) if only.is_some() || needs_to_look(&action) => (id, Some(bridge.call(id, user).await?)),
        Which::Call(id) => (id, None),
    };
    if let (Some(only), Some(call)) = (only, &known)
        && call.conversation != only
    {
        return Err(ApiError::Invalid("this socket is for another conversation".to_owned()));
    }
    let input = input(user, action, known.as_ref())?;
    Ok(bridge.call_input(id, user, input).await?)
}

/// Counts candidates, before anything is done about them: they come in dozens, and have a limit of their own.
pub(super) fn count_candidates(state: &NovaState, user: UserId) -> Result<(), ApiError> {
    state.candidates.check(user).map_err(ApiError::TooMany)
}

/// Counts what is done beside messages. Nobody is kept from answering or hanging up.
fn count(state: &NovaState, user: UserId, action: &Action) -> Result<(), ApiError> {
    match action {
        Action::Accept { .. }
        | Action::Answer { .. }
        | Action::Reject { .. }
        | Action::End { .. }
        | Action::Leave
        // See `count_candidates`.
        | Action::Candidates { .. } => Ok(()),
        Action::Negotiate { .. } | Action::Media { .. } | Action::Join { .. } => {
            state.sends.check(user).map_err(ApiError::TooMany)
        }
    }
}

/// Whether what is to be done depends on the call.
const fn needs_to_look(action: &Action) -> bool {
    match action {
        Action::Candidates { to, .. } => to.is_some(),
        Action::Negotiate { .. } => true,
        Action::Accept { .. }
        | Action::Answer { .. }
        | Action::Reject { .. }
        | Action::End { .. }
        | Action::Media { .. }
        | Action::Join { .. }
        | Action::Leave => false,
    }
}

fn input(by: UserId, action: Action, call: Option<&Call>) -> Result<Input, ApiError> {
    let dialect = Dialect::Nova;
    Ok(match action {
        Action::Accept { claim } => Input::Accept { by, dialect, claim },
        Action::Answer {
            answer,
            metadata,
            claim,
        } => Input::Answer {
            by,
            answer,
            metadata,
            dialect,
            claim,
        },
        Action::Reject { busy } => Input::Reject { by, busy },
        Action::End { reason } => Input::End { by, reason },
        Action::Candidates { to, candidates } => Input::Candidates {
            by,
            to: addressee(to, call)?,
            candidates,
        },
        // The offer of a call that was placed without one.
        Action::Negotiate {
            description, metadata, ..
        } if description.kind == DescriptionKind::Offer && call.is_some_and(|it| it.phase == Phase::Preparing) => {
            Input::Offer {
                by,
                offer: description.sdp,
                metadata,
            }
        }
        Action::Negotiate {
            to,
            description,
            metadata,
        } => Input::Negotiate {
            by,
            to: addressee(to, call)?,
            description,
            metadata,
        },
        Action::Media { audio, video } => Input::Media { by, audio, video },
        Action::Join { sdp } => Input::Join { by, sdp, dialect },
        Action::Leave => Input::Leave { by },
    })
}

/// The person whom `to` means: by their own id, or by that of their part.
fn addressee(to: Option<Uuid>, call: Option<&Call>) -> Result<Option<UserId>, ApiError> {
    let Some(to) = to else { return Ok(None) };
    let people = call.map(|call| call.people.as_slice()).unwrap_or_default();
    let found = people.iter().find(|it| it.user.0 == to || it.id.0 == to);
    match found {
        Some(found) => Ok(Some(found.user)),
        None => Err(ApiError::Invalid("to names nobody in this call".to_owned())),
    }
}
